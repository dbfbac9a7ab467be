//! An artifact becomes the folder of a release.

use std::fs;
use std::process::Command;

use super::{Script, Stage};

/// The words of a shell's output, which is to end well.
fn shell(text: &str, args: &[&str]) -> String {
    let mut shell = Command::new("sh");
    let said = shell
        .args(["-euc", text, "sh"])
        .args(args)
        .output()
        .unwrap();
    assert!(said.status.success(), "{said:?}");
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

#[test]
fn what_an_earlier_try_made_stays_until_the_new_one_is_whole() {
    let stage = Stage::with("", "");
    let root = stage.0.to_str().unwrap();
    let release = stage.0.join("releases/new");
    let incoming = stage.0.join(".cutover/incoming");
    fs::create_dir_all(&release).unwrap();
    fs::write(release.join("text"), "one").unwrap();
    let artifact = incoming.join("d1.tar.gz");
    let artifact = artifact.to_str().unwrap();
    let unpack = |made: &str| {
        fs::create_dir_all(&incoming).unwrap();
        let digest = shell(made, &[root, artifact]);
        let mut unpack = Command::new("sh");
        unpack.args(["-euc", Script::Unpack.text(), "unpack", root, "new"]);
        let said = unpack.args([artifact, &digest, "commit"]).output().unwrap();
        let text = fs::read_to_string(release.join("text")).unwrap();
        (said.status.success(), text)
    };
    let sum = "sha256sum <\"$2\" | cut -d ' ' -f 1";
    let torn = format!("echo nonsense >\"$2\"; {sum}");
    assert_eq!(unpack(&torn), (false, "one".to_owned()));
    let whole = format!(
        "mkdir \"$1/made\"; printf two >\"$1/made/text\"; tar -czf \"$2\" -C \"$1/made\" text; {sum}"
    );
    assert_eq!(unpack(&whole), (true, "two".to_owned()));
    let left = shell("ls -A \"$1/releases\"", &[root]);
    assert_eq!(left, "new", "nothing of the earlier try is left");
}

//! A manager of workers that cannot be asked proves nothing, and nothing goes on as if it had.

use std::process::{Command, Stdio};

const ROSTER: &str = include_str!("../../../deploy/src/script/roster.sh");
const PROOF: &str = include_str!("../../../deploy/src/script/proof.sh");
/// Does as it is told, but for telling what runs.
const MUTE: &str = "case $1 in list) echo 'it does not answer' >&2; exit 69 ;; esac";

/// How a script ends whose arguments up to the roster are these.
fn ends(shell: &[&str], script: &str, args: &[&str]) -> Option<i32> {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(root.path().join(".cutover")).unwrap();
    let mut run = Command::new(shell[0]);
    run.args(&shell[1..]).args(["-euc", script, "workers"]);
    run.arg(root.path()).arg("r2").args(args);
    run.args([ROSTER, MUTE, "command", "shop", "no", "hand_over overlap"]);
    let status = run.stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.unwrap().code()
}

#[test]
fn who_cannot_be_asked_proves_nothing_in_any_shell() {
    let scripts: [(&str, &str, &[&str]); 4] = [
        (
            "drain",
            include_str!("../../../deploy/src/script/workers.sh"),
            &["1", "1", "fail", "drain", PROOF],
        ),
        (
            "start",
            include_str!("../../../deploy/src/script/workers-start.sh"),
            &["1", "1", "yes"],
        ),
        (
            "end",
            include_str!("../../../deploy/src/script/workers-end.sh"),
            &["1", "yes"],
        ),
        (
            "prove",
            include_str!("../../../deploy/src/script/workers-prove.sh"),
            &["1", "1", "keep", PROOF],
        ),
    ];
    for shell in [
        ["dash"].as_slice(),
        &["bash", "--posix"],
        &["busybox", "sh"],
    ] {
        for (name, script, args) in scripts {
            let code = ends(shell, script, args);
            assert!(
                code.is_some_and(|code| code != 0),
                "{shell:?} {name}: {code:?}"
            );
        }
    }
}

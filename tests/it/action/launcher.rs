//! Which program the launcher starts, and which it does not.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use super::action;

/// A copy of the action, as a runner downloads it, with a program beside it.
struct Copy {
    folder: TempDir,
}

impl Copy {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("action/launcher");
        fs::create_dir_all(&to).unwrap();
        fs::create_dir(folder.path().join("action/bin")).unwrap();
        for file in fs::read_dir(action().join("action/launcher")).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
        Self { folder }
    }

    /// Where the program of this machine has to lie.
    fn program(&self) -> PathBuf {
        let arch = match std::env::consts::ARCH {
            "x86_64" => "x64",
            "aarch64" => "arm64",
            other => other,
        };
        let name = format!("cutover-action-linux-{arch}");
        self.folder.path().join("action/bin").join(name)
    }

    fn write(&self, script: &str, digest: Option<&str>) {
        fs::write(self.program(), script).unwrap();
        fs::set_permissions(self.program(), fs::Permissions::from_mode(0o755)).unwrap();
        let beside = self.program().with_extension("sha256");
        match digest {
            Some(digest) => fs::write(beside, format!("{digest}  cutover-action\n")).unwrap(),
            None => drop(fs::remove_file(beside)),
        }
    }

    fn run(&self, variables: &[(&str, &Path)]) -> Output {
        let mut node = Command::new("node");
        node.arg(self.folder.path().join("action/launcher/main.mjs"));
        node.env_clear().env("PATH", "/usr/local/bin:/usr/bin:/bin");
        node.env("RUNNER_TEMP", self.folder.path());
        node.envs(variables.iter().copied()).output().unwrap()
    }
}

fn told(output: &Output) -> (Option<i32>, String) {
    let log = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code(), log)
}

fn sha256(text: &str) -> String {
    use sha2::Digest as _;
    hex::encode(sha2::Sha256::digest(text))
}

#[test]
fn only_what_has_the_published_digest_is_started() {
    let copy = Copy::new();
    let (code, log) = told(&copy.run(&[]));
    assert_eq!(code, Some(2), "{log}");
    assert!(log.starts_with("::error title=cutover::"), "{log}");
    assert!(log.contains("no release of it is published yet"), "{log}");

    let script = "#!/bin/sh\ntest -d \"$CUTOVER_PRIVATE_DIR\"\nexit 3\n";
    copy.write(script, None);
    let (code, log) = told(&copy.run(&[]));
    assert!(
        code == Some(2) && log.contains("holds no SHA-256 digest"),
        "{log}"
    );

    copy.write(script, Some(&sha256("another")));
    let (code, log) = told(&copy.run(&[]));
    assert!(
        code == Some(2) && log.contains("is not what was published"),
        "{log}"
    );

    copy.write(script, Some(&sha256(script)));
    assert_eq!(told(&copy.run(&[])), (Some(3), String::new()));
}

#[test]
fn a_program_of_the_job_is_taken_from_its_workspace() {
    let copy = Copy::new();
    let folder = copy.folder.path();
    fs::write(folder.join("own"), "#!/bin/sh\nkill -9 $$\n").unwrap();
    fs::set_permissions(folder.join("own"), fs::Permissions::from_mode(0o755)).unwrap();
    let run = |binary: &str| {
        copy.run(&[
            ("GITHUB_WORKSPACE", folder),
            ("INPUT_BINARY", Path::new(binary)),
        ])
    };
    let (code, log) = told(&run(" own "));
    assert!(
        code == Some(137) && log.contains("ended by SIGKILL"),
        "{log}"
    );
    let (code, log) = told(&run("none"));
    assert!(
        code == Some(2) && log.contains("there is no program at"),
        "{log}"
    );
    let left: Vec<_> = fs::read_dir(folder).unwrap().collect();
    assert_eq!(left.len(), 2, "{left:?}");
}

/// `post` gets its state from a file that other steps can write to as well.
#[test]
fn post_removes_only_what_a_step_has_made() {
    let copy = Copy::new();
    let precious = copy.folder.path().join("precious");
    fs::create_dir(&precious).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let outside = elsewhere.path().join("cutover-step-x");
    fs::create_dir(&outside).unwrap();
    for folder in [&precious, &outside] {
        let mut node = Command::new("node");
        node.arg(copy.folder.path().join("action/launcher/post.mjs"));
        node.env("RUNNER_TEMP", copy.folder.path());
        node.env("STATE_folder", folder);
        assert!(node.status().unwrap().success());
        assert!(folder.is_dir());
    }
}

/// A later step may have removed the program, or built it anew.
#[test]
fn post_ends_a_program_whose_file_is_gone() {
    let copy = Copy::new();
    let folder = copy.folder.path().join("cutover-step-x");
    fs::create_dir(&folder).unwrap();
    let program = fs::canonicalize(copy.folder.path()).unwrap().join("sleep");
    fs::copy("/bin/sleep", &program).unwrap();
    let mut runs = Command::new(&program).arg("600").spawn().unwrap();
    fs::remove_file(&program).unwrap();
    let mut node = Command::new("node");
    node.arg(copy.folder.path().join("action/launcher/post.mjs"));
    node.env("RUNNER_TEMP", copy.folder.path());
    node.env("STATE_folder", &folder)
        .env("STATE_binary", &program);
    node.env("STATE_pid", runs.id().to_string());
    assert!(node.status().unwrap().success());
    let ended = runs.try_wait().unwrap();
    assert_eq!(ended.and_then(|status| status.signal()), Some(15));
    assert!(!folder.exists());
}

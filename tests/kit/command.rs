//! Running the tools that the kit stands on. A tool that fails ends the test with all that it said.

use std::path::PathBuf;
use std::process::Output;

use tokio::process::Command;

/// Runs `command` to its end and returns what it wrote to stdout. Panics with its output unless it exits with 0.
pub(crate) async fn succeed(command: &mut Command) -> String {
    let output = finish(command).await;
    assert!(
        output.status.success(),
        "{:?} ended with {}:\n{}{}",
        command.as_std(),
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Runs `command` to its end, whatever that is. Panics if it cannot be started.
pub(crate) async fn finish(command: &mut Command) -> Output {
    match command.kill_on_drop(true).output().await {
        Ok(output) => output,
        Err(error) => panic!("cannot run {:?}: {error}{HINT}", command.as_std()),
    }
}

const HINT: &str = " (tests/setup.sh installs what the tests need)";

/// Finds a program in the places where Debian puts them, `sbin` included, by the beginning of its name.
pub(crate) fn program(prefix: &str) -> PathBuf {
    let found = |name: &str| {
        let rest = name.strip_prefix(prefix);
        rest.is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
    };
    ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin"]
        .iter()
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .find(|entry| entry.file_name().to_str().is_some_and(found))
        .unwrap_or_else(|| panic!("no program {prefix} here{HINT}"))
        .path()
}

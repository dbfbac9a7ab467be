//! The walls of the architecture: who may know what, how large a file may be, what scripts may not do.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A word and the files, by the beginning of their path, that may say it.
const WALLS: [(&str, &[&str]); 8] = [
    ("openssh::", &["deploy/src/host/ssh.rs"]),
    (
        "octocrab::",
        &["service/src/forge/github", "action/src/github.rs"],
    ),
    ("reqwest::", &["outside/src", "service/src/forge/gitlab"]),
    ("sqlx::", &["service/src/store"]),
    (
        "std::env",
        &[
            "service/src/settings",
            "service/src/cli",
            "service/src/main.rs",
            "action/src/inputs.rs",
            "action/src/inputs/runner.rs",
        ],
    ),
    ("Timestamp::now", &["deploy/src/clock.rs"]),
    ("SystemTime::now", &["deploy/src/clock.rs"]),
    ("Utc::now", &["deploy/src/clock.rs"]),
];

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

/// All files below a folder, by their path from the root of the repository.
fn files(folder: &str, ending: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![home().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = fs::read_to_string(&path).unwrap();
                let name = path.strip_prefix(home()).unwrap();
                found.push((name.display().to_string(), text));
            }
        }
    }
    found.sort();
    found
}

/// The code of the product, without its tests.
fn product() -> Vec<(String, String)> {
    let mut all = [
        files("deploy/src", ".rs"),
        files("outside/src", ".rs"),
        files("service/src", ".rs"),
        files("action/src", ".rs"),
    ]
    .concat();
    all.retain(|(path, _)| !path.ends_with("/tests.rs") && !path.contains("/tests/"));
    for (_, text) in &mut all {
        // What follows is the tests of a file, and comments may name anything.
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let lines = code
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        *text = lines.collect::<Vec<_>>().join("\n");
    }
    assert!(all.len() > 50, "the product was found");
    all
}

#[test]
fn each_foreign_word_is_said_behind_its_wall_only() {
    let mut breaches = Vec::new();
    for (path, text) in product() {
        for (word, rooms) in WALLS {
            if text.contains(word) && !rooms.iter().any(|room| path.starts_with(room)) {
                breaches.push(format!(
                    "{path} says {word}, which only {} may",
                    rooms.join(" and ")
                ));
            }
        }
    }
    assert!(breaches.is_empty(), "{}", breaches.join("\n"));
}

#[test]
fn every_wall_still_has_something_behind_it() {
    let product = product();
    for (word, rooms) in &WALLS[..6] {
        let said = product.iter().any(|(path, text)| {
            text.contains(word) && rooms.iter().any(|room| path.starts_with(room))
        });
        assert!(said, "nobody says {word} any more");
    }
}

/// The crates that a package is made of.
fn tree(arguments: &[&str]) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--offline", "--prefix", "none", "--edges", "normal"]);
    let output = cargo.args(arguments).current_dir(home()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_pipeline_without_its_driver_has_no_runtime_and_no_ssh() {
    let pure = tree(&["-p", "cutover-deploy", "--no-default-features"]);
    for name in ["tokio", "openssh", "rustix", "tempfile"] {
        let has = pure
            .lines()
            .any(|line| line.starts_with(&format!("{name} ")));
        assert!(!has, "{name} in\n{pure}");
    }
    assert!(pure.contains("serde "), "{pure}");
}

#[test]
fn the_pipeline_knows_no_door() {
    let tree = tree(&["-p", "cutover-deploy"]);
    for name in [
        "cutover ",
        "cutover-action ",
        "axum ",
        "sqlx ",
        "octocrab ",
        "reqwest ",
    ] {
        assert!(
            !tree.lines().any(|line| line.starts_with(name)),
            "{name} in\n{tree}"
        );
    }
}

#[test]
fn no_file_is_longer_than_500_lines() {
    let rooms = [
        "deploy/src",
        "deploy/tests",
        "outside",
        "service",
        "action/src",
        "tests/kit",
        "tests/it",
        "benches",
    ];
    let long: Vec<_> = rooms
        .iter()
        .flat_map(|room| files(room, ".rs"))
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > 500)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn scripts_are_short_constant_and_clean() {
    let scripts = files("deploy/src/script", ".sh");
    assert!(scripts.len() > 10);
    for (path, text) in &scripts {
        let lines = text.lines().count();
        assert!(lines <= 40, "{path} has {lines} lines");
        for word in ["eval ", "`", "sh -c \""] {
            assert!(
                !text
                    .lines()
                    .any(|line| !line.starts_with('#') && line.contains(word)),
                "{path} says {word}"
            );
        }
    }
    let mut shellcheck = Command::new("shellcheck");
    shellcheck.args(["-s", "sh"]).current_dir(home());
    let output = shellcheck
        .args(scripts.iter().map(|(path, _)| path))
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
}

#[test]
fn scripts_are_taken_in_whole_and_never_put_together() {
    for (path, text) in product() {
        if !path.starts_with("deploy/src/") {
            assert!(
                !text.contains("include_str!(\"script"),
                "{path} takes a script in"
            );
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            let shell =
                line.contains("sh -") || line.contains("\"-c\"") || line.contains("\"-euc\"");
            let built = line.contains("format!") && shell && !line.contains("ssh");
            assert!(!built, "{path}:{} builds shell text: {line}", number + 1);
        }
    }
}

/// A fault that is set on a host and named: by a snapshot, or by a line of a test.
#[test]
fn every_check_of_the_doctor_is_seen_to_name_its_fault() {
    let rooms = ["doctor", "containers", "runtimes"];
    let of_doctor = |path: &String| rooms.iter().any(|room| path.contains(room));
    let tests = files("tests/it", ".rs");
    let tests: Vec<_> = tests.iter().filter(|(path, _)| of_doctor(path)).collect();
    let named = |id: &str| {
        let says = |line: &&str| line.contains(id) && !line.contains("not checked");
        let mut lines = tests.iter().flat_map(|(_, text)| text.lines());
        lines.any(|line| says(&line))
    };
    let all = cutover_deploy::doctor::ALL.iter();
    let silent: Vec<_> = all.filter(|check| !named(check.id)).collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

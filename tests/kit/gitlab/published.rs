//! What others say of GitLab: its published webhook bodies, and the Python client that speaks its interface.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use crate::cache;

/// A webhook body that GitLab's manual published: `push`, `tag_push`, `note_merge_request`, …
///
/// Panics when it was not brought by `tests/fetch-gitlab.sh`.
pub fn published_hook(name: &str) -> Value {
    let file = home().join("webhooks").join(format!("{name}.json"));
    let text = fs::read(&file).unwrap_or_else(|error| absent(&file.display(), &error));
    serde_json::from_slice(&text).expect("a published body is JSON")
}

/// Runs a script of Python with python-gitlab at hand and these arguments, and returns what it printed.
///
/// Panics with what it complained of when it failed.
pub fn wire_form(script: &str, arguments: &[&str]) -> String {
    let python = home().join("venv/bin/python");
    let ran = Command::new(&python)
        .args(["-c", script])
        .args(arguments)
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .unwrap_or_else(|error| absent(&python.display(), &error));
    let said = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.success(), "python-gitlab failed:\n{said}");
    String::from_utf8(ran.stdout).expect("Python prints UTF-8")
}

fn home() -> PathBuf {
    cache::root().join("gitlab")
}

fn absent(what: &dyn std::fmt::Display, error: &std::io::Error) -> ! {
    panic!("cannot use {what}: {error}\nbring it with: tests/fetch-gitlab.sh")
}

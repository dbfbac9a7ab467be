//! What nobody can be faster than: one `ssh` that does nothing, and a whole deployment as one script over one `ssh`. It
//! takes no lease, asks for no health and proves nothing.

use anyhow::Result;

use crate::line::Line;
use crate::place::{Place, succeed};

const DEPLOY: &str = include_str!("floor/deploy.sh");
const ROLLBACK: &str = include_str!("floor/rollback.sh");

pub(crate) async fn nothing(place: &Place, line: &Line) -> Result<()> {
    let mut ssh = place.command("ssh");
    succeed(ssh.arg(Place::alias(line)).arg("true")).await
}

pub(crate) async fn deploy(place: &Place, line: &Line) -> Result<()> {
    script(place, line, DEPLOY).await
}

pub(crate) async fn rollback(place: &Place, line: &Line) -> Result<()> {
    script(place, line, ROLLBACK).await
}

async fn script(place: &Place, line: &Line, script: &str) -> Result<()> {
    let mut ssh = place.command("ssh");
    let root = place.root("script")?;
    // None of them has a quote in it.
    let told = format!(
        "sh -euc '{script}' script '{}' '{}'",
        root.display(),
        place.repo.url()
    );
    succeed(ssh.arg(Place::alias(line)).arg(told)).await
}

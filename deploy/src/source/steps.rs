//! Build steps: the repository's own code, shut in and limited.

use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc::{Sender, channel};

use super::sandbox::{self, Shell};
use super::{Origin, Told, failure, make_dir};
use crate::config::Build;
use crate::plan::shown;
use crate::text::plain;
use crate::{CommitSha, Event, Failure};

/// Where programs are looked for.
pub(super) const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// All build steps together may print this many lines; the rest is left out of the log.
const LINES: usize = 20_000;
/// A line is handed on in parts of at most this many bytes.
const LINE_BYTES: u64 = 4 * 1024;
/// The largest file that a build step may write, in KiB: 2 GiB.
const FILE_KIB: &str = "2097152";
/// Sets limits that no configuration lifts, then runs the user's line. The line is an argument, never part of this text.
const LIMITED: &str = "ulimit -f \"$1\"; ulimit -c 0; exec sh -eu -c -- \"$2\"";

/// Runs the build steps of a configuration in `tree`, one after another.
pub(super) async fn run(
    build: &Build,
    origin: &Origin,
    commit: &CommitSha,
    tree: &Path,
    told: Told<'_>,
) -> Result<(), Failure> {
    if build.steps.is_empty() {
        return Ok(());
    }
    let cache = origin.work_dir.join("cache");
    make_dir(&cache).await?;
    let (shell, note) = sandbox::choose(build.sandbox, &origin.hidden, tree, &cache).await?;
    if let Some(text) = note {
        drop(told.events.send(Event::Note { host: None, text }));
    }
    let mut lines = LINES;
    for line in &build.steps {
        let mut command = step(&shell, build, tree, &cache, commit);
        command.args(["sh", "-euc", LIMITED, "build", FILE_KIB, line]);
        let name = shown(&format!("build: {}", line.trim_start()));
        told.step(&name, follow(command, &name, &mut lines, told))
            .await?;
    }
    Ok(())
}

fn step(shell: &Shell, build: &Build, tree: &Path, cache: &Path, commit: &CommitSha) -> Command {
    let mut command = shell.command(tree, cache);
    command
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C.UTF-8")
        .env("CI", "true");
    command
        .env("HOME", cache)
        .env("COMPOSER_HOME", cache.join("composer"))
        .env("COMPOSER_NO_INTERACTION", "1");
    command
        .env("CUTOVER_COMMIT", commit.as_str())
        .envs(&build.env);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    // A group of its own, so that whatever a step left in the background ends with it.
    command.process_group(0).kill_on_drop(true);
    command
}

async fn follow(
    mut command: Command,
    step: &str,
    lines: &mut usize,
    told: Told<'_>,
) -> Result<(), Failure> {
    let mut child = command
        .spawn()
        .map_err(|error| failure(step, format!("cannot start: {error}")))?;
    let group = Group(child.id());
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(failure(step, "cannot start: no pipes".to_owned()));
    };
    // Few lines wait: a step that prints faster than it is heard has to wait itself.
    let (heard, mut said) = channel(64);
    let reading = [
        tokio::spawn(read(stdout, heard.clone())),
        tokio::spawn(read(stderr, heard)),
    ];
    let mut tail: Vec<String> = Vec::new();
    let mut status = None;
    loop {
        tokio::select! {
            text = said.recv() => match text {
                Some(text) => say(&text, step, lines, &mut tail, told),
                None => break,
            },
            ended = wait(&mut child), if status.is_none() => {
                status = Some(ended);
                // What the step left in the background would hold the pipes open for ever.
                group.kill();
            }
        }
    }
    drop(reading);
    let status = match status {
        Some(status) => status,
        None => wait(&mut child).await,
    };
    match (status, tail.join(" / ")) {
        (0, _) => Ok(()),
        (status, said) if said.is_empty() => Err(failure(step, format!("exit {status}"))),
        (status, said) => Err(failure(step, format!("exit {status}: {said}"))),
    }
}

/// Hands on the lines of a pipe, a very long one in parts.
async fn read(pipe: impl AsyncRead + Unpin, heard: Sender<String>) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while let Ok(1..) = (&mut pipe)
        .take(LINE_BYTES)
        .read_until(b'\n', &mut line)
        .await
    {
        if heard
            .send(plain(&String::from_utf8_lossy(&line)))
            .await
            .is_err()
        {
            return;
        }
        line.clear();
    }
}

fn say(text: &str, step: &str, lines: &mut usize, tail: &mut Vec<String>, told: Told<'_>) {
    if text.is_empty() {
        return;
    }
    tail.push(text.chars().take(400).collect());
    if tail.len() > 4 {
        tail.remove(0);
    }
    let Some(left) = lines.checked_sub(1) else {
        return;
    };
    *lines = left;
    let text = if left == 0 {
        "(the log is full; what follows is left out)".to_owned()
    } else {
        text.to_owned()
    };
    drop(told.events.send(Event::Line {
        host: None,
        step: step.to_owned(),
        text,
    }));
}

async fn wait(child: &mut Child) -> i32 {
    match child.wait().await {
        Ok(status) => status.code().unwrap_or(128),
        Err(_) => 128,
    }
}

/// Ends what is left of a process group, also when the build is called off.
struct Group(Option<u32>);

impl Group {
    fn kill(&self) {
        if let Some(group) = self
            .0
            .and_then(|id| rustix::process::Pid::from_raw(id.cast_signed()))
        {
            rustix::process::kill_process_group(group, rustix::process::Signal::KILL).ok();
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

//! The mirror of a repository, and clean checkouts of single commits.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::Command;

use super::{FETCH_LIMIT, Origin, Position, failure, make_dir};
use crate::{CommitSha, Failure};

/// Nobody reads more of the first line of a message.
const LONGEST_SUBJECT: usize = 200;

/// Brings the mirror up to date so that it holds `wanted`, and returns its folder. A commit that is already there costs
/// no connection.
pub(super) async fn mirror(origin: &Origin, wanted: &str) -> Result<PathBuf, Failure> {
    let commit = CommitSha::parse(wanted);
    let mirror = origin.work_dir.join("mirror.git");
    if let Ok(commit) = &commit
        && mirror.join("HEAD").exists()
        && has(&mirror, commit).await
    {
        return Ok(mirror);
    }
    fetch(origin).await?;
    match &commit {
        Ok(commit) if !has(&mirror, commit).await => Err(Failure {
            hint: Some(
                "It may have been pushed over. Deploy the branch's newest commit instead."
                    .to_owned(),
            ),
            ..failure(
                "fetch",
                format!("commit {commit} is on no branch or tag of {}", origin.url),
            )
        }),
        _ => Ok(mirror),
    }
}

/// Brings every branch and tag of the mirror to where the origin has them, and returns its folder.
pub(super) async fn fetch(origin: &Origin) -> Result<PathBuf, Failure> {
    make_dir(&origin.work_dir).await?;
    let _turn = turn(origin).await?;
    let mirror = origin.work_dir.join("mirror.git");
    if !mirror.join("HEAD").exists() {
        let mut init = git(None);
        init.args(["init", "--quiet", "--bare", "--"]).arg(&mirror);
        run("fetch", init).await?;
    }
    unlock(&mirror);
    let mut fetch = git(Some(&mirror));
    with_authorization(&mut fetch, origin);
    fetch
        .args([
            "fetch",
            "--quiet",
            "--force",
            "--prune",
            "--no-write-fetch-head",
            "--",
        ])
        .arg(&origin.url);
    fetch.args(["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]);
    let fetched = tokio::time::timeout(FETCH_LIMIT, run("fetch", fetch)).await;
    fetched.unwrap_or_else(|_| {
        Err(failure(
            "fetch",
            format!("{} did not answer in time", origin.url),
        ))
    })?;
    Ok(mirror)
}

/// One fetch into a mirror at a time: two environments of an app may want it in the same moment, and git would refuse
/// one of them a ref's lock. Held until dropped.
async fn turn(origin: &Origin) -> Result<File, Failure> {
    let path = origin.work_dir.join("mirror.lock");
    let lock = tokio::task::spawn_blocking(move || {
        let file = File::create(path)?;
        file.lock()?;
        Ok::<_, std::io::Error>(file)
    });
    let locked = match lock.await {
        Ok(locked) => locked.map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    locked.map_err(|error| failure("fetch", format!("cannot lock the mirror: {error}")))
}

/// Where a commit stands on a branch of a mirror that was just fetched.
pub(super) async fn position(
    mirror: &Path,
    commit: &CommitSha,
    branch: &str,
) -> Result<Position, Failure> {
    let name = format!("refs/heads/{branch}");
    let Ok(head) = resolve(mirror, &name).await else {
        return Ok(Position::Elsewhere);
    };
    if head == *commit {
        return Ok(Position::Head);
    }
    if !has(mirror, commit).await {
        return Ok(Position::Elsewhere);
    }
    let mut contains = git(Some(mirror));
    contains
        .args(["for-each-ref", "--format=%(refname)"])
        .arg(format!("--contains={commit}"))
        .arg(&name);
    let said = run("fetch", contains).await?;
    Ok(if said.trim() == name {
        Position::Behind { head }
    } else {
        Position::Elsewhere
    })
}

/// Removes the locks of a git that was killed; nobody else is at work here.
fn unlock(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() && !path.ends_with("objects") {
            unlock(&path);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "lock")
        {
            drop(std::fs::remove_file(path));
        }
    }
}

/// The commit that a name leads to in a mirror.
pub(super) async fn resolve(mirror: &Path, name: &str) -> Result<CommitSha, Failure> {
    let mut parse = git(Some(mirror));
    parse
        .args(["rev-parse", "--verify", "--quiet", "--end-of-options"])
        .arg(format!("{name}^{{commit}}"));
    let unknown = |_| Failure {
        hint: Some("Name a branch, a tag or a full commit that was pushed.".to_owned()),
        ..failure(
            "fetch",
            format!("there is no branch, tag or commit {name:?}"),
        )
    };
    let said = run("fetch", parse).await.map_err(unknown)?;
    CommitSha::parse(said.trim()).map_err(|error| failure("fetch", error.to_string()))
}

/// Puts the files of a commit into a fresh folder, without the history and without any link back to the mirror.
pub(super) async fn checkout(
    mirror: &Path,
    commit: &CommitSha,
    tree: &Path,
) -> Result<(), Failure> {
    make_dir(tree).await?;
    let mut checkout = git(Some(mirror));
    // A bare repository has no index; this one is beside the tree and goes with it.
    checkout
        .env("GIT_INDEX_FILE", tree.with_extension("index"))
        .env("GIT_WORK_TREE", tree);
    checkout.args(["read-tree", "-u", "--reset", commit.as_str()]);
    run("checkout", checkout).await.map(drop)
}

/// When a commit was made, in seconds since 1970.
pub(super) async fn time(mirror: &Path, commit: &CommitSha) -> Result<u64, Failure> {
    let mut show = git(Some(mirror));
    show.args(["show", "--no-patch", "--format=%ct", commit.as_str()]);
    let said = run("checkout", show).await?;
    said.trim()
        .parse()
        .map_err(|_| failure("checkout", format!("commit {commit} has no time")))
}

/// The first line of a commit's message, cut where nobody reads on, without characters that move a terminal.
pub(super) async fn subject(mirror: &Path, commit: &CommitSha) -> Result<String, Failure> {
    let mut show = git(Some(mirror));
    show.args(["show", "--no-patch", "--format=%s", commit.as_str()]);
    let said = run("checkout", show).await?;
    let plain = said.trim().chars().filter(|c| !c.is_control());
    Ok(plain.take(LONGEST_SUBJECT).collect())
}

/// The commit that is checked out in a folder.
pub(super) async fn head(folder: &Path) -> Option<CommitSha> {
    let mut parse = git_in(folder);
    parse.args(["rev-parse", "--verify", "--quiet", "HEAD^{commit}"]);
    let said = run("pack", parse).await.ok()?;
    CommitSha::parse(said.trim()).ok()
}

/// When a commit was made, in seconds since 1970, as the repository checked out in a folder knows it.
pub(super) async fn time_in(folder: &Path, commit: &CommitSha) -> Option<u64> {
    let mut show = git_in(folder);
    show.args(["show", "--no-patch", "--format=%ct", commit.as_str()]);
    run("pack", show).await.ok()?.trim().parse().ok()
}

/// The paths that git tracks in a checked-out folder; `None` where that is no git repository.
pub(super) async fn tracked(folder: &Path) -> Option<BTreeSet<PathBuf>> {
    let mut list = git_in(folder);
    list.args(["ls-files", "-z"]);
    let said = run("pack", list).await.ok()?;
    let paths = said.split('\0').filter(|path| !path.is_empty());
    Some(paths.map(PathBuf::from).collect())
}

/// git in a checked-out folder, and in none above it.
fn git_in(folder: &Path) -> Command {
    let mut git = git(None);
    if let Some(above) = folder.parent() {
        git.env("GIT_CEILING_DIRECTORIES", above);
    }
    git.args(["-c", "core.fsmonitor=false", "-C"]).arg(folder);
    git
}

async fn has(mirror: &Path, commit: &CommitSha) -> bool {
    let mut cat = git(Some(mirror));
    cat.args(["cat-file", "-e"])
        .arg(format!("{commit}^{{commit}}"));
    run("fetch", cat).await.is_ok()
}

/// git without the user's configuration, hooks or prompts.
fn git(mirror: Option<&Path>) -> Command {
    let mut git = Command::new("git");
    git.env_clear().env("PATH", super::steps::PATH);
    git.env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0");
    git.env("LC_ALL", "C")
        .env("GIT_ALLOW_PROTOCOL", "https:ssh:file");
    // Paths in a repository are another party's; so is who owns the folder that it lies in.
    git.args([
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "safe.directory=*",
        "-c",
        "core.symlinks=true",
    ]);
    if let Some(mirror) = mirror {
        git.arg("--git-dir").arg(mirror);
    }
    git.stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    git
}

/// Hands the token over by the environment: argv can be read by every user of the machine.
fn with_authorization(git: &mut Command, origin: &Origin) {
    if let Some(authorization) = &origin.authorization {
        git.env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "http.extraHeader");
        git.env(
            "GIT_CONFIG_VALUE_0",
            format!("Authorization: {authorization}"),
        );
    }
}

async fn run(step: &str, mut git: Command) -> Result<String, Failure> {
    let output = git.output().await.map_err(|error| Failure {
        hint: Some("Install it: `apt-get install git`.".to_owned()),
        ..failure(step, format!("cannot run git: {error}"))
    })?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = stderr
        .lines()
        .filter(|line| !line.trim().is_empty())
        .collect::<Vec<_>>()
        .join(" / ");
    Err(failure(
        step,
        format!("git: {}", said.chars().take(500).collect::<String>()),
    ))
}

//! Where an artifact comes from: a clean checkout of one commit, built and packed on this machine, or a folder that
//! somebody else has built.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::{Artifact, CommitSha, Event, Failure};

mod git;
mod list;
mod pack;
mod sandbox;
mod steps;
mod workspace;

pub(crate) use list::migrations;

/// A repository that can be fetched, and the folders this machine keeps for it.
#[derive(Clone)]
pub struct Origin {
    /// What git fetches from: an https or ssh URL or a path.
    pub url: String,
    /// The value of the `Authorization` header for an https URL. Handed to git by its environment, never by argv.
    pub authorization: Option<String>,
    /// A folder of this app's own: the mirror, the build cache and the builds live below it. Made when absent.
    pub work_dir: PathBuf,
    /// Folders that build steps must not see even where the sandbox would show them (keys, the service's data).
    pub hidden: Vec<PathBuf>,
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Origin")
            .field("url", &self.url)
            .field("work_dir", &self.work_dir)
            .finish_non_exhaustive()
    }
}

/// Fetching from a forge ends after this long.
const FETCH_LIMIT: Duration = Duration::from_mins(10);

/// Fetches `commit`, runs the build steps in a clean checkout of it and packs the result.
///
/// Steps run in a cleared environment with limits on time, output and disk. The artifact lies below `work_dir`; the
/// caller removes it when the deployment is over.
pub async fn build(
    config: &Config,
    commit: &CommitSha,
    origin: &Origin,
    events: &UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> Result<Artifact, Failure> {
    let builds = origin.work_dir.join("builds");
    make_dir(&builds).await?;
    let folder = tempfile::Builder::new()
        .prefix(&format!("{}-", commit.short()))
        .tempdir_in(&builds)
        .map_err(|error| {
            failure(
                "build",
                format!("cannot make a folder in {}: {error}", builds.display()),
            )
        })?;
    let work = async {
        let tree = folder.path().join("tree");
        let told = Told { events };
        let mirror = told
            .step("fetch", git::mirror(origin, commit.as_str()))
            .await?;
        told.step("checkout", git::checkout(&mirror, commit, &tree))
            .await?;
        if let Ok(subject) = git::subject(&mirror, commit).await {
            let commit = commit.clone();
            drop(events.send(Event::Fetched { commit, subject }));
        }
        steps::run(&config.build, origin, commit, &tree, told).await?;
        // Packed inside the folder, so that a build that is called off takes it away with the rest.
        let file = folder.path().join("artifact.tar.gz");
        let made_at = git::time(&mirror, commit).await?;
        let exclude = config.build.exclude.clone();
        let packing = pack::pack(tree, file, exclude, commit.clone(), made_at);
        let artifact = told.step("pack", packing).await?;
        let name = folder.path().file_name().unwrap_or_default().display();
        put(artifact, builds.join(format!("{name}.tar.gz"))).await
    };
    let limit = config.build.timeout;
    let ended = tokio::select! {
        ended = work => ended,
        () = cancel.cancelled() => Err(failure("build", "called off".to_owned())),
        () = tokio::time::sleep(limit) => Err(Failure {
            hint: Some("Raise `build.timeout` if this is how long it takes.".to_owned()),
            ..failure("build", format!("not done after {} s", limit.as_secs()))
        }),
    };
    remove(folder.path()).await;
    ended
}

/// The commit that a branch, tag or commit name leads to in `origin`, fetched first.
pub async fn resolve(name: &str, origin: &Origin) -> Result<CommitSha, Failure> {
    let mirror = git::mirror(origin, name).await?;
    git::resolve(&mirror, name).await
}

/// Where a commit stands on a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Position {
    /// It is the branch's newest commit.
    Head,
    /// The branch has newer commits on top of it.
    Behind {
        /// The newest one.
        head: CommitSha,
    },
    /// It is not on the branch, or no longer, or there is no such branch.
    Elsewhere,
}

/// Where `commit` stands on `branch` in `origin` at this moment; always fetches first.
pub async fn position(
    commit: &CommitSha,
    branch: &str,
    origin: &Origin,
) -> Result<Position, Failure> {
    let mirror = git::fetch(origin).await?;
    git::position(&mirror, commit, branch).await
}

/// Packs a folder that is built already, such as the workspace of a CI job, into a fresh file in the folder `to`.
///
/// `build.exclude` is left out, and whatever a release must not bring: `.git`, the shared files (a `.env` of the job is
/// none of a server's), and in shared folders everything that git does not track. A symbolic link that leads out of
/// `folder` is refused, for there is nothing behind it on a host. `to` must lie outside `folder`; the caller removes the
/// artifact when the deployment is over.
pub async fn pack_workspace(
    config: &Config,
    commit: &CommitSha,
    folder: &Path,
    to: &Path,
    events: &UnboundedSender<Event>,
) -> Result<Artifact, Failure> {
    let told = Told { events };
    let pack = workspace::pack(config, commit, folder, to, told);
    told.step("pack", pack).await
}

/// The commit that is checked out in a folder; `None` where that is no git repository.
pub async fn workspace_commit(folder: &Path) -> Option<CommitSha> {
    git::head(folder).await
}

/// Removes what builds left behind when their process was killed. Call it before the first build below `work_dir`.
pub async fn sweep(work_dir: &Path) {
    remove(&work_dir.join("builds")).await;
}

/// Tells the door about steps on this machine.
#[derive(Clone, Copy)]
struct Told<'a> {
    events: &'a UnboundedSender<Event>,
}

impl Told<'_> {
    async fn step<T>(
        self,
        step: &str,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let began = tokio::time::Instant::now();
        drop(self.events.send(Event::StepBegan {
            host: None,
            step: step.to_owned(),
        }));
        let ended = work.await;
        let took_ms = began.elapsed().as_millis().try_into().unwrap_or(u64::MAX);
        let status = i32::from(ended.is_err());
        drop(self.events.send(Event::StepEnded {
            host: None,
            step: step.to_owned(),
            status,
            took_ms,
        }));
        ended
    }
}

/// Moves an artifact to where it stays until the deployment is over.
async fn put(artifact: Artifact, to: PathBuf) -> Result<Artifact, Failure> {
    let moved = tokio::fs::rename(&artifact.file, &to).await;
    moved.map_err(|error| failure("pack", format!("cannot make {}: {error}", to.display())))?;
    Ok(Artifact {
        file: to,
        ..artifact
    })
}

async fn make_dir(path: &Path) -> Result<(), Failure> {
    let made = tokio::fs::create_dir_all(path).await;
    made.map_err(|error| failure("build", format!("cannot make {}: {error}", path.display())))
}

/// Removes a build, also where its steps left folders without write permission.
async fn remove(path: &Path) {
    if tokio::fs::remove_dir_all(path).await.is_err() {
        let mut chmod = tokio::process::Command::new("chmod");
        drop(chmod.args(["-R", "u+rwX", "--"]).arg(path).status().await);
        drop(tokio::fs::remove_dir_all(path).await);
    }
}

fn failure(step: &str, message: String) -> Failure {
    Failure {
        host: None,
        step: step.to_owned(),
        message,
        hint: None,
    }
}

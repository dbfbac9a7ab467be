//! A real git repository with a bare origin, both in a folder that goes away with it.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use cutover_deploy::CommitSha;
use tempfile::TempDir;
use tokio::process::Command;

use crate::app::Built;
use crate::command;
use crate::composer::ComposerRepo;
use crate::debian::Debian;

/// A git repository: a checkout in which commits are made, and the bare origin that they are pushed to.
///
/// Its clock begins at 2026-01-01 and goes a minute on with every commit, so the same history has the same commits.
#[derive(Debug)]
pub struct Repo {
    folder: TempDir,
    commits: AtomicU32,
}

impl Repo {
    /// An empty repository on the branch `main`.
    pub async fn empty() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("kit-repo-")
            .tempdir()
            .expect("a temporary folder can be made");
        let repo = Self {
            folder,
            commits: AtomicU32::new(0),
        };
        let (work, origin) = (
            repo.folder.path().join("work"),
            repo.folder.path().join("origin.git"),
        );
        command::succeed(
            git()
                .args(["init", "-q", "--bare", "-b", "main"])
                .arg(&origin),
        )
        .await;
        command::succeed(git().args(["init", "-q", "-b", "main"]).arg(&work)).await;
        repo.git(&["remote", "add", "origin", &origin.to_string_lossy()])
            .await;
        // A server such as GitHub hands out any commit by its id.
        let allow = ["config", "uploadpack.allowAnySHA1InWant", "true"];
        command::succeed(git().args(allow).current_dir(&origin)).await;
        repo
    }

    /// A repository with these files in its first commit, pushed.
    pub async fn with<P: AsRef<Path>, C: AsRef<[u8]>>(
        files: impl IntoIterator<Item = (P, C)>,
    ) -> Self {
        let repo = Self::empty().await;
        repo.commit("first", files).await;
        repo.push("main").await;
        repo
    }

    /// A repository with the sample app, whose lock points to `composer`, in its first commit, pushed.
    pub async fn sample_app(composer: &ComposerRepo) -> Self {
        let repo = Self::empty().await;
        let built = Built::ready(Debian::default()).await;
        built.check_out(composer, &repo.work()).await;
        repo.commit::<&str, &str>("the shop", []).await;
        repo.push("main").await;
        repo
    }

    /// A repository with the sample app as its build leaves it on a Debian, `vendor` included: nothing is to be built.
    pub async fn built_app(debian: Debian) -> Self {
        let repo = Self::empty().await;
        let built = Built::ready(debian).await.release();
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(built.join(".")).arg(repo.work());
        command::succeed(&mut copy).await;
        repo.git(&["add", "--all", "--force"]).await;
        repo.commit::<&str, &str>("the shop", []).await;
        repo.push("main").await;
        repo
    }

    /// The address of the origin, for `git clone`.
    pub fn url(&self) -> String {
        format!("file://{}", self.folder.path().join("origin.git").display())
    }

    /// The checkout, to look at or to change by hand; `commit` takes whatever changed.
    pub fn work(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Writes the files, commits everything that changed, even if nothing did, and returns the commit.
    pub async fn commit<P: AsRef<Path>, C: AsRef<[u8]>>(
        &self,
        message: &str,
        files: impl IntoIterator<Item = (P, C)>,
    ) -> CommitSha {
        for (path, content) in files {
            let file = self.work().join(path);
            fs::create_dir_all(file.parent().expect("it is below the checkout"))
                .expect("the checkout can be written");
            fs::write(file, content).expect("the checkout can be written");
        }
        self.git(&["add", "--all"]).await;
        let number = self.commits.fetch_add(1, Ordering::Relaxed);
        let date = format!("2026-01-01T{:02}:{:02}:00Z", number / 60 % 24, number % 60);
        let mut commit = git();
        commit
            .args(["commit", "-q", "--allow-empty", "-m", message])
            .current_dir(self.work());
        command::succeed(
            commit
                .env("GIT_AUTHOR_DATE", &date)
                .env("GIT_COMMITTER_DATE", &date),
        )
        .await;
        self.head().await
    }

    /// The commit that is checked out.
    pub async fn head(&self) -> CommitSha {
        let head = self.git(&["rev-parse", "HEAD"]).await;
        CommitSha::parse(head.trim()).expect("git prints full commits")
    }

    /// Pushes what is checked out to `branch` of the origin, over whatever is there.
    pub async fn push(&self, branch: &str) {
        self.git(&[
            "push",
            "-q",
            "--force",
            "origin",
            &format!("HEAD:refs/heads/{branch}"),
        ])
        .await;
    }

    /// Checks out a new branch that begins here.
    pub async fn branch(&self, name: &str) {
        self.git(&["checkout", "-q", "-b", name]).await;
    }

    /// Checks out a branch or a commit that exists.
    pub async fn check_out(&self, name: &str) {
        self.git(&["checkout", "-q", name]).await;
    }

    /// Tags what is checked out, and pushes the tag.
    pub async fn tag(&self, name: &str) {
        self.git(&["tag", name]).await;
        self.git(&["push", "-q", "origin", &format!("refs/tags/{name}")])
            .await;
    }

    /// Deletes a branch of the origin.
    pub async fn delete(&self, branch: &str) {
        self.git(&["push", "-q", "origin", &format!(":refs/heads/{branch}")])
            .await;
    }

    /// Runs git in the checkout and returns what it prints. Panics if it fails.
    pub async fn git(&self, arguments: &[&str]) -> String {
        command::succeed(git().args(arguments).current_dir(self.work())).await
    }
}

/// Git as it is on a machine where nobody configured anything.
fn git() -> Command {
    let mut git = Command::new("git");
    git.env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1");
    for role in ["AUTHOR", "COMMITTER"] {
        git.env(format!("GIT_{role}_NAME"), "octocat")
            .env(format!("GIT_{role}_EMAIL"), "octocat@example.com");
    }
    git
}

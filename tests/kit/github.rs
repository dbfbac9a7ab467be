//! A GitHub of one's own: a world in memory behind HTTP on 127.0.0.1.
//!
//! Requests read and change that world, by GitHub's rules; a test reads it as pictures and sends hooks from it. What
//! GitHub's `OpenAPI` description or its rules would refuse is refused and remembered: [`GitHub::close`] fails the test
//! over it. The interface lies under `/api/v3`, as on GitHub Enterprise Server.

mod access;
mod answers;
mod comments;
mod contract;
mod delivery;
mod deployments;
mod examples;
mod hooks;
mod installations;
mod payload;
mod picture;
mod refs;
mod routes;
mod server;
mod statuses;
mod talk;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use crate::trouble::Trouble;
pub use access::{App, Level};
pub use comments::Comment;
pub use delivery::{Delivery, Reception};
pub use examples::{Published, published_examples};
pub use hooks::Change;
pub use world::{CommitStatus, Deployment, DeploymentStatus};

use world::World;

/// How long [`GitHub::until`] waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// The world and its door. Ends with its value; fails the test there when requests came that GitHub would refuse.
#[derive(Debug)]
pub struct GitHub {
    shared: Arc<Shared>,
    root: String,
    token: String,
    server: JoinHandle<()>,
}

#[derive(Debug)]
struct Shared {
    world: Mutex<World>,
    changes: watch::Sender<u64>,
    down: Arc<AtomicBool>,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }
}

impl GitHub {
    /// Starts an empty world on a free port of 127.0.0.1, with one token that may do all that cutover needs.
    ///
    /// Panics when GitHub's description was not brought by `tests/fetch-contracts.sh`.
    pub async fn start() -> Self {
        contract::Contract::github();
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port of 127.0.0.1 is free");
        let root = format!(
            "http://{}",
            listener
                .local_addr()
                .expect("a bound listener has an address")
        );
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(root.clone())),
            changes: watch::Sender::new(0),
            down: Arc::default(),
        });
        let server = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        let mut github = Self {
            shared,
            root,
            token: String::new(),
            server,
        };
        github.token = github.token_with(&[
            ("contents", Level::Read),
            ("metadata", Level::Read),
            ("statuses", Level::Write),
            ("deployments", Level::Write),
            ("pull_requests", Level::Write),
        ]);
        github
    }

    /// The product's setting for where GitHub's interface is: `http://127.0.0.1:<port>/api/v3`.
    pub fn base_url(&self) -> String {
        format!("{}/api/v3", self.root)
    }

    /// A personal access token with `statuses`, `deployments` and `pull_requests` to write and `contents` to read, for all repositories.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Makes another personal access token, with only these permissions.
    pub fn token_with(&self, permissions: &[(&str, Level)]) -> String {
        let token = format!("github_pat_{}", uuid::Uuid::new_v4().simple());
        let permissions = permissions
            .iter()
            .map(|(name, level)| ((*name).to_owned(), *level))
            .collect();
        self.world()
            .access
            .add_token(&token, "deployer", permissions);
        token
    }

    /// Takes a token back: from now on it is answered 401, which counts as unexpected.
    pub fn revoke(&self, token: &str) {
        self.world().access.revoke(token);
    }

    /// Makes a GitHub App with its key, installed for all repositories with the permissions that cutover needs.
    pub fn app(&self, id: u64) -> App {
        let app = App {
            id,
            installation: id + 1000,
            slug: "cutover".to_owned(),
            permissions: BTreeMap::from([
                ("contents".to_owned(), Level::Read),
                ("metadata".to_owned(), Level::Read),
                ("statuses".to_owned(), Level::Write),
                ("deployments".to_owned(), Level::Write),
                ("pull_requests".to_owned(), Level::Write),
            ]),
            repositories: None,
            created: Timestamp::now(),
        };
        self.world().access.app = Some(app.clone());
        app
    }

    /// Narrows the App's installation to these repositories.
    pub fn install_only_for(&self, repositories: &[&str]) {
        let app = &mut self.world().access.app;
        let app = app.as_mut().expect("app() makes the App first");
        app.repositories = Some(repositories.iter().map(|&name| name.to_owned()).collect());
    }

    /// Ends all installation tokens given out so far, as an hour would: whoever uses one gets 401 and may ask anew.
    pub fn expire_tokens(&self) {
        self.world().access.expire_tokens();
    }

    /// Adds a repository `owner/name` with the default branch `main` and no commit. Its pushes name this clone URL.
    pub fn add_repo(&self, name: &str, clone_url: &str) {
        self.world().add_repository(name, clone_url);
    }

    /// Moves a branch to a commit without any hook: a push whose delivery never came.
    pub fn commit(&self, repository: &str, branch: &str, sha: &str) {
        let mut world = self.world();
        let repository = world.repository(repository);
        let head = repository
            .branches
            .get(branch)
            .or_else(|| repository.branches.get(&repository.default_branch))
            .cloned();
        repository.know(sha, "Change something", "alice", head.as_deref());
        repository
            .branches
            .insert(branch.to_owned(), sha.to_owned());
    }

    /// The commit that a branch is at.
    pub fn head(&self, repository: &str, branch: &str) -> Option<String> {
        self.world()
            .repository(repository)
            .branches
            .get(branch)
            .cloned()
    }

    /// The statuses of a commit in the order of their posting.
    pub fn statuses(&self, repository: &str, sha: &str) -> Vec<CommitStatus> {
        self.world()
            .repository(repository)
            .statuses_of(sha)
            .to_vec()
    }

    /// The deployments of a repository in the order of their making, each with its statuses in order.
    pub fn deployments(&self, repository: &str) -> Vec<Deployment> {
        self.world().repository(repository).deployments.clone()
    }

    /// Draws a repository for an inline snapshot: statuses and deployments in order, commits as `<commit 1>`, no ids
    /// and no times.
    pub fn picture(&self, repository: &str) -> String {
        picture::draw(self.world().repository(repository))
    }

    /// Every request so far as `METHOD path -> status`, in order of arrival.
    pub fn requests(&self) -> Vec<String> {
        self.world().requests.clone()
    }

    /// Requests so far that GitHub would refuse or that no product should send, with what was wrong.
    pub fn unexpected(&self) -> Vec<String> {
        self.world().unexpected.clone()
    }

    /// Takes those requests away, for a test that provokes them.
    pub fn take_unexpected(&self) -> Vec<String> {
        std::mem::take(&mut self.world().unexpected)
    }

    /// Waits until the world looks as told, at most 30 s, and looks after every request. Panics with the world.
    pub async fn until(&self, what: &str, looks: impl Fn(&Self) -> bool) {
        let mut changes = self.shared.changes.subscribe();
        let waiting = async {
            while !looks(self) {
                changes
                    .changed()
                    .await
                    .expect("the world outlives whoever waits for it");
            }
        };
        let met = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(
            met.is_ok(),
            "waited {PATIENCE:?} for {what}; GitHub has seen:\n{}",
            self.requests().join("\n")
        );
    }

    /// Goes off the net: connections end without an answer, also those that are open.
    pub fn go_down(&self) {
        self.shared.down.store(true, Ordering::SeqCst);
    }

    /// Is back, with all that it knew.
    pub fn come_back(&self) {
        self.shared.down.store(false, Ordering::SeqCst);
    }

    /// Gives the next requests this trouble.
    pub fn answer_next(&self, times: usize, trouble: Trouble) {
        self.answer_next_to("", times, trouble);
    }

    /// Gives the next requests whose path contains this text the trouble, and no others.
    pub fn answer_next_to(&self, path_part: &str, times: usize, trouble: Trouble) {
        self.world().troubles.add(path_part, times, trouble);
    }

    /// How many of the told troubles no request has met yet.
    pub fn troubles_left(&self) -> usize {
        self.world().troubles.unmet()
    }

    /// Forgets troubles that no request has met.
    pub fn end_troubles(&self) {
        self.world().troubles.clear();
    }

    /// Answers every request this much later. Zero ends it.
    pub fn slow(&self, delay: Duration) {
        self.world().troubles.delay = delay;
    }

    /// Ends the world. Panics when requests came that GitHub would refuse.
    pub fn close(self) {
        drop(self);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        self.server.abort();
        let unexpected = self.take_unexpected();
        if !std::thread::panicking() {
            assert!(
                unexpected.is_empty(),
                "GitHub got requests that it would refuse:\n{}",
                unexpected.join("\n")
            );
        }
    }
}

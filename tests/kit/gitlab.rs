//! A GitLab of one's own: a world in memory behind HTTP on 127.0.0.1.
//!
//! Requests read and change that world, by GitLab's rules; a test reads it as pictures and sends hooks from it. What the
//! real one would refuse is refused and remembered: [`GitLab::close`] fails the test over it. The interface lies under
//! `/api/v4`.

mod access;
mod answers;
mod changes;
mod delivery;
mod deployments;
mod hooks;
mod notes;
mod payload;
mod people;
mod picture;
mod published;
mod routes;
mod server;
mod statuses;
mod talk;
mod world;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use crate::trouble::Trouble;
pub use access::Role;
pub use delivery::Delivery;
pub use notes::Note;
pub use published::{published_hook, wire_form};
pub use world::{CommitStatus, Deployment, Environment};

use access::Token;
use world::World;

/// How long [`GitLab::until`] waits.
const PATIENCE: Duration = Duration::from_secs(30);

/// The world and its door. Ends with its value; fails the test there when requests came that GitLab would refuse.
#[derive(Debug)]
pub struct GitLab {
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

impl GitLab {
    /// Starts an empty world on a free port of 127.0.0.1, with one token that may do all that cutover needs.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port of 127.0.0.1 is free");
        let address = listener
            .local_addr()
            .expect("a bound listener has an address");
        let root = format!("http://{address}");
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new(root.clone())),
            changes: watch::Sender::new(0),
            down: Arc::default(),
        });
        let server = tokio::spawn(server::serve(listener, Arc::clone(&shared)));
        let mut gitlab = Self {
            shared,
            root,
            token: String::new(),
            server,
        };
        gitlab.token = gitlab.token_with(&["api"], Role::Developer);
        gitlab
    }

    /// The product's setting for where GitLab's interface is: `http://127.0.0.1:<port>/api/v4`.
    pub fn base_url(&self) -> String {
        format!("{}/api/v4", self.root)
    }

    /// An access token with the scope `api` and the role Developer in every project.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Makes another access token with these scopes and this role.
    pub fn token_with(&self, scopes: &[&str], role: Role) -> String {
        let name = format!("glpat-{}", uuid::Uuid::new_v4().simple());
        let token = Token {
            user: "deployer".to_owned(),
            scopes: scopes.iter().map(|&scope| scope.to_owned()).collect(),
            role,
        };
        self.world().tokens.insert(name.clone(), token);
        name
    }

    /// Takes a token back: from now on it is answered 401, which counts as unexpected.
    pub fn revoke(&self, token: &str) {
        self.world().tokens.remove(token);
    }

    /// Adds a project `group/…/name` with the default branch `main` and no commit. Its pushes name this clone URL.
    pub fn add_project(&self, path: &str, clone_url: &str) {
        self.world().add_project(path, clone_url);
    }

    /// Moves a branch to a commit without any hook: a push whose delivery never came.
    pub fn commit(&self, project: &str, branch: &str, sha: &str) {
        self.world().project(project).advance(branch, sha);
    }

    /// The commit that a branch is at.
    pub fn head(&self, project: &str, branch: &str) -> Option<String> {
        self.world().project(project).branches.get(branch).cloned()
    }

    /// The statuses of a commit in the order of their making, each with the states that it had.
    pub fn statuses(&self, project: &str, sha: &str) -> Vec<CommitStatus> {
        let mut world = self.world();
        let of_commit = |status: &&CommitStatus| status.sha == sha;
        let statuses = &world.project(project).statuses;
        statuses.iter().filter(of_commit).cloned().collect()
    }

    /// The deployments of a project in the order of their making, each with the states that it had.
    pub fn deployments(&self, project: &str) -> Vec<Deployment> {
        self.world().project(project).deployments.clone()
    }

    /// The environments of a project in the order of their making.
    pub fn environments(&self, project: &str) -> Vec<Environment> {
        self.world().project(project).environments.clone()
    }

    /// Draws a project for an inline snapshot: statuses, environments and deployments in order, commits as
    /// `<commit 1>`, no ids and no times.
    pub fn picture(&self, project: &str) -> String {
        picture::draw(self.world().project(project))
    }

    /// Every request so far as `METHOD path -> status`, in order of arrival.
    pub fn requests(&self) -> Vec<String> {
        self.world().requests.clone()
    }

    /// The body of every request that had one, as `METHOD path body`, in order of arrival.
    pub fn bodies(&self) -> Vec<String> {
        self.world().bodies.clone()
    }

    /// Requests so far that GitLab would refuse or that no product should send, with what was wrong.
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
                let changed = changes.changed().await;
                changed.expect("the world outlives whoever waits for it");
            }
        };
        let met = tokio::time::timeout(PATIENCE, waiting).await;
        assert!(
            met.is_ok(),
            "waited {PATIENCE:?} for {what}; GitLab has seen:\n{}",
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

    /// Gives the next requests this trouble. `Fails(409)` is the answer to two updates of one commit at once.
    pub fn answer_next(&self, times: usize, trouble: Trouble) {
        self.answer_next_to("", times, trouble);
    }

    /// Gives the next requests whose path, decoded, contains this text the trouble, and no others.
    pub fn answer_next_to(&self, path_part: &str, times: usize, trouble: Trouble) {
        self.world().troubles.add(path_part, times, trouble);
    }

    /// How many of the told troubles no request has met yet.
    pub fn troubles_left(&self) -> usize {
        self.world().troubles.unmet()
    }

    /// Answers every request this much later. Zero ends it.
    pub fn slow(&self, delay: Duration) {
        self.world().troubles.delay = delay;
    }

    /// Ends the world. Panics when requests came that GitLab would refuse.
    pub fn close(self) {
        drop(self);
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world()
    }
}

impl Drop for GitLab {
    fn drop(&mut self) {
        self.server.abort();
        let unexpected = self.take_unexpected();
        if !std::thread::panicking() {
            assert!(
                unexpected.is_empty(),
                "GitLab got requests that it would refuse:\n{}",
                unexpected.join("\n")
            );
        }
    }
}

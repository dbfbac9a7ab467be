//! What happens in the world and is told to a webhook: pushes, pings and other events.

use serde_json::{Value, json};

use super::GitHub;
use super::delivery::{Delivery, Target};
use super::payload::{self, Push};
use super::world::World;

/// One commit that is pushed.
#[derive(Debug, Clone)]
pub struct Change {
    pub(super) sha: String,
    pub(super) message: String,
    pub(super) author: String,
    pub(super) added: Vec<String>,
    pub(super) modified: Vec<String>,
    pub(super) removed: Vec<String>,
    pub(super) forced: bool,
}

impl Change {
    /// A commit of forty hex digits by `alice` that modifies `README.md`.
    pub fn new(sha: &str) -> Self {
        Self {
            sha: sha.to_owned(),
            message: "Change something".to_owned(),
            author: "alice".to_owned(),
            added: Vec::new(),
            modified: vec!["README.md".to_owned()],
            removed: Vec::new(),
            forced: false,
        }
    }

    #[must_use]
    pub fn message(mut self, message: &str) -> Self {
        message.clone_into(&mut self.message);
        self
    }

    /// Sets who wrote and pushed it.
    #[must_use]
    pub fn by(mut self, login: &str) -> Self {
        login.clone_into(&mut self.author);
        self
    }

    /// Sets the paths that it added, modified and removed.
    #[must_use]
    pub fn files(mut self, added: &[&str], modified: &[&str], removed: &[&str]) -> Self {
        let owned = |paths: &[&str]| paths.iter().map(|&path| path.to_owned()).collect();
        (self.added, self.modified, self.removed) = (owned(added), owned(modified), owned(removed));
        self
    }

    /// Pushes with force: the old head is no ancestor.
    #[must_use]
    pub fn forced(mut self) -> Self {
        self.forced = true;
        self
    }
}

impl GitHub {
    /// The secret that hooks are signed with. Made up anew for every world.
    pub fn hook_secret(&self) -> String {
        self.world().hook_secret.clone()
    }

    /// Signs from now on with this secret.
    pub fn set_hook_secret(&self, secret: &str) {
        secret.clone_into(&mut self.world().hook_secret);
    }

    /// Pushes a commit to a branch and returns the hook's delivery, not yet sent.
    pub fn push(&self, repository: &str, branch: &str, sha: &str) -> Delivery {
        self.push_changes(repository, branch, &[Change::new(sha)])
    }

    /// Pushes commits, oldest first, to a branch.
    pub fn push_changes(&self, repository: &str, branch: &str, changes: &[Change]) -> Delivery {
        let mut world = self.world();
        let place = world.repository(repository);
        let before = place.branches.get(branch).cloned();
        let mut parent = before
            .clone()
            .or_else(|| place.branches.get(&place.default_branch).cloned());
        let forced = changes.iter().any(|change| change.forced);
        if forced {
            parent = None;
        }
        for change in changes {
            place.know(
                &change.sha,
                &change.message,
                &change.author,
                parent.as_deref(),
            );
            parent = Some(change.sha.clone());
        }
        let after = changes.last().expect("a push has a commit").sha.clone();
        place.branches.insert(branch.to_owned(), after.clone());
        let push = Push {
            reference: format!("refs/heads/{branch}"),
            before,
            after: Some(after),
            forced,
            changes,
        };
        delivery(
            &world,
            repository,
            "push",
            &payload::push(&world, repository, &push),
        )
    }

    /// Pushes a tag on a commit.
    pub fn push_tag(&self, repository: &str, tag: &str, sha: &str) -> Delivery {
        let mut world = self.world();
        let place = world.repository(repository);
        place.know(sha, "Change something", "alice", None);
        let before = place.tags.insert(tag.to_owned(), sha.to_owned());
        let changes = [Change::new(sha)];
        let after = Some(sha.to_owned());
        let push = Push {
            reference: format!("refs/tags/{tag}"),
            before,
            after,
            forced: false,
            changes: &changes,
        };
        delivery(
            &world,
            repository,
            "push",
            &payload::push(&world, repository, &push),
        )
    }

    /// Deletes a branch, which GitHub tells as a push whose `after` is zeros.
    pub fn delete_branch(&self, repository: &str, branch: &str) -> Delivery {
        let mut world = self.world();
        let before = world.repository(repository).branches.remove(branch);
        assert!(
            before.is_some(),
            "{repository} has no branch {branch} to delete"
        );
        let push = Push {
            reference: format!("refs/heads/{branch}"),
            before,
            after: None,
            forced: false,
            changes: &[],
        };
        delivery(
            &world,
            repository,
            "push",
            &payload::push(&world, repository, &push),
        )
    }

    /// Deletes a tag.
    pub fn delete_tag(&self, repository: &str, tag: &str) -> Delivery {
        let mut world = self.world();
        let before = world.repository(repository).tags.remove(tag);
        assert!(before.is_some(), "{repository} has no tag {tag} to delete");
        let push = Push {
            reference: format!("refs/tags/{tag}"),
            before,
            after: None,
            forced: false,
            changes: &[],
        };
        delivery(
            &world,
            repository,
            "push",
            &payload::push(&world, repository, &push),
        )
    }

    /// The `ping` that GitHub sends when a hook is made.
    pub fn ping(&self, repository: &str) -> Delivery {
        let world = self.world();
        delivery(
            &world,
            repository,
            "ping",
            &payload::ping(&world, repository),
        )
    }

    /// An issue opened: an event that no deployment follows from.
    pub fn issue_opened(&self, repository: &str, title: &str) -> Delivery {
        let world = self.world();
        delivery(
            &world,
            repository,
            "issues",
            &payload::issue_opened(&world, repository, title),
        )
    }

    /// Any event with any body, signed: for published examples and for what GitHub may send one day.
    pub fn event(&self, repository: &str, event: &str, body: &Value) -> Delivery {
        delivery(&self.world(), repository, event, body)
    }

    /// A push that is signed and well formed, but has at least this many bytes. Does not move the branch.
    pub fn oversized_push(
        &self,
        repository: &str,
        branch: &str,
        sha: &str,
        bytes: usize,
    ) -> Delivery {
        let world = self.world();
        let changes = [Change::new(sha).message(&"long ".repeat(bytes / 10 + 1))];
        let after = Some(sha.to_owned());
        let push = Push {
            reference: format!("refs/heads/{branch}"),
            before: None,
            after,
            forced: false,
            changes: &changes,
        };
        delivery(
            &world,
            repository,
            "push",
            &payload::push(&world, repository, &push),
        )
    }
}

pub(super) fn delivery(world: &World, repository: &str, event: &str, body: &Value) -> Delivery {
    let target = match &world.access.app {
        Some(app) => Target {
            kind: "integration",
            id: app.id,
        },
        None => Target {
            kind: "repository",
            id: world
                .repositories
                .get(repository)
                .map_or(0, |place| place.id),
        },
    };
    let mut body = body.clone();
    if let Some(app) = world
        .access
        .app
        .as_ref()
        .filter(|app| app.installed_for(repository))
    {
        let node_id = super::answers::node_id("IntegrationInstallation", app.installation);
        body["installation"] = json!({ "id": app.installation, "node_id": node_id });
    }
    Delivery::signed(
        event,
        &target,
        body.to_string().into_bytes(),
        &world.hook_secret,
    )
}

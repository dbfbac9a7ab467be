//! What people say in this world, and the hooks that tell of it.

use serde_json::{Value, json};

use super::GitHub;
use super::answers;
use super::comments::{self, Comment, On, Pull};
use super::delivery::Delivery;
use super::examples::published_examples;
use super::hooks::delivery;
use super::world::World;
use crate::talk;

impl GitHub {
    /// Gives somebody a role in a repository: `admin`, `maintain`, `write`, `triage`, `read`, `none`. Who has none given
    /// may do nothing.
    pub fn set_role(&self, repository: &str, login: &str, role: &str) {
        let mut world = self.world();
        let roles = &mut world.repository(repository).roles;
        roles.insert(login.to_owned(), role.to_owned());
    }

    /// Opens a pull request for a branch that is at this commit.
    pub fn open_pull(&self, repository: &str, number: u64, branch: &str, sha: &str) {
        self.pull(repository, number, branch, sha, false);
    }

    /// Opens a pull request whose commits come from somebody else's repository.
    pub fn open_pull_of_fork(&self, repository: &str, number: u64, sha: &str) {
        self.pull(repository, number, "patch-1", sha, true);
    }

    fn pull(&self, repository: &str, number: u64, branch: &str, sha: &str, fork: bool) {
        let mut world = self.world();
        let place = world.repository(repository);
        place.know(sha, "Change something", "alice", None);
        if !fork {
            place.branches.insert(branch.to_owned(), sha.to_owned());
        }
        let pull = Pull {
            head: sha.to_owned(),
            branch: branch.to_owned(),
            fork,
            open: true,
        };
        place.pulls.insert(number, pull);
    }

    /// Closes a pull request.
    pub fn close_pull(&self, repository: &str, number: u64) {
        let mut world = self.world();
        let pull = world.repository(repository).pulls.get_mut(&number);
        pull.expect("the test has opened it").open = false;
    }

    /// Somebody writes into the conversation of a pull request.
    pub fn comment(&self, repository: &str, pull: u64, login: &str, text: &str) -> Delivery {
        self.say(
            repository,
            "issue_comment",
            login,
            text,
            On::Conversation(pull),
        )
    }

    /// Somebody remarks on a line of a pull request.
    pub fn review_comment(&self, repository: &str, pull: u64, login: &str, text: &str) -> Delivery {
        let event = "pull_request_review_comment";
        self.say(repository, event, login, text, On::Review(pull))
    }

    /// Somebody writes on a commit.
    pub fn commit_comment(&self, repository: &str, sha: &str, login: &str, text: &str) -> Delivery {
        self.say(
            repository,
            "commit_comment",
            login,
            text,
            On::Commit(sha.to_owned()),
        )
    }

    fn say(&self, repository: &str, event: &str, login: &str, text: &str, on: On) -> Delivery {
        let mut world = self.world();
        let id = comments::write(&mut world, repository, login, text, on);
        let body = payload(&world, repository, event, id);
        delivery(&world, repository, event, &body)
    }

    /// Every comment of a repository, the oldest first.
    pub fn comments(&self, repository: &str) -> Vec<Comment> {
        self.world().repository(repository).comments.clone()
    }

    /// Draws what was said, for an inline snapshot: who, with reactions, and the text below it.
    pub fn talk(&self, repository: &str) -> String {
        let mut text = String::new();
        for comment in self.comments(repository) {
            talk::draw(
                &mut text,
                &comment.author,
                &comment.reactions,
                &comment.body,
            );
        }
        text
    }
}

/// The published example of such a hook, in which what happened here stands.
fn payload(world: &World, repository: &str, event: &str, id: u64) -> Value {
    let example = published_examples().find(|example| {
        let created = example.body["action"] == "created";
        example.set == "api.github.com" && example.event == event && created
    });
    let mut body = example.expect("GitHub publishes one").body;
    let comment = comments::shown(world, repository, id);
    let kept = world.repositories[repository]
        .comments
        .iter()
        .find(|comment| comment.id == id)
        .expect("it was just written");
    let author = answers::user(world, &kept.author);
    answers::merge(&mut body["comment"], comment);
    body["repository"] = answers::repository(world, repository);
    body["sender"] = author;
    let at = format!("{}/repos/{repository}", world.api());
    match &kept.on {
        On::Conversation(number) => {
            let url = format!("{at}/pulls/{number}");
            body["issue"]["number"] = json!(number);
            body["issue"]["pull_request"] =
                json!({ "url": url, "html_url": url, "diff_url": url, "patch_url": url });
        }
        On::Review(number) => body["pull_request"]["number"] = json!(number),
        On::Commit(_) => {}
    }
    body
}

//! What people say in this world, and the hooks that tell of it.

use super::GitLab;
use super::delivery::Delivery;
use super::hooks::told;
use super::notes::{Draft, Note, On, write};
use super::payload;
use crate::talk;

impl GitLab {
    /// Somebody writes a comment on a merge request. Lines that GitLab takes for quick actions are not in it.
    pub fn comment(&self, project: &str, iid: u64, username: &str, text: &str) -> Delivery {
        self.say(project, username, text, On::Change(iid), false)
    }

    /// Somebody begins a thread on a line of a merge request.
    pub fn remark(&self, project: &str, iid: u64, username: &str, text: &str) -> Delivery {
        self.say(project, username, text, On::Change(iid), true)
    }

    /// Somebody writes on a commit.
    pub fn commit_comment(&self, project: &str, sha: &str, username: &str, text: &str) -> Delivery {
        self.say(project, username, text, On::Commit(sha.to_owned()), false)
    }

    fn say(&self, project: &str, username: &str, text: &str, on: On, in_thread: bool) -> Delivery {
        let mut world = self.world();
        world.meet(username);
        let draft = Draft {
            author: username,
            body: text,
            on,
            discussion: None,
            in_thread,
        };
        let id = write(&mut world, project, draft);
        told(&world, "Note Hook", &payload::note(&world, project, id))
    }

    /// Every note of a project, the oldest first.
    pub fn notes(&self, project: &str) -> Vec<Note> {
        self.world().project(project).notes.clone()
    }

    /// Draws what was said, for an inline snapshot: who, with emoji, and the text below it.
    pub fn talk(&self, project: &str) -> String {
        let mut text = String::new();
        for note in self.notes(project) {
            talk::draw(&mut text, &note.author, &note.reactions, &note.body);
        }
        text
    }
}

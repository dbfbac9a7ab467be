//! Who is a member of a project, and who is nobody there.

use serde_json::json;

use super::GitLab;
use super::answers;
use super::routes::{Call, Reply, Verdict};
use super::world::World;

/// A member of a project, inherited or not.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) level: u8,
    pub(super) state: &'static str,
}

impl GitLab {
    /// Gives somebody an access level in a project: 10 is a guest, 20 a reporter, 30 a developer, 40 a maintainer. Who
    /// has none given is no member.
    pub fn set_level(&self, project: &str, username: &str, level: u8) {
        let mut world = self.world();
        world.meet(username);
        let member = Member {
            level,
            state: "active",
        };
        let members = &mut world.project(project).members;
        members.insert(username.to_owned(), member);
    }

    /// Takes somebody out of a project.
    pub fn remove_member(&self, project: &str, username: &str) {
        self.world().project(project).members.remove(username);
    }

    /// Blocks an account: its membership stays, and counts for nothing.
    pub fn block(&self, project: &str, username: &str) {
        let mut world = self.world();
        let member = world.project(project).members.get_mut(username);
        member.expect("the test has made the member").state = "blocked";
    }
}

/// `members/all/:user_id`: by number only.
pub(super) fn member(world: &mut World, call: &Call) -> Reply {
    let number: Option<u64> = call.parameter().parse().ok();
    let people = world.people.clone();
    let named = people
        .iter()
        .find(|name| Some(world.number_of(name)) == number);
    let found = named.and_then(|name| {
        let member = call.project(world).members.get(name)?.clone();
        Some((name, member))
    });
    let Some((name, member)) = found else {
        return Reply {
            verdict: Verdict::Fine,
            ..Reply::refused(404, "404 Not found")
        };
    };
    let mut body = answers::user(world, name);
    body["state"] = json!(member.state);
    body["access_level"] = json!(member.level);
    body["created_at"] = json!("2026-05-01T08:00:00.000Z");
    body["expires_at"] = json!(null);
    body["membership_state"] = json!("active");
    Reply::ok(body)
}

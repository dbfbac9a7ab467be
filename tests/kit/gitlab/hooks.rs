//! What happens in the world and is told to a webhook: pushes and tags.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::GitLab;
use super::delivery::Delivery;
use super::payload::{self, Push};
use super::world::World;

impl GitLab {
    /// The plain secret of the hook, `X-Gitlab-Token`. Made up anew for every world.
    ///
    /// Panics when the hook has none.
    pub fn hook_token(&self) -> String {
        let world = self.world();
        let token = world.hook.token.clone();
        token.expect("the hook has a token")
    }

    /// Gives the hook a signing secret, and returns it: `whsec_…`. Its token is sent all the same.
    pub fn sign_hooks(&self) -> String {
        let key: Vec<u8> = [uuid::Uuid::new_v4(), uuid::Uuid::new_v4()]
            .iter()
            .flat_map(|half| *half.as_bytes())
            .collect();
        let secret = format!("whsec_{}", STANDARD.encode(key));
        self.world().hook.signing_secret = Some(secret.clone());
        secret
    }

    /// Takes the plain token away from the hook.
    pub fn drop_hook_token(&self) {
        self.world().hook.token = None;
    }

    /// Pushes a commit to a branch and returns the hook's delivery, not yet sent.
    pub fn push(&self, project: &str, branch: &str, sha: &str) -> Delivery {
        let mut world = self.world();
        let place = world.project(project);
        let before = place.branches.get(branch).cloned();
        place.advance(branch, sha);
        let name = format!("refs/heads/{branch}");
        pushed(&world, project, name, before, Some(sha.to_owned()))
    }

    /// Deletes a branch, which GitLab tells as a push whose `after` is zeros and that has no `checkout_sha`.
    pub fn delete_branch(&self, project: &str, branch: &str) -> Delivery {
        let mut world = self.world();
        let before = world.project(project).branches.remove(branch);
        assert!(
            before.is_some(),
            "{project} has no branch {branch} to delete"
        );
        let name = format!("refs/heads/{branch}");
        pushed(&world, project, name, before, None)
    }

    /// Pushes a tag on a commit.
    pub fn push_tag(&self, project: &str, tag: &str, sha: &str) -> Delivery {
        let mut world = self.world();
        let place = world.project(project);
        place.know(sha, None);
        let before = place.tags.insert(tag.to_owned(), sha.to_owned());
        let name = format!("refs/tags/{tag}");
        pushed(&world, project, name, before, Some(sha.to_owned()))
    }
}

fn pushed(
    world: &World,
    project: &str,
    name: String,
    before: Option<String>,
    after: Option<String>,
) -> Delivery {
    let push = Push {
        name,
        before,
        after,
    };
    let event = if push.name.starts_with("refs/tags/") {
        "Tag Push Hook"
    } else {
        "Push Hook"
    };
    told(world, event, &payload::push(world, project, &push))
}

pub(super) fn told(world: &World, event: &str, body: &Value) -> Delivery {
    Delivery::new(
        event,
        body.to_string().into_bytes(),
        &world.hook,
        &world.root,
    )
}

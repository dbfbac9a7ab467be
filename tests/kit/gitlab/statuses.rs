//! Commit statuses, by GitLab's rules: one that runs is moved, one that has ended is followed by a new one.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers;
use super::routes::{Call, Reply};
use super::world::{CommitStatus, World};

const STATES: [&str; 6] = [
    "pending", "running", "success", "failed", "canceled", "skipped",
];
/// GitLab keeps no longer text in these fields, in characters.
const LONGEST: usize = 255;

pub(super) fn create(world: &mut World, call: &Call) -> Reply {
    let sha = call.parameter().to_owned();
    let state = call.text("state").unwrap_or_default();
    if !STATES.contains(&state.as_str()) {
        return Reply::malformed("state does not have a valid value");
    }
    let id = world.next_id();
    let project = call.project(world);
    if !project.commits.contains_key(&sha) {
        return Reply::refused(404, "404 Commit Not Found");
    }
    let asked = call
        .text("ref")
        .or_else(|| project.branch_with(&sha).map(str::to_owned));
    let Some(ref_name) = asked else {
        return Reply::refused(404, "404 References for commit Not Found");
    };
    for field in ["target_url", "description", "ref", "name", "context"] {
        if call
            .text(field)
            .is_some_and(|text| text.chars().count() > LONGEST)
        {
            return Reply::invalid(field, "is too long (maximum is 255 characters)");
        }
    }
    let url = call.text("target_url");
    if url.as_deref().is_some_and(|url| !of_web(url)) {
        return Reply::invalid(
            "target_url",
            "is blocked: Only allowed schemes are http, https",
        );
    }
    let name = call.text("name").or_else(|| call.text("context"));
    let name = name.unwrap_or_else(|| "default".to_owned());
    let open = project.statuses.iter().position(|status| {
        (&status.sha, &status.name, &status.ref_name) == (&sha, &name, &ref_name)
            && status.user == call.user
            && ["pending", "running"].contains(&status.state())
    });
    let from = open.map_or("created", |index| project.statuses[index].state());
    if let Some(event) = refused(from, &state) {
        let why = format!(
            "Cannot transition status via :{event} from :{from} (Reason(s): Status cannot transition via \"{event}\")"
        );
        return Reply::declined(400, &json!(why));
    }
    let index = open.unwrap_or_else(|| {
        project.statuses.push(CommitStatus {
            sha,
            name,
            ref_name,
            states: Vec::new(),
            target_url: None,
            id,
            user: call.user.clone(),
            at: Timestamp::now(),
        });
        project.statuses.len() - 1
    });
    let status = &mut project.statuses[index];
    let said = call
        .text("description")
        .or_else(|| status.description().map(str::to_owned));
    status.states.push((state, said));
    status.target_url = url.or_else(|| status.target_url.take());
    Reply::created(answer(&status.clone(), world))
}

pub(super) fn list(world: &mut World, call: &Call) -> Reply {
    let sha = call.parameter();
    let statuses: Vec<_> = call
        .project(world)
        .statuses
        .iter()
        .filter(|status| status.sha == sha)
        .cloned()
        .collect();
    call.page(
        statuses
            .iter()
            .map(|status| answer(status, world))
            .collect(),
    )
}

/// The event that cannot be, when a status in state `from` is told `to`.
fn refused(from: &str, to: &str) -> Option<&'static str> {
    let (event, allowed) = match to {
        "pending" => ("enqueue", from == "created"),
        "running" => ("run", from != "running"),
        "success" => ("success", true),
        "failed" => ("drop", true),
        "canceled" => ("cancel", true),
        _ => ("skip", from != "running"),
    };
    (!allowed).then_some(event)
}

pub(super) fn of_web(url: &str) -> bool {
    url.starts_with("http://") || url.starts_with("https://")
}

fn answer(status: &CommitStatus, world: &World) -> Value {
    let at = answers::time(status.at);
    json!({
        "id": status.id,
        "sha": status.sha,
        "ref": status.ref_name,
        "status": status.state(),
        "name": status.name,
        "target_url": status.target_url,
        "description": status.description(),
        "created_at": at,
        "started_at": null,
        "finished_at": null,
        "allow_failure": false,
        "coverage": null,
        "pipeline_id": 1,
        "author": answers::user(world, &status.user),
    })
}

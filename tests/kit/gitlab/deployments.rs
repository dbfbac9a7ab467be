//! Environments and deployments, by GitLab's rules.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers;
use super::routes::{Call, Reply, Verdict};
use super::statuses::of_web;
use super::world::{Deployment, Environment, Project, World};

const STATES: [&str; 4] = ["running", "success", "failed", "canceled"];

pub(super) fn list_environments(world: &mut World, call: &Call) -> Reply {
    let wanted = |environment: &&Environment| {
        let name = call.query.get("name");
        name.is_none_or(|name| *name == environment.name)
    };
    let all = call.project(world).environments.iter().filter(wanted);
    call.page(all.map(environment).collect())
}

pub(super) fn create_environment(world: &mut World, call: &Call) -> Reply {
    let name = call.text("name").unwrap_or_default();
    let id = world.next_id();
    let project = call.project(world);
    if project.environments.iter().any(|known| known.name == name) {
        return Reply::invalid("name", "has already been taken");
    }
    if let Some(refusal) = external_url(call) {
        return refusal;
    }
    project.environments.push(Environment {
        id,
        name,
        external_url: call.text("external_url"),
        at: Timestamp::now(),
    });
    Reply::created(environment(
        project.environments.last().expect("it was just pushed"),
    ))
}

pub(super) fn update_environment(world: &mut World, call: &Call) -> Reply {
    let project = call.project(world);
    let id = call.parameter();
    let found = project
        .environments
        .iter_mut()
        .find(|known| known.id.to_string() == id);
    let Some(found) = found else {
        return Reply::refused(404, "404 Environment Not Found");
    };
    if let Some(refusal) = external_url(call) {
        return refusal;
    }
    found.external_url = call
        .text("external_url")
        .or_else(|| found.external_url.take());
    Reply::ok(environment(found))
}

pub(super) fn list(world: &mut World, call: &Call) -> Reply {
    let asked = |name: &str| call.query.get(name).map(String::as_str);
    let project = call.project(world);
    let mut found: Vec<_> = project
        .deployments
        .iter()
        .filter(|made| asked("environment").is_none_or(|name| name == made.environment))
        .filter(|made| asked("status").is_none_or(|state| state == made.state()))
        .cloned()
        .collect();
    if asked("sort") == Some("desc") {
        found.reverse();
    }
    call.page(found.iter().map(|made| answer(world, call, made)).collect())
}

pub(super) fn create(world: &mut World, call: &Call) -> Reply {
    let (id, environment_id) = (world.next_id(), world.next_id());
    let project = call.project(world);
    let text = |field: &str| call.text(field).unwrap_or_default();
    let state = text("status");
    if !STATES.contains(&state.as_str()) {
        return Reply::malformed("status does not have a valid value");
    }
    let Some(tag) = call.body["tag"].as_bool() else {
        return Reply::malformed("tag is invalid");
    };
    let environment = text("environment");
    // Made even when the deployment itself is refused, as there.
    if !project
        .environments
        .iter()
        .any(|known| known.name == environment)
    {
        project.environments.push(Environment {
            id: environment_id,
            name: environment.clone(),
            external_url: None,
            at: Timestamp::now(),
        });
    }
    if !project.commits.contains_key(&text("sha")) {
        return Reply::invalid("sha", "The commit does not exist");
    }
    if !project.resolves(&text("ref")) {
        return Reply::invalid("ref", "The branch or tag does not exist");
    }
    let made = Deployment {
        id,
        sha: text("sha"),
        ref_name: text("ref"),
        tag,
        environment,
        states: vec![state],
        iid: project.deployments.len() as u64 + 1,
        user: call.user.clone(),
        at: Timestamp::now(),
    };
    project.deployments.push(made.clone());
    Reply::created(answer(world, call, &made))
}

pub(super) fn one(world: &mut World, call: &Call) -> Reply {
    match position(call.project(world), call.parameter()) {
        Some(index) => {
            let made = call.project(world).deployments[index].clone();
            Reply::ok(answer(world, call, &made))
        }
        None => Reply {
            verdict: Verdict::Fine,
            ..Reply::refused(404, "404 Not found")
        },
    }
}

pub(super) fn update(world: &mut World, call: &Call) -> Reply {
    let state = call.text("status").unwrap_or_default();
    if !STATES.contains(&state.as_str()) {
        return Reply::malformed("status does not have a valid value");
    }
    let project = call.project(world);
    let Some(index) = position(project, call.parameter()) else {
        return Reply::refused(404, "404 Not found");
    };
    let made = &mut project.deployments[index];
    // Nothing runs again, and nothing ends twice in the same way.
    let event = match state.as_str() {
        "running" => Some("run"),
        same if same == made.state() => Some(match same {
            "success" => "succeed",
            "failed" => "drop",
            _ => "cancel",
        }),
        _ => None,
    };
    if let Some(event) = event {
        let why = format!("cannot transition via \"{event}\"");
        return Reply::declined(400, &json!({ "status": [why] }));
    }
    made.states.push(state);
    let made = made.clone();
    Reply::ok(answer(world, call, &made))
}

fn position(project: &Project, id: &str) -> Option<usize> {
    project
        .deployments
        .iter()
        .position(|made| made.id.to_string() == id)
}

fn external_url(call: &Call) -> Option<Reply> {
    let url = call.text("external_url")?;
    if url.chars().count() > 255 {
        return Some(Reply::invalid(
            "external_url",
            "is too long (maximum is 255 characters)",
        ));
    }
    let why = "is blocked: Only allowed schemes are http, https";
    (!of_web(&url)).then(|| Reply::invalid("external_url", why))
}

fn environment(environment: &Environment) -> Value {
    let tier = if environment.name == "production" {
        "production"
    } else {
        "other"
    };
    json!({
        "id": environment.id,
        "name": environment.name,
        "slug": environment.name,
        "description": null,
        "external_url": environment.external_url,
        "state": "available",
        "tier": tier,
        "created_at": answers::time(environment.at),
        "updated_at": answers::time(environment.at),
    })
}

fn answer(world: &mut World, call: &Call, made: &Deployment) -> Value {
    let project = call.project(world);
    let place = project
        .environments
        .iter()
        .find(|known| known.name == made.environment);
    let place = place.map(environment);
    json!({
        "id": made.id,
        "iid": made.iid,
        "ref": made.ref_name,
        "sha": made.sha,
        "created_at": answers::time(made.at),
        "updated_at": answers::time(made.at),
        "status": made.state(),
        "user": answers::user(world, &made.user),
        "environment": place,
        "deployable": null,
    })
}

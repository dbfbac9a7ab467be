//! Deployments and their statuses, by GitHub's rules: it merges and checks contexts unless it is told not to.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::answers;
use super::routes::{Call, Reply};
use super::statuses;
use super::world::{Deployment, DeploymentStatus, Repository, World};

pub(super) fn create(world: &mut World, call: &Call) -> Reply {
    let id = world.next_id();
    let repository = call.repository(world);
    let ref_name = call.text("ref").unwrap_or_default();
    let Some(sha) = repository.resolve(&ref_name).map(str::to_owned) else {
        return Reply::refused(422, &format!("No ref found for: {ref_name}"));
    };
    let merged = call
        .flag("auto_merge")
        .unwrap_or(true)
        .then(|| merge(repository, &ref_name, &sha))
        .flatten();
    if let Some(reply) = merged.or_else(|| unproven(repository, call, &ref_name, &sha)) {
        return reply;
    }
    let environment = call
        .text("environment")
        .unwrap_or_else(|| "production".to_owned());
    let deployment = Deployment {
        id,
        sha,
        ref_name,
        task: call.text("task").unwrap_or_else(|| "deploy".to_owned()),
        description: call.text("description"),
        payload: Some(&call.body["payload"])
            .filter(|value| !value.is_null())
            .map_or_else(|| json!({}), Value::clone),
        transient: call.flag("transient_environment").unwrap_or(false),
        production: call
            .flag("production_environment")
            .unwrap_or(environment == "production"),
        environment,
        statuses: Vec::new(),
        creator: call.login().to_owned(),
        at: Timestamp::now(),
    };
    if let Some(refusal) =
        statuses::refusal("Deployment", "", None, deployment.description.as_deref())
    {
        return refusal;
    }
    repository.deployments.push(deployment.clone());
    let name = repository.full_name.clone();
    Reply::created(answer(world, &name, &deployment))
}

/// Merges the default branch into the ref that is behind it, which makes no deployment; a commit cannot be merged into.
fn merge(repository: &mut Repository, ref_name: &str, sha: &str) -> Option<Reply> {
    let default = repository.default_branch.clone();
    let head = repository.branches.get(&default)?.clone();
    if repository.contains(sha, &head) {
        return None;
    }
    if !repository.branches.contains_key(ref_name) {
        return Some(Reply::refused(
            409,
            &format!("Conflict merging {default} into {ref_name}."),
        ));
    }
    let merge = answers::invented_sha(&format!("merge {head} {sha}"));
    repository.know(
        &merge,
        &format!("Merge {default} into {ref_name}"),
        "web-flow",
        Some(sha),
    );
    repository
        .commits
        .entry(merge.clone())
        .and_modify(|commit| commit.parents.push(head));
    repository.branches.insert(ref_name.to_owned(), merge);
    let message = format!("Auto-merged {default} into {ref_name} on deployment.");
    Some(Reply {
        status: 202,
        body: json!({ "message": message }),
        ..Reply::refused(202, "")
    })
}

/// Refuses a commit whose required contexts are not green: all of them by default, none for an empty list.
fn unproven(repository: &Repository, call: &Call, ref_name: &str, sha: &str) -> Option<Reply> {
    let newest = repository.newest_statuses(sha);
    let required: Vec<&str> = match call.body["required_contexts"].as_array() {
        Some(named) => named.iter().filter_map(Value::as_str).collect(),
        None => newest.keys().copied().collect(),
    };
    let contexts: Vec<_> = required
        .into_iter()
        .map(|context| json!({ "context": context, "state": newest.get(context).map_or("pending", |status| &status.state) }))
        .filter(|context| context["state"] != "success")
        .collect();
    if contexts.is_empty() {
        return None;
    }
    let mut reply = Reply::refused(
        409,
        &format!("Conflict: Commit status checks failed for {ref_name}."),
    );
    reply.body["errors"] = json!([{ "contexts": contexts, "resource": "Deployment", "field": "required_contexts", "code": "invalid" }]);
    Some(reply)
}

pub(super) fn list(world: &mut World, call: &Call) -> Reply {
    let repository = call.repository(world);
    let asked = |name: &str, value: &str| {
        call.query
            .get(name)
            .is_none_or(|wanted| wanted == "none" || wanted == value)
    };
    let wanted = |deployment: &&Deployment| {
        asked("sha", &deployment.sha)
            && asked("ref", &deployment.ref_name)
            && asked("task", &deployment.task)
            && asked("environment", &deployment.environment)
    };
    let found: Vec<_> = repository
        .deployments
        .iter()
        .rev()
        .filter(wanted)
        .cloned()
        .collect();
    let name = repository.full_name.clone();
    call.page(
        found
            .iter()
            .map(|deployment| answer(world, &name, deployment))
            .collect(),
    )
}

pub(super) fn one(world: &mut World, call: &Call) -> Reply {
    let Some(index) = position(world, call) else {
        return Reply::refused(404, "Not Found");
    };
    let repository = call.repository(world);
    let (name, deployment) = (
        repository.full_name.clone(),
        repository.deployments[index].clone(),
    );
    Reply::ok(answer(world, &name, &deployment))
}

pub(super) fn list_statuses(world: &mut World, call: &Call) -> Reply {
    let Some(index) = position(world, call) else {
        return Reply::refused(404, "Not Found");
    };
    let repository = call.repository(world);
    let (name, deployment) = (
        repository.full_name.clone(),
        repository.deployments[index].clone(),
    );
    let newest_first = deployment.statuses.iter().rev();
    call.page(
        newest_first
            .map(|status| status_answer(world, &name, deployment.id, status))
            .collect(),
    )
}

pub(super) fn create_status(world: &mut World, call: &Call) -> Reply {
    let Some(index) = position(world, call) else {
        return Reply::refused(404, "Not Found");
    };
    let id = world.next_id();
    let deployment = &call.repository(world).deployments[index];
    let environment = deployment
        .statuses
        .last()
        .map_or(&deployment.environment, |status| &status.environment);
    let status = DeploymentStatus {
        state: call.text("state").unwrap_or_default(),
        description: call.text("description").unwrap_or_default(),
        environment: call
            .text("environment")
            .unwrap_or_else(|| environment.clone()),
        environment_url: call.text("environment_url").unwrap_or_default(),
        log_url: call
            .text("log_url")
            .or_else(|| call.text("target_url"))
            .unwrap_or_default(),
        automatic: false,
        id,
        creator: call.login().to_owned(),
        at: Timestamp::now(),
    };
    for (field, url) in [
        ("environment_url", &status.environment_url),
        ("log_url", &status.log_url),
    ] {
        if let Some(refusal) = statuses::refusal(
            "DeploymentStatus",
            field,
            Some(url),
            Some(&status.description),
        ) {
            return refusal;
        }
    }
    if status.state == "success" && call.flag("auto_inactive").unwrap_or(true) {
        retire_older(world, call, index);
    }
    let repository = call.repository(world);
    repository.deployments[index].statuses.push(status.clone());
    let (name, deployment) = (
        repository.full_name.clone(),
        repository.deployments[index].id,
    );
    Reply::created(status_answer(world, &name, deployment, &status))
}

/// Makes older successes of the same environment inactive, except transient and production ones.
fn retire_older(world: &mut World, call: &Call, newest: usize) {
    let ids: Vec<_> = (0..newest).map(|_| world.next_id()).collect();
    let repository = call.repository(world);
    let (older, rest) = repository.deployments.split_at_mut(newest);
    for (deployment, id) in older.iter_mut().zip(ids) {
        let live = deployment
            .statuses
            .last()
            .is_some_and(|status| status.state == "success");
        let same = deployment.environment == rest[0].environment;
        if live && same && !deployment.transient && !deployment.production {
            deployment.statuses.push(DeploymentStatus {
                state: "inactive".to_owned(),
                description: String::new(),
                environment: deployment.environment.clone(),
                environment_url: String::new(),
                log_url: String::new(),
                automatic: true,
                id,
                creator: call.login().to_owned(),
                at: Timestamp::now(),
            });
        }
    }
}

fn position(world: &mut World, call: &Call) -> Option<usize> {
    let id: u64 = call.parameter("deployment_id").parse().ok()?;
    call.repository(world)
        .deployments
        .iter()
        .position(|deployment| deployment.id == id)
}

fn answer(world: &World, repository: &str, deployment: &Deployment) -> Value {
    let at = format!("{}/repos/{repository}", world.api());
    let url = format!("{at}/deployments/{}", deployment.id);
    json!({
        "url": url,
        "id": deployment.id,
        "node_id": answers::node_id("Deployment", deployment.id),
        "sha": deployment.sha,
        "ref": deployment.ref_name,
        "task": deployment.task,
        "payload": deployment.payload,
        "original_environment": deployment.environment,
        "environment": deployment.environment,
        "description": deployment.description,
        "creator": answers::user(world, &deployment.creator),
        "created_at": answers::time(deployment.at),
        "updated_at": answers::time(deployment.statuses.last().map_or(deployment.at, |status| status.at)),
        "statuses_url": format!("{url}/statuses"),
        "repository_url": at,
        "transient_environment": deployment.transient,
        "production_environment": deployment.production,
        "performed_via_github_app": null,
    })
}

fn status_answer(
    world: &World,
    repository: &str,
    deployment: u64,
    status: &DeploymentStatus,
) -> Value {
    let at = format!("{}/repos/{repository}", world.api());
    let url = format!("{at}/deployments/{deployment}");
    json!({
        "url": format!("{url}/statuses/{}", status.id),
        "id": status.id,
        "node_id": answers::node_id("DeploymentStatus", status.id),
        "state": status.state,
        "creator": answers::user(world, &status.creator),
        "description": status.description,
        "environment": status.environment,
        "target_url": status.log_url,
        "created_at": answers::time(status.at),
        "updated_at": answers::time(status.at),
        "deployment_url": url,
        "repository_url": at,
        "environment_url": status.environment_url,
        "log_url": status.log_url,
        "performed_via_github_app": null,
    })
}

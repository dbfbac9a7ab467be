//! The App, where it is installed, and the tokens that it gets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::access::{self, App, Level};
use super::answers;
use super::routes::{Call, Reply};
use super::world::World;

pub(super) fn app(world: &mut World, _call: &Call) -> Reply {
    let Some(app) = world.access.app.clone() else {
        return Reply::not_found();
    };
    Reply::ok(json!({
        "id": app.id,
        "slug": app.slug,
        "node_id": answers::node_id("App", app.id),
        "owner": answers::user(world, "acme"),
        "name": app.slug,
        "description": null,
        "external_url": format!("{}/about", world.root),
        "html_url": format!("{}/apps/{}", world.root, app.slug),
        "created_at": answers::time(app.created),
        "updated_at": answers::time(app.created),
        "permissions": access::permissions_json(&app.permissions),
        "events": ["push"],
        "installations_count": 1,
    }))
}

pub(super) fn of_repository(world: &mut World, call: &Call) -> Reply {
    let name = call.repository_name();
    let known = world.repositories.contains_key(&name);
    match world
        .access
        .app
        .clone()
        .filter(|app| known && app.installed_for(&name))
    {
        Some(app) => Reply::ok(answer(world, &app, call.parameter("owner"))),
        None => Reply::not_found(),
    }
}

pub(super) fn one(world: &mut World, call: &Call) -> Reply {
    match asked(world, call) {
        Some(app) => {
            let owner = world
                .repositories
                .values()
                .next()
                .map_or("acme", |repository| repository.owner())
                .to_owned();
            Reply::ok(answer(world, &app, &owner))
        }
        None => Reply::not_found(),
    }
}

/// Gives a token no wider than the installation: GitHub refuses permissions and repositories beyond it.
pub(super) fn issue_token(world: &mut World, call: &Call) -> Reply {
    let Some(app) = asked(world, call) else {
        return Reply::not_found();
    };
    let mut permissions = app.permissions.clone();
    if call.body["permissions"].is_object() {
        permissions = access::permissions(&call.body["permissions"]);
        if permissions.iter().any(|(name, level)| {
            app.permissions
                .get(name)
                .is_none_or(|granted| granted < level)
        }) {
            return Reply::refused(
                422,
                "The permissions requested are not granted to this installation.",
            );
        }
        permissions
            .entry("metadata".to_owned())
            .or_insert(Level::Read);
    }
    let asked = match narrowed(world, call, &app) {
        Ok(asked) => asked,
        Err(reply) => return reply,
    };
    let repositories = asked.clone().or_else(|| app.repositories.clone());
    let (token, expires) = world
        .access
        .issue(permissions.clone(), repositories.clone());
    let mut body = json!({
        "token": token,
        "expires_at": answers::time(expires),
        "permissions": access::permissions_json(&permissions),
        "repository_selection": if repositories.is_some() { "selected" } else { "all" },
    });
    if let Some(names) = asked {
        body["repositories"] = names
            .iter()
            .map(|name| answers::repository(world, name))
            .collect();
    }
    Reply::created(body)
}

/// The repositories that a token is asked for: by bare name or by id.
fn narrowed(world: &World, call: &Call, app: &App) -> Result<Option<Vec<String>>, Reply> {
    let (names, ids) = (
        call.body["repositories"].as_array(),
        call.body["repository_ids"].as_array(),
    );
    if names.is_none() && ids.is_none() {
        return Ok(None);
    }
    let wanted: Vec<&Value> = names.into_iter().chain(ids).flatten().collect();
    let installed = world
        .repositories
        .values()
        .filter(|repository| app.installed_for(&repository.full_name));
    let by_handle: BTreeMap<String, String> = installed
        .flat_map(|repository| {
            let handles = [
                json!(repository.name()).to_string(),
                json!(repository.id).to_string(),
            ];
            handles.map(|handle| (handle, repository.full_name.clone()))
        })
        .collect();
    let found: Option<Vec<_>> = wanted
        .iter()
        .map(|handle| by_handle.get(&handle.to_string()).cloned())
        .collect();
    let refusal = "There is at least one repository that does not exist or is not accessible to the parent installation.";
    found.map(Some).ok_or_else(|| Reply::refused(422, refusal))
}

pub(super) fn rate_limit(_world: &mut World, _call: &Call) -> Reply {
    let reset = Timestamp::now().as_second() + 3600;
    let limit = json!({ "limit": 5000, "used": 1, "remaining": 4999, "reset": reset });
    Reply::ok(
        json!({ "resources": { "core": limit, "graphql": limit, "search": limit }, "rate": limit }),
    )
}

fn asked(world: &World, call: &Call) -> Option<App> {
    let id = call.parameter("installation_id");
    world
        .access
        .app
        .clone()
        .filter(|app| app.installation.to_string() == id)
}

fn answer(world: &World, app: &App, owner: &str) -> Value {
    let at = format!("{}/app/installations/{}", world.api(), app.installation);
    let account = answers::organization(world, owner);
    json!({
        "id": app.installation,
        "target_id": account["id"],
        "account": account,
        "repository_selection": if app.repositories.is_some() { "selected" } else { "all" },
        "access_tokens_url": format!("{at}/access_tokens"),
        "repositories_url": format!("{}/installation/repositories", world.api()),
        "html_url": format!("{}/organizations/{owner}/settings/installations/{}", world.root, app.installation),
        "app_id": app.id,
        "app_slug": app.slug,
        "target_type": "Organization",
        "permissions": access::permissions_json(&app.permissions),
        "events": ["push"],
        "created_at": answers::time(app.created),
        "updated_at": answers::time(app.created),
        "single_file_name": null,
        "suspended_by": null,
        "suspended_at": null,
    })
}

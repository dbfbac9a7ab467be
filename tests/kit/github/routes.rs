//! The operations of GitHub's interface that the world speaks, each with who may call it and what it does.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::access::{Caller, Level};
use super::world::{Repository, World};
use super::{comments, deployments, installations, refs, statuses};

/// One request that the contract has let through.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
    pub(super) caller: Caller,
}

/// What the world says to it.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) verdict: Verdict,
}

/// Whether a refusal is the caller's mistake, which no test lets pass, or an ordinary answer of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Fine,
    Mistake,
}

/// Who may call an operation.
#[derive(Debug, Clone, Copy)]
pub(super) enum Admits {
    /// The App itself, by JWT.
    App,
    /// A token with this permission on the repository in the path.
    Repository(&'static str, Level),
    /// Any token.
    Anyone,
}

pub(super) struct Route {
    pub(super) method: &'static str,
    pub(super) template: &'static str,
    pub(super) admits: Admits,
    pub(super) act: fn(&mut World, &Call) -> Reply,
}

const fn route(
    method: &'static str,
    template: &'static str,
    admits: Admits,
    act: fn(&mut World, &Call) -> Reply,
) -> Route {
    Route {
        method,
        template,
        admits,
        act,
    }
}

const READ_CODE: Admits = Admits::Repository("contents", Level::Read);
const READ_META: Admits = Admits::Repository("metadata", Level::Read);
const TALK: Admits = Admits::Repository("pull_requests", Level::Write);

static ROUTES: &[Route] = &[
    route("GET", "/repos/{owner}/{repo}", READ_META, refs::repository),
    route(
        "GET",
        "/repos/{owner}/{repo}/branches/{branch}",
        READ_CODE,
        refs::branch,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/git/ref/{ref}",
        READ_CODE,
        refs::git_ref,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/commits/{ref}",
        READ_CODE,
        refs::commit,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/commits/{ref}/status",
        Admits::Repository("statuses", Level::Read),
        statuses::combined,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/commits/{ref}/statuses",
        Admits::Repository("statuses", Level::Read),
        statuses::list,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/statuses/{sha}",
        Admits::Repository("statuses", Level::Write),
        statuses::create,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/deployments",
        Admits::Repository("deployments", Level::Read),
        deployments::list,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/deployments",
        Admits::Repository("deployments", Level::Write),
        deployments::create,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/deployments/{deployment_id}",
        Admits::Repository("deployments", Level::Read),
        deployments::one,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
        Admits::Repository("deployments", Level::Read),
        deployments::list_statuses,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/deployments/{deployment_id}/statuses",
        Admits::Repository("deployments", Level::Write),
        deployments::create_status,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/collaborators/{username}/permission",
        READ_META,
        comments::permission,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/pulls/{pull_number}",
        Admits::Repository("pull_requests", Level::Read),
        comments::pull,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/issues/{issue_number}/comments",
        TALK,
        comments::list_of_conversation,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/issues/{issue_number}/comments",
        TALK,
        comments::create_on_conversation,
    ),
    route(
        "PATCH",
        "/repos/{owner}/{repo}/issues/comments/{comment_id}",
        TALK,
        comments::edit,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions",
        TALK,
        comments::react,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/pulls/{pull_number}/comments",
        TALK,
        comments::list_of_review,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/pulls/{pull_number}/comments/{comment_id}/replies",
        TALK,
        comments::create_reply,
    ),
    route(
        "PATCH",
        "/repos/{owner}/{repo}/pulls/comments/{comment_id}",
        TALK,
        comments::edit,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/pulls/comments/{comment_id}/reactions",
        TALK,
        comments::react,
    ),
    route(
        "GET",
        "/repos/{owner}/{repo}/commits/{commit_sha}/comments",
        READ_CODE,
        comments::list_of_commit,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/commits/{commit_sha}/comments",
        READ_CODE,
        comments::create_on_commit,
    ),
    route(
        "PATCH",
        "/repos/{owner}/{repo}/comments/{comment_id}",
        Admits::Repository("contents", Level::Write),
        comments::edit,
    ),
    route(
        "POST",
        "/repos/{owner}/{repo}/comments/{comment_id}/reactions",
        Admits::Repository("contents", Level::Write),
        comments::react,
    ),
    route("GET", "/app", Admits::App, installations::app),
    route(
        "GET",
        "/repos/{owner}/{repo}/installation",
        Admits::App,
        installations::of_repository,
    ),
    route(
        "GET",
        "/app/installations/{installation_id}",
        Admits::App,
        installations::one,
    ),
    route(
        "POST",
        "/app/installations/{installation_id}/access_tokens",
        Admits::App,
        installations::issue_token,
    ),
    route(
        "GET",
        "/rate_limit",
        Admits::Anyone,
        installations::rate_limit,
    ),
];

/// Method and path template of every operation that is spoken.
pub(super) fn spoken() -> Vec<(&'static str, &'static str)> {
    ROUTES
        .iter()
        .map(|route| (route.method, route.template))
        .collect()
}

/// The route of an operation of the contract.
pub(super) fn find(method: &str, template: &str) -> &'static Route {
    ROUTES
        .iter()
        .find(|route| route.method == method && route.template == template)
        .expect("the contract holds only operations that are routed")
}

impl Call {
    pub(super) fn parameter(&self, name: &str) -> &str {
        self.parameters.get(name).map_or("", String::as_str)
    }

    /// `owner/name` of the repository in the path.
    pub(super) fn repository_name(&self) -> String {
        format!("{}/{}", self.parameter("owner"), self.parameter("repo"))
    }

    /// The repository in the path, which admission has proven to exist.
    pub(super) fn repository<'a>(&self, world: &'a mut World) -> &'a mut Repository {
        world.repository(&self.repository_name())
    }

    pub(super) fn text(&self, field: &str) -> Option<String> {
        self.body[field].as_str().map(str::to_owned)
    }

    pub(super) fn flag(&self, field: &str) -> Option<bool> {
        self.body[field].as_bool()
    }

    pub(super) fn login(&self) -> &str {
        match &self.caller {
            Caller::App => "app",
            Caller::Holder(grant) => &grant.login,
        }
    }

    /// The slice of a list that `page` and `per_page` ask for.
    pub(super) fn page(&self, all: Vec<Value>) -> Reply {
        let number = |name, default| {
            self.query
                .get(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(default)
        };
        let (page, size): (usize, usize) = (
            number("page", 1).max(1),
            number("per_page", 30).clamp(1, 100),
        );
        Reply::ok(all.into_iter().skip((page - 1) * size).take(size).collect())
    }
}

impl Reply {
    pub(super) fn ok(body: Value) -> Self {
        Self {
            status: 200,
            body,
            verdict: Verdict::Fine,
        }
    }

    pub(super) fn created(body: Value) -> Self {
        Self {
            status: 201,
            body,
            verdict: Verdict::Fine,
        }
    }

    /// A thing that is not there: an ordinary answer.
    pub(super) fn not_found() -> Self {
        Self {
            verdict: Verdict::Fine,
            ..Self::refused(404, "Not Found")
        }
    }

    /// A request that no product should send, in the shape of GitHub's errors.
    pub(super) fn refused(status: u16, message: &str) -> Self {
        let body = json!({
            "message": message,
            "documentation_url": "https://docs.github.com/rest",
            "status": status.to_string(),
        });
        Self {
            status,
            body,
            verdict: Verdict::Mistake,
        }
    }

    /// 422 about one field.
    pub(super) fn invalid(resource: &str, field: &str, message: &str) -> Self {
        let mut reply = Self::refused(422, "Validation Failed");
        reply.body["errors"] =
            json!([{ "resource": resource, "field": field, "code": "custom", "message": message }]);
        reply
    }

    /// 422 for a body that the description does not allow.
    pub(super) fn unprocessable(faults: &[String]) -> Self {
        let mut reply = Self::refused(422, &format!("Invalid request.\n\n{}", faults.join("\n")));
        let errors = faults
            .iter()
            .map(|fault| json!({ "code": "invalid", "message": fault }));
        reply.body["errors"] = errors.collect();
        reply
    }
}

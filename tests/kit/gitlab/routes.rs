//! The operations of GitLab's interface that the world speaks, each with the role it needs and what it does.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::access::Role;
use super::world::{Project, World};
use super::{answers, changes, deployments, notes, people, statuses};

/// One request that was let in.
#[derive(Debug)]
pub(super) struct Call {
    /// The path of the project.
    pub(super) project: String,
    /// What stands in the path where the template has `:`, decoded, without the project.
    pub(super) parameters: Vec<String>,
    pub(super) query: BTreeMap<String, String>,
    pub(super) body: Value,
    pub(super) user: String,
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

pub(super) struct Route {
    pub(super) method: &'static str,
    /// Below `/projects/:id`.
    template: &'static str,
    pub(super) needs: Role,
    /// Fields that the body may have, or parameters of the query; those with `!` must be there.
    pub(super) fields: &'static [&'static str],
    pub(super) act: fn(&mut World, &Call) -> Reply,
}

static ROUTES: &[Route] = &[
    Route {
        method: "GET",
        template: "",
        needs: Role::Reporter,
        fields: &[],
        act: answers::show_project,
    },
    Route {
        method: "GET",
        template: "repository/branches/:",
        needs: Role::Reporter,
        fields: &[],
        act: answers::show_branch,
    },
    Route {
        method: "GET",
        template: "repository/commits/:",
        needs: Role::Reporter,
        fields: &[],
        act: answers::show_commit,
    },
    Route {
        method: "GET",
        template: "repository/commits/:/statuses",
        needs: Role::Reporter,
        fields: &["ref", "name", "all", "page", "per_page"],
        act: statuses::list,
    },
    Route {
        method: "POST",
        template: "statuses/:",
        needs: Role::Developer,
        fields: &[
            "!state",
            "ref",
            "name",
            "context",
            "target_url",
            "description",
            "coverage",
            "pipeline_id",
        ],
        act: statuses::create,
    },
    Route {
        method: "GET",
        template: "environments",
        needs: Role::Reporter,
        fields: &["name", "search", "states", "page", "per_page"],
        act: deployments::list_environments,
    },
    Route {
        method: "POST",
        template: "environments",
        needs: Role::Developer,
        fields: &["!name", "external_url", "tier", "description"],
        act: deployments::create_environment,
    },
    Route {
        method: "PUT",
        template: "environments/:",
        needs: Role::Developer,
        fields: &["external_url", "tier", "description"],
        act: deployments::update_environment,
    },
    Route {
        method: "GET",
        template: "deployments",
        needs: Role::Reporter,
        fields: &[
            "environment",
            "status",
            "order_by",
            "sort",
            "page",
            "per_page",
        ],
        act: deployments::list,
    },
    Route {
        method: "POST",
        template: "deployments",
        needs: Role::Developer,
        fields: &["!environment", "!sha", "!ref", "!tag", "!status"],
        act: deployments::create,
    },
    Route {
        method: "GET",
        template: "deployments/:",
        needs: Role::Reporter,
        fields: &[],
        act: deployments::one,
    },
    Route {
        method: "PUT",
        template: "deployments/:",
        needs: Role::Developer,
        fields: &["!status"],
        act: deployments::update,
    },
    Route {
        method: "GET",
        template: "members/all/:",
        needs: Role::Reporter,
        fields: &[],
        act: people::member,
    },
    Route {
        method: "GET",
        template: "merge_requests/:",
        needs: Role::Reporter,
        fields: &[],
        act: changes::show,
    },
    Route {
        method: "GET",
        template: "merge_requests/:/notes",
        needs: Role::Reporter,
        fields: &["order_by", "sort", "activity_filter", "page", "per_page"],
        act: notes::list,
    },
    Route {
        method: "POST",
        template: "merge_requests/:/notes",
        needs: Role::Reporter,
        fields: &["!body", "internal", "created_at"],
        act: notes::create,
    },
    Route {
        method: "PUT",
        template: "merge_requests/:/notes/:",
        needs: Role::Reporter,
        fields: &["!body"],
        act: notes::edit,
    },
    Route {
        method: "POST",
        template: "merge_requests/:/notes/:/award_emoji",
        needs: Role::Reporter,
        fields: &["!name"],
        act: notes::award,
    },
    Route {
        method: "POST",
        template: "merge_requests/:/discussions/:/notes",
        needs: Role::Reporter,
        fields: &["!body", "created_at"],
        act: notes::create_in_thread,
    },
    Route {
        method: "GET",
        template: "repository/commits/:/discussions",
        needs: Role::Reporter,
        fields: &["page", "per_page"],
        act: notes::list_on_commit,
    },
    Route {
        method: "POST",
        template: "repository/commits/:/discussions",
        needs: Role::Reporter,
        fields: &["!body", "position", "created_at"],
        act: notes::create_on_commit,
    },
    Route {
        method: "PUT",
        template: "repository/commits/:/discussions/:/notes/:",
        needs: Role::Reporter,
        fields: &["!body"],
        act: notes::edit,
    },
];

/// The route of a path below `/projects/:id` and what stands in its place holders.
pub(super) fn find(method: &str, rest: &[String]) -> Option<(&'static Route, Vec<String>)> {
    ROUTES
        .iter()
        .filter(|route| route.method == method)
        .find_map(|route| {
            let template: Vec<_> = route
                .template
                .split('/')
                .filter(|part| !part.is_empty())
                .collect();
            let fits = template.len() == rest.len()
                && template
                    .iter()
                    .zip(rest)
                    .all(|(part, given)| *part == ":" || part == given);
            let places = template.iter().zip(rest).filter(|(part, _)| **part == ":");
            fits.then(|| (route, places.map(|(_, given)| given.clone()).collect()))
        })
}

impl Route {
    /// What is wrong with the fields of a body or a query, in GitLab's words.
    pub(super) fn faults<'a>(&self, given: impl Iterator<Item = &'a String>) -> Option<String> {
        let given: Vec<_> = given.map(String::as_str).collect();
        let known = |name: &&&str| {
            !self
                .fields
                .iter()
                .any(|field| field.trim_start_matches('!') == **name)
        };
        let required = self
            .fields
            .iter()
            .filter_map(|field| field.strip_prefix('!'));
        let mut faults: Vec<_> = required
            .filter(|field| !given.contains(field))
            .map(|field| format!("{field} is missing"))
            .collect();
        // The real one ignores these in silence; no product means to send them.
        faults.extend(
            given
                .iter()
                .filter(known)
                .map(|name| format!("{name} is not known")),
        );
        (!faults.is_empty()).then(|| faults.join(", "))
    }
}

impl Call {
    pub(super) fn parameter(&self) -> &str {
        self.parameters.first().map_or("", String::as_str)
    }

    /// The project in the path, which admission has proven to exist.
    pub(super) fn project<'a>(&self, world: &'a mut World) -> &'a mut Project {
        world.project(&self.project)
    }

    pub(super) fn text(&self, field: &str) -> Option<String> {
        self.body[field].as_str().map(str::to_owned)
    }

    /// The slice of a list that `page` and `per_page` ask for.
    pub(super) fn page(&self, all: Vec<Value>) -> Reply {
        let number = |name, default| {
            let text = self.query.get(name);
            text.and_then(|text| text.parse().ok()).unwrap_or(default)
        };
        let (page, size): (usize, usize) = (
            number("page", 1).max(1),
            number("per_page", 20).clamp(1, 100),
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
            ..Self::ok(body)
        }
    }

    /// A request that no product should send.
    pub(super) fn refused(status: u16, message: &str) -> Self {
        Self {
            status,
            body: json!({ "message": message }),
            verdict: Verdict::Mistake,
        }
    }

    /// A refusal that life brings: nobody's mistake.
    pub(super) fn declined(status: u16, message: &Value) -> Self {
        Self {
            status,
            body: json!({ "message": message }),
            verdict: Verdict::Fine,
        }
    }

    /// 400 about the form of a request.
    pub(super) fn malformed(error: &str) -> Self {
        Self {
            status: 400,
            body: json!({ "error": error }),
            verdict: Verdict::Mistake,
        }
    }

    /// 400 about the value of one field.
    pub(super) fn invalid(field: &str, why: &str) -> Self {
        let mut reply = Self::refused(400, "");
        reply.body = json!({ "message": { field: [why] } });
        reply
    }
}

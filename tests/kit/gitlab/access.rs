//! Who may do what: tokens with scopes, and the role that their user has in a project.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, header};
use serde_json::json;

use super::routes::Reply;

/// What a member may do, from little to much.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// No member: private projects do not exist for it.
    Stranger,
    Reporter,
    Developer,
    Maintainer,
}

#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) user: String,
    pub(super) scopes: Vec<String>,
    pub(super) role: Role,
}

/// The token of a request, or GitLab's refusal.
pub(super) fn caller<'a>(
    tokens: &'a BTreeMap<String, Token>,
    headers: &HeaderMap,
) -> Result<&'a Token, Reply> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let bearer = text(header::AUTHORIZATION.as_str()).and_then(|it| it.strip_prefix("Bearer "));
    let given = text("private-token").or(bearer);
    given
        .and_then(|given| tokens.get(given))
        .ok_or_else(|| Reply::refused(401, "401 Unauthorized"))
}

impl Token {
    /// Whether the token may do this in a project that exists; what its user cannot see does not exist for it.
    pub(super) fn permits(&self, method: &str, needs: Role) -> Result<(), Reply> {
        let has = |scope: &str| self.scopes.iter().any(|own| own == scope);
        let enough = has("api") || (method == "GET" && has("read_api"));
        if !enough {
            let mut reply = Reply::refused(403, "");
            reply.body = json!({
                "error": "insufficient_scope",
                "error_description": "The request requires higher privileges than provided by the access token.",
                "scope": "api",
            });
            return Err(reply);
        }
        if self.role == Role::Stranger {
            return Err(Reply::refused(404, "404 Project Not Found"));
        }
        if self.role < needs {
            return Err(Reply::refused(403, "403 Forbidden"));
        }
        Ok(())
    }
}

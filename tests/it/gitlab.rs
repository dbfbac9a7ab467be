//! The kit's GitLab is as strict as the real one, and clients take it for the real one.

mod chat;
mod hooks;
mod rules;
mod wire;

use kit::gitlab::GitLab;
use serde_json::Value;

const SHOP: &str = "acme/web/shop";
const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

/// A world with one project whose branch `main` is at `FIRST`.
async fn world() -> GitLab {
    let gitlab = GitLab::start().await;
    gitlab.add_project(SHOP, "file:///srv/shop.git");
    gitlab.commit(SHOP, "main", FIRST);
    gitlab
}

/// A request below the project, as any client could send it.
async fn ask(gitlab: &GitLab, method: &str, path: &str, body: &Value) -> (u16, Value) {
    ask_as(gitlab, gitlab.token(), method, path, body).await
}

async fn ask_as(
    gitlab: &GitLab,
    token: &str,
    method: &str,
    path: &str,
    body: &Value,
) -> (u16, Value) {
    let url = format!("{}/projects/acme%2Fweb%2Fshop/{path}", gitlab.base_url());
    let request = reqwest::Client::new()
        .request(method.parse().unwrap(), url.trim_end_matches('/'))
        .header("private-token", token);
    let request = if body.is_null() {
        request
    } else {
        request.json(body)
    };
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

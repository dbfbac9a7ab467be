//! The kit's GitHub is as strict as the real one, and clients take it for the real one.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

mod bad_days;
mod clients;
mod hooks;
mod rules;

use kit::github::GitHub;
use octocrab::Octocrab;
use octocrab::service::middleware::retry::RetryConfig;
use serde_json::Value;

const SHOP: &str = "acme/shop";
const FIRST: &str = "1111111111111111111111111111111111111111";
const SECOND: &str = "2222222222222222222222222222222222222222";

/// A world with one repository whose branch `main` is at `FIRST`.
async fn world() -> GitHub {
    let github = GitHub::start().await;
    github.add_repo(SHOP, "file:///srv/shop.git");
    github.commit(SHOP, "main", FIRST);
    github
}

/// The client that the product uses, with a personal token and without retries of its own.
fn octocrab(github: &GitHub) -> Octocrab {
    let builder = Octocrab::builder()
        .base_uri(github.base_url())
        .unwrap()
        .add_retry_config(RetryConfig::None);
    builder.personal_token(github.token()).build().unwrap()
}

/// A request as any client could send it.
async fn ask(github: &GitHub, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let request = request(github, method, path).bearer_auth(github.token());
    let request = if body.is_null() {
        request
    } else {
        request.json(body)
    };
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

fn request(github: &GitHub, method: &str, path: &str) -> reqwest::RequestBuilder {
    let url = format!("{}{path}", github.base_url());
    reqwest::Client::new()
        .request(method.parse().unwrap(), url)
        .header("user-agent", "a-test")
}

//! What GitHub refuses is refused, in its words, and remembered.

use kit::github::{GitHub, Level};
use serde_json::{Value, json};

use super::{FIRST, SECOND, SHOP, ask, request, world};

const STATUSES: &str = "/repos/acme/shop/statuses/1111111111111111111111111111111111111111";
const DEPLOYMENTS: &str = "/repos/acme/shop/deployments";

#[tokio::test]
async fn a_body_that_the_description_forbids_is_refused_and_remembered() {
    let github = world().await;
    for (path, body, fault) in [
        (STATUSES, json!({ "state": "foo" }), "/state"),
        (STATUSES, json!({ "context": "x" }), "state"),
        (
            STATUSES,
            json!({ "state": "success", "contxt": "x" }),
            "contxt",
        ),
        (
            STATUSES,
            json!({ "state": "success", "description": "x".repeat(141) }),
            "too long",
        ),
        (
            STATUSES,
            json!({ "state": "success", "target_url": "ftp://x" }),
            "http(s)",
        ),
        (DEPLOYMENTS, json!({ "environment": "production" }), "ref"),
        (
            DEPLOYMENTS,
            json!({ "ref": "main", "required_contexts": "none" }),
            "/required_contexts",
        ),
        (
            DEPLOYMENTS,
            json!({ "ref": "main", "enviroment": "staging" }),
            "enviroment",
        ),
        (
            DEPLOYMENTS,
            json!({ "ref": "nowhere", "auto_merge": false }),
            "No ref found",
        ),
    ] {
        let (status, answer) = ask(&github, "POST", path, &body).await;
        assert_eq!(status, 422, "{body} got {answer}");
        assert!(
            answer.to_string().contains(fault),
            "{answer} does not name {fault}"
        );
        assert!(answer["documentation_url"].is_string(), "{answer}");
        let unexpected = github.take_unexpected();
        assert!(
            unexpected.len() == 1 && unexpected[0].contains(path),
            "{unexpected:?}"
        );
    }
    assert_eq!(
        github.picture(SHOP),
        "acme/shop\n",
        "nothing of it was done"
    );
    github.close();
}

#[tokio::test]
async fn a_path_or_method_that_github_does_not_have_is_refused_and_remembered() {
    let github = world().await;
    assert_eq!(
        ask(&github, "GET", "/repos/acme/shop/nosuchthing", &Value::Null)
            .await
            .0,
        404
    );
    assert_eq!(ask(&github, "PUT", DEPLOYMENTS, &Value::Null).await.0, 405);
    assert_eq!(
        ask(
            &github,
            "GET",
            "/repos/acme/other/deployments",
            &Value::Null
        )
        .await
        .0,
        404
    );
    assert_eq!(
        ask(
            &github,
            "GET",
            "/repos/acme/shop/deployments/7/statuses",
            &Value::Null
        )
        .await
        .0,
        404
    );
    assert_eq!(
        ask(
            &github,
            "GET",
            &format!("{DEPLOYMENTS}?enviroment=x"),
            &Value::Null
        )
        .await
        .0,
        422
    );
    assert_eq!(github.take_unexpected().len(), 5);
    github.close();
}

#[tokio::test]
async fn the_world_ends_in_a_panic_when_a_refused_request_was_not_taken() {
    let github = world().await;
    ask(&github, "POST", STATUSES, &json!({ "state": "foo" })).await;
    let closed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| github.close()));
    let message = *closed.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.contains("POST /api/v3/repos/acme/shop/statuses/"),
        "{message}"
    );
}

#[tokio::test]
async fn who_does_not_prove_who_it_is_gets_401() {
    let github = world().await;
    for request in [
        request(&github, "GET", DEPLOYMENTS),
        request(&github, "GET", DEPLOYMENTS).bearer_auth("ghp_wrong"),
    ] {
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    let no_agent = reqwest::Client::new().get(format!("{}{DEPLOYMENTS}", github.base_url()));
    assert_eq!(
        no_agent
            .bearer_auth(github.token())
            .send()
            .await
            .unwrap()
            .status(),
        403
    );
    assert_eq!(github.take_unexpected().len(), 3);
    github.close();
}

#[tokio::test]
async fn a_token_without_the_permission_gets_403() {
    let github = world().await;
    let reader = github.token_with(&[("deployments", Level::Read)]);
    let read = request(&github, "GET", DEPLOYMENTS)
        .bearer_auth(&reader)
        .send()
        .await
        .unwrap();
    let write = request(&github, "POST", DEPLOYMENTS)
        .bearer_auth(&reader)
        .json(&json!({ "ref": "main" }))
        .send();
    assert_eq!(
        (
            read.status().as_u16(),
            write.await.unwrap().status().as_u16()
        ),
        (200, 403)
    );
    assert_eq!(github.take_unexpected().len(), 1);
    github.close();
}

#[tokio::test]
async fn media_types_are_looked_at() {
    let github = world().await;
    let post = || request(&github, "POST", STATUSES).bearer_auth(github.token());
    let plain = post()
        .body(r#"{"state":"success"}"#)
        .header("content-type", "text/plain")
        .send()
        .await
        .unwrap();
    let xml = post()
        .json(&json!({ "state": "success" }))
        .header("accept", "application/xml")
        .send()
        .await
        .unwrap();
    let broken = post()
        .body("{")
        .header("content-type", "application/json")
        .send()
        .await
        .unwrap();
    assert_eq!(
        [plain.status(), xml.status(), broken.status()].map(|status| status.as_u16()),
        [415, 415, 400]
    );
    let accept = "application/vnd.github+json";
    let right = post()
        .json(&json!({ "state": "success" }))
        .header("accept", accept)
        .send()
        .await
        .unwrap();
    assert_eq!(right.status(), 201);
    assert_eq!(github.take_unexpected().len(), 3);
    github.close();
}

#[tokio::test]
async fn a_deployment_waits_for_all_contexts_unless_told_not_to() {
    let github = world().await;
    ask(
        &github,
        "POST",
        STATUSES,
        &json!({ "state": "pending", "context": "ci" }),
    )
    .await;
    let (status, answer) = ask(&github, "POST", DEPLOYMENTS, &json!({ "ref": FIRST })).await;
    assert_eq!(status, 409, "{answer}");
    assert_eq!(
        answer["errors"][0]["contexts"],
        json!([{ "context": "ci", "state": "pending" }])
    );
    assert_eq!(github.take_unexpected().len(), 1);
    let (status, _) = ask(
        &github,
        "POST",
        DEPLOYMENTS,
        &json!({ "ref": FIRST, "required_contexts": [] }),
    )
    .await;
    assert_eq!(status, 201);
    github.close();
}

#[tokio::test]
async fn a_branch_behind_the_default_one_is_merged_instead_of_deployed() {
    let github = world().await;
    github.commit(SHOP, "topic", "3333333333333333333333333333333333333333");
    github.commit(SHOP, "main", SECOND);
    let (status, answer) = ask(&github, "POST", DEPLOYMENTS, &json!({ "ref": "topic" })).await;
    assert_eq!(
        (status, &answer["message"]),
        (202, &json!("Auto-merged main into topic on deployment."))
    );
    assert!(github.deployments(SHOP).is_empty());
    assert_eq!(
        ask(&github, "POST", DEPLOYMENTS, &json!({ "ref": FIRST }))
            .await
            .0,
        409,
        "a commit cannot be merged into"
    );
    assert_eq!(github.take_unexpected().len(), 2);
    let (status, _) = ask(
        &github,
        "POST",
        DEPLOYMENTS,
        &json!({ "ref": FIRST, "auto_merge": false }),
    )
    .await;
    assert_eq!(status, 201);
    github.close();
}

#[tokio::test]
async fn a_success_retires_older_ones_except_in_production() {
    let github = world().await;
    for environment in ["staging", "staging", "production", "production"] {
        deploy(&github, environment).await;
    }
    insta::assert_snapshot!(github.picture(SHOP), @"
    acme/shop
      deployment 1 staging <commit 1>
        success
        inactive (by GitHub)
      deployment 2 staging <commit 1>
        success
      deployment 3 production <commit 1> is-production
        success
      deployment 4 production <commit 1> is-production
        success
    ");
    github.close();
}

#[tokio::test]
async fn lists_come_newest_first_and_in_pages() {
    let github = world().await;
    for environment in ["staging", "production", "staging"] {
        deploy(&github, environment).await;
    }
    let ids: Vec<_> = github
        .deployments(SHOP)
        .iter()
        .map(|deployment| deployment.id)
        .collect();
    let page = |page| format!("{DEPLOYMENTS}?environment=staging&per_page=1&page={page}");
    assert_eq!(
        ask(&github, "GET", &page(1), &Value::Null).await.1[0]["id"],
        ids[2]
    );
    assert_eq!(
        ask(&github, "GET", &page(2), &Value::Null).await.1[0]["id"],
        ids[0]
    );
    let (_, combined) = ask(
        &github,
        "GET",
        "/repos/acme/shop/commits/heads/main/status",
        &Value::Null,
    )
    .await;
    assert_eq!(
        (&combined["state"], &combined["sha"]),
        (&json!("pending"), &json!(FIRST))
    );
    github.close();
}

async fn deploy(github: &GitHub, environment: &str) {
    let body = json!({ "ref": FIRST, "environment": environment, "required_contexts": [], "auto_merge": false });
    let (_, deployment) = ask(github, "POST", DEPLOYMENTS, &body).await;
    let statuses = format!("{DEPLOYMENTS}/{}/statuses", deployment["id"]);
    assert_eq!(
        ask(github, "POST", &statuses, &json!({ "state": "success" }))
            .await
            .0,
        201
    );
}

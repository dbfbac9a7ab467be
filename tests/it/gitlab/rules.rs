//! What GitLab takes and what it refuses, told and remembered.

use std::time::Duration;

use kit::gitlab::{Role, Trouble};
use serde_json::{Value, json};

use super::{FIRST, SECOND, SHOP, ask, ask_as, world};

const STATUS: &str = "statuses/1111111111111111111111111111111111111111";

#[tokio::test]
async fn a_status_moves_forward_and_never_to_where_it_is() {
    let gitlab = world().await;
    let post = async |state: &str| {
        let body = json!({ "state": state, "name": "cutover/production" });
        let (status, said) = ask(&gitlab, "POST", STATUS, &body).await;
        format!("{state}: {status} {}", said["message"])
    };
    let mut said = Vec::new();
    for state in [
        "pending", "pending", "running", "running", "pending", "success",
    ] {
        said.push(post(state).await);
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    pending: 201 null
    pending: 400 "Cannot transition status via :enqueue from :pending (Reason(s): Status cannot transition via \"enqueue\")"
    running: 201 null
    running: 400 "Cannot transition status via :run from :running (Reason(s): Status cannot transition via \"run\")"
    pending: 400 "Cannot transition status via :enqueue from :running (Reason(s): Status cannot transition via \"enqueue\")"
    success: 201 null
    "#);
    // One that has ended is followed by a new one.
    assert_eq!(post("failed").await, "failed: 201 null");
    insta::assert_snapshot!(gitlab.picture(SHOP), @r"
    acme/web/shop
      <commit 1> main cutover/production
        pending
        running
        success
      <commit 1> main cutover/production
        failed
    ");
    gitlab.close();
}

#[tokio::test]
async fn a_deployment_needs_every_field_and_ends_once() {
    let gitlab = world().await;
    let whole = json!({ "environment": "production", "sha": FIRST, "ref": "main", "tag": false, "status": "running" });
    let mut said = Vec::new();
    for field in ["environment", "sha", "ref", "tag", "status"] {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(field);
        let (status, why) = ask(&gitlab, "POST", "deployments", &body).await;
        said.push(format!("{status} {}", why["error"]));
    }
    for (field, value) in [("sha", SECOND), ("ref", "nowhere"), ("status", "created")] {
        let mut body = whole.clone();
        body[field] = json!(value);
        let (status, why) = ask(&gitlab, "POST", "deployments", &body).await;
        said.push(format!("{field}={value}: {status} {why}"));
    }
    assert_eq!(gitlab.take_unexpected().len(), said.len());
    insta::assert_snapshot!(said.join("\n"), @r#"
    400 "environment is missing"
    400 "sha is missing"
    400 "ref is missing"
    400 "tag is missing"
    400 "status is missing"
    sha=2222222222222222222222222222222222222222: 400 {"message":{"sha":["The commit does not exist"]}}
    ref=nowhere: 400 {"message":{"ref":["The branch or tag does not exist"]}}
    status=created: 400 {"error":"status does not have a valid value"}
    "#);
    let (status, made) = ask(&gitlab, "POST", "deployments", &whole).await;
    assert_eq!((status, &made["deployable"]), (201, &Value::Null));
    let path = format!("deployments/{}", made["id"]);
    let mut said = Vec::new();
    for state in ["running", "success", "success", "failed"] {
        let (status, answer) = ask(&gitlab, "PUT", &path, &json!({ "status": state })).await;
        said.push(format!("{state}: {status} {}", answer["message"]));
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    running: 400 {"status":["cannot transition via \"run\""]}
    success: 200 null
    success: 400 {"status":["cannot transition via \"succeed\""]}
    failed: 200 null
    "#);
    insta::assert_snapshot!(gitlab.picture(SHOP), @"
    acme/web/shop
      environment production
      deployment 1 production <commit 1> main running > success > failed
    ");
    gitlab.close();
}

#[tokio::test]
async fn an_environment_has_one_name_and_an_address_of_the_web() {
    let gitlab = world().await;
    let new = json!({ "name": "production", "external_url": "https://shop.test" });
    let (status, made) = ask(&gitlab, "POST", "environments", &new).await;
    assert_eq!(
        (status, &made["external_url"]),
        (201, &json!("https://shop.test"))
    );
    assert_eq!(ask(&gitlab, "POST", "environments", &new).await.0, 400);
    let path = format!("environments/{}", made["id"]);
    let bad = json!({ "external_url": "javascript:alert(1)" });
    assert_eq!(ask(&gitlab, "PUT", &path, &bad).await.0, 400);
    let other = json!({ "external_url": "https://new.shop.test" });
    assert_eq!(ask(&gitlab, "PUT", &path, &other).await.0, 200);
    let (_, found) = ask(&gitlab, "GET", "environments?name=production", &Value::Null).await;
    assert_eq!(found[0]["external_url"], "https://new.shop.test");
    assert_eq!(gitlab.take_unexpected().len(), 2);
    gitlab.close();
}

#[tokio::test]
async fn who_may_not_is_told_so_and_remembered() {
    let gitlab = world().await;
    let body = json!({ "state": "success" });
    let reads = gitlab.token_with(&["read_api"], Role::Developer);
    let reports = gitlab.token_with(&["api"], Role::Reporter);
    let stranger = gitlab.token_with(&["api"], Role::Stranger);
    let mut said = Vec::new();
    for token in ["wrong", &reads, &reports, &stranger] {
        let (status, why) = ask_as(&gitlab, token, "POST", STATUS, &body).await;
        let why = why["message"].as_str().or(why["error"].as_str());
        said.push(format!("{status} {}", why.unwrap()));
    }
    assert_eq!(
        ask_as(&gitlab, &reads, "GET", "", &Value::Null).await.0,
        200
    );
    insta::assert_snapshot!(said.join("\n"), @"
    401 401 Unauthorized
    403 insufficient_scope
    403 403 Forbidden
    404 404 Project Not Found
    ");
    assert_eq!(gitlab.take_unexpected().len(), 4);
    assert!(gitlab.statuses(SHOP, FIRST).is_empty());
    gitlab.close();
}

#[tokio::test]
async fn what_no_product_should_send_is_remembered() {
    let gitlab = world().await;
    let long = json!({ "state": "success", "description": "x".repeat(256) });
    assert_eq!(ask(&gitlab, "POST", STATUS, &long).await.0, 400);
    let odd = json!({ "state": "success", "colour": "red" });
    assert_eq!(ask(&gitlab, "POST", STATUS, &odd).await.0, 400);
    let unknown = format!("statuses/{SECOND}");
    assert_eq!(
        ask(&gitlab, "POST", &unknown, &json!({ "state": "success" }))
            .await
            .0,
        404
    );
    let url = format!("{}/projects/acme/web/shop/{STATUS}", gitlab.base_url());
    let bare = reqwest::Client::new()
        .post(url)
        .header("private-token", gitlab.token());
    assert_eq!(bare.send().await.unwrap().status(), 404);
    assert_eq!(
        gitlab.take_unexpected().len(),
        4,
        "the last one's path is not encoded"
    );
    gitlab.close();
}

#[tokio::test]
async fn bad_days_look_like_gitlabs() {
    let gitlab = world().await;
    let body = json!({ "state": "success" });
    gitlab.answer_next(1, Trouble::Fails(409));
    let (status, said) = ask(&gitlab, "POST", STATUS, &body).await;
    assert_eq!(
        (status, said["message"].as_str()),
        (
            409,
            Some("Another update to this commit status is in progress")
        )
    );
    gitlab.answer_next_to("acme/web/shop", 1, Trouble::TooMany(Duration::from_secs(7)));
    let url = format!("{}/projects/acme%2Fweb%2Fshop", gitlab.base_url());
    let limited = reqwest::Client::new()
        .get(&url)
        .header("private-token", gitlab.token());
    let limited = limited.send().await.unwrap();
    assert_eq!(
        (limited.status().as_u16(), &limited.headers()["retry-after"]),
        (429, &"7".parse().unwrap())
    );
    gitlab.answer_next(1, Trouble::DoesThenCut);
    let post = reqwest::Client::new().post(format!("{url}/{STATUS}"));
    let post = post.header("private-token", gitlab.token()).json(&body);
    assert!(
        async { post.send().await?.bytes().await }.await.is_err(),
        "the answer is cut"
    );
    assert_eq!(
        gitlab.statuses(SHOP, FIRST).len(),
        1,
        "done, though the answer was lost"
    );
    gitlab.go_down();
    assert!(reqwest::get(&url).await.is_err());
    gitlab.come_back();
    assert_eq!(reqwest::get(&url).await.unwrap().status(), 401);
    assert_eq!(
        (gitlab.troubles_left(), gitlab.take_unexpected().len()),
        (0, 1)
    );
    gitlab.close();
}

#[tokio::test]
async fn notes_are_edited_by_their_writer_and_carry_each_emoji_once() {
    let gitlab = world().await;
    gitlab.open_merge_request(SHOP, 7, "topic", SECOND);
    gitlab.comment(SHOP, 7, "alice", "/help");
    let notes = "merge_requests/7/notes";
    let (status, ours) = ask(&gitlab, "POST", notes, &json!({ "body": "queued" })).await;
    assert_eq!((status, &ours["body"]), (201, &json!("queued")));
    let theirs = gitlab.notes(SHOP)[0].id;
    let (ours, rocket) = (&ours["id"], json!({ "name": "rocket" }));
    let requests = [
        ("PUT", format!("{notes}/{ours}"), json!({ "body": "done" })),
        (
            "PUT",
            format!("{notes}/{theirs}"),
            json!({ "body": "mine now" }),
        ),
        (
            "POST",
            format!("{notes}/{ours}/award_emoji"),
            rocket.clone(),
        ),
        ("POST", format!("{notes}/{ours}/award_emoji"), rocket),
        (
            "POST",
            "merge_requests/8/notes".to_owned(),
            json!({ "body": "x" }),
        ),
        (
            "POST",
            format!("repository/commits/{}/discussions", "3".repeat(40)),
            json!({ "body": "x" }),
        ),
    ];
    let mut said = Vec::new();
    for (method, path, body) in requests {
        let (status, why) = ask(&gitlab, method, &path, &body).await;
        said.push(format!("{method} {status} {}", why["message"]));
    }
    insta::assert_snapshot!(said.join("\n"), @r#"
    PUT 200 null
    PUT 403 "403 Forbidden"
    POST 201 null
    POST 404 "404 Award Emoji Name has already been taken Not Found"
    POST 404 "404 Merge Request Not Found"
    POST 404 "404 Commit Not Found"
    "#);
    assert_eq!(gitlab.take_unexpected().len(), 3);
    insta::assert_snapshot!(gitlab.talk(SHOP), @"
    alice
      /help
    deployer [rocket]
      done
    ");
    gitlab.close();
}

#[tokio::test]
async fn quick_actions_are_no_part_of_a_note() {
    let gitlab = world().await;
    gitlab.open_merge_request(SHOP, 7, "topic", SECOND);
    let text = "Freeze!\n/lock production\n/Status\n/deploy lock production\n.lock production";
    let told = gitlab.comment(SHOP, 7, "alice", text).json();
    let left = "Freeze!\n/deploy lock production\n.lock production";
    assert_eq!(told["object_attributes"]["note"], left);
    gitlab.close();
}

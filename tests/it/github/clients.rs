//! octocrab, whose models are strict, reads every answer.

use kit::github::GitHub;
use octocrab::Octocrab;
use octocrab::models::repos::DeploymentStatusState;
use octocrab::models::{AppId, InstallationId, StatusState};
use serde_json::{Value, json};

use super::{FIRST, SECOND, SHOP, octocrab, world};

#[tokio::test]
async fn octocrab_posts_a_status() {
    let github = world().await;
    let status = octocrab(&github)
        .repos("acme", "shop")
        .create_status(FIRST.to_owned(), StatusState::Pending)
        .context("cutover/production".to_owned())
        .description("queued".to_owned())
        .target("https://cutover.test/deployments/1".to_owned())
        .send()
        .await
        .unwrap();
    assert_eq!(status.context.as_deref(), Some("cutover/production"));
    insta::assert_snapshot!(github.picture(SHOP), @r#"
    acme/shop
      <commit 1>
        cutover/production pending "queued" https://cutover.test/deployments/1
    "#);
    github.close();
}

#[tokio::test]
async fn octocrab_makes_a_deployment_and_follows_it_to_success() {
    let github = world().await;
    let octocrab = octocrab(&github);
    let repos = octocrab.repos("acme", "shop");
    let deployment = repos
        .deployments()
        .create(FIRST)
        .environment("production")
        .auto_merge(false)
        .required_contexts(Vec::<String>::new())
        .payload(json!({ "release": "r1" }))
        .send()
        .await
        .unwrap();
    assert_eq!(deployment.sha, FIRST);
    for state in [
        DeploymentStatusState::InProgress,
        DeploymentStatusState::Success,
    ] {
        let deployments = repos.deployments();
        let statuses = deployments.statuses(deployment.id);
        statuses
            .create(state)
            .log_url("https://cutover.test/deployments/1")
            .environment_url("https://shop.test")
            .description("live")
            .auto_inactive(false)
            .send()
            .await
            .unwrap();
    }
    let statuses = repos
        .deployments()
        .statuses(deployment.id)
        .list()
        .send()
        .await
        .unwrap();
    assert_eq!(
        statuses.items[0].state,
        DeploymentStatusState::Success,
        "the newest comes first"
    );
    assert_eq!(
        repos
            .deployments()
            .list()
            .environment("production")
            .send()
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    insta::assert_snapshot!(github.picture(SHOP), @r#"
    acme/shop
      deployment 1 production <commit 1> is-production
        in_progress "live" https://shop.test https://cutover.test/deployments/1
        success "live" https://shop.test https://cutover.test/deployments/1
    "#);
    assert_eq!(
        github.deployments(SHOP)[0].payload,
        json!({ "release": "r1" })
    );
    github.close();
}

#[tokio::test]
async fn octocrab_reads_the_head_of_a_branch_with_a_slash() {
    let github = world().await;
    github.commit(SHOP, "release/may", SECOND);
    let octocrab = octocrab(&github);
    let commit = octocrab
        .commits("acme", "shop")
        .get("heads/release/may")
        .await
        .unwrap();
    assert_eq!(commit.sha, SECOND);
    assert_eq!(commit.parents[0].sha.as_deref(), Some(FIRST));
    let branch: Value = octocrab
        .get("/repos/acme/shop/branches/release/may", None::<&()>)
        .await
        .unwrap();
    assert_eq!(branch["commit"]["sha"], SECOND);
    let git_ref: Value = octocrab
        .get("/repos/acme/shop/git/ref/heads/main", None::<&()>)
        .await
        .unwrap();
    assert_eq!(git_ref["object"]["sha"], FIRST);
    let repository = octocrab.repos("acme", "shop").get().await.unwrap();
    assert_eq!(repository.default_branch.as_deref(), Some("main"));
    github.close();
}

#[tokio::test]
async fn octocrab_logs_in_as_an_app_and_gets_a_new_token_when_the_old_one_ends() {
    let github = world().await;
    let app = github.app(77);
    let octocrab = as_app(&github, app.id, &app.private_key_pem());
    let installation = octocrab
        .apps()
        .get_repository_installation("acme", "shop")
        .await
        .unwrap();
    assert_eq!(installation.id, InstallationId(app.installation));
    let shop = octocrab.installation(installation.id).unwrap();
    for turn in ["first", "second"] {
        let repos = shop.repos("acme", "shop");
        repos
            .create_status(FIRST.to_owned(), StatusState::Success)
            .context(turn.to_owned())
            .send()
            .await
            .unwrap();
        github.expire_tokens();
    }
    let tokens = github
        .requests()
        .iter()
        .filter(|line| line.ends_with("access_tokens -> 201"))
        .count();
    assert_eq!((github.statuses(SHOP, FIRST).len(), tokens), (2, 2));
    github.close();
}

#[tokio::test]
async fn a_token_asked_for_one_repository_reaches_no_other() {
    let github = world().await;
    github.add_repo("acme/blog", "file:///srv/blog.git");
    let app = github.app(77);
    let octocrab = as_app(&github, app.id, &app.private_key_pem());
    let path = format!("/app/installations/{}/access_tokens", app.installation);
    let answer: Value = octocrab
        .post(path, Some(&json!({ "repositories": ["blog"] })))
        .await
        .unwrap();
    let token = answer["token"].as_str().unwrap();
    let asked = super::request(&github, "GET", "/repos/acme/shop/deployments")
        .bearer_auth(token)
        .send()
        .await
        .unwrap();
    assert_eq!(asked.status(), 404);
    assert_eq!(github.take_unexpected().len(), 1);
    github.close();
}

#[tokio::test]
async fn a_jwt_by_another_key_is_refused() {
    let github = world().await;
    let app = github.app(77);
    let other = openssl_key();
    let error = as_app(&github, app.id, &other)
        .apps()
        .get_repository_installation("acme", "shop")
        .await
        .unwrap_err();
    assert!(
        format!("{error:?}").contains("could not be decoded"),
        "{error:?}"
    );
    let error = as_app(&github, 78, &app.private_key_pem())
        .apps()
        .get_repository_installation("acme", "shop")
        .await;
    assert!(
        format!("{error:?}").contains("Integration not found"),
        "{error:?}"
    );
    assert_eq!(github.take_unexpected().len(), 2);
    github.close();
}

#[tokio::test]
async fn an_app_that_is_not_installed_for_a_repository_finds_none() {
    let github = world().await;
    let app = github.app(77);
    github.install_only_for(&["acme/blog"]);
    let octocrab = as_app(&github, app.id, &app.private_key_pem());
    let error = octocrab
        .apps()
        .get_repository_installation("acme", "shop")
        .await
        .unwrap_err();
    assert!(format!("{error:?}").contains("Not Found"), "{error:?}");
    github.close();
}

fn as_app(github: &GitHub, id: u64, pem: &str) -> Octocrab {
    let builder = Octocrab::builder().base_uri(github.base_url()).unwrap();
    builder
        .app_from_rsa_pem(AppId(id), pem)
        .unwrap()
        .build()
        .unwrap()
}

fn openssl_key() -> String {
    let arguments = [
        "genpkey",
        "-algorithm",
        "RSA",
        "-pkeyopt",
        "rsa_keygen_bits:2048",
    ];
    String::from_utf8(
        std::process::Command::new("openssl")
            .args(arguments)
            .output()
            .unwrap()
            .stdout,
    )
    .unwrap()
}

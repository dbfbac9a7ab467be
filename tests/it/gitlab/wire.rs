//! python-gitlab, a client that others keep, takes the kit's GitLab for the real one, and our client says what it says.

use cutover::forge::gitlab::api::{self, NewCommitStatus, NewDeployment, State};
use cutover::settings::{GitLab as Settings, HookSecrets};
use cutover_deploy::CommitSha;
use kit::gitlab::{GitLab, wire_form};
use secrecy::SecretString;

use super::{FIRST, SECOND, SHOP, world};

const SCRIPT: &str = include_str!("wire.py");
const LINK: &str = "https://cutover.test/deployments/one";

#[tokio::test]
async fn our_client_says_what_python_gitlab_says() {
    let (theirs, ours) = (world().await, world().await);
    for gitlab in [&theirs, &ours] {
        gitlab.commit(SHOP, "main", SECOND);
    }
    let (url, token) = (
        theirs.base_url().replace("/api/v4", ""),
        theirs.token().to_owned(),
    );
    let said = tokio::task::spawn_blocking(move || {
        wire_form(SCRIPT, &[&url, &token, SHOP, FIRST, SECOND])
    });
    assert_eq!(said.await.unwrap(), "failed success\n");
    report(&ours).await;
    assert_eq!(bodies(&ours), bodies(&theirs));
    assert_eq!(ours.picture(SHOP), theirs.picture(SHOP));
    insta::assert_snapshot!(ours.picture(SHOP), @r#"
    acme/web/shop
      <commit 1> main cutover/production https://cutover.test/deployments/one
        pending "queued"
        running "deploying to production"
        success "one is live"
      environment production https://shop.test
      deployment 1 production <commit 1> main running > success
      deployment 2 production <commit 2> main running > failed
    "#);
    theirs.close();
    ours.close();
}

/// The same story as the script's, by our client.
async fn report(gitlab: &GitLab) {
    let client = client(gitlab);
    let [first, second] = [FIRST, SECOND].map(|sha| CommitSha::parse(sha).unwrap());
    for (state, description) in [
        (State::Pending, "queued"),
        (State::Running, "deploying to production"),
        (State::Success, "one is live"),
    ] {
        let status = NewCommitStatus {
            state,
            branch: Some("main"),
            name: "cutover/production",
            target_url: Some(LINK),
            description,
        };
        client.mark_commit(SHOP, &first, &status).await.unwrap();
    }
    client
        .place(SHOP, "production", "https://shop.test")
        .await
        .unwrap();
    for (sha, ends) in [(&first, State::Success), (&second, State::Failed)] {
        let new = NewDeployment {
            environment: "production",
            sha,
            name: "main",
            tag: false,
            status: State::Running,
        };
        let number = client.enter(SHOP, &new).await.unwrap();
        assert_eq!(client.alike(SHOP, &new).await.unwrap(), [number]);
        client.mark(SHOP, number, ends).await.unwrap();
    }
}

/// Our client, with the world's token.
pub(super) fn client(gitlab: &GitLab) -> api::GitLab {
    let settings = Settings {
        hook: HookSecrets {
            tokens: Vec::new(),
            signing: Vec::new(),
        },
        token: SecretString::from(gitlab.token()),
        api_url: gitlab.base_url(),
    };
    api::GitLab::new(&settings).unwrap()
}

/// What was sent, as values: the order of fields is nobody's business, nor are the numbers that each world gave.
pub(super) fn bodies(gitlab: &GitLab) -> Vec<(String, serde_json::Value)> {
    let parsed = |line: &String| {
        let (place, body) = line.split_once(" {").unwrap();
        let place = place.trim_end_matches(|c: char| c.is_ascii_digit());
        (
            place.to_owned(),
            serde_json::from_str(&format!("{{{body}")).unwrap(),
        )
    };
    gitlab.bodies().iter().map(parsed).collect()
}

#[tokio::test]
async fn git_fetches_from_the_web_address_with_a_header() {
    let settings = |api_url: &str| Settings {
        hook: HookSecrets {
            tokens: Vec::new(),
            signing: Vec::new(),
        },
        token: SecretString::from("glpat-x"),
        api_url: api_url.to_owned(),
    };
    for (api_url, git_url) in [
        (
            "https://gitlab.com/api/v4",
            "https://gitlab.com/acme/web/shop.git",
        ),
        (
            "https://git.test/forge/api/v4",
            "https://git.test/forge/acme/web/shop.git",
        ),
    ] {
        let client = api::GitLab::new(&settings(api_url)).unwrap();
        assert_eq!(client.git_url(SHOP), git_url);
        let header = client.git_authorization();
        // The pair `oauth2:glpat-x` in base64.
        let right = "Basic b2F1dGgyOmdscGF0LXg=";
        assert_eq!(secrecy::ExposeSecret::expose_secret(&header), right);
        assert!(!format!("{client:?}").contains("glpat"));
    }
}

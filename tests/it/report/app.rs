//! The service as a GitHub App: installations and their tokens come and go.

use super::*;

fn app(github: &GitHub) -> Login {
    let app = github.app(77);
    Login::App {
        id: app.id,
        private_key: SecretString::from(app.private_key_pem()),
    }
}

#[tokio::test]
async fn a_github_app_reports_and_renews_its_tokens() {
    let github = GitHub::start().await;
    let login = app(&github);
    let world = World::with(github, login).await;
    world.queue("one", "production", FIRST).await;
    world.told("one").await;
    world.github.expire_tokens();
    let id = world.begin().await;
    world.end(&id, &deployed("one"), Some(("one", FIRST))).await;
    world.told("one").await;
    let made = world.github.deployments(SHOP);
    assert_eq!(
        (made.len(), made[0].statuses.last().unwrap().state.as_str()),
        (1, "success")
    );
    assert!(
        world
            .states("one")
            .await
            .iter()
            .all(|state| state == "sent"),
        "{:?}",
        world.states("one").await
    );
    world.close().await;
}

#[tokio::test]
async fn a_lost_installation_is_looked_up_anew_and_a_refused_token_is_asked_for_again() {
    let github = GitHub::start().await;
    let login = app(&github);
    github.answer_next_to("/access_tokens", 1, Trouble::Fails(404));
    github.answer_next_to("/access_tokens", 1, Trouble::Fails(403));
    let world = World::with(github, login).await;
    world.queue("one", "production", FIRST).await;
    world.told("one").await;
    assert_eq!(world.states("one").await, ["sent", "sent", "sent"]);
    assert_eq!(world.github.troubles_left(), 0);
    let asked = world.github.requests();
    let lookups = asked.iter().filter(|line| line.contains("/installation "));
    assert_eq!(lookups.count(), 2, "{asked:#?}");
    drop(world.github.take_unexpected());
    world.close().await;
}

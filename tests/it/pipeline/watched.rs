//! A release looked at from more sides than its own host: what is not well takes it back, and the host is healthy again.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::get;
use cutover_deploy::Config;
use insta::assert_snapshot;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::scene::{Plot, Scene};
use super::told::Told;

/// What stands in front of the hosts: it answers as the last of them does on which something is live.
struct Front {
    url: String,
    hosts: Arc<OnceLock<Vec<PathBuf>>>,
    server: JoinHandle<()>,
}

impl Front {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let hosts = Arc::default();
        let router = Router::new().route("/health", get(health));
        let router = router.with_state(Arc::clone(&hosts));
        let server = tokio::spawn(async move { drop(axum::serve(listener, router).await) });
        Self { url, hosts, server }
    }

    /// Hosts behind it, that are asked through it.
    async fn before(self, hosts: usize, plot: Plot) -> (Self, Scene) {
        let health = format!(
            "attempts = 2\ninterval = \"100ms\"\nheaders = {{ Content-Type = \"text/plain\" }}\noutside = [\"{}/health\"]",
            self.url
        );
        let scene = Scene::of(hosts, Plot { health, ..plot }).await;
        let paths = scene.hosts.iter().map(|host| host.path().clone());
        self.hosts.set(paths.collect()).unwrap();
        (self, scene)
    }

    fn after_the_barrier(&self, told: &Told) -> String {
        self.tame(&told.after_the_barrier())
    }

    fn tame(&self, text: &str) -> String {
        text.replace(&self.url, "https://shop.example.com")
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A release with a file `unseen` is well on its host, and cannot be seen through what stands in front of it.
async fn health(State(hosts): State<Arc<OnceLock<Vec<PathBuf>>>>) -> impl IntoResponse {
    let live = |host: &&PathBuf| host.join("current/health.json").exists();
    let Some(host) = hosts.get().and_then(|hosts| hosts.iter().rfind(live)) else {
        return (
            StatusCode::BAD_GATEWAY,
            "nobody\u{1b}[2J is there".to_owned(),
        );
    };
    if host.join("current/unseen").exists() {
        return (
            StatusCode::BAD_GATEWAY,
            "nobody\u{1b}[2J is there".to_owned(),
        );
    }
    let body = std::fs::read_to_string(host.join("current/health.json"));
    (StatusCode::OK, body.unwrap_or_default())
}

#[tokio::test]
async fn a_release_that_is_well_on_its_hosts_and_not_seen_from_outside_is_taken_back() {
    let plot = Plot {
        keys: "strategy = \"rolling\"".to_owned(),
        ..Plot::default()
    };
    let (front, scene) = Front::start().await.before(2, plot).await;
    let first = scene.deploy(&[]).await;
    assert_eq!(first.exit(), 0, "{}", first.outcome());
    // The second host still answers with the release before while the first one is proven.
    let told = scene.deploy(&[("index.html", "two")]).await;
    assert_snapshot!(front.after_the_barrier(&told), @"
    == switch (wave 1 of 2)
    web1 mark live: ok
    web1 | current -> releases/r2
    web1 swap: ok
    == health (wave 1 of 2)
    web1 health 1 of 2: HTTP 200
    == outside (wave 1 of 2)
    here health 1 of 2: https://shop.example.com/health: HTTP 200
    == switch (wave 2 of 2)
    web2 mark live: ok
    web2 | current -> releases/r2
    web2 swap: ok
    == health (wave 2 of 2)
    web2 health 1 of 2: HTTP 200
    == outside (wave 2 of 2)
    here health 1 of 2: https://shop.example.com/health: HTTP 200
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    web2 mark healthy: ok
    web2 prune: ok
    ");
    let told = scene
        .deploy(&[("unseen", ""), ("index.html", "three")])
        .await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(front.after_the_barrier(&told), @"
    == switch (wave 1 of 2)
    web1 mark live: ok
    web1 | current -> releases/r3
    web1 swap: ok
    == health (wave 1 of 2)
    web1 health 1 of 2: HTTP 200
    == outside (wave 1 of 2)
    here health 1 of 2: https://shop.example.com/health: HTTP 200
    == switch (wave 2 of 2)
    web2 mark live: ok
    web2 | current -> releases/r3
    web2 swap: ok
    == health (wave 2 of 2)
    web2 health 1 of 2: HTTP 200
    == outside (wave 2 of 2)
    here health 1 of 2: https://shop.example.com/health: HTTP 502, not 200: nobody is there
    here health 2 of 2: https://shop.example.com/health: HTTP 502, not 200: nobody is there
    web2 note: outside: https://shop.example.com/health did not become healthy in 2 attempts: HTTP 502, not 200: nobody is there. Ask it from here yourself: `curl -i 'https://shop.example.com/health'`.
    == undo
    web1 | current -> releases/r2
    web1 swap: ok
    web1 mark restored: ok
    web1 mark rolled back: ok
    web2 | current -> releases/r2
    web2 swap: ok
    web2 mark restored: ok
    web2 mark rolled back: ok
    == health after undo
    web1 health 1 of 2: HTTP 200
    web2 health 1 of 2: HTTP 200
    == outside after undo
    here health 1 of 2: https://shop.example.com/health: HTTP 200
    ");
    assert_snapshot!(front.tame(&told.outcome()), @"
    rolled back: r2 is live and healthy again; r3 failed
      outside: https://shop.example.com/health did not become healthy in 2 attempts: HTTP 502, not 200: nobody is there
      Ask it from here yourself: `curl -i 'https://shop.example.com/health'`.
    ");
    let live = |host: &kit::Host| host.read("current/index.html").unwrap();
    assert_eq!(
        scene.hosts.iter().map(live).collect::<Vec<_>>(),
        ["two", "two"]
    );
    assert_snapshot!(scene.picture().await, @"
    == web1
    current -> releases/2
    releases/1/
    releases/2/
    releases/3/
    shared/.env
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    .cutover/releases/3.json rolled-back
    == web2
    current -> releases/2
    releases/1/
    releases/2/
    releases/3/
    shared/.env
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    .cutover/releases/3.json rolled-back
    ");
    scene.close().await;
}

#[tokio::test]
async fn what_is_seen_only_later_from_outside_takes_it_back_too() {
    let plot = Plot {
        keys: "watch = \"1h\"".to_owned(),
        ..Plot::default()
    };
    let (front, mut scene) = Front::start().await.before(1, plot).await;
    let watched = scene.text.clone();
    scene.config = Config::parse("cutover.toml", &watched.replace("\"1h\"", "\"0s\"")).unwrap();
    assert_eq!(scene.deploy(&[("index.html", "one")]).await.exit(), 0);
    scene.config = Config::parse("cutover.toml", &watched).unwrap();
    let request = scene.wish(&[("index.html", "two")]).await;
    let running = scene.begin(&request);
    running
        .tells(|event| event.to_string().contains("== watch"))
        .await;
    scene.host().write("current/unseen", "");
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(front.tame(&told.outcome()), @"
    rolled back: r1 is live and healthy again; r2 failed
      watch: https://shop.example.com/health was not healthy 2 times in a row: HTTP 502, not 200: nobody is there
      Ask it from here yourself: `curl -i 'https://shop.example.com/health'`.
    ");
    assert_eq!(scene.host().read("current/index.html").unwrap(), "one");
    scene.close().await;
}

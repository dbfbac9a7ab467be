//! Docker Compose, by the template that users copy.

use std::time::Duration;

use insta::assert_snapshot;
use kit::WORKER;
use tokio::process::Command;

use super::{Shop, ended};

const WORKERS: &str = r#"manager = "compose"
compose = { project = "shop" }"#;

/// The template, with the folder of the release in a container of an image that is here.
fn service(shop: &Shop) -> String {
    let template = include_str!("../../../../templates/compose.yaml");
    let queue = shop.queue();
    let mounts = format!(
        "volumes: [\"${{CUTOVER_RELEASE_PATH}}:${{CUTOVER_RELEASE_PATH}}\", \"{0}:{0}\"]\n    working_dir: ${{CUTOVER_RELEASE_PATH}}",
        queue.display()
    );
    let mut text = template.to_owned();
    for (word, value) in [
        (
            "image: registry.example.com/shop:${CUTOVER_COMMIT}",
            format!("image: php:cli\n    {mounts}"),
        ),
        ("APP_ENV: production", format!("QUEUE: {}", queue.display())),
    ] {
        assert!(text.contains(word), "{word}");
        text = text.replace(word, &value);
    }
    text
}

#[tokio::test]
async fn compose_starts_new_containers_beside_the_old_ones_and_ends_those() {
    let shop = Shop::start(WORKERS).await;
    let config = shop.docker().compose();
    from_release_to_release(shop, config).await;
}

#[cfg(feature = "matrix")]
#[tokio::test]
async fn compose_2_starts_new_containers_beside_the_old_ones_and_ends_those() {
    let shop = Shop::start(WORKERS).await;
    shop.docker().plug_compose_in().await;
    let mut version = shop.docker().docker();
    let version = version
        .args(["compose", "version", "--short"])
        .output()
        .await;
    let version = String::from_utf8(version.unwrap().stdout).unwrap();
    assert!(version.starts_with("2."), "{version}");
    let mut config = shop.docker().docker();
    config.arg("compose");
    from_release_to_release(shop, config).await;
}

/// The story, with a client of Compose that is to take the template as it is.
async fn from_release_to_release(shop: Shop, mut config: Command) {
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/compose.yaml");
    config.args(["--file", template, "config", "--quiet"]);
    assert!(config.status().await.unwrap().success());
    let good = service(&shop);
    let deploy = async |text: &str| {
        let files = [("artisan", WORKER), ("compose.yaml", text)];
        shop.scene.deploy(&files).await
    };
    ended(&deploy(&good).await, 0);
    assert_eq!(shop.begin("long").await, "r1");
    ended(&deploy(&format!("{good}# two\n")).await, 0);
    shop.settles(&["r1 running told", "r2 running", "r2 running"])
        .await;
    assert_eq!(shop.end("long").await, "r1");
    shop.settles(&["r2 running", "r2 running"]).await;
    ended(&shop.scene.rollback().await, 0);
    shop.settles(&["r1 running", "r1 running"]).await;

    let live = shop.scene.live();
    for (from, to, reason) in [
        (
            "stop_grace_period: 70s",
            "stop_grace_period: 10s",
            "write: stop_grace_period: 60s",
        ),
        (
            "cutover.release:",
            "app:",
            "its container does not say its release",
        ),
    ] {
        assert!(good.contains(from), "{from}");
        let told = deploy(&good.replace(from, to)).await;
        ended(&told, 1);
        assert!(told.outcome().contains(reason), "{}", told.outcome());
        assert_eq!(shop.scene.live(), live);
        assert_eq!(
            shop.containers().await,
            ["r1 running", "r1 running"],
            "{to}"
        );
    }
    as_the_doctor_sees_it(&shop).await;
    shop.close().await;
}

/// Containers that somebody has started, and a drain that is longer than what they get.
async fn as_the_doctor_sees_it(shop: &Shop) {
    assert_snapshot!(named(shop, Duration::from_mins(1)).await, @"
    container.grace is fine
    container.shell-form is fine
    container.stop-signal is fine
    ");
    assert_snapshot!(named(shop, Duration::from_secs(90)).await, @"
    container.grace: shop-shop-worker-5 gets 70 s, and a job may take 90 s; stop_grace_period: 90s
    container.grace: shop-shop-worker-6 gets 70 s, and a job may take 90 s; stop_grace_period: 90s
    container.shell-form is fine
    container.stop-signal is fine
    ");
    let mut by_hand = shop.docker().docker();
    by_hand.args(["run", "--detach", "--name=by-hand", "--network=host"]);
    for (key, value) in [
        ("project", "shop"),
        ("service", "shop-worker"),
        ("oneoff", "False"),
    ] {
        by_hand.arg(format!("--label=com.docker.compose.{key}={value}"));
    }
    by_hand.args([
        "--stop-signal=SIGKILL",
        "--stop-timeout=5",
        "php:cli",
        "sh",
        "-c",
    ]);
    let started = by_hand.arg("php -r 'sleep(600);'").status().await;
    assert!(started.unwrap().success());
    assert_snapshot!(named(shop, Duration::from_mins(1)).await, @r#"
    container.grace: by-hand gets 5 s, and a job may take 60 s; stop_grace_period: 60s
    container.shell-form: by-hand starts its worker under a shell, which keeps TERM to itself; ["php", "artisan", "queue:work"], or `exec php …` in the shell
    container.stop-signal: by-hand is stopped by SIGKILL; STOPSIGNAL SIGTERM in its Dockerfile, and no other where it is started
    "#);
}

/// What the doctor names for this drain. The first Compose had other hyphens in names.
async fn named(shop: &Shop, drain: Duration) -> String {
    let told = shop.diagnosed(|environment| environment.workers[0].drain_timeout = drain);
    told.await.replace("shop_shop-worker_", "shop-shop-worker-")
}

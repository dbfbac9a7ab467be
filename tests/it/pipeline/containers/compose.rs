//! Docker Compose, by the template that users copy.

use kit::WORKER;

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
    let template = concat!(env!("CARGO_MANIFEST_DIR"), "/../templates/compose.yaml");
    let mut config = shop.docker().compose();
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
            "stop_grace_period: 60s",
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
    shop.close().await;
}

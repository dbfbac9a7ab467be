//! Plain Docker.

use std::time::Duration;

use insta::assert_snapshot;
use kit::{WORKER, wait_for};

use super::{APP, Shop, ended};
use crate::pipeline::told::Told;

/// One image for all releases, whose folder is brought in.
const MOUNTED: &str = r#"manager = "docker"
docker = { image = "php:cli", command = ["php", "artisan", "queue:work"], options = ["--network=host"] }"#;

const COMMAND: &str = r#"["php", "artisan", "queue:work"]"#;

#[tokio::test]
async fn a_long_job_ends_in_its_old_container_while_the_new_release_is_live() {
    let command = r#"["php", "artisan", "queue:work", "--tries=3", "--max-time=3600"]"#;
    let careful = MOUNTED.replace(COMMAND, command) + "\ndrain_timeout = \"70s\"";
    let shop = Shop::start(&careful).await;
    ended(&shop.deploy("one").await, 0);
    assert_eq!(shop.containers().await, ["r1 running", "r1 running"]);
    assert_eq!(shop.begin("long").await, "r1");

    let told = shop.deploy("two").await;
    ended(&told, 0);
    let proven = |told: &Told| told.story().matches(" runs r2").count();
    assert_eq!(proven(&told), 2, "{}", told.story());
    shop.settles(&["r1 running told", "r2 running", "r2 running"])
        .await;
    assert_eq!(shop.begin("next").await, "r2");
    assert_eq!(shop.end("next").await, "r2");
    assert_eq!(shop.end("long").await, "r1");
    shop.settles(&["r2 running", "r2 running"]).await;

    ended(&shop.scene.rollback().await, 0);
    shop.settles(&["r1 running", "r1 running"]).await;
    assert_eq!(shop.begin("back").await, "r1");
    assert_eq!(shop.end("back").await, "r1");
    assert_snapshot!(shop.all_diagnosed().await, @r#"
    queue.watched: nothing looks at failed and overdue jobs after a swap; watch = "5m", and [environments.production.alarms.queue] with failed = 0
    fine: app.debug container.grace container.shell-form container.stop-signal env.rights health.body health.release host.clock host.disk host.inodes host.key host.ln host.reach host.sudo php.extensions php.pcntl php.versions queue.cache-prefix queue.cache-store queue.failed-jobs queue.overlap-lock queue.retry-after releases.kept shared.linked web.dotfiles workers.hand-over workers.listen workers.max-time workers.memory workers.running workers.stale workers.timeout workers.tries workers.unmanaged
    "#);
    shop.close().await;
}

#[tokio::test]
async fn what_would_lose_a_job_is_refused_before_anything_is_touched() {
    let mut shop = Shop::start(&format!("{MOUNTED}\ndrain_timeout = \"2s\"")).await;
    ended(&shop.deploy("one").await, 0);
    let running = async |shop: &Shop| {
        let mut all = shop.docker().containers("{{.State}} {{.ID}}").await;
        all.retain(|line| line.starts_with("running"));
        all
    };
    let ids = running(&shop).await;
    let live = shop.scene.live();
    for (command, reason) in [
        (
            r#"["sh", "-c", "php artisan queue:work"]"#,
            "a shell runs its command",
        ),
        // Nothing in the command tells it, but the kernel does.
        (r#"["sh", "start.sh"]"#, "SHELL"),
    ] {
        shop.configure(COMMAND, command);
        let files = [
            ("artisan", WORKER),
            ("start.sh", "php artisan queue:work\ntrue\n"),
        ];
        let told = shop.scene.deploy(&files).await;
        ended(&told, 1);
        assert!(told.outcome().contains(reason), "{}", told.outcome());
        assert_eq!(shop.scene.live(), live);
        let only_those = "only the containers from before";
        wait_for(only_those, Duration::from_secs(20), async || {
            let now = running(&shop).await;
            if now == ids {
                Ok(())
            } else {
                Err(format!("{now:?}"))
            }
        })
        .await;
        shop.configure(command, COMMAND);
    }
    // A shell that becomes PHP is none.
    shop.configure(
        COMMAND,
        r#"["sh", "-c", "umask 2 && exec php artisan queue:work"]"#,
    );
    let deaf = "<?php $self = fopen(__FILE__, 'r'); while (true) { sleep(1); }";
    ended(
        &shop
            .scene
            .deploy(&[&APP[..], &[("artisan", deaf)]].concat())
            .await,
        0,
    );
    // Nor does the doctor see one; but what they are given is less than a job may take, and than a longer drain.
    assert_snapshot!(shop.diagnosed(|_| {}).await, @r#"
    container.grace: shop-worker.r4-1 gets 2 s, and a job may take 60 s; drain_timeout = "70s", then deploy
    container.grace: shop-worker.r4-2 gets 2 s, and a job may take 60 s; drain_timeout = "70s", then deploy
    container.shell-form is fine
    container.stop-signal is fine
    "#);
    let longer = shop.diagnosed(|environment| {
        environment.workers[0].drain_timeout = Duration::from_secs(90);
    });
    assert_snapshot!(longer.await, @r#"
    container.grace: shop-worker.r4-1 gets 2 s, and a job may take 90 s; drain_timeout = "90s", then deploy
    container.grace: shop-worker.r4-2 gets 2 s, and a job may take 90 s; drain_timeout = "90s", then deploy
    container.shell-form is fine
    container.stop-signal is fine
    "#);
    // Nor do they listen for signals, which is clear once they have had the time to begin with it.
    let named = "a worker that listens for no signals to be named";
    wait_for(named, Duration::from_secs(30), async || {
        let told = shop.all_diagnosed().await;
        let found = "php.pcntl: shop-worker.r4-1: its worker listens for no signals";
        if told.contains(found) {
            Ok(())
        } else {
            Err(told)
        }
    })
    .await;
    shop.close().await;
}

#[tokio::test]
async fn a_container_that_is_killed_in_its_job_is_named_and_takes_the_release_back() {
    let waits = format!("{MOUNTED}\nafter_drain = \"fail\"\ndrain_timeout = \"1m\"");
    let shop = Shop::start(&waits).await;
    ended(&shop.deploy("one").await, 0);
    assert_eq!(shop.begin("lost").await, "r1");

    let request = shop
        .scene
        .wish(&[("artisan", WORKER), ("mark", "two")])
        .await;
    let running = shop.scene.begin(&request);
    let killed = wait_for(
        "the old container to be told",
        Duration::from_mins(1),
        async || {
            let all = shop.docker().containers("{{.Names}} {{.State}}").await;
            // Two are new, and of the old ones only the one with the job is left.
            let told = all.iter().find(|line| line.starts_with("ending."));
            let told = told.filter(|line| all.len() == 3 && line.ends_with("running"));
            told.map(|line| line.split(' ').next().unwrap().to_owned())
                .ok_or(all.join("\n"))
        },
    )
    .await;
    // As the kernel does where memory runs out.
    let kill = shop
        .docker()
        .docker()
        .args(["kill", &killed])
        .status()
        .await;
    assert!(kill.unwrap().success());
    let told = running.end().await;
    ended(&told, 1);
    assert!(
        told.outcome()
            .contains("a job was lost with workers of shop-worker"),
        "{}",
        told.outcome()
    );
    assert!(told.outcome().contains("LOST:137"), "{}", told.outcome());
    let running: Vec<_> = shop
        .containers()
        .await
        .into_iter()
        .filter(|line| line.ends_with("running"))
        .collect();
    assert_eq!(running, ["r1 running", "r1 running"], "{}", told.story());
    shop.close().await;
}

#[tokio::test]
async fn every_release_has_its_image_and_a_rollback_has_the_old_one() {
    let image = r#"manager = "docker"
docker = { image = "shop:{commit}", options = ["--network=host", "--env=QUEUE=@queue@", "--volume=@queue@:@queue@"] }"#;
    let shop = Shop::start(image).await;
    let mut commits = Vec::new();
    for mark in ["one", "two"] {
        let request = shop.scene.wish(&[("mark", mark)]).await;
        let cutover_deploy::Kind::Deploy { commit } = &request.kind else {
            unreachable!("it was wished for")
        };
        let name = format!("shop:{commit}");
        shop.docker().build(&name, &dockerfile(mark)).await;
        commits.push(name);
        ended(&shop.scene.run(&request).await, 0);
    }
    let images = async || shop.docker().containers("{{.Image}}").await;
    shop.settles(&["r2 running", "r2 running"]).await;
    assert_eq!(images().await, [&*commits[1], &*commits[1]]);
    assert_eq!(shop.begin("job").await, "r2");
    let rollback = shop.scene.rollback().await;
    ended(&rollback, 0);
    assert_eq!(shop.end("job").await, "r2");
    shop.settles(&["r1 running", "r1 running"]).await;
    assert_eq!(images().await, [&*commits[0], &*commits[0]]);

    // A release without an image comes nowhere near the live one.
    let told = shop.scene.deploy(&[("mark", "three")]).await;
    ended(&told, 1);
    assert!(told.outcome().contains("shop:"), "{}", told.outcome());
    assert_eq!(shop.containers().await, ["r1 running", "r1 running"]);
    shop.close().await;
}

/// The template, without what only the internet has.
fn dockerfile(mark: &str) -> String {
    let mut text = include_str!("../../../../templates/Dockerfile").to_owned();
    let pcntl = r#"RUN php -r 'exit(extension_loaded("pcntl") ? 0 : 1);'"#;
    let label = format!("WORKDIR /app\nLABEL mark={mark}");
    for (line, here) in [
        ("FROM php:8.4-cli", "FROM php:cli"),
        ("RUN docker-php-ext-install pcntl", pcntl),
        ("WORKDIR /app", &label),
    ] {
        assert!(text.contains(line), "{line}");
        text = text.replace(line, here);
    }
    text
}

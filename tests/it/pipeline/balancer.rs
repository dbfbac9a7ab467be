//! Hosts behind a load balancer: each leaves before its swap and comes back when it is healthy, whatever happens.

use insta::assert_snapshot;
use kit::{Balancer, Load, LoadReport};

use super::scene::{Plot, Scene};
use super::told::Told;

/// What the app does when it is told that it is live: for a while it answers with 500 only.
const SLOW_START: &str = "touch $CUTOVER_PATH/shared/ill; sleep 0.5; rm $CUTOVER_PATH/shared/ill";

/// Two hosts behind a balancer, which become live one after another and start slowly, with a first release on both.
async fn behind_a_balancer() -> (Scene, Balancer) {
    let lines = [
        ("before_swap", "sh haproxy.sh away; ! test -e storage/stuck"),
        ("after_swap", SLOW_START),
        ("after_health", "sh haproxy.sh back"),
    ];
    let steps = lines.map(|(key, line)| format!("{key} = [\"{line}\"]\n"));
    let plot = Plot {
        steps: steps.concat(),
        keys: "strategy = \"rolling\"".to_owned(),
        ..Plot::default()
    };
    let scene = Scene::of(2, plot).await;
    let servers: Vec<_> = scene
        .hosts
        .iter()
        .zip(scene.sites())
        .map(|(host, site)| (host.name(), site.address()))
        .collect();
    let balancer = Balancer::start(&servers).await;
    let first = scene.deploy(&[("haproxy.sh", &balancer.script())]).await;
    assert_eq!(first.exit(), 0, "{}", first.story());
    (scene, balancer)
}

/// How the balancer sees the hosts, in one line.
fn seen(balancer: &Balancer) -> String {
    let servers = balancer.servers().into_iter();
    let servers = servers.map(|(name, status)| format!("{name} {status}"));
    servers.collect::<Vec<_>>().join(", ")
}

const ALL_SERVE: &str = "web1 no check, web2 no check";

/// Deploys these files while a client asks the balancer 40 times a second.
async fn under_load(
    scene: &Scene,
    balancer: &Balancer,
    files: &[(&str, &str)],
) -> (Told, LoadReport) {
    let mut load = Load::start(&format!("{}/health", balancer.url()), 40);
    load.answers(10).await;
    let told = scene.deploy(files).await;
    load.answers(10).await;
    (told, load.stop().await)
}

#[tokio::test]
async fn a_rolling_deployment_behind_a_balancer_fails_no_request() {
    let (scene, balancer) = behind_a_balancer().await;
    let (told, report) = under_load(&scene, &balancer, &[("index.html", "two")]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    assert_eq!(report.failed, 0, "{report}");
    assert_eq!(report.releases.len(), 2, "{report}");
    assert_eq!(seen(&balancer), ALL_SERVE);
    assert_snapshot!(told.after_the_barrier(), @"
    == switch (wave 1 of 2)
    web1 mark live: ok
    web1 before swap: sh haproxy.sh away; ! test -e storage/stuck: ok
    web1 | current -> releases/r2
    web1 swap: ok
    web1 after swap: touch $CUTOVER_PATH/shared/ill; sleep 0.5; rm $…: ok
    == health (wave 1 of 2)
    web1 health 1 of 2: HTTP 200
    == rejoin (wave 1 of 2)
    web1 after health: sh haproxy.sh back: ok
    == switch (wave 2 of 2)
    web2 mark live: ok
    web2 before swap: sh haproxy.sh away; ! test -e storage/stuck: ok
    web2 | current -> releases/r2
    web2 swap: ok
    web2 after swap: touch $CUTOVER_PATH/shared/ill; sleep 0.5; rm $…: ok
    == health (wave 2 of 2)
    web2 health 1 of 2: HTTP 200
    == rejoin (wave 2 of 2)
    web2 after health: sh haproxy.sh back: ok
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    web2 mark healthy: ok
    web2 prune: ok
    ");
    assert_snapshot!(told.matrix(), @"
    host  stage     migrate  switch    health    watch  keep      undo  live
    web1  ok 0.0 s  –        ok 0.0 s  ok 0.0 s  –      ok 0.0 s  –     r2
    web2  ok 0.0 s  –        ok 0.0 s  ok 0.0 s  –      ok 0.0 s  –     r2
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_host_whose_new_release_is_ill_comes_back_to_the_balancer_with_the_old_one() {
    let (scene, balancer) = behind_a_balancer().await;
    let (told, report) = under_load(&scene, &balancer, &[("ok", "false")]).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_eq!(report.failed, 0, "{report}");
    assert_eq!(report.releases.len(), 1, "{report}");
    assert_eq!(seen(&balancer), ALL_SERVE);
    assert_snapshot!(told.after_the_barrier(), @"
    == switch (wave 1 of 2)
    web1 mark live: ok
    web1 before swap: sh haproxy.sh away; ! test -e storage/stuck: ok
    web1 | current -> releases/r2
    web1 swap: ok
    web1 after swap: touch $CUTOVER_PATH/shared/ill; sleep 0.5; rm $…: ok
    == health (wave 1 of 2)
    web1 health 1 of 2: ok is false, not true
    web1 health 2 of 2: ok is false, not true
    web1 note: health on web1: http://shop.test/health did not become healthy in 2 attempts: ok is false, not true. Look at the app's own log on the host, below shared/storage/logs for Laravel.
    == undo
    web1 | current -> releases/r1
    web1 swap: ok
    web1 mark restored: ok
    web1 mark rolled back: ok
    web1 after swap: touch $CUTOVER_PATH/shared/ill; sleep 0.5; rm $…: ok
    == health after undo
    web1 health 1 of 2: HTTP 200
    == rejoin after undo
    web1 after health: sh haproxy.sh back: ok
    == abandon
    web2 clean: ok
    web2 mark failed: ok
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_host_comes_back_to_the_balancer_when_its_leaving_or_its_swap_fails() {
    let (scene, balancer) = behind_a_balancer().await;
    scene.hosts[0].write("shared/storage/stuck", "");
    let told = scene.deploy(&[("index.html", "two")]).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_eq!(seen(&balancer), ALL_SERVE);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      before swap: sh haproxy.sh away; ! test -e storage/stuck on web1: exit 1
    ");
    assert_snapshot!(told.after_the_barrier(), @"
    == switch (wave 1 of 2)
    web1 mark live: ok
    web1 before swap: sh haproxy.sh away; ! test -e storage/stuck: exit 1
    web1 note: before swap: sh haproxy.sh away; ! test -e storage/stuck on web1: exit 1
    == rejoin after undo
    web1 after health: sh haproxy.sh back: ok
    == abandon
    web1 clean: ok
    web1 mark failed: ok
    web2 clean: ok
    web2 mark failed: ok
    ");
    scene.hosts[0].sh("rm shared/storage/stuck").await;
    scene.hosts[1].fault_step("swap", 1, "no luck");
    let told = scene.deploy(&[("index.html", "three")]).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_eq!(seen(&balancer), ALL_SERVE);
    assert_snapshot!(told.matrix(), @"
    host  stage     migrate  switch    health    watch  keep  undo      live
    web1  ok 0.0 s  –        ok 0.0 s  ok 0.0 s  –      –     ok 0.0 s  r1
    web2  ok 0.0 s  –        failed    –         –      –     ok 0.0 s  r1
    ");
    scene.hosts[1].mend_step("swap");
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 2, "{}", told.story());
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_cannot_come_back_to_the_balancer_is_named() {
    let (scene, mut balancer) = behind_a_balancer().await;
    balancer.end();
    let told = scene.deploy(&[("index.html", "two")]).await;
    assert_eq!(told.exit(), 3, "{}", told.story());
    let outcome = told.outcome();
    assert!(
        outcome.contains(
            "left on web1: current leads to r1: after health: sh haproxy.sh back on web1: exit 1"
        ),
        "{outcome}"
    );
    scene.close().await;
}

#[tokio::test]
async fn a_rollback_leaves_no_balancer_and_comes_back_in_any_case() {
    let (scene, balancer) = behind_a_balancer().await;
    let told = scene.deploy(&[("index.html", "two")]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    assert_eq!(seen(&balancer), ALL_SERVE);
    assert_snapshot!(told.after_the_barrier(), @"
    == switch
    web1 mark live: ok
    web1 | current -> releases/r1
    web1 swap: ok
    web1 after swap: touch $CUTOVER_PATH/shared/ill; sleep 0.5; rm $…: ok
    web2 mark live: ok
    web2 | current -> releases/r1
    web2 swap: ok
    web2 after swap: touch $CUTOVER_PATH/shared/ill; sleep 0.5; rm $…: ok
    == health
    web1 health 1 of 2: HTTP 200
    web2 health 1 of 2: HTTP 200
    == rejoin
    web1 after health: sh haproxy.sh back: ok
    web2 after health: sh haproxy.sh back: ok
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    web2 mark healthy: ok
    web2 prune: ok
    ");
    scene.close().await;
}

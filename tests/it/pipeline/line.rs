//! Lines that are cut: what is true is learnt, and told. That the host stays whole at every step is the table's affair.

use cutover_deploy::{Event, Outcome};
use insta::{allow_duplicates, assert_snapshot};
use kit::Cut;

use super::scene::{Plot, Scene};

const CUTS: [Cut; 2] = [Cut::AsItBegins, Cut::After];

async fn live() -> Scene {
    let steps = "migrate = [\"echo once >>../../shared/database\"]\nafter_swap = [\"echo told\"]"
        .to_owned();
    let keys = "step_timeout = \"5s\"".to_owned();
    let scene = Scene::of(
        1,
        Plot {
            steps,
            keys,
            ..Plot::default()
        },
    )
    .await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene
}

async fn cut_at(step: &str) {
    for cut in CUTS {
        let scene = live().await;
        scene.host().cut_at(step, cut);
        let told = scene.deploy(&[]).await;
        assert_eq!(
            told.exit(),
            0,
            "{step} {cut:?}\n{}\n{}",
            told.outcome(),
            told.story()
        );
        let wanted = "web1: the connection to web1 was lost; connecting again";
        assert!(
            told.notes().starts_with(wanted),
            "{step} {cut:?}: {}",
            told.notes()
        );
        // Whatever was cut, every step is told to have ended, once and well.
        let ended = |name: &str| told.story().matches(&format!("web1 {name}: ok")).count();
        for name in [
            "migrate: echo once >>../../shared/database",
            "swap",
            "after swap: echo told",
            "mark healthy",
        ] {
            assert_eq!(
                ended(name),
                1,
                "{name} when {step} was cut {cut:?}:\n{}",
                told.story()
            );
        }
        let database = scene.host().read("shared/database").unwrap();
        assert_eq!(
            database.lines().count(),
            2,
            "{step} {cut:?}: migrated once a deployment"
        );
        let picture = scene.picture().await;
        allow_duplicates! { assert_snapshot!(picture, @"
        current -> releases/2
        releases/1/
        releases/2/
        shared/.env
        shared/database
        shared/storage/
        .cutover/fence 3
        .cutover/lock free
        .cutover/log.jsonl
        .cutover/releases/1.json healthy
        .cutover/releases/2.json healthy
        "); }
        scene.close().await;
    }
}

#[tokio::test]
async fn a_line_that_is_cut_at_the_swap_is_taken_up() {
    cut_at("swap").await;
}

#[tokio::test]
async fn a_line_that_is_cut_at_the_migration_is_taken_up_and_migrates_once() {
    cut_at("migrate: echo once >>../../shared/database").await;
}

#[tokio::test]
async fn a_swap_that_dies_with_its_line_is_learnt_to_have_failed() {
    let scene = live().await;
    scene.host().cut_at("swap", Cut::Before);
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      swap on web1: exit 255
      What the migrate steps have changed in the database stays.
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/database
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json failed
    ");
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn a_failure_behind_a_cut_line_is_learnt_with_its_words() {
    let scene = live().await;
    scene.host().cut_at("swap", Cut::After);
    // The next step fails where nobody listens.
    scene
        .host()
        .fault_step("after swap: echo told", 9, "the cache is down");
    // On the way back it works again, and not a moment later.
    scene.host().hold_at("mark restored");
    let request = scene.wish(&[]).await;
    let running = scene.begin(&request);
    scene.host().reached("mark restored").await;
    scene.host().mend_step("after swap: echo told");
    scene.host().mend_step("mark restored");
    let told = running.end().await;
    assert_snapshot!(told.outcome(), @"
    rolled back: r1 is live and healthy again; r2 failed
      after swap: echo told on web1: exit 9: the cache is down
      What the migrate steps have changed in the database stays.
    ");
    // When the line was found to be lost is another moment every time.
    let story = told.story();
    let steps = story
        .lines()
        .filter(|line| !line.contains(" note: "))
        .collect::<Vec<_>>();
    assert_snapshot!(steps.join("\n"), @"
    plan: r1 to r2
    == stage
    web1 bring: ok
    web1 mark staging: ok
    web1 unpack: ok
    web1 link shared: ok
    web1 prepare: sh prepare.sh: ok
    web1 mark ready: ok
    == migrate
    web1 migrate: echo once >>../../shared/database: ok
    == switch
    web1 mark live: ok
    web1 | current -> releases/r2
    web1 swap: ok
    web1 | the cache is down
    web1 after swap: echo told: exit 9
    == undo
    web1 | current -> releases/r1
    web1 swap: ok
    web1 mark restored: ok
    web1 mark rolled back: ok
    web1 | told
    web1 after swap: echo told: ok
    == health after undo
    web1 health 1 of 2: HTTP 200
    ");
    scene.deploy(&[]).await;
    assert_snapshot!(scene.picture().await, @"
    current -> releases/3
    releases/1/
    releases/2/
    releases/3/
    shared/.env
    shared/database
    shared/storage/
    .cutover/fence 4
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json rolled-back
    .cutover/releases/3.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_line_that_is_cut_while_the_release_is_prepared_fails_and_leaves_no_process() {
    let scene = live().await;
    scene.host().cut_at("unpack", Cut::AsItBegins);
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      stage on web1: the connection to web1 was lost
      Look at the host with `cutover status production`; the next deployment goes on from what is there.
    ");
    // How far it came is not known.
    let picture = scene.picture().await.replace("releases/2/\n", "");
    assert_snapshot!(picture, @"
    current -> releases/1
    releases/1/
    shared/.env
    shared/database
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json failed
    ");
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_is_back_in_time_is_taken_up() {
    let scene = live().await;
    scene.host().hold_at("swap");
    let request = scene.wish(&[]).await;
    let running = scene.begin(&request);
    scene.host().reached("swap").await;
    scene.host().go_down().await;
    scene.host().mend_step("swap");
    running
        .tells(
            |event| matches!(event, Event::Note { text, .. } if text.contains("connecting again")),
        )
        .await;
    scene.host().come_up().await;
    assert_snapshot!(running.end().await.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/1/
    releases/2/
    shared/.env
    shared/database
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_stays_away_is_said_to_be_unknown_and_the_same_request_finds_out() {
    let scene = live().await;
    scene.host().hold_at("swap");
    let request = scene.wish(&[]).await;
    let running = scene.begin(&request);
    scene.host().reached("swap").await;
    scene.host().go_down().await;
    scene.host().mend_step("swap");
    let told = running.end().await;
    // Nobody could be asked any more, and that is what is said.
    assert_eq!(told.exit(), 3, "{}", told.story());
    assert_snapshot!(told.outcome(), @"
    failed, and not everything could be restored
      left on web1: current leads to something unknown: reconnect on web1: cannot connect to deploy@web1: failed to connect to the remote host: connect to host 127.0.0.1 port 22: Connection refused
      reconnect on web1: cannot connect to deploy@web1: failed to connect to the remote host: connect to host 127.0.0.1 port 22: Connection refused
      Check that the host is up and reachable: `ssh -p 22 deploy@127.0.0.1 true`. What the migrate steps have changed in the database stays.
    ");
    scene.host().come_up().await;
    // The very same request finds out what became of it.
    assert_snapshot!(scene.run(&request).await.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/1/
    releases/2/
    shared/.env
    shared/database
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_deployment_that_is_called_off_before_it_begins_touches_no_host() {
    let scene = live().await;
    let request = scene.wish(&[]).await;
    scene.host().mark();
    let running = scene.begin(&request);
    running.cancel.cancel();
    let told = running.end().await;
    assert!(matches!(
        told.outcome,
        Outcome::Failed { .. } | Outcome::Cancelled
    ));
    assert_eq!(scene.host().connections(), 0);
    scene.close().await;
}

//! Hosts of one wave wait for one another with their workers, and what was begun on them before the swap is not forgotten.

use std::time::Duration;

use cutover_deploy::Event;
use insta::assert_snapshot;
use kit::wait_for;

use super::scene::{Plot, Scene};

/// A worker that starts where nothing says that it cannot.
const IMPORT: &str = r#"
[[environments.production.workers]]
manager = "command"
group = "import"
process = "work shop:import"
hand_over = "overlap"
start = "[ ! -e ../../shared/ill ] || exit 1; setsid sh \"$PWD/work\" shop:import >/dev/null 2>&1 &"
"#;

#[tokio::test]
async fn no_host_swaps_before_all_have_their_workers_and_no_old_one_takes_a_job() {
    let scene = Scene::of(
        2,
        Plot {
            tables: IMPORT.to_owned(),
            ..Plot::default()
        },
    )
    .await;
    let told = scene
        .deploy(&[("work", "while :; do sleep 0.1; done")])
        .await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    let story = told.story();
    let phases = story.lines().skip_while(|line| *line != "== start");
    let steps = phases.filter(|line| {
        [" | ", " 1 of ", " runs "]
            .iter()
            .all(|no| !line.contains(no))
    });
    assert_snapshot!(steps.collect::<Vec<_>>().join("\n"), @"
    == start
    web1 workers import start: ok
    web2 workers import start: ok
    == leave
    web1 workers import end: ok
    web2 workers import end: ok
    == switch
    web1 mark live: ok
    web1 swap: ok
    web1 workers import: ok
    web2 mark live: ok
    web2 swap: ok
    web2 workers import: ok
    == health
    == keep
    web1 mark healthy: ok
    web1 older runs: ok
    web1 prune: ok
    web2 mark healthy: ok
    web2 older runs: ok
    web2 prune: ok
    ");
    scene.hosts[1].write("shared/ill", "");
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      workers import start on web2: exit 1
    ");
    assert!(!told.story().contains("swap"), "{}", told.story());
    // The worker of the release that is live was not touched, and is alone.
    live_alone_imports(&scene).await;
    end_imports(scene).await;
}

/// Waits until on every host workers of the live release run, and no others.
async fn live_alone_imports(scene: &Scene) {
    for host in &scene.hosts {
        let live = host.sh("readlink current").await;
        wait_for("the live release's worker to be alone", Duration::from_secs(20), async || {
            let runs = "pgrep --full -a \"$PWD/releases/.*[w]ork shop:import\" | grep -o 'releases/[^/]*' | sort -u";
            let runs = host.sh(runs).await;
            if runs == live { Ok(()) } else { Err(runs) }
        })
        .await;
    }
}

async fn end_imports(scene: Scene) {
    for host in &scene.hosts {
        host.sh("pkill --full \"$PWD/releases/.*[w]ork shop:import\"")
            .await;
    }
    scene.close().await;
}

/// Deploys, and dies when every host has new workers and none its old ones any more, but nobody has swapped.
async fn killed_before_the_swap(scene: &Scene) {
    scene.hosts[1].hold_at("workers import end");
    let running = scene.begin(&scene.wish(&[]).await);
    scene.hosts[1].reached("workers import end").await;
    let told_to_end = |event: &Event| {
        matches!(event, Event::StepEnded { host: Some(host), step, .. }
            if host.as_str() == "web1" && step == "workers import end")
    };
    running.tells(told_to_end).await;
    running.kill().await;
    scene.hosts[1].mend_step("workers import end");
    for host in &scene.hosts {
        // Their ssh would wait ten seconds for more.
        host.cut_lines();
        host.sh("rm -f shared/back").await;
    }
}

#[tokio::test]
async fn what_a_killed_deployer_began_before_its_swap_is_taken_back_by_whatever_comes_next() {
    let plot = Plot {
        steps: "after_health = [\"touch $CUTOVER_PATH/shared/back\"]".to_owned(),
        tables: IMPORT.to_owned(),
        ..Plot::default()
    };
    let scene = Scene::of(2, plot).await;
    let first = scene.wish(&[("work", "while :; do sleep 0.1; done")]).await;
    assert_eq!(scene.run(&first).await.exit(), 0);
    // One that fails long before it comes to workers itself.
    killed_before_the_swap(&scene).await;
    scene.hosts[0].fault_step("link shared", 70, "ln: I/O error");
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    live_alone_imports(&scene).await;
    for host in &scene.hosts {
        assert!(host.read("shared/back").is_some(), "{}", told.story());
    }
    scene.hosts[0].mend_step("link shared");
    // One that wants what is live.
    killed_before_the_swap(&scene).await;
    let told = scene.run(&scene.request(first.kind)).await;
    assert_snapshot!(told.outcome(), @"deployed: r1 is live and healthy (before: r1)");
    live_alone_imports(&scene).await;
    for host in &scene.hosts {
        assert!(host.read("shared/back").is_some(), "{}", told.story());
    }
    end_imports(scene).await;
}

//! A host that is cut off in each phase of a deployment to three: for good and for a while, near and far.
//!
//! Each phase has an app of its own on the same machines, so that one cut meets all of them at once.

use std::fmt::Write as _;
use std::time::Duration;

use cutover_deploy::Outcome;
use insta::assert_snapshot;

use super::fleet::{App, Fleet, Running};

/// The phases in which the second host is cut off.
const PHASES: [&str; 6] = ["stage", "migrate", "switch", "health", "keep", "undo"];

/// An app for each phase.
async fn apps(fleet: &Fleet, patience: &str) -> Vec<App> {
    let mut apps = Vec::new();
    for phase in PHASES {
        apps.push(fleet.app(phase, patience).await);
    }
    apps
}

/// Begins a deployment of every app and waits until the second machine has been told to begin the phase of each. What
/// comes back has to be mended, so that it does begin.
async fn in_every_phase(fleet: &Fleet, apps: &mut [App]) -> (Vec<Running>, Vec<String>) {
    let (mut running, mut orders) = (Vec::new(), Vec::new());
    for app in apps {
        let deployment = fleet.next(app, app.name != "undo").await;
        let (script, arguments) = match app.name {
            "stage" => ("guard", app.incoming()),
            "health" => ("health", app.url()),
            segment => ("finish", format!("{} {segment}", app.steps())),
        };
        orders.push(fleet.web2().hold_where(script, &arguments));
        running.push(fleet.begin(app, deployment));
    }
    for order in &orders {
        fleet.web2().reached(order).await;
    }
    (running, orders)
}

fn mend(fleet: &Fleet, orders: &[String]) {
    for order in orders {
        fleet.web2().mend_step(order);
    }
}

/// How every deployment ended, what its matrix says, and what is really live.
async fn ends(fleet: &Fleet, apps: &[App], running: Vec<Running>) -> String {
    let mut text = String::new();
    for (running, app) in running.into_iter().zip(apps) {
        let told = running.end().await;
        let (word, exit) = (told.outcome.word(), told.outcome.exit_code());
        let live = fleet.live(app);
        writeln!(
            text,
            "cut off in {}: {word}, exit {exit}; really live: {live}",
            app.name
        )
        .unwrap();
        if let Outcome::Failed { left, .. } = &told.outcome {
            for left in left {
                let current = left.current.as_ref().map_or("unknown", |id| id.as_str());
                let last = left.state.rsplit("; ").next();
                let last = last.filter(|last| last.contains("last answered"));
                let line = format!("left on {}: {current}; {}", left.host, last.unwrap_or("-"));
                writeln!(text, "{}", app.tame(&line)).unwrap();
            }
        }
        writeln!(text, "{}\n", told.matrix(app)).unwrap();
    }
    text
}

#[tokio::test]
async fn a_host_that_is_cut_off_for_good_in_any_phase_is_named_and_the_next_deployment_heals_it() {
    let fleet = Fleet::start().await;
    let mut apps = apps(&fleet, "8s").await;
    let (running, orders) = in_every_phase(&fleet, &mut apps).await;
    fleet.web2().refuse().await;
    for running in &running {
        running.tells("connecting again").await;
    }
    // What it was told to begin it begins now, and nobody hears of it.
    mend(&fleet, &orders);
    assert_snapshot!(ends(&fleet, &apps, running).await, @"
    cut off in stage: failed, exit 1; really live: r1 r1 r1
    host  stage     migrate  switch  health  watch  keep  undo  live
    web1  ok        –        –       –       –      –     –     r1
    web2  unknown   –        –       –       –      –     –     r1
    web3  ok        –        –       –       –      –     –     r1

    cut off in migrate: failed, exit 1; really live: r1 r1 r1
    host  stage     migrate  switch  health  watch  keep  undo  live
    web1  ok        –        –       –       –      –     –     r1
    web2  ok        unknown  –       –       –      –     –     r1
    web3  ok        –        –       –       –      –     –     r1

    cut off in switch: failed, exit 3; really live: r1 r2 r1
    left on web2: unknown; -
    host  stage     migrate   switch    health  watch  keep  undo      live
    web1  ok        –         ok        –       –      –     ok        r1
    web2  ok        ok        unknown   –       –      –     unknown   unknown
    web3  ok        –         ok        –       –      –     ok        r1

    cut off in health: failed, exit 3; really live: r1 r2 r1
    left on web2: unknown; r2 was live there when it last answered
    host  stage     migrate   switch    health    watch  keep  undo      live
    web1  ok        –         ok        ok        –      –     ok        r1
    web2  ok        ok        ok        unknown   –      –     unknown   unknown
    web3  ok        –         ok        ok        –      –     ok        r1

    cut off in keep: deployed, exit 0; really live: r2 r2 r2
    host  stage     migrate   switch    health    watch  keep      undo  live
    web1  ok        –         ok        ok        –      ok        –     r2
    web2  ok        ok        ok        ok        –      unknown   –     r2
    web3  ok        –         ok        ok        –      ok        –     r2

    cut off in undo: failed, exit 3; really live: r1 r1 r1
    left on web2: unknown; r2 was live there when it last answered
    host  stage     migrate   switch    health  watch  keep  undo      live
    web1  ok        –         ok        failed  –      –     ok        r1
    web2  ok        ok        ok        failed  –      –     unknown   unknown
    web3  ok        –         ok        failed  –      –     ok        r1
    ");
    fleet.web2().mend_cable().await;
    let mut healing = Vec::new();
    for app in &mut apps {
        let deployment = fleet.next(app, true).await;
        healing.push(fleet.begin(app, deployment));
    }
    for (running, app) in healing.into_iter().zip(&apps) {
        let told = running.end().await;
        let ended = (told.outcome.exit_code(), fleet.live(app));
        assert_eq!(
            ended,
            (0, "r3 r3 r3".to_owned()),
            "{}: {}",
            app.name,
            told.story()
        );
    }
    fleet.close().await;
}

#[tokio::test]
async fn a_far_host_that_is_cut_off_for_a_while_in_any_phase_ends_like_the_others() {
    let fleet = Fleet::start().await;
    for machine in &fleet.machines {
        machine.delay(Duration::from_millis(50)).await;
        machine.lose(2).await;
    }
    let mut apps = apps(&fleet, "40s").await;
    let (running, orders) = in_every_phase(&fleet, &mut apps).await;
    fleet.web2().cut_cable().await;
    mend(&fleet, &orders);
    running[2].tells("connecting again").await;
    fleet.web2().mend_cable().await;
    fleet.web2().lose(2).await;
    assert_snapshot!(ends(&fleet, &apps, running).await, @"
    cut off in stage: failed, exit 1; really live: r1 r1 r1
    host  stage     migrate  switch  health  watch  keep  undo  live
    web1  ok        –        –       –       –      –     –     r1
    web2  unknown   –        –       –       –      –     –     r1
    web3  ok        –        –       –       –      –     –     r1

    cut off in migrate: deployed, exit 0; really live: r2 r2 r2
    host  stage     migrate   switch    health    watch  keep      undo  live
    web1  ok        –         ok        ok        –      ok        –     r2
    web2  ok        ok        ok        ok        –      ok        –     r2
    web3  ok        –         ok        ok        –      ok        –     r2

    cut off in switch: deployed, exit 0; really live: r2 r2 r2
    host  stage     migrate   switch    health    watch  keep      undo  live
    web1  ok        –         ok        ok        –      ok        –     r2
    web2  ok        ok        ok        ok        –      ok        –     r2
    web3  ok        –         ok        ok        –      ok        –     r2

    cut off in health: deployed, exit 0; really live: r2 r2 r2
    host  stage     migrate   switch    health    watch  keep      undo  live
    web1  ok        –         ok        ok        –      ok        –     r2
    web2  ok        ok        ok        ok        –      ok        –     r2
    web3  ok        –         ok        ok        –      ok        –     r2

    cut off in keep: deployed, exit 0; really live: r2 r2 r2
    host  stage     migrate   switch    health    watch  keep      undo  live
    web1  ok        –         ok        ok        –      ok        –     r2
    web2  ok        ok        ok        ok        –      ok        –     r2
    web3  ok        –         ok        ok        –      ok        –     r2

    cut off in undo: rolled_back, exit 1; really live: r1 r1 r1
    host  stage     migrate   switch    health  watch  keep  undo      live
    web1  ok        –         ok        failed  –      –     ok        r1
    web2  ok        ok        ok        failed  –      –     ok        r1
    web3  ok        –         ok        failed  –      –     ok        r1
    ");
    fleet.close().await;
}

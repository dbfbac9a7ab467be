use std::collections::BTreeMap;

use super::*;
use crate::Failure;
use crate::plan::{Goal, HostPlan};

fn id(text: &str) -> ReleaseId {
    ReleaseId::parse(text).unwrap()
}

fn host(text: &str) -> HostName {
    HostName::parse(text).unwrap()
}

/// Three hosts on which `before` is live, and a plan for `after`; on the third nothing is live yet.
fn three() -> (Plan, Matrix) {
    let plan = |previous: Option<ReleaseId>| HostPlan {
        previous,
        ..HostPlan::default()
    };
    let live = [
        (host("web1"), Some(id("before"))),
        (host("web2"), Some(id("before"))),
        (host("database"), None),
    ];
    let hosts: BTreeMap<_, _> = live
        .iter()
        .map(|(host, live)| (host.clone(), plan(live.clone())))
        .collect();
    let release = id("after");
    let plan = Plan {
        goal: Goal::Fresh {
            release: release.clone(),
        },
        release,
        commit: None,
        previous: Some(id("before")),
        previous_commit: None,
        waves: Vec::new(),
        schema: None,
        remarks: Vec::new(),
        hosts,
    };
    (plan, Matrix::of(live))
}

fn failed(live: Live) -> Report {
    let failure = Failure {
        host: None,
        step: "x".to_owned(),
        message: "broke".to_owned(),
        hint: None,
    };
    Report::Failed { failure, live }
}

/// Plays phases, each with the hosts that it ran on and how it ended there.
fn played(story: &[(Phase, &[(&str, Report)])]) -> Matrix {
    let (plan, mut matrix) = three();
    for (phase, reports) in story {
        for (name, report) in *reports {
            let took = Duration::from_millis(1234);
            matrix.note(&plan, *phase, &host(name), report, took);
        }
    }
    matrix
}

#[test]
fn a_deployment_that_goes_well_shows_the_time_of_each_phase_and_the_new_release() {
    let all = |report: &Report| ["web1", "web2", "database"].map(|name| (name, report.clone()));
    let done = all(&Report::Done);
    let matrix = played(&[
        (Phase::Stage, &done),
        (Phase::Migrate, &done[2..]),
        (Phase::Switch, &done),
        (Phase::Health, &done[..2]),
        (Phase::Keep, &done),
    ]);
    insta::assert_snapshot!(matrix, @"
    host      stage     migrate   switch    health    watch  keep      undo  live
    web1      ok 1.2 s  –         ok 1.2 s  ok 1.2 s  –      ok 1.2 s  –     after
    web2      ok 1.2 s  –         ok 1.2 s  ok 1.2 s  –      ok 1.2 s  –     after
    database  ok 1.2 s  ok 1.2 s  ok 1.2 s  –         –      ok 1.2 s  –     after
    ");
}

#[test]
fn a_host_that_cannot_be_asked_is_unknown_and_so_is_what_is_live_there() {
    let matrix = played(&[
        (
            Phase::Stage,
            &[
                ("web1", Report::Done),
                ("web2", Report::Done),
                ("database", Report::Done),
            ],
        ),
        (
            Phase::Switch,
            &[
                ("web1", Report::Done),
                ("web2", failed(Live::Unknown)),
                ("database", failed(Live::Old)),
            ],
        ),
        (
            Phase::Undo,
            &[("web1", Report::Done), ("web2", failed(Live::Unknown))],
        ),
        (Phase::UndoHealth, &[("web1", Report::Done)]),
    ]);
    insta::assert_snapshot!(matrix, @"
    host      stage     migrate  switch    health  watch  keep  undo      live
    web1      ok 1.2 s  –        ok 1.2 s  –       –      –     ok 2.4 s  before
    web2      ok 1.2 s  –        unknown   –       –      –     unknown   unknown
    database  ok 1.2 s  –        failed    –       –      –     –         nothing
    ");
    insta::assert_snapshot!(serde_json::to_string(&matrix.hosts[1]).unwrap(), @r#"{"host":"web2","phases":[{"phase":"stage","end":"ok","took_ms":1234},{"phase":"switch","end":"unknown","took_ms":1234},{"phase":"undo","end":"unknown","took_ms":1234}],"live":"unknown"}"#);
}

#[test]
fn a_restored_release_that_is_not_healthy_makes_its_undo_a_failed_one() {
    let matrix = played(&[
        (
            Phase::Stage,
            &[("web1", Report::Done), ("web2", Report::Cancelled)],
        ),
        (Phase::Switch, &[("web1", failed(Live::New))]),
        (Phase::Undo, &[("web1", Report::Done)]),
        (Phase::UndoHealth, &[("web1", failed(Live::New))]),
    ]);
    insta::assert_snapshot!(matrix, @"
    host      stage       migrate  switch  health  watch  keep  undo    live
    web1      ok 1.2 s    –        failed  –       –      –     failed  before
    web2      called off  –        –       –       –      –     –       before
    database  –           –        –       –       –      –     –       nothing
    ");
}

#[test]
fn one_host_and_hosts_on_which_nothing_was_done_need_no_table() {
    let (_, matrix) = three();
    assert!(!matrix.tells());
    let mut matrix = played(&[(Phase::Stage, &[("web1", Report::Done)])]);
    assert!(matrix.tells());
    matrix.hosts.truncate(1);
    assert!(!matrix.tells());
}

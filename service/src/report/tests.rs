use cutover_deploy::{Failure, HostName, LeftOver};

use super::*;
use crate::testing;

fn lines(reports: &[Report]) -> String {
    let line = |report: &Report| match report {
        Report::CommitStatus {
            commit,
            state,
            description,
        } => {
            format!("status {} {}: {description}", commit.short(), state.word())
        }
        Report::Enter {
            entry,
            commit,
            description,
        } => {
            format!("enter {} {}: {description}", entry.word(), commit.short())
        }
        Report::EntryStatus {
            entry,
            state,
            description,
        } => {
            format!("entry {} {}: {description}", entry.word(), state.word())
        }
        Report::RetireOlder { entry } => format!("retire older than {}", entry.word()),
    };
    reports.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn failure() -> Failure {
    Failure {
        host: Some(HostName::parse("web1").unwrap()),
        step: "health".to_owned(),
        message: "status 500".to_owned(),
        hint: None,
    }
}

fn release(text: &str) -> ReleaseId {
    ReleaseId::parse(text).unwrap()
}

#[test]
fn a_good_deployment_is_told_from_queue_to_success() {
    let deployment = testing::deployment("production", 'a');
    let outcome = Outcome::Deployed {
        release: release("two"),
        previous: Some(release("one")),
    };
    let mut reports = queued(&deployment, None);
    reports.extend(began(&deployment));
    reports.extend(ended(&deployment, &outcome, deployment.commit(), &[]));
    insta::assert_snapshot!(lines(&reports), @"
    status aaaaaaa pending: queued
    enter own aaaaaaa: github push by alice
    entry own queued: queued
    status aaaaaaa pending: deploying to production
    entry own in_progress: deploying to production
    status aaaaaaa success: two is live on production
    entry own success: two is live on production
    retire older than own
    ");
}

#[test]
fn what_rang_and_took_nothing_back_is_told_with_the_success() {
    let deployment = testing::deployment("production", 'a');
    let outcome = Outcome::Deployed {
        release: release("two"),
        previous: None,
    };
    let rang = ["failed jobs".to_owned(), "workers".to_owned()];
    let reports = ended(&deployment, &outcome, deployment.commit(), &rang);
    let told = lines(&reports);
    let status = "success: two is live on production, but it rang: failed jobs, workers";
    assert_eq!(told.matches(status).count(), 2, "{told}");
}

#[test]
fn a_rollback_is_a_failure_and_a_deployment_of_the_restored_commit() {
    let deployment = testing::deployment("production", 'b');
    let outcome = Outcome::RolledBack {
        restored: release("one"),
        failed: release("two"),
        failure: failure(),
    };
    let reports = ended(&deployment, &outcome, Some(&testing::commit('a')), &[]);
    insta::assert_snapshot!(lines(&reports), @"
    status bbbbbbb failure: rolled back, one is live again: health on web1: status 500
    entry own failure: rolled back, one is live again: health on web1: status 500
    enter restored aaaaaaa: restored after two failed
    entry restored success: one is live again
    retire older than restored
    ");
}

#[test]
fn only_what_is_live_retires_what_was() {
    let staging = testing::deployment("staging", 'a');
    let left = LeftOver {
        host: HostName::parse("web1").unwrap(),
        current: None,
        state: "down".to_owned(),
    };
    let outcomes = [
        Outcome::Deployed {
            release: release("two"),
            previous: None,
        },
        Outcome::Failed {
            failure: failure(),
            left: vec![],
        },
        Outcome::Failed {
            failure: failure(),
            left: vec![left],
        },
        Outcome::Refused {
            failure: failure(),
            held: true,
        },
        Outcome::Cancelled,
    ];
    let told: Vec<_> = outcomes
        .iter()
        .map(|outcome| lines(&ended(&staging, outcome, None, &[])))
        .collect();
    insta::assert_snapshot!(told.join("\n\n"), @"
    status aaaaaaa success: two is live on staging
    entry own success: two is live on staging

    status aaaaaaa failure: failed, nothing live was changed: health on web1: status 500
    entry own failure: failed, nothing live was changed: health on web1: status 500

    status aaaaaaa failure: failed and NOT restored on web1: health on web1: status 500
    entry own failure: failed and NOT restored on web1: health on web1: status 500

    status aaaaaaa error: refused: health on web1: status 500
    entry own error: refused: health on web1: status 500

    status aaaaaaa error: cancelled: what was live still is
    entry own inactive: cancelled: what was live still is
    ");
}

#[test]
fn a_description_is_one_printable_line_that_fits() {
    let long = clip(&format!("\u{1b}[31mred\u{1b}[0m\n{}", "é".repeat(300)));
    assert!(long.starts_with("red é"), "{long}");
    assert_eq!(long.chars().count(), 140);
    assert_eq!(clip(&"x".repeat(140)).chars().count(), 140);
}

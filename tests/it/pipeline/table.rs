//! The table of faults: at every step of the pipeline the line is cut in two ways, and the program is ended in four.
//! Whatever the cell, the host ends healthy, the lease free, the records true, and so are the last word and exit code.

use std::collections::BTreeSet;

use cell::{Fault, Lane};
use rows::{Row, Story};

mod cell;
mod program;
mod rows;
mod world;

/// The steps of the pipeline: of a deployment, of its ways back, and of a rollback, by the plan's own lists.
const STEPS: usize = 46;
/// Cells of the table.
const CELLS: usize = STEPS * Fault::ALL.len();

/// One column: every step with one fault, in two lanes at a time.
async fn column(fault: Fault) {
    let forth = Box::pin(lane(fault, &[Story::Good, Story::First]));
    let back = Box::pin(lane(fault, &[Story::Ill, Story::Unfit, Story::Rollback]));
    let (forth, back) = tokio::join!(forth, back);
    let steps: BTreeSet<Row> = forth.into_iter().chain(back).collect();
    assert_eq!(
        steps.len(),
        STEPS,
        "the plan has other steps now: {steps:#?}"
    );
    let told = include_str!("../../../docs/interruptions.md");
    let size = [format!("{STEPS} steps"), format!("= {CELLS} cells")];
    assert!(size.iter().all(|size| told.contains(size)), "{size:?}");
}

async fn lane(fault: Fault, stories: &[Story]) -> Vec<Row> {
    let mut lane = Lane::start(fault).await;
    let mut played = Vec::new();
    for story in stories {
        for row in lane.rows(*story).await {
            lane.play(&row).await;
            played.push(row);
        }
    }
    lane.close().await;
    played
}

#[tokio::test]
async fn a_line_that_is_reset_at_any_step_ends_in_a_healthy_host() {
    column(Fault::Reset).await;
}

#[tokio::test]
async fn an_sshd_that_is_killed_at_any_step_ends_in_a_healthy_host() {
    column(Fault::SshdKilled).await;
}

#[tokio::test]
async fn a_program_that_is_killed_at_any_step_ends_in_a_healthy_host() {
    column(Fault::Killed).await;
}

#[tokio::test]
async fn a_program_that_is_terminated_at_any_step_ends_in_a_healthy_host() {
    column(Fault::Terminated).await;
}

#[tokio::test]
async fn ctrl_c_at_any_step_ends_in_a_healthy_host() {
    column(Fault::CtrlC).await;
}

#[tokio::test]
async fn ctrl_c_twice_at_any_step_ends_in_a_healthy_host() {
    column(Fault::CtrlCTwice).await;
}

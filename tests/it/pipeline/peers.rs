//! Defects that other deploy tools have, reproduced by running them, and the tests that show that we have none of them.

use std::path::Path;

use insta::assert_snapshot;

use super::scene::{Plot, Scene};

/// A defect: its number, who has it and what happens there, and the tests here that cover it, as `module::test`.
type Defect = (&'static str, &'static str, &'static [&'static str]);

const DEFECTS: [Defect; 14] = [
    (
        "R1",
        "Deployer: after a failed migration and a good deployment, rollback makes the failed release live",
        &["release::rollback_passes_over_a_release_that_never_became_live"],
    ),
    (
        "R2",
        "Deployer: failed releases count as kept, and push out every good one",
        &[
            "peers::r2_failures_between_two_good_releases_push_out_neither",
            "keep::failed_releases_never_push_out_healthy_ones",
        ],
    ),
    (
        "R3",
        "Deployer: a failed deployment leaves its lock, and the next one refuses",
        &[
            "bad_commit::a_migration_that_fails_stops_before_the_swap",
            "lease::a_deployer_that_is_killed_frees_the_lease_and_is_named_to_the_next",
            "takers::nobody_who_fails_frees_the_lease_of_another",
        ],
    ),
    (
        "R4",
        "Deployer: called off, its lock stays and the migration runs on unseen",
        &[
            "table::ctrl_c_at_any_step_ends_in_a_healthy_host",
            "table::a_program_that_is_terminated_at_any_step_ends_in_a_healthy_host",
            "takers::a_migration_that_outlives_its_deployer_is_awaited_named_and_kept_in_the_journal",
        ],
    ),
    (
        "R5",
        "Deployer: two that begin at once both hold the lock",
        &["takers::of_four_hundred_racing_pairs_never_two_hold_the_lease"],
    ),
    (
        "R6",
        "Deployer: the swap fails on one of two hosts, and each is left on another release",
        &["several::a_swap_that_fails_on_one_of_two_hosts_leaves_both_on_the_old_release_and_free"],
    ),
    (
        "R7",
        "Deployer: without `.env` it migrates all the same",
        &["fault::without_its_env_file_nothing_begins"],
    ),
    (
        "R8",
        "Capistrano: a link left by an interrupted swap makes the next one miss, with exit 0",
        &["fault::links_that_an_interrupted_deployment_left_are_told_and_do_no_harm"],
    ),
    (
        "R9",
        "Capistrano: after a failed deployment, rollback links the same release again, with exit 0",
        &["peers::r9_after_a_failed_deployment_rollback_goes_to_the_release_before"],
    ),
    (
        "R10",
        "Capistrano: of two that overlap, the older one puts `current` back",
        &[
            "overtaken::who_was_cut_off_and_overtaken_never_swaps",
            "overtaken::a_deployer_that_stands_still_loses_the_lease_and_changes_nothing_when_it_goes_on",
        ],
    ),
    (
        "R11",
        "Capistrano: called off, the command on the host runs on",
        &[
            "table::ctrl_c_at_any_step_ends_in_a_healthy_host",
            "table::ctrl_c_twice_at_any_step_ends_in_a_healthy_host",
        ],
    ),
    (
        "R12",
        "slipway: a restart that fails leaves the broken release live",
        &[
            "bad_commit::a_step_after_the_swap_that_fails_takes_the_release_back",
            "peers::r12_a_restart_that_fails_on_the_way_back_too_leaves_the_old_release_live_and_says_so",
        ],
    ),
    (
        "R13",
        "slipway: rollback chooses the release that failed its health check",
        &[
            "release::rollback_passes_over_a_release_that_was_taken_back",
            "release::rollback_to_a_named_release_reaches_only_healthy_ones",
        ],
    ),
    (
        "R14",
        "slipway: nothing keeps two deployments apart",
        &[
            "lease::a_held_lease_names_its_holder_and_is_waited_for",
            "lease::of_many_deployers_at_once_each_has_the_host_to_itself",
        ],
    ),
];

#[test]
fn every_defect_of_a_peer_is_covered_by_tests_that_exist() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("it/pipeline");
    for (number, (name, what, tests)) in (1..).zip(&DEFECTS) {
        assert_eq!(*name, format!("R{number}"));
        assert!(!tests.is_empty(), "{name} ({what}) is covered by nothing");
        for test in *tests {
            let (module, function) = test.split_once("::").unwrap();
            let file = folder.join(module).with_extension("rs");
            let text = std::fs::read_to_string(&file)
                .unwrap_or_else(|error| panic!("{name}: {}: {error}", file.display()));
            let lines: Vec<&str> = text.lines().collect();
            let begin = format!("async fn {function}()");
            let at = lines.iter().position(|line| line.starts_with(&begin));
            let is_test = at.is_some_and(|at| lines[at - 1].starts_with("#[tokio::test"));
            assert!(is_test, "{name} ({what}): there is no test {test}");
        }
    }
}

const ILL: &[(&str, &str)] = &[("ok", "false")];
const WELL: &[(&str, &str)] = &[("ok", "true")];

#[tokio::test]
async fn r2_failures_between_two_good_releases_push_out_neither() {
    let scene = Scene::of(
        1,
        Plot {
            keys: "keep_releases = 3".to_owned(),
            ..Plot::default()
        },
    )
    .await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    for _ in 0..3 {
        assert_eq!(scene.deploy(ILL).await.exit(), 1);
    }
    assert_eq!(scene.deploy(WELL).await.exit(), 0);
    assert_snapshot!(scene.rollback().await.outcome(), @"deployed: r1 is live and healthy (before: r5)");
    scene.close().await;
}

#[tokio::test]
async fn r9_after_a_failed_deployment_rollback_goes_to_the_release_before() {
    let scene = Scene::of(
        1,
        Plot {
            steps: "migrate = [\"test ! -e bad\"]".to_owned(),
            ..Plot::default()
        },
    )
    .await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    assert_eq!(scene.deploy(WELL).await.exit(), 0);
    assert_eq!(scene.deploy(&[("bad", "")]).await.exit(), 1);
    assert_snapshot!(scene.rollback().await.outcome(), @"deployed: r1 is live and healthy (before: r2)");
    // And where there is none before, it says so and does not pretend.
    assert_eq!(scene.rollback().await.exit(), 2);
    scene.close().await;
}

#[tokio::test]
async fn r12_a_restart_that_fails_on_the_way_back_too_leaves_the_old_release_live_and_says_so() {
    let scene = Scene::of(
        1,
        Plot {
            steps: "after_swap = [\"test ! -e ../../shared/broken\"]".to_owned(),
            ..Plot::default()
        },
    )
    .await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.host().write("shared/broken", "");
    let told = scene.deploy(WELL).await;
    assert_eq!(told.exit(), 3);
    assert_snapshot!(told.outcome(), @"
    failed, and not everything could be restored
      left on web1: current leads to r1: after swap: test ! -e ../../shared/broken on web1: exit 1
      after swap: test ! -e ../../shared/broken on web1: exit 1
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/broken
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json rolled-back
    ");
    scene.host().sh("rm shared/broken").await;
    assert_eq!(scene.deploy(WELL).await.exit(), 0);
    scene.close().await;
}

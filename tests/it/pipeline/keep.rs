//! What is kept on a host, and what goes.

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command};

use insta::assert_snapshot;

use super::scene::{Plot, Scene};

const ILL: &[(&str, &str)] = &[("ok", "false")];
const WELL: &[(&str, &str)] = &[("ok", "true")];

#[tokio::test]
async fn failed_releases_never_push_out_healthy_ones() {
    let keys = "keep_releases = 2\nkeep_failed = 1".to_owned();
    let scene = Scene::of(
        1,
        Plot {
            keys,
            ..Plot::default()
        },
    )
    .await;
    scene.deploy(&[]).await;
    for _ in 0..3 {
        assert_eq!(scene.deploy(ILL).await.exit(), 1);
    }
    // One failure after another does not fill the disk either.
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    releases/3/
    shared/.env
    shared/storage/
    .cutover/fence 4
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json rolled-back
    .cutover/releases/3.json rolled-back
    ");
    let told = scene.deploy(WELL).await;
    assert_snapshot!(told.outcome(), @"deployed: r5 is live and healthy (before: r1)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/4
    releases/1/
    releases/3/
    releases/4/
    shared/.env
    shared/storage/
    .cutover/fence 5
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/3.json rolled-back
    .cutover/releases/4.json healthy
    ");
    assert_snapshot!(scene.deploy(&[]).await.outcome(), @"deployed: r6 is live and healthy (before: r5)");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/5
    releases/3/
    releases/4/
    releases/5/
    shared/.env
    shared/storage/
    .cutover/fence 6
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/3.json rolled-back
    .cutover/releases/4.json healthy
    .cutover/releases/5.json healthy
    ");
    scene.close().await;
}

/// Processes that use the release in `folder`, each in another way: by its working folder, its program, an open file and
/// a library that is only mapped.
fn users(folder: &Path) -> Vec<Child> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let library = maps.lines().find(|line| line.contains("/libgcc_s"));
    let library = library.unwrap().split_whitespace().next_back().unwrap();
    std::fs::copy("/bin/sleep", folder.join("program")).unwrap();
    std::fs::copy(library, folder.join("library.so")).unwrap();
    let sleep = || {
        let mut sleep = Command::new("sleep");
        sleep.arg("600");
        sleep
    };
    let mut by_program = Command::new(folder.join("program"));
    let open = File::open(folder.join("ok")).unwrap();
    let library = folder.join("library.so");
    [
        sleep().current_dir(folder).spawn(),
        by_program.arg("600").spawn(),
        sleep().stdin(open).spawn(),
        sleep().env("LD_PRELOAD", library).spawn(),
    ]
    .into_iter()
    .map(Result::unwrap)
    .collect()
}

/// A deployment's output, without the numbers of processes.
fn without_pids(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        if word.parse::<u32>().is_ok() {
            "<pid>"
        } else {
            word
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn a_release_that_a_process_still_runs_from_is_not_removed() {
    let keys = "keep_releases = 1\nkeep_failed = 0".to_owned();
    let scene = Scene::of(
        1,
        Plot {
            keys,
            ..Plot::default()
        },
    )
    .await;
    scene.deploy(&[]).await;
    let folder = std::fs::canonicalize(scene.host().path().join("current")).unwrap();
    let mut users = users(&folder);
    scene.deploy(&[]).await;
    // Each of them alone is enough.
    while let Some(mut user) = users.pop() {
        let told = scene.deploy(&[]).await;
        let output = told.output().join("\n");
        assert!(
            output.contains("a process still runs from it: "),
            "{users:?}: {output}"
        );
        if users.is_empty() {
            assert_snapshot!(without_pids(&scene.tame(&output)), @"
            current -> releases/r6
            left r1: a process still runs from it: <pid> sleep
            removed r4
            ");
        }
        user.kill().unwrap();
        user.wait().unwrap();
    }
    assert_eq!(scene.live().map(|_| folder.exists()), Some(true));
    scene.deploy(&[]).await;
    assert!(!folder.exists());
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 7
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn what_cannot_be_removed_is_told_is_no_release_any_more_and_is_tried_again() {
    let keys = "keep_releases = 1".to_owned();
    let scene = Scene::of(
        1,
        Plot {
            keys,
            ..Plot::default()
        },
    )
    .await;
    scene.deploy(&[("cache/page", "x")]).await;
    let first = scene.live().unwrap();
    scene.deploy(&[]).await;
    let host = scene.host();
    host.make_unwritable(&format!("releases/{first}/cache"))
        .await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 0);
    assert_snapshot!(scene.tame(&told.output().join("\n")), @"
    current -> releases/r3
    removed r1
    left /srv/shop/releases/.gone.r1: rm: cannot remove '/srv/shop/releases/.gone.r1/cache/page': Operation not permitted
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/.gone.<1>/
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    ");
    let told = scene.rollback_to(1).await;
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan: there is no release r1
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    assert_snapshot!(told.notes(), @"");
    for command in ["status", "check"] {
        let (exit, said) = scene.shell(&[command, "production"]).await;
        assert_eq!(exit, 0, "{said}");
        assert!(
            said.contains("sudo rm -rf /srv/shop/releases/.gone.r1"),
            "{said}"
        );
    }
    let (exit, plan, _) = super::plan::planned(&scene).await;
    assert_eq!(exit, 0, "{plan}");
    assert!(
        plan.contains("note on web1: /srv/shop/releases/.gone.r1"),
        "{plan}"
    );
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 0);
    assert_snapshot!(told.notes(), @"web1: /srv/shop/releases/.gone.r1 was removed, but not all of it could be: files of another user lie there. It is tried again each time; this ends it: `ssh -p 22 deploy@127.0.0.1 sudo rm -rf /srv/shop/releases/.gone.r1`.");
    assert!(told.output().iter().any(|line| line.starts_with("left ")));
    host.make_writable(&format!("releases/.gone.{first}/cache"))
        .await;
    let told = scene.deploy(&[]).await;
    assert!(!told.output().iter().any(|line| line.starts_with("left ")));
    assert_snapshot!(scene.deploy(&[]).await.notes(), @"");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/4
    releases/3/
    releases/4/
    shared/.env
    shared/storage/
    .cutover/fence 7
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/3.json healthy
    .cutover/releases/4.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn the_output_of_the_newest_twenty_deployments_is_kept() {
    let scene = Scene::plain().await;
    scene
        .host()
        .sh("for n in $(seq 30); do mkdir -p .cutover/steps/old$n; touch -d \"2020-01-$n\" .cutover/steps/old$n; done")
        .await;
    scene.deploy(&[]).await;
    let kept = scene
        .host()
        .sh("ls .cutover/steps | sort -V | tr '\\n' ' '")
        .await;
    assert_snapshot!(kept, @"d1 old12 old13 old14 old15 old16 old17 old18 old19 old20 old21 old22 old23 old24 old25 old26 old27 old28 old29 old30");
    assert_snapshot!(scene.host().sh("ls .cutover/steps/d1 | tr '\\n' ' '").await, @"keep.log keep.status switch.log switch.status");
    scene.close().await;
}

//! Trees that another tool has deployed to until now: they are explained, gone on from without a failed request, and
//! never cleared away.

use cutover_deploy::{DeployRequest, Event, Kind, ReleaseId};
use insta::assert_snapshot;
use kit::{Capistrano, Load, wait_for};

use super::scene::{Plot, Scene};
use super::told::Told;

/// The tree as Deployer 7 leaves it: four good releases, then one that it began and did not finish, with its lock.
const DEPLOYER: &str = r#"
mkdir -p .dep shared/storage releases
for n in 7 8 9 10 11; do
  mkdir -p "releases/$n/public"
  ln -nfs --relative shared/.env "releases/$n/.env"
  ln -nfs --relative shared/storage "releases/$n/storage"
  echo "$n" | sha1sum | cut -c 1-40 >"releases/$n/REVISION"
  printf '{"ok":true,"release":"%s"}' "$n" >"releases/$n/health.json"
  printf '{"created_at":"2026-01-%02dT12:00:00+0000","release_name":"%s","user":"alice","target":"main"}\n' "$n" "$n" \
    >>.dep/releases_log
done
echo 11 >.dep/latest_release
echo 2026-01-09T13:00:00+0000,alice >releases/9/BAD_RELEASE
ln -nfs --relative releases/10 current
ln -nfs --relative releases/11 release
echo alice >.dep/deploy.lock
"#;

/// A deployment of what these files make of `main`, asked for now: releases of other tools are named by the clock.
async fn wish_now(scene: &Scene, files: &[(&str, &str)]) -> DeployRequest {
    DeployRequest {
        requested_at: cutover_deploy::now(),
        ..scene.wish(files).await
    }
}

/// Begins load on the health page and goes on once it is answered.
async fn load(scene: &Scene) -> Load {
    let environment = scene.config.environment("production").unwrap();
    let url = &environment.health.as_ref().unwrap().url;
    let mut load = Load::start(url, 50);
    load.answers(10).await;
    load
}

/// Runs a deployment under load, no request of which may fail.
async fn unnoticed(scene: &Scene, request: &DeployRequest) -> Told {
    let mut load = load(scene).await;
    let told = scene.run(request).await;
    load.answers(10).await;
    let report = load.stop().await;
    assert_eq!(report.failed, 0, "{report}");
    assert!(report.releases.len() > 1, "{report}");
    told
}

/// A text in which foreign releases are called by letters, in their order.
fn lettered(text: &str, releases: &[&str]) -> String {
    let letters = ["A", "B", "C"].into_iter().zip(releases);
    letters.fold(text.to_owned(), |text, (letter, id)| {
        text.replace(id, letter)
    })
}

/// A listing with one blank between words, and without commits.
fn without_commits(listing: &str) -> String {
    let is_commit =
        |word: &str| word.len() == 7 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    let tidy = |line: &str| {
        let words = line.split_whitespace();
        let words = words.map(|word| if is_commit(word) { "<commit>" } else { word });
        words.collect::<Vec<_>>().join(" ")
    };
    listing.lines().map(tidy).collect::<Vec<_>>().join("\n")
}

fn back_to(scene: &Scene, release: &str) -> DeployRequest {
    let to = Some(ReleaseId::parse(release).unwrap());
    scene.request(Kind::Rollback { to })
}

/// The first command that a text names between backticks, as it runs on the host itself.
fn command(text: &str) -> &str {
    let command = text.split('`').nth(1).unwrap();
    command.find("rm -rf").map_or(command, |at| &command[at..])
}

/// Waits until the clock shows another second: Capistrano names releases by it.
async fn next_second() {
    let began = cutover_deploy::now().as_second();
    let later = async || match cutover_deploy::now().as_second() {
        now if now > began => Ok(()),
        now => Err(now.to_string()),
    };
    wait_for("the next second", std::time::Duration::from_secs(5), later).await;
}

#[tokio::test]
async fn a_tree_of_capistrano_is_explained_and_gone_on_from_without_a_failed_request() {
    let keys = "keep_releases = 2".to_owned();
    let plot = Plot {
        keys,
        ..Plot::default()
    };
    let scene = Scene::of(1, plot).await;
    let capistrano = Capistrano::new(scene.host(), &scene.repo);
    let first = capistrano.deploy().await;
    scene.commit(&[("two", "")]).await;
    next_second().await;
    let second = capistrano.deploy().await;
    next_second().await;
    let began = capistrano.fail().await;
    let theirs = [&*first, &*second, &*began];

    let (exit, said) = scene.shell(&["check", "production"]).await;
    assert_eq!(exit, 0, "{said}");
    let commit = scene.repo.head().await;
    let said = said.replace(commit.short(), "<commit>");
    assert_snapshot!(lettered(&said, &theirs), @"
    production: ready to deploy to
      web1: Capistrano made the live release B, commit <commit>, and 3 releases in all; the first deployment goes on from there
      web1: a rollback reaches A, B, and not C: revisions.log does not say that they were live
      web1: cutover never removes a release that Capistrano made, nor `repo`, `revisions.log`; what it keeps itself lies in `.cutover`
      web1: the live release shares public/uploads, and `[shared]` does not: what lies there would be missing from the next release. Add it to `shared.dirs` or `shared.files`.
    ");

    let told = unnoticed(&scene, &wish_now(&scene, &[("three", "")]).await).await;
    assert_snapshot!(lettered(&told.outcome(), &theirs), @"deployed: r1 is live and healthy (before: B)");
    assert_eq!(told.commits().1, Some(commit), "its REVISION is known");

    // What was live when we came is the way back.
    let told = unnoticed(&scene, &scene.request(Kind::Rollback { to: None })).await;
    assert_snapshot!(lettered(&told.outcome(), &theirs), @"deployed: r2 is live and healthy (before: r1)");
    // The log says of another that it was live, and of the last one nothing.
    let told = scene.run(&back_to(&scene, &first)).await;
    assert_snapshot!(lettered(&told.outcome(), &theirs), @"deployed: r3 is live and healthy (before: r2)");
    let told = scene.run(&back_to(&scene, &began)).await;
    assert_snapshot!(lettered(&told.outcome(), &theirs), @"
    refused: nothing was changed
      plan: nothing proves that release C was ever live on every host
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    let (_, said) = scene.shell(&["releases", "production"]).await;
    assert_snapshot!(lettered(&without_commits(&said), &theirs), @"
    web1
    r1 healthy <commit> by alice
    C not made by cutover
    r2 healthy <commit> by Capistrano
    -> r3 healthy <commit> by Capistrano
    ");

    // They are never removed by us, and once they are not needed any more we say how.
    for file in ["four", "five"] {
        let request = wish_now(&scene, &[(file, "")]).await;
        assert_eq!(scene.run(&request).await.exit(), 0);
    }
    let told = scene.run(&wish_now(&scene, &[("six", "")]).await).await;
    assert_snapshot!(lettered(&told.notes(), &theirs), @"web1: what Capistrano made is not needed any more, and nobody but you removes it: `ssh -p 22 deploy@127.0.0.1 rm -rf /srv/shop/releases/r3 /srv/shop/releases/r2 /srv/shop/releases/C`.");
    let note = told.events.iter().find_map(|event| match event {
        Event::Note { text, .. } => Some(text.as_str()),
        _ => None,
    });
    for theirs in theirs {
        assert!(scene.host().path().join("releases").join(theirs).exists());
    }
    scene.host().sh(command(note.unwrap())).await;
    let told = scene.run(&wish_now(&scene, &[("seven", "")]).await).await;
    assert_snapshot!(told.notes(), @"");
    assert_eq!(told.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn a_tree_of_deployer_is_explained_and_gone_on_from_once_its_lock_is_gone() {
    let scene = Scene::plain().await;
    scene.host().sh(DEPLOYER).await;
    let (exit, said) = scene.shell(&["check", "production"]).await;
    assert_eq!(exit, 2);
    assert_snapshot!(said, @"
    production: 1 to mend first
      plan on web1: Deployer is at work here, or was cut off: /srv/shop/.dep/deploy.lock says alice
        When no Deployer runs any more, end its lock: `rm /srv/shop/.dep/deploy.lock`.
      web1: Deployer made the live release 10, commit 4143d3a, and 5 releases in all; the first deployment goes on from there
      web1: a rollback reaches 10, and not 7, 8, 9, 11: Deployer's log says what was begun, not what was live
      web1: cutover never removes a release that Deployer made, nor `.dep/deploy.lock`, `.dep/releases_log`, `release`; what it keeps itself lies in `.cutover`
    ");
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 4);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan on web1: Deployer is at work here, or was cut off: /srv/shop/.dep/deploy.lock says alice
      When no Deployer runs any more, end its lock: `rm /srv/shop/.dep/deploy.lock`.
    ");
    let hint = told.outcome.failure().unwrap().hint.clone().unwrap();
    scene.host().sh(command(&hint)).await;

    let told = unnoticed(&scene, &scene.wish(&[("two", "")]).await).await;
    assert_snapshot!(told.outcome(), @"deployed: r1 is live and healthy (before: 10)");
    let told = unnoticed(&scene, &scene.request(Kind::Rollback { to: None })).await;
    assert_snapshot!(told.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    let told = scene.run(&back_to(&scene, "9")).await;
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan: nothing proves that release 9 was ever live on every host
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    // What was returned to has a record now, and asking once more changes nothing.
    let told = scene.run(&back_to(&scene, "10")).await;
    assert_snapshot!(told.outcome(), @"unchanged: r2 is live and healthy already");
    assert_eq!(scene.deploy(&[("three", "")]).await.exit(), 0);
    assert_snapshot!(scene.host().sh("ls releases | grep -v Z; ls .dep; readlink current | cut -c 1-17").await, @"
    10
    11
    7
    8
    9
    latest_release
    releases_log
    releases/20260201
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_release_by_hand_that_was_live_is_a_way_back() {
    let scene = Scene::plain().await;
    scene
        .host()
        .sh("mkdir -p releases/17; echo '{\"ok\":true,\"release\":\"17\"}' >releases/17/health.json; ln -s $PWD/releases/17 current")
        .await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    assert_eq!(scene.deploy(&[("ok", "true")]).await.exit(), 0);
    assert_snapshot!(scene.rollback().await.outcome(), @"deployed: r1 is live and healthy (before: r2)");
    assert_snapshot!(scene.rollback().await.outcome(), @"deployed: r3 is live and healthy (before: r1)");
    assert_snapshot!(scene.rollback().await.outcome(), @"
    refused: nothing was changed
      plan: there is no earlier release that was healthy on every host
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_name_that_means_another_commit_on_each_host_is_no_way_back() {
    let scene = Scene::of(2, Plot::default()).await;
    for host in &scene.hosts {
        host.sh("mkdir -p releases/3; echo '{\"ok\":true,\"release\":\"3\"}' >releases/3/health.json; ln -s releases/3 current").await;
        host.write("releases/3/REVISION", &format!("{:040}\n", host.ssh_port()));
    }
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    assert_snapshot!(scene.rollback().await.outcome(), @"
    refused: nothing was changed
      plan: there is no earlier release that was healthy on every host
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    for host in &scene.hosts {
        host.write("releases/3/REVISION", &format!("{:040}\n", 1));
    }
    assert_snapshot!(scene.rollback().await.outcome(), @"
    refused: nothing was changed
      plan: there is no earlier release that was healthy on every host
      See what is there with `cutover releases production`, or deploy the commit that you want.
    ");
    scene.close().await;
}

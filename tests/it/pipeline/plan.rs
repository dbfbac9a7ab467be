//! A plan says what a deployment would do, changes nothing, and is what a deployment then does.

use insta::assert_snapshot;

use super::scene::{Plot, Scene};

/// Runs `cutover plan` for what is committed, and returns its exit code, its lines and its digest.
pub(super) async fn planned(scene: &Scene) -> (i32, String, String) {
    let (code, text) = cutover(scene, &["plan", "production", "main"]).await;
    let digest = text.trim().rsplit(' ').next().unwrap_or_default();
    let (digest, text) = (digest.to_owned(), text.clone());
    let steps = text.split("\n\n").next().unwrap_or_default().to_owned();
    (code, steps, digest)
}

pub(super) async fn cutover(scene: &Scene, arguments: &[&str]) -> (i32, String) {
    let url = scene.repo.url();
    let work = scene.work_dir().with_file_name("cli");
    let place = ["--repository", &url, "--work-dir", work.to_str().unwrap()];
    scene.shell(&[arguments, &place].concat()).await
}

/// Everything below the app's folder with the time of its last change.
fn everything(scene: &Scene) -> String {
    let mut all = String::new();
    for host in &scene.hosts {
        let list = std::process::Command::new("find")
            .arg(host.path())
            .args(["-printf", "%p %T@ %C@ %s %l\n"])
            .output()
            .unwrap();
        all += &String::from_utf8(list.stdout).unwrap();
    }
    all
}

#[tokio::test]
async fn a_plan_changes_nothing_and_its_digest_is_that_of_the_deployment() {
    let keys = "strategy = \"canary\"".to_owned();
    let steps = "migrate = [\"echo migrates\"]".to_owned();
    let plot = Plot {
        steps,
        keys,
        ..Plot::default()
    };
    let scene = Scene::of(2, plot).await;
    let old = ("database/migrations/2026_01_01_000000_make.php", "");
    assert_eq!(scene.deploy(&[old]).await.exit(), 0);
    let new = ("database/migrations/2026_02_01_000000_add.php", "");
    scene.commit(&[("index.html", "two\n"), new]).await;
    let before = everything(&scene);
    scene.hosts.iter().for_each(kit::Host::mark);
    let (code, steps, digest) = planned(&scene).await;
    assert_eq!(everything(&scene), before);
    for host in &scene.hosts {
        assert_eq!(host.connections(), 1, "{}", host.name());
    }
    assert_eq!(code, 0, "{steps}");
    let undated = steps.split_once('\n').map_or("", |(_, rest)| rest);
    let (before, after) = undated.split_once("to bring: ").unwrap();
    let (bytes, after) = after.split_once(" bytes").unwrap();
    assert!(bytes.parse::<u64>().unwrap() > 100, "{bytes}");
    let undated = format!("{before}to bring: some bytes{after}");
    assert_snapshot!(undated, @"
    live one after another: web1, then web2
    stage on web1: bring, mark staging, unpack, link shared, prepare: sh prepare.sh, mark ready
    stage on web2: bring, mark staging, unpack, link shared, prepare: sh prepare.sh, mark ready
    migrate on web1: migrate: echo migrates
    switch on web1: mark live, swap from r1
    switch on web2: mark live, swap from r1
    health on web1: health
    health on web2: health
    keep on web1: mark healthy, prune nothing
    keep on web2: mark healthy, prune nothing
    to bring: some bytes with 5 files, to each host
    migrations new to the database default on web1: none
    ");
    let (again, _, same) = planned(&scene).await;
    assert_eq!((again, same), (0, digest.clone()));
    let deploy = ["deploy", "production", "main", "--plan-digest", &digest];
    let (code, told) = cutover(&scene, &deploy).await;
    assert_eq!(code, 0, "{told}");
    scene.close().await;
}

#[tokio::test]
async fn a_plan_that_has_changed_since_is_refused() {
    let scene = Scene::plain().await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.commit(&[("index.html", "two\n")]).await;
    let (code, steps, digest) = planned(&scene).await;
    assert_eq!(code, 0, "{steps}");
    assert_eq!(scene.deploy(&[("index.html", "three\n")]).await.exit(), 0);
    let before = scene.picture().await;
    let deploy = ["deploy", "production", "main", "--plan-digest", &digest];
    scene.commit(&[("index.html", "two\n")]).await;
    let (code, told) = cutover(&scene, &deploy).await;
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("the plan has changed since"), "{told}");
    assert!(told.contains("cutover plan production"), "{told}");
    assert_eq!(scene.picture().await.replace("fence 3", "fence 2"), before);
    let (code, told) = cutover(
        &scene,
        &["deploy", "production", "main", "--plan-digest", "ab"],
    )
    .await;
    assert_eq!(code, 2, "{told}");
    scene.close().await;
}

#[tokio::test]
async fn a_plan_is_another_when_other_health_is_asked_for_and_the_same_with_leave_to_destroy() {
    let steps = "preview = [\"echo 'drop table jobs;'\"]\nmigrate = [\"true\"]".to_owned();
    let mut scene = Scene::of(
        1,
        Plot {
            steps,
            ..Plot::default()
        },
    )
    .await;
    scene.commit(&[("index.html", "one\n")]).await;
    let (code, steps, digest) = planned(&scene).await;
    assert_eq!(code, 0, "{steps}");
    scene.text = scene.text.replace("attempts = 2", "attempts = 3");
    let deploy = ["deploy", "production", "main", "--plan-digest", &digest];
    let (code, told) = cutover(&scene, &deploy).await;
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("the plan has changed since"), "{told}");
    scene.text = scene.text.replace("attempts = 3", "attempts = 2");
    let with_leave = [&deploy[..], &["--allow-destructive"]].concat();
    let (code, told) = cutover(&scene, &with_leave).await;
    assert_eq!(code, 0, "{told}");
    scene.close().await;
}

#[tokio::test]
async fn a_plan_whose_workers_cannot_be_looked_at_says_that_it_would_fail() {
    let tables = "[[environments.production.workers]]\ngroup = \"shop-worker\"".to_owned();
    let scene = Scene::start(Plot {
        tables,
        ..Plot::default()
    })
    .await;
    scene.commit(&[("index.html", "one\n")]).await;
    let (code, told) = cutover(&scene, &["plan", "production", "main"]).await;
    assert_eq!(code, 2, "{told}");
    let end = "\n\nIt would fail as it is. To mend first:\n  workers on web1: supervisorctl status shop-worker:*: ";
    assert!(told.contains(end), "{told}");
    assert!(told.contains("See it there: `ssh "), "{told}");
    let (checked, said) = scene.shell(&["check", "production"]).await;
    assert_eq!(checked, 2, "{said}");
    assert_ne!(scene.deploy(&[]).await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_plan_is_told() {
    let scene = Scene::plain().await;
    scene.host().write("current/here", "a real folder");
    let (code, told) = cutover(&scene, &["plan", "production", "main"]).await;
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("not a link to a release"), "{told}");
    scene.host().go_down().await;
    let (code, told) = cutover(&scene, &["plan", "production", "main"]).await;
    assert_eq!(code, 2, "{told}");
    assert!(told.contains("greet on web1"), "{told}");
    scene.host().come_up().await;
    scene.close().await;
}

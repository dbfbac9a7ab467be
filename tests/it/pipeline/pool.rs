//! PHP-FPM asked over FastCGI: what it needs after a swap is found out, and a release shows itself in the live pool
//! before anybody else can see it.

use cutover_deploy::Config;
use insta::assert_snapshot;
use kit::{Breakage, Daemon, FIRST, SampleApp, Web};

use super::laravel::{Shop, deploy, load, nothing_failed, shop};
use super::scene::Scene;
use super::told::Told;

/// A host whose pool is asked.
async fn asked(web: Web) -> Scene {
    asked_with(web, "").await
}

async fn asked_with(web: Web, keys: &'static str) -> Scene {
    shop(Shop {
        web,
        fpm: "auto",
        pool: true,
        keys,
        ..Shop::default()
    })
    .await
}

/// What was told of PHP-FPM, without what differs from run to run.
fn told_of_fpm(told: &Told) -> String {
    let notes = told.notes();
    let lines = notes.lines().filter(|line| line.contains("php-fpm: "));
    let lines: Vec<String> = lines
        .map(|line| {
            let line = line.replace(FIRST, "FIRST");
            let digits = line.split(' ').map(|word| {
                let number = word.starts_with(|c: char| c.is_ascii_digit());
                if number { "N" } else { word }
            });
            digits.collect::<Vec<_>>().join(" ")
        })
        .collect();
    lines.join("\n")
}

fn nothing_is_left(scene: &Scene) {
    let kept = std::fs::read_dir(scene.host().path().join(".cutover")).unwrap();
    let names = kept.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let left: Vec<_> = names.filter(|name| name.starts_with("ask-")).collect();
    assert!(left.is_empty(), "left on the host: {left:?}");
}

#[tokio::test]
async fn where_the_release_is_passed_nothing_is_reset_and_removed_ones_are_forgotten() {
    let scene = asked_with(Web::RealpathRoot, "keep_releases = 1").await;
    let mut requests = load(&scene);
    requests.answers(5).await;
    let told = deploy(&scene, SampleApp::code("two")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_fpm(&told), @"web1: php-fpm: PHP N OPcache N % used, N % wasted; the web server passes the release's own path");
    assert_eq!(scene.host().health().await.1["code"], "two");
    // The release before stays, so it is the one before that which is removed.
    deploy(&scene, SampleApp::code("three")).await;
    let told = deploy(&scene, SampleApp::code("four")).await;
    assert_snapshot!(told_of_fpm(&told), @"
    web1: php-fpm: PHP N OPcache N % used, N % wasted; the web server passes the release's own path
    web1: php-fpm: OPcache forgot N scripts of releases that go
    ");
    requests.answers(5).await;
    nothing_failed(&requests.stop().await);
    nothing_is_left(&scene);
    scene.close().await;
}

#[tokio::test]
async fn where_current_is_passed_processes_begin_anew_both_ways_and_nobody_is_served_old_code() {
    let mut scene = asked(Web::DocumentRoot).await;
    // Health is asked through the pool: there is no web server at this address.
    let url = format!("url = \"{}/", scene.host().http_url());
    let text = scene
        .text
        .replace(&url, "through = \"fpm\"\nurl = \"http://127.0.0.1:1/");
    scene.config = Config::parse("cutover.toml", &text).unwrap();
    let mut requests = load(&scene);
    requests.answers(5).await;
    let told = tokio::select! {
        slow = scene.host().get("/slow/60") => panic!("a slow request did not last: {slow:?}"),
        told = async {
            let told = deploy(&scene, SampleApp::code("two")).await;
            // More than there are processes; one of them still runs a request that began before the swap.
            for _ in 0..20 {
                assert_eq!(scene.host().health().await.1["code"], "two");
            }
            told
        } => told,
    };
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_fpm(&told), @"
    web1: php-fpm: PHP N OPcache N % used, N % wasted; the web server passes the path of `current`
    web1: php-fpm: N of N processes begin anew, OPcache is empty
    ");
    let told = deploy(&scene, SampleApp::code("three")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_fpm(&told), @"
    web1: php-fpm: PHP N OPcache N % used, N % wasted; the web server passes the path of `current`
    web1: php-fpm: N of N processes begin anew, OPcache is empty
    ");
    assert_eq!(scene.host().health().await.1["code"], "two");
    requests.answers(5).await;
    nothing_failed(&requests.stop().await);
    nothing_is_left(&scene);
    scene.close().await;
}

#[tokio::test]
async fn a_release_that_is_ill_in_the_pool_is_never_seen() {
    let scene = asked(Web::RealpathRoot).await;
    let mut requests = load(&scene);
    requests.answers(5).await;
    for breakage in [Breakage::Health500, Breakage::HealthNotOk] {
        let told = deploy(&scene, SampleApp::broken(breakage)).await;
        assert_eq!(told.exit(), 1, "{}", told.story());
        assert!(!told.story().contains("== switch"), "{}", told.story());
        let failure = told.outcome.failure().unwrap();
        assert_eq!(failure.step, "warm", "{failure:?}");
        assert!(
            failure.message.starts_with("/health of the new release: "),
            "{failure:?}"
        );
        assert_eq!(scene.live().unwrap().as_str(), FIRST);
    }
    requests.answers(5).await;
    let report = requests.stop().await;
    nothing_failed(&report);
    assert_eq!(report.releases.keys().collect::<Vec<_>>(), [FIRST]);
    nothing_is_left(&scene);
    scene.close().await;
}

#[tokio::test]
async fn a_pool_that_does_not_answer_is_told_before_anything_changes() {
    let scene = asked(Web::RealpathRoot).await;
    scene.host().kill_daemon(Daemon::PhpFpm).await;
    let told = deploy(&scene, SampleApp::code("two")).await;
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      warm on web1: PHP-FPM does not answer at <web1>/run/php-fpm.sock: it was closed without an answer
      Check that the pool listens there, that root may open it (`sudo usermod -aG www-data root`, then log in anew), and that sshd lets it through (`AllowStreamLocalForwarding`, `AllowTcpForwarding`).
    ");
    assert_eq!(scene.live().unwrap().as_str(), FIRST);
    scene.host().start_daemon(Daemon::PhpFpm).await;
    let told = deploy(&scene, SampleApp::code("three")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    scene.close().await;
}

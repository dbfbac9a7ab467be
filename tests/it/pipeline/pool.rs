//! PHP-FPM asked over FastCGI: what it needs after a swap is found out, and a release shows itself in the live pool
//! before anybody else can see it.

use std::collections::BTreeSet;
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_deploy::Config;
use insta::assert_snapshot;
use kit::{Breakage, Daemon, FIRST, Relay, SampleApp, Web, wait_for};

use super::laravel::{Shop, begin, deploy, load, nothing_failed, shop};
use super::plan::cutover;
use super::runtimes::port;
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

/// The processes of the pool.
fn processes(scene: &Scene) -> BTreeSet<i32> {
    let master = scene.host().pid(Daemon::PhpFpm).unwrap();
    let children = format!("/proc/{master}/task/{master}/children");
    let children = std::fs::read_to_string(children).unwrap();
    children
        .split_whitespace()
        .map(|pid| pid.parse().unwrap())
        .collect()
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
    scene.host().hold_at("mark live");
    let running = begin(&scene, SampleApp::code("two")).await;
    scene.host().reached("mark live").await;
    let before = processes(&scene);
    let told = tokio::select! {
        slow = scene.host().get("/slow/240") => panic!("a slow request did not last: {slow:?}"),
        told = async {
            // When this is answered the slow one has begun.
            scene.host().health().await;
            scene.host().mend_step("mark live");
            let told = running.end().await;
            // More than there are processes; one of them still runs a request that began before the swap.
            for _ in 0..20 {
                let (status, said) = scene.host().health().await;
                assert_eq!((status, &said["code"]), (200, &"two".into()), "{said}");
            }
            told
        } => told,
    };
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_fpm(&told), @"
    web1: php-fpm: PHP N OPcache N % used, N % wasted; the web server passes the path of `current`
    web1: php-fpm: N of N processes begin anew, OPcache is empty
    ");
    // As long as that one runs, OPcache keeps nothing.
    let slow = processes(&scene)
        .intersection(&before)
        .copied()
        .collect::<Vec<_>>();
    assert_eq!(slow.len(), 1, "{slow:?}");
    scene.host().sh(&format!("kill -KILL {}", slow[0])).await;

    asked_once(&mut scene, &text).await;
    requests.answers(5).await;
    nothing_failed(&requests.stop().await);
    nothing_is_left(&scene);
    scene.close().await;
}

/// Goes forth and back without workers: nothing comes behind the swap, so the steps are over before the pool has answered.
async fn asked_once(scene: &mut Scene, text: &str) {
    let (head, workers) = text
        .split_once("[[environments.production.workers]]")
        .unwrap();
    let (_, tail) = workers
        .split_once("[environments.production.php_fpm]")
        .unwrap();
    let text = format!("{head}[environments.production.php_fpm]{tail}");
    scene.config = Config::parse("cutover.toml", &text).unwrap();
    let asked = || (answered(scene, "renew 200 "), answered(scene, "reset "));
    let told = deploy(scene, SampleApp::code("three")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_eq!(scene.host().health().await.1["code"], "three");
    let (renewed, reset) = asked();
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_fpm(&told), @"
    web1: php-fpm: PHP N OPcache N % used, N % wasted; the web server passes the path of `current`
    web1: php-fpm: N of N processes begin anew, OPcache is empty
    ");
    assert_eq!(asked(), (renewed + 1, reset), "nothing is asked twice");
    assert_eq!(scene.host().health().await.1["code"], "two");
}

/// Has the next swap stand still right before its rename, until the file is gone that is there then.
fn stands_still(scene: &Scene) -> PathBuf {
    let held = scene.host().dir().join("held");
    let mv = "#!/bin/sh\ncase $* in *.cutover/current.*) touch HELD; while [ -e HELD ]; do sleep 0.01; done ;; esac\nexec /bin/mv \"$@\"\n";
    let mv = mv.replace("HELD", held.to_str().unwrap());
    let shim = scene.host().dir().join("bin/mv");
    std::fs::write(&shim, mv).unwrap();
    std::fs::set_permissions(&shim, Permissions::from_mode(0o755)).unwrap();
    held
}

/// Waits until the swap stands still.
async fn stands(held: &Path) {
    wait_for("the swap", Duration::from_mins(1), async || {
        held.exists().then_some(()).ok_or("not yet".to_owned())
    })
    .await;
}

/// How many of its answers the pool's log begins so: the question and the status.
fn answered(scene: &Scene, words: &str) -> usize {
    let log = scene.host().dir().join("log/php-fpm.access.log");
    let log = std::fs::read_to_string(log).unwrap();
    log.lines().filter(|line| line.starts_with(words)).count()
}

/// Lines to the pool that are open, those among them that nobody has taken yet.
fn lines(scene: &Scene) -> usize {
    let socket = scene.host().dir().join("run/php-fpm.sock");
    let open = std::fs::read_to_string("/proc/net/unix").unwrap();
    let to_it = |line: &&str| line.ends_with(socket.to_str().unwrap());
    open.lines().filter(to_it).count()
}

#[tokio::test]
async fn whoever_asks_while_the_swap_is_made_is_served_the_new_release() {
    let scene = asked(Web::DocumentRoot).await;
    let host = scene.host();
    assert_eq!(host.health().await.1["code"], "one");
    // The swap is all but made: whoever waits for it in the pool is there.
    let held = stands_still(&scene);
    let running = begin(&scene, SampleApp::code("two")).await;
    stands(&held).await;
    let before = lines(&scene);
    let comes = wait_for("the question to wait", Duration::from_mins(1), async || {
        (lines(&scene) > before)
            .then_some(())
            .ok_or("not yet".to_owned())
    });
    let swapping = async {
        comes.await;
        std::fs::remove_file(&held).unwrap();
    };
    let ((status, said), ()) = tokio::join!(host.health(), swapping);
    assert_eq!((status, &said["code"]), (200, &"two".into()), "{said}");
    let told = running.end().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    nothing_is_left(&scene);
    scene.close().await;
}

#[tokio::test]
async fn a_swap_that_hangs_does_not_make_the_pool_hang() {
    let scene = asked(Web::DocumentRoot).await;
    let host = scene.host();
    let before = processes(&scene);
    let held = stands_still(&scene);
    let running = begin(&scene, SampleApp::code("two")).await;
    stands(&held).await;
    // Whoever waits in the pool gives up, and another one is asked.
    wait_for("nobody to wait", Duration::from_mins(1), async || {
        assert_eq!(host.health().await.1["code"], "one");
        let given_up = answered(&scene, "renew 425 ") > 0;
        given_up.then_some(()).ok_or("not yet".to_owned())
    })
    .await;
    assert_eq!(host.health().await.1["code"], "one");
    assert_eq!(processes(&scene), before);
    std::fs::remove_file(&held).unwrap();
    let told = running.end().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_eq!(host.health().await.1["code"], "two");
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
    // A plan knows it before.
    let (code, said) = cutover(&scene, &["plan", "production", "main"]).await;
    let end = "It would fail as it is. To mend first:\n  warm on web1: the pool of PHP-FPM does not tell of itself: ";
    assert!(code == 2 && said.contains(end), "{said}");
    scene.host().start_daemon(Daemon::PhpFpm).await;
    let told = deploy(&scene, SampleApp::code("three")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    scene.close().await;
}

/// From now on the pool listens at a port, where the site and the configuration ask it.
async fn at_a_port(scene: &mut Scene) {
    let host = scene.host();
    let (address, etc) = (format!("127.0.0.1:{}", port()), host.dir().join("etc"));
    let socket = host.dir().join("run/php-fpm.sock").display().to_string();
    let fpm = std::fs::read_to_string(etc.join("php-fpm.conf")).unwrap();
    let whose = fpm
        .lines()
        .filter(|line| line.starts_with("user =") || line.starts_with("group ="));
    let whose = whose.collect::<Vec<_>>().join("\n");
    // The kit waits for PHP-FPM at this file, where nobody asks anything else.
    let other =
        format!("[other]\n{whose}\nlisten = {socket}\npm = ondemand\npm.max_children = 1\n");
    let fpm = fpm.replace(&socket, &address) + "\n" + &other;
    std::fs::write(etc.join("php-fpm.conf"), fpm).unwrap();
    let nginx = std::fs::read_to_string(etc.join("nginx.conf")).unwrap();
    let nginx = nginx.replace(&format!("unix:{socket}"), &address);
    std::fs::write(etc.join("nginx.conf"), nginx).unwrap();
    for daemon in [Daemon::PhpFpm, Daemon::Nginx] {
        host.stop_daemon(daemon).await;
        host.start_daemon(daemon).await;
    }
    let text = scene.text.replace(&socket, &address);
    assert!(text.contains(&format!("pool = \"{address}\"")), "{text}");
    scene.config = Config::parse("cutover.toml", &text).unwrap();
}

#[tokio::test]
async fn a_pool_at_a_port_is_asked_and_follows_as_one_at_a_file() {
    let mut scene = asked(Web::DocumentRoot).await;
    at_a_port(&mut scene).await;
    let code = async || scene.host().health().await.1["code"].clone();
    assert_eq!(code().await, "one");
    let told = deploy(&scene, SampleApp::code("two")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_fpm(&told), @"
    web1: php-fpm: PHP N OPcache N % used, N % wasted; the web server passes the path of `current`
    web1: php-fpm: N of N processes begin anew, OPcache is empty
    ");
    // More than there are processes.
    for _ in 0..8 {
        assert_eq!(code().await, "two");
    }
    let told = deploy(&scene, SampleApp::broken(Breakage::Health500)).await;
    let failure = told.outcome.failure().unwrap();
    assert_eq!(failure.step, "warm", "{failure:?}");
    assert_eq!(code().await, "two");
    let environment = scene.config.environment("production").unwrap();
    let seen = cutover_deploy::run::examine(&scene.config, environment, &scene.access).await;
    assert!(seen[0].fine.contains(&"fpm.pool"), "{:?}", seen[0].unseen);
    nothing_is_left(&scene);
    scene.close().await;
}

#[tokio::test]
async fn over_a_long_line_a_pool_hears_of_the_swap_no_trip_later() {
    const TRIP: Duration = Duration::from_secs(1);
    let mut scene = asked(Web::DocumentRoot).await;
    let line = Relay::long(scene.host().ssh_port(), TRIP / 2).await;
    scene.behind(&line);

    assert_eq!(scene.host().health().await.1["code"], "one");
    let running = begin(&scene, SampleApp::code("two")).await;
    let asking = async {
        wait_for("the swap", Duration::from_mins(2), async || {
            let live = scene.live().unwrap();
            if live.as_str() == FIRST {
                Err(FIRST.to_owned())
            } else {
                Ok(())
            }
        })
        .await;
        // Whoever heard of it over the line would not have heard yet.
        tokio::time::sleep(TRIP / 2).await;
        load(&scene)
    };
    let (told, mut requests) = tokio::join!(running.end(), asking);
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    requests.answers(5).await;
    let report = requests.stop().await;
    nothing_failed(&report);
    let live = scene.live().unwrap();
    assert_eq!(report.releases.keys().collect::<Vec<_>>(), [live.as_str()]);
    scene.close().await;
}

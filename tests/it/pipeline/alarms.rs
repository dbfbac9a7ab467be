//! Alarms while a release is watched: each is shown with its numbers, and one that rings takes the release back.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::Stdio;
use std::time::Duration;

use cutover_deploy::{Config, Event};
use insta::assert_snapshot;
use jiff::ToSpan as _;
use kit::{SampleApp, wait_for};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::laravel::{Shop, begin, deploy, shop};
use super::plan::planned;
use super::scene::{Plot, Running, Scene};
use super::told::Told;
use crate::queue;

/// What alarms told, each line once.
fn told_of_alarms(scene: &Scene, told: &Told) -> String {
    let mut lines: Vec<String> = Vec::new();
    for event in &told.events {
        if matches!(event, Event::Looked { .. }) && !lines.contains(&event.to_string()) {
            lines.push(event.to_string());
        }
    }
    lines.sort();
    scene.tame(&lines.join("\n"))
}

/// Begins a deployment of this page, and waits until it is watched.
async fn watched(scene: &Scene, page: &str) -> Running {
    let request = scene.wish(&[("index.html", page)]).await;
    let running = scene.begin(&request);
    running
        .tells(|event| matches!(event, Event::Looked { .. }))
        .await;
    running
}

fn serves(scene: &Scene, page: &str) {
    assert_eq!(scene.host().read("current/index.html").unwrap(), page);
}

/// From now on these alarms are looked at.
fn alarms(scene: &mut Scene, watch: &str, alarms: &str) {
    let given = scene
        .text
        .split("\n[environments.production.alarms]")
        .next();
    let lines = given.unwrap_or_default().lines();
    let lines = lines.map(|line| {
        if line.starts_with("watch = ") {
            watch
        } else {
            line
        }
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let tables = format!(
        "{text}\n[environments.production.alarms]\ninterval = \"100ms\"\n{}",
        alarms.replace("@dir@", &scene.host().dir().display().to_string())
    );
    scene.config = Config::parse("cutover.toml", &tables)
        .unwrap_or_else(|problems| panic!("{problems}\n{tables}"));
    scene.text = tables;
}

async fn plain() -> Scene {
    let scene = Scene::start(Plot {
        keys: "watch = \"0s\"".to_owned(),
        ..Plot::default()
    })
    .await;
    assert_eq!(scene.deploy(&[("index.html", "one")]).await.exit(), 0);
    scene
}

/// A line of a web server's log, of the next second: what it says of that of the swap may be of the release before.
fn logged(status: u16) -> String {
    let now = (cutover_deploy::now() + 1.second())
        .strftime("%d/%b/%Y:%H:%M:%S +0000")
        .to_string();
    format!("127.0.0.1 - - [{now}] \"GET / HTTP/1.1\" {status} 12 \"-\" \"curl\"\n")
}

const LOG: &str = "[environments.production.alarms.access_log]\npath = \"@dir@/access.log\"\nrequests = 4\npercent = 20\n";
const LINE: &str = "[[environments.production.alarms.commands]]\nname = \"checkout\"\nrun = \"test ! -e $CUTOVER_PATH/shared/bad || { echo no payment; exit 3; }\"\n";

#[tokio::test]
async fn requests_that_fail_and_a_line_that_does_take_a_release_back() {
    let mut scene = plain().await;
    let log = scene.host().dir().join("access.log");
    // What happened before the swap is nobody's fault who comes after it.
    let before = "127.0.0.1 - - [01/Jan/2026:00:00:00 +0000] \"GET / HTTP/1.1\" 500 12\n";
    std::fs::write(&log, before.repeat(20)).unwrap();
    alarms(&mut scene, "watch = \"500ms\"", &format!("{LOG}{LINE}"));
    let request = scene.wish(&[("index.html", "two")]).await;
    let (exit, plan, _) = planned(&scene).await;
    assert_eq!(exit, 0, "{plan}");
    let of_watch = |line: &&str| line.starts_with("watch on ");
    assert_snapshot!(plan.lines().find(of_watch).unwrap_or(&plan), @"watch on web1: health, access log, checkout");
    let told = scene.run(&request).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_alarms(&scene, &told), @"
    web1: access log: 0 of 0 requests since the swap ended with 5xx (0.0 %), limit 20 % from 4 requests on
    web1: checkout: exit 0
    ");

    alarms(&mut scene, "watch = \"1h\"", &format!("{LOG}{LINE}"));
    let running = watched(&scene, "three").await;
    let requests: String = [200, 502, 200, 500].map(logged).concat();
    let mut open = OpenOptions::new().append(true).open(&log).unwrap();
    open.write_all(requests.as_bytes()).unwrap();
    // Whoever holds a file of the host open is taken for one of its processes when it closes.
    drop(open);
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r2 is live and healthy again; r3 failed
      watch on web1: access log: 2 of 4 requests since the swap ended with 5xx (50.0 %), limit 20 %, 2 times in a row
      Look at the app's own log on the host, below shared/storage/logs for Laravel.
    ");
    serves(&scene, "two");

    std::fs::write(&log, "").unwrap();
    let running = watched(&scene, "four").await;
    scene.host().write("shared/bad", "");
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    rolled back: r2 is live and healthy again; r4 failed
      watch on web1: checkout: exit 3: no payment, 2 times in a row
      Run it there yourself: `test ! -e $CUTOVER_PATH/shared/bad || { echo no payment; exit 3; }`.
    ");
    serves(&scene, "two");

    // What cannot be looked at later is told before anything changes.
    std::fs::remove_file(&log).unwrap();
    let told = scene.deploy(&[("index.html", "unseen")]).await;
    assert_eq!(told.exit(), 1);
    let address = scene.host().address();
    let user = address.split('@').next().unwrap();
    let outcome = told.outcome().replace(&format!("adm {user}"), "adm <user>");
    assert_snapshot!(outcome, @"
    failed: what was live still is
      access log on web1: exit 66: <web1>/access.log cannot be read
      Let the deploy user read it: on Debian, `sudo usermod -aG adm <user>` for logs.
    ");
    serves(&scene, "two");

    // What is only told stops nothing, and neither does it when it cannot be looked at.
    let tell = "then = \"tell\"\n";
    alarms(
        &mut scene,
        "watch = \"500ms\"",
        &format!("{LOG}{tell}{LINE}{tell}"),
    );
    let told = scene.deploy(&[("index.html", "five")]).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_alarms(&scene, &told), @"
    web1: ALARM access log: it cannot be looked at: <web1>/access.log cannot be read
    web1: ALARM checkout: exit 3: no payment
    ");
    serves(&scene, "five");
    scene.close().await;
}

/// Debian's Prometheus, with nothing to scrape.
struct Prometheus {
    url: String,
    _server: Child,
    _folder: TempDir,
}

impl Prometheus {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, "global:\n  scrape_interval: 1m\n").unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let server = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let url = format!("http://{address}");
        wait_for("Prometheus", Duration::from_secs(30), async || {
            let asked = reqwest::get(format!("{url}/-/ready")).await;
            let asked = asked.map_err(|error| error.to_string())?;
            asked.error_for_status().map_err(|error| error.to_string())
        })
        .await;
        Self {
            url,
            _server: server,
            _folder: folder,
        }
    }

    fn alarm(&self, query: &str) -> String {
        format!(
            "[[environments.production.alarms.prometheus]]\nname = \"errors\"\nurl = \"{}\"\nquery = {query:?}\nabove = 0.5\n",
            self.url
        )
    }
}

#[tokio::test]
async fn a_number_that_prometheus_knows_takes_a_release_back() {
    let prometheus = Prometheus::start().await;
    let mut scene = plain().await;
    let quiet =
        prometheus.alarm("label_replace(vector(0.25), \"a\", \"ü\", \"\", \"\") or vector(0.125)");
    let none = prometheus
        .alarm("rate(nothing[1m])")
        .replace("errors", "nothing");
    alarms(&mut scene, "watch = \"300ms\"", &format!("{quiet}{none}"));
    let told = scene.deploy(&[("index.html", "two")]).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_alarms(&scene, &told), @"
    errors: 0.25, the highest of 2, limit 0.5
    nothing: no number, limit 0.5
    ");

    for query in ["vector(0.75)", "vector("] {
        alarms(&mut scene, "watch = \"1h\"", &prometheus.alarm(query));
        let told = scene.deploy(&[("index.html", query)]).await;
        assert_eq!(told.exit(), 1);
        if query == "vector(0.75)" {
            assert_snapshot!(told.outcome(), @"
            rolled back: r2 is live and healthy again; r3 failed
              watch: errors: 0.75, limit 0.5, 2 times in a row
              See it in Prometheus by the query of the alarm.
            ");
        } else {
            assert_snapshot!(told.outcome(), @r#"
            rolled back: r2 is live and healthy again; r4 failed
              watch: errors: it cannot be looked at: Prometheus says: invalid parameter "query": 1:8: parse error: unclosed left parenthesis, 2 times in a row
              See it in Prometheus by the query of the alarm.
            "#);
        }
        serves(&scene, "two");
    }
    scene.close().await;
}

#[tokio::test]
async fn jobs_that_fail_take_a_release_back_and_workers_that_start_anew_are_told() {
    let mut scene = shop(Shop {
        keys: "watch = \"0s\"",
        ..Shop::default()
    })
    .await;
    let both = "[environments.production.alarms.queue]\nfailed = 0\noverdue = 1\nqueues = [\"default\", \"mails\"]\n\
                [environments.production.alarms.workers]\nrestarts = 0\nthen = \"tell\"\n";
    let fail = |tag: &str| format!("php current/artisan test:push 2 --fail --tag={tag}");
    // Jobs that failed before the swap are of another release; one is stuck in a queue that nobody works on.
    scene.host().sh(&fail("before")).await;
    scene.host().jobs_done(Duration::from_secs(30)).await;
    let script = "redis-cli zadd shop_queues:mails:reserved 1000 x
        sqlite3 shared/database/app.sqlite '.timeout 5000' \"update failed_jobs set failed_at = '2026-01-01 00:00:00'\"";
    scene.host().sh(script).await;
    alarms(&mut scene, "watch = \"1s\"", both);
    let told = deploy(&scene, SampleApp::code("two")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_snapshot!(told_of_alarms(&scene, &told), @"
    web1: failed jobs: 0 jobs failed since the swap, limit 0
    web1: overdue jobs: 1 job reserved for longer than `retry_after`, limit 1
    web1: workers: workers started anew 0 times while watched, limit 0
    ");

    let told = scene.host().sh(&queue::proof()).await;
    assert_eq!(told, queue::TOLD);
    alarms(&mut scene, "watch = \"1h\"", both);
    let running = begin(&scene, SampleApp::code("three")).await;
    let looked = |at: &'static str, ringing: bool| {
        move |event: &Event| {
            let Event::Looked { alarm, rings, .. } = event else {
                return false;
            };
            alarm == at && *rings == ringing
        }
    };
    running.tells(looked("workers", false)).await;
    let workers = scene.host().workers();
    let pids: Vec<_> = workers
        .iter()
        .map(|worker| worker.pid.to_string())
        .collect();
    scene
        .host()
        .sh(&format!("kill -9 {}", pids.join(" ")))
        .await;
    running.tells(looked("workers", true)).await;
    scene.host().sh(&fail("after")).await;
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    let outcome = told.outcome();
    let said = [
        "watch on web1: failed jobs: ",
        " failed since the swap, limit 0, 2 times in a row",
    ];
    assert!(said.iter().all(|said| outcome.contains(said)), "{outcome}");
    assert_eq!(scene.host().health().await.1["code"], "two");
    scene.close().await;
}

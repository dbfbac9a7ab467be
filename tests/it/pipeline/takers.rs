//! Who takes a lease: never two at once, whoever is killed frees it, and nobody frees what is another's.

use std::process::Stdio;
use std::time::{Duration, Instant};

use cutover_deploy::{Event, script};
use insta::assert_snapshot;
use kit::Host;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use super::lease::{cutover_deploy, cutover_deploy_telling};
use super::scene::{Plot, Scene};

/// Stands in the place of the look at the host: it succeeds for one at a time.
const ALONE: &str = "mkdir \"$1/alone\"";
const PAIRS: usize = 400;
const PAIRS_BY_SSH: usize = 8;

/// Somebody who wants the lease.
struct Taker {
    child: Child,
    stdin: ChildStdin,
}

/// How a taker fared.
#[derive(Debug, PartialEq, Eq)]
enum Fared {
    Holds,
    Refused,
}

/// The script of the lease as it is run on a host, with its arguments.
fn arguments(host: &Host, wait: &str) -> Vec<String> {
    let root = host.path().display().to_string();
    let holder = "{\"deployment\":\"d\"}";
    let words = [
        "-euc",
        script::LEASE,
        "lease",
        &root,
        wait,
        holder,
        script::OUTLIVED,
        "",
        "",
        ALONE,
    ];
    words.map(str::to_owned).to_vec()
}

impl Taker {
    fn here(host: &Host, wait: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(arguments(host, wait));
        Self::start(shell)
    }

    fn by_ssh(host: &Host, wait: &str) -> Self {
        let quoted = |word: String| format!("'{}'", word.replace('\'', "'\\''"));
        let line: Vec<String> = arguments(host, wait).into_iter().map(quoted).collect();
        let mut ssh = host.ssh();
        ssh.arg(format!("sh {}", line.join(" ")));
        Self::start(ssh)
    }

    fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let stdin = child.stdin.take().unwrap();
        Self { child, stdin }
    }

    /// Waits until it is clear who has the lease.
    async fn fares(&mut self) -> Fared {
        let mut lines = BufReader::new(self.child.stdout.as_mut().unwrap()).lines();
        let mut said = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line == "greeted" {
                return Fared::Holds;
            }
            said += &line;
        }
        let status = self.child.wait().await.unwrap();
        assert_eq!(status.code(), Some(75), "two held it at once: {said}");
        Fared::Refused
    }

    async fn give_back(mut self, host: &Host) {
        std::fs::remove_dir(host.path().join("alone")).unwrap();
        self.stdin.write_all(b"done\n").await.unwrap();
        assert!(self.child.wait().await.unwrap().success());
    }
}

/// Two begin at once. Whoever comes second is refused, or waits until the first has given it back.
async fn race(host: &Host, start: fn(&Host, &str) -> Taker, waits: bool) {
    let wait = if waits { "30" } else { "0" };
    let (mut one, mut other) = (start(host, wait), start(host, wait));
    let (first, mut second) = tokio::select! {
        fared = one.fares() => ((one, fared), other),
        fared = other.fares() => ((other, fared), one),
    };
    match first {
        (first, Fared::Holds) if waits => first.give_back(host).await,
        (first, Fared::Holds) => {
            assert_eq!(second.fares().await, Fared::Refused);
            return first.give_back(host).await;
        }
        (_, Fared::Refused) => {}
    }
    assert_eq!(second.fares().await, Fared::Holds);
    second.give_back(host).await;
}

#[tokio::test]
async fn of_four_hundred_racing_pairs_never_two_hold_the_lease() {
    let scene = Scene::plain().await;
    let host = scene.host();
    for pair in 0..PAIRS {
        race(host, Taker::here, pair % 2 == 0).await;
    }
    for pair in 0..PAIRS_BY_SSH {
        race(host, Taker::by_ssh, pair % 2 == 0).await;
    }
    // A number for each who held it: for both of every second pair, and for one of the others.
    let fence = PAIRS + PAIRS_BY_SSH + PAIRS / 2 + PAIRS_BY_SSH / 2;
    assert_eq!(host.read(".cutover/fence"), Some(format!("{fence}\n")));
    scene.close().await;
}

#[tokio::test]
#[expect(clippy::print_stdout, reason = "the figure is for whoever asks for it")]
async fn a_killed_holder_frees_the_lease_at_once() {
    let scene = Scene::plain().await;
    scene.host().hold_at("unpack");
    let mut program = cutover_deploy(&scene);
    scene.host().reached("unpack").await;
    // Woken by the kernel in the moment in which the lease is free.
    let mut next = Command::new("flock");
    next.arg(scene.host().path().join(".cutover/lock"))
        .arg("true");
    let mut next = next.kill_on_drop(true).spawn().unwrap();
    assert!(next.try_wait().unwrap().is_none());
    let killed = Instant::now();
    program.start_kill().unwrap();
    let freed = tokio::time::timeout(Duration::from_secs(5), next.wait()).await;
    assert!(
        freed
            .expect("the lease is free within 5 s")
            .unwrap()
            .success()
    );
    println!(
        "a killed holder freed the lease after {:?}",
        killed.elapsed()
    );
    program.wait().await.unwrap();
    scene.host().mend_step("unpack");
    scene.host().cut_lines();
    scene.close().await;
}

#[tokio::test]
async fn nobody_who_fails_frees_the_lease_of_another() {
    let keys = "lock_wait = \"1s\"".to_owned();
    let plot = Plot {
        keys,
        ..Plot::default()
    };
    let scene = Scene::of(1, plot).await;
    scene.host().hold_at("unpack");
    let holder = scene.begin(&scene.wish(&[]).await);
    scene.host().reached("unpack").await;
    let held = || {
        let files = [".cutover/lock", ".cutover/fence", ".cutover/log.jsonl"];
        files.map(|file| scene.host().read(file))
    };
    let before = held();
    let is_held = async || {
        let look = scene.host().try_sh("flock -n .cutover/lock true").await;
        assert_eq!((look.status.code(), held()), (Some(1), before.clone()));
    };
    // Refused, called off and killed while it waits.
    assert_eq!(scene.deploy(&[]).await.exit(), 4);
    is_held().await;
    let other = scene.begin(&scene.wish(&[]).await);
    let waits = |event: &Event| matches!(event, Event::Waiting { .. });
    other.tells(waits).await;
    other.cancel.cancel();
    assert_eq!(other.end().await.exit(), 1);
    is_held().await;
    let mut other = cutover_deploy_telling(&scene, Stdio::piped());
    let mut told = BufReader::new(other.stdout.take().unwrap()).lines();
    while let Some(line) = told.next_line().await.unwrap() {
        if line.contains("\"waiting\"") {
            break;
        }
    }
    other.kill().await.unwrap();
    is_held().await;
    scene.host().mend_step("unpack");
    assert_eq!(holder.end().await.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn a_migration_that_outlives_its_deployer_is_awaited_named_and_kept_in_the_journal() {
    let migrate = "echo once >>../../shared/database";
    let steps = format!("migrate = [\"{migrate}\"]");
    let plot = Plot {
        steps,
        ..Plot::default()
    };
    let scene = Scene::of(1, plot).await;
    scene.deploy(&[]).await;
    scene.commit(&[("ok", "true")]).await;
    let step = format!("migrate: {migrate}");
    scene.host().hold_at(&step);
    let mut program = cutover_deploy(&scene);
    scene.host().reached(&step).await;
    program.kill().await.unwrap();
    let next = scene.begin(&scene.wish(&[("next", "")]).await);
    let waits = |event: &Event| matches!(event, Event::Note { text, .. } if text.contains("which still runs"));
    next.tells(waits).await;
    scene.host().mend_step(&step);
    let told = next.end().await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    let notes: Vec<_> = told
        .events
        .iter()
        .filter_map(|event| match event {
            Event::Note { text, .. } => text.split_once(" by bob since ").map(|(before, after)| {
                let before = before
                    .rsplit_once(" of ")
                    .map_or(before, |(before, _)| before);
                format!(
                    "{before} … {}",
                    after.split_once(" UTC").map_or("", |(_, after)| after)
                )
            }),
            _ => None,
        })
        .collect();
    assert_snapshot!(notes.join("\n"), @"
    waiting for `migrate: echo once >>../../shared/database`, which still runs: deploy …  left it behind
    the last deployment here ended without a word: deploy … ; `migrate: echo once >>../../shared/database` was the last that ran, and ended with 0
    ");
    let journal = scene.host().read(".cutover/log.jsonl").unwrap();
    let outlived = journal
        .lines()
        .find(|line| line.contains("outlived"))
        .unwrap();
    let outlived: serde_json::Value = serde_json::from_str(outlived).unwrap();
    assert_eq!(
        (&outlived["segment"], &outlived["exit"]),
        (&"migrate".into(), &"0".into())
    );
    let database = scene.host().read("shared/database").unwrap();
    assert_eq!(
        database.lines().count(),
        3,
        "once for each of three deployments"
    );
    scene.host().cut_lines();
    scene.close().await;
}

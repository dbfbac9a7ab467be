//! Workers that no manager lists: Horizon, `queue:restart` alone, and lines of the user's.

use std::fs;
use std::time::Duration;

use cutover_deploy::{Event, run};
use insta::assert_snapshot;
use kit::{HostOptions, SampleApp, wait_for};

use super::laravel::{Shop, deploy, shop};
use super::scene::{Plot, Scene};
use super::told::Told;

/// Stands for Horizon, for a worker of the app's own, and for a run that ends by itself. As with the real one a master has
/// a supervisor, and that a worker, both by a relative path in the folder of the release that the master runs. Each starts
/// again what is below it and ends only after it; a worker whose supervisor was killed works on for ever.
const ARTISAN: &str = r#"
trap : CONT
case $1 in
  horizon) below=horizon:supervisor && cd -P "${0%/*}" ;;
  horizon:supervisor) below=horizon:work ;;
  *) below= && trap 'while [ -e "${2:-}" ]; do sleep 0.1; done; exit 0' TERM ;;
esac
child=
while :; do
  if [ -n "$below" ] && { [ -z "$child" ] || ! kill -0 "$child" 2>/dev/null; }; then
    sh artisan "$below" &
    child=$!
    trap 'kill "$child"; wait "$child"; exit 0' TERM
  fi
  sleep 0.1
done
"#;

const GROUPS: &str = r#"
[[environments.production.workers]]
manager = "horizon"
group = "horizon"
expect = 3
drain_timeout = "20s"

[[environments.production.workers]]
manager = "command"
group = "import"
process = "artisan shop:import"
hand_over = "overlap"
start = "setsid sh \"$CUTOVER_RELEASE_PATH/artisan\" shop:import \"$CUTOVER_PATH/job\" >/dev/null 2>&1 &"
"#;

/// What an app with Horizon has cached of its configuration.
const CONFIG: &str = "<?php return [
    'app' => ['env' => 'production'],
    'queue' => ['default' => 'redis', 'connections' => ['redis' => ['driver' => 'redis', 'retry_after' => 90]]],
    'horizon' => [
        'defaults' => ['reports' => ['connection' => 'redis', 'timeout' => 900]],
        'environments' => ['local' => [], 'prod*' => ['reports' => ['tries' => 3]]],
    ],
];
";

/// What the doctor finds of Horizon, a line each, and of how its jobs end what it could not look at.
async fn of_horizon(scene: &Scene) -> String {
    let environment = scene.config.environment("production").unwrap();
    let told = run::examine(&scene.config, environment, &scene.access).await;
    let ids = [
        "queue.retry-after",
        "supervisor.",
        "systemd.",
        "workers.drain",
    ];
    let of = |id: &str| ids.iter().any(|wanted| id.starts_with(wanted));
    let found = told[0].findings.iter().filter(|found| of(found.id));
    let found = found.map(|found| {
        let severity = format!("{:?}", found.severity).to_lowercase();
        format!("{severity} {}: {}", found.id, found.found)
    });
    let unseen = told[0].unseen.iter().filter(|unseen| of(unseen.id));
    let unseen = unseen.map(|unseen| format!("not checked {}: {}", unseen.id, unseen.why));
    // Nobody starts lines of the user's again, and they are no artisan that takes jobs.
    let unseen = unseen.filter(|line| !line.contains("group import"));
    found.chain(unseen).collect::<Vec<_>>().join("\n")
}

/// Which release each worker was told to be proven on.
fn proven(told: &Told) -> Vec<(String, String)> {
    let proven = told.events.iter().filter_map(|event| match event {
        Event::WorkerProven {
            worker, release, ..
        } => {
            let group = worker.split(':').next().unwrap().to_owned();
            Some((group, release.to_string()))
        }
        _ => None,
    });
    proven.collect()
}

#[tokio::test]
async fn horizon_and_own_lines_follow_a_release_and_its_way_back_proven_by_their_processes() {
    let scene = Scene::start(Plot {
        hosts: vec![HostOptions {
            workers: 1,
            ..HostOptions::plain("web1")
        }],
        tables: GROUPS.to_owned(),
        ..Plot::default()
    })
    .await;
    // Horizon is started by supervisor, which is not asked for it, as the template says.
    let folder = scene.host().dir().join("etc/supervisor");
    let log = scene
        .host()
        .dir()
        .join("log/horizon.log")
        .display()
        .to_string();
    let path = scene.host().path().display().to_string();
    let mut text = include_str!("../../../templates/horizon.conf").to_owned();
    for (word, here) in [
        ("command=php /srv/shop/", format!("command=sh {path}/")),
        ("user=deploy\n", String::new()),
        ("/var/log/supervisor/horizon.log", log),
    ] {
        assert!(text.contains(word), "{word}");
        text = text.replace(word, &here);
    }
    fs::write(folder.join("horizon.conf"), text).unwrap();
    fs::remove_file(folder.join("app-worker.conf")).unwrap();
    scene.host().sh("supervisorctl update >/dev/null").await;

    let told = scene.deploy(&[("artisan", ARTISAN)]).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let first = scene.live().unwrap();
    scene.host().write("job", "");
    // A supervisor of Horizon is killed, and its worker is nobody's; somebody's report runs and runs, and a worker of a group
    // that the configuration does not have.
    let lost = "kill -9 $(pgrep --full \"^sh artisan horizon:[s]upervisor\" | while read -r pid; do
            case $(readlink /proc/$pid/cwd) in \"$(pwd -P)\"/*) echo $pid ;; esac; done)
        for run in shop:report queue:work; do setsid sh \"$PWD/current/artisan\" $run </dev/null >/dev/null 2>&1 & done";
    scene.host().sh(lost).await;
    let told = scene.deploy(&[("two", "")]).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let on = |group: &str, release: &str| (group.to_owned(), release.to_owned());
    let second = scene.live().unwrap();
    let all = [
        ("horizon", &second),
        ("horizon", &second),
        ("horizon", &second),
        ("import", &second),
    ];
    assert_eq!(
        proven(&told),
        all.map(|(group, id)| on(group, id.as_str())),
        "{}",
        told.story()
    );
    // Its job goes on behind the deployment, and the way back starts another one beside it.
    assert!(
        told.output()
            .iter()
            .any(|line| line.starts_with("drains import:")),
        "{}",
        told.story()
    );
    // What runs on and was not told to end is named.
    let on_first = format!("still runs on {first}: ");
    let output = told.output();
    let runs: Vec<_> = output
        .iter()
        .filter(|line| line.starts_with("still runs on "))
        .collect();
    assert!(
        runs.len() == 1 && runs[0].starts_with(&on_first) && runs[0].contains(" shop:report "),
        "{runs:?}"
    );
    let notes = told.notes();
    let left: Vec<_> = notes
        .lines()
        .filter(|line| line.contains("left behind on "))
        .collect();
    assert!(
        left.len() == 1
            && left[0].starts_with("web1: left behind on r1: ")
            && left[0].contains(" queue:work "),
        "{left:?}"
    );
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let all = [
        ("horizon", &first),
        ("horizon", &first),
        ("horizon", &first),
        ("import", &first),
    ];
    assert_eq!(
        proven(&told),
        all.map(|(group, id)| on(group, id.as_str())),
        "{}",
        told.story()
    );
    // Who starts Horizon again is found by its process, and what its workers may take in its configuration.
    let conf = fs::read_to_string(folder.join("horizon.conf")).unwrap();
    let ill = conf.replace("stopwaitsecs=3600", "stopwaitsecs=10");
    fs::write(
        folder.join("horizon.conf"),
        ill.replace("autorestart=true", ""),
    )
    .unwrap();
    let cached = "current/bootstrap/cache/config.php";
    scene.host().write(cached, CONFIG);
    assert_snapshot!(of_horizon(&scene).await, @"
    loses queue.retry-after: retry_after of redis is 90 s, and a job may take 900 s
    loses supervisor.autorestart: horizon: autorestart is unexpected, by default
    loses supervisor.stopwaitsecs: horizon: stopwaitsecs is 10, and a job may take 900 s
    risk workers.drain: horizon: drain_timeout is 20 s, and a job that takes 900 s takes the deployment back
    ");
    fs::write(folder.join("horizon.conf"), conf).unwrap();
    scene.host().write(cached, &CONFIG.replace("900", "15"));
    assert_snapshot!(of_horizon(&scene).await, @"");
    scene.host().sh("rm job").await;
    wait_for("one import", Duration::from_secs(20), async || {
        let seen = scene
            .host()
            .sh("pgrep --full -a \"$PWD/.*[a]rtisan shop:import\" || true")
            .await;
        if seen.lines().count() == 1 {
            Ok(())
        } else {
            Err(seen)
        }
    })
    .await;
    scene
        .host()
        .sh("kill $(pgrep --full \"$PWD/.*[a]rtisan (shop:(import|report)|queue:work)\")")
        .await;
    scene.close().await;
}

#[tokio::test]
async fn queue_restart_alone_is_proven_and_loses_no_job_and_the_scheduler_follows() {
    let scene = shop(Shop {
        workers: "manager = \"queue_restart\"\ndrain_timeout = \"30s\"\n\
            [[environments.production.workers]]\ngroup = \"scheduler\"",
        ..Shop::default()
    })
    .await;
    let host = scene.host();
    let (dir, path) = (host.dir(), host.path());
    let program = format!(
        "[program:scheduler]\ncommand=php {}/current/artisan schedule:work\nautorestart=true\n",
        path.display()
    );
    fs::write(dir.join("etc/supervisor/scheduler.conf"), program).unwrap();
    host.sh("supervisorctl update >/dev/null").await;
    host.push_jobs(4, Duration::from_secs(1)).await;
    let told = deploy(&scene, SampleApp::code("two")).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let live = scene.live().unwrap().to_string();
    let all = ["app-worker", "app-worker", "scheduler"];
    assert_eq!(
        proven(&told),
        all.map(|group| (group.to_owned(), live.clone())),
        "{}",
        told.story()
    );
    let jobs = host.jobs_done(Duration::from_mins(1)).await;
    assert_eq!(
        (jobs.finished, jobs.failed, jobs.lost),
        (jobs.pushed, 0, 0),
        "{jobs:#?}"
    );
    scene.close().await;
}

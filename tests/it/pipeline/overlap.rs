//! New workers beside the old ones: nothing is lost, nothing waits for a long job, and what broke off is mended.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use cutover_deploy::{Config, Event, ReleaseId};
use kit::{Daemon, HostOptions, SampleApp, wait_for};

use super::laravel::{Shop, deploy, meanwhile, nothing_older, shop};
use super::scene::{Plot, Scene};
use super::told::Told;

/// Prepares a host as its operator does for groups that cutover makes. Its workers still run in the group that was there
/// before, whose file is moved away without an update.
fn prepare(scene: &Scene) {
    let dir = scene.host().dir();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let program = fs::read_to_string(root.join("templates/cutover-supervisor")).unwrap();
    let here = |path: &str| dir.join(path).display().to_string();
    let values = [
        (
            "/etc/supervisor/supervisord.conf",
            here("etc/supervisord.conf"),
        ),
        ("/etc/supervisor/conf.d", here("etc/supervisor")),
        ("/etc/supervisor/cutover", here("etc/cutover")),
    ];
    let program = values.iter().fold(program, |text, (word, value)| {
        text.replace(&format!("={word}"), &format!("={value}"))
    });
    // The one of the host knows its settings by itself.
    let program = program.replace("supervisorctl -c", "/usr/bin/supervisorctl -c");
    let file = dir.join("bin/cutover-supervisor");
    fs::write(&file, program).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let before = dir.join("etc/supervisor/app-worker.conf");
    let group = fs::read_to_string(&before).unwrap();
    fs::remove_file(before).unwrap();
    let command = group
        .lines()
        .find(|line| line.starts_with("command="))
        .unwrap();
    let group = group
        .replace(
            command,
            &command.replace("/current/", "/releases/@release@/"),
        )
        .replace("[program:app-worker]", "[program:@group@]")
        .replace("autostart=true", "autostart=true\nstartretries=1");
    fs::create_dir(dir.join("etc/cutover")).unwrap();
    fs::write(dir.join("etc/cutover/app-worker.conf"), group).unwrap();
}

/// The files that supervisord would start groups from.
fn groups(scene: &Scene) -> Vec<String> {
    let folder = fs::read_dir(scene.host().dir().join("etc/supervisor")).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.collect();
    names.sort();
    names
}

/// The releases that workers run, once those of the live one are alone.
async fn alone(scene: &Scene, live: &ReleaseId) {
    wait_for(
        "workers of the live release alone",
        Duration::from_secs(40),
        async || {
            let workers = scene.host().workers();
            let follow = workers.iter().all(|worker| worker.release == live.as_str());
            if workers.len() == 2 && follow && groups(scene).len() == 1 {
                return Ok(());
            }
            Err(format!("{workers:?} {:?}", groups(scene)))
        },
    )
    .await;
}

fn proven(told: &Told, release: &ReleaseId) {
    let proven = told.events.iter().filter_map(|event| match event {
        Event::WorkerProven { release, since, .. } => Some((release, since.is_some())),
        _ => None,
    });
    let proven: Vec<_> = proven.collect();
    assert_eq!(
        proven,
        [(release, true), (release, true)],
        "{}",
        told.story()
    );
}

/// Every step on the host and the phase that it was in, but of those that make a release.
pub(super) fn steps(told: &Told) -> Vec<(String, String)> {
    let mut phase = String::new();
    let mut steps = Vec::new();
    for event in &told.events {
        match event {
            Event::PhaseBegan { phase: begun } => phase.clone_from(begun),
            Event::StepEnded {
                host: Some(_),
                step,
                ..
            } if phase != "stage" && phase != "migrate" => {
                steps.push((phase.clone(), step.clone()));
            }
            Event::Checked { healthy: true, .. } => steps.push((phase.clone(), "asked".to_owned())),
            _ => {}
        }
    }
    steps
}

#[tokio::test]
async fn overlap_loses_no_job_and_a_long_one_ends_after_the_deployment_and_the_way_back() {
    let scene = shop(Shop {
        workers: "hand_over = \"overlap\"",
        fpm: "auto",
        pool: true,
        ..Shop::default()
    })
    .await;
    prepare(&scene);
    let told = meanwhile(&scene, deploy(&scene, SampleApp::code("two"))).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let second = scene.live().unwrap();
    proven(&told, &second);
    alone(&scene, &second).await;
    nothing_older(&scene).await;

    // A long job begins before a deployment, and ends after it and the rollback that follows.
    scene.host().hold_at("mark live");
    let running = scene.begin(&scene.wish(&[]).await);
    scene.host().reached("mark live").await;
    let begun = scene
        .host()
        .jobs_done(Duration::from_secs(20))
        .await
        .runs
        .len();
    scene.host().push_jobs(1, Duration::from_secs(25)).await;
    scene.host().jobs_begun(begun + 1).await;
    scene.host().mend_step("mark live");
    let told = running.end().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert!(scene.live().unwrap() > second);
    let drains = told
        .output()
        .into_iter()
        .filter(|line| line.starts_with("drains "));
    assert!(drains.count() >= 1, "{}", told.story());
    let over = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
    let (_, status) = scene.shell(&["status", "production"]).await;
    assert!(status.contains("finishes its job on"), "{status}");
    let forth = steps(&told);
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_eq!(scene.live().as_ref(), Some(&second));
    proven(&told, &second);
    // The way back is the way forth, workers and OPcache included.
    assert_eq!(steps(&told), forth, "{}", told.story());
    for step in [
        "workers app-worker start",
        "workers app-worker end",
        "swap",
        "workers app-worker",
    ] {
        assert!(
            forth.iter().any(|(_, known)| known == step),
            "{step}: {forth:?}"
        );
    }
    let journal = scene.host().read(".cutover/log.jsonl").unwrap();
    let kept = journal
        .lines()
        .rfind(|line| line.contains("\"did\":\"workers\""))
        .unwrap();
    let kept: serde_json::Value = serde_json::from_str(kept).unwrap();
    assert_eq!(
        kept["workers"][0]["since"].as_str().unwrap().len(),
        10,
        "{kept}"
    );
    let jobs = scene.host().jobs_done(Duration::from_mins(1)).await;
    assert_eq!(
        (jobs.finished, jobs.failed, jobs.lost),
        (jobs.pushed, 0, 0),
        "{jobs:#?}"
    );
    assert!(jobs.runs.iter().all(|run| run.attempt == 1), "{jobs:#?}");
    let long = jobs.runs.last().unwrap();
    assert!(long.ended_at > Some(over), "{over} {long:?}");
    alone(&scene, &second).await;
    scene.close().await;
}

/// Works for as long as nobody asks it to end, unless the release says that it must not come up.
const WORKER: &str = "grep -qsx yes \"${0%/*}/noworkers\" && exit 1\ntrap 'while [ -e \"${0%/*}/../../job\" ]; do sleep 0.1; done; exit 0' TERM\nwhile :; do sleep 0.1; done\n";

#[tokio::test]
async fn what_does_not_come_up_touches_no_old_worker_and_what_broke_off_is_mended() {
    let host = HostOptions {
        workers: 2,
        ..HostOptions::plain("web1")
    };
    let mut scene = Scene::start(Plot {
        hosts: vec![host],
        tables: "[[environments.production.workers]]\ngroup = \"app-worker\"\nexpect = 2\nhand_over = \"overlap\"".to_owned(),
        ..Plot::default()
    })
    .await;
    let file = scene.host().dir().join("etc/supervisor/app-worker.conf");
    let text = fs::read_to_string(&file)
        .unwrap()
        .replace("command=php ", "command=sh ");
    fs::write(file, text).unwrap();
    prepare(&scene);
    let told = scene
        .deploy(&[("artisan", WORKER), ("noworkers", "no\n")])
        .await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let first = scene.live().unwrap();
    alone(&scene, &first).await;
    let before = scene.host().workers();

    let told = scene.deploy(&[("noworkers", "yes\n")]).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_eq!(scene.live().as_ref(), Some(&first));
    let failure = told.outcome.failure().unwrap();
    assert_eq!(failure.step, "workers app-worker start", "{failure:?}");
    assert!(
        failure
            .message
            .contains("0 of 2 workers of app-worker came up"),
        "{failure:?}"
    );
    assert_eq!(scene.host().workers(), before);
    alone(&scene, &first).await;

    // Nothing is swapped: what was told to end starts again, and what its operator had stopped does not.
    scene.host().fault_step("swap", 1, "no luck");
    let told = scene.deploy(&[("noworkers", "no\n")]).await;
    assert_eq!(told.exit(), 1, "{}\n{}", told.outcome(), told.story());
    alone(&scene, &first).await;
    let group = groups(&scene).remove(0).replace(".conf", ":*");
    scene
        .host()
        .sh(&format!("supervisorctl stop '{group}'"))
        .await;
    let told = scene.deploy(&[("still", "")]).await;
    assert_eq!(told.exit(), 1, "{}\n{}", told.outcome(), told.story());
    wait_for(
        "nobody to work",
        Duration::from_secs(20),
        async || match scene.host().workers() {
            workers if workers.is_empty() => Ok(()),
            workers => Err(format!("{workers:?}")),
        },
    )
    .await;
    scene.host().mend_step("swap");

    // Health fails after the old ones were told to end: the way back starts them again.
    let told = scene
        .deploy(&[("noworkers", "no\n"), ("ok", "false")])
        .await;
    assert!(
        told.outcome().starts_with("rolled back"),
        "{}\n{}",
        told.outcome(),
        told.story()
    );
    alone(&scene, &first).await;

    // Host and deployer break off with old and new workers side by side.
    scene.host().hold_at("workers-app-worker-end");
    let running = scene.begin(&scene.wish(&[("ok", "true")]).await);
    scene.host().reached("workers-app-worker-end").await;
    running.kill().await;
    scene.host().kill_daemon(Daemon::Sshd).await;
    scene.host().mend_step("workers-app-worker-end");
    scene.host().start_daemon(Daemon::Sshd).await;
    assert_eq!(groups(&scene).len(), 2, "old and new");
    let told = scene.deploy(&[("two", "")]).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let live = scene.live().unwrap();
    proven(&told, &live);
    alone(&scene, &live).await;

    // A job outlasts the drain where somebody waits for it: then the release is taken back, or the job killed.
    scene.host().write("job", "");
    scene.text += "drain_timeout = \"2s\"\nafter_drain = \"fail\"\n";
    scene.config = Config::parse("cutover.toml", &scene.text).unwrap();
    let told = scene.deploy(&[("three", "")]).await;
    assert!(
        told.outcome().starts_with("rolled back"),
        "{}\n{}",
        told.outcome(),
        told.story()
    );
    let failure = told.outcome.failure().unwrap();
    assert!(failure.message.contains("have not finished"), "{failure:?}");
    assert_eq!(scene.live().as_ref(), Some(&live));
    proven(&told, &live);
    scene.text = scene.text.replace("\"fail\"", "\"force\"");
    scene.config = Config::parse("cutover.toml", &scene.text).unwrap();
    let told = scene.deploy(&[("four", "")]).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    alone(&scene, &scene.live().unwrap()).await;
    scene.host().sh("rm job").await;
    scene.close().await;
}

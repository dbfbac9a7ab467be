//! The doctor on real hosts: each fault is set on the host and named, and a host without faults has none.

mod app;
mod host;
mod web;
mod workers;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use cutover_deploy::Config;
use cutover_deploy::config::Environment;
use cutover_deploy::doctor::{Diagnosis, Severity};
use cutover_deploy::run;
use insta::assert_snapshot;
use kit::{FIRST, program, wait_for};
use tokio::process::Command;

use super::laravel::{Shop, shop};
use super::scene::Scene;

/// A shop whose owner has read the manual.
async fn healthy() -> Scene {
    let scene = shop(Shop {
        fpm: "auto",
        pool: true,
        keys: "watch = \"1s\"",
        workers: "drain_timeout = \"70s\"\n[environments.production.alarms.queue]\nfailed = 0",
        ..Shop::default()
    })
    .await;
    edit(&scene, WORKERS, |text| {
        text.replace("--timeout=60", "--timeout=60 --max-time=3600") + "killasgroup=true\n"
    });
    supervisor_reads(&scene).await;
    // How full the disk of this machine is has nothing to do with it.
    let room = "echo 'disk blocks used free'; echo 'disk 90000000 1 80000000'";
    shim(&scene, "df", room);
    scene.host().sh("chmod 640 shared/.env").await;
    scene.host().write("current/public/robots.txt", "hello\n");
    scene.host().write("current/.env.example", "APP_KEY=\n");
    visit(&scene).await;
    scene
}

/// Where the group of workers is described.
const WORKERS: &str = "etc/supervisor/app-worker.conf";

/// Until somebody has asked, nobody knows how the web server names the app's scripts.
async fn visit(scene: &Scene) {
    assert_eq!(scene.host().health().await.0, 200);
}

/// A file of the first host, by its path in the host's folder.
fn file(scene: &Scene, name: &str) -> PathBuf {
    scene.host().dir().join(name)
}

/// Changes a file, and returns how it was.
fn edit(scene: &Scene, name: &str, change: impl Fn(&str) -> String) -> String {
    let file = file(scene, name);
    let before = fs::read_to_string(&file).unwrap();
    let after = change(&before);
    assert_ne!(before, after, "{name} stays as it was");
    fs::write(file, after).unwrap();
    before
}

/// Puts a program before the machine's own, for shells on the host.
fn shim(scene: &Scene, name: &str, text: &str) {
    let file = file(scene, &format!("bin/{name}"));
    fs::write(&file, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(file, fs::Permissions::from_mode(0o755)).unwrap();
}

async fn supervisor_reads(scene: &Scene) {
    scene.host().sh("supervisorctl update").await;
    wait_for(
        "supervisor to have them running",
        Duration::from_secs(20),
        async || {
            let told = scene.host().try_sh("supervisorctl status").await.stdout;
            let told = String::from_utf8(told).unwrap();
            if told.matches(" RUNNING ").count() == 2 {
                Ok(())
            } else {
                Err(told)
            }
        },
    )
    .await;
}

async fn diagnosis(scene: &Scene) -> Diagnosis {
    diagnosis_with(scene, |_, _| {}).await
}

/// The same for a configuration that is another one.
async fn diagnosis_with(
    scene: &Scene,
    change: impl Fn(&mut Config, &mut Environment),
) -> Diagnosis {
    let mut config = scene.config.clone();
    let mut environment = config.environment("production").unwrap().clone();
    change(&mut config, &mut environment);
    let mut told = run::examine(&config, &environment, &scene.access).await;
    assert_eq!(told.len(), 1);
    told.remove(0)
}

/// What was found and what could not be looked at, a line each.
fn picture(scene: &Scene, told: &Diagnosis) -> String {
    let found = told.findings.iter().map(|finding| {
        let severity = match finding.severity {
            Severity::Loses => "loses",
            Severity::Risk => "risk",
            Severity::Remark => "remark",
        };
        format!("{severity} {}: {}", finding.id, finding.found)
    });
    let unseen = told.unseen.iter();
    let unseen = unseen.map(|unseen| format!("not checked {}: {}", unseen.id, unseen.why));
    let lines: Vec<String> = found.chain(unseen).collect();
    scene.tame(&lines.join("\n")).replace(FIRST, "FIRST")
}

/// Whatever PHP 8.2 there is.
fn unversioned(text: &str) -> String {
    let mut php = std::process::Command::new("php");
    let said = php.args(["-r", "echo PHP_VERSION;"]).output().unwrap();
    text.replace(std::str::from_utf8(&said.stdout).unwrap(), "8.2.N")
}

/// The same, however full `OPcache` is.
fn steady(text: &str) -> String {
    let text = unversioned(text);
    let words: Vec<&str> = text.split(' ').collect();
    let next = words.iter().skip(1).chain([&""]);
    let steady = words.iter().zip(next);
    let steady = steady.map(|(word, next)| if *next == "%" { "N" } else { word });
    steady.collect::<Vec<_>>().join(" ")
}

/// Nothing is found, nothing is left unseen, and nothing of the look stays on the host.
async fn well(scene: &Scene) {
    let told = diagnosis(scene).await;
    assert_eq!(picture(scene, &told), "");
    let left = scene.host().sh("find . -name '.doctor*'").await;
    assert_eq!(left, "");
}

/// Runs `cutover doctor`: its exit code and what it says.
async fn program_says(scene: &Scene, more: &[&str]) -> (i32, String) {
    let config = file(scene, "cutover.toml");
    fs::write(&config, &scene.text).unwrap();
    let mut cutover = Command::new(program("cutover"));
    cutover.args(["doctor", "production"]).args(more);
    cutover.arg("--config").arg(config);
    cutover
        .arg("--ssh-key")
        .arg(scene.access.key_file.as_ref().unwrap());
    cutover
        .arg("--known-hosts")
        .arg(scene.access.known_hosts.as_ref().unwrap());
    cutover
        .arg("--ssh-config")
        .arg("/dev/null")
        .kill_on_drop(true);
    let output = cutover.output().await.unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    (
        output.status.code().unwrap(),
        steady(&scene.tame(&said).replace(FIRST, "FIRST")),
    )
}

#[tokio::test]
async fn the_program_says_it_by_words_by_json_and_by_its_exit_code() {
    let scene = healthy().await;
    well(&scene).await;
    let (code, said) = program_says(&scene, &[]).await;
    assert_eq!(code, 0, "{said}");
    assert_snapshot!(said, @"
    web1
      after a swap: php-fpm: nothing; OPcache forgets releases that are removed (PHP 8.2.N, OPcache N % used, N % wasted; the web server passes the release's own path)
      after a swap: workers app-worker: drain: each finishes its job and is started anew by supervisor; after 70 s the release is taken back
      47 checks are fine
    production: 0 that lose jobs or requests, 0 risks, 0 remarks, 0 not checked
    ");
    let before = edit(&scene, WORKERS, |text| text.replace("stopwaitsecs=70", ""));
    scene.host().sh("chmod 644 shared/.env").await;
    let (code, said) = program_says(&scene, &[]).await;
    assert_eq!(code, 4, "{said}");
    assert_snapshot!(said, @"
    web1
      loses jobs or requests: app-worker: stopwaitsecs is 10, and a job may take 60 s  [supervisor.stopwaitsecs]
        Whatever restarts the group, a reboot included, kills the job that outlasts it.
        mend: stopwaitsecs=70
      risk: /srv/shop/shared/.env has the mode 644  [env.rights]
        It holds the passwords of the app.
        mend: chmod o-rwx /srv/shop/shared/.env
      after a swap: php-fpm: nothing; OPcache forgets releases that are removed (PHP 8.2.N, OPcache N % used, N % wasted; the web server passes the release's own path)
      after a swap: workers app-worker: drain: each finishes its job and is started anew by supervisor; after 70 s the release is taken back
      45 checks are fine
    production: 1 that lose jobs or requests, 1 risks, 0 remarks, 0 not checked
    ");
    let (code, said) = program_says(&scene, &["--json"]).await;
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &said[0]["host"]), (4, &"web1".into()));
    assert_snapshot!(serde_json::to_string_pretty(&said[0]["findings"]).unwrap(), @r#"
    [
      {
        "id": "supervisor.stopwaitsecs",
        "severity": "loses",
        "found": "app-worker: stopwaitsecs is 10, and a job may take 60 s",
        "why": "Whatever restarts the group, a reboot included, kills the job that outlasts it.",
        "mend": "stopwaitsecs=70"
      },
      {
        "id": "env.rights",
        "severity": "risk",
        "found": "/srv/shop/shared/.env has the mode 644",
        "why": "It holds the passwords of the app.",
        "mend": "chmod o-rwx /srv/shop/shared/.env"
      }
    ]
    "#);
    fs::write(file(&scene, WORKERS), before).unwrap();
    // What cannot be looked at is no reason to call it fine.
    let known = edit(&scene, "etc/supervisord.conf", |text| {
        text.replace("files=", "missing=")
    });
    let (code, said) = program_says(&scene, &[]).await;
    assert_eq!(code, 1, "{said}");
    assert_snapshot!(said, @"
    web1
      risk: /srv/shop/shared/.env has the mode 644  [env.rights]
        It holds the passwords of the app.
        mend: chmod o-rwx /srv/shop/shared/.env
      after a swap: php-fpm: nothing; OPcache forgets releases that are removed (PHP 8.2.N, OPcache N % used, N % wasted; the web server passes the release's own path)
      after a swap: workers app-worker: drain: each finishes its job and is started anew by supervisor; after 70 s the release is taken back
      not checked: supervisor.autorestart, supervisor.killasgroup, supervisor.stopasgroup, supervisor.stopsignal, supervisor.stopwaitsecs
        group app-worker: no file of supervisor that may be read tells of it; needs a running worker, or root
      41 checks are fine
    production: 0 that lose jobs or requests, 1 risks, 0 remarks, 5 not checked
    ");
    fs::write(file(&scene, "etc/supervisord.conf"), known).unwrap();
    scene.close().await;
}

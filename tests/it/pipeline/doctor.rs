//! The doctor on real hosts: each fault is set on the host and named, and a host without faults has none.

use std::fs;
use std::path::PathBuf;

use cutover_deploy::doctor::{Diagnosis, Severity};
use cutover_deploy::run;
use insta::assert_snapshot;
use kit::FIRST;

use super::laravel::{Shop, shop};
use super::scene::Scene;

/// A shop whose owner has read the manual.
async fn healthy() -> Scene {
    let scene = shop(Shop {
        fpm: "auto",
        pool: true,
        workers: "drain_timeout = \"70s\"",
        ..Shop::default()
    })
    .await;
    edit(&scene, "etc/supervisor/app-worker.conf", |text| {
        text.replace("--timeout=60", "--timeout=60 --max-time=3600") + "killasgroup=true\n"
    });
    supervisor_reads(&scene).await;
    scene.host().sh("chmod 640 shared/.env").await;
    // Until somebody has asked, nobody knows how the web server names the app's scripts.
    assert_eq!(scene.host().health().await.0, 200);
    scene
}

/// A file of the first host, by its path in the host's folder.
fn file(scene: &Scene, name: &str) -> PathBuf {
    scene.host().dir().join(name)
}

fn edit(scene: &Scene, name: &str, change: impl Fn(String) -> String) {
    let file = file(scene, name);
    let before = fs::read_to_string(&file).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "{name} stays as it was");
    fs::write(file, after).unwrap();
}

async fn supervisor_reads(scene: &Scene) {
    scene.host().sh("supervisorctl update").await;
    scene.host().workers_run(2).await;
}

async fn diagnosis(scene: &Scene) -> Diagnosis {
    let environment = scene.config.environment("production").unwrap();
    let mut told = run::examine(&scene.config, environment, &scene.access).await;
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

#[tokio::test]
async fn a_healthy_host_has_no_finding_and_each_fault_of_its_workers_is_named() {
    let scene = healthy().await;
    let told = diagnosis(&scene).await;
    assert_snapshot!(picture(&scene, &told), @"");
    assert_snapshot!(told.fine.join(" "), @"");
    scene.close().await;
}

//! Faults of the machine, and of the way to it.

use cutover_deploy::run::{examine, workers};
use insta::assert_snapshot;
use kit::{Disk, HostOptions, Tools};

use super::super::scene::{Plot, Scene};
use super::{diagnosis, diagnosis_with, file, picture, shim};

#[tokio::test]
async fn a_machine_without_room_time_or_rights_is_named() {
    let scene = Scene::start(Plot {
        hosts: vec![HostOptions {
            disk: Disk::Own(64),
            tools: Tools::BusyBox,
            ..HostOptions::plain("web1")
        }],
        ..Plot::default()
    })
    .await;
    if scene.host().has_own_disk() {
        let fill = "mount -o remount,nr_inodes=20 .. && n=0 && while touch ../$n 2>/dev/null; do n=$((n + 1)); done";
        scene.host().sh(fill).await;
    }
    shim(&scene, "date", "exec /bin/date -d '+1 hour' \"$@\"");
    shim(&scene, "sudo", "echo 'a password is required' >&2; exit 1");
    let told = diagnosis_with(&scene, |_, environment| {
        let workers = "app = \"x\"\nrepository = \"github:a/b\"\n[environments.production]\npath = \"/x\"\n\
            [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n\
            [[environments.production.workers]]\ngroup = \"app-worker\"\nafter_drain = \"force\"\n";
        let config = cutover_deploy::Config::parse("x", workers).unwrap();
        environment
            .workers
            .clone_from(&config.environment("production").unwrap().workers);
    });
    // Between two looks at a clock it may strike.
    let told = picture(&scene, &told.await).replace("3599 s", "3600 s");
    assert_snapshot!(told.replace("3601 s", "3600 s"), @"
    risk env.rights: /srv/shop/shared/.env has the mode 644
    risk host.clock: the clock is 3600 s ahead
    risk host.disk: 99 % of the disk below /srv/shop is free, 65 MB
    risk host.inodes: 0 % of the inodes below /srv/shop are free, 0
    risk host.sudo: sudo does not allow `supervisorctl status app-worker:*` without a password
    risk host.sudo: sudo does not allow `supervisorctl start app-worker:app-worker_00` without a password
    remark host.ln: `ln` is BusyBox's: `ln -sfn` removes a link before it makes the new one
    not checked queue.cache-prefix: php is not installed
    not checked queue.cache-store: php is not installed
    not checked queue.failed-jobs: php is not installed
    not checked queue.overlap-lock: php is not installed
    not checked queue.retry-after: php is not installed
    not checked shared.linked: nothing is live yet
    not checked supervisor.autorestart: group app-worker: no file of supervisor that may be read tells of it; needs a running worker, or root
    not checked supervisor.killasgroup: group app-worker: no file of supervisor that may be read tells of it; needs a running worker, or root
    not checked supervisor.stopasgroup: group app-worker: no file of supervisor that may be read tells of it; needs a running worker, or root
    not checked supervisor.stopsignal: group app-worker: no file of supervisor that may be read tells of it; needs a running worker, or root
    not checked supervisor.stopwaitsecs: group app-worker: no file of supervisor that may be read tells of it; needs a running worker, or root
    not checked web.dotfiles: nothing is live yet
    not checked web.static: nothing is live yet
    not checked workers.drain: group app-worker: no command line was seen
    not checked workers.listen: group app-worker: no command line was seen
    not checked workers.max-time: group app-worker: no command line was seen
    not checked workers.memory: group app-worker: no command line was seen
    not checked workers.running: group app-worker: supervisorctl status app-worker:*: a password is required
    not checked workers.stale: group app-worker: supervisorctl status app-worker:*: a password is required
    not checked workers.timeout: group app-worker: no command line was seen
    not checked workers.tries: group app-worker: no command line was seen
    not checked workers.unmanaged: supervisor lists no workers to compare with
    ");
    for name in ["date", "sudo"] {
        std::fs::remove_file(file(&scene, &format!("bin/{name}"))).unwrap();
    }
    scene.host().change_host_key().await;
    assert_snapshot!(of_the_way(&scene).await, @r#"
    host.key: cannot connect to deploy@web1: the host key is not a pinned one
    {"the host was not seen"}
    fine: []
    "#);
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_lets_nobody_in_was_not_checked() {
    let scene = Scene::plain().await;
    scene.host().refuse_key();
    assert_snapshot!(of_the_way(&scene).await, @r#"
    host.reach: cannot connect to deploy@web1: the host does not take the key (failed to connect to the remote host: deploy@127.0.0.1: Permission denied (publickey).)
    {"the host was not seen"}
    fine: ["host.key"]
    "#);
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_nobody_reaches_has_shown_no_key() {
    let scene = Scene::plain().await;
    scene.host().go_down().await;
    assert_snapshot!(of_the_way(&scene).await, @r#"
    host.reach: cannot connect to deploy@web1: failed to connect to the remote host: connect to host 127.0.0.1 port 22: Connection refused
    {"the host was not seen"}
    fine: []
    "#);
    scene.close().await;
}

#[tokio::test]
async fn a_manager_that_cannot_be_asked_hides_nobody_that_another_one_lists() {
    let scene = Scene::plain().await;
    let nobody = "echo 'Cannot connect to the Docker daemon.' >&2; exit 1";
    shim(&scene, "docker", nobody);
    let listed = "echo 'mail:mail_00 RUNNING pid 1, uptime 0:01:00'";
    shim(&scene, "supervisorctl", listed);
    let group = |name: &str, more: &str| {
        format!("[[environments.production.workers]]\ngroup = \"{name}\"\nsudo = false\n{more}\n")
    };
    let boxed = group(
        "boxed",
        "manager = \"docker\"\ndocker = { image = \"php:cli\", command = [\"php\", \"artisan\", \"queue:work\"] }",
    );
    let text = format!("{}\n{boxed}{}", scene.text, group("mail", ""));
    let config = cutover_deploy::Config::parse("cutover.toml", &text).unwrap();
    let environment = config.environment("production").unwrap();
    let told = examine(&config, environment, &scene.access).await;
    let unseen = told[0].unseen.iter();
    let unseen = unseen.filter(|unseen| unseen.id == "workers.running");
    let whys: Vec<&str> = unseen.map(|unseen| &*unseen.why).collect();
    assert_eq!(whys, ["group boxed: Cannot connect to the Docker daemon."]);
    let (_, roster) = workers(environment, &scene.access).await.remove(0);
    let names: Vec<&str> = roster.workers.iter().map(|one| &*one.name).collect();
    assert_eq!((names, roster.failures.len()), (vec!["mail:mail_00"], 1));
    let hint = roster.failures[0].hint.clone().unwrap();
    assert!(hint.contains("docs/containers.md"), "{hint}");
    scene.close().await;
}

/// What is told of a host that nobody could look at.
async fn of_the_way(scene: &Scene) -> String {
    let told = diagnosis(scene).await;
    assert!(told.is_blind() && told.unseen.len() > 40, "{told:#?}");
    let found = told
        .findings
        .iter()
        .map(|found| format!("{}: {}", found.id, found.found));
    let whys: std::collections::BTreeSet<_> = told
        .unseen
        .iter()
        .map(|unseen| unseen.why.as_str())
        .collect();
    scene.tame(&format!(
        "{}\n{whys:?}\nfine: {:?}",
        found.collect::<Vec<_>>().join("\n"),
        told.fine
    ))
}

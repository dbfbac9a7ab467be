//! Bad days: whatever is wrong with a host is told with host, step and what to do, and the host stays whole.

use insta::{allow_duplicates, assert_snapshot};
use kit::{Disk, HostOptions};

use super::scene::{Plot, Scene};

/// A scene whose first release is live.
pub(super) async fn live(plot: Plot) -> Scene {
    let scene = Scene::start(plot).await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene
}

/// The next deployment goes through, and what it leaves is the picture of a healthy host.
pub(super) async fn mended(scene: Scene) {
    let told = scene.deploy(&[("ok", "true")]).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    scene.close().await;
}

/// A text in which the host's own key and its fingerprint, by the word of the files on the host, have names.
fn with_its_key(scene: &Scene, text: &str) -> String {
    let file = scene.host().dir().join("etc/host_key.pub");
    let public = std::fs::read_to_string(&file).unwrap();
    let mut keygen = std::process::Command::new("ssh-keygen");
    let said = keygen.arg("-lf").arg(&file).output().unwrap().stdout;
    let said = String::from_utf8(said).unwrap();
    let word = |line: &str| line.split(' ').nth(1).unwrap().to_owned();
    text.replace(&word(&said), "SHA256:<of the host>")
        .replace(&word(&public), "<key of the host>")
        .replace(&scene.host().ssh_port().to_string(), "<port>")
}

#[tokio::test]
async fn a_host_with_another_key_is_not_trusted() {
    let scene = live(Plot::default()).await;
    scene.host().change_host_key().await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(with_its_key(&scene, &told.outcome()), @"
    refused: nothing was changed
      greet on web1: cannot connect to deploy@web1: the host key is not a pinned one
      It offers SHA256:<of the host>. Compare that with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host itself, over a channel that you trust: whoever stands in between would offer a key as well. Only when they are the same, add this line to known_hosts:
    [127.0.0.1]:<port> ssh-ed25519 <key of the host>
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_host_without_a_pinned_key_is_not_trusted() {
    let mut scene = live(Plot::default()).await;
    let known = scene.work_dir().join("nobody");
    std::fs::write(&known, "").unwrap();
    scene.access.known_hosts = Some(known);
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(with_its_key(&scene, &told.outcome()), @"
    refused: nothing was changed
      greet on web1: cannot connect to deploy@web1: the host key is not a pinned one
      It offers SHA256:<of the host>. Compare that with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host itself, over a channel that you trust: whoever stands in between would offer a key as well. Only when they are the same, add this line to known_hosts:
    [127.0.0.1]:<port> ssh-ed25519 <key of the host>
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_host_that_is_down_is_told() {
    let scene = live(Plot::default()).await;
    scene.host().go_down().await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot connect to deploy@web1: failed to connect to the remote host: connect to host 127.0.0.1 port 22: Connection refused
      Check that the host is up and reachable: `ssh -p 22 deploy@127.0.0.1 true`.
    ");
    scene.host().come_up().await;
    mended(scene).await;
}

#[tokio::test]
async fn a_key_that_is_refused_is_told() {
    let scene = live(Plot::default()).await;
    scene.host().refuse_key();
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot connect to deploy@web1: the host does not take the key (failed to connect to the remote host: deploy@127.0.0.1: Permission denied (publickey).)
      Add the public key of the deploy key to `~/.ssh/authorized_keys` of that user on the host.
    ");
    scene.host().accept_key();
    mended(scene).await;
}

/// A host whose disk holds 8 MiB.
fn small() -> Plot {
    let host = HostOptions {
        disk: Disk::Own(8),
        ..HostOptions::plain("web1")
    };
    Plot {
        hosts: vec![host],
        ..Plot::default()
    }
}

#[tokio::test]
async fn a_release_that_does_not_fit_on_the_disk_is_refused() {
    let scene = live(small()).await;
    if !scene.host().has_own_disk() {
        // Nobody but root can have a small disk; the other tests of full disks do without.
        return scene.close().await;
    }
    let large = "x".repeat(9_000_000);
    let told = scene.deploy(&[("large", &large)]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan on web1: disk full: the release needs 9.0 MB, 8.3 MB are free
      See what takes the room: `ssh -p 22 deploy@127.0.0.1 du -xsh /srv/shop/releases/* /srv/shop/shared`.
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    ");
    mended_without(scene, "large").await;
}

pub(super) async fn mended_without(scene: Scene, file: &str) {
    scene.repo.git(&["rm", "-q", file]).await;
    mended(scene).await;
}

#[tokio::test]
async fn a_disk_that_fills_up_on_the_way_changes_nothing() {
    let scene = live(small()).await;
    scene.host().hold_at("link shared");
    let request = scene.wish(&[]).await;
    let running = scene.begin(&request);
    scene.host().reached("link shared").await;
    scene.host().fill_disk();
    scene.host().mend_step("link shared");
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      prepare: sh prepare.sh on web1: exit 1: prepare.sh: 1: printf: printf: I/O error
      Look whether the disk is full: `df -h`. Remove old releases, or lower `keep_releases`.
    ");
    scene.host().free_disk();
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/2.json.new
    .cutover/releases/1.json healthy
    .cutover/releases/2.json staging
    ");
    mended(scene).await;
}

#[tokio::test]
async fn a_full_disk_before_the_lease_is_told() {
    let scene = live(small()).await;
    scene.host().fill_disk();
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot prepare /srv/shop: exit 1: lease: 19: printf: printf: I/O error
      Look whether the disk is full: `df -h /srv/shop`, and make room.
    ");
    scene.host().free_disk();
    mended(scene).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_to_is_told_with_the_command_that_mends_it() {
    let scene = live(Plot::default()).await;
    for (folder, exit) in [
        ("releases", 2),
        (".cutover", 2),
        (".cutover/releases", 2),
        ("shared", 1),
    ] {
        // Of `shared` something is needed only where a folder is missing.
        scene.host().sh("rmdir shared/storage").await;
        scene.host().make_unwritable(folder).await;
        let told = scene.deploy(&[]).await;
        assert_eq!(told.exit(), exit, "{folder}: {}", told.outcome());
        match folder {
            "releases" => assert_snapshot!(told.outcome(), @"
            refused: nothing was changed
              plan on web1: /srv/shop/releases cannot be written to by deploy
              Give deploy the folder: `sudo install -d -o deploy /srv/shop/releases`.
            "),
            ".cutover" => assert_snapshot!(told.outcome(), @"
            refused: nothing was changed
              greet on web1: cannot prepare /srv/shop: exit 2: lease: 30: cannot create /srv/shop/.cutover/fence.new: Operation not permitted
              Give deploy the folder: `sudo chown -R deploy /srv/shop/.cutover`.
            "),
            ".cutover/releases" => assert_snapshot!(told.outcome(), @"
            refused: nothing was changed
              plan on web1: /srv/shop/.cutover/releases cannot be written to by deploy
              Give deploy the folder: `sudo chown -R deploy /srv/shop/.cutover`.
            "),
            _ => assert_snapshot!(told.outcome(), @"
            failed: what was live still is
              link shared on web1: exit 1: mkdir: cannot create directory '/srv/shop/shared/storage': Operation not permitted
              Give deploy the folder: `sudo install -d -o deploy /srv/shop/shared`.
            "),
        }
        scene.host().make_writable(folder).await;
        assert_eq!(scene.deploy(&[]).await.exit(), 0);
    }
    mended(scene).await;
}

#[tokio::test]
async fn a_root_that_cannot_be_written_to_is_told_with_the_command_that_mends_it() {
    let scene = Scene::plain().await;
    scene.host().sh("mkdir -p releases shared").await;
    scene.host().make_unwritable(".").await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      greet on web1: cannot prepare /srv/shop: exit 1: mkdir: cannot create directory '/srv/shop/.cutover': Operation not permitted
      Give deploy the folder: `sudo install -d -o deploy /srv/shop`.
    ");
    let (exit, said) = scene.shell(&["check", "production"]).await;
    assert_eq!(exit, 2);
    assert_snapshot!(said, @"
    production: 1 to mend first
      plan on web1: /srv/shop cannot be written to by deploy
        Give deploy the folder: `sudo install -d -o deploy /srv/shop`.
    ");
    scene.host().make_writable(".").await;
    mended(scene).await;
}

#[tokio::test]
async fn a_current_that_is_a_real_folder_is_never_touched() {
    let scene = Scene::plain().await;
    scene.host().write("current/index.html", "precious");
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 2);
    assert_snapshot!(told.outcome(), @"
    refused: nothing was changed
      plan on web1: /srv/shop/current is a real folder or file, not a link to a release
      Make a release of it and link that instead: `mkdir -p /srv/shop/releases && ln -s releases/before-cutover /srv/shop/current.new && mv /srv/shop/current /srv/shop/releases/before-cutover && mv /srv/shop/current.new /srv/shop/current`.
    ");
    assert_eq!(
        scene.host().read("current/index.html").as_deref(),
        Some("precious")
    );
    // What the hint says helps, word for word.
    let failure = told.outcome.failure().unwrap();
    let command = failure.hint.as_ref().unwrap().split('`').nth(1).unwrap();
    scene.host().sh(command).await;
    let moved = scene.host().read("releases/before-cutover/index.html");
    assert_eq!(moved.as_deref(), Some("precious"));
    assert_eq!(
        scene.host().read("current/index.html").as_deref(),
        Some("precious")
    );
    mended(scene).await;
}

#[tokio::test]
async fn a_current_that_becomes_a_folder_on_the_way_is_never_touched() {
    let scene = Scene::plain().await;
    scene.host().hold_at("swap");
    let request = scene.wish(&[]).await;
    let running = scene.begin(&request);
    scene.host().reached("swap").await;
    scene.host().write("current/index.html", "precious");
    scene.host().mend_step("swap");
    let told = running.end().await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      swap on web1: exit 65: /srv/shop/current is not a link
      Something made a folder of it meanwhile: `cutover check production` says how to mend that.
    ");
    assert_eq!(
        scene.host().read("current/index.html").as_deref(),
        Some("precious")
    );
    scene.host().sh("rm -r current").await;
    mended(scene).await;
}

#[tokio::test]
async fn links_that_an_interrupted_deployment_left_are_told_and_do_no_harm() {
    let scene = live(Plot::default()).await;
    scene
        .host()
        .sh("cd .cutover; ln -s releases/gone current.d9; ln -s ../current/ current.d8; echo x >current.d7; mkdir current.d6 \
             incoming; echo x >current.d6/x; echo x >incoming/d9.tar.gz; ln -s gone ../releases/current; ln -s current ../current.new")
        .await;
    let told = scene.deploy(&[]).await;
    assert_snapshot!(told.outcome(), @"deployed: r2 is live and healthy (before: r1)");
    assert_snapshot!(told.notes(), @"
    web1: left over from an interrupted deployment: /srv/shop/.cutover/incoming/d9.tar.gz
    web1: left over from an interrupted deployment: /srv/shop/.cutover/current.d6
    web1: left over from an interrupted deployment: /srv/shop/.cutover/current.d7
    web1: left over from an interrupted deployment: /srv/shop/.cutover/current.d8
    web1: left over from an interrupted deployment: /srv/shop/.cutover/current.d9
    ");
    assert_snapshot!(scene.picture().await, @"
    current -> releases/2
    releases/current -> gone (leads nowhere)
    releases/1/
    releases/2/
    current.new -> current
    shared/.env
    shared/storage/
    .cutover/fence 2
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json healthy
    ");
    scene.close().await;
}

#[tokio::test]
async fn without_its_env_file_nothing_begins() {
    let scene = live(Plot::default()).await;
    for break_it in ["rm shared/.env", ": >shared/.env"] {
        scene.host().sh(break_it).await;
        let told = scene.deploy(&[]).await;
        assert_eq!(told.exit(), 2);
        allow_duplicates! { assert_snapshot!(told.outcome(), @"
        refused: nothing was changed
          shared on web1: /srv/shop/shared/.env is missing or empty
          Put it there: `scp -P 22 .env deploy@127.0.0.1:/srv/shop/shared/.env`.
        ") }
    }
    assert_snapshot!(scene.picture().await, @"
    current -> releases/1
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    ");
    // A release that has all it needs can still be returned to.
    scene.host().write("shared/.env", "APP_KEY=x\n");
    scene.deploy(&[]).await;
    scene.host().sh("rm shared/.env").await;
    assert_eq!(scene.rollback().await.exit(), 0);
    scene.host().write("shared/.env", "APP_KEY=x\n");
    mended(scene).await;
}

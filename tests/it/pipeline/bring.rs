//! How an artifact comes to a host that had one before: what did not change is there already.

use kit::{HostOptions, Tools};

use super::scene::{Plot, Scene};

/// Enough files for several parts.
async fn scene() -> Scene {
    on(HostOptions::plain("web1")).await
}

async fn on(host: HostOptions) -> Scene {
    let hosts = vec![host];
    let scene = Scene::start(Plot {
        hosts,
        ..Plot::default()
    })
    .await;
    let files: Vec<_> = (0..100)
        .map(|n| (format!("pages/{n:02}"), format!("page {n}").repeat(50)))
        .collect();
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (&**path, &**text))
        .collect();
    let told = scene.deploy(&files).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    scene
}

#[tokio::test]
async fn a_release_is_whole_and_has_the_time_of_its_commit_though_only_changes_were_sent() {
    whole(scene().await).await;
}

#[tokio::test]
async fn a_release_is_whole_where_busybox_puts_it_together() {
    let host = HostOptions {
        tools: Tools::BusyBox,
        ..HostOptions::plain("web1")
    };
    whole(on(host).await).await;
}

async fn whole(scene: Scene) {
    let told = scene
        .deploy(&[("pages/50", "changed"), ("pages/new", "new")])
        .await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    let host = scene.host();
    let same = "cd current && find . -type f ! -name REVISION ! -name health.json -exec sha256sum {} + | sort";
    let released = host.sh(same).await;
    let work = scene.repo.work();
    let committed = std::process::Command::new("sh")
        .args([
            "-c",
            "find . -name .git -prune -o -type f -exec sha256sum {} + | sort",
        ])
        .current_dir(work)
        .output()
        .unwrap();
    assert_eq!(released, String::from_utf8(committed.stdout).unwrap());
    let times = "cd current && find . -type f ! -name REVISION ! -name health.json -exec stat -c %Y {} + | sort -u";
    let commit = scene.repo.git(&["show", "-s", "--format=%ct"]).await;
    assert_eq!(host.sh(times).await, commit);
    scene.close().await;
}

#[tokio::test]
async fn a_kept_artifact_that_was_damaged_is_noticed_and_not_used_again() {
    let scene = scene().await;
    let live = scene.live();
    let damage = "printf damage | dd of=.cutover/objects/artifact bs=1 seek=400 conv=notrunc";
    scene.host().sh(damage).await;
    let told = scene.deploy(&[("pages/50", "changed")]).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert!(
        told.story().contains("did not arrive whole"),
        "{}",
        told.story()
    );
    assert_eq!(scene.live(), live);
    let told = scene.deploy(&[("pages/51", "changed")]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    scene.close().await;
}

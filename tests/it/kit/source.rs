//! Repositories are real, the sample app is built by a real Composer, and it can be broken in every way that is offered.

use std::path::Path;
use std::process::Output;

use kit::{Breakage, ComposerRepo, Host, HostOptions, Repo, SampleApp};
use tokio::process::Command;

async fn composer_install(app: &Path, more: &[&str]) -> Output {
    let mut composer = Command::new("composer");
    composer
        .args(["install", "--no-interaction", "--no-ansi"])
        .args(more)
        .current_dir(app);
    composer
        .env("COMPOSER_ALLOW_SUPERUSER", "1")
        .env("COMPOSER_HOME", app.join("../home"));
    composer.output().await.expect("Composer is installed")
}

#[tokio::test]
async fn the_sample_app_is_installed_from_its_lock_with_and_without_development_packages() {
    let composer = ComposerRepo::start().await;
    let repo = Repo::sample_app(&composer).await;
    let clone = tempfile::tempdir().unwrap();
    let app = clone.path().join("app");
    let cloned = Command::new("git")
        .args(["clone", "-q", &repo.url()])
        .arg(&app)
        .status()
        .await
        .unwrap();
    assert!(cloned.success());

    let output = composer_install(&app, &["--no-dev"]).await;
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    assert!(!said.contains("not up to date"), "{said}");
    assert!(app.join("vendor/laravel/framework").is_dir() && !app.join("vendor/acme").exists());
    assert!(
        app.join("public/build/app.css").is_file(),
        "its own build step ran"
    );

    assert!(composer_install(&app, &[]).await.status.success());
    assert!(app.join("vendor/acme/magnifier").is_dir());
}

#[tokio::test]
async fn a_commit_can_break_the_build() {
    let composer = ComposerRepo::start().await;
    let repo = Repo::sample_app(&composer).await;
    repo.commit("break the build", SampleApp::broken(Breakage::Build))
        .await;
    let output = composer_install(&repo.work(), &["--no-dev"]).await;
    assert!(!output.status.success());
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("cannot resolve ./missing.js"),
        "{output:?}"
    );
}

#[tokio::test]
async fn a_release_can_be_broken_in_its_health_its_boot_and_its_migrations() {
    let host = Host::start(HostOptions {
        workers: 0,
        ..HostOptions::laravel("web1")
    })
    .await;
    let lay = |files: kit::Files| {
        for (path, text) in files {
            host.write(&format!("current/{path}"), &text);
        }
    };
    let migrate = "php current/artisan migrate --force --no-ansi";

    lay(SampleApp::broken(Breakage::Health500));
    assert_eq!(host.health().await.0, 500);
    lay(SampleApp::broken(Breakage::HealthNotOk));
    let (status, health) = host.health().await;
    assert_eq!((status, &health["ok"]), (200, &false.into()));
    lay(SampleApp::broken(Breakage::Boot));
    let boot = host.try_sh("php current/artisan --version").await;
    assert!(!boot.status.success(), "{boot:?}");
    lay(SampleApp::mended());
    assert_eq!(host.health().await.0, 200);

    lay(SampleApp::broken(Breakage::Migration));
    assert!(!host.try_sh(migrate).await.status.success());
    lay(SampleApp::broken(Breakage::DestructiveMigration));
    assert!(
        host.sh("php current/artisan migrate --force --pretend --no-ansi")
            .await
            .contains("code")
    );
    lay(SampleApp::mended());
    host.sh(migrate).await;
    host.close().await;
}

#[tokio::test]
async fn the_same_history_has_the_same_commits_and_branches_and_tags_reach_the_origin() {
    let (one, two) = (
        Repo::with([("index.html", "one")]).await,
        Repo::with([("index.html", "one")]).await,
    );
    assert_eq!(one.head().await, two.head().await);
    let first = one.head().await;
    one.branch("feature").await;
    let second = one
        .commit("say two", [("index.html", "two"), ("deep/er", "x")])
        .await;
    one.push("feature").await;
    one.tag("v1").await;
    let refs = one.git(&["ls-remote", "--heads", "--tags", "origin"]).await;
    assert_eq!(
        refs.replace(first.as_str(), "1")
            .replace(second.as_str(), "2"),
        "2\trefs/heads/feature\n1\trefs/heads/main\n2\trefs/tags/v1\n"
    );
    one.delete("feature").await;
    assert!(!one.git(&["ls-remote", "origin"]).await.contains("feature"));
}

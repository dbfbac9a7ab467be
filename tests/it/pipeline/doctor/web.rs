//! Faults of nginx, PHP-FPM and cron.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use cutover_deploy::config::FpmAction;
use cutover_deploy::doctor::Severity;
use cutover_deploy::plan::AfterSwap;
use insta::assert_snapshot;
use kit::{Daemon, wait_for};

use super::super::scene::{Plot, Scene};
use super::{diagnosis, diagnosis_with, edit, file, healthy, picture, shim, visit, well};

/// Fills the table of OPcache, whose scripts must not be too young.
const FILL: &str = "<?php
$dir = sys_get_temp_dir() . '/' . uniqid('kit-opcache-');
mkdir($dir);
for ($n = 0; $n < 15500; $n++) {
    file_put_contents(\"$dir/$n.php\", '<?php');
    touch(\"$dir/$n.php\", time() - 60);
    opcache_compile_file(\"$dir/$n.php\");
    unlink(\"$dir/$n.php\");
}
rmdir($dir);
echo 'filled';
";

#[tokio::test]
async fn what_nginx_and_php_fpm_do_wrong_is_named() {
    let scene = healthy().await;
    let host = scene.host();
    let nginx = edit(&scene, "etc/nginx.conf", |text| {
        text.replace("$realpath_root", "$document_root")
    });
    let fpm = edit(&scene, "etc/php-fpm.conf", |text| {
        text.replace("process_control_timeout = 30s", "")
    });
    host.write("current/public/.env", "APP_KEY=secret\n");
    host.write("current/public/.git/HEAD", "ref: refs/heads/main\n");
    host.write("current/public/fill.php", FILL);
    host.sh("systemctl reload nginx").await;
    let pinned = host
        .path()
        .join("releases/20260101T000000Z-0000000")
        .display()
        .to_string();
    shim(
        &scene,
        "crontab",
        &format!("echo '* * * * * cd {pinned} && php artisan schedule:run'"),
    );
    assert_eq!(host.get("/fill.php").await, (200, "filled".to_owned()));
    passes(&scene, "$document_root").await;
    let told = diagnosis_with(&scene, |_, environment| {
        environment.php_fpm.as_mut().unwrap().after_swap = FpmAction::Nothing;
    });
    assert_snapshot!(picture(&scene, &told.await), @"
    loses cron.pinned-release: crontab: * * * * * cd /srv/shop/releases/FIRST && php artisan schedule:run
    loses fpm.document-root: the web server passes the path of `current`, and nothing is done after a swap
    risk fpm.opcache-room: OPcache is nearly full: 80 % of 128 MB are free, 99 % of its keys are used
    risk web.dotfiles: /.env is handed out
    risk web.dotfiles: /.git/HEAD is handed out
    remark fpm.process-control-timeout: process_control_timeout is 0, and whoever reloads PHP-FPM cuts requests off
    ");
    let told = diagnosis_with(&scene, |_, environment| {
        environment.php_fpm.as_mut().unwrap().after_swap = FpmAction::Reload;
    });
    let told = told.await;
    let found = told
        .findings
        .iter()
        .find(|found| found.id == "fpm.process-control-timeout");
    assert_snapshot!(found.unwrap().found, @"process_control_timeout is 0, and each swap reloads PHP-FPM");

    // How bad it is depends on what follows a swap.
    for (action, severity) in [
        (FpmAction::Auto, Severity::Remark),
        (FpmAction::Reset, Severity::Loses),
    ] {
        let told = diagnosis_with(&scene, |_, environment| {
            environment.php_fpm.as_mut().unwrap().after_swap = action;
        });
        let told = told.await;
        let mut found = told.findings.iter();
        let found = found.find(|found| found.id == "fpm.document-root");
        assert_eq!(found.unwrap().severity, severity, "{found:?}");
    }
    // Where nobody says that there is a pool, it is seen that there is one, and no more.
    let told = diagnosis_with(&scene, |_, environment| environment.php_fpm = None).await;
    let of_fpm = |line: &&str| line.contains(" fpm.");
    let shown = picture(&scene, &told);
    assert_snapshot!(shown.lines().filter(of_fpm).collect::<Vec<_>>().join("\n"), @"
    not checked fpm.document-root: PHP-FPM runs here, and which path the web server passes to it was not asked: needs `pool` below `[environments.production.php_fpm]`
    not checked fpm.opcache-room: PHP-FPM runs here, and which path the web server passes to it was not asked: needs `pool` below `[environments.production.php_fpm]`
    not checked fpm.process-control-timeout: PHP-FPM runs here, and which path the web server passes to it was not asked: needs `pool` below `[environments.production.php_fpm]`
    not checked fpm.writes: PHP-FPM runs here, and which path the web server passes to it was not asked: needs `pool` below `[environments.production.php_fpm]`
    ");
    assert!(told.is_blind());
    // What a plan says as well.
    let follows: Vec<String> = told.after_swap.iter().map(AfterSwap::line).collect();
    assert!(
        follows[0].starts_with("after the swap on web1: php-fpm: not known: PHP-FPM runs here"),
        "{follows:?}"
    );

    host.kill_daemon(Daemon::PhpFpm).await;
    let told = diagnosis(&scene).await;
    let found = told.findings.iter().find(|found| found.id == "fpm.pool");
    assert_snapshot!(scene.tame(&found.unwrap().found), @"<web1>/run/php-fpm.sock: it was closed without an answer");

    fs::write(file(&scene, "etc/nginx.conf"), nginx).unwrap();
    fs::write(file(&scene, "etc/php-fpm.conf"), fpm).unwrap();
    host.sh("rm -r current/public/.env current/public/.git current/public/fill.php ../../bin/crontab && systemctl reload nginx").await;
    host.start_daemon(Daemon::PhpFpm).await;
    passes(&scene, "$realpath_root").await;
    well(&scene).await;
    scene.close().await;
}

/// Visits the site until what nginx passes is what the pool was asked for last. After a reload an old process of nginx may
/// still answer.
async fn passes(scene: &Scene, root: &str) {
    let what = format!("nginx to pass {root}");
    wait_for(what, Duration::from_secs(20), async || {
        visit(scene).await;
        let told = diagnosis(scene).await;
        let by_current = told
            .findings
            .iter()
            .any(|found| found.id == "fpm.document-root");
        if by_current == (root == "$document_root") {
            Ok(())
        } else {
            Err(picture(scene, &told))
        }
    })
    .await;
}

#[tokio::test]
async fn another_user_who_may_not_enter_or_write_is_named() {
    let scene = healthy().await;
    let host = scene.host();
    if !fs::read_to_string(file(&scene, "etc/nginx.conf"))
        .unwrap()
        .contains("user root root;")
    {
        // Only root can become somebody else.
        return scene.close().await;
    }
    // What nginx and the pool run as otherwise may do anything.
    edit(&scene, "etc/nginx.conf", |text| {
        text.replace("user root root;", "user www-data www-data;")
    });
    edit(&scene, "etc/php-fpm.conf", |text| {
        text.replace(
            "user = root\ngroup = root",
            "user = www-data\ngroup = www-data\nlisten.owner = www-data",
        )
    });
    host.stop_daemon(Daemon::PhpFpm).await;
    host.start_daemon(Daemon::PhpFpm).await;
    host.sh("systemctl reload nginx && chmod 711 ../.. && chmod 750 ..")
        .await;
    assert_snapshot!(picture(&scene, &diagnosis(&scene).await), @"
    loses web.static: /build/app.css is in the release and answers 404: others may not enter <web1>/srv
    risk fpm.pool: <web1>/run/php-fpm.sock: the pool answers HTTP 404: File not found.
    not checked fpm.document-root: the pool does not answer
    not checked fpm.opcache-room: the pool does not answer
    not checked fpm.process-control-timeout: the pool does not answer
    not checked fpm.writes: the pool does not answer
    ");
    host.sh("chmod 755 ..").await;
    assert_snapshot!(picture(&scene, &diagnosis(&scene).await), @"loses fpm.writes: the pool's user may not write to /srv/shop/shared/storage");
    scene.close().await;
}

#[tokio::test]
async fn a_scheduler_on_two_hosts_is_named_on_the_second() {
    let scene = Scene::of(2, Plot::default()).await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    for host in &scene.hosts {
        let root: PathBuf = host.path();
        let text = format!(
            "#!/bin/sh\necho '* * * * * cd {}/current && php artisan schedule:run'\n",
            root.display()
        );
        fs::write(host.dir().join("bin/crontab"), text).unwrap();
        host.sh("chmod +x ../../bin/crontab").await;
    }
    let environment = scene.config.environment("production").unwrap();
    let told = cutover_deploy::run::examine(&scene.config, environment, &scene.access).await;
    let found = told.iter().map(|told| {
        let picture = picture(&scene, told);
        let of_cron: Vec<_> = picture
            .lines()
            .filter(|line| line.contains("cron."))
            .collect();
        format!("{}: {}", told.host, of_cron.join(", "))
    });
    assert_snapshot!(found.collect::<Vec<_>>().join("\n"), @"
    web1: 
    web2: remark cron.several: the scheduler runs on web1 as well
    ");
    scene.close().await;
}

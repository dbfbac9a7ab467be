//! Faults of the app's files, of PHP and of the queue.

use insta::assert_snapshot;
use kit::FIRST;

use super::{
    WORKERS, diagnosis, diagnosis_with, edit, file, healthy, picture, shim, supervisor_reads, well,
};

const SECOND: &str = "20260102T000000Z-2222222";

/// Laravel then takes its PHP for one without `pcntl`.
const DEAF: &str = "<?php
namespace Illuminate\\Queue;
function extension_loaded($name) { return $name !== 'pcntl' && \\extension_loaded($name); }
";

#[tokio::test]
async fn what_is_wrong_with_files_queue_and_cache_is_named() {
    let scene = healthy().await;
    let host = scene.host();
    host.sh("chmod 644 shared/.env && echo 'SHOP_TOKEN=' >>current/.env.example")
        .await;
    host.sh("rm current/storage && cp -a shared/storage current/storage")
        .await;
    host.write(
        "current/Dockerfile",
        "FROM php\nSTOPSIGNAL SIGKILL\nCMD php artisan queue:work --timeout=90\n",
    );
    host.write(
        "current/compose.yaml",
        "services:\n  worker:\n    init: true\n    command: sh -c 'php artisan queue:work --timeout=90'\n",
    );
    host.write(
        "current/k8s/worker.yaml",
        "kind: Deployment\nmetadata:\n  name: worker\nspec:\n  template:\n    spec:\n      terminationGracePeriodSeconds: 60\n      \
         containers:\n      - name: worker\n        command: [\"php\", \"artisan\", \"queue:work\"]\n",
    );
    host.sh("echo APP_DEBUG=true >>shared/.env && echo CACHE_DRIVER=array >>shared/.env")
        .await;
    // Each release has a cache prefix of its own, as with `base_path()` in its name.
    host.sh("cd current && php artisan config:cache --quiet")
        .await;
    host.seed_release(SECOND).await;
    host.sh(&format!("cd releases/{SECOND} && php artisan config:cache --quiet && sed -i s/shop_cache/r2_cache/ bootstrap/cache/config.php")).await;
    host.sh(&format!("ln -sfn releases/{FIRST} current")).await;
    host.sh(
        "sed -i \"s/'retry_after' => 90/'retry_after' => 60/; s/'database-uuids'/'null'/\" current/bootstrap/cache/config.php",
    )
    .await;
    let told = diagnosis_with(&scene, |config, environment| {
        config.steps.after_swap = vec!["php artisan queue:restart".to_owned()];
        config.steps.prepare = vec!["php artisan config:cache".to_owned()];
        environment.keep_releases = 1;
        environment.alarms.queue = None;
        environment.health.as_mut().unwrap().json.clear();
        environment.health.as_mut().unwrap().release_field = None;
    });
    assert_snapshot!(picture(&scene, &told.await).replace(SECOND, "SECOND"), @r#"
    loses container.grace: compose.yaml: worker gets 10 s, and a job may take 90 s
    loses container.grace: k8s/worker.yaml: Deployment worker gets 60 s, and a job may take 60 s
    loses container.shell-form: Dockerfile: CMD starts its worker under a shell, which keeps TERM to itself
    loses container.shell-form: compose.yaml: worker starts its worker under a shell, which keeps TERM to itself, and `init: true` makes it worse: the shell dies at once, and the job with it
    loses container.stop-signal: Dockerfile: STOPSIGNAL SIGKILL
    loses queue.cache-prefix: the cache prefix is "shop_cache" in FIRST, "r2_cache" in SECOND
    loses queue.cache-store: queue:restart goes through the cache driver "array"
    loses queue.retry-after: retry_after of redis is 60 s, and a job may take 60 s
    risk app.debug: APP_DEBUG is on, and APP_ENV is "production"
    risk env.keys: /srv/shop/shared/.env lacks SHOP_TOKEN of .env.example
    risk env.rights: /srv/shop/shared/.env has the mode 644
    risk health.body: health reads no body: an empty page with 200 passes
    risk health.release: health does not ask which release answers
    risk queue.failed-jobs: jobs that failed for good are kept nowhere
    risk release.views: no line of `steps.prepare` compiles views
    risk shared.linked: /srv/shop/current/storage does not lead to /srv/shop/shared/storage
    remark queue.watched: nothing looks at failed and overdue jobs after a swap
    remark releases.kept: only the live release and the one before it are kept
    "#);
    host.sh("rm -r current/storage && ln -s ../../shared/storage current/storage")
        .await;
    host.sh(&format!("chmod 640 shared/.env && sed -i '/DEBUG\\|CACHE/d' shared/.env && rm -r releases/{SECOND} current/bootstrap/cache/config.php")).await;
    host.sh("echo 'APP_KEY=' >current/.env.example; rm -r current/Dockerfile current/compose.yaml current/k8s").await;
    well(&scene).await;
    scene.close().await;
}

#[tokio::test]
async fn a_php_that_does_not_fit_is_named() {
    let scene = healthy().await;
    let host = scene.host();
    shim(
        &scene,
        "php",
        "exec /usr/bin/php -d disable_functions=pcntl_async_signals \"$@\"",
    );
    host.sh(
        "sed -i 's/\"require\": {/\"require\": { \"ext-imaginary\": \"*\",/' current/composer.json",
    )
    .await;
    // The same PHP by the name that another one would have.
    host.sh("cp \"$(readlink -f /usr/bin/php)\" ../../bin/php7.4")
        .await;
    let other = file(&scene, "bin/php7.4").display().to_string();
    host.write("deaf.php", DEAF);
    let deaf = host.path().join("deaf.php").display().to_string();
    edit(&scene, WORKERS, |text| {
        let command = format!("command={other} -d auto_prepend_file={deaf} ");
        text.replace("command=php ", &command)
    });
    supervisor_reads(&scene).await;
    let version = host.sh("php -r 'echo PHP_VERSION;'").await;
    let pids = host
        .sh("supervisorctl status | sed 's/.*pid \\([0-9]*\\),.*/\\1/'")
        .await;
    let picture = |told: &super::Diagnosis| {
        let picture = picture(&scene, told).replace(&version, "8.2.X");
        let named = |shown: String, pid: &str| shown.replace(&format!("(pid {pid})"), "(pid PID)");
        pids.lines().fold(picture, named)
    };
    assert_snapshot!(picture(&diagnosis(&scene).await), @"
    loses php.pcntl: app-worker:app-worker_00 runs queue:work (pid PID) and does not handle TERM
    loses php.pcntl: app-worker:app-worker_01 runs queue:work (pid PID) and does not handle TERM
    loses php.pcntl: PHP 8.2.X of the command line lacks pcntl_async_signals
    risk php.extensions: PHP 8.2.X of the command line lacks imaginary (wanted by acme/shop)
    risk php.extensions: PHP 8.2.X of PHP-FPM lacks imaginary (wanted by acme/shop)
    risk php.versions: PHP is 7.4 in workers, 8.2 in the command line and PHP-FPM
    ");
    host.sh("sed -i 's/PHP_VERSION_ID >= [0-9]*/PHP_VERSION_ID >= 90100/' current/vendor/composer/platform_check.php").await;
    let told = diagnosis(&scene).await;
    let shown = picture(&told);
    let platform: Vec<_> = shown
        .lines()
        .filter(|line| line.contains("platform") || line.contains("not checked"))
        .collect();
    assert_snapshot!(platform.join("\n"), @r#"
    risk php.platform: the command line is PHP 8.2.X, and the release needs 9.1.0
    risk php.platform: PHP-FPM is PHP 8.2.X, and the release needs 9.1.0
    not checked app.debug: Your Composer dependencies require a PHP version ">= 8.1.0". You are running 8.2.X.
    not checked queue.cache-prefix: Your Composer dependencies require a PHP version ">= 8.1.0". You are running 8.2.X.
    not checked queue.cache-store: Your Composer dependencies require a PHP version ">= 8.1.0". You are running 8.2.X.
    not checked queue.failed-jobs: Your Composer dependencies require a PHP version ">= 8.1.0". You are running 8.2.X.
    not checked queue.overlap-lock: Your Composer dependencies require a PHP version ">= 8.1.0". You are running 8.2.X.
    not checked queue.retry-after: Your Composer dependencies require a PHP version ">= 8.1.0". You are running 8.2.X.
    "#);
    scene.close().await;
}

//! `cutover init` and `cutover doctor` on a machine with sudo, systemd and folders of its own.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::time::Duration;

use insta::assert_snapshot;
use kit::machine::{Machine, MachineOptions};
use kit::{ComposerRepo, FIRST, Repo, program, wait_for};
use tokio::process::Command;

/// What workers under systemd may not look like.
const ILL: &str = "[Service]
User=deploy
ExecStart=php /srv/app/current/artisan queue:work redis --tries=3 --timeout=60 --max-time=3600
Restart=on-failure
KillSignal=SIGINT
TimeoutStopSec=5
";

/// What they should.
const WELL: &str = "[Service]
User=deploy
ExecStart=php /srv/app/current/artisan queue:work redis --tries=3 --timeout=60 --max-time=3600
Restart=always
KillMode=mixed
TimeoutStopSec=70
";

const RIGHTS: &str =
    "deploy ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl status app-worker\\:\\*
";

struct Site {
    web1: Machine,
    dir: tempfile::TempDir,
}

impl Site {
    async fn cutover(&self, arguments: &[&str]) -> (i32, String) {
        let mut cutover = Command::new(program("cutover"));
        cutover.args(arguments);
        cutover
            .arg("--config")
            .arg(self.dir.path().join("cutover.toml"));
        cutover.arg("--ssh-key").arg(self.web1.key_file());
        cutover
            .arg("--known-hosts")
            .arg(self.dir.path().join("known_hosts"));
        cutover
            .arg("--ssh-config")
            .arg("/dev/null")
            .kill_on_drop(true);
        let ended = cutover.output().await.unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        let address = self.web1.address();
        let said = said
            .replace(&address, "deploy@web1:22")
            .replace(FIRST, "FIRST");
        (ended.status.code().unwrap(), said)
    }

    /// What the doctor names, by the beginning of each line that does.
    async fn named(&self) -> String {
        let settled = async || {
            let named = self.try_named().await;
            // A unit that has begun just now has proven nothing yet.
            if named.contains("workers.running") {
                Err(named)
            } else {
                Ok(named)
            }
        };
        wait_for("workers that have begun", Duration::from_secs(20), settled).await
    }

    async fn try_named(&self) -> String {
        let (_, said) = self.cutover(&["doctor", "production"]).await;
        let finding = |line: &&str| line.ends_with(']') && !line.starts_with("    ");
        let lines = said
            .lines()
            .filter(|line| finding(line) || line.starts_with("  not checked"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

#[tokio::test]
async fn a_file_is_written_of_what_is_there_and_what_is_ill_there_is_named() {
    let (web1, composer) = tokio::join!(
        Machine::start(MachineOptions {
            disk_mib: 1024,
            ..MachineOptions::laravel("web1")
        }),
        ComposerRepo::start()
    );
    let repo = Repo::sample_app(&composer).await;
    let site = Site {
        web1,
        dir: tempfile::tempdir().unwrap(),
    };
    let known = fs::read_to_string(site.web1.known_hosts()).unwrap();
    fs::write(site.dir.path().join("known_hosts"), "").unwrap();
    let address = site.web1.address();
    let folder = repo.work().display().to_string();
    let init = ["init", &address, "--repository", &folder, "--app", "shop"];

    // Nobody has said that this is the right key, and then that it is another one.
    let (code, said) = site.cutover(&init).await;
    assert_eq!(code, 2, "{said}");
    let at = said.find("SHA256:").unwrap();
    let fingerprint: String = said[at..]
        .chars()
        .take_while(|c| !c.is_whitespace() && *c != ',')
        .collect();
    assert_snapshot!(said.replace(&fingerprint, "SHA256:KEY"), @"
    error: deploy@web1:22 offers the key SHA256:KEY, and nobody said that it is the right one
      Compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host itself. Only when it is the same, say `--accept-host-key SHA256:KEY`.
    ");
    let other = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let (code, said) = site
        .cutover(&[&init[..], &["--accept-host-key", other]].concat())
        .await;
    assert_eq!(code, 2, "{said}");
    assert_eq!(
        fs::read_to_string(site.dir.path().join("known_hosts")).unwrap(),
        ""
    );
    assert!(!site.dir.path().join("cutover.toml").exists());

    let (code, said) = site
        .cutover(&[&init[..], &["--accept-host-key", &fingerprint]].concat())
        .await;
    assert_eq!(code, 0, "{said}");
    assert_snapshot!(said.replace(&fingerprint, "SHA256:KEY").replace(&site.dir.path().display().to_string(), "DIR"), @"
    found a Laravel app: composer.json and artisan
    found nginx serves /srv/app/current/public
    found PHP-FPM: pool /run/php/php8.2-fpm.sock
    found PHP-FPM: unit php8.2-fpm
    found supervisor: app-worker with 2 processes
    DIR/cutover.toml is written
    Next: write down what `DIR/cutover.toml` says to CHANGE, then `cutover check production`.
    pinned SHA256:KEY in DIR/known_hosts
    ");
    let pinned = fs::read_to_string(site.dir.path().join("known_hosts")).unwrap();
    let key = |text: &str| text.split_whitespace().nth(2).map(str::to_owned);
    assert_eq!(key(&pinned), key(&known));
    let file = site.dir.path().join("cutover.toml");
    let text = fs::read_to_string(&file).unwrap();
    assert_snapshot!(text.replace(&address, "deploy@web1:22"), @r#"
    # Written by `cutover init`. All there is to say is in templates/cutover.toml; `cutover check` tells whether this is
    # right. The file is checked in: no passwords, no tokens.

    app = "shop"
    # CHANGE THIS: no forge is known of this repository
    repository = "github:acme/shop"
    recipe = "laravel"

    [environments.production]
    branch = "main"
    path = "/srv/app"

    [[environments.production.hosts]]
    name = "web1"
    address = "deploy@web1:22"

    # Until the app is asked how it is, a release that answers nothing counts as well.
    # [environments.production.health]
    # url = "http://127.0.0.1/health"
    # json = { ok = true }

    [[environments.production.workers]]
    group = "app-worker"
    expect = 2
    # longer than the longest job (--timeout)
    drain_timeout = "70s"

    [environments.production.php_fpm]
    # asked what it needs after a swap; the deploy user must be able to open it
    pool = "/run/php/php8.2-fpm.sock"
    "#);
    let (code, said) = site.cutover(&init).await;
    assert!(code == 2 && said.contains("is there already"), "{said}");
    let (code, said) = site.cutover(&["check", "production"]).await;
    assert_eq!(code, 0, "{said}");

    // Workers under systemd, cron of another user, and few rights.
    let group = "\n[[environments.production.workers]]\nmanager = \"systemd\"\ngroup = \"mail\"\ndrain_timeout = \"70s\"\n";
    fs::write(&file, text + group).unwrap();
    let unit = |text: &str| {
        format!(
            "cat >/etc/systemd/system/mail.service <<'END'\n{text}END\nsystemctl daemon-reload && systemctl restart mail"
        )
    };
    site.web1.sh_as_root(&unit(ILL)).await;
    site.web1
        .sh_as_root(&format!(
            "cat >/etc/sudoers.d/deploy <<'END'\n{RIGHTS}END\n"
        ))
        .await;
    // Supervisor is killed 30 s after a reboot has begun, whatever its groups are given.
    let drop_in = "mkdir -p /etc/systemd/system/supervisor.service.d && cd /etc/systemd/system/supervisor.service.d
        printf '[Service]\\nTimeoutStopSec=30\\n' >short.conf && systemctl daemon-reload";
    site.web1.sh_as_root(drop_in).await;
    site.web1.sh_as_root("mkdir -p /etc/cron.d && echo '* * * * * root cd /srv/app/current && php artisan schedule:run' >/etc/cron.d/app").await;
    assert_snapshot!(site.named().await, @"
    loses jobs or requests: supervisor.service: TimeoutStopSec is 30s, and a job of app-worker may take 60 s  [supervisor.unit-timeout]
    loses jobs or requests: mail.service: KillSignal=2  [systemd.kill-signal]
    loses jobs or requests: mail.service: Restart=on-failure  [systemd.restart]
    loses jobs or requests: mail.service: TimeoutStopSec is 5s, and a job may take 60 s  [systemd.timeout-stop]
    risk: /etc/cron.d/app runs it as root, and deploy deploys  [cron.user]
    risk: /srv/app/shared/.env has the mode 644  [env.rights]
    risk: health is not asked at all  [health.body]
    risk: sudo does not allow `supervisorctl start app-worker:app-worker_00` without a password  [host.sudo]
    risk: sudo does not allow `systemctl start mail.service` without a password  [host.sudo]
    risk: mail.service: KillMode=control-group  [systemd.kill-mode]
    remark: process_control_timeout is 0, and whoever reloads PHP-FPM cuts requests off  [fpm.process-control-timeout]
    remark: nothing looks at failed and overdue jobs after a swap  [queue.watched]
    remark: app-worker: killasgroup is off  [supervisor.killasgroup]
    remark: app-worker: neither --max-time nor --max-jobs  [workers.max-time]
    not checked: web.dotfiles, web.static
    not checked: fpm.document-root
    ");

    // Who is not asked for its workers is found by their processes.
    let written = fs::read_to_string(&file).unwrap();
    let alone = "manager = \"queue_restart\"";
    fs::write(&file, written.replace("manager = \"systemd\"", alone)).unwrap();
    let named = site.named().await;
    let of_systemd: Vec<_> = named
        .lines()
        .filter(|line| line.contains("systemd."))
        .collect();
    assert_snapshot!(of_systemd.join("\n"), @"
    loses jobs or requests: mail.service: KillSignal=2  [systemd.kill-signal]
    loses jobs or requests: mail.service: Restart=on-failure  [systemd.restart]
    loses jobs or requests: mail.service: TimeoutStopSec is 5s, and a job may take 60 s  [systemd.timeout-stop]
    risk: mail.service: KillMode=control-group  [systemd.kill-mode]
    ");
    fs::write(&file, written).unwrap();

    site.web1.sh_as_root(&unit(WELL)).await;
    site.web1.sh_as_root("rm /etc/cron.d/app /etc/systemd/system/supervisor.service.d/short.conf && systemctl daemon-reload").await;
    site.web1.sh_as_root("printf 'deploy ALL = (root) NOPASSWD: /usr/bin/supervisorctl, /usr/bin/systemctl start mail.service\\n' >/etc/sudoers.d/deploy").await;
    assert_snapshot!(site.named().await, @"
    risk: /srv/app/shared/.env has the mode 644  [env.rights]
    risk: health is not asked at all  [health.body]
    risk: sudo allows deploy `supervisorctl -c /tmp/any.conf status`  [host.sudo-wide]
    remark: process_control_timeout is 0, and whoever reloads PHP-FPM cuts requests off  [fpm.process-control-timeout]
    remark: nothing looks at failed and overdue jobs after a swap  [queue.watched]
    remark: app-worker: killasgroup is off  [supervisor.killasgroup]
    remark: app-worker: neither --max-time nor --max-jobs  [workers.max-time]
    not checked: web.dotfiles, web.static
    not checked: cron.pinned-release, cron.user
    not checked: fpm.document-root
    ");
    site.web1.close().await;
    drop(composer);
}

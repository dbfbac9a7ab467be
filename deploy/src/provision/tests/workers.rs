//! What is written for groups that run what `current` leads to.

use super::{CONFIG, told};

const WORKERS: &str = r#"
[[environments.production.workers]]
manager = "systemd"
group = "index"
expect = 2
drain_timeout = "90s"
[[environments.production.workers]]
manager = "systemd"
group = "sums"
hand_over = "restart"
[[environments.production.workers]]
manager = "horizon"
group = "shop-jobs"
expect = 5
[[environments.production.workers]]
manager = "systemd_user"
group = "own"
"#;

/// The script for these groups alone, from the first of them on.
fn written() -> String {
    let (head, _) = CONFIG
        .split_once("[[environments.production.workers]]")
        .unwrap();
    let text = told(&format!("{head}{WORKERS}"), None).unwrap();
    assert!(text.contains("need supervisor supervisord\n"), "{text}");
    let (_, from) = text.split_once("\n# Workers of index").unwrap();
    let (groups, rights) = from.split_once("\n# What the user may do").unwrap();
    let rights = rights.lines().filter(|line| line.contains("NOPASSWD"));
    let rights: Vec<&str> = rights.collect();
    format!("# Workers of index{groups}\n{}", rights.join("\n"))
}

#[test]
fn units_and_horizon_are_started_by_way_of_current() {
    insta::assert_snapshot!(written(), @r#"
    # Workers of index. Their command line is a guess: `queue:work` with the template's options.
    put /etc/systemd/system/index@.service 0644 <<'END_OF_FILE'
    [Unit]
    Description=Queue worker %i of index
    After=network.target
    # Never given up: it also comes back when a database or Redis was away for long.
    StartLimitIntervalSec=0

    [Service]
    # The user that deploys, who tells it to end and reads in /proc which release it runs.
    User=carol
    # By way of `current`: a worker that is started anew runs the release that is live then.
    ExecStart=/usr/bin/php /srv/store/current/artisan queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600
    # Always, also after exit 0: this is how it comes back on the new release.
    Restart=always
    RestartSec=1
    KillMode=mixed
    KillSignal=SIGTERM
    # Longer than the longest job.
    TimeoutStopSec=90

    [Install]
    WantedBy=multi-user.target
    END_OF_FILE
    systemctl daemon-reload
    systemctl --quiet enable index@1.service index@2.service
    systemctl start index@1.service index@2.service || true

    # Workers of sums. Their command line is a guess: `queue:work` with the template's options.
    put /etc/systemd/system/sums@.service 0644 <<'END_OF_FILE'
    [Unit]
    Description=Queue worker %i of sums
    After=network.target
    # Never given up: it also comes back when a database or Redis was away for long.
    StartLimitIntervalSec=0

    [Service]
    # The user that deploys, who tells it to end and reads in /proc which release it runs.
    User=carol
    # By way of `current`: a worker that is started anew runs the release that is live then.
    ExecStart=/usr/bin/php /srv/store/current/artisan queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600
    # Always, also after exit 0: this is how it comes back on the new release.
    Restart=always
    RestartSec=1
    KillMode=mixed
    KillSignal=SIGTERM
    # Longer than the longest job.
    TimeoutStopSec=70

    [Install]
    WantedBy=multi-user.target
    END_OF_FILE
    systemctl daemon-reload
    systemctl --quiet enable sums@1.service
    systemctl start sums@1.service || true

    # Horizon, shop-jobs: supervisor starts its master.
    put /etc/supervisor/conf.d/shop-jobs.conf 0644 <<'END_OF_FILE'
    ; Laravel Horizon under supervisor: /etc/supervisor/conf.d/horizon.conf
    ; Set your names, then `supervisorctl reread && supervisorctl update`.
    ; In cutover.toml: manager = "horizon", group = "horizon".

    [program:shop-jobs]
    ; By way of `current`: a master that is started anew runs the release that is live then.
    command=php /srv/store/current/artisan horizon

    ; The user that deploys. The proof of which release it runs is read in /proc, where only its own user may look.
    user=carol

    autostart=true
    ; Always, also after exit 0: this is how Horizon comes back on the new release. With `startsecs=0` supervisor never gives
    ; up, also where there is no release yet, or Redis is away: nobody else starts it.
    autorestart=true
    startsecs=0

    ; TERM has it finish: the master ends when the last job of its workers has.
    stopsignal=TERM
    ; Longer than the longest `timeout` in config/horizon.php: what outlasts it is killed.
    stopwaitsecs=3600
    ; TERM goes to the master alone, which tells its workers; a KILL takes everything with it.
    stopasgroup=false
    killasgroup=true

    redirect_stderr=true
    stdout_logfile=/var/log/supervisor/shop-jobs.log
    END_OF_FILE
    # They begin to run with the first deployment. To systemd supervisor runs before it can be asked.
    for _ in 1 2 3 4 5 6 7 8 9 10; do if supervisorctl pid >/dev/null 2>&1; then break; fi; sleep 1; done
    sound supervisorctl reread
    supervisorctl update shop-jobs

    # Workers of own: systemd_user has them, which is not set up here.

    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/systemctl ^start index(@[A-Za-z0-9][A-Za-z0-9._-]*)?[.]service$
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/systemctl ^(start|restart) sums(@[A-Za-z0-9][A-Za-z0-9._-]*)?[.]service$
    "#);
}

#[test]
fn templates_of_workers_start_the_same_command() {
    let work = super::super::processes::WORK;
    for template in [
        include_str!("../../../../templates/supervisor.conf"),
        include_str!("../../../../templates/supervisor-overlap.conf"),
        include_str!("../../../../templates/worker@.service"),
    ] {
        assert!(template.replace('"', "").contains(work), "{template}");
    }
}

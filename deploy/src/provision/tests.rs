use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;
use crate::Config;
use crate::config::{AfterDrain, FpmAction, HandOver};
use crate::doctor::commands_with_sudo;

mod host;
mod rights;
mod runtimes;
mod workers;

const CONFIG: &str = r#"
app = "shop"
repository = "github:acme/shop"
recipe = "laravel"
[environments.production]
path = "/srv/store"
url = "https://shop.example.com"
[[environments.production.hosts]]
name = "web1"
address = "carol@web1.example.com"
[[environments.production.workers]]
group = "mail"
expect = 3
drain_timeout = "90s"
[[environments.production.workers]]
group = "orders"
hand_over = "overlap"
[[environments.production.workers]]
manager = "systemd"
group = "search"
hand_over = "overlap"
[environments.production.php_fpm]
pool = "/run/php/shop.sock"
"#;

fn told(config: &str, key: Option<&str>) -> Result<String, String> {
    let config = Config::parse("cutover.toml", config).unwrap();
    let environment = config.environment("production").unwrap();
    script(Order {
        app: config.app.as_str(),
        recipe: config.recipe,
        environment,
        host: &environment.hosts[0],
        key,
    })
}

#[test]
fn nothing_of_the_templates_own_names_is_left() {
    let text = told(CONFIG, Some("ssh-ed25519 AAAA carol@laptop")).unwrap();
    let ours: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with(['#', ';']))
        .filter(|line| {
            line.contains("/srv/shop")
                || line.contains("shop-worker")
                || line.contains("=deploy")
                || line.contains("= deploy")
        })
        .collect();
    assert!(ours.is_empty(), "{ours:#?}");
    let lines = text
        .lines()
        .filter(|line| !line.starts_with([' ', '#', ';']) && !line.is_empty());
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r#"
    (
    set -eu
    umask 022
    export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
    [ "$(id -u)" = 0 ] || { echo 'run this as root' >&2 && exit 1; }
    known=/var/lib/cutover-provisioned
    touch "$known"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    refuse() { echo "$1" >&2 && exit 1; }
    whose() {
    }
    ours() { grep -qxF "$(sha256sum "$1")" "$known"; }
    put() {
    }
    sound() {
    }
    listens() { grep -qsE "^ *[0-9]+: [0-9A-F]+:$(printf %04X "$1") [0-9A-F:]+ 0A " /proc/net/tcp /proc/net/tcp6; }
    whose /etc/nginx/sites-available/shop@production /srv/store
    whose /etc/sudoers.d/cutover-shop@production /srv/store
    whose /etc/supervisor/conf.d/mail.conf /srv/store
    whose /etc/supervisor/cutover/mail.conf /srv/store
    whose /etc/supervisor/conf.d/orders.conf /srv/store
    whose /etc/supervisor/cutover/orders.conf /srv/store
    whose /etc/systemd/system/search@.service /srv/store
    debians() {
    }
    alone() {
    }
    alone shop.example.com shop@production 'take that site away, or give production another url'
    if ! command -v nginx >/dev/null && listens 80; then
    fi
    missing=
    need() { command -v "$2" >/dev/null || missing="$missing $1"; }
    need openssh-server sshd
    need sudo sudo
    need curl curl
    need nginx nginx
    need supervisor supervisord
    need php-cli php
    set -- /usr/sbin/php-fpm[0-9]*
    [ -x "$1" ] || missing="$missing php-fpm"
    for extension in curl mbstring xml zip; do
    done
    if [ -n "$missing" ]; then
    fi
    id -u carol >/dev/null 2>&1 || useradd --create-home --shell /bin/bash carol
    group=$(id -gn carol)
    as_user() { setsid -w runuser -u carol -- "$@"; }
    if [ -L /srv/store ]; then refuse '/srv/store is a link: give the folder itself as the path'; fi
    if [ ! -d /srv/store ] && ! as_user mkdir -p /srv/store 2>/dev/null; then
    fi
    as_user mkdir -p -m 0755 /srv/store/releases /srv/store/shared || refuse '/srv/store must belong to carol'
    home=$(getent passwd carol | cut -d: -f6)
    as_user sh -s "$home" 'ssh-ed25519 AAAA carol@laptop' <<'END_OF_FILE'
    set -eu
    umask 077
    mkdir -p "$1/.ssh"
    cd "$1/.ssh"
    if grep -qxF "$2" authorized_keys 2>/dev/null; then exit; fi
    [ -z "$(tail -c 1 authorized_keys 2>/dev/null)" ] || echo >>authorized_keys
    echo "$2" >>authorized_keys
    END_OF_FILE
    php=$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')
    [ -d "/etc/php/$php/fpm/pool.d" ] ||
    put "/etc/php/$php/fpm/pool.d/shop@production.conf" 0644 <<'END_OF_FILE'
    [shop@production]
    user = carol
    group = @primary-group@
    listen = /run/php/shop.sock
    listen.owner = www-data
    listen.group = @primary-group@
    listen.mode = 0660
    pm = dynamic
    pm.max_children = 20
    pm.start_servers = 4
    pm.min_spare_servers = 2
    pm.max_spare_servers = 6
    request_terminate_timeout = 55s
    catch_workers_output = yes
    END_OF_FILE
    sound "php-fpm$php" -t
    settings=/etc/php/$php/fpm/php-fpm.conf
    grep -q '^[[:space:]]*process_control_timeout' "$settings" ||
    systemctl reload-or-restart "php$php-fpm"
    put /etc/nginx/sites-available/shop@production 0644 <<'END_OF_FILE'
    server {
    }
    END_OF_FILE
    if [ ! -e /etc/nginx/sites-enabled/shop@production ]; then
    fi
    sound nginx -t
    if [ -n "$link" ] && [ "$(readlink -f /etc/nginx/sites-enabled/default)" = /etc/nginx/sites-available/default ] && debians; then
    fi
    systemctl reload-or-restart nginx
    put /etc/supervisor/conf.d/mail.conf 0644 <<'END_OF_FILE'
    [program:mail]
    command=php /srv/store/current/artisan queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600
    process_name=%(program_name)s_%(process_num)02d
    numprocs=3
    user=carol
    autostart=true
    autorestart=true
    startretries=30
    stopsignal=TERM
    stopwaitsecs=90
    stopasgroup=false
    killasgroup=true
    redirect_stderr=true
    stdout_logfile=/var/log/supervisor/mail.log
    END_OF_FILE
    for _ in 1 2 3 4 5 6 7 8 9 10; do if supervisorctl pid >/dev/null 2>&1; then break; fi; sleep 1; done
    sound supervisorctl reread
    supervisorctl update mail
    install -d -m 0755 /etc/supervisor/cutover
    put /etc/supervisor/cutover/orders.conf 0644 <<'END_OF_FILE'
    [program:@group@]
    command=php /srv/store/releases/@release@/artisan queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600
    directory=/srv/store/releases/@release@
    process_name=%(program_name)s_%(process_num)02d
    numprocs=1
    user=carol
    autostart=true
    autorestart=true
    startretries=30
    startsecs=1
    stopsignal=TERM
    stopwaitsecs=3600
    stopasgroup=false
    killasgroup=true
    redirect_stderr=true
    stdout_logfile=/var/log/supervisor/orders.log
    END_OF_FILE
    put /usr/local/sbin/cutover-supervisor 0755 <<'END_OF_FILE'
    set -eu
    settings=/etc/supervisor/supervisord.conf
    programs=/etc/supervisor/conf.d
    templates=/etc/supervisor/cutover
    ctl() { supervisorctl -c "$settings" "$@"; }
    verb=${1:-} group=${2:-} release=${3:-}
    for name in "$group" "${release:-none}"; do
    done
    if [ ! -f "$templates/$group.conf" ]; then
    fi
    status() {
    }
    groups() {
    }
    of_release() { case $1 in "$group@$release"-*) case ${1#"$group@$release-"} in *[!0-9]*) return 1 ;; esac ;; *) return 1 ;; esac; }
    end() {
    }
    case $verb in
    esac
    END_OF_FILE
    put /etc/systemd/system/search@.service 0644 <<'END_OF_FILE'
    [Unit]
    Description=Queue worker %i of shop
    After=network.target
    StartLimitIntervalSec=0
    [Service]
    User=carol
    ExecStart=/bin/sh -c 'exec php "/srv/store/releases/$${1%%-*}/artisan" queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600' worker %i
    Restart=always
    RestartSec=1
    KillMode=mixed
    KillSignal=SIGTERM
    TimeoutStopSec=3600
    [Install]
    WantedBy=multi-user.target
    END_OF_FILE
    systemctl daemon-reload
    install -d -m 0755 /etc/systemd/system/supervisor.service.d
    put /etc/systemd/system/supervisor.service.d/stop-000100.conf 0644 <<'END_OF_FILE'
    [Service]
    TimeoutStopSec=100
    END_OF_FILE
    systemctl daemon-reload
    cat >"$work/rights" <<'END_OF_FILE'
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl status mail\:\*
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl start mail\:mail_[0-9][0-9]
    carol ALL = (root) CWD=/ NOPASSWD: /usr/local/sbin/cutover-supervisor ^(list orders|(add|drop|keep) orders [A-Za-z0-9][A-Za-z0-9._-]*)$
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/systemctl ^--quiet (enable --now|disable --now --no-block)( search(@[A-Za-z0-9][A-Za-z0-9._-]*)?[.]service)+$
    END_OF_FILE
    visudo -cqf "$work/rights" || refuse 'sudo does not take these rights: none were given'
    put /etc/sudoers.d/cutover-shop@production 0440 <"$work/rights"
    for rights in /etc/sudoers.d/cutover*; do
    done
    echo 'This host is ready.'
    echo 'Install what the app asks for and this does not: php-mysql, php-pgsql or php-sqlite3; php-redis and redis-server; cron.'
    echo 'Then write /srv/store/shared/.env, for carol and nobody else, and deploy.'
    )
    "#);
}

#[test]
fn what_is_no_plain_word_makes_no_script() {
    let octane = |group: &str| {
        format!("[[environments.production.runtimes]]\nkind = \"octane\"\ngroup = \"{group}\"\n")
    };
    let said = |from: &str, to: &str| told(&CONFIG.replace(from, to), None).unwrap_err();
    insta::assert_snapshot!([
        said("/srv/store", "/srv/my store"),
        said("/srv/store", "/srv/$(reboot)"),
        said("/run/php/shop.sock", "127.0.0.1:9000"),
        said("/run/php/shop.sock", "/run/php/php8.2-fpm.sock"),
        said("carol@", ""),
        said("carol@", "root@"),
        told(CONFIG, Some("ssh-ed25519 AAAA'; reboot")).unwrap_err(),
        told(CONFIG, Some("nonsense")).unwrap_err(),
        told(&format!("{CONFIG}{}{}", octane("a"), octane("b")), None).unwrap_err(),
    ].join("\n"), @r#"
    `path` is "/srv/my store", which this script does not take: only letters, digits, `/`, `.`, `_`, `-`, `@`
    `path` is "/srv/$(reboot)", which this script does not take: only letters, digits, `/`, `.`, `_`, `-`, `@`
    a pool on a port is not made here: give `pool` a socket
    the pool /run/php/php8.2-fpm.sock is Debian's own, www: give this app one of its own, `pool = "/run/php/shop@production.sock"`
    the address of web1 names no user: write `deploy@web1.example.com`
    a user who deploys as root needs none of this: name another one
    the public key is none, or has an odd comment: it must be one line like `ssh-ed25519 AAAA… name`
    the public key is none, or has an odd comment: it must be one line like `ssh-ed25519 AAAA… name`
    two runtimes of Octane would have the same ports here: make them one with `expect`, or set them up yourself by templates/
    "#);
}

#[test]
fn every_environment_has_files_of_its_own() {
    let bare = CONFIG.replace("pool = \"/run/php/shop.sock\"", "after_swap = \"nothing\"");
    let staging = bare
        .replace("environments.production", "environments.staging")
        .replace("/srv/store", "/srv/staging");
    let staging = Config::parse("cutover.toml", &staging).unwrap();
    let environment = staging.environment("staging").unwrap();
    let staging = script(Order {
        app: staging.app.as_str(),
        recipe: staging.recipe,
        environment,
        host: &environment.hosts[0],
        key: None,
    });
    let named = |text: String| -> Vec<String> {
        let apart = ["sites-", "pool.d/", "sudoers.d/", "/run/php/", "[shop"];
        text.lines()
            .filter(|line| !line.trim_start().starts_with(['#', ';']))
            .flat_map(|line| line.split([' ', '"', '>', ';']))
            .filter(|word| apart.iter().any(|part| word.contains(part)))
            .filter(|word| !word.contains("/default") && !word.contains('*'))
            .map(str::to_owned)
            .collect()
    };
    let (production, staging) = (named(told(&bare, None).unwrap()), named(staging.unwrap()));
    let ours = |all: &[String], environment: &str| {
        let name = format!("shop@{environment}");
        all.iter().find(|word| !word.contains(&name)).cloned()
    };
    assert!(production.len() > 5);
    assert_eq!(
        (ours(&production, "production"), ours(&staging, "staging")),
        (None, None)
    );
}

#[test]
fn hyphens_in_names_make_no_two_environments_one() {
    let file = |app: &str, environment: &str| {
        let text = CONFIG.replace(
            "environments.production",
            &format!("environments.{environment}"),
        );
        let config = Config::parse("cutover.toml", &text).unwrap();
        rights_file(app, config.environment(environment).unwrap())
    };
    assert_eq!(
        [file("shop-eu", "live"), file("shop", "eu-live")],
        [
            "/etc/sudoers.d/cutover-shop-eu@live",
            "/etc/sudoers.d/cutover-shop@eu-live"
        ]
    );
    // They rest on names without an `@`.
    for name in ["shop@eu", "shop.eu"] {
        assert!(crate::AppName::parse(name).is_err());
        assert!(crate::EnvironmentName::parse(name).is_err());
    }
}

#[test]
fn sudo_allows_every_command_that_a_deployment_gives_to_it() {
    let config = Config::parse("cutover.toml", CONFIG).unwrap();
    let mut environment = config.environment("production").unwrap().clone();
    environment.workers.truncate(1);
    let fpm = environment.php_fpm.as_mut().unwrap();
    fpm.after_swap = FpmAction::Reload;
    fpm.service = Some("php8.2-fpm".to_owned());
    let managers = [
        Manager::Supervisor,
        Manager::Systemd,
        Manager::SystemdUser,
        Manager::Horizon,
        Manager::QueueRestart,
        Manager::Command,
        Manager::Docker,
        Manager::Compose,
        Manager::Kubernetes,
    ];
    let hand_overs = [HandOver::Overlap, HandOver::Drain, HandOver::Restart];
    for (manager, hand_over) in managers
        .into_iter()
        .flat_map(|manager| hand_overs.map(|hand_over| (manager, hand_over)))
    {
        let workers = &mut environment.workers[0];
        workers.group = "shop.mail".to_owned();
        (workers.manager, workers.hand_over) = (manager, hand_over);
        workers.after_drain = AfterDrain::Force;
        let host = &environment.hosts[0];
        let text = script(Order {
            app: config.app.as_str(),
            recipe: config.recipe,
            environment: &environment,
            host,
            key: None,
        });
        let text = text.unwrap();
        let rights: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("carol ALL = (root) CWD=/ NOPASSWD: "))
            .collect();
        for command in commands_with_sudo(&environment, host) {
            let allowed = rights.iter().any(|right| allows(right, &command));
            assert!(allowed, "{command} of {manager:?}: {rights:#?}");
        }
    }
}

/// Whether sudo would take the command by this right: its words are literal, or a regular expression.
fn allows(right: &str, command: &str) -> bool {
    let (program, words) = right.split_once(' ').unwrap();
    let program = program.rsplit('/').next().unwrap();
    let Some((called, given)) = command.split_once(' ') else {
        return false;
    };
    if called != program || !words.starts_with('^') {
        return called == program && words.replace('\\', "").replace("[0-9][0-9]", "00") == given;
    }
    let mut grep = Command::new("grep")
        .args(["-Eq", "-e", words])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = grep.stdin.take().unwrap();
    stdin.write_all(given.as_bytes()).unwrap();
    drop(stdin);
    grep.wait().unwrap().success()
}

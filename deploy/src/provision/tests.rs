use super::*;
use crate::Config;

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
    set -eu
    [ "$(id -u)" = 0 ] || { echo 'run this as root' >&2 && exit 1; }
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
    install -d -o carol -g carol /srv/store /srv/store/releases /srv/store/shared
    home=$(getent passwd carol | cut -d: -f6)
    install -d -m 0700 -o carol -g carol "$home/.ssh"
    grep -qxF 'ssh-ed25519 AAAA carol@laptop' "$home/.ssh/authorized_keys" 2>/dev/null || echo 'ssh-ed25519 AAAA carol@laptop' >>"$home/.ssh/authorized_keys"
    chown carol:carol "$home/.ssh/authorized_keys" && chmod 0600 "$home/.ssh/authorized_keys"
    php=$(php -r 'echo PHP_MAJOR_VERSION, ".", PHP_MINOR_VERSION;')
    cat >"/etc/php/$php/fpm/pool.d/shop.conf" <<'END_OF_FILE'
    [shop]
    user = carol
    group = carol
    listen = /run/php/shop.sock
    listen.owner = www-data
    listen.group = carol
    listen.mode = 0660
    pm = dynamic
    pm.max_children = 20
    pm.start_servers = 4
    pm.min_spare_servers = 2
    pm.max_spare_servers = 6
    request_terminate_timeout = 55s
    catch_workers_output = yes
    END_OF_FILE
    chmod 0644 "/etc/php/$php/fpm/pool.d/shop.conf"
    sed -i 's/^;*[[:space:]]*process_control_timeout[[:space:]]*=.*/process_control_timeout = 30s/' "/etc/php/$php/fpm/php-fpm.conf"
    "php-fpm$php" -t
    systemctl reload-or-restart "php$php-fpm"
    cat >/etc/nginx/sites-available/shop <<'END_OF_FILE'
    server {
    }
    END_OF_FILE
    chmod 0644 /etc/nginx/sites-available/shop
    ln -sfn ../sites-available/shop /etc/nginx/sites-enabled/shop
    rm -f /etc/nginx/sites-enabled/default
    nginx -t
    systemctl reload-or-restart nginx
    cat >/etc/supervisor/conf.d/mail.conf <<'END_OF_FILE'
    [program:mail]
    command=php /srv/store/current/artisan queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600
    process_name=%(program_name)s_%(process_num)02d
    numprocs=3
    user=carol
    autostart=true
    autorestart=true
    stopsignal=TERM
    stopwaitsecs=90
    stopasgroup=false
    killasgroup=true
    redirect_stderr=true
    stdout_logfile=/var/log/supervisor/mail.log
    END_OF_FILE
    chmod 0644 /etc/supervisor/conf.d/mail.conf
    supervisorctl reread
    supervisorctl update
    install -d -m 0755 /etc/supervisor/cutover
    cat >/etc/supervisor/cutover/orders.conf <<'END_OF_FILE'
    [program:@group@]
    command=php /srv/store/releases/@release@/artisan queue:work --sleep=1 --tries=3 --timeout=60 --max-time=3600
    directory=/srv/store/releases/@release@
    process_name=%(program_name)s_%(process_num)02d
    numprocs=1
    user=carol
    autostart=true
    autorestart=true
    startsecs=1
    stopsignal=TERM
    stopwaitsecs=3600
    stopasgroup=false
    killasgroup=true
    redirect_stderr=true
    stdout_logfile=/var/log/supervisor/orders.log
    END_OF_FILE
    chmod 0644 /etc/supervisor/cutover/orders.conf
    cat >/usr/local/sbin/cutover-supervisor <<'END_OF_FILE'
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
    chmod 0755 /usr/local/sbin/cutover-supervisor
    cat >/etc/systemd/system/search@.service <<'END_OF_FILE'
    [Unit]
    Description=Queue worker %i of shop
    After=network.target
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
    chmod 0644 /etc/systemd/system/search@.service
    systemctl daemon-reload
    cat >/etc/sudoers.d/.cutover.new <<'END_OF_FILE'
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl status mail\:\*
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl signal TERM mail\:mail_[0-9][0-9]
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl start mail\:mail_[0-9][0-9]
    carol ALL = (root) CWD=/ NOPASSWD: /usr/local/sbin/cutover-supervisor ^(list orders|(add|drop|keep) orders [A-Za-z0-9][A-Za-z0-9._-]*)$
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/systemctl ^--quiet (enable --now|disable --now --no-block)( search(@[A-Za-z0-9][A-Za-z0-9._-]*)?[.]service)+$
    END_OF_FILE
    chmod 0440 /etc/sudoers.d/.cutover.new
    visudo -cqf /etc/sudoers.d/.cutover.new
    mv /etc/sudoers.d/.cutover.new /etc/sudoers.d/cutover
    echo 'This host is ready.'
    echo 'Now write /srv/store/shared/.env, for carol and nobody else, and deploy.'
    "#);
}

#[test]
fn what_is_no_plain_word_makes_no_script() {
    let said = |from: &str, to: &str| told(&CONFIG.replace(from, to), None).unwrap_err();
    insta::assert_snapshot!([
        said("/srv/store", "/srv/my store"),
        said("/srv/store", "/srv/$(reboot)"),
        said("/run/php/shop.sock", "127.0.0.1:9000"),
        said("carol@", ""),
        said("carol@", "root@"),
        told(CONFIG, Some("ssh-ed25519 AAAA'; reboot")).unwrap_err(),
        told(CONFIG, Some("nonsense")).unwrap_err(),
    ].join("\n"), @r#"
    `path` is "/srv/my store", which this script does not take: only letters, digits, `/`, `.`, `_`, `-`, `@`
    `path` is "/srv/$(reboot)", which this script does not take: only letters, digits, `/`, `.`, `_`, `-`, `@`
    a pool on a port is not made here: give `pool` a socket
    the address of web1 names no user: write `deploy@web1.example.com`
    a user who deploys as root needs none of this: name another one
    the public key is none, or has an odd comment: it must be one line like `ssh-ed25519 AAAA… name`
    the public key is none, or has an odd comment: it must be one line like `ssh-ed25519 AAAA… name`
    "#);
}

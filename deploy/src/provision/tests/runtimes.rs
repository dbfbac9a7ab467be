//! What the script sets up for runtimes.

use super::*;

/// The environment with these tables of runtimes in the place of its workers.
fn with(tables: &str) -> String {
    let (head, _) = CONFIG
        .split_once("[[environments.production.workers]]")
        .unwrap();
    let tables = tables.replace("[[]]", "[[environments.production.runtimes]]");
    format!("{head}{tables}\n")
}

/// The files that the script writes, and its calls behind them, from this word on.
fn from(text: &str, word: &str) -> String {
    let at = text.find(word).unwrap_or_else(|| panic!("{text}"));
    let plain = |line: &&str| !line.is_empty() && !line.trim_start().starts_with(['#', ';']);
    let lines = text[at..].lines().filter(plain);
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn octane_has_a_program_a_site_and_rights() {
    let octane = "[[]]\nkind = \"octane\"\ngroup = \"web\"\nexpect = 3\ntimeout = \"2m\"";
    let text = told(&with(octane), None).unwrap();
    assert!(!text.contains("fastcgi") && !text.contains("fpm"), "{text}");
    insta::assert_snapshot!(from(&text, "put /etc/nginx"), @r#"
    put /etc/nginx/sites-available/shop@production 0644 <<'END_OF_FILE'
    upstream shop.production {
        server 127.0.0.1:8000 max_fails=0;
        server 127.0.0.1:8001 max_fails=0;
        server 127.0.0.1:8002 max_fails=0;
    }
    server {
        listen 80;
        server_name shop.example.com;
        root /srv/store/current/public;
        charset utf-8;
        location / {
            try_files $uri @app;
        }
        location = /index.php {
            try_files /none @app;
        }
        location @app {
            proxy_pass http://shop.production;
            proxy_next_upstream error;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto $scheme;
        }
        location ~ \.php$ {
            return 404;
        }
        location ~ /\.(?!well-known) {
            return 404;
        }
    }
    END_OF_FILE
    if [ ! -e /etc/nginx/sites-enabled/shop@production ]; then
      ln -sfn ../sites-available/shop@production /etc/nginx/sites-enabled/shop@production
      link=/etc/nginx/sites-enabled/shop@production
    fi
    sound nginx -t
    if [ -n "$link" ] && [ "$(readlink -f /etc/nginx/sites-enabled/default)" = /etc/nginx/sites-available/default ] && debians; then
      rm /etc/nginx/sites-enabled/default
    fi
    systemctl reload-or-restart nginx
    put /etc/supervisor/conf.d/web.conf 0644 <<'END_OF_FILE'
    [program:web]
    command=php /srv/store/current/artisan octane:start --port=80%(process_num)02d
    environment=OCTANE_STATE_FILE="/srv/store/shared/storage/logs/octane-%(process_num)02d.json"
    process_name=%(program_name)s_%(process_num)02d
    numprocs=3
    numprocs_start=0
    user=carol
    autostart=true
    autorestart=true
    stopsignal=TERM
    stopwaitsecs=120
    stopasgroup=false
    killasgroup=true
    redirect_stderr=true
    stdout_logfile=/var/log/supervisor/web.log
    END_OF_FILE
    for _ in 1 2 3 4 5 6 7 8 9 10; do if supervisorctl pid >/dev/null 2>&1; then break; fi; sleep 1; done
    sound supervisorctl reread
    supervisorctl update web
    cat >"$work/rights" <<'END_OF_FILE'
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl status web\:\*
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl start web\:web_[0-9][0-9]
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl start web
    END_OF_FILE
    visudo -cqf "$work/rights" || refuse 'sudo does not take these rights: none were given'
    put /etc/sudoers.d/cutover-shop@production 0440 <"$work/rights"
    for rights in /etc/sudoers.d/cutover*; do
      case ${rights##*/} in cutover-shop@production | *.*) continue ;; esac
      if grep -qsE '^carol[[:space:]]' "$rights"; then
        echo "$rights gives carol rights as well: remove it if nothing needs them any more"
      fi
    done
    echo 'This host is ready.'
    echo 'Install what the app asks for and this does not: php-mysql, php-pgsql or php-sqlite3; php-redis and redis-server; cron.'
    echo 'Then write /srv/store/shared/.env, for carol and nobody else, and deploy.'
    )
    "#);
}

#[test]
fn what_is_no_octane_has_another_command_and_a_site_for_php_fpm() {
    let others = "[[]]\nkind = \"reverb\"\ngroup = \"talk\"\n\
        [[]]\nkind = \"pulse\"\nmanager = \"systemd\"\ngroup = \"pulse\"\n\
        [[]]\nkind = \"ssr\"\nmanager = \"systemd_user\"\ngroup = \"pages\"\n\
        [[]]\nkind = \"nginx\"";
    let text = told(&with(others), None).unwrap();
    assert!(text.contains("fastcgi_pass"), "{text}");
    assert!(text.contains("# pages: systemd_user has it, which is not set up here.\n"));
    insta::assert_snapshot!(from(&text, "put /etc/supervisor"), @r#"
    put /etc/supervisor/conf.d/talk.conf 0644 <<'END_OF_FILE'
    [program:talk]
    command=php /srv/store/current/artisan reverb:start --host=127.0.0.1 --port=80%(process_num)02d
    process_name=%(program_name)s_%(process_num)02d
    numprocs=1
    numprocs_start=80
    user=carol
    autostart=true
    autorestart=true
    stopsignal=TERM
    stopwaitsecs=70
    stopasgroup=false
    killasgroup=true
    redirect_stderr=true
    stdout_logfile=/var/log/supervisor/talk.log
    END_OF_FILE
    for _ in 1 2 3 4 5 6 7 8 9 10; do if supervisorctl pid >/dev/null 2>&1; then break; fi; sleep 1; done
    sound supervisorctl reread
    supervisorctl update talk
    put /etc/systemd/system/pulse@.service 0644 <<'END_OF_FILE'
    [Unit]
    Description=Server %i of pulse
    After=network.target
    StartLimitIntervalSec=0
    [Service]
    User=carol
    ExecStart=/usr/bin/php /srv/store/current/artisan pulse:check
    Restart=always
    RestartSec=1
    KillMode=mixed
    KillSignal=SIGTERM
    TimeoutStopSec=70
    [Install]
    WantedBy=multi-user.target
    END_OF_FILE
    systemctl daemon-reload
    systemctl --quiet enable pulse@1.service
    systemctl start pulse@1.service || true
    cat >"$work/rights" <<'END_OF_FILE'
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl status talk\:\*
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl start talk\:talk_[0-9][0-9]
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/supervisorctl start talk
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/systemctl ^start pulse(@[A-Za-z0-9][A-Za-z0-9._-]*)?[.]service$
    carol ALL = (root) CWD=/ NOPASSWD: /usr/bin/systemctl reload nginx
    END_OF_FILE
    visudo -cqf "$work/rights" || refuse 'sudo does not take these rights: none were given'
    put /etc/sudoers.d/cutover-shop@production 0440 <"$work/rights"
    for rights in /etc/sudoers.d/cutover*; do
      case ${rights##*/} in cutover-shop@production | *.*) continue ;; esac
      if grep -qsE '^carol[[:space:]]' "$rights"; then
        echo "$rights gives carol rights as well: remove it if nothing needs them any more"
      fi
    done
    echo 'This host is ready.'
    echo 'Install what the app asks for and this does not: php-mysql, php-pgsql or php-sqlite3; php-redis and redis-server; cron.'
    echo 'Then write /srv/store/shared/.env, for carol and nobody else, and deploy.'
    )
    "#);
}

#[test]
fn beside_apache_and_on_a_host_that_serves_no_web_there_is_no_nginx() {
    let apache = told(&with("[[]]\nkind = \"apache\""), None).unwrap();
    assert!(!apache.contains("nginx") && !apache.contains("fpm"));
    assert!(apache.contains("systemctl reload apache2"));
    let pool = "[environments.production.php_fpm]\npool = \"/run/php/shop.sock\"";
    let apache = told(&with(&format!("[[]]\nkind = \"apache\"\n{pool}")), None).unwrap();
    assert!(!apache.contains("nginx -t") && apache.contains("sound \"php-fpm$php\" -t"));

    let octane = with("[[]]\nkind = \"octane\"\ngroup = \"web\"");
    let worker = octane.replace("address =", "roles = [\"worker\", \"migrate\"]\naddress =");
    let other = "[[environments.production.hosts]]\nname = \"web2\"\naddress = \"carol@web2\"\nroles = [\"web\"]\n";
    let text = told(&format!("{worker}{other}"), None).unwrap();
    assert!(
        !text.contains("octane") && !text.contains("nginx"),
        "{text}"
    );
}

#[test]
fn sudo_allows_every_command_that_runtimes_need_and_nothing_beside() {
    let all = "[[]]\nkind = \"octane\"\ngroup = \"shop.web\"\nexpect = 2\n\
        [[]]\nkind = \"reverb\"\nmanager = \"systemd\"\ngroup = \"shop.talk\"\n\
        [[]]\nkind = \"nginx\"\n[[]]\nkind = \"apache\"\ngroup = \"apache2\"\n\
        [[]]\nkind = \"pulse\"\ngroup = \"quiet\"\nsudo = false";
    let config = Config::parse("cutover.toml", &with(all)).unwrap();
    let environment = config.environment("production").unwrap();
    let text = told(&with(all), None).unwrap();
    let rights: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("carol ALL = (root) CWD=/ NOPASSWD: "))
        .collect();
    let needed = commands_with_sudo(environment, &environment.hosts[0]);
    assert_eq!(needed.len(), 5, "{needed:#?}");
    for command in needed.iter().map(String::as_str).chain([
        "systemctl start shop.talk@8080.service",
        "supervisorctl start shop.web",
    ]) {
        assert!(
            rights.iter().any(|right| allows(right, command)),
            "{command}: {rights:#?}"
        );
    }
    for other in [
        "systemctl start shopxtalk.service",
        "systemctl restart shop.talk.service",
        "supervisorctl status quiet:*",
        "supervisorctl signal TERM shop.web:shop.web_00",
    ] {
        assert!(!rights.iter().any(|right| allows(right, other)), "{other}");
    }
}

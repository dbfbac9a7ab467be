//! The script that makes a bare Debian host fit for an environment: templates with the configuration's own values filled
//! in. Pure, and nothing here runs it. Values are plain words, or there is no script.

use std::fmt::Write as _;
use std::path::Path;

use crate::config::{Environment, HandOver, Host, Manager, PoolAddress, Recipe, Role, Workers};

mod rights;

pub(crate) use rights::rights_file;

const NGINX: &str = include_str!("../../templates/nginx.conf");
const NGINX_STATIC: &str = include_str!("../../templates/nginx-static.conf");
const POOL: &str = include_str!("../../templates/php-fpm-pool.conf");
const SUPERVISOR: &str = include_str!("../../templates/supervisor.conf");
const OVERLAP: &str = include_str!("../../templates/supervisor-overlap.conf");
const UNIT: &str = include_str!("../../templates/worker@.service");
const CUTOVER_SUPERVISOR: &str = include_str!("../../templates/cutover-supervisor");
/// How the script writes a file.
const WRITES: &str = include_str!("script/provision.sh");
/// Ends what is written into a file. No template has such a line, and no value can.
const END: &str = "END_OF_FILE";

/// What is made fit for what.
#[derive(Debug, Clone, Copy)]
pub struct Order<'a> {
    /// The app's name.
    pub app: &'a str,
    /// What kind of app it is.
    pub recipe: Recipe,
    /// The environment.
    pub environment: &'a Environment,
    /// The host, one of it.
    pub host: &'a Host,
    /// The public key of whoever deploys, a line of `authorized_keys`.
    pub key: Option<&'a str>,
}

/// Writes the script, or says which value it could not take.
pub fn script(order: Order<'_>) -> Result<String, String> {
    let host = order.host;
    let user = host.address.user.as_deref().ok_or_else(|| {
        format!(
            "the address of {} names no user: write `deploy@{}`",
            host.name, host.address.host
        )
    })?;
    let path = &order.environment.path;
    plain("the user", user)?;
    plain("`path`", path)?;
    if user == "root" {
        return Err("a user who deploys as root needs none of this: name another one".to_owned());
    }
    let workers: Vec<&Workers> = order
        .environment
        .workers
        .iter()
        .filter(|_| host.roles.contains(&Role::Worker))
        .collect();
    let mut text = head(order, user);
    whose(&mut text, order, &workers);
    packages(&mut text, order);
    account(&mut text, order, user)?;
    if host.roles.contains(&Role::Web) {
        web(&mut text, order, user)?;
    }
    for workers in &workers {
        group(&mut text, order, workers, user)?;
    }
    rights::write(&mut text, order, &workers, user);
    text.push_str("\necho 'This host is ready.'\n");
    if order.recipe == Recipe::Laravel {
        writeln!(
            text,
            "echo 'Install what the app asks for and this does not: php-mysql, php-pgsql or php-sqlite3; php-redis and redis-server; cron.'\n\
             echo 'Then write {path}/shared/.env, for {user} and nobody else, and deploy.'"
        )
        .unwrap_or_default();
    }
    Ok(text)
}

/// What files of the environment are called where other apps and environments have theirs. No name has an `@` in it, so
/// no two environments share a file; sudo passes over files with a dot.
fn called(app: &str, environment: &Environment) -> String {
    format!("{app}@{}", environment.name)
}

/// A value that means itself in a shell, in nginx, PHP-FPM, supervisor and sudo.
fn plain(what: &str, value: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@".contains(c);
    if value.chars().all(plain) && !value.starts_with('-') && !value.is_empty() {
        return Ok(());
    }
    Err(format!(
        "{what} is {value:?}, which this script does not take: only letters, digits, `/`, `.`, `_`, `-`, `@`"
    ))
}

fn head(order: Order<'_>, user: &str) -> String {
    let Order {
        app,
        environment,
        host,
        ..
    } = order;
    format!(
        "#!/bin/sh\n# Makes a bare Debian 12 or newer fit for {app}, {environment}: {host}, where {user} deploys to {path}.\n\
         # Made by `cutover provision`. Read it, then run it as root; it may run again, and leaves files alone that somebody\n\
         # has changed since.\nset -eu\n\
         # `su` without `-` has no sbin in it.\n\
         export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n\
         [ \"$(id -u)\" = 0 ] || {{ echo 'run this as root' >&2 && exit 1; }}\n\
         # What runs of this have written here: digests.\n\
         known=/var/lib/cutover-provisioned\ntouch \"$known\"\nwork=$(mktemp -d)\n\
         trap 'rm -rf \"$work\"' EXIT\n\n{WRITES}",
        environment = environment.name,
        host = host.name,
        path = environment.path,
    )
}

/// Refuses, before anything is changed, what would take over files or requests of another app.
fn whose(text: &mut String, order: Order<'_>, workers: &[&Workers]) {
    let path = &order.environment.path;
    let files: Vec<String> = workers
        .iter()
        .flat_map(|workers| files_of(workers))
        .collect();
    if !files.is_empty() {
        text.push('\n');
    }
    for file in files {
        writeln!(text, "whose {file} {path}").unwrap_or_default();
    }
    if order.host.roles.contains(&Role::Web) && server_name(order.environment) == ANY {
        let called = called(order.app, order.environment);
        write!(
            text,
            "\n# Without a `url` this site answers to any name, and only one site can.\n\
             for site in /etc/nginx/sites-enabled/*; do\n  \
             case ${{site##*/}} in {called} | default) continue ;; esac\n  \
             if grep -qsE '^[[:space:]]*server_name[^;]*[[:space:]]_[[:space:];]' \"$site\"; then\n    \
             refuse \"$site answers to any name already: give {environment} a url, then print this again\"\n  fi\ndone\n",
            environment = order.environment.name,
        )
        .unwrap_or_default();
    }
}

fn packages(text: &mut String, order: Order<'_>) {
    text.push_str(
        "\n# Packages, those that are not there yet.\nmissing=\n\
         need() { command -v \"$2\" >/dev/null || missing=\"$missing $1\"; }\n\
         need openssh-server sshd\nneed sudo sudo\nneed curl curl\n",
    );
    let roles = &order.host.roles;
    if roles.contains(&Role::Web) {
        text.push_str("need nginx nginx\n");
    }
    if roles.contains(&Role::Worker) && order.environment.workers.iter().any(by_supervisor) {
        text.push_str("need supervisor supervisord\n");
    }
    if speaks_php(order) {
        text.push_str(
            "need php-cli php\nset -- /usr/sbin/php-fpm[0-9]*\n[ -x \"$1\" ] || missing=\"$missing php-fpm\"\n\
             for extension in curl mbstring xml zip; do\n  php -m 2>/dev/null | grep -qx \"$extension\" || missing=\"$missing php-$extension\"\ndone\n",
        );
    }
    text.push_str(
        "if [ -n \"$missing\" ]; then\n  apt-get update\n  # shellcheck disable=SC2086\n  \
         DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing\nfi\n",
    );
}

fn speaks_php(order: Order<'_>) -> bool {
    order.recipe == Recipe::Laravel || order.environment.php_fpm.is_some()
}

fn by_supervisor(workers: &Workers) -> bool {
    workers.manager == Manager::Supervisor
}

fn account(text: &mut String, order: Order<'_>, user: &str) -> Result<(), String> {
    folders(text, &order.environment.path, user);
    let Some(key) = order.key else {
        writeln!(
            text,
            "# The public key of whoever deploys belongs into ~{user}/.ssh/authorized_keys."
        )
        .unwrap_or_default();
        return Ok(());
    };
    let key = key.trim();
    let kinds = ["ssh-", "ecdsa-", "sk-"];
    let sane = |c: char| c.is_ascii_alphanumeric() || "+/=@._: -".contains(c);
    if !key.chars().all(sane) || !kinds.iter().any(|kind| key.starts_with(kind)) {
        return Err("the public key is none, or has an odd comment: it must be one line like `ssh-ed25519 AAAA… name`".to_owned());
    }
    write!(
        text,
        "home=$(getent passwd {user} | cut -d: -f6)\nas_user sh -s \"$home\" '{key}' <<'{END}'\n\
         set -eu\numask 077\nmkdir -p \"$1/.ssh\"\ncd \"$1/.ssh\"\n\
         grep -qxF \"$2\" authorized_keys 2>/dev/null || echo \"$2\" >>authorized_keys\n{END}\n"
    )
    .unwrap_or_default();
    Ok(())
}

/// Root makes the folder of the environment, among folders of its own only. What is below is made by the owner, who could
/// have put a link there.
fn folders(text: &mut String, path: &str, user: &str) {
    let above: Vec<&str> = Path::new(path)
        .ancestors()
        .skip(1)
        .filter_map(Path::to_str)
        .collect();
    write!(
        text,
        "\n# Who deploys, and the folders, which are theirs. Below those root changes nothing: a link could lead anywhere.\n\
         id -u {user} >/dev/null 2>&1 || useradd --create-home --shell /bin/bash {user}\n\
         group=$(id -gn {user})\n\
         # In a session of its own, from where nothing can type into root's terminal.\n\
         as_user() {{ setsid -w runuser -u {user} -- \"$@\"; }}\n\
         if [ -L {path} ]; then refuse '{path} is a link: give the folder itself as the path'; fi\n\
         if [ ! -d {path} ] && ! as_user mkdir -p {path} 2>/dev/null; then\n  for above in {above}; do\n    \
         if [ -e \"$above\" ] && [ \"$(stat -Lc %u \"$above\")\" != 0 ]; then refuse \"$above is not of root: make {path} yourself, for {user}\"; fi\n  \
         done\n  install -d -o {user} -g \"$group\" {path}\nfi\n\
         as_user mkdir -p -m 0755 {path}/releases {path}/shared || refuse '{path} must belong to {user}'\n",
        above = above.join(" "),
    )
    .unwrap_or_default();
}

/// The user's own group, which may have another name than he has. `put` knows it.
const GROUP: &str = "@primary-group@";

/// Writes a file with this content.
fn file(text: &mut String, path: &str, mode: &str, content: &str) {
    let content = content.trim_end();
    writeln!(text, "put {path} {mode} <<'{END}'\n{content}\n{END}").unwrap_or_default();
}

fn web(text: &mut String, order: Order<'_>, user: &str) -> Result<(), String> {
    let environment = order.environment;
    let called = called(order.app, environment);
    let fpm = environment.php_fpm.as_ref();
    let socket = match fpm.and_then(|fpm| fpm.pool.as_ref()) {
        Some(PoolAddress::Socket(path)) => path.clone(),
        Some(PoolAddress::Port(..)) => {
            return Err("a pool on a port is not made here: give `pool` a socket".to_owned());
        }
        None => format!("/run/php/{called}.sock"),
    };
    plain("`pool`", &socket)?;
    let name = server_name(environment);
    plain("the name of the site", &name)?;
    if speaks_php(order) {
        let pool = POOL
            .replace("[shop]", &format!("[{called}]"))
            .replace("user = deploy", &format!("user = {user}"))
            .replace("group = deploy", &format!("group = {GROUP}"))
            .replace("/run/php/shop.sock", &socket);
        text.push_str("\n# PHP-FPM: a pool of its own.\nphp=$(php -r 'echo PHP_MAJOR_VERSION, \".\", PHP_MINOR_VERSION;')\n");
        file(
            text,
            &format!("\"/etc/php/$php/fpm/pool.d/{called}.conf\""),
            "0644",
            &pool,
        );
        text.push_str(
            "sound \"php-fpm$php\" -t\n\
             # A reload, by whomever, is not to cut requests off.\n\
             settings=/etc/php/$php/fpm/php-fpm.conf\n\
             grep -q '^[[:space:]]*process_control_timeout' \"$settings\" ||\n  \
             sed -i 's/^;[;[:space:]]*process_control_timeout[[:space:]]*=.*/process_control_timeout = 30s/' \"$settings\"\n\
             systemctl reload-or-restart \"php$php-fpm\"\n",
        );
    }
    let site = if speaks_php(order) {
        NGINX
    } else {
        NGINX_STATIC
    };
    let site = site
        .replace("shop.example.com", &name)
        .replace("/srv/shop/", &format!("{}/", environment.path))
        .replace("/run/php/shop.sock", &socket);
    text.push_str("\n# nginx: the site, and at first not Debian's own.\n");
    file(
        text,
        &format!("/etc/nginx/sites-available/{called}"),
        "0644",
        &site,
    );
    write!(
        text,
        "if [ ! -e {enabled}/{called} ]; then\n  ln -sfn ../sites-available/{called} {enabled}/{called}\n  \
         link={enabled}/{called}\nfi\n\
         sound nginx -t\n\
         if [ -n \"$link\" ] && [ -L {enabled}/default ]; then rm {enabled}/default; fi\n\
         systemctl reload-or-restart nginx\n",
        enabled = "/etc/nginx/sites-enabled",
    )
    .unwrap_or_default();
    Ok(())
}

/// What nginx calls a site without a name.
const ANY: &str = "_";

/// The name that people call the site by; any name where none is known.
fn server_name(environment: &Environment) -> String {
    let health = environment.health.as_ref();
    let of = |url: &String| url.split('/').nth(2)?.split(':').next().map(str::to_owned);
    let name = environment.url.as_ref().and_then(of);
    name.or_else(|| health?.host_header.clone())
        .unwrap_or_else(|| ANY.to_owned())
}

/// The files that say what the workers of a group run, where they are made here.
fn files_of(workers: &Workers) -> Vec<String> {
    let name = &workers.group;
    match (workers.manager, workers.hand_over) {
        (Manager::Systemd, HandOver::Overlap) => {
            vec![format!("/etc/systemd/system/{name}@.service")]
        }
        (Manager::Supervisor, _) => vec![
            format!("/etc/supervisor/conf.d/{name}.conf"),
            format!("/etc/supervisor/cutover/{name}.conf"),
        ],
        _ => Vec::new(),
    }
}

fn group(text: &mut String, order: Order<'_>, workers: &Workers, user: &str) -> Result<(), String> {
    let (name, path) = (&workers.group, &order.environment.path);
    plain("the name of a group", name)?;
    let overlaps = workers.hand_over == HandOver::Overlap;
    if workers.manager == Manager::Systemd && overlaps {
        let unit = UNIT
            .replace("/srv/shop/", &format!("{path}/"))
            .replace("User=deploy", &format!("User={user}"))
            .replace("of shop\n", &format!("of {}\n", order.app));
        writeln!(text, "\n# Workers of {name}. Their command line is a guess: `queue:work` with the template's options.").unwrap_or_default();
        file(
            text,
            &format!("/etc/systemd/system/{name}@.service"),
            "0644",
            &unit,
        );
        text.push_str("systemctl daemon-reload\n");
        return Ok(());
    }
    if !by_supervisor(workers) {
        writeln!(
            text,
            "\n# Workers of {name}: {} has them, which is not set up here.",
            workers.manager.word()
        )
        .unwrap_or_default();
        return Ok(());
    }
    let patience = workers.drain_timeout.as_secs().max(70);
    let of = |template: &str| {
        template
            .replace("[program:shop-worker]", &format!("[program:{name}]"))
            .replace("/srv/shop/", &format!("{path}/"))
            .replace("user=deploy", &format!("user={user}"))
            .replace("numprocs=2", &format!("numprocs={}", workers.expect))
            .replace("stopwaitsecs=70", &format!("stopwaitsecs={patience}"))
            .replace(
                "/supervisor/shop-worker.log",
                &format!("/supervisor/{name}.log"),
            )
    };
    writeln!(text, "\n# Workers of {name}. Its command line is a guess: `queue:work` with the template's options.").unwrap_or_default();
    if overlaps {
        text.push_str("install -d -m 0755 /etc/supervisor/cutover\n");
        file(
            text,
            &format!("/etc/supervisor/cutover/{name}.conf"),
            "0644",
            &of(OVERLAP),
        );
        file(
            text,
            "/usr/local/sbin/cutover-supervisor",
            "0755",
            CUTOVER_SUPERVISOR,
        );
    } else {
        file(
            text,
            &format!("/etc/supervisor/conf.d/{name}.conf"),
            "0644",
            &of(SUPERVISOR),
        );
        text.push_str("# They begin to run with the first deployment. To systemd supervisor runs before it can be asked.\n\
             for _ in 1 2 3 4 5 6 7 8 9 10; do if supervisorctl pid >/dev/null 2>&1; then break; fi; sleep 1; done\n\
             sound supervisorctl reread\n");
        writeln!(text, "supervisorctl update {name}").unwrap_or_default();
    }
    Ok(())
}

#[cfg(test)]
mod tests;

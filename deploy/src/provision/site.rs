//! What answers requests: a site for nginx, and behind it a pool of PHP-FPM, the servers of Octane, or files alone.

use std::fmt::Write as _;

use super::{GROUP, Order, called, file, plain};
use crate::config::{Environment, PhpFpm, PoolAddress, Recipe, Role, RuntimeKind};

const NGINX: &str = include_str!("../../../templates/nginx.conf");
const NGINX_OCTANE: &str = include_str!("../../../templates/nginx-octane.conf");
const NGINX_STATIC: &str = include_str!("../../../templates/nginx-static.conf");
const POOL: &str = include_str!("../../../templates/php-fpm-pool.conf");
/// The servers in the template for Octane.
const SERVERS: &str =
    "    server 127.0.0.1:8000 max_fails=0;\n    server 127.0.0.1:8001 max_fails=0;\n";
/// What the script knows of other sites.
const SITES: &str = include_str!("../script/provision-site.sh");
const ENABLED: &str = "/etc/nginx/sites-enabled";
/// What nginx calls a site without a name.
const ANY: &str = "_";

/// What a site hands requests to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serves {
    /// So many servers of Octane, from port 8000 on.
    Octane(u32),
    /// A pool of PHP-FPM.
    Fpm,
    /// Nothing: there are only files.
    Files,
}

/// What a site for nginx hands requests to; `None` where there is none, because no web is served, or Apache does it.
pub(super) fn serves(order: Order<'_>) -> Option<Serves> {
    let runtimes = order.runtimes();
    let find = |kind: RuntimeKind| runtimes.iter().find(|runtime| runtime.kind == kind);
    if !order.host.roles.contains(&Role::Web) || find(RuntimeKind::Apache).is_some() {
        return None;
    }
    let octane = find(RuntimeKind::Octane);
    Some(match octane.and_then(|octane| octane.processes()) {
        Some(servers) => Serves::Octane(servers.expect),
        None if order.speaks_php() => Serves::Fpm,
        None => Serves::Files,
    })
}

/// Whether PHP-FPM has a pool of the app's here.
pub(super) fn has_pool(order: Order<'_>) -> bool {
    let wanted = order.environment.php_fpm.is_some() && order.host.roles.contains(&Role::Web);
    wanted || serves(order) == Some(Serves::Fpm)
}

/// The version of PHP that the name of a unit says.
pub(super) fn version(fpm: Option<&PhpFpm>) -> Option<&str> {
    let service = fpm?.service.as_deref()?;
    let version = service.strip_prefix("php")?.strip_suffix("-fpm")?;
    let digits = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit());
    let (major, minor) = version.split_once('.')?;
    (digits(major) && digits(minor)).then_some(version)
}

/// Refuses, before anything is changed, what would take requests of another app, or could not serve any.
pub(super) fn alone(text: &mut String, order: Order<'_>) -> Result<(), String> {
    if serves(order).is_none() {
        return Ok(());
    }
    let environment = order.environment;
    let called = called(order.app, environment);
    let name = server_name(environment);
    plain("the name of the site", &name)?;
    let mend = if name == ANY {
        format!("give {} a url", environment.name)
    } else {
        format!(
            "take that site away, or give {} another url",
            environment.name
        )
    };
    write!(
        text,
        "\n{SITES}alone {name} {called} '{mend}'\n\
         if ! command -v nginx >/dev/null && listens 80; then\n  \
         refuse 'something serves port 80 already, where nginx has to: end it, then run this again'\nfi\n",
    )
    .unwrap_or_default();
    Ok(())
}

/// Whether Debian's first pool listens there, `/run/php/php8.2-fpm.sock`, or the alternatives lead to it.
fn is_debians(socket: &str) -> bool {
    let version = socket.strip_prefix("/run/php/php");
    let version = version.and_then(|rest| rest.strip_suffix("-fpm.sock"));
    version.is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

pub(super) fn write(text: &mut String, order: Order<'_>, user: &str) -> Result<(), String> {
    let fpm = order.environment.php_fpm.as_ref();
    let called = called(order.app, order.environment);
    let socket = match fpm.and_then(|fpm| fpm.pool.as_ref()) {
        Some(PoolAddress::Socket(path)) => path.clone(),
        Some(PoolAddress::Port(..)) => {
            return Err("a pool on a port is not made here: give `pool` a socket".to_owned());
        }
        None => format!("/run/php/{called}.sock"),
    };
    plain("`pool`", &socket)?;
    if has_pool(order) {
        if is_debians(&socket) {
            return Err(format!(
                "the pool {socket} is Debian's own, www: give this app one of its own, `pool = \"/run/php/{called}.sock\"`"
            ));
        }
        pool(text, &called, version(fpm), &socket, user);
    }
    let Some(serves) = serves(order) else {
        return Ok(());
    };
    let (site, name) = match serves {
        Serves::Octane(expect) => (octane(order, expect), "its servers are those of Octane"),
        Serves::Fpm => (NGINX.to_owned(), "the site"),
        Serves::Files => (NGINX_STATIC.to_owned(), "the site"),
    };
    let site = site
        .replace("shop.example.com", &server_name(order.environment))
        .replace("/srv/shop/", &format!("{}/", order.environment.path))
        .replace("/run/php/shop.sock", &socket);
    writeln!(text, "\n# nginx: {name}, and at first not Debian's own.").unwrap_or_default();
    let available = available(order);
    file(text, &available, "0644", &site);
    write!(
        text,
        "if [ ! -e {ENABLED}/{called} ]; then\n  ln -sfn ../sites-available/{called} {ENABLED}/{called}\n  \
         link={ENABLED}/{called}\nfi\n\
         sound nginx -t\n\
         if [ -n \"$link\" ] && [ \"$(readlink -f {ENABLED}/default)\" = /etc/nginx/sites-available/default ] && debians; then\n  \
         rm {ENABLED}/default\nfi\n\
         systemctl reload-or-restart nginx\n",
    )
    .unwrap_or_default();
    Ok(())
}

/// The file of the site.
pub(super) fn available(order: Order<'_>) -> String {
    let called = called(order.app, order.environment);
    format!("/etc/nginx/sites-available/{called}")
}

fn pool(text: &mut String, called: &str, version: Option<&str>, socket: &str, user: &str) {
    let pool = POOL
        .replace("[shop]", &format!("[{called}]"))
        .replace("user = deploy", &format!("user = {user}"))
        .replace("group = deploy", &format!("group = {GROUP}"))
        .replace("/run/php/shop.sock", socket);
    let php = match version {
        Some(version) => version.to_owned(),
        None => "$(php -r 'echo PHP_MAJOR_VERSION, \".\", PHP_MINOR_VERSION;')".to_owned(),
    };
    write!(
        text,
        "\n# PHP-FPM: a pool of its own.\nphp={php}\n\
         [ -d \"/etc/php/$php/fpm/pool.d\" ] ||\n  \
         refuse \"there is no PHP-FPM of $php: install php$php-fpm, or name the one that there is in [php_fpm], as its service\"\n",
    )
    .unwrap_or_default();
    let path = format!("\"/etc/php/$php/fpm/pool.d/{called}.conf\"");
    file(text, &path, "0644", &pool);
    text.push_str(
        "sound \"php-fpm$php\" -t\n\
         # A reload, by whomever, is not to cut requests off.\n\
         settings=/etc/php/$php/fpm/php-fpm.conf\n\
         grep -q '^[[:space:]]*process_control_timeout' \"$settings\" ||\n  \
         sed -i 's/^;[;[:space:]]*process_control_timeout[[:space:]]*=.*/process_control_timeout = 30s/' \"$settings\"\n\
         systemctl reload-or-restart \"php$php-fpm\"\n",
    );
}

/// The site before so many servers. No name has a dot in it, so no two environments share an upstream.
fn octane(order: Order<'_>, expect: u32) -> String {
    let upstream = format!("{}.{}", order.app, order.environment.name);
    let server = |port: u32| format!("    server 127.0.0.1:{port} max_fails=0;\n");
    let servers: String = (8000..8000 + expect).map(server).collect();
    NGINX_OCTANE
        .replace(SERVERS, &servers)
        .replace("upstream shop {", &format!("upstream {upstream} {{"))
        .replace("http://shop;", &format!("http://{upstream};"))
}

/// The name that people call the site by; any name where none is known.
fn server_name(environment: &Environment) -> String {
    let health = environment.health.as_ref();
    let of_url = |url: &String| Some(url.split('/').nth(2)?.to_owned());
    let name = environment.url.as_ref().and_then(of_url);
    let name = name.or_else(|| health?.host_header.clone());
    let bare = name.and_then(|name| Some(name.split(':').next()?.to_owned()));
    bare.unwrap_or_else(|| ANY.to_owned())
}

impl Order<'_> {
    /// Whether PHP answers or works for the app.
    pub(super) fn speaks_php(self) -> bool {
        self.recipe == Recipe::Laravel || self.environment.php_fpm.is_some()
    }
}

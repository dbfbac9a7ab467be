//! The script that makes a bare Debian host fit for an environment: templates with the configuration's own values filled
//! in. Pure, and nothing here runs it. Values are plain words, or there is no script.

use std::fmt::Write as _;
use std::path::Path;

use crate::config::{Environment, Host, Manager, Recipe, Role, Runtime, RuntimeKind, Workers};

mod processes;
mod rights;
mod site;

pub(crate) use rights::rights_file;

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

impl<'a> Order<'a> {
    /// The groups of workers that this host has.
    fn workers(self) -> Vec<&'a Workers> {
        let works = self.host.roles.contains(&Role::Worker);
        let workers = self.environment.workers.iter();
        workers.filter(|_| works).collect()
    }

    /// The runtimes that this host has.
    fn runtimes(self) -> Vec<&'a Runtime> {
        let serves = self.host.roles.contains(&Role::Web);
        let runtimes = self.environment.runtimes.iter();
        runtimes.filter(|_| serves).collect()
    }
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
    let octanes = order.runtimes().into_iter();
    let octanes = octanes.filter(|runtime| runtime.kind == RuntimeKind::Octane);
    if octanes.count() > 1 {
        return Err("two runtimes of Octane would have the same ports here: make them one with `expect`, or set them up yourself by templates/".to_owned());
    }
    let mut text = head(order, user);
    whose(&mut text, order)?;
    packages(&mut text, order);
    account(&mut text, order, user)?;
    if host.roles.contains(&Role::Web) {
        site::write(&mut text, order, user)?;
    }
    for workers in order.workers() {
        processes::group(&mut text, order, workers, user)?;
    }
    processes::supervisors_unit(&mut text, order);
    for runtime in order.runtimes() {
        processes::runtime(&mut text, order, runtime, user)?;
    }
    rights::write(&mut text, order, user);
    text.push_str("\necho 'This host is ready.'\n");
    if order.recipe == Recipe::Laravel {
        writeln!(
            text,
            "echo 'Install what the app asks for and this does not: php-mysql, php-pgsql or php-sqlite3; php-redis and redis-server; cron.'\n\
             echo 'Then write {path}/shared/.env, for {user} and nobody else, and deploy.'"
        )
        .unwrap_or_default();
    }
    text.push_str(")\n");
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
         # has changed since. It is one command to the shell: nothing of it runs where not all of it has arrived.\n\
         (\nset -eu\numask 022\n\
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
fn whose(text: &mut String, order: Order<'_>) -> Result<(), String> {
    let path = &order.environment.path;
    text.push('\n');
    if site::serves(order).is_some() {
        writeln!(text, "whose {} {path}", site::available(order)).unwrap_or_default();
    }
    let rights = rights_file(order.app, order.environment);
    writeln!(text, "whose {rights} {path}").unwrap_or_default();
    processes::whose(text, order);
    site::alone(text, order)
}

fn packages(text: &mut String, order: Order<'_>) {
    text.push_str(
        "\n# Packages, those that are not there yet.\nmissing=\n\
         need() { command -v \"$2\" >/dev/null || missing=\"$missing $1\"; }\n\
         need openssh-server sshd\nneed sudo sudo\nneed curl curl\n",
    );
    if site::serves(order).is_some() {
        text.push_str("need nginx nginx\n");
    }
    if by_supervisor(order) {
        text.push_str("need supervisor supervisord\n");
    }
    if order.speaks_php() {
        text.push_str("need php-cli php\n");
        match site::version(order.environment.php_fpm.as_ref()) {
            _ if !site::has_pool(order) => {}
            Some(version) => {
                writeln!(text, "need php{version}-fpm php-fpm{version}").unwrap_or_default();
            }
            None => text.push_str(
                "set -- /usr/sbin/php-fpm[0-9]*\n[ -x \"$1\" ] || missing=\"$missing php-fpm\"\n",
            ),
        }
        text.push_str(
            "for extension in curl mbstring xml zip; do\n  php -m 2>/dev/null | grep -qx \"$extension\" || missing=\"$missing php-$extension\"\ndone\n",
        );
    }
    text.push_str(
        "if [ -n \"$missing\" ]; then\n  apt-get update\n  # shellcheck disable=SC2086\n  \
         DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends $missing </dev/null\nfi\n",
    );
}

fn by_supervisor(order: Order<'_>) -> bool {
    let runtimes = order.runtimes().into_iter().filter_map(Runtime::processes);
    let mut all = order.workers().into_iter().chain(runtimes);
    // Somebody has to start Horizon's master, and systemd would end what still works with it.
    let theirs = [Manager::Supervisor, Manager::Horizon];
    all.any(|processes| theirs.contains(&processes.manager))
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
         if grep -qxF \"$2\" authorized_keys 2>/dev/null; then exit; fi\n\
         # The last line may have no end.\n\
         [ -z \"$(tail -c 1 authorized_keys 2>/dev/null)\" ] || echo >>authorized_keys\n\
         echo \"$2\" >>authorized_keys\n{END}\n"
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

#[cfg(test)]
mod tests;

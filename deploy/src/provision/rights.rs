//! What the deploy user may do as root: exactly what a deployment calls, with all of its words.

use std::fmt::Write as _;

use super::{END, Order, called};
use crate::config::{Environment, Following, FpmAction, HandOver, Manager, Role, Runtime, Workers};

/// The name of an instance, or of a release.
const INSTANCE: &str = "[A-Za-z0-9][A-Za-z0-9._-]*";

/// The file of sudo that is an environment's. sudo passes over names with a dot.
pub(crate) fn rights_file(app: &str, environment: &Environment) -> String {
    format!("/etc/sudoers.d/cutover-{}", called(app, environment))
}

/// Gives the rights that groups, runtimes and PHP-FPM need, and takes back what was given before.
pub(super) fn write(text: &mut String, order: Order<'_>, user: &str) {
    let workers = order.workers();
    let mut rights: Vec<String> = workers.iter().flat_map(|group| of(group)).collect();
    rights.extend(order.runtimes().into_iter().flat_map(of_runtime));
    rights.extend(reload(order));
    let name = rights_file(order.app, order.environment);
    for group in workers {
        is_root(text, group, user);
    }
    if rights.is_empty() {
        write!(
            text,
            "\n# A deployment calls nothing as root by rights of this file: those of an earlier run go.\n\
             if [ -e {name} ] && ! ours {name}; then\n  \
             echo '{name} is not as it was written here, and stays: nothing needs its rights any more'\n\
             else\n  rm -f {name} {name}.cutover-new\nfi\n"
        )
        .unwrap_or_default();
    } else {
        // CWD=/: supervisorctl prefers a supervisord.conf in the folder that it is called from.
        let lines: Vec<String> = rights
            .iter()
            .map(|right| format!("{user} ALL = (root) CWD=/ NOPASSWD: {right}"))
            .collect();
        write!(
            text,
            "\n# What the user may do as root: exactly what a deployment calls, with all of its words.\n\
             cat >\"$work/rights\" <<'{END}'\n# For {path}/\n{}\n{END}\n\
             visudo -cqf \"$work/rights\" || refuse 'sudo does not take these rights: none were given'\n\
             put {name} 0440 <\"$work/rights\"\n",
            lines.join("\n"),
            path = order.environment.path,
        )
        .unwrap_or_default();
    }
    write!(
        text,
        "for rights in /etc/sudoers.d/cutover*; do\n  \
         case ${{rights##*/}} in {own} | *.*) continue ;; esac\n  \
         if grep -qsE '^{literal}[[:space:]]' \"$rights\"; then\n    \
         echo \"$rights gives {user} rights as well: remove it if nothing needs them any more\"\n  fi\ndone\n",
        own = name.trim_start_matches("/etc/sudoers.d/"),
        literal = user.replace('.', "[.]"),
    )
    .unwrap_or_default();
}

/// Says what is left to its reader: whoever may call these is root, so the script does not choose it.
fn is_root(text: &mut String, workers: &Workers, user: &str) {
    let programs = match workers.manager {
        Manager::Docker => "/usr/bin/docker",
        // Its variables come by way of `env`, which runs anything.
        Manager::Compose => "/usr/bin/docker, /usr/bin/docker-compose, /usr/bin/env",
        _ => return,
    };
    if !workers.sudo {
        return;
    }
    write!(
        text,
        "\n# Workers of {group} are containers, and whoever may call Docker is root by another name. So no right is given\n\
         # here. If {user} may be root, choose one and do it yourself:\n\
         #   usermod -aG docker {user}    and `sudo = false` for {group} in cutover.toml\n\
         #   a file of your own in /etc/sudoers.d: {user} ALL = (root) NOPASSWD: {programs}\n",
        group = workers.group,
    )
    .unwrap_or_default();
}

/// What a recipe calls for one group.
pub(super) fn of(workers: &Workers) -> Vec<String> {
    if !workers.sudo {
        return Vec::new();
    }
    let literal = workers.group.replace('.', "[.]");
    let (group, ctl) = (&workers.group, "/usr/bin/supervisorctl");
    let one = format!("{group}\\:{group}_[0-9][0-9]");
    match (workers.manager, workers.hand_over) {
        (Manager::Systemd, HandOver::Overlap) => vec![format!(
            "/usr/bin/systemctl ^--quiet (enable --now|disable --now --no-block)( {literal}(@{INSTANCE})?[.]service)+$"
        )],
        // What has stopped meanwhile is started, whatever the hand-over is.
        (Manager::Systemd, HandOver::Restart) => vec![unit("(start|restart)", group)],
        (Manager::Systemd, HandOver::Drain) => vec![unit("start", group)],
        (Manager::Supervisor, HandOver::Overlap) => vec![format!(
            "/usr/local/sbin/cutover-supervisor ^(list {literal}|(add|drop|keep) {literal} {INSTANCE})$"
        )],
        (Manager::Supervisor, hand_over) => {
            let mut rights = vec![format!("{ctl} status {group}\\:\\*")];
            if hand_over == HandOver::Restart {
                rights.push(format!("{ctl} restart {group}\\:\\*"));
            }
            rights.push(format!("{ctl} start {one}"));
            rights
        }
        _ => Vec::new(),
    }
}

/// What is asked for one runtime: its processes are told to end by their own user, which needs no right.
pub(super) fn of_runtime(runtime: &Runtime) -> Vec<String> {
    let processes = match &runtime.follows {
        Following::Restarted(processes) if processes.sudo => processes,
        Following::Reloaded {
            service,
            sudo: true,
        } => return vec![format!("/usr/bin/systemctl reload {service}")],
        _ => return Vec::new(),
    };
    let (group, ctl) = (&processes.group, "/usr/bin/supervisorctl");
    match processes.manager {
        // A program without `process_name` has one process of the program's own name.
        Manager::Supervisor => vec![
            format!("{ctl} status {group}\\:\\*"),
            format!("{ctl} start {group}\\:{group}_[0-9][0-9]"),
            format!("{ctl} start {group}"),
        ],
        Manager::Systemd => vec![unit("start", group)],
        _ => Vec::new(),
    }
}

/// One unit, or instances of it.
fn unit(verb: &str, group: &str) -> String {
    let literal = group.replace('.', "[.]");
    format!("/usr/bin/systemctl ^{verb} {literal}(@{INSTANCE})?[.]service$")
}

fn reload(order: Order<'_>) -> Option<String> {
    let fpm = order.environment.php_fpm.as_ref()?;
    let reloads = fpm.after_swap == FpmAction::Reload && fpm.sudo;
    let service = fpm
        .service
        .as_ref()
        .filter(|_| reloads && order.host.roles.contains(&Role::Web))?;
    Some(format!("/usr/bin/systemctl reload {service}"))
}

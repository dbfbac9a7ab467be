//! Whether enough workers run, and the line that starts those that are down, by the words of who manages them.

use super::Severity::Loses;
use super::checks::RUNNING;
use super::seen::Listed;
use super::{Diagnosis, Look};
use crate::config::{Containers, Environment, HandOver, Manager, Workers};

pub(super) fn running(look: Look<'_>, workers: &Workers, listed: &[&Listed], told: &mut Diagnosis) {
    let up = listed
        .iter()
        .filter(|listed| listed.state == "RUNNING")
        .count();
    let stopped = |listed: &&&Listed| !matches!(listed.state.as_str(), "RUNNING" | "ENDING");
    let (down, names): (Vec<String>, Vec<&str>) = listed
        .iter()
        .filter(stopped)
        .map(|listed| {
            let is = format!("{} is {}", listed.name, listed.state);
            (is, listed.name.as_str())
        })
        .unzip();
    let short = up < workers.expect as usize;
    let starting = |listed: &&&Listed| listed.state == "STARTING";
    if short && up + listed.iter().filter(starting).count() >= workers.expect as usize {
        told.blind(
            &RUNNING,
            format!("{}: {}: look again", workers.group, down.join(", ")),
        );
        return;
    }
    let mut found = format!(
        "{up} of {} workers of {} run",
        workers.expect, workers.group
    );
    if !down.is_empty() {
        found = format!("{found}: {}", down.join(", "));
    }
    let mend = line(look.environment, workers, &names);
    told.verdict(&RUNNING, short.then_some((Loses, found, mend)));
}

/// The line for those that are down, by the names that their manager lists.
pub(super) fn line(environment: &Environment, workers: &Workers, down: &[&str]) -> String {
    let group = &workers.group;
    let by_sudo = workers.sudo && workers.manager != Manager::SystemdUser;
    let sudo = if by_sudo { "sudo " } else { "" };
    let (start, log) = match workers.manager {
        Manager::Supervisor => ("supervisorctl start", "supervisorctl tail"),
        Manager::Systemd => ("systemctl start", "journalctl --lines 20 --unit"),
        Manager::SystemdUser => (
            "systemctl --user start",
            "journalctl --user --lines 20 --unit",
        ),
        Manager::Docker | Manager::Compose => ("docker start", "docker logs --tail 20"),
        Manager::Kubernetes => {
            let space = match &workers.containers {
                Some(Containers::Kubernetes(kubernetes)) => kubernetes.namespace.as_str(),
                _ => "default",
            };
            return format!("{sudo}kubectl --namespace {space} describe deployment {group}");
        }
        Manager::Horizon | Manager::QueueRestart | Manager::Command => {
            return "ps ax  # what starts them when the host boots is to start them".to_owned();
        }
    };
    let boxed = matches!(workers.manager, Manager::Docker | Manager::Compose);
    // Of a container the name ends in its id, which is all that Docker knows.
    let known = |name: &&'_ str| -> String {
        let id = name.rsplit('-').next().filter(|_| boxed);
        id.unwrap_or(name).to_owned()
    };
    let down: Vec<String> = down.iter().map(known).collect();
    match down.first() {
        Some(first) => format!("{sudo}{start} {}; {sudo}{log} {first}", down.join(" ")),
        None if workers.hand_over == HandOver::Overlap => {
            format!("cutover deploy {}", environment.name)
        }
        None => format!("as many processes of {group} as `expect` says, or a smaller `expect`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn lines(more: &str, down: &[&str]) -> String {
        let text = format!(
            "app = \"x\"\nrepository = \"github:a/b\"\n[environments.production]\npath = \"/srv/app\"\n\
             [[environments.production.hosts]]\nname = \"a\"\naddress = \"a@b\"\n\
             [[environments.production.workers]]\ngroup = \"w\"\n{more}"
        );
        let config = Config::parse("x", &text).unwrap();
        let environment = config.environment("production").unwrap();
        line(environment, &environment.workers[0], down)
    }

    #[test]
    fn who_manages_workers_is_asked_to_start_them_by_the_names_that_it_knows() {
        assert_eq!(
            [
                lines("", &["w:w_00", "w:w_01"]),
                lines("hand_over = \"overlap\"", &["w@r2-1:w@r2-1_00"]),
                lines("manager = \"systemd\"", &["w@1.service"]),
                lines("manager = \"systemd_user\"", &["w.service"]),
                lines(
                    "manager = \"compose\"\ncompose = { project = \"x\" }",
                    &["w@r2-0123456789ab"]
                ),
                lines(
                    "manager = \"kubernetes\"\nkubernetes = { namespace = \"shop\" }",
                    &["w@r2-5d-x"]
                ),
                lines("manager = \"horizon\"", &["w"]),
                lines("", &[]),
                lines("hand_over = \"overlap\"", &[]),
            ],
            [
                "sudo supervisorctl start w:w_00 w:w_01; sudo supervisorctl tail w:w_00",
                "sudo supervisorctl start w@r2-1:w@r2-1_00; sudo supervisorctl tail w@r2-1:w@r2-1_00",
                "sudo systemctl start w@1.service; sudo journalctl --lines 20 --unit w@1.service",
                "systemctl --user start w.service; journalctl --user --lines 20 --unit w.service",
                "sudo docker start 0123456789ab; sudo docker logs --tail 20 0123456789ab",
                "kubectl --namespace shop describe deployment w",
                "ps ax  # what starts them when the host boots is to start them",
                "as many processes of w as `expect` says, or a smaller `expect`",
                "cutover deploy production",
            ]
        );
    }
}

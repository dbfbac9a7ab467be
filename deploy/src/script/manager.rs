//! Recipes for managers of workers, a script each. What is common to all is in `workers*.sh` and `servers.sh`, which know no
//! manager, and `roster.sh`, which asks the kernel what runs.
//!
//! A recipe runs as `sh -euc RECIPE MANAGER VERB ROOT GROUP SUDO SETTINGS [ARGUMENT…]`. SETTINGS are lines `key value`, of
//! which `hand_over` is always there ([`Workers::settings`](crate::config::Workers)). Exit 0 says that the verb is done;
//! anything else fails the step, with what was printed to stderr as its cause. Every verb may be called again.
//!
//! | verb | what it does |
//! |---|---|
//! | `list` | A line for each process or container of the group: `NAME STATE PID [RELEASE [SINCE [RESTARTS]]]`, no word with a blank in it. STATE is `RUNNING`, `STARTING`, `ENDING` (told to end, and never comes back), or `STOPPED`, `EXITED`, `FATAL`, `BACKOFF` where nothing runs (behind a colon may stand why); of servers also `HIDDEN`, which another user runs. PID is `-` where there is none. RELEASE and SINCE (seconds since 1970) are left out, or `?`, where `roster.sh` can read them in `/proc/PID`; a recipe whose processes are out of its sight (containers) tells RELEASE by proof, `-` where it has none. RESTARTS is how often the manager has started it anew by itself, where it counts that. Workers of other releases that still finish a job are told as well. |
//! | `begin NAME` | Starts one that does not run. |
//! | `end NAME PID [NAME PID]…` | Asks these to finish their job and end; does not wait. Who manages them starts them again on `current`. |
//! | `kill NAME PID` | Ends one at once. |
//! | `restart` | Restarts the group on `current`, by the manager's own rules. |
//! | `add RELEASE EXPECT NEED` | Overlap: starts workers that run RELEASE beside all others, for good (a reboot brings them back). NEED is `no` on a way back, which nothing stops that can be done without. Does nothing where they are there and not told to end. Those that run nothing any more after a few tries are listed as `FATAL`, and their name has `@RELEASE-` in it. |
//! | `drop RELEASE` | Overlap: sees to it that those of RELEASE never come back (not at a boot either), then has them finish and end in the background, detached from the line and bounded by the manager's own patience. Returns at once. |
//! | `keep RELEASE` | Overlap: the same for all that were started for any other release, and only for these. |
//!
//! Containers have a release for life, so their recipes know `list`, `add`, `drop`, `keep` and `kill`. Two more states are
//! theirs: `LOST:STATUS` ended otherwise than well after it was told to, and its job with it; `SHELL` has a shell before PHP,
//! which keeps TERM from it. `add` refuses, before anything is ended, what would lose a job. A recipe may consist of several
//! files, one behind the other.
//!
//! A manager that knows only `list`, `end` and `kill` can `drain`; [`Manager::hand_overs`](crate::config::Manager) says which.

use crate::config::Manager;

/// The recipe of a manager.
pub fn recipe(manager: Manager) -> &'static str {
    match manager {
        Manager::Supervisor => include_str!("manager/supervisor.sh"),
        Manager::Systemd | Manager::SystemdUser => include_str!("manager/systemd.sh"),
        Manager::Horizon => concat!(
            include_str!("manager/horizon.sh"),
            include_str!("manager/command.sh"),
        ),
        Manager::QueueRestart | Manager::Command => include_str!("manager/command.sh"),
        Manager::Docker => concat!(
            include_str!("manager/docker.sh"),
            include_str!("manager/containers.sh"),
            include_str!("manager/form.sh"),
            include_str!("manager/made.sh"),
            include_str!("manager/verbs.sh"),
        ),
        Manager::Compose => concat!(
            include_str!("manager/compose.sh"),
            include_str!("manager/containers.sh"),
            include_str!("manager/form.sh"),
            include_str!("manager/made.sh"),
            include_str!("manager/verbs.sh"),
        ),
        Manager::Kubernetes => concat!(
            include_str!("manager/pods.sh"),
            include_str!("manager/watch.sh"),
            include_str!("manager/listing.sh"),
            include_str!("manager/form.sh"),
            include_str!("manager/template.sh"),
            include_str!("manager/kubernetes.sh"),
        ),
    }
}

/// The recipe of a manager for servers that keep the app in memory, with `family.sh` and `server.sh` around the one
/// for workers. It lists
/// them with their release, and knows `end` and `kill` for all processes of one. Only these managers have runtimes; others
/// have their recipe for workers.
pub fn server_recipe(manager: Manager) -> &'static str {
    match manager {
        Manager::Supervisor => concat!(
            "inner() {\n",
            include_str!("manager/supervisor.sh"),
            "}\n",
            include_str!("manager/family.sh"),
            include_str!("manager/server.sh"),
        ),
        Manager::Systemd | Manager::SystemdUser => concat!(
            "inner() {\n",
            include_str!("manager/systemd.sh"),
            "}\n",
            include_str!("manager/family.sh"),
            include_str!("manager/server.sh"),
        ),
        others => recipe(others),
    }
}

/// What tells how the containers of a manager were started and how they are stopped; `None` where it has none.
#[cfg(feature = "run")]
pub(crate) fn running(manager: Manager) -> Option<&'static str> {
    match manager {
        Manager::Docker => Some(concat!(
            include_str!("manager/docker.sh"),
            include_str!("manager/containers.sh"),
            include_str!("manager/form.sh"),
            include_str!("doctor/running.sh"),
        )),
        Manager::Compose => Some(concat!(
            include_str!("manager/compose.sh"),
            include_str!("manager/containers.sh"),
            include_str!("manager/form.sh"),
            include_str!("doctor/running.sh"),
        )),
        Manager::Kubernetes => Some(concat!(
            include_str!("manager/pods.sh"),
            include_str!("manager/form.sh"),
            include_str!("manager/template.sh"),
            include_str!("doctor/running-pods.sh"),
        )),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::process::{Command, Stdio};

    use super::recipe;
    use crate::config::Manager;

    /// What the judge says of a command, by the first line that it prints.
    fn judged(command: &str, seconds: u32, grace: u32) -> String {
        let judge = concat!(
            include_str!("manager/form.sh"),
            "\nif would_lose \"$@\"; then :; else echo fine >&2; fi\n"
        );
        let mut shell = Command::new("sh");
        shell.args(["-eu", "-c", judge, "judge", command]);
        shell.args([
            &seconds.to_string(),
            &grace.to_string(),
            "stop_grace_period: 60s",
        ]);
        let said = shell.output().unwrap();
        assert!(said.status.success(), "{said:?}");
        let said = String::from_utf8(said.stderr).unwrap();
        said.lines().next().unwrap().to_owned()
    }

    #[test]
    fn a_shell_before_php_would_lose_a_job_unless_it_becomes_php() {
        for command in [
            r#""php" "artisan" "queue:work""#,
            r#""docker-php-entrypoint" "php" "artisan" "queue:work""#,
            r#""sh" "-c" "exec php artisan queue:work""#,
            r#""/bin/bash" "-lc" "cd /app && exec php artisan queue:work --name=\"a b\" 2>&1""#,
            r#""sh" "-c" "umask 2\nexec php artisan queue:work""#,
            r#""php" "sh" "-v""#,
        ] {
            assert_eq!(judged(command, 60, 60), "fine", "{command}");
        }
        for command in [
            r#""/bin/sh" "-c" "php artisan queue:work""#,
            r#""sh" "-ec" "cd /app && php artisan queue:work""#,
            r#""tini" "--" "sh" "-c" "php artisan queue:work""#,
            r#""bash" "-o" "pipefail" "-c" "php artisan queue:work | tee log""#,
            r#""sh" "-c" "exec php artisan queue:work | tee log""#,
            r#""sh" "-c" "exec php artisan migrate; php artisan queue:work""#,
            r#""sh" "-c" "php artisan queue:work # exec""#,
        ] {
            let said = judged(command, 60, 60);
            assert!(
                said.starts_with("a shell runs its command"),
                "{command}: {said}"
            );
        }
    }

    #[test]
    fn a_pod_is_listed_with_its_restarts_and_why_it_does_not_come_up() {
        let kubectl = r#"kubectl() { case "$*" in
            *" get pods "*) echo "w-5d-a r2 - w running true 3 sha:1"; echo "w-5d-b r2 - w CrashLoopBackOff false 7 sha:1" ;;
            *) echo ,app=w ;;
        esac; }"#;
        let script = format!("{kubectl}\n{}", recipe(Manager::Kubernetes));
        let mut shell = Command::new("sh");
        shell.args(["-euc", &script, "kubernetes", "list", "/nowhere", "w", "no"]);
        let said = shell.arg("namespace x\ncontainer w").output().unwrap();
        assert_eq!(
            String::from_utf8(said.stdout).unwrap(),
            "w@r2-5d-a RUNNING 1 r2 - 3\nw@r2-5d-b FATAL:CrashLoopBackOff - r2 - 7\n"
        );
    }

    #[test]
    fn who_hears_signals_and_who_is_a_shell_is_seen_through_an_init() {
        let judge = concat!(
            include_str!("manager/form.sh"),
            "is_shell \"$1\" && echo shell; if hears \"$1\"; then echo hears; else echo deaf; fi\n"
        );
        let seen = |child: &str| {
            let init = r#"echo tini >/proc/self/comm; exec 3<&0; sh -c "$1" <&3 & wait"#;
            let mut init = Command::new("sh")
                .args(["-c", init, "init", child])
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // Its child says when it is as it will stay, and stays until its stdin ends.
            let mut up = [0; 3];
            init.stdout.as_mut().unwrap().read_exact(&mut up).unwrap();
            let mut shell = Command::new("sh");
            shell.args(["-euc", judge, "judge", &init.id().to_string()]);
            let said = shell.output().unwrap().stdout;
            drop(init.stdin.take());
            init.wait().unwrap();
            String::from_utf8(said).unwrap()
        };
        let shell = "trap : CONT; echo up; read -r _; :";
        assert_eq!(seen(shell), "shell\nhears\n");
        assert_eq!(
            seen("exec awk 'BEGIN { print \"up\"; fflush(); while ((getline line) > 0); }'"),
            "deaf\n"
        );
    }

    #[test]
    fn a_grace_shorter_than_a_job_may_be_would_lose_it() {
        let said = judged(r#""php""#, 59, 60);
        assert!(said.ends_with("write: stop_grace_period: 60s"), "{said}");
    }
}

//! Rights beside what the recipes give to sudo when they run.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use super::*;
use crate::provision::rights::of;
use crate::script::recipe;

/// Shows a group's one unit and an instance, and notes what root is asked for.
const STUB: &str = r#"#!/bin/sh
case "${0##*/} $*" in
  sudo*) shift && echo "$*" >>"$NOTED" ;;
  *' show '*) printf 'Id=%s\nLoadState=loaded\nActiveState=active\nMainPID=0\nUnitFileState=enabled\n\n' \
    shop-worker.service shop-worker@1.service shop-worker@20260101T000000Z-0000000-1.service ;;
esac
"#;
const RELEASE: &str = "20260101T000000Z-0000000";

/// What a recipe asks root for, whatever a hand-over calls.
fn called(folder: &Path, manager: Manager, hand_over: HandOver) -> Vec<String> {
    let noted = folder.join("noted");
    fs::write(&noted, "").unwrap();
    for name in ["sudo", "systemctl"] {
        fs::write(folder.join(name), STUB).unwrap();
        fs::set_permissions(folder.join(name), fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let (word, names) = match manager {
        Manager::Systemd => (
            "systemd",
            ["shop-worker.service", "shop-worker@1.service"].as_slice(),
        ),
        _ => ("supervisor", ["shop-worker:shop-worker_00"].as_slice()),
    };
    // No process has this id.
    let gone = "999999999";
    let mut calls: Vec<Vec<&str>> = vec![vec!["list"]];
    if hand_over == HandOver::Overlap {
        calls.push(vec!["add", RELEASE, "2", "yes"]);
        calls.push(vec!["keep", RELEASE]);
        calls.push(vec!["drop", RELEASE]);
    } else {
        for name in names {
            calls.push(vec!["begin", name]);
            calls.push(vec!["end", name, gone]);
            calls.push(vec!["kill", name, gone]);
        }
    }
    if hand_over == HandOver::Restart {
        calls.push(vec!["restart"]);
    }
    let settings = match hand_over {
        HandOver::Overlap => "hand_over overlap",
        _ => "hand_over drain",
    };
    for call in calls {
        let mut shell = Command::new("sh");
        shell.args(["-euc", recipe(manager), word, call[0], "/srv/shop"]);
        shell
            .args(["shop-worker", "yes", settings])
            .args(&call[1..]);
        shell.env("PATH", &path).env("NOTED", &noted);
        shell.output().unwrap();
    }
    let noted = fs::read_to_string(noted).unwrap();
    noted.lines().map(str::to_owned).collect()
}

/// The commands of all aliases of the template, those in comments too.
fn of_template() -> Vec<String> {
    let text = include_str!("../../../../templates/sudoers").replace("\\\n", "");
    let aliases = text
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").strip_prefix("Cmnd_Alias "));
    aliases
        .filter_map(|alias| alias.split_once(" = "))
        .flat_map(|(_, commands)| commands.split(", ").map(|one| one.trim().to_owned()))
        .collect()
}

#[test]
fn all_that_a_recipe_asks_root_for_is_allowed() {
    let folder = std::env::temp_dir().join(format!("rights-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let template = of_template();
    let config = Config::parse("cutover.toml", CONFIG).unwrap();
    let mut workers = config.environment("production").unwrap().workers[0].clone();
    workers.group = "shop-worker".to_owned();
    workers.after_drain = AfterDrain::Force;
    for manager in [Manager::Supervisor, Manager::Systemd] {
        for hand_over in [HandOver::Overlap, HandOver::Drain, HandOver::Restart] {
            (workers.manager, workers.hand_over) = (manager, hand_over);
            let rights = of(&workers);
            let called = called(&folder, manager, hand_over);
            assert!(called.len() > 1, "{called:#?}");
            for command in called {
                for rights in [&rights, &template] {
                    let allowed = rights.iter().any(|right| allows(right, &command));
                    assert!(allowed, "{command}: {rights:#?}");
                }
            }
            for other in [
                "systemctl start shop-worker2.service",
                "systemctl restart shop-worker@1.service ssh.service",
                "systemctl stop shop-worker.service",
                "systemctl start shop-worker@../ssh.service",
            ] {
                assert!(!rights.iter().any(|right| allows(right, other)), "{other}");
            }
        }
    }
    fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn what_makes_its_caller_root_is_left_to_its_reader() {
    let told = |manager: &str| {
        let group = format!("[[environments.production.workers]]\n{manager}\n");
        let (head, _) = CONFIG
            .split_once("[[environments.production.workers]]")
            .unwrap();
        let text = told(&format!("{head}{group}"), None).unwrap();
        let lines = text
            .lines()
            .skip_while(|line| !line.contains("are containers"));
        lines.take(4).collect::<Vec<_>>().join("\n")
    };
    let docker = "manager = \"docker\"\ngroup = \"mail\"\n";
    let image = "[environments.production.workers.docker]\nimage = \"shop:{commit}\"";
    insta::assert_snapshot!(told(&format!("{docker}{image}")), @r#"
    # Workers of mail are containers, and whoever may call Docker is root by another name. So no right is given
    # here. If carol may be root, choose one and do it yourself:
    #   usermod -aG docker carol    and `sudo = false` for mail in cutover.toml
    #   a file of your own in /etc/sudoers.d: carol ALL = (root) NOPASSWD: /usr/bin/docker
    "#);
    let without = format!("{docker}sudo = false\n{image}");
    assert_eq!(told(&without), "");
}

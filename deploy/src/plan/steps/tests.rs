//! What the steps of a host have in common.

use std::collections::BTreeMap;
use std::time::Duration;

use insta::assert_snapshot;
use jiff::Timestamp;

#[cfg(feature = "run")]
use super::patience;
use super::{Step, Wish, host_plan};
use crate::config::Config;
use crate::facts::Facts;
use crate::names::{CommitSha, DeploymentId, ReleaseId};
use crate::plan::{Goal, HostPlan};
use crate::request::{DeployRequest, Kind};
use crate::script::Script;

const CONFIG: &str = r#"
app = "x"
repository = "github:a/b"

[steps]
after_swap = ["one", "two"]

[environments.production]
path = "/srv/app"
step_timeout = "5s"

[[environments.production.hosts]]
name = "web1"
address = "a@b"

[environments.production.php_fpm]
service = "php8.2-fpm"
after_swap = "reload"

[[environments.production.workers]]
group = "mail"
hand_over = "overlap"
drain_timeout = "3s"

[[environments.production.runtimes]]
kind = "octane"
group = "octane"
timeout = "20m"
prove = "true"

[[environments.production.runtimes]]
kind = "command"
group = "own"
start = "true"
stop = "true"
prove = "true"
"#;

/// The steps of a host on which `old` is live and `new` is wanted.
fn planned(config: &Config) -> HostPlan {
    tried(config, None)
}

/// The same where a deployment has been at `new` already.
fn tried(config: &Config, by: Option<&str>) -> HostPlan {
    let mut facts = Facts::default();
    facts.hear("current link releases/old");
    facts.hear("release old");
    if let Some(by) = by {
        facts.hear(&record("new", "ready", by, "null", false));
    }
    let release = ReleaseId::parse("new").unwrap();
    of_host(config, &Goal::Fresh { release }, &facts)
}

/// What is live and healthy is proven anew.
fn again(config: &Config, settled: bool) -> HostPlan {
    let mut facts = Facts::default();
    facts.hear("current link releases/new");
    facts.hear(&record("old", "healthy", "d0", "null", true));
    facts.hear(&record("new", "healthy", "d0", "\"old\"", settled));
    let release = ReleaseId::parse("new").unwrap();
    of_host(config, &Goal::Return { release }, &facts)
}

fn record(id: &str, state: &str, by: &str, previous: &str, settled: bool) -> String {
    format!(
        "release {id} {{\"release\":\"{id}\",\"state\":\"{state}\",\"commit\":null,\"digest\":null,\
         \"deployment\":\"{by}\",\"actor\":\"alice\",\"run_url\":null,\"settled\":{settled},\"live_by\":null,\
         \"previous\":{previous},\"changed_at\":\"2026-01-01T00:00:00Z\"}}"
    )
}

/// The steps of the first host, by what all of them are.
fn of_host(config: &Config, goal: &Goal, facts: &Facts) -> HostPlan {
    assert!(facts.strange.is_empty(), "{:?}", facts.strange);
    let environment = config.environment("production").unwrap();
    let request = DeployRequest {
        deployment: DeploymentId::parse("d1").unwrap(),
        kind: Kind::Deploy {
            commit: CommitSha::parse(&"a".repeat(40)).unwrap(),
        },
        actor: "alice".to_owned(),
        run_url: None,
        keeper: None,
        plan_digest: None,
        allow_destructive: false,
        requested_at: Timestamp::UNIX_EPOCH,
    };
    let wish = Wish {
        config,
        environment,
        request: &request,
        artifact: None,
        now: Timestamp::UNIX_EPOCH,
    };
    let wave = environment.hosts.iter().map(|host| host.name.clone());
    host_plan(wish, goal, &environment.hosts[0], facts, &[wave.collect()])
}

fn config() -> Config {
    Config::parse("x", CONFIG).unwrap_or_else(|problems| panic!("{problems}"))
}

#[test]
fn on_a_way_back_whatever_follows_the_swap_is_tried_though_something_else_fails() {
    let plan = planned(&config());
    assert!(plan.switch.iter().all(|step| step.block.is_none()));
    let line = |step: &Step| format!("{} | {}", step.name, step.block.as_deref().unwrap_or("-"));
    let undo: Vec<String> = plan.undo.iter().map(line).collect();
    assert_snapshot!(undo.join("\n"), @"
    workers mail start | workers mail start
    workers mail end | workers mail end
    swap | -
    mark rolled back | -
    php-fpm | php-fpm
    after swap: one | after swap
    after swap: two | after swap
    workers mail | workers mail
    runtime octane | runtime octane
    runtime octane prove | runtime octane
    runtime own stop | runtime own
    runtime own start | runtime own
    runtime own prove | runtime own
    ");
}

#[test]
fn a_deployment_that_is_tried_again_takes_back_first_what_its_earlier_try_began() {
    let two = CONFIG
        .replace("[steps]\n", "[steps]\nafter_health = [\"back\"]\n")
        .replace("address = \"a@b\"", "address = \"a@b\"\nroles = [\"web\", \"worker\"]")
        .replace(
            "[environments.production.php_fpm]",
            "[[environments.production.hosts]]\nname = \"web2\"\naddress = \"a@c\"\nroles = [\"web\", \"worker\"]\n\n[environments.production.php_fpm]",
        );
    let two = Config::parse("x", &two).unwrap_or_else(|problems| panic!("{problems}"));
    let names = |steps: &[Step]| {
        let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        names.join(", ")
    };
    let again = tried(&two, Some("d1"));
    assert_snapshot!(names(&again.stage[..3]), @"workers mail restore, after health: back, mark staging");
    assert_snapshot!(names(&again.recall), @"workers mail restore, after health: back");
    // What another one began has a folder of its own, but the hosts that it took out of a balancer are to come back.
    let other = tried(&two, Some("d2"));
    assert_eq!(names(&other.stage[..1]), "mark staging");
    assert_snapshot!(names(&other.recall), @"workers mail restore, after health: back");
    // A host that waits for nobody may have gone down on its way to the swap.
    let alone = tried(&config(), Some("d1"));
    assert_snapshot!(names(&alone.stage[..2]), @"workers mail restore, mark staging");
    let first = tried(&two, None);
    assert_eq!(names(&first.stage[..1]), "mark staging");
    assert_eq!(names(&first.recall), "workers mail restore");
}

#[test]
fn what_is_proven_anew_stays_whatever_fails_and_still_came_after_the_one_before() {
    let plan = again(&config(), true);
    assert_eq!(plan.previous, ReleaseId::parse("new").ok());
    let mark = &plan.switch[0];
    assert_eq!(mark.name, "mark live");
    assert!(
        mark.args[2].contains("\"previous\":\"old\""),
        "{}",
        mark.args[2]
    );
    // Where it fails before the swap nothing is taken for granted.
    assert_eq!(plan.recall[0].name, "workers mail restore");
    // What was never proven is no way back.
    let plan = again(&config(), false);
    assert_eq!(plan.previous, ReleaseId::parse("old").ok());
}

#[test]
fn workers_pause_longer_where_more_comes_before_they_are_told_to_end() {
    let pauses = |config: &str| {
        let config = Config::parse("x", config).unwrap_or_else(|problems| panic!("{problems}"));
        let pauses = planned(&config).switch.into_iter();
        let pauses = pauses.filter(|step| step.script == Script::WorkersPause);
        pauses
            .map(|step| step.args[3].clone())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let group = |name: &str| {
        format!(
            "[[environments.production.workers]]\ngroup = \"{name}\"\ndrain_timeout = \"70s\"\n"
        )
    };
    let host = |name: &str| {
        format!("[[environments.production.hosts]]\nname = \"{name}\"\naddress = \"a@{name}\"\n")
    };
    let base = "app = \"x\"\nrepository = \"github:a/b\"\n[environments.production]\npath = \"/srv/app\"\n";
    let one = base.to_owned() + &host("web1");
    assert_eq!(pauses(&(one.clone() + &group("mail"))), "20");
    assert_eq!(
        pauses(&(one.clone() + &group("mail") + &group("import"))),
        "20 90"
    );
    let lines = one.replace(
        "[environments.production]",
        "[steps]\nafter_swap = [\"sleep 3\"]\n[environments.production]",
    );
    assert_eq!(pauses(&(lines + &group("mail"))), "120");
}

#[test]
fn no_manager_keeps_a_way_back_waiting_before_its_swap() {
    let drain = CONFIG.replace("hand_over = \"overlap\"\n", "");
    for config in [CONFIG, &drain] {
        let config = Config::parse("x", config).unwrap_or_else(|problems| panic!("{problems}"));
        let undo = planned(&config).undo;
        let before: Vec<&Step> = undo.iter().take_while(|step| step.name != "swap").collect();
        assert!(!before.is_empty());
        for step in before {
            assert_eq!(step.block.as_ref(), Some(&step.name));
            assert_eq!(step.script, Script::Soon);
            // What takes long is ended well before the step itself, which would be a failure.
            let seconds: u64 = step.args[0].parse().unwrap();
            assert!(seconds <= 90, "{}", step.name);
            assert!(
                step.limit > Duration::from_secs(seconds + 5),
                "{}",
                step.name
            );
        }
    }
}

#[cfg(feature = "run")]
#[test]
fn no_step_may_run_longer_than_a_lost_line_is_waited_for() {
    let config = config();
    let plan = planned(&config);
    let patience = patience(config.environment("production").unwrap());
    for step in [
        &plan.switch[..],
        &plan.undo[..],
        &plan.recall[..],
        &plan.keep[..],
    ]
    .concat()
    {
        assert!(step.limit <= patience, "{}: {:?}", step.name, step.limit);
    }
    // One after another they may take that long.
    let mut longest = BTreeMap::new();
    for step in plan.undo.into_iter().skip_while(|step| step.name != "swap") {
        let block = step.block.filter(|block| !block.starts_with("after swap"));
        let longest: &mut Duration = longest.entry(block).or_default();
        *longest = step.limit.max(*longest);
    }
    longest.remove(&None);
    assert!(longest.len() > 2);
    let all: Duration = longest.values().sum();
    assert!(all <= patience, "{all:?} {patience:?}");
}

mod trap;

use std::fmt::Write as _;

use insta::assert_snapshot;

use super::*;

fn known(names: &[&str]) -> Vec<Place> {
    names
        .iter()
        .map(|name| {
            let (app, environment) = name.split_once('/').unwrap_or(("shop", name));
            Place {
                app: AppName::parse(app).unwrap(),
                environment: EnvironmentName::parse(environment).unwrap(),
            }
        })
        .collect()
}

fn all() -> Prefixes {
    Prefixes::new(
        ForgeKind::GitHub,
        ["/", ".", "@cutover "].map(str::to_owned).to_vec(),
    )
}

fn two() -> Vec<Place> {
    known(&["production", "staging"])
}

/// What is asked, one line each.
fn told(asked: &[Asked]) -> String {
    let mut text = String::new();
    for Asked { ask, .. } in asked {
        match ask {
            Ask::Deploy {
                place,
                target,
                reason,
            } => {
                let target = target.as_deref().unwrap_or("(here)");
                write!(text, "deploy {target} to {}", place.environment).unwrap();
                because(&mut text, reason.as_deref());
            }
            Ask::Rollback {
                place,
                back,
                reason,
                hold,
            } => {
                write!(text, "rollback {} to {back:?}", place.environment).unwrap();
                text += if *hold { "" } else { " without a hold" };
                because(&mut text, reason.as_deref());
            }
            Ask::Lock {
                place,
                reason,
                minutes,
            } => {
                write!(text, "lock {} for {minutes:?}", place.environment).unwrap();
                because(&mut text, reason.as_deref());
            }
            Ask::Unlock { place, force } => {
                write!(text, "unlock {} {force}", place.environment).unwrap();
            }
            Ask::Status { places } => {
                let names: Vec<_> = places
                    .iter()
                    .map(|place| place.environment.as_str())
                    .collect();
                write!(text, "status {}", names.join(" ")).unwrap();
            }
            Ask::Help => text += "help",
            Ask::Mistake { refusal } => {
                let help = refusal.help.as_deref().unwrap_or_default();
                write!(text, "{}: {} {help}", refusal.code.word(), refusal.why).unwrap();
            }
        }
        text.push('\n');
    }
    text
}

fn because(text: &mut String, reason: Option<&str>) {
    if let Some(reason) = reason {
        write!(text, " because {reason:?}").unwrap();
    }
}

/// Each line on its own, with what it asks.
fn table(lines: &[&str], known: &[Place]) -> String {
    let mut text = String::new();
    for line in lines {
        let asked = told(&read(line, &all(), known));
        writeln!(
            text,
            "{line}\n    {}",
            asked.trim_end().replace('\n', "\n    ")
        )
        .unwrap();
    }
    text
}

#[test]
fn each_command_is_understood_in_each_of_its_forms() {
    let lines = [
        "/rollback production",
        "/rollback production 2",
        "/rollback staging 1a2b3c4",
        "/rollback production 20260520T123456Z-1a2b3c4 --reason it is slow",
        "/rollback production --no-lock",
        ".rollback production",
        "/ROLLBACK Production",
        "  /rollback   production  ",
        "/deploy",
        "/deploy staging",
        "/deploy main",
        "/deploy main staging",
        "/deploy main to production",
        ".deploy feature/x-1 to staging",
        "/deploy to staging",
        "/deploy 1a2b3c4d to production --reason \"hot fix\"",
        "@cutover deploy v1.2.3 to production",
        "@Cutover   help",
        "/ship to staging",
        "/lock production",
        "/lock production --for 2h --reason no deploys on friday",
        "/lock staging --for=30m",
        "/deploy lock production --for 1d",
        "/lock --info production",
        "/unlock production",
        "/unlock production --force",
        "/deploy unlock production",
        "/status",
        "/status staging",
        ".info",
        "/help",
    ];
    assert_snapshot!(table(&lines, &two()), @r#"
    /rollback production
        rollback production to Previous
    /rollback production 2
        rollback production to Steps(2)
    /rollback staging 1a2b3c4
        rollback staging to Named("1a2b3c4")
    /rollback production 20260520T123456Z-1a2b3c4 --reason it is slow
        rollback production to Named("20260520T123456Z-1a2b3c4") because "it is slow"
    /rollback production --no-lock
        rollback production to Previous without a hold
    .rollback production
        rollback production to Previous
    /ROLLBACK Production
        rollback production to Previous
      /rollback   production  
        rollback production to Previous
    /deploy
        deploy (here) to staging
    /deploy staging
        deploy (here) to staging
    /deploy main
        deploy main to staging
    /deploy main staging
        deploy main to staging
    /deploy main to production
        deploy main to production
    .deploy feature/x-1 to staging
        deploy feature/x-1 to staging
    /deploy to staging
        deploy (here) to staging
    /deploy 1a2b3c4d to production --reason "hot fix"
        deploy 1a2b3c4d to production because "hot fix"
    @cutover deploy v1.2.3 to production
        deploy v1.2.3 to production
    @Cutover   help
        help
    /ship to staging
        deploy (here) to staging
    /lock production
        lock production for None
    /lock production --for 2h --reason no deploys on friday
        lock production for Some(120) because "no deploys on friday"
    /lock staging --for=30m
        lock staging for Some(30)
    /deploy lock production --for 1d
        lock production for Some(1440)
    /lock --info production
        status production
    /unlock production
        unlock production false
    /unlock production --force
        unlock production true
    /deploy unlock production
        unlock production false
    /status
        status production staging
    /status staging
        status staging
    .info
        status production staging
    /help
        help
    "#);
}

#[test]
fn a_mistake_says_what_to_write() {
    let lines = [
        "/rollback",
        "/rollback prodution",
        "/rollback nowhere",
        "/rollback production 0",
        "/rollback production ../../etc",
        "/rollback production 2 more words",
        "/deploy main to",
        "/deploy main to stagin",
        "/deploy --upload-pack=evil to staging",
        "/deploy -x to staging",
        "/deploy a..b to staging",
        "/deploy main to staging | workers=2",
        "/deploy main to staging --forse",
        "/deploy noop production",
        "/lock",
        "/lock production --for ever",
        "/lock production --for 99d",
        "/lock --global",
        "/lock production --resaon because",
        "/status --reason x",
        "/deplyo main to staging",
        "/rolback production",
        "/unlcok production",
        "@cutover make coffee",
    ];
    assert_snapshot!(table(&lines, &two()), @r#"
    /rollback
        invalid_environment: Which environment? There is `production`, `staging`. Write `/rollback <environment> [steps|commit|release] [--reason …]`.
    /rollback prodution
        invalid_environment: There is no environment `prodution` here. Did you mean `production`? There is `production`, `staging`.
    /rollback nowhere
        invalid_environment: There is no environment `nowhere` here. There is `production`, `staging`.
    /rollback production 0
        invalid_command: That is no release to return to. Write `/rollback <environment> [steps|commit|release] [--reason …]`.
    /rollback production ../../etc
        invalid_command: That is no release to return to. Write `/rollback <environment> [steps|commit|release] [--reason …]`.
    /rollback production 2 more words
        invalid_command: There are more words than expected. Write `/rollback <environment> [steps|commit|release] [--reason …]`.
    /deploy main to
        invalid_command: The environment is missing. Write `/deploy <branch|tag|commit> to <environment>`.
    /deploy main to stagin
        invalid_environment: There is no environment `stagin` here. Did you mean `staging`? There is `production`, `staging`.
    /deploy --upload-pack=evil to staging
        invalid_command: There is no flag `--upload-pack=evil` here. Write `/deploy <branch|tag|commit> to <environment>`.
    /deploy -x to staging
        invalid_command: `-x` is no branch, tag or commit. Write `/deploy <branch|tag|commit> to <environment>`.
    /deploy a..b to staging
        invalid_command: `a..b` is no branch, tag or commit. Write `/deploy <branch|tag|commit> to <environment>`.
    /deploy main to staging | workers=2
        invalid_command: Parameters after `|` are not used. Write `/deploy <branch|tag|commit> to <environment>`.
    /deploy main to staging --forse
        invalid_command: There is no flag `--forse` here. Write `/deploy <branch|tag|commit> to <environment>`.
    /deploy noop production
        invalid_command: A trial run by comment does not exist; nothing was deployed.
    /lock
        invalid_environment: Which environment? There is `production`, `staging`. Write `/lock <environment> [--for 2h] [--reason …]`.
    /lock production --for ever
        invalid_command: `ever` is no time from `1m` to `30d`. Write `/lock <environment> [--for 2h] [--reason …]`.
    /lock production --for 99d
        invalid_command: `99d` is no time from `1m` to `30d`. Write `/lock <environment> [--for 2h] [--reason …]`.
    /lock --global
        invalid_command: There is no flag `--global` here. Write `/lock <environment> [--for 2h] [--reason …]`.
    /lock production --resaon because
        invalid_command: There is no flag `--resaon` here. Did you mean `--reason`? Write `/lock <environment> [--for 2h] [--reason …]`.
    /status --reason x
        invalid_command: `--reason` is of no use here. Write `/status [environment]`.
    /deplyo main to staging
        invalid_command: There is no command `deplyo`. Did you mean `/deploy`?
    /rolback production
        invalid_command: There is no command `rolback`. Did you mean `/rollback`?
    /unlcok production
        invalid_command: There is no command `unlcok`. Did you mean `/unlock`?
    @cutover make coffee
        invalid_command: There is no command `make`. `@cutover help` tells what can be asked.
    "#);
}

#[test]
fn a_reason_stays_a_reason_whatever_stands_in_it() {
    let lines = [
        "/lock production --reason avoid --global outage",
        "/lock production --reason=avoid --for 2h of outage",
        "/lock production --reason \"avoid --global outage\" --for 2h",
        "/lock production —reason a phone wrote “this”",
        "/lock --reason \"all of it\" production",
        "/lock production --reason @team look at #12",
        "/lock production --reason",
        "/rollback production --reason | --force --no-lock",
        "/lock production --for 1h --reason\tafter a tab",
    ];
    assert_snapshot!(table(&lines, &two()), @r#"
    /lock production --reason avoid --global outage
        lock production for None because "avoid --global outage"
    /lock production --reason=avoid --for 2h of outage
        lock production for None because "avoid --for 2h of outage"
    /lock production --reason "avoid --global outage" --for 2h
        lock production for Some(120) because "avoid --global outage"
    /lock production —reason a phone wrote “this”
        lock production for None because "a phone wrote “this”"
    /lock --reason "all of it" production
        lock production for None because "all of it"
    /lock production --reason @team look at #12
        lock production for None because "@team look at #12"
    /lock production --reason
        lock production for None
    /rollback production --reason | --force --no-lock
        rollback production to Previous because "| --force --no-lock"
    /lock production --for 1h --reason	after a tab
        lock production for Some(60) because "after a tab"
    "#);
}

#[test]
fn one_environment_goes_without_saying_but_production_is_never_deployed_to_unnamed() {
    let one = known(&["production"]);
    let lines = [
        "/rollback",
        "/rollback 3",
        "/lock --reason x",
        "/unlock",
        "/status",
        "/deploy",
        "/deploy main",
    ];
    assert_snapshot!(table(&lines, &one), @r#"
    /rollback
        rollback production to Previous
    /rollback 3
        rollback production to Steps(3)
    /lock --reason x
        lock production for None because "x"
    /unlock
        unlock production false
    /status
        status production
    /deploy
        naked_command_disabled: Which environment? There is `production`. Write `/deploy to production`.
    /deploy main
        naked_command_disabled: Which environment? There is `production`. Write `/deploy main to production`.
    "#);
    let three = known(&["production", "staging", "lab"]);
    assert_snapshot!(table(&["/deploy", "/deploy main"], &three), @"
    /deploy
        naked_command_disabled: Which environment? There is `production`, `staging`, `lab`. Write `/deploy to production`.
    /deploy main
        naked_command_disabled: Which environment? There is `production`, `staging`, `lab`. Write `/deploy main to production`.
    ");
}

#[test]
fn two_apps_of_a_repository_are_told_apart() {
    let known = known(&["shop/production", "admin/production", "admin/staging"]);
    let lines = [
        "/rollback admin/production",
        "/rollback production",
        "/status staging",
    ];
    assert_snapshot!(table(&lines, &known), @"
    /rollback admin/production
        rollback production to Previous
    /rollback production
        invalid_environment: There is no environment `production` here. There is `shop/production`, `admin/production`, `staging`.
    /status staging
        status staging
    ");
}

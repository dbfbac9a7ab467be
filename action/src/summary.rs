//! The summary of a step, in Markdown: how it ended, what to do, and the steps on each host.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use cutover_deploy::{EnvironmentName, HostName, Outcome};

use crate::failure::{Failure, Fault};
use crate::log::{Seen, Step};

/// The summary of a deployment.
pub(crate) fn of_deployment(
    environment: &EnvironmentName,
    outcome: &Outcome,
    seen: &Seen,
) -> String {
    let told = outcome.to_string();
    let mut lines = told.lines();
    let mut text = format!(
        "### {}: {}\n",
        escaped(environment.as_str()),
        escaped(lines.next().unwrap_or_default())
    );
    for line in lines {
        writeln!(text, "\n{}", escaped(line.trim())).unwrap_or_default();
    }
    if let Some(matrix) = &seen.matrix {
        text.push_str(&rows(&matrix.table()));
    }
    text.push_str(&table(&seen.steps));
    text.push('\n');
    text
}

/// The summary of a step that did not begin.
pub(crate) fn of_failure(failure: &Failure) -> String {
    list("### cutover did not begin", &failure.faults)
}

/// The summary of a check.
pub(crate) fn of_check(environment: &EnvironmentName, faults: &[Fault]) -> String {
    let name = escaped(environment.as_str());
    match faults.len() {
        0 => format!("### {name}: ready to deploy to\n\n"),
        some => list(&format!("### {name}: {some} to mend first"), faults),
    }
}

/// The summary of a plan.
pub(crate) fn of_plan(environment: &EnvironmentName, lines: &[String]) -> String {
    let mut text = format!("### {}: the plan\n\n", escaped(environment.as_str()));
    for line in lines {
        writeln!(text, "- {}", escaped(line)).unwrap_or_default();
    }
    text.push('\n');
    text
}

fn list(title: &str, faults: &[Fault]) -> String {
    let mut text = format!("{title}\n\n");
    for fault in faults {
        let spot = fault.spot.as_ref().map_or(String::new(), |spot| {
            format!("{}:{}: ", escaped(&spot.file), spot.line)
        });
        let told = escaped(&fault.text()).replace('\n', "<br>");
        writeln!(text, "- {spot}{told}").unwrap_or_default();
    }
    text.push('\n');
    text
}

/// A table as Markdown; its first row is the head.
fn rows(table: &[Vec<String>]) -> String {
    let mut text = String::from("\n");
    for (index, row) in table.iter().enumerate() {
        let cells: Vec<String> = row.iter().map(|cell| escaped(cell)).collect();
        writeln!(text, "| {} |", cells.join(" | ")).unwrap_or_default();
        if index == 0 {
            writeln!(text, "|{}", "---|".repeat(row.len())).unwrap_or_default();
        }
    }
    text
}

/// A row for each step, a column for each host; a step that ran twice in a phase has two rows.
fn table(steps: &[Step]) -> String {
    let hosts: BTreeSet<Option<&HostName>> = steps.iter().map(|step| step.host.as_ref()).collect();
    let mut rows: Vec<(&str, &str, Vec<&Step>)> = Vec::new();
    for step in steps {
        let free = rows.iter_mut().find(|(phase, name, ran)| {
            let same = *phase == step.phase && *name == step.name;
            same && ran.iter().all(|other| other.host != step.host)
        });
        match free {
            Some((.., ran)) => ran.push(step),
            None => rows.push((&step.phase, &step.name, vec![step])),
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut text = String::from("\n| phase | step |");
    for host in &hosts {
        let name = host.map_or("the runner".to_owned(), |host| escaped(host.as_str()));
        write!(text, " {name} |").unwrap_or_default();
    }
    writeln!(text, "\n|{}", "---|".repeat(hosts.len() + 2)).unwrap_or_default();
    for (phase, name, ran) in rows {
        write!(text, "| {} | {} |", escaped(phase), escaped(name)).unwrap_or_default();
        for host in &hosts {
            let cell = ran.iter().find(|step| step.host.as_ref() == *host);
            write!(
                text,
                " {} |",
                cell.map_or(String::new(), |step| result(step))
            )
            .unwrap_or_default();
        }
        text.push('\n');
    }
    text
}

fn result(step: &Step) -> String {
    let took = format!("{}.{} s", step.took_ms / 1000, step.took_ms % 1000 / 100);
    match step.status {
        0 => took,
        status => format!("**exit {status}**, {took}"),
    }
}

/// Text that means itself in Markdown. Hosts, apps and people have written it.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_[]<>|~&#$@".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use cutover_deploy::ReleaseId;

    use super::*;
    use crate::inputs::Ci;

    fn step(phase: &str, name: &str, host: Option<&str>, status: i32) -> Step {
        Step {
            phase: phase.to_owned(),
            name: name.to_owned(),
            host: host.map(|host| HostName::parse(host).unwrap()),
            status,
            took_ms: 1234,
        }
    }

    #[test]
    fn a_rollback_says_why_and_shows_every_step_on_every_host() {
        let id = |text: &str| ReleaseId::parse(text).unwrap();
        let outcome = Outcome::RolledBack {
            restored: id("20260101T000000Z-0000000"),
            failed: id("20260520T123456Z-1a2b3c4"),
            failure: cutover_deploy::Failure {
                host: Some(HostName::parse("web1").unwrap()),
                step: "health".to_owned(),
                message: "HTTP 500, not 200: <b>Whoops</b> | *bad*".to_owned(),
                hint: Some("See the log: `ssh web1 tail app.log`.".to_owned()),
            },
        };
        let mut seen = Seen::default();
        seen.steps = vec![
            step("", "pack", None, 0),
            step("stage", "unpack", Some("web1"), 0),
            step("stage", "unpack", Some("web2"), 0),
            step("switch", "swap", Some("web2"), 0),
            step("switch", "swap", Some("web1"), 70),
            step("undo", "swap", Some("web1"), 0),
            step("undo", "swap", Some("web1"), 0),
        ];
        let name = EnvironmentName::parse("production").unwrap();
        insta::assert_snapshot!(of_deployment(&name, &outcome, &seen), @r"
        ### production: rolled back: 20260101T000000Z-0000000 is live and healthy again; 20260520T123456Z-1a2b3c4 failed

        health on web1: HTTP 500, not 200: \<b\>Whoops\</b\> \| \*bad\*

        See the log: \`ssh web1 tail app.log\`.

        | phase | step | the runner | web1 | web2 |
        |---|---|---|---|---|
        |  | pack | 1.2 s |  |  |
        | stage | unpack |  | 1.2 s | 1.2 s |
        | switch | swap |  | **exit 70**, 1.2 s | 1.2 s |
        | undo | swap |  | 1.2 s |  |
        | undo | swap |  | 1.2 s |  |
        ");
    }

    #[test]
    fn several_hosts_have_a_row_each() {
        let matrix = r#"{"hosts":[
            {"host":"web1","live":{"release":"20260101T000000Z-0000000"},"phases":[
                {"phase":"stage","end":"ok","took_ms":1234},{"phase":"switch","end":"failed","took_ms":1}]},
            {"host":"web2","live":"unknown","phases":[{"phase":"stage","end":"unknown","took_ms":1}]}]}"#;
        let mut seen = Seen::default();
        seen.matrix = Some(serde_json::from_str(matrix).unwrap());
        let name = EnvironmentName::parse("production").unwrap();
        insta::assert_snapshot!(of_deployment(&name, &Outcome::Cancelled, &seen), @"
        ### production: cancelled: what was live still is

        | host | stage | migrate | switch | health | watch | keep | undo | live |
        |---|---|---|---|---|---|---|---|---|
        | web1 | ok 1.2 s | – | failed | – | – | – | – | 20260101T000000Z-0000000 |
        | web2 | unknown | – | – | – | – | – | – | unknown |
        ");
    }

    #[test]
    fn what_is_wrong_is_a_list() {
        let faults = vec![Ci::GitHub.fault("environment", "is missing", "Write `x`.")];
        insta::assert_snapshot!(of_failure(&Failure::input(faults)), @r"
        ### cutover did not begin

        - \`environment\` is missing<br>Write \`x\`.
        ");
    }
}

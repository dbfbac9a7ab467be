//! Draws a project as text that is the same in every run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::world::Project;

/// Commit names in the order in which the picture shows them.
#[derive(Default)]
struct Commits(BTreeMap<String, usize>);

impl Commits {
    fn name(&mut self, sha: &str) -> String {
        let next = self.0.len() + 1;
        format!("<commit {}>", self.0.entry(sha.to_owned()).or_insert(next))
    }
}

pub(super) fn draw(project: &Project) -> String {
    let mut commits = Commits::default();
    let mut text = format!("{}\n", project.path);
    for status in &project.statuses {
        let commit = commits.name(&status.sha);
        let url = status.target_url.as_deref().unwrap_or_default();
        line(
            &mut text,
            1,
            &[&commit, &status.ref_name, &status.name, &port_free(url)],
        );
        for (state, said) in &status.states {
            let said = said.as_deref().map(|words| format!("{words:?}"));
            line(&mut text, 2, &[state, &said.unwrap_or_default()]);
        }
    }
    for environment in &project.environments {
        let url = environment.external_url.as_deref().unwrap_or_default();
        line(
            &mut text,
            1,
            &["environment", &environment.name, &port_free(url)],
        );
    }
    for (index, made) in project.deployments.iter().enumerate() {
        let number = format!("deployment {}", index + 1);
        let tag = if made.tag { "tag" } else { "" };
        line(
            &mut text,
            1,
            &[
                &number,
                &made.environment,
                &commits.name(&made.sha),
                tag,
                &made.ref_name,
                &made.states.join(" > "),
            ],
        );
    }
    text
}

fn line(text: &mut String, depth: usize, words: &[&str]) {
    let words: Vec<_> = words.iter().filter(|word| !word.is_empty()).collect();
    let words = words.into_iter().copied().collect::<Vec<_>>().join(" ");
    writeln!(text, "{:width$}{words}", "", width = depth * 2)
        .expect("a String takes all that is written");
}

/// Replaces the port of a loopback address, which differs in every run.
fn port_free(url: &str) -> String {
    match url.split_once("127.0.0.1:") {
        Some((before, after)) => {
            let rest = after.trim_start_matches(|letter: char| letter.is_ascii_digit());
            format!("{before}127.0.0.1:<port>{rest}")
        }
        None => url.to_owned(),
    }
}

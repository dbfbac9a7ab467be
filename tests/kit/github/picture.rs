//! Draws a repository as text that is the same in every run.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::world::Repository;

/// Commit names in the order in which the picture shows them.
#[derive(Default)]
struct Commits(BTreeMap<String, usize>);

impl Commits {
    fn name(&mut self, sha: &str) -> String {
        let next = self.0.len() + 1;
        format!("<commit {}>", self.0.entry(sha.to_owned()).or_insert(next))
    }
}

pub(super) fn draw(repository: &Repository) -> String {
    let mut commits = Commits::default();
    let mut text = format!("{}\n", repository.full_name);
    for (sha, statuses) in &repository.statuses {
        line(&mut text, 1, &[&commits.name(sha)]);
        for status in statuses {
            let description = status
                .description
                .as_deref()
                .map(|words| format!("{words:?}"))
                .unwrap_or_default();
            let url = status.target_url.as_deref().unwrap_or_default();
            line(
                &mut text,
                2,
                &[
                    &status.context,
                    &status.state,
                    &description,
                    &port_free(url),
                ],
            );
        }
    }
    for (index, deployment) in repository.deployments.iter().enumerate() {
        let commit = commits.name(&deployment.sha);
        let asked = if deployment.ref_name == deployment.sha {
            String::new()
        } else {
            format!("of {}", deployment.ref_name)
        };
        let number = format!("deployment {}", index + 1);
        let task = if deployment.task == "deploy" {
            ""
        } else {
            &deployment.task
        };
        let kinds = [
            (deployment.transient, "transient"),
            (deployment.production, "is-production"),
        ];
        let kinds: Vec<_> = kinds
            .iter()
            .filter(|(is, _)| *is)
            .map(|(_, word)| *word)
            .collect();
        let description = deployment
            .description
            .as_deref()
            .map(|words| format!("{words:?}"))
            .unwrap_or_default();
        line(
            &mut text,
            1,
            &[
                &number,
                &deployment.environment,
                &commit,
                &asked,
                task,
                &kinds.join(" "),
                &description,
            ],
        );
        for status in &deployment.statuses {
            let words = if status.description.is_empty() {
                String::new()
            } else {
                format!("{:?}", status.description)
            };
            let by = if status.automatic { "(by GitHub)" } else { "" };
            let urls = [
                port_free(&status.environment_url),
                port_free(&status.log_url),
            ]
            .join(" ");
            line(&mut text, 2, &[&status.state, by, &words, urls.trim()]);
        }
    }
    text
}

fn line(text: &mut String, depth: usize, words: &[&str]) {
    let words: Vec<_> = words
        .iter()
        .filter(|word| !word.is_empty())
        .copied()
        .collect();
    writeln!(text, "{:width$}{}", "", words.join(" "), width = depth * 2)
        .expect("a String takes all that is written");
}

/// Replaces the port of a loopback address, which differs in every run.
fn port_free(url: &str) -> String {
    match url.split_once("127.0.0.1:") {
        Some((before, after)) => {
            format!(
                "{before}127.0.0.1:<port>{}",
                after.trim_start_matches(|letter: char| letter.is_ascii_digit())
            )
        }
        None => url.to_owned(),
    }
}

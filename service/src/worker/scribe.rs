//! Writes down what a running deployment tells, in batches, bounded and printable.

use cutover_deploy::{DeploymentId, Event};
use tokio::sync::mpsc::UnboundedReceiver;
use tracing::warn;

use crate::store::Store;

const BATCH: usize = 256;
/// Output beyond this many lines is dropped: a ledger is no place for a runaway loop.
const MOST_LINES: usize = 20_000;
const LONGEST_LINE: usize = 4_096;

/// Writes until every sender is gone. The last event is left to whoever concludes the deployment, with its outcome.
pub(super) async fn write(store: Store, id: DeploymentId, mut happened: UnboundedReceiver<Event>) {
    let mut lines = 0;
    let mut batch = Vec::with_capacity(BATCH);
    while happened.recv_many(&mut batch, BATCH).await > 0 {
        let kept: Vec<Event> = batch
            .drain(..)
            .filter_map(|event| keep(event, &mut lines))
            .collect();
        for event in &kept {
            let noted = match event {
                Event::Planned { release, .. } => store.planned(&id, release).await,
                Event::Fetched { commit, subject } => store.describe(commit, subject).await,
                Event::Looked {
                    alarm, rings: true, ..
                } => store.rang(&id, alarm, cutover_deploy::now()).await,
                _ => Ok(()),
            };
            if let Err(error) = noted {
                warn!(
                    error = format!("{:#}", anyhow::Error::from(error)),
                    "a release, its commit or an alarm cannot be written down"
                );
            }
        }
        if let Err(error) = store.append(&id, &kept, cutover_deploy::now()).await {
            // A ledger that is full or gone never stops a deployment.
            warn!(
                error = format!("{:#}", anyhow::Error::from(error)),
                "events cannot be written down"
            );
        }
    }
}

fn keep(event: Event, lines: &mut usize) -> Option<Event> {
    match event {
        Event::Concluded { .. } => None,
        Event::Line { host, step, text } => {
            *lines += 1;
            if *lines == MOST_LINES + 1 {
                let text = format!("output beyond {MOST_LINES} lines is not kept");
                return Some(Event::Note { host: None, text });
            }
            (*lines <= MOST_LINES).then(|| Event::Line {
                host,
                step,
                text: printable(&text),
            })
        }
        other => Some(other),
    }
}

/// The text without escape sequences and control characters, tabs excepted.
fn printable(text: &str) -> String {
    let plain = anstream::adapter::strip_str(text).to_string();
    plain
        .chars()
        .filter(|c| *c == '\t' || !c.is_control())
        .take(LONGEST_LINE)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> Event {
        Event::Line {
            host: None,
            step: "build".to_owned(),
            text: text.to_owned(),
        }
    }

    #[test]
    fn output_is_kept_without_its_colours_and_tricks() {
        assert_eq!(printable("\u{1b}[32mok\u{1b}[0m\tdone\r"), "ok\tdone");
        assert_eq!(printable("\u{1b}]0;owned\u{7}title"), "title");
        assert_eq!(printable("a\u{8}b\u{0}c"), "abc");
    }

    #[test]
    fn a_runaway_loop_leaves_one_note() {
        let mut lines = 0;
        let kept: Vec<_> = (0..MOST_LINES + 500)
            .filter_map(|_| keep(line("x"), &mut lines))
            .collect();
        assert_eq!(kept.len(), MOST_LINES + 1);
        assert!(matches!(kept.last(), Some(Event::Note { .. })));
    }
}

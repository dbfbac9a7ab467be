//! A client that asks for the same page at a fixed rate in the background, and reads every answer to its end.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};

/// No load goes on for longer, whatever the test does.
const LONGEST: Duration = Duration::from_mins(3);

/// No load sends more.
const MOST: u64 = 20_000;

/// How many failures are kept word for word.
const KEPT: usize = 10;

/// How long an answer may take before it counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Requests that go on in the background until they are stopped, 180 s have gone by or 20,000 were sent.
#[derive(Debug)]
pub struct Load {
    stop: watch::Sender<bool>,
    seen: watch::Receiver<u64>,
    task: JoinHandle<()>,
    report: Arc<Mutex<LoadReport>>,
}

/// What became of the requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LoadReport {
    /// Answers with status 200 and a right body.
    pub served: u64,
    /// Everything else.
    pub failed: u64,
    /// The first ten failures, each with the moment it was seen.
    pub failures: Vec<String>,
    /// How many right answers each release gave, by what the body says.
    pub releases: BTreeMap<String, u64>,
    /// The slowest right answer.
    pub slowest: Duration,
}

/// Judges a body that came with status 200: the release that it names, or what is wrong with it.
pub type Judge = fn(&str) -> Result<String, String>;

impl Load {
    /// Asks for the health page of the sample app this often a second, each time over a new connection.
    pub fn start(url: &str, per_second: u32) -> Self {
        Self::judged(url, per_second, well)
    }

    /// The same for any page. An answer with another status than 200 never comes before the judge.
    pub fn judged(url: &str, per_second: u32, judge: Judge) -> Self {
        let client = reqwest::Client::builder()
            .pool_max_idle_per_host(0)
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .expect("a plain client can always be made");
        let (stop, mut stopped) = watch::channel(false);
        let (progress, seen) = watch::channel(0);
        let report = Arc::new(Mutex::new(LoadReport::default()));
        let url = url.to_owned();
        let shared = Arc::clone(&report);
        let task = tokio::spawn(async move {
            let start = Instant::now();
            let mut flight = JoinSet::new();
            // A late tick is not made up for: a burst would be another load than was asked for.
            let mut ticks = interval(Duration::from_secs(1) / per_second.max(1));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            for _ in 0..MOST {
                tokio::select! {
                    _ = ticks.tick() => {}
                    _ = stopped.changed() => break,
                }
                if start.elapsed() > LONGEST {
                    break;
                }
                let (client, url, shared, progress) = (
                    client.clone(),
                    url.clone(),
                    Arc::clone(&shared),
                    progress.clone(),
                );
                flight.spawn(async move {
                    let sent = Instant::now();
                    let answer = ask(&client, &url, judge).await;
                    let mut report = shared.lock().expect("no panic under it");
                    report.note(answer, start.elapsed(), sent.elapsed());
                    progress.send_modify(|count| *count += 1);
                });
                while flight.try_join_next().is_some() {}
            }
            flight.join_all().await;
        });
        Self {
            stop,
            seen,
            task,
            report,
        }
    }

    /// How it stands now.
    pub fn so_far(&self) -> LoadReport {
        self.report.lock().expect("no panic under it").clone()
    }

    /// Waits until `count` more answers, right or wrong, have come in. Panics after 60 s.
    pub async fn answers(&mut self, count: u64) {
        let goal = *self.seen.borrow() + count;
        let wait = self.seen.wait_for(|seen| *seen >= goal);
        let arrived = matches!(
            tokio::time::timeout(Duration::from_mins(1), wait).await,
            Ok(Ok(_))
        );
        assert!(
            arrived,
            "{count} more answers did not come; so far:\n{}",
            self.so_far()
        );
    }

    /// Sends no more, waits for the answers that are due, and tells what became of all.
    pub async fn stop(mut self) -> LoadReport {
        self.stop.send_replace(true);
        (&mut self.task).await.expect("no panic in it");
        self.so_far()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What the sample app says of itself when all is well.
fn well(body: &str) -> Result<String, String> {
    let value: serde_json::Value =
        serde_json::from_str(body).map_err(|error| format!("not JSON, {error}"))?;
    let release = value["release"].as_str().unwrap_or_default();
    if value["ok"] != true {
        return Err("it is not ok".to_owned());
    }
    for witness in ["front", "revision"] {
        if value[witness]
            .as_str()
            .is_some_and(|other| other != release)
        {
            return Err(format!(
                "code of two releases in one answer, {release} and {}",
                value[witness]
            ));
        }
    }
    Ok(release.to_owned())
}

async fn ask(client: &reqwest::Client, url: &str, judge: Judge) -> Result<String, String> {
    let told = |error: reqwest::Error| format!("{error:?}");
    let answer = client.get(url).send().await.map_err(told)?;
    let status = answer.status();
    let body = answer.text().await.map_err(told)?;
    let judged = if status == 200 {
        judge(&body)
    } else {
        Err(status.to_string())
    };
    judged.map_err(|wrong| format!("{wrong}: {}", body.chars().take(200).collect::<String>()))
}

impl LoadReport {
    fn note(&mut self, answer: Result<String, String>, at: Duration, took: Duration) {
        match answer {
            Ok(release) => {
                self.served += 1;
                self.slowest = self.slowest.max(took);
                *self.releases.entry(release).or_default() += 1;
            }
            Err(wrong) => {
                self.failed += 1;
                if self.failures.len() < KEPT {
                    self.failures
                        .push(format!("after {:.3} s: {wrong}", at.as_secs_f64()));
                }
            }
        }
    }
}

impl fmt::Display for LoadReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "served {}, failed {}", self.served, self.failed)?;
        for (release, count) in &self.releases {
            writeln!(f, "  {count} by {release}")?;
        }
        for failure in &self.failures {
            writeln!(f, "  failed {failure}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_two_releases_is_not_well() {
        assert_eq!(
            well(r#"{"ok":true,"release":"r1","front":"r1","revision":"r1"}"#),
            Ok("r1".to_owned())
        );
        assert!(
            well(r#"{"ok":true,"release":"r1","front":"r2"}"#)
                .unwrap_err()
                .contains("two releases")
        );
        assert!(
            well(r#"{"ok":true,"release":"r1","revision":"r2"}"#)
                .unwrap_err()
                .contains("two releases")
        );
    }

    #[test]
    fn an_empty_answer_is_not_well() {
        assert!(well("").is_err());
        assert!(well(r#"{"ok":false,"release":"r1"}"#).is_err());
    }
}

//! People who ask without a pause: at a fixed rate whatever comes back, over new connections and kept ones, for quick
//! pages and slow ones. Every body is read to its end and judged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Client;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

/// Whoever waits longer has gone.
const PATIENCE: Duration = Duration::from_secs(30);
/// Slow pages: how long each takes, and how often one is asked for on each host.
const SLOW: [(u32, Duration); 2] = [(2, Duration::from_secs(2)), (5, Duration::from_secs(5))];

/// What came of one request.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) host: usize,
    pub(crate) sent: Instant,
    pub(crate) answered: Instant,
    pub(crate) quick: bool,
    pub(crate) said: Said,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Right, by this release.
    Well(String),
    /// Status 200 and no body.
    Empty,
    /// Code of two releases in one answer.
    Mixed,
    /// Anything else.
    Failed(String),
}

pub(crate) struct Load {
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Load {
    pub(crate) fn start(urls: &[String], per_second: u32) -> Self {
        let mut load = Self {
            stop: CancellationToken::new(),
            tasks: Vec::new(),
            asked: Arc::default(),
        };
        let hosts = u32::try_from(urls.len()).unwrap_or(1);
        let each = Duration::from_secs(1) * 2 * hosts / per_second.max(1);
        for (host, url) in urls.iter().enumerate() {
            for kept in [true, false] {
                load.ask(host, format!("{url}/health"), each, kept, true);
            }
            for (seconds, every) in SLOW {
                load.ask(host, format!("{url}/slow/{seconds}"), every, false, false);
            }
        }
        load
    }

    fn ask(&mut self, host: usize, url: String, every: Duration, kept: bool, quick: bool) {
        let client = Client::builder()
            .no_proxy()
            .timeout(PATIENCE)
            .pool_max_idle_per_host(if kept { 64 } else { 0 })
            .build()
            .expect("a plain client can always be made");
        let (stop, asked) = (self.stop.clone(), Arc::clone(&self.asked));
        self.tasks.push(tokio::spawn(async move {
            let mut ticks = interval(every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
            let mut flight = JoinSet::new();
            while stop.run_until_cancelled(ticks.tick()).await.is_some() {
                let (client, url, asked) = (client.clone(), url.clone(), Arc::clone(&asked));
                flight.spawn(async move {
                    let sent = Instant::now();
                    let said = say(&client, &url).await;
                    let answered = Instant::now();
                    let one = Asked {
                        host,
                        sent,
                        answered,
                        quick,
                        said,
                    };
                    asked
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(one);
                });
                while flight.try_join_next().is_some() {}
            }
            flight.join_all().await;
        }));
    }

    /// Asks no more, waits for the answers that are due, and hands over all.
    pub(crate) async fn stop(self) -> Vec<Asked> {
        self.stop.cancel();
        for task in self.tasks {
            drop(task.await);
        }
        std::mem::take(&mut self.asked.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn say(client: &Client, url: &str) -> Said {
    let heard = async {
        let answer = client.get(url).send().await?;
        let status = answer.status();
        answer.text().await.map(|body| (status, body))
    };
    match heard.await {
        Err(error) => Said::Failed(format!("{error:?}")),
        Ok((status, body)) if status != 200 => Said::Failed(format!("{status}: {}", short(&body))),
        Ok((_, body)) if body.is_empty() => Said::Empty,
        Ok((_, body)) => judge(&body),
    }
}

fn judge(body: &str) -> Said {
    let told: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let Some(release) = told["release"].as_str().filter(|_| told["ok"] == true) else {
        return Said::Failed(short(body));
    };
    let witnesses = ["front", "revision", "late"].map(|name| told[name].as_str());
    if witnesses
        .into_iter()
        .flatten()
        .any(|other| other != release)
    {
        return Said::Mixed;
    }
    Said::Well(release.to_owned())
}

fn short(body: &str) -> String {
    body.chars().filter(|c| !c.is_control()).take(120).collect()
}

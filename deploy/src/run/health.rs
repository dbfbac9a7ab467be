//! The app asked how it is: on a host through its web server or its pool, and from outside.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::ask::Asking;
use super::lease::Leased;
use super::outside::Question;
use super::phase::{Job, again, unknown};
use super::{Events, pool};
use crate::config::{Health, Through};
use crate::health::{Answer, judge};
use crate::host::HostError;
use crate::machine::{Live, Report};
use crate::{Event, Failure, HostName, ReleaseId};

/// Why the app is not well.
pub(super) enum Unwell {
    /// By what it said, or did not; in words.
    Said(Failure),
    /// Nobody knows: the line was lost.
    Lost(HostError),
}

/// Asks on a host.
pub(super) async fn health(
    release: &ReleaseId,
    job: Job<'_>,
    leased: &mut Leased,
    events: &Events,
) -> Report {
    let mut seen = on_host(release, job, leased, events).await;
    if let Err(Unwell::Lost(error)) = &seen {
        if let Err(failure) = again(error, job, leased, events).await {
            return unknown(failure);
        }
        seen = on_host(release, job, leased, events).await;
    }
    judged(seen, "health", leased)
}

async fn on_host(
    release: &ReleaseId,
    job: Job<'_>,
    leased: &Leased,
    events: &Events,
) -> Result<(), Unwell> {
    match Eye::here(release, job, leased).await? {
        Some(eye) => eye.attempts("health", events).await,
        None => Ok(()),
    }
}

/// Asks from outside, one address after another.
pub(super) async fn outside(
    release: &ReleaseId,
    job: Job<'_>,
    leased: &Leased,
    events: &Events,
) -> Report {
    for eye in Eye::outside(release, job) {
        let seen = eye.attempts("outside", events).await;
        if seen.is_err() {
            return judged(seen, "outside", leased);
        }
    }
    Report::Done
}

pub(super) fn judged(seen: Result<(), Unwell>, step: &str, leased: &Leased) -> Report {
    let failure = match seen {
        Ok(()) => return Report::Done,
        Err(Unwell::Lost(error)) => error.failure(&leased.host, step),
        Err(Unwell::Said(failure)) => failure,
    };
    Report::Failed {
        failure,
        live: Live::New,
    }
}

/// Something that looks at the app.
pub(super) struct Eye<'a> {
    health: &'a Health,
    url: &'a str,
    /// Where it is; absent outside.
    host: Option<&'a HostName>,
    /// The release that must answer. None is named as long as others may answer as well.
    release: Option<&'a ReleaseId>,
    way: Way<'a>,
}

enum Way<'a> {
    Web(Box<Asking>),
    Pool(&'a ReleaseId, Job<'a>, &'a Leased),
    Outside(Job<'a>),
}

impl<'a> Eye<'a> {
    /// The one on a host.
    pub(super) async fn here(
        release: &'a ReleaseId,
        job: Job<'a>,
        leased: &'a Leased,
    ) -> Result<Option<Self>, Unwell> {
        let Some(health) = &job.environment.health else {
            return Ok(None);
        };
        let way = match health.through {
            Through::Web => {
                let asking = Asking::begin(&leased.host.name, &leased.connection, health).await;
                Way::Web(Box::new(asking.map_err(Unwell::Lost)?))
            }
            Through::Fpm => Way::Pool(release, job, leased),
        };
        Ok(Some(Self {
            health,
            url: &health.url,
            host: Some(&leased.host.name),
            release: Some(release),
            way,
        }))
    }

    /// Those outside.
    pub(super) fn outside(release: &'a ReleaseId, job: Job<'a>) -> impl Iterator<Item = Self> {
        let health = job.environment.health.as_ref();
        let of = move |health: &'a Health| {
            health.outside.iter().map(move |url| Self {
                health,
                url,
                host: None,
                release: job.whole.then_some(release),
                way: Way::Outside(job),
            })
        };
        health.into_iter().flat_map(of)
    }

    /// Asks as often as the environment wants, until the app is well.
    async fn attempts(mut self, step: &str, events: &Events) -> Result<(), Unwell> {
        let of = self.health.attempts;
        let mut last = String::new();
        for attempt in 1..=of {
            if attempt > 1 {
                tokio::time::sleep(self.health.interval).await;
            }
            match self.look(attempt, Tell::All, events).await? {
                Ok(()) => {
                    self.close().await;
                    return Ok(());
                }
                Err(said) => last = said,
            }
        }
        let said = format!("did not become healthy in {of} attempts: {last}");
        let failure = self.failure(step, &said);
        self.close().await;
        Err(Unwell::Said(failure))
    }

    /// Asks at every interval until the time is over; a bad answer counts once as many have come in a row as health has
    /// attempts. Only bad answers are told.
    pub(super) async fn watched(
        mut self,
        until: Instant,
        over: &CancellationToken,
        events: &Events,
    ) -> Result<(), Unwell> {
        let mut bad = 0;
        // Asked at least once, and never left with a bad answer that nobody followed up.
        loop {
            let mut next = Instant::now() + self.health.interval;
            if bad == 0 {
                next = next.min(until);
            }
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = over.cancelled() => break,
            }
            match self.look(bad + 1, Tell::Bad, events).await? {
                Ok(()) => bad = 0,
                Err(seen) => {
                    bad += 1;
                    if bad >= self.health.attempts {
                        let said = format!("was not healthy {bad} times in a row: {seen}");
                        let failure = self.failure("watch", &said);
                        self.close().await;
                        return Err(Unwell::Said(failure));
                    }
                }
            }
            if bad == 0 && Instant::now() >= until {
                break;
            }
        }
        self.close().await;
        Ok(())
    }

    /// Asks once and tells what came, and what was wanted instead.
    async fn look(
        &mut self,
        attempt: u32,
        tell: Tell,
        events: &Events,
    ) -> Result<Result<(), String>, Unwell> {
        let answer = self.ask().await.map_err(Unwell::Lost)?;
        let judged = judge(self.health, self.release, &answer);
        if judged.is_err() || tell == Tell::All {
            let seen = match &judged {
                Ok(()) => format!("HTTP {}", answer.status),
                Err(said) => said.clone(),
            };
            events.tell(Event::Checked {
                host: self.host.cloned(),
                attempt,
                of: self.health.attempts,
                healthy: judged.is_ok(),
                seen: match self.host {
                    Some(_) => seen,
                    None => format!("{}: {seen}", self.url),
                },
            });
        }
        Ok(judged)
    }

    async fn ask(&mut self) -> Result<Answer, HostError> {
        match &mut self.way {
            Way::Web(asking) => asking.ask().await,
            Way::Pool(release, job, leased) => {
                pool::health(release, self.health, *job, leased).await
            }
            Way::Outside(job) => {
                let question = Question {
                    url: self.url.to_owned(),
                    timeout: self.health.timeout,
                    token_env: None,
                };
                Ok(from_here(*job, question).await)
            }
        }
    }

    async fn close(self) {
        if let Way::Web(asking) = self.way {
            asking.end().await;
        }
    }

    fn failure(&self, step: &str, said: &str) -> Failure {
        let hint = match self.way {
            Way::Outside(_) => format!("Ask it from here yourself: `curl -i '{}'`.", self.url),
            Way::Web(_) | Way::Pool(..) => {
                "Look at the app's own log on the host, below shared/storage/logs for Laravel."
                    .to_owned()
            }
        };
        Failure {
            host: self.host.cloned(),
            step: step.to_owned(),
            message: format!("{} {said}", self.url),
            hint: Some(hint),
        }
    }
}

/// Which looks are told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tell {
    All,
    Bad,
}

/// What is asked from here, by the client of the door.
pub(super) async fn from_here(job: Job<'_>, question: Question) -> Answer {
    let Some(outside) = &job.access.outside else {
        return Answer::none("nothing outside can be asked from here");
    };
    // The client has a limit of its own; this one holds whatever it does.
    let limit = question.timeout + Duration::from_secs(5);
    let asked = tokio::time::timeout(limit, outside.ask(question)).await;
    asked.unwrap_or_else(|_| Answer::none(format!("no answer within {} s", limit.as_secs())))
}

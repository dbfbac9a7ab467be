//! One alarm of a host, looked at again and again.

use std::time::Duration;

use serde_json::Number;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::super::Events;
use super::super::ask::{self, Roster};
use super::super::health::{Unwell, from_here};
use super::super::lease::Leased;
use super::super::outside::Question;
use super::super::phase::Job;
use crate::alarms::{self, Alarm, InARow, Look, Requests, Roll};
use crate::config::{AccessLog, Command, Queue, Then};
use crate::host::{HostError, within};
use crate::script::{ACCESS_LOG, BOUNDED, LINE, QUEUE_ASK, QUEUE_PHP};
use crate::{Event, Failure, Kind, ReleaseId};

/// What looks on a host is ended after this long.
const LOOK: Duration = Duration::from_mins(1);
/// The host itself ends it; if it has not by then, the line is dead.
const GRACE: Duration = Duration::from_secs(15);
/// The longest wait for Prometheus.
const PROMETHEUS: Duration = Duration::from_secs(10);
/// Of a watch that is long not every quiet look is told, but one in as many parts of it.
const TOLD: u32 = 20;

/// Looks at one alarm, and remembers what it saw.
pub(super) struct Watchman<'a> {
    alarm: &'a Alarm,
    row: InARow,
    /// How far the access log was read, and what stood in it.
    read: (String, Requests),
    roll: Roll,
    told_at: Option<Instant>,
}

/// What a script said.
struct Said {
    status: i32,
    last: String,
    stderr: String,
}

impl<'a> Watchman<'a> {
    pub(super) fn of(alarm: &'a Alarm) -> Self {
        Self {
            alarm,
            row: InARow::default(),
            read: Default::default(),
            roll: Roll::default(),
            told_at: None,
        }
    }

    /// Looks at once and at every interval until the time is over. One that rings is never left before it is clear
    /// whether it rings for good.
    pub(super) async fn watched(
        &mut self,
        release: &ReleaseId,
        until: Instant,
        over: &CancellationToken,
        job: Job<'_>,
        leased: &Leased,
        events: &Events,
    ) -> Result<(), Unwell> {
        let alarms = &job.environment.alarms;
        loop {
            let last = Instant::now() >= until;
            let looks = tokio::select! {
                looks = self.look(release, job, leased) => looks.map_err(Unwell::Lost)?,
                () = over.cancelled() => return Ok(()),
            };
            let due = last || self.is_due(job);
            let times = self.row.hear(&looks);
            for look in &looks {
                let counts = look.rings && times >= alarms.times;
                if look.rings || due {
                    self.tell(look, leased, events);
                }
                if counts && self.alarm.then() == Then::RollBack {
                    return Err(Unwell::Said(self.failure(look, times, leased)));
                }
            }
            let waits = self.alarm.then() == Then::RollBack && times > 0;
            if last && !waits {
                return Ok(());
            }
            let mut next = Instant::now() + alarms.interval;
            if !waits {
                next = next.min(until);
            }
            tokio::select! {
                () = tokio::time::sleep_until(next) => {}
                () = over.cancelled() => return Ok(()),
            }
        }
    }

    async fn look(
        &mut self,
        release: &ReleaseId,
        job: Job<'_>,
        leased: &Leased,
    ) -> Result<Vec<Look>, HostError> {
        let alarm = self.alarm;
        let seen = match alarm {
            Alarm::AccessLog(log) => self.log(log, leased).await?.map(|look| vec![look]),
            Alarm::Queue(limits) => queue(limits, leased).await?,
            Alarm::Workers(limits) => {
                let Roster { workers, failures } =
                    ask::roster(job.environment, &leased.host, &leased.connection).await;
                if !failures.is_empty() && !leased.connection.stands().await {
                    return Err(HostError::Lost(leased.host.name.clone()));
                }
                let unseen = failures.into_iter().next();
                unseen
                    .map_or(Ok(()), |failure| Err(failure.message))
                    .map(|()| {
                        let each = workers.iter().map(|worker| alarms::Seen {
                            name: &worker.name,
                            state: &worker.state,
                            pid: worker.pid,
                            restarts: worker.restarts,
                        });
                        vec![self.roll.look(limits, each)]
                    })
            }
            Alarm::Prometheus(prometheus) => {
                let question = Question {
                    url: alarms::query_url(prometheus),
                    timeout: PROMETHEUS,
                    token_env: prometheus.token_env.clone(),
                };
                let answer = from_here(job, question).await;
                alarms::answer(prometheus, &answer).map(|look| vec![look])
            }
            Alarm::Command(command) => Ok(vec![run(command, release, job, leased).await?]),
        };
        Ok(seen.unwrap_or_else(|why| vec![alarm.unreadable(&why)]))
    }

    async fn log(
        &mut self,
        log: &AccessLog,
        leased: &Leased,
    ) -> Result<Result<Look, String>, HostError> {
        let (from, seen) = &mut self.read;
        let args = [leased.root(), log.path.clone(), from.clone()];
        let said = bounded(ACCESS_LOG, "access-log", &args, leased).await?;
        if said.status != 0 {
            return Ok(Err(said.stderr));
        }
        let words: Vec<&str> = said.last.split(' ').collect();
        let [to, all, failed, other] = words[..] else {
            return Ok(Err(format!("the host says {}", said.last)));
        };
        let number = |text: &str| text.parse::<u64>().unwrap_or(0);
        to.clone_into(from);
        seen.all += number(all);
        seen.failed += number(failed);
        if seen.all == 0 && number(other) > 0 {
            let why = format!("{} is not in the combined format", log.path);
            return Ok(Err(why));
        }
        Ok(Ok(alarms::requests(log, *seen)))
    }

    /// Whether it is time to tell what is seen even if all is quiet.
    fn is_due(&mut self, job: Job<'_>) -> bool {
        let now = Instant::now();
        let pause = job.environment.watch / TOLD;
        let due = self.told_at.is_none_or(|told| now >= told + pause);
        if due {
            self.told_at = Some(now);
        }
        due
    }

    fn tell(&self, look: &Look, leased: &Leased, events: &Events) {
        let number = |number: Option<f64>| number.and_then(Number::from_f64);
        let here = matches!(self.alarm, Alarm::Prometheus(_));
        events.tell(Event::Looked {
            host: (!here).then(|| leased.host.name.clone()),
            alarm: look.alarm.clone(),
            value: number(look.value),
            limit: number(look.limit),
            rings: look.rings,
            seen: look.seen.clone(),
        });
    }

    fn failure(&self, look: &Look, times: u32, leased: &Leased) -> Failure {
        let host = &leased.host;
        let user = host.address.user.as_deref().unwrap_or("the deploy user");
        let hint = match self.alarm {
            _ if look.seen.contains("cannot be read") => {
                format!("Let {user} read it: `sudo usermod -aG adm {user}`.")
            }
            Alarm::AccessLog(_) => {
                "Look at the app's own log on the host, below shared/storage/logs for Laravel."
                    .to_owned()
            }
            Alarm::Queue(_) => "See what failed: `php artisan queue:failed`.".to_owned(),
            Alarm::Workers(_) => {
                "Look at the log of their manager, and at the app's own.".to_owned()
            }
            Alarm::Prometheus(_) => "See it in Prometheus by the query of the alarm.".to_owned(),
            Alarm::Command(command) => format!("Run it there yourself: `{}`.", command.run),
        };
        let in_a_row = if times > 1 {
            format!(", {times} times in a row")
        } else {
            String::new()
        };
        Failure {
            host: (!matches!(self.alarm, Alarm::Prometheus(_))).then(|| host.name.clone()),
            step: "watch".to_owned(),
            message: format!("{}: {}{in_a_row}", look.alarm, look.seen),
            hint: Some(hint),
        }
    }
}

async fn queue(limits: &Queue, leased: &Leased) -> Result<Result<Vec<Look>, String>, HostError> {
    let args = [
        leased.root(),
        QUEUE_PHP.to_owned(),
        limits.queues.join("\n"),
    ];
    let said = bounded(QUEUE_ASK, "queue", &args, leased).await?;
    if said.status != 0 {
        let why = format!("exit {}: {} {}", said.status, said.last, said.stderr);
        return Ok(Err(why));
    }
    Ok(alarms::queue(limits, &said.last))
}

async fn run(
    command: &Command,
    release: &ReleaseId,
    job: Job<'_>,
    leased: &Leased,
) -> Result<Look, HostError> {
    let commit = match &job.request.kind {
        Kind::Deploy { commit } => commit.to_string(),
        Kind::Rollback { .. } => String::new(),
    };
    let args = [
        leased.root(),
        release.to_string(),
        job.environment.name.to_string(),
        commit,
        job.request.deployment.to_string(),
        leased.host.name.to_string(),
        command.run.clone(),
    ];
    let said = bounded(LINE, "line", &args, leased).await?;
    let stderr = said.stderr.lines().last().unwrap_or_default();
    let last = if stderr.is_empty() {
        &said.last
    } else {
        stderr
    };
    Ok(alarms::ended(command, said.status, last))
}

/// Runs a script that only looks, and keeps the last line that it printed.
async fn bounded(
    script: &str,
    name: &str,
    args: &[String],
    leased: &Leased,
) -> Result<Said, HostError> {
    let mut all = vec![
        LOOK.as_secs().to_string(),
        script.to_owned(),
        name.to_owned(),
    ];
    all.extend(args.iter().cloned());
    let mut last = String::new();
    let asking = ask::lines(&leased.connection, BOUNDED, "bounded", &all, |line| {
        if !line.trim().is_empty() {
            line.clone_into(&mut last);
        }
    });
    let asked = within(&leased.host.name, LOOK + GRACE, Box::pin(asking)).await;
    let (status, stderr) = match asked.and_then(|asked| asked) {
        // The line stands, so it is what was asked that hangs: something that it has left behind holds its output open.
        Err(HostError::Silent { .. }) if leased.connection.stands().await => {
            (124, "it does not end".to_owned())
        }
        ended => ended?,
    };
    Ok(Said {
        status,
        last,
        stderr,
    })
}

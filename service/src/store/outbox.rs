//! What is still to be told to a forge, in order per deployment, and what the forge calls our deployments.

use cutover_deploy::DeploymentId;
use jiff::Timestamp;
use serde::Serialize;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use tracing::error;

use super::deployments::{self, Deployment};
use super::rows::{self, to_json};
use super::{Store, StoreError, millis, reading, writing};
use crate::report::{Entry, EntryState, Report};

/// A report that waits to be posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Its place in the outbox.
    pub ordinal: i64,
    /// The deployment that it tells of.
    pub deployment: Deployment,
    /// What is told.
    pub report: Report,
    /// How often it was tried before.
    pub attempts: i64,
    /// Whether a later report of the same kind waits behind it.
    pub outdated: bool,
}

/// How a report of a deployment stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Posted {
    /// What is told.
    pub report: Report,
    /// `waiting`, `sent`, `skipped` or `given_up`.
    pub state: String,
    /// How often it was tried.
    pub attempts: i64,
    /// What the forge said last, unless it was content.
    pub error: Option<String>,
}

/// The reports that wait for no other one: a report waits for the earlier ones of its deployment; the mark on a commit
/// also for earlier marks of the environment on the same commit; what makes the forge retire older entries of the
/// environment (`success` does outside production) for every earlier report of the environment. Nothing else waits, so
/// that one report that the forge does not take holds up no other deployment.
macro_rules! heads {
    () => {
        "from outbox head join deployment told on told.id = head.deployment
         where head.state = 'waiting' and not exists (
             select 1 from outbox earlier join deployment about on about.id = earlier.deployment
             where earlier.state = 'waiting' and earlier.app = head.app and earlier.environment = head.environment
             and earlier.ordinal < head.ordinal and (
                 earlier.deployment = head.deployment
                 or head.body like '{\"report\":\"retire_older\"%'
                 or head.body like '{\"report\":\"entry_status\",%,\"state\":\"success\",%'
                 or (head.body like '{\"report\":\"commit_status\"%' and earlier.body like '{\"report\":\"commit_status\"%'
                     and about.commit_sha = told.commit_sha)))"
    };
}

impl Store {
    /// The waiting reports that wait for no other one and whose time has come.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<Waiting>, StoreError> {
        let found = sqlx::query(concat!(
            "select head.ordinal, head.deployment, head.body, head.attempts ",
            heads!(),
            " and head.next_at <= $1 order by head.ordinal"
        ))
        .bind(millis(now))
        .fetch_all(&self.pool)
        .await
        .map_err(reading)?;
        let mut due = Vec::new();
        for row in &found {
            match self.waiting(row).await {
                Err(error) if error.is_one_row() => self.give_up(row, &error, now).await?,
                waiting => due.push(waiting?),
            }
        }
        Ok(due)
    }

    /// When the next waiting report is due.
    pub async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(concat!("select min(head.next_at) as at ", heads!()))
            .fetch_one(&self.pool)
            .await
            .map_err(reading)?;
        rows::maybe_time(&row, "at")
    }

    /// How the reports of a deployment stand, in order.
    pub async fn reports(&self, id: &DeploymentId) -> Result<Vec<Posted>, StoreError> {
        let found =
            sqlx::query("select body, state, attempts, error from outbox where deployment = $1 order by ordinal")
                .bind(id.as_str())
                .fetch_all(&self.pool)
                .await
                .map_err(reading)?;
        found
            .iter()
            .map(|row| {
                Ok(Posted {
                    report: rows::json(row, "body")?,
                    state: rows::text(row, "state")?,
                    attempts: rows::number(row, "attempts")?,
                    error: rows::maybe_text(row, "error")?,
                })
            })
            .collect()
    }

    /// Notes that a report is about to be posted; should the service end before the answer, it is tried again at
    /// `next_at`.
    pub async fn attempt(&self, ordinal: i64, next_at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("update outbox set attempts = attempts + 1, next_at = $1 where ordinal = $2")
            .bind(millis(next_at))
            .bind(ordinal)
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    /// Notes that a report has to be tried again at `next_at`, and why.
    pub async fn postpone(
        &self,
        ordinal: i64,
        next_at: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("update outbox set next_at = $1, error = $2 where ordinal = $3")
            .bind(millis(next_at))
            .bind(why)
            .bind(ordinal)
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    /// Ends a report: `sent`, `skipped` or `given_up`, with the reason of the latter.
    pub async fn settle(
        &self,
        waiting: &Waiting,
        state: &'static str,
        why: Option<&str>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query("update outbox set state = $1, error = $2, ended_at = $3 where ordinal = $4")
            .bind(state)
            .bind(why)
            .bind(millis(now))
            .bind(waiting.ordinal)
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        self.changed(&waiting.deployment.id);
        Ok(())
    }

    /// What the forge calls an entry of a deployment.
    pub async fn entry_number(
        &self,
        id: &DeploymentId,
        entry: Entry,
    ) -> Result<Option<u64>, StoreError> {
        let row =
            sqlx::query("select number from forge_deployment where deployment = $1 and entry = $2")
                .bind(id.as_str())
                .bind(entry.word())
                .fetch_optional(&self.pool)
                .await
                .map_err(reading)?;
        row.as_ref().map(parse_number).transpose()
    }

    /// Whether the forge's `number` is an entry that is known already, of any deployment of this environment.
    pub async fn knows_entry(
        &self,
        deployment: &Deployment,
        number: u64,
    ) -> Result<bool, StoreError> {
        let row = sqlx::query(
            "select number from forge_deployment where app = $1 and environment = $2 and number = $3",
        )
        .bind(deployment.app.as_str())
        .bind(deployment.environment.as_str())
        .bind(number.to_string())
        .fetch_optional(&self.pool)
        .await
        .map_err(reading)?;
        Ok(row.is_some())
    }

    /// Remembers what the forge calls an entry.
    pub async fn entered(
        &self,
        deployment: &Deployment,
        entry: Entry,
        number: u64,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into forge_deployment (deployment, entry, app, environment, number, state)
             values ($1, $2, $3, $4, $5, 'entered')
             on conflict (deployment, entry) do update set number = excluded.number",
        )
        .bind(deployment.id.as_str())
        .bind(entry.word())
        .bind(deployment.app.as_str())
        .bind(deployment.environment.as_str())
        .bind(number.to_string())
        .execute(&self.pool)
        .await
        .map_err(writing)?;
        Ok(())
    }

    /// Remembers the state that the forge was told of the entry it calls `number`.
    pub async fn entry_told(
        &self,
        deployment: &Deployment,
        number: u64,
        state: EntryState,
    ) -> Result<(), StoreError> {
        sqlx::query("update forge_deployment set state = $1 where number = $2 and app = $3 and environment = $4")
            .bind(state.word())
            .bind(number.to_string())
            .bind(deployment.app.as_str())
            .bind(deployment.environment.as_str())
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    /// The entries of this environment that the forge still takes for live, all but `number`.
    pub async fn live_entries(
        &self,
        deployment: &Deployment,
        number: u64,
    ) -> Result<Vec<u64>, StoreError> {
        let found = sqlx::query(
            "select number from forge_deployment where app = $1 and environment = $2 and state = 'success'
             and number <> $3",
        )
        .bind(deployment.app.as_str())
        .bind(deployment.environment.as_str())
        .bind(number.to_string())
        .fetch_all(&self.pool)
        .await
        .map_err(reading)?;
        found.iter().map(parse_number).collect()
    }

    /// Ends a report that cannot be read, so that it holds up no other.
    async fn give_up(
        &self,
        row: &AnyRow,
        error: &StoreError,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let ordinal = rows::number(row, "ordinal")?;
        error!(ordinal, %error, "a report that cannot be read is given up");
        sqlx::query(
            "update outbox set state = 'given_up', error = $1, ended_at = $2 where ordinal = $3",
        )
        .bind(error.to_string())
        .bind(millis(now))
        .bind(ordinal)
        .execute(&self.pool)
        .await
        .map_err(writing)?;
        Ok(())
    }

    async fn waiting(&self, row: &AnyRow) -> Result<Waiting, StoreError> {
        let ordinal = rows::number(row, "ordinal")?;
        let id: DeploymentId = rows::name(row, "deployment")?;
        let report: Report = rows::json(row, "body")?;
        let found = sqlx::query("select * from deployment where id = $1")
            .bind(id.as_str())
            .fetch_one(&self.pool)
            .await
            .map_err(reading)?;
        let later = sqlx::query(
            "select body from outbox where deployment = $1 and state = 'waiting' and ordinal > $2",
        )
        .bind(id.as_str())
        .bind(ordinal)
        .fetch_all(&self.pool)
        .await
        .map_err(reading)?;
        let later: Vec<Report> = rows::readable(&later, |row| rows::json(row, "body"))?;
        Ok(Waiting {
            ordinal,
            deployment: deployments::read(&found)?,
            outdated: later.iter().any(|later| later.replaces(&report)),
            report,
            attempts: rows::number(row, "attempts")?,
        })
    }
}

pub(super) async fn write(
    tx: &mut AnyConnection,
    deployment: &Deployment,
    reports: &[Report],
    now: Timestamp,
) -> Result<(), StoreError> {
    for report in reports {
        sqlx::query(
            "insert into outbox (ordinal, deployment, app, environment, body, state, attempts, next_at)
             select coalesce(max(ordinal), 0) + 1, $1, $2, $3, $4, 'waiting', 0, $5 from outbox",
        )
        .bind(deployment.id.as_str())
        .bind(deployment.app.as_str())
        .bind(deployment.environment.as_str())
        .bind(to_json(report))
        .bind(millis(now))
        .execute(&mut *tx)
        .await
        .map_err(writing)?;
    }
    Ok(())
}

fn parse_number(row: &AnyRow) -> Result<u64, StoreError> {
    rows::text(row, "number")?
        .parse()
        .map_err(|error| rows::unreadable("number", &error))
}

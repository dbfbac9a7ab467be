//! Deployments: queued, claimed by one worker, concluded or put back. Each change writes its reports with it.

use cutover_deploy::{
    AppName, CommitSha, DeployRequest, DeploymentId, EnvironmentName, Event, Failure, Kind,
    Outcome, ReleaseId,
};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::rows::{self, to_json};
use super::{Store, StoreError, alarms, events, holds, millis, outbox, reading, writing};
use crate::report;

/// A deployment that is to be queued.
#[derive(Debug, Clone)]
pub struct NewDeployment {
    /// The app.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The repository at its forge, `owner/name`.
    pub repository: String,
    /// Where people find the app.
    pub environment_url: Option<String>,
    /// The branch whose push asked for it; none where somebody named the commit or asked for a rollback.
    pub branch: Option<String>,
    /// What the pipeline is asked for.
    pub request: DeployRequest,
}

/// A deployment as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// Its id.
    pub id: DeploymentId,
    /// Rises with each one that is queued.
    pub ordinal: i64,
    /// The app.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// The repository at its forge, `owner/name`.
    pub repository: String,
    /// Where people find the app.
    pub environment_url: Option<String>,
    /// The branch whose push asked for it; none where somebody named the commit or asked for a rollback.
    pub branch: Option<String>,
    /// What the pipeline is asked for.
    pub request: DeployRequest,
    /// Where it stands.
    pub state: State,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The release that it makes, once planned.
    pub release: Option<ReleaseId>,
    /// What was live after it, where it knows.
    pub live: Option<Live>,
    /// Who asked by a command, by login; nobody for a push. What they hold themselves does not stop it.
    pub asked_by: Option<String>,
    /// The deployment that took its place.
    pub superseded_by: Option<DeploymentId>,
    /// It was held up and is not claimed again before this.
    pub not_before: Option<Timestamp>,
    /// When it was claimed last.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Where a deployment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It waits for its turn.
    Queued,
    /// A worker has it.
    Running,
    /// It has an outcome.
    Done,
}

/// What is live in an environment, as far as the ledger knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Live {
    /// The release.
    pub release: ReleaseId,
    /// What it was made from, where known.
    pub commit: Option<CommitSha>,
}

/// A deployment that was queued, and the waiting ones whose place it took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enqueued {
    /// The new one.
    pub deployment: Deployment,
    /// The ones that never will begin.
    pub superseded: Vec<Deployment>,
}

impl State {
    /// The word for it on pages and in tables.
    pub fn word(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
        }
    }
}

impl Deployment {
    /// The commit that it is to deploy; none for a rollback.
    pub fn commit(&self) -> Option<&CommitSha> {
        match &self.request.kind {
            Kind::Deploy { commit } => Some(commit),
            Kind::Rollback { .. } => None,
        }
    }
}

impl Store {
    /// Takes what waits in an environment where nothing runs, for this caller alone: a rollback before anything else,
    /// then the newest deployment. What somebody else holds is left waiting, and so is one that was put back for a while
    /// until then.
    pub async fn claim(&self, now: Timestamp) -> Result<Option<Deployment>, StoreError> {
        let mut tx = self.pool.begin().await.map_err(writing)?;
        let claimed = sqlx::query(
            "update deployment set state = 'running', started_at = $1
             where state = 'queued' and id = (
                 select waiting.id from deployment waiting
                 where waiting.state = 'queued' and (waiting.not_before is null or waiting.not_before <= $1)
                 and not exists (
                     select 1 from deployment busy where busy.state = 'running'
                     and busy.app = waiting.app and busy.environment = waiting.environment)
                 and not exists (
                     select 1 from hold where hold.app = waiting.app and hold.environment = waiting.environment
                     and (hold.until is null or hold.until > $1) and hold.owner <> coalesce(waiting.asked_by, ''))
                 order by case when waiting.kind = 'rollback' then 0 else 1 end, waiting.ordinal desc limit 1)
             returning *",
        )
        .bind(millis(now))
        .fetch_optional(&mut *tx)
        .await;
        let row = match claimed {
            // Somebody else claimed one of the same environment in this very moment.
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => None,
            other => other.map_err(writing)?,
        };
        let Some(row) = row else {
            tx.rollback().await.map_err(writing)?;
            return Ok(None);
        };
        let deployment = match read(&row) {
            Err(error) if error.is_one_row() => {
                give_up(&mut tx, &row, &error, now).await?;
                tx.commit().await.map_err(writing)?;
                return Box::pin(self.claim(now)).await;
            }
            read => read?,
        };
        let superseded = supersede(&mut tx, &deployment, false, now).await?;
        // One that keeps being put back is told of once: forges limit how often they are told.
        if deployment.not_before.is_none() {
            outbox::write(&mut tx, &deployment, &report::began(&deployment), now).await?;
        }
        tx.commit().await.map_err(writing)?;
        self.changed(&deployment.id);
        for old in &superseded {
            self.changed(&old.id);
        }
        Ok(Some(deployment))
    }

    /// The deployments that a worker has, or had when the service ended.
    pub async fn running(&self) -> Result<Vec<Deployment>, StoreError> {
        let found =
            sqlx::query("select * from deployment where state = 'running' order by ordinal")
                .fetch_all(&self.pool)
                .await
                .map_err(reading)?;
        let mut running = Vec::new();
        for row in &found {
            match read(row) {
                Err(error) if error.is_one_row() => {
                    let mut connection = self.pool.acquire().await.map_err(writing)?;
                    give_up(&mut connection, row, &error, cutover_deploy::now()).await?;
                }
                read => running.push(read?),
            }
        }
        Ok(running)
    }

    /// One deployment.
    pub async fn deployment(&self, id: &DeploymentId) -> Result<Option<Deployment>, StoreError> {
        let row = sqlx::query("select * from deployment where id = $1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(reading)?;
        row.as_ref().map(read).transpose()
    }

    /// The deployments of an environment that wait or run, newest first.
    pub async fn open_ones(
        &self,
        app: &AppName,
        environment: &EnvironmentName,
    ) -> Result<Vec<Deployment>, StoreError> {
        let found = sqlx::query(
            "select * from deployment where app = $1 and environment = $2 and state <> 'done' order by ordinal desc",
        )
        .bind(app.as_str())
        .bind(environment.as_str())
        .fetch_all(&self.pool)
        .await
        .map_err(reading)?;
        rows::readable(&found, read)
    }

    /// The deployments of an environment that ended, newest first, at most `most`.
    pub async fn ended(
        &self,
        app: &AppName,
        environment: &EnvironmentName,
        most: u32,
    ) -> Result<Vec<Deployment>, StoreError> {
        let found = sqlx::query(
            "select * from deployment where app = $1 and environment = $2 and state = 'done'
             order by ordinal desc limit $3",
        )
        .bind(app.as_str())
        .bind(environment.as_str())
        .bind(i64::from(most))
        .fetch_all(&self.pool)
        .await
        .map_err(reading)?;
        rows::readable(&found, read)
    }

    /// The deployment that last said what is live in an environment.
    pub async fn last_live(
        &self,
        app: &AppName,
        environment: &EnvironmentName,
    ) -> Result<Option<Deployment>, StoreError> {
        let row = sqlx::query(
            "select * from deployment where app = $1 and environment = $2 and live_release is not null
             order by ended_at desc, ordinal desc limit 1",
        )
        .bind(app.as_str())
        .bind(environment.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(reading)?;
        row.as_ref().map(read).transpose()
    }

    /// The commit of a release of an environment, where a deployment of this ledger made it.
    pub async fn commit_of(
        &self,
        near: &Deployment,
        release: &ReleaseId,
    ) -> Result<Option<CommitSha>, StoreError> {
        let row = sqlx::query(
            "select commit_sha from deployment where app = $1 and environment = $2 and release_id = $3
             and commit_sha is not null order by ordinal desc limit 1",
        )
        .bind(near.app.as_str())
        .bind(near.environment.as_str())
        .bind(release.as_str())
        .fetch_optional(&self.pool)
        .await
        .map_err(reading)?;
        row.as_ref()
            .map(|row| rows::name(row, "commit_sha"))
            .transpose()
    }

    /// Remembers which release a running deployment makes.
    pub async fn planned(&self, id: &DeploymentId, release: &ReleaseId) -> Result<(), StoreError> {
        sqlx::query("update deployment set release_id = $1 where id = $2")
            .bind(release.as_str())
            .bind(id.as_str())
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    /// Ends a running deployment: outcome, last event and reports in one transaction. Does nothing to one that is
    /// not running.
    pub async fn conclude(
        &self,
        id: &DeploymentId,
        outcome: &Outcome,
        live: Option<&Live>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await.map_err(writing)?;
        let row = sqlx::query(
            "update deployment set state = 'done', outcome = $1, live_release = $2, live_commit = $3, ended_at = $4
             where id = $5 and state = 'running' returning *",
        )
        .bind(to_json(outcome))
        .bind(live.map(|live| live.release.as_str()))
        .bind(live.and_then(|live| live.commit.as_ref()).map(CommitSha::as_str))
        .bind(millis(now))
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await
        .map_err(writing)?;
        if let Some(row) = row {
            let deployment = read(&row)?;
            let concluded = Event::Concluded {
                outcome: outcome.clone(),
            };
            events::append(&mut tx, id, &[concluded], now).await?;
            let commit = live.and_then(|live| live.commit.as_ref());
            let rang = alarms::of(&mut tx, id).await?;
            let reports = report::ended(&deployment, outcome, commit, &rang);
            if outcome.exit_code() != 0 {
                holds::end_of(&mut tx, id).await?;
            }
            outbox::write(&mut tx, &deployment, &reports, now).await?;
        }
        tx.commit().await.map_err(writing)?;
        self.changed(id);
        self.held.send_replace(());
        self.queued.notify_one();
        Ok(())
    }
}

/// Ends a deployment whose row cannot be read, so that it stands in nobody's way.
async fn give_up(
    connection: &mut AnyConnection,
    row: &AnyRow,
    error: &StoreError,
    now: Timestamp,
) -> Result<(), StoreError> {
    rows::tell(row, error);
    let outcome = Outcome::Failed {
        failure: Failure {
            host: None,
            step: "ledger".to_owned(),
            message: error.to_string(),
            hint: Some("Push again, or deploy the commit by hand.".to_owned()),
        },
        left: Vec::new(),
    };
    sqlx::query("update deployment set state = 'done', outcome = $1, ended_at = $2 where id = $3")
        .bind(to_json(&outcome))
        .bind(millis(now))
        .bind(rows::text(row, "id")?)
        .execute(&mut *connection)
        .await
        .map_err(writing)?;
    sqlx::query("delete from hold where deployment = $1")
        .bind(rows::text(row, "id")?)
        .execute(connection)
        .await
        .map_err(writing)?;
    Ok(())
}

/// Queues a deployment in a transaction that has begun with a write.
pub(super) async fn enqueue(
    tx: &mut AnyConnection,
    new: &NewDeployment,
    asked_by: Option<&str>,
    now: Timestamp,
) -> Result<Enqueued, StoreError> {
    let commit = match &new.request.kind {
        Kind::Deploy { commit } => Some(commit.as_str()),
        Kind::Rollback { .. } => None,
    };
    let row = sqlx::query(
        "insert into deployment (id, ordinal, app, environment, repository, environment_url, branch, kind, commit_sha,
             actor, state, request, requested_at, asked_by)
         select $1, coalesce(max(ordinal), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued', $10, $11, $12 from deployment
         returning *",
    )
    .bind(new.request.deployment.as_str())
    .bind(new.app.as_str())
    .bind(new.environment.as_str())
    .bind(new.repository.as_str())
    .bind(new.environment_url.as_deref())
    .bind(new.branch.as_deref())
    .bind(new.request.kind.word())
    .bind(commit)
    .bind(new.request.actor.as_str())
    .bind(to_json(&new.request))
    .bind(millis(new.request.requested_at))
    .bind(asked_by)
    .fetch_one(&mut *tx)
    .await
    .map_err(writing)?;
    let deployment = read(&row)?;
    let held = holds::against(tx, &deployment, now).await?;
    let superseded = supersede(tx, &deployment, held.is_some(), now).await?;
    let held_by = held.as_ref().map(holds::Hold::line);
    let reports = report::queued(&deployment, held_by.as_deref());
    outbox::write(tx, &deployment, &reports, now).await?;
    Ok(Enqueued {
        deployment,
        superseded,
    })
}

/// Ends every older waiting deployment of the same environment. A rollback takes nobody's place, and neither does one
/// that may begin take the place of one that is held: that is remembered until the hold ends.
async fn supersede(
    tx: &mut AnyConnection,
    winner: &Deployment,
    held: bool,
    now: Timestamp,
) -> Result<Vec<Deployment>, StoreError> {
    if winner.commit().is_none() {
        return Ok(Vec::new());
    }
    let found = sqlx::query(
        "update deployment set state = 'done', outcome = $1, superseded_by = $2, ended_at = $3
         where app = $4 and environment = $5 and state = 'queued' and kind = 'deploy' and ordinal < $6
         and ($7 = 1 or not exists (
             select 1 from hold where hold.app = deployment.app and hold.environment = deployment.environment
             and (hold.until is null or hold.until > $8) and hold.owner <> coalesce(deployment.asked_by, '')))
         returning *",
    )
    .bind(to_json(&Outcome::Superseded))
    .bind(winner.id.as_str())
    .bind(millis(now))
    .bind(winner.app.as_str())
    .bind(winner.environment.as_str())
    .bind(winner.ordinal)
    .bind(i64::from(held))
    .bind(millis(now))
    .fetch_all(&mut *tx)
    .await
    .map_err(writing)?;
    let mut superseded = rows::readable(&found, read)?;
    superseded.sort_by_key(|old| old.ordinal);
    for old in &superseded {
        let concluded = Event::Concluded {
            outcome: Outcome::Superseded,
        };
        events::append(tx, &old.id, &[concluded], now).await?;
        outbox::write(tx, old, &report::superseded(old, winner), now).await?;
    }
    Ok(superseded)
}

pub(super) fn read(row: &AnyRow) -> Result<Deployment, StoreError> {
    let state = match rows::text(row, "state")?.as_str() {
        "queued" => State::Queued,
        "running" => State::Running,
        "done" => State::Done,
        other => return Err(rows::unreadable("state", &other)),
    };
    let live: Option<ReleaseId> = rows::maybe_name(row, "live_release")?;
    let live_commit = rows::maybe_name(row, "live_commit")?;
    Ok(Deployment {
        id: rows::name(row, "id")?,
        ordinal: rows::number(row, "ordinal")?,
        app: rows::name(row, "app")?,
        environment: rows::name(row, "environment")?,
        repository: rows::text(row, "repository")?,
        environment_url: rows::maybe_text(row, "environment_url")?,
        branch: rows::maybe_text(row, "branch")?,
        request: rows::json(row, "request")?,
        state,
        outcome: rows::maybe_json(row, "outcome")?,
        release: rows::maybe_name(row, "release_id")?,
        live: live.map(|release| Live {
            release,
            commit: live_commit,
        }),
        asked_by: rows::maybe_text(row, "asked_by")?,
        superseded_by: rows::maybe_name(row, "superseded_by")?,
        not_before: rows::maybe_time(row, "not_before")?,
        started_at: rows::maybe_time(row, "started_at")?,
        ended_at: rows::maybe_time(row, "ended_at")?,
    })
}

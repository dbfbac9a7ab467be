//! What holds an environment: kept until it ends by itself or by a word, whatever happens to the service.

use cutover_deploy::{AppName, DeploymentId, EnvironmentName};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::deployments::Deployment;
use super::{Store, StoreError, millis, reading, rows, writing};

/// Why an environment takes no deployments but its holder's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Hold {
    /// What kind.
    pub kind: HoldKind,
    /// Who set it, by login.
    pub owner: String,
    /// Why, in their words.
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// Until when; until somebody ends it when absent.
    pub until: Option<Timestamp>,
}

/// The kinds of holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// Somebody locked it.
    Lock,
    /// Somebody rolled back, and what was taken back must not return by the next push.
    Rollback,
}

impl HoldKind {
    /// The word for it in tables and JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Rollback => "rollback",
        }
    }
}

impl Hold {
    /// Who holds it and why, in one line: `locked by alice: friday`.
    pub fn line(&self) -> String {
        let what = match self.kind {
            HoldKind::Lock => "locked",
            HoldKind::Rollback => "held after a rollback",
        };
        match &self.reason {
            Some(reason) => format!("{what} by {}: {reason}", self.owner),
            None => format!("{what} by {}", self.owner),
        }
    }
}

impl Store {
    /// What holds an environment at `now`, the oldest first.
    pub async fn holds(
        &self,
        app: &AppName,
        environment: &EnvironmentName,
        now: Timestamp,
    ) -> Result<Vec<Hold>, StoreError> {
        let found = sqlx::query(
            "select * from hold where app = $1 and environment = $2 and (until is null or until > $3)
             order by since, kind",
        )
        .bind(app.as_str())
        .bind(environment.as_str())
        .bind(millis(now))
        .fetch_all(&self.pool)
        .await
        .map_err(reading)?;
        found.iter().map(read).collect()
    }
}

/// What keeps this deployment from beginning, if anything does.
pub(super) async fn against(
    tx: &mut AnyConnection,
    deployment: &Deployment,
    now: Timestamp,
) -> Result<Option<Hold>, StoreError> {
    let found = sqlx::query(
        "select * from hold where app = $1 and environment = $2 and (until is null or until > $3) and owner <> $4
         order by since limit 1",
    )
    .bind(deployment.app.as_str())
    .bind(deployment.environment.as_str())
    .bind(millis(now))
    .bind(deployment.asked_by.as_deref().unwrap_or_default())
    .fetch_optional(&mut *tx)
    .await
    .map_err(reading)?;
    found.as_ref().map(read).transpose()
}

/// Sets a hold, in place of one of its kind that is over or of the same owner. False when somebody else's stands.
pub(super) async fn set(
    tx: &mut AnyConnection,
    (app, environment): (&AppName, &EnvironmentName),
    hold: &Hold,
    deployment: Option<&DeploymentId>,
) -> Result<bool, StoreError> {
    let set = sqlx::query(
        "insert into hold (app, environment, kind, owner, reason, since, until, deployment)
         values ($1, $2, $3, $4, $5, $6, $7, $8)
         on conflict (app, environment, kind) do update set owner = excluded.owner, reason = excluded.reason,
             since = excluded.since, until = excluded.until,
             deployment = case when hold.until <= excluded.since then excluded.deployment end
         where hold.owner = excluded.owner or hold.until <= excluded.since",
    )
    .bind(app.as_str())
    .bind(environment.as_str())
    .bind(hold.kind.word())
    .bind(hold.owner.as_str())
    .bind(hold.reason.as_deref())
    .bind(millis(hold.since))
    .bind(hold.until.map(millis))
    .bind(deployment.map(DeploymentId::as_str))
    .execute(&mut *tx)
    .await
    .map_err(writing)?;
    Ok(set.rows_affected() > 0)
}

/// Ends every hold of an environment.
pub(super) async fn end(
    tx: &mut AnyConnection,
    app: &AppName,
    environment: &EnvironmentName,
) -> Result<(), StoreError> {
    sqlx::query("delete from hold where app = $1 and environment = $2")
        .bind(app.as_str())
        .bind(environment.as_str())
        .execute(&mut *tx)
        .await
        .map_err(writing)?;
    Ok(())
}

/// Ends the hold of a rollback that came to nothing.
pub(super) async fn end_of(
    tx: &mut AnyConnection,
    deployment: &DeploymentId,
) -> Result<(), StoreError> {
    sqlx::query("delete from hold where deployment = $1")
        .bind(deployment.as_str())
        .execute(&mut *tx)
        .await
        .map_err(writing)?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Hold, StoreError> {
    Ok(Hold {
        kind: match rows::text(row, "kind")?.as_str() {
            "lock" => HoldKind::Lock,
            "rollback" => HoldKind::Rollback,
            other => return Err(rows::unreadable("kind", &other)),
        },
        owner: rows::text(row, "owner")?,
        reason: rows::maybe_text(row, "reason")?,
        since: rows::time(row, "since")?,
        until: rows::maybe_time(row, "until")?,
    })
}

//! Alarms that rang while releases were watched.

use cutover_deploy::{AppName, DeploymentId, EnvironmentName};
use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::{Store, StoreError, millis, reading, rows, writing};

/// How often an alarm of an environment has rung.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// Of which app.
    pub app: AppName,
    /// And in which of its environments.
    pub environment: EnvironmentName,
    /// Its name in output.
    pub alarm: String,
    /// The deployments in whose watch it rang.
    pub deployments: i64,
}

impl Store {
    /// Notes that an alarm rang in a deployment; the first time counts.
    pub async fn rang(
        &self,
        id: &DeploymentId,
        alarm: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "insert into alarm (deployment, name, at) values ($1, $2, $3)
             on conflict (deployment, name) do nothing",
        )
        .bind(id.as_str())
        .bind(alarm)
        .bind(millis(now))
        .execute(&self.pool)
        .await
        .map_err(writing)?;
        Ok(())
    }

    /// Every alarm that has ever rung, in the order of apps, environments and names.
    pub async fn alarms(&self) -> Result<Vec<Rung>, StoreError> {
        let found = sqlx::query(
            "select deployment.app, deployment.environment, alarm.name, count(*) as deployments
             from alarm join deployment on deployment.id = alarm.deployment
             group by deployment.app, deployment.environment, alarm.name
             order by deployment.app, deployment.environment, alarm.name",
        )
        .fetch_all(&self.pool)
        .await
        .map_err(reading)?;
        let read = |row: &AnyRow| {
            Ok(Rung {
                app: rows::name(row, "app")?,
                environment: rows::name(row, "environment")?,
                alarm: rows::text(row, "name")?,
                deployments: rows::number(row, "deployments")?,
            })
        };
        rows::readable(&found, read)
    }
}

/// The alarms that rang in one deployment, in their order.
pub(super) async fn of(
    tx: &mut AnyConnection,
    id: &DeploymentId,
) -> Result<Vec<String>, StoreError> {
    let found = sqlx::query("select name from alarm where deployment = $1 order by at, name")
        .bind(id.as_str())
        .fetch_all(tx)
        .await
        .map_err(reading)?;
    found.iter().map(|row| rows::text(row, "name")).collect()
}

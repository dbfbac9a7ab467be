//! What was put up on hosts about holds.

use cutover_deploy::{AppName, EnvironmentName};

use super::{Store, StoreError, reading, rows, writing};

impl Store {
    /// What was put up last on the hosts of an environment.
    pub async fn notice(
        &self,
        app: &AppName,
        environment: &EnvironmentName,
    ) -> Result<Option<String>, StoreError> {
        let row = sqlx::query("select hold from notice where app = $1 and environment = $2")
            .bind(app.as_str())
            .bind(environment.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(reading)?;
        row.map(|row| rows::text(&row, "hold")).transpose()
    }

    /// Notes what is about to be put up; `None` once everything is taken down.
    pub async fn note(
        &self,
        app: &AppName,
        environment: &EnvironmentName,
        hold: Option<&str>,
    ) -> Result<(), StoreError> {
        let query = match hold {
            Some(hold) => sqlx::query(
                "insert into notice (app, environment, hold) values ($1, $2, $3)
                 on conflict (app, environment) do update set hold = excluded.hold",
            )
            .bind(app.as_str())
            .bind(environment.as_str())
            .bind(hold),
            None => sqlx::query("delete from notice where app = $1 and environment = $2")
                .bind(app.as_str())
                .bind(environment.as_str()),
        };
        query.execute(&self.pool).await.map_err(writing)?;
        Ok(())
    }
}

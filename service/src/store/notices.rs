//! What was put up on hosts about holds.

use cutover_deploy::{AppName, EnvironmentName};

use super::{Store, StoreError, reading, rows, writing};

impl Store {
    /// The id by which hosts know the holds of this service; the same for as long as the ledger lives.
    pub async fn keeper(&self) -> Result<String, StoreError> {
        let fresh = uuid::Uuid::new_v4().simple().to_string();
        sqlx::query("insert into keeper (id) select $1 where not exists (select 1 from keeper)")
            .bind(fresh)
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        let row = sqlx::query("select id from keeper")
            .fetch_one(&self.pool)
            .await
            .map_err(reading)?;
        rows::text(&row, "id")
    }

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

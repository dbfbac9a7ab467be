//! Running deployments that go back into the queue: the service stops, or somebody else stood in the way.

use cutover_deploy::{DeploymentId, Event, Failure};
use jiff::Timestamp;

use super::{Store, StoreError, deployments, events, millis, outbox, writing};
use crate::report;

/// Why a deployment goes back into the queue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutBack {
    /// It begins anew after the next start.
    #[error("the service stops; this deployment begins anew after its next start")]
    Stop,
    /// A lease or hold of somebody else stood in the way; it is tried again later.
    #[error("it waits and is tried again: {}", .0.line())]
    Held(Failure),
}

impl Store {
    /// Puts a running deployment back into the queue, to be claimed anew, and not before `not_before`.
    pub async fn put_back(
        &self,
        id: &DeploymentId,
        why: &PutBack,
        not_before: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await.map_err(writing)?;
        let row = sqlx::query(
            "update deployment set state = 'queued' where id = $1 and state = 'running' returning *",
        )
        .bind(id.as_str())
        .fetch_optional(&mut *tx)
        .await
        .map_err(writing)?;
        if let Some(row) = row {
            let deployment = deployments::read(&row)?;
            sqlx::query("update deployment set not_before = $1 where id = $2")
                .bind(not_before.map(millis))
                .bind(id.as_str())
                .execute(&mut *tx)
                .await
                .map_err(writing)?;
            let note = Event::Note {
                host: None,
                text: why.to_string(),
            };
            events::append(&mut tx, id, &[note], now).await?;
            if deployment.not_before.is_none() || not_before.is_none() {
                let reports = report::put_back(&deployment, why);
                outbox::write(&mut tx, &deployment, &reports, now).await?;
            }
        }
        tx.commit().await.map_err(writing)?;
        self.changed(id);
        Ok(())
    }
}

//! What happened in a deployment, in order.

use cutover_deploy::{DeploymentId, Event};
use jiff::Timestamp;
use serde::Serialize;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::rows::{self, to_json};
use super::{Store, StoreError, millis, reading, writing};

/// An event as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptEvent {
    /// Rises by one with each event of a deployment, from 1.
    pub seq: i64,
    /// When it was written.
    pub at: Timestamp,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

impl Store {
    /// Adds events to a deployment, in order.
    pub async fn append(
        &self,
        id: &DeploymentId,
        happened: &[Event],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut tx = self.pool.begin().await.map_err(writing)?;
        append(&mut tx, id, happened, now).await?;
        tx.commit().await.map_err(writing)?;
        self.changed(id);
        Ok(())
    }

    /// The events of a deployment that come after `seq`, at most `most`, oldest first.
    pub async fn events(
        &self,
        id: &DeploymentId,
        after: i64,
        most: u32,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        let found =
            sqlx::query("select seq, at, body from event where deployment = $1 and seq > $2 order by seq limit $3")
                .bind(id.as_str())
                .bind(after)
                .bind(i64::from(most))
                .fetch_all(&self.pool)
                .await
                .map_err(reading)?;
        found.iter().map(read).collect()
    }

    /// The last events of a deployment before `seq`, at most `most`, oldest first.
    pub async fn events_before(
        &self,
        id: &DeploymentId,
        seq: i64,
        most: u32,
    ) -> Result<Vec<KeptEvent>, StoreError> {
        let found = sqlx::query(
            "select seq, at, body from event where deployment = $1 and seq < $2 order by seq desc limit $3",
        )
        .bind(id.as_str())
        .bind(seq)
        .bind(i64::from(most))
        .fetch_all(&self.pool)
        .await
        .map_err(reading)?;
        found.iter().rev().map(read).collect()
    }
}

fn read(row: &AnyRow) -> Result<KeptEvent, StoreError> {
    Ok(KeptEvent {
        seq: rows::number(row, "seq")?,
        at: rows::time(row, "at")?,
        event: rows::json(row, "body")?,
    })
}

pub(super) async fn append(
    tx: &mut AnyConnection,
    id: &DeploymentId,
    happened: &[Event],
    now: Timestamp,
) -> Result<(), StoreError> {
    for event in happened {
        sqlx::query(
            "insert into event (deployment, seq, at, body)
             select $1, coalesce(max(seq), 0) + 1, $2, $3 from event where deployment = $4",
        )
        .bind(id.as_str())
        .bind(millis(now))
        .bind(to_json(event))
        .bind(id.as_str())
        .execute(&mut *tx)
        .await
        .map_err(writing)?;
    }
    Ok(())
}

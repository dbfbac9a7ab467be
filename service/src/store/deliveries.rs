//! Deliveries: kept once, together with everything that was decided about them.

use jiff::Timestamp;
use serde_json::{Value, json};

use super::commands::{self, NewCommand};
use super::deployments::{Enqueued, NewDeployment};
use super::{Store, StoreError, deployments, millis, reading, rows, writing};

/// A delivery whose signature and headers are sound.
#[derive(Debug, Clone)]
pub struct NewDelivery<'a> {
    /// `github`.
    pub forge: &'static str,
    /// What the forge calls it; the same on every redelivery.
    pub id: &'a str,
    /// The kind of event.
    pub event: &'a str,
    /// The hook that sent it, where the forge says so.
    pub hook_id: Option<&'a str>,
    /// The body, for events that were acted upon.
    pub body: Option<&'a str>,
    /// When it came.
    pub received_at: Timestamp,
}

/// The answer to a delivery that was acted upon.
const ACTED_UPON: u16 = 202;

/// What the forge was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The HTTP status: 202 for a delivery that was acted upon. Any other is decided anew when it comes again.
    pub status: u16,
    /// The JSON body.
    pub body: Value,
}

/// What became of a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenIn {
    /// It is committed, with its deployments.
    New(Answer, Vec<Enqueued>),
    /// It had come before and was acted upon; this was answered then.
    Duplicate(Answer),
}

impl Store {
    /// Commits a delivery, the deployments that it asks for and the ones that they supersede, all or nothing.
    /// A delivery that was acted upon before changes nothing. One that was not is decided anew: what was ignored may be
    /// wanted since the settings were changed.
    pub async fn take_in(
        &self,
        delivery: &NewDelivery<'_>,
        wanted: &[NewDeployment],
        answer: impl FnOnce(&[Enqueued]) -> Answer,
    ) -> Result<TakenIn, StoreError> {
        self.take_in_all(delivery, wanted, &[], answer).await
    }

    /// Commits a delivery and the commands in it, all or nothing. A delivery that is known changes nothing, and neither
    /// does a new one that tells of a comment that is known.
    pub async fn take_in_commands(
        &self,
        delivery: &NewDelivery<'_>,
        commands: &[NewCommand],
        answer: Answer,
    ) -> Result<TakenIn, StoreError> {
        let taken = self
            .take_in_all(delivery, &[], commands, |_| answer)
            .await?;
        self.commanded.send_replace(());
        Ok(taken)
    }

    async fn take_in_all(
        &self,
        delivery: &NewDelivery<'_>,
        wanted: &[NewDeployment],
        asked: &[NewCommand],
        answer: impl FnOnce(&[Enqueued]) -> Answer,
    ) -> Result<TakenIn, StoreError> {
        if let Some(first) = self.answered(delivery).await? {
            return Ok(TakenIn::Duplicate(first));
        }
        let mut tx = self.pool.begin().await.map_err(writing)?;
        let inserted = sqlx::query(
            "insert into delivery (forge, id, event, hook_id, received_at, body, status, answer)
             values ($1, $2, $3, $4, $5, $6, 0, '{}')
             on conflict (forge, id) do update set event = excluded.event, hook_id = excluded.hook_id,
                 received_at = excluded.received_at, body = excluded.body where delivery.status <> $7",
        )
        .bind(delivery.forge)
        .bind(delivery.id)
        .bind(delivery.event)
        .bind(delivery.hook_id)
        .bind(millis(delivery.received_at))
        .bind(delivery.body)
        .bind(i64::from(ACTED_UPON))
        .execute(&mut *tx)
        .await
        .map_err(writing)?;
        if inserted.rows_affected() == 0 {
            tx.rollback().await.map_err(writing)?;
            let first = self.answered(delivery).await?;
            return first
                .map(TakenIn::Duplicate)
                .ok_or_else(|| rows::unreadable("delivery", &"it is there and not there"));
        }
        let mut enqueued = Vec::new();
        for new in wanted {
            let now = delivery.received_at;
            enqueued.push(deployments::enqueue(&mut tx, new, None, now).await?);
        }
        if let Some(new) = asked.first() {
            let known = commands::of_comment(&mut tx, new).await?;
            if !known.is_empty() {
                tx.rollback().await.map_err(writing)?;
                return Ok(TakenIn::Duplicate(received_before(&known)));
            }
        }
        for new in asked {
            commands::receive(&mut tx, new, delivery.received_at).await?;
        }
        let answer = answer(&enqueued);
        sqlx::query("update delivery set status = $1, answer = $2 where forge = $3 and id = $4")
            .bind(i64::from(answer.status))
            .bind(answer.body.to_string())
            .bind(delivery.forge)
            .bind(delivery.id)
            .execute(&mut *tx)
            .await
            .map_err(writing)?;
        tx.commit().await.map_err(writing)?;
        self.tell(&enqueued);
        Ok(TakenIn::New(answer, enqueued))
    }

    /// Drops the bodies of deliveries that came before `before`; their ids and answers stay.
    pub async fn forget_bodies(&self, before: Timestamp) -> Result<(), StoreError> {
        sqlx::query("update delivery set body = null where body is not null and received_at < $1")
            .bind(millis(before))
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    pub(super) fn tell(&self, enqueued: &[Enqueued]) {
        for new in enqueued {
            self.changed(&new.deployment.id);
            for old in &new.superseded {
                self.changed(&old.id);
            }
        }
        if !enqueued.is_empty() {
            self.queued.notify_one();
        }
    }

    async fn answered(&self, delivery: &NewDelivery<'_>) -> Result<Option<Answer>, StoreError> {
        let row = sqlx::query(
            "select status, answer from delivery where forge = $1 and id = $2 and status = $3",
        )
        .bind(delivery.forge)
        .bind(delivery.id)
        .bind(i64::from(ACTED_UPON))
        .fetch_optional(&self.pool)
        .await
        .map_err(reading)?;
        row.map(|row| {
            Ok(Answer {
                status: u16::try_from(rows::number(&row, "status")?)
                    .map_err(|e| rows::unreadable("status", &e))?,
                body: rows::json(&row, "answer")?,
            })
        })
        .transpose()
    }
}

fn received_before(commands: &[(String, String)]) -> Answer {
    let listed: Vec<_> = commands
        .iter()
        .map(|(id, line)| json!({ "id": id, "line": line }))
        .collect();
    Answer {
        status: ACTED_UPON,
        body: json!({ "result": "commands", "commands": listed }),
    }
}

//! Commands from comments: received with their delivery, decided once, told until the forge has heard the end.

use cutover_deploy::config::ForgeKind;
use cutover_deploy::{CommitSha, DeploymentId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::any::AnyRow;
use tokio::sync::watch;

use super::deployments::NewDeployment;
use super::holds::Hold;
use super::rows::{self, to_json};
use super::{Store, StoreError, deployments, holds, millis, reading, writing};
use crate::chat::{Ask, Place, Refusal, Thread};
use crate::forge::word;

/// A command that is to be judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCommand {
    /// Unique; names it in its reply.
    pub id: String,
    /// The forge.
    pub forge: ForgeKind,
    /// The repository at its forge, `owner/name`.
    pub repository: String,
    /// Whether everybody can read and comment there.
    pub public: bool,
    /// Who wrote it, by login.
    pub author: String,
    /// What the forge calls them for ever, where it says so.
    pub author_id: Option<u64>,
    /// Where.
    pub thread: Thread,
    /// The newest commit of the change at that moment, where the forge says so.
    pub head: Option<CommitSha>,
    /// What the forge calls the comment.
    pub comment: u64,
    /// The line as it was written.
    pub line: String,
    /// What it asks for.
    pub ask: Ask,
}

/// A command as the ledger knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// What was asked.
    pub new: NewCommand,
    /// What was decided, once it was.
    pub decision: Option<Decision>,
    /// The deployment that it led to.
    pub deployment: Option<DeploymentId>,
    /// When it came.
    pub received_at: Timestamp,
    /// The reaction that the forge shows.
    pub reaction: Option<String>,
    /// What the forge calls the reply.
    pub reply: Option<u64>,
    /// What the reply says.
    pub body: Option<String>,
    /// How often the reply was tried since it last went out.
    pub attempts: i64,
}

/// What was decided about a command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// It is not carried out.
    Refused {
        /// Why.
        refusal: Refusal,
        /// Whether nobody is told why: strangers get no comments.
        quiet: bool,
    },
    /// It led to a deployment.
    Queued {
        /// What is deployed or returned to, Markdown.
        what: String,
    },
    /// The environment is held.
    Locked {
        /// Until when, where it ends by itself.
        until: Option<Timestamp>,
    },
    /// The environment is held no longer.
    Unlocked {
        /// What held it.
        ended: Vec<String>,
    },
    /// It was a question.
    Answered {
        /// The answer, Markdown.
        text: String,
    },
}

/// What a decision changes in the ledger.
#[derive(Debug, Clone)]
pub enum Effect {
    /// Nothing.
    None,
    /// A deployment is queued; with a reason to hold, its environment is held from now on.
    Queue {
        /// The deployment.
        new: Box<NewDeployment>,
        /// Whether it holds its environment, as a rollback does.
        hold: Option<Hold>,
    },
    /// An environment is held.
    Hold {
        /// Which.
        place: Place,
        /// The hold.
        hold: Hold,
    },
    /// Nothing holds an environment any more.
    Release {
        /// Which.
        place: Place,
    },
}

impl Store {
    /// Changes whenever commands were received.
    pub fn commanded(&self) -> watch::Receiver<()> {
        self.commanded.subscribe()
    }

    /// The commands that nobody has judged yet, the oldest first.
    pub async fn received(&self, forge: ForgeKind) -> Result<Vec<Command>, StoreError> {
        let text = "select * from command where state = 'received' and forge = $1 order by ordinal";
        let found = sqlx::query(text)
            .bind(word(forge))
            .fetch_all(&self.pool)
            .await
            .map_err(reading)?;
        rows::readable(&found, read)
    }

    /// The decided commands whose end has not been told, and which may be told now, the oldest first.
    pub async fn untold(
        &self,
        forge: ForgeKind,
        now: Timestamp,
    ) -> Result<Vec<Command>, StoreError> {
        let text = "select * from command where state = 'decided' and forge = $1 and next_at <= $2 order by ordinal";
        let found = sqlx::query(text)
            .bind(word(forge))
            .bind(millis(now))
            .fetch_all(&self.pool)
            .await
            .map_err(reading)?;
        rows::readable(&found, read)
    }

    /// When a reply that has to wait may be tried next.
    pub async fn next_reply(&self, forge: ForgeKind) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(
            "select min(next_at) as at from command where state = 'decided' and forge = $1 and next_at > 0",
        )
        .bind(word(forge))
        .fetch_one(&self.pool)
        .await
        .map_err(reading)?;
        rows::maybe_time(&row, "at")
    }

    /// The command that led to a deployment.
    pub async fn command_of(&self, id: &DeploymentId) -> Result<Option<Command>, StoreError> {
        let row = sqlx::query("select * from command where deployment = $1")
            .bind(id.as_str())
            .fetch_optional(&self.pool)
            .await
            .map_err(reading)?;
        row.as_ref().map(read).transpose()
    }

    /// How many commands of this person were refused in silence since `since`.
    pub async fn silences(&self, author: &str, since: Timestamp) -> Result<i64, StoreError> {
        let row = sqlx::query(
            "select count(*) as n from command where author = $1 and received_at > $2 and decision like '%\"quiet\":true%'",
        )
        .bind(author)
        .bind(millis(since))
        .fetch_one(&self.pool)
        .await
        .map_err(reading)?;
        rows::number(&row, "n")
    }

    /// Decides a received command and does what follows from it, all or nothing. Returns false, and changes nothing,
    /// when somebody else's lock came first or the command was decided before.
    pub async fn decide(
        &self,
        command: &Command,
        decision: &Decision,
        effect: &Effect,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.pool.begin().await.map_err(writing)?;
        let decided = sqlx::query(
            "update command set state = 'decided', decision = $1 where id = $2 and state = 'received'",
        )
        .bind(to_json(decision))
        .bind(command.new.id.as_str())
        .execute(&mut *tx)
        .await
        .map_err(writing)?;
        let mut stands = decided.rows_affected() == 1;
        let mut enqueued = Vec::new();
        match effect {
            _ if !stands => {}
            Effect::None => {}
            Effect::Queue { new, hold } => {
                let author = Some(command.new.author.as_str());
                let queued = deployments::enqueue(&mut tx, new, author, now).await?;
                let id = queued.deployment.id.clone();
                enqueued.push(queued);
                if let Some(hold) = hold {
                    let place = (&new.app, &new.environment);
                    stands = holds::set(&mut tx, place, hold, Some(&id)).await?;
                }
                sqlx::query("update command set deployment = $1 where id = $2")
                    .bind(id.as_str())
                    .bind(command.new.id.as_str())
                    .execute(&mut *tx)
                    .await
                    .map_err(writing)?;
            }
            Effect::Hold { place, hold } => {
                stands = holds::set(&mut tx, (&place.app, &place.environment), hold, None).await?;
            }
            Effect::Release { place } => {
                holds::end(&mut tx, &place.app, &place.environment).await?;
            }
        }
        if !stands {
            tx.rollback().await.map_err(writing)?;
            return Ok(false);
        }
        tx.commit().await.map_err(writing)?;
        self.tell(&enqueued);
        // What was held may begin.
        self.queued.notify_one();
        Ok(true)
    }

    /// Notes the reaction that the forge shows.
    pub async fn reacted(&self, id: &str, reaction: &str) -> Result<(), StoreError> {
        sqlx::query("update command set reaction = $1 where id = $2")
            .bind(reaction)
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    /// Notes that a reply is about to go out; should its end not be heard of, it is tried again at `next_at`.
    pub async fn replying(&self, id: &str, next_at: Timestamp) -> Result<(), StoreError> {
        sqlx::query("update command set attempts = attempts + 1, next_at = $1 where id = $2")
            .bind(millis(next_at))
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    /// Notes why a reply has to wait, and until when.
    pub async fn reply_waits(
        &self,
        id: &str,
        next_at: Timestamp,
        why: &str,
    ) -> Result<(), StoreError> {
        sqlx::query("update command set next_at = $1, error = $2 where id = $3")
            .bind(millis(next_at))
            .bind(why)
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }

    /// Notes what the reply says now and what the forge calls it.
    pub async fn replied(&self, id: &str, number: u64, body: &str) -> Result<(), StoreError> {
        sqlx::query(
            "update command set reply = $1, body = $2, attempts = 0, next_at = 0, error = null where id = $3",
        )
        .bind(number.to_string())
        .bind(body)
        .bind(id)
        .execute(&self.pool)
        .await
        .map_err(writing)?;
        Ok(())
    }

    /// Nothing more is to be told of a command; `why` when its reply was given up.
    pub async fn told(&self, id: &str, why: Option<&str>) -> Result<(), StoreError> {
        sqlx::query("update command set state = 'told', error = $1 where id = $2")
            .bind(why)
            .bind(id)
            .execute(&self.pool)
            .await
            .map_err(writing)?;
        Ok(())
    }
}

/// The commands of the comment that this one stands in, by id and line: none unless the comment was read before. A
/// forge sends a comment again by another name when somebody tests a webhook, or when two webhooks tell of it.
pub(super) async fn of_comment(
    tx: &mut sqlx::AnyConnection,
    new: &NewCommand,
) -> Result<Vec<(String, String)>, StoreError> {
    let found = sqlx::query(
        "select id, line from command where forge = $1 and repository = $2 and thread = $3 and comment = $4
         order by ordinal",
    )
    .bind(word(new.forge))
    .bind(new.repository.as_str())
    .bind(to_json(&new.thread))
    .bind(new.comment.to_string())
    .fetch_all(&mut *tx)
    .await
    .map_err(reading)?;
    let named = |row| Ok((rows::text(row, "id")?, rows::text(row, "line")?));
    found.iter().map(named).collect()
}

/// Writes a command down in a transaction that has begun with a write.
pub(super) async fn receive(
    tx: &mut sqlx::AnyConnection,
    new: &NewCommand,
    now: Timestamp,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into command (id, ordinal, forge, repository, public, author, thread, comment, line, ask, author_id,
             head, state, received_at, attempts, next_at)
         select $1, coalesce(max(ordinal), 0) + 1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
             'received', $12, 0, 0 from command",
    )
    .bind(new.id.as_str())
    .bind(word(new.forge))
    .bind(new.repository.as_str())
    .bind(i64::from(new.public))
    .bind(new.author.as_str())
    .bind(to_json(&new.thread))
    .bind(new.comment.to_string())
    .bind(new.line.as_str())
    .bind(to_json(&new.ask))
    .bind(new.author_id.map(|id| id.to_string()))
    .bind(new.head.as_ref().map(CommitSha::as_str))
    .bind(millis(now))
    .execute(&mut *tx)
    .await
    .map_err(writing)?;
    Ok(())
}

fn read(row: &AnyRow) -> Result<Command, StoreError> {
    let number = |column: &'static str, text: String| {
        text.parse::<u64>()
            .map_err(|error| rows::unreadable(column, &error))
    };
    let forge = match rows::text(row, "forge")?.as_str() {
        "github" => ForgeKind::GitHub,
        "gitlab" => ForgeKind::GitLab,
        other => return Err(rows::unreadable("forge", &other)),
    };
    Ok(Command {
        new: NewCommand {
            id: rows::text(row, "id")?,
            forge,
            repository: rows::text(row, "repository")?,
            public: rows::number(row, "public")? != 0,
            author: rows::text(row, "author")?,
            author_id: rows::maybe_text(row, "author_id")?
                .map(|text| number("author_id", text))
                .transpose()?,
            head: rows::maybe_name(row, "head")?,
            thread: rows::json(row, "thread")?,
            comment: number("comment", rows::text(row, "comment")?)?,
            line: rows::text(row, "line")?,
            ask: rows::json(row, "ask")?,
        },
        decision: rows::maybe_json(row, "decision")?,
        deployment: rows::maybe_name(row, "deployment")?,
        received_at: rows::time(row, "received_at")?,
        reaction: rows::maybe_text(row, "reaction")?,
        reply: rows::maybe_text(row, "reply")?
            .map(|text| number("reply", text))
            .transpose()?,
        body: rows::maybe_text(row, "body")?,
        attempts: rows::number(row, "attempts")?,
    })
}

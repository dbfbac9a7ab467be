//! The clerk of one forge: judges what was received, in order, and keeps the reply of every command true until its end
//! is told. A reply is always made from the ledger as it is, so one that could not go out for an hour says what is true
//! afterwards, once.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::desk::{At, Desk, Reaction};
use super::judge::Judge;
use super::prefixes::Prefixes;
use super::reply::{self, Reply};
use crate::forge::pause::{growing, later};
use crate::forge::trouble::{Trouble, Turn};
use crate::settings::App;
use crate::store::{Command, Decision, Effect, Store, StoreError};

pub use super::judge::may_begin;

/// After this long nobody waits for a reply any more.
const GIVEN_UP_AFTER: SignedDuration = SignedDuration::from_hours(72);
/// Looks at least this often, whatever woke it.
const LOOK_AGAIN: Duration = Duration::from_secs(15);
/// What is still to be told when the service stops gets this long.
const LAST_CALLS: Duration = Duration::from_secs(5);
/// A stranger who goes on gets no reaction either; this many in an hour do.
const STRANGER_REACTIONS: i64 = 5;

/// Judges and answers the commands of one forge until it is stopped.
#[derive(Debug)]
pub struct Clerk<D> {
    desk: D,
    store: Store,
    apps: Arc<[App]>,
    public_url: String,
    prefixes: Prefixes,
    /// The forge wants no call before this.
    quiet_until: Option<Timestamp>,
}

impl<D: Desk> Clerk<D> {
    /// A clerk for these apps; `public_url` has no trailing slash.
    pub fn new(
        desk: D,
        store: Store,
        apps: Arc<[App]>,
        public_url: String,
        prefixes: Prefixes,
    ) -> Self {
        Self {
            desk,
            store,
            apps,
            public_url,
            prefixes,
            quiet_until: None,
        }
    }

    /// Judges and answers until `stop`, then tells what is left for a few seconds more.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut changes = self.store.changes();
        let mut commanded = self.store.commanded();
        while !stop.is_cancelled() {
            self.work().await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = tokio::time::sleep(self.pause().await) => {}
                came = commanded.changed() => if came.is_err() { break },
                change = changes.recv() => if matches!(change, Err(RecvError::Closed)) { break },
            }
        }
        let last = async { self.tell_all().await };
        if tokio::time::timeout(LAST_CALLS, last).await.is_err() {
            info!("replies are left for the next start");
        }
    }

    async fn work(&mut self) {
        for done in [self.judge_all().await, self.tell_all().await] {
            if let Err(error) = done {
                let error = anyhow::Error::from(error);
                warn!(
                    error = format!("{error:#}"),
                    "commands cannot be read or noted"
                );
            }
        }
    }

    /// Judges what was received, the oldest first: a lock holds for the command after it.
    async fn judge_all(&self) -> Result<(), StoreError> {
        for command in self.store.received(D::FORGE).await? {
            let now = cutover_deploy::now();
            let judge = Judge {
                desk: &self.desk,
                store: &self.store,
                apps: &self.apps,
                public_url: &self.public_url,
                prefixes: &self.prefixes,
            };
            let (decision, effect) = judge.decide(&command, now).await?;
            if !self.store.decide(&command, &decision, &effect, now).await? {
                // Somebody else's lock came in between: judged again, it is seen.
                let (decision, effect) = judge.decide(&command, now).await?;
                self.store.decide(&command, &decision, &effect, now).await?;
            }
            let queued = matches!(effect, Effect::Queue { .. });
            let code = match &decision {
                Decision::Refused { refusal, .. } => Some(refusal.code.word()),
                _ => None,
            };
            info!(
                command.id = command.new.id,
                author = command.new.author,
                refused = code,
                queued,
                "command {} is decided",
                command.new.id
            );
        }
        Ok(())
    }

    async fn tell_all(&mut self) -> Result<(), StoreError> {
        let now = cutover_deploy::now();
        if self.quiet_until.is_some_and(|until| until > now) {
            return Ok(());
        }
        self.quiet_until = None;
        for command in self.store.untold(D::FORGE, now).await? {
            if let Some(decision) = &command.decision {
                let reply = self.reply(&command, decision, now).await?;
                self.tell(&command, decision, &reply, now).await?;
            }
            if self.quiet_until.is_some() {
                break;
            }
        }
        Ok(())
    }

    async fn reply(
        &self,
        command: &Command,
        decision: &Decision,
        now: Timestamp,
    ) -> Result<Reply, StoreError> {
        let deployment = match &command.deployment {
            Some(id) => self.store.deployment(id).await?,
            None => None,
        };
        let holds = match &deployment {
            Some(found) => {
                self.store
                    .holds(&found.app, &found.environment, now)
                    .await?
            }
            None => Vec::new(),
        };
        Ok(reply::reply(
            command,
            decision,
            deployment.as_ref(),
            &holds,
            &self.prefixes,
        ))
    }

    async fn tell(
        &mut self,
        command: &Command,
        decision: &Decision,
        reply: &Reply,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let id = &command.new.id;
        if let Decision::Refused { quiet: true, .. } = decision {
            let hour_ago = now - SignedDuration::from_hours(1);
            if self.store.silences(&command.new.author, hour_ago).await? > STRANGER_REACTIONS {
                return self.store.told(id, None).await;
            }
        }
        let silent = matches!(decision, Decision::Refused { quiet: true, .. });
        if command.reaction.is_none() && !silent {
            self.react(command, Reaction::Seen).await?;
        }
        if let Some(body) = &reply.body
            && command.body.as_ref() != Some(body)
        {
            let next = later(now, growing(command.attempts));
            self.store.replying(id, next).await?;
            match self.post(command, body, reply.is_final).await {
                Ok(number) => self.store.replied(id, number, body).await?,
                Err(trouble) => return self.not_posted(command, reply, &trouble, now).await,
            }
        }
        if reply.is_final {
            self.react(command, reply.reaction).await?;
            self.store.told(id, None).await?;
        }
        Ok(())
    }

    /// Reactions are decoration: one that fails is not tried again, and nothing else fails by it.
    async fn react(&self, command: &Command, reaction: Reaction) -> Result<(), StoreError> {
        if let Err(trouble) = self.desk.react(at(command), reaction).await {
            info!(command.id = command.new.id, error = %trouble, "a reaction could not be made");
        }
        self.store.reacted(&command.new.id, reaction.word()).await
    }

    /// Writes the reply, or writes it anew. One whose answer was lost is looked for before another is made.
    async fn post(&self, command: &Command, body: &str, is_final: bool) -> Result<u64, Trouble> {
        let at = at(command);
        let known = match command.reply {
            None if command.attempts > 0 => {
                let mark = reply::mark(&command.new.id);
                self.desk
                    .find_answer(at, command.received_at, &mark)
                    .await?
            }
            known => known,
        };
        let Some(number) = known else {
            return self.desk.answer(at, body).await;
        };
        match self.desk.amend(at, number, body).await {
            // Where a comment cannot be edited, or is gone, the end is still told.
            Err(trouble) if trouble.turn == Turn::Never && is_final => {
                self.desk.answer(at, body).await
            }
            Err(trouble) if trouble.turn == Turn::Never => {
                info!(command.id = command.new.id, error = %trouble, "a reply cannot be edited");
                Ok(number)
            }
            amended => amended.map(|()| number),
        }
    }

    async fn not_posted(
        &mut self,
        command: &Command,
        reply: &Reply,
        trouble: &Trouble,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let id = &command.new.id;
        let old = now.duration_since(command.received_at) > GIVEN_UP_AFTER;
        if trouble.turn == Turn::Never || old {
            warn!(command.id = id, error = %trouble, "the reply to a command is given up");
            self.react(command, reply.reaction).await?;
            return self.store.told(id, Some(&trouble.message)).await;
        }
        let next = match trouble.turn {
            Turn::Pause(pause) => {
                let until = later(now, pause);
                self.quiet_until = Some(until);
                until
            }
            _ => later(now, growing(command.attempts)),
        };
        warn!(command.id = id, error = %trouble, next_at = %next, "the reply to a command has to wait");
        self.store.reply_waits(id, next, &trouble.message).await
    }

    /// How long nothing more will be to tell, unless something happens.
    async fn pause(&self) -> Duration {
        let now = cutover_deploy::now();
        let until = self
            .quiet_until
            .or(self.store.next_reply(D::FORGE).await.ok().flatten());
        let pause = until.map(|at| Duration::try_from(at.duration_since(now)).unwrap_or_default());
        pause
            .unwrap_or(LOOK_AGAIN)
            .clamp(Duration::from_millis(50), LOOK_AGAIN)
    }
}

fn at(command: &Command) -> At<'_> {
    At {
        repository: &command.new.repository,
        thread: &command.new.thread,
        comment: command.new.comment,
    }
}

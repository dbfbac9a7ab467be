//! What is decided about a command: who may, what is meant, who holds what. Reads forge, ledger and hosts; changes none.

use cutover_deploy::config::{Environment, ForgeKind};
use cutover_deploy::{CommitSha, DeployRequest, DeploymentId, Kind};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::desk::{Desk, Person, Role};
use super::meant::{self, release};
use super::prefixes::Prefixes;
use super::reply;
use super::{Ask, Back, Code, Place, Refusal, Thread, code};
use crate::forge;
use crate::forge::trouble::{Trouble, Turn};
use crate::settings::App;
use crate::store::{Command, Decision, Effect, Hold, HoldKind, NewDeployment, Store, StoreError};

/// A token that was just renewed, or a line that was cut, gets a second try.
const TRIES: u32 = 2;

/// Why there is no decision: the ledger is out of order, or the command is refused.
pub(super) enum Stopped {
    Refused(Refusal),
    Ledger(StoreError),
}

impl From<Refusal> for Stopped {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<StoreError> for Stopped {
    fn from(error: StoreError) -> Self {
        Self::Ledger(error)
    }
}

/// What a decision is made from.
#[derive(Debug)]
pub(super) struct Judge<'a, D> {
    pub(super) desk: &'a D,
    pub(super) store: &'a Store,
    pub(super) apps: &'a [App],
    pub(super) public_url: &'a str,
    pub(super) prefixes: &'a Prefixes,
}

/// What a person may do, as it counts here: where everybody may read, that says nothing.
async fn role_of<D: Desk>(desk: &D, command: &Command) -> Result<Role, Trouble> {
    let new = &command.new;
    let mut tries = 1;
    let role = loop {
        let person = Person {
            login: &new.author,
            id: new.author_id,
        };
        match desk.role(&new.repository, person).await {
            Err(trouble) if trouble.turn == Turn::Again && tries < TRIES => tries += 1,
            told => break told?,
        }
    };
    Ok(if new.public && role == Role::Read {
        Role::None
    } else {
        role
    })
}

/// Whether who wrote a command may still have it done; asked of the forge at this moment, and no answer is a no.
pub async fn may_begin<D: Desk>(desk: &D, command: &Command) -> Result<(), Refusal> {
    match role_of(desk, command).await {
        Ok(role) if role >= Role::Write => Ok(()),
        Ok(_) => Err(Refusal::new(
            Code::PermissionDenied,
            format!(
                "{} may no longer write to {}",
                command.new.author, command.new.repository
            ),
            Some("Somebody who may write can ask for it again.".to_owned()),
        )),
        Err(trouble) => Err(Refusal::new(
            Code::PermissionUnavailable,
            format!(
                "the forge does not say whether {} may: {trouble}",
                command.new.author
            ),
            Some("Write the command again when the forge answers.".to_owned()),
        )),
    }
}

impl<D: Desk> Judge<'_, D> {
    /// Decides about a received command.
    pub(super) async fn decide(
        &self,
        command: &Command,
        now: Timestamp,
    ) -> Result<(Decision, Effect), StoreError> {
        let (role, quiet) = match role_of(self.desk, command).await {
            Ok(role) => (Ok(role), role == Role::None),
            // Of whom nothing is known, only a reader of a private repository gets an answer.
            Err(trouble) => (Err(trouble), command.new.public),
        };
        let judged = match role {
            Ok(role) => self.judge(command, role, now).await,
            Err(trouble) => {
                let why = format!(
                    "Whether you may could not be found out: {}.",
                    code(&trouble.message)
                );
                let help = "Nothing was done. Write the command again when the forge answers.";
                Err(Refusal::new(Code::PermissionUnavailable, why, Some(help.to_owned())).into())
            }
        };
        match judged {
            Ok(decided) => Ok(decided),
            Err(Stopped::Refused(refusal)) => {
                Ok((Decision::Refused { refusal, quiet }, Effect::None))
            }
            Err(Stopped::Ledger(error)) => Err(error),
        }
    }

    async fn judge(
        &self,
        command: &Command,
        role: Role,
        now: Timestamp,
    ) -> Result<(Decision, Effect), Stopped> {
        let least = match &command.new.ask {
            Ask::Status { .. } | Ask::Help | Ask::Mistake { .. } => Role::Read,
            _ => Role::Write,
        };
        if role < least {
            let needed = match D::FORGE {
                ForgeKind::GitHub => "the right to write",
                ForgeKind::GitLab => "the role Developer",
            };
            let author = code(&command.new.author);
            let why = format!("{author} may not: this needs {needed}.");
            return Err(Refusal::new(Code::PermissionDenied, why, None).into());
        }
        match &command.new.ask {
            Ask::Mistake { refusal } => Err(refusal.clone().into()),
            Ask::Help => Ok((self.help(command), Effect::None)),
            Ask::Status { places } => self.status(places, now).await,
            Ask::Lock {
                place,
                reason,
                minutes,
            } => {
                let until = minutes.map(|minutes| now + SignedDuration::from_mins(minutes.into()));
                self.lock(command, place, reason.as_deref(), until, now)
                    .await
            }
            Ask::Unlock { place, force } => self.unlock(command, place, *force, role, now).await,
            Ask::Deploy { place, target, .. } => {
                self.deploy(command, place, target.as_deref(), now).await
            }
            Ask::Rollback {
                place,
                back,
                reason,
                hold,
            } => {
                let hold =
                    hold.then(|| new_hold(HoldKind::Rollback, command, reason.as_deref(), now));
                self.rollback(command, place, back, hold, now).await
            }
        }
    }

    fn help(&self, command: &Command) -> Decision {
        let ours = self
            .apps
            .iter()
            .filter(|app| app.config.repository.path == command.new.repository);
        let places: Vec<Place> = ours.flat_map(|app| places(&app.config)).collect();
        Decision::Answered {
            text: reply::help(self.prefixes, &places),
        }
    }

    async fn status(&self, asked: &[Place], now: Timestamp) -> Result<(Decision, Effect), Stopped> {
        let mut told = Vec::new();
        for place in asked {
            let Place { app, environment } = place;
            let live = self.store.last_live(app, environment).await?;
            let open = self.store.open_ones(app, environment).await?;
            let holds = self.store.holds(app, environment, now).await?;
            told.push(reply::status(place, live.as_ref(), &open, &holds));
        }
        let text = told.join("\n\n");
        Ok((Decision::Answered { text }, Effect::None))
    }

    async fn lock(
        &self,
        command: &Command,
        place: &Place,
        reason: Option<&str>,
        until: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(Decision, Effect), Stopped> {
        let holds = self
            .store
            .holds(&place.app, &place.environment, now)
            .await?;
        let others = |hold: &&Hold| hold.kind == HoldKind::Lock && hold.owner != command.new.author;
        if let Some(hold) = holds.iter().find(others) {
            return Err(reply::in_the_way(self.prefixes, place, hold).into());
        }
        let mut hold = new_hold(HoldKind::Lock, command, reason, now);
        hold.until = until;
        let effect = Effect::Hold {
            place: place.clone(),
            hold,
        };
        Ok((Decision::Locked { until }, effect))
    }

    async fn unlock(
        &self,
        command: &Command,
        place: &Place,
        force: bool,
        role: Role,
        now: Timestamp,
    ) -> Result<(Decision, Effect), Stopped> {
        let holds = self
            .store
            .holds(&place.app, &place.environment, now)
            .await?;
        if holds.is_empty() {
            let why = format!("Nothing holds `{}`.", place.environment);
            return Err(Refusal::new(Code::NothingToDo, why, None).into());
        }
        let others = holds.iter().find(|hold| hold.owner != command.new.author);
        if let Some(hold) = others
            && !(force && role >= Role::Maintain)
        {
            let mut refusal = reply::in_the_way(self.prefixes, place, hold);
            refusal.code = Code::UnlockDenied;
            return Err(refusal.into());
        }
        let ended = holds.iter().map(Hold::line).collect();
        let effect = Effect::Release {
            place: place.clone(),
        };
        Ok((Decision::Unlocked { ended }, effect))
    }

    async fn deploy(
        &self,
        command: &Command,
        place: &Place,
        target: Option<&str>,
        now: Timestamp,
    ) -> Result<(Decision, Effect), Stopped> {
        self.free_for(command, place, now).await?;
        let commit = self.meant(command, target).await?;
        let short = commit.short();
        let what = match target {
            Some(target) if !commit.as_str().starts_with(target) => {
                format!("{} at `{short}`", code(target))
            }
            _ => format!("`{short}`"),
        };
        let new = self.request(command, place, Kind::Deploy { commit }, now)?;
        let new = Box::new(new);
        Ok((Decision::Queued { what }, Effect::Queue { new, hold: None }))
    }

    async fn rollback(
        &self,
        command: &Command,
        place: &Place,
        back: &Back,
        hold: Option<Hold>,
        now: Timestamp,
    ) -> Result<(Decision, Effect), Stopped> {
        self.free_for(command, place, now).await?;
        let open = self.store.open_ones(&place.app, &place.environment).await?;
        if let Some(other) = open.iter().find(|open| open.commit().is_none()) {
            let url = other.request.run_url.as_deref().unwrap_or_default();
            let why = format!(
                "A rollback of `{}` is {} already: {url}",
                place.environment,
                other.state.word()
            );
            return Err(Refusal::new(Code::Duplicate, why, None).into());
        }
        let (app, environment) = self.place(place)?;
        let to = match back {
            Back::Previous | Back::Steps(1) => None,
            Back::Steps(_) | Back::Named(_) => Some(release(app, environment, back).await?),
        };
        let what = match &to {
            None => "the previous healthy release".to_owned(),
            Some(release) => format!("`{release}`"),
        };
        let new = self.request(command, place, Kind::Rollback { to }, now)?;
        let new = Box::new(new);
        Ok((Decision::Queued { what }, Effect::Queue { new, hold }))
    }

    /// Refuses where somebody else holds the environment.
    async fn free_for(
        &self,
        command: &Command,
        place: &Place,
        now: Timestamp,
    ) -> Result<(), Stopped> {
        let holds = self
            .store
            .holds(&place.app, &place.environment, now)
            .await?;
        match holds.iter().find(|hold| hold.owner != command.new.author) {
            Some(hold) => Err(reply::in_the_way(self.prefixes, place, hold).into()),
            None => Ok(()),
        }
    }

    /// The commit that is meant: what was named, or what the comment stands at.
    async fn meant(&self, command: &Command, target: Option<&str>) -> Result<CommitSha, Refusal> {
        let repository = &command.new.repository;
        let unknown = |trouble: Trouble| {
            let why = format!("The forge could not be asked: {}.", code(&trouble.message));
            Refusal::new(Code::InternalError, why, None)
        };
        let named = match (target, &command.new.thread) {
            (Some(target), _) => target,
            (None, Thread::Commit { sha }) => sha,
            (None, Thread::Change { number } | Thread::Review { number, .. }) => {
                let change = self
                    .desk
                    .change(repository, *number)
                    .await
                    .map_err(unknown)?;
                return meant::head(change, command.new.head.as_ref(), self.prefixes);
            }
        };
        let commit = self.desk.commit(repository, named).await.map_err(unknown)?;
        commit.ok_or_else(|| {
            let why = format!("There is no branch, tag or commit {}.", code(named));
            Refusal::new(Code::StaleRef, why, None)
        })
    }

    fn place(&self, place: &Place) -> Result<(&App, &Environment), Refusal> {
        let app = self.apps.iter().find(|app| app.config.app == place.app);
        let found =
            app.and_then(|app| Some((app, app.config.environments.get(&place.environment)?)));
        found.ok_or_else(|| {
            let why = format!("`{}` is no longer configured.", place.environment);
            Refusal::new(Code::InvalidEnvironment, why, None)
        })
    }

    fn request(
        &self,
        command: &Command,
        place: &Place,
        kind: Kind,
        now: Timestamp,
    ) -> Result<NewDeployment, Refusal> {
        let (app, environment) = self.place(place)?;
        let deployment = DeploymentId::parse(&Uuid::new_v4().to_string())
            .map_err(|bad| Refusal::new(Code::InternalError, bad.to_string(), None))?;
        let forge = forge::word(D::FORGE);
        Ok(NewDeployment {
            app: place.app.clone(),
            environment: place.environment.clone(),
            repository: app.config.repository.path.clone(),
            environment_url: environment.url.clone(),
            branch: None,
            request: DeployRequest {
                run_url: Some(format!("{}/deployments/{deployment}", self.public_url)),
                deployment,
                actor: format!("{forge} comment by {}", command.new.author),
                kind,
                keeper: None,
                plan_digest: None,
                allow_destructive: false,
                requested_at: now,
            },
        })
    }
}

/// The environments of an app.
pub(crate) fn places(config: &cutover_deploy::Config) -> impl Iterator<Item = Place> {
    config.environments.keys().map(|environment| Place {
        app: config.app.clone(),
        environment: environment.clone(),
    })
}

fn new_hold(kind: HoldKind, command: &Command, reason: Option<&str>, now: Timestamp) -> Hold {
    Hold {
        kind,
        owner: command.new.author.clone(),
        reason: reason.map(str::to_owned),
        since: now,
        until: None,
    }
}

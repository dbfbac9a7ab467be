//! A hold on a host: why an environment takes no deployments but its owner's.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::request::DeployRequest;

/// Why a host takes no deployments but the owner's: the body of `.cutover/hold.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// Whose deployments still begin, as their actor names them.
    pub owner: String,
    /// Why, in the owner's words.
    pub reason: Option<String>,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself; never when absent.
    pub until: Option<Timestamp>,
    /// The service whose ledger it stands in, by its id; absent where it was set from a shell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keeper: Option<String>,
    /// What stands in the file, to tell whether it has changed since.
    #[serde(skip)]
    text: String,
}

impl Hold {
    /// A hold that begins now.
    pub fn new(
        owner: String,
        reason: Option<String>,
        since: Timestamp,
        until: Option<Timestamp>,
    ) -> Self {
        Self {
            owner,
            reason,
            since,
            until,
            keeper: None,
            text: String::new(),
        }
    }

    /// The same, kept by a service.
    #[must_use]
    pub fn kept_by(self, keeper: &str) -> Self {
        Self {
            keeper: Some(keeper.to_owned()),
            ..self
        }
    }

    /// What a host keeps. A text that is no hold holds too, for nobody: whoever wrote it meant something.
    pub(crate) fn read(text: &str) -> Self {
        let read = serde_json::from_str(text).unwrap_or_else(|_| Self {
            owner: "somebody".to_owned(),
            reason: Some("what stands in hold.json cannot be read".to_owned()),
            since: Timestamp::UNIX_EPOCH,
            until: None,
            keeper: None,
            text: String::new(),
        });
        Self {
            text: text.to_owned(),
            ..read
        }
    }

    /// What stands in the file.
    #[cfg(feature = "run")]
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Whether it stands in the way of this actor.
    pub fn stops(&self, actor: &str, now: Timestamp) -> bool {
        self.stands(now) && self.owner != actor
    }

    /// Whether it stands in the way of a deployment. The service that keeps it has asked its own ledger.
    pub fn stops_request(&self, request: &DeployRequest, now: Timestamp) -> bool {
        match &self.keeper {
            // Names on a forge and names at a shell are not the same people.
            Some(keeper) => self.stands(now) && request.keeper.as_ref() != Some(keeper),
            None => self.stops(&request.actor, now),
        }
    }

    /// Whether it has not ended by itself.
    pub fn stands(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// What ends it, where it was set in a comment.
    pub fn ended_in_a_comment(&self, environment: &str) -> Option<String> {
        self.keeper.as_ref().map(|_| {
            format!(
                "It was set in a comment: end it there with `/unlock {environment}`, on GitLab with `.unlock {environment}`."
            )
        })
    }

    /// The hold in a few words, as it is named to whoever it stops: `alice since … until …: stocktaking`.
    pub fn line(&self) -> String {
        let time = |at: Timestamp| at.strftime("%F %R UTC").to_string();
        let until = self.until.map(|until| format!(" until {}", time(until)));
        let reason = self.reason.as_ref().map(|reason| format!(": {reason}"));
        format!(
            "{} since {}{}{}",
            self.owner,
            time(self.since),
            until.unwrap_or_default(),
            reason.unwrap_or_default()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_hold_stops_all_but_its_owner_until_it_ends() {
        let since = at("2026-05-20T12:00:00Z");
        let until = Some(at("2026-05-20T14:00:00Z"));
        let hold = Hold::new("alice".to_owned(), None, since, until);
        assert!(hold.stops("bob", at("2026-05-20T13:59:59Z")));
        assert!(!hold.stops("alice", since));
        assert!(!hold.stops("bob", at("2026-05-20T14:00:00Z")));
    }

    #[test]
    fn a_text_that_is_no_hold_stops_everybody() {
        for text in ["", "{}", "alice", r#"{"owner":"bob"}"#] {
            assert!(
                Hold::read(text).stops("bob", Timestamp::UNIX_EPOCH),
                "{text}"
            );
            assert!(
                Hold::read(text).stops("somebody else", Timestamp::MAX),
                "{text}"
            );
        }
    }

    #[test]
    fn it_is_named_with_all_that_is_known() {
        let since = at("2026-05-20T12:00:00Z");
        let until = Some(at("2026-05-20T14:00:00Z"));
        let hold = Hold::new("alice".into(), Some("stocktaking".into()), since, until);
        assert_eq!(
            hold.line(),
            "alice since 2026-05-20 12:00 UTC until 2026-05-20 14:00 UTC: stocktaking"
        );
    }
}

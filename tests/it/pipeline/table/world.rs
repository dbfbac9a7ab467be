//! What has to be true of a host when everything is over, whatever happened to it.

use std::collections::BTreeMap;
use std::fs;

use cutover_deploy::facts::{ReleaseRecord, ReleaseState};
use cutover_deploy::{Outcome, ReleaseId};
use kit::Host;

/// What is live, and what is kept of every release.
#[derive(Debug)]
pub(super) struct World {
    pub(super) live: Option<ReleaseId>,
    records: BTreeMap<ReleaseId, ReleaseRecord>,
    /// Whether the app of a release answers well.
    well: BTreeMap<ReleaseId, bool>,
    incoming: Vec<String>,
}

impl World {
    pub(super) fn look(host: &Host) -> Self {
        let names = |folder: &str| {
            let files = fs::read_dir(host.path().join(folder)).into_iter().flatten();
            let name = |file: fs::DirEntry| file.file_name().to_string_lossy().into_owned();
            files.map(|file| name(file.unwrap())).collect::<Vec<_>>()
        };
        let id = |name: &str| ReleaseId::parse(name).unwrap();
        let records = names(".cutover/releases").into_iter().map(|name| {
            let text = host.read(&format!(".cutover/releases/{name}")).unwrap();
            let record = serde_json::from_str(&text);
            let record = record.unwrap_or_else(|error| panic!("{name}: {error}: {text}"));
            (id(name.strip_suffix(".json").unwrap()), record)
        });
        let well = names("releases").into_iter().map(|name| {
            let file = |file: &str| host.read(&format!("releases/{name}/{file}"));
            let answer = file("health.json").unwrap_or_default();
            let whole = file("REVISION").is_some_and(|text| text.contains(&name))
                && file(".env").is_some()
                && answer.contains(&name);
            (id(&name), whole && answer.contains("\"ok\":true"))
        });
        let link = fs::read_link(host.path().join("current")).ok();
        Self {
            live: link.map(|link| id(link.file_name().unwrap().to_str().unwrap())),
            records: records.collect(),
            well: well.collect(),
            incoming: names(".cutover/incoming"),
        }
    }

    pub(super) fn state(&self, release: &ReleaseId) -> Option<ReleaseState> {
        self.records.get(release).map(|record| record.state)
    }

    /// Everything that is not as it has to be, a line each.
    pub(super) fn untrue(&self) -> Vec<String> {
        let mut untrue = Vec::new();
        for (id, record) in &self.records {
            let state = record.state;
            let lies = match state {
                ReleaseState::Live => self.live.as_ref() != Some(id),
                ReleaseState::Healthy => self.well.get(id) != Some(&true),
                _ => self.live.as_ref() == Some(id),
            };
            if lies {
                untrue.push(format!("{id} is said to be {state:?}"));
            }
            if record.settled && state != ReleaseState::Healthy {
                untrue.push(format!("{id} is said to be settled as {state:?}"));
            }
        }
        if let Some(live) = self
            .live
            .as_ref()
            .filter(|id| !self.records.contains_key(id))
        {
            untrue.push(format!("nothing is said of {live}, which is live"));
        }
        untrue
    }

    /// Releases that were healthy, oldest first.
    pub(super) fn healthy(&self) -> Vec<ReleaseId> {
        let ids = self.records.keys().cloned();
        ids.filter(|id| self.state(id) == Some(ReleaseState::Healthy))
            .collect()
    }

    /// Releases of which it is said that something still goes on with them.
    pub(super) fn unfinished(&self) -> Vec<String> {
        let goes_on = |state| {
            matches!(
                state,
                ReleaseState::Staging | ReleaseState::Ready | ReleaseState::Live
            )
        };
        let records = self.records.iter();
        records
            .filter(|(_, record)| goes_on(record.state))
            .map(|(id, record)| format!("{id} is said to be {:?}", record.state))
            .collect()
    }

    /// Whether the app answers well, or there is none and never was.
    pub(super) fn is_well(&self) -> bool {
        self.live
            .as_ref()
            .is_none_or(|id| self.well.get(id) == Some(&true))
    }

    /// What arrived and was never used.
    pub(super) fn incoming(&self) -> &[String] {
        &self.incoming
    }

    /// What an outcome says and is not so, a line each.
    pub(super) fn belies(&self, outcome: &Outcome, before: &Self) -> Vec<String> {
        let is_live = |id: &ReleaseId| self.live.as_ref() == Some(id);
        let state = |id: &ReleaseId| self.state(id);
        let so = match outcome {
            Outcome::Deployed { release, .. } | Outcome::Unchanged { release } => {
                is_live(release) && state(release) == Some(ReleaseState::Healthy)
            }
            Outcome::RolledBack {
                restored, failed, ..
            } => is_live(restored) && state(failed) == Some(ReleaseState::RolledBack),
            Outcome::Failed { left, .. } if !left.is_empty() => left
                .iter()
                .all(|left| left.current.as_ref().is_none_or(is_live)),
            Outcome::Failed { .. } | Outcome::Cancelled | Outcome::Refused { .. } => {
                self.live == before.live
            }
            Outcome::Superseded => false,
        };
        if so {
            Vec::new()
        } else {
            vec![format!("it is not so: {outcome}")]
        }
    }
}

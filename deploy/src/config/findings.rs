//! The problems found so far, each once and at its place.

use std::collections::BTreeSet;

use super::document::{Document, Spot};
use super::place::Place;
use super::problem::Problem;

/// What is wrong with one value, without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// What is wrong; lower case, no full stop.
    pub(super) message: String,
    /// What to write instead.
    pub(super) help: String,
}

impl Fault {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: help.into(),
        }
    }
}

/// In place of a value whose fault is noted already.
#[derive(Debug, Clone, Copy)]
pub(super) struct Noted;

/// Collects problems. What stands at or below a broken place is not judged again.
pub(super) struct Findings<'d> {
    document: &'d Document<'d>,
    problems: Vec<Problem>,
    broken: BTreeSet<Place>,
}

impl<'d> Findings<'d> {
    pub(super) fn new(document: &'d Document<'d>, problems: Vec<Problem>) -> Self {
        Self {
            document,
            problems,
            broken: BTreeSet::new(),
        }
    }

    /// Notes a fault that leaves nothing at `place` to be judged further.
    pub(super) fn broken(&mut self, place: &Place, spot: Spot, fault: Fault) {
        self.push(place, spot, fault);
        self.broken.insert(place.clone());
    }

    /// Takes `place` as told already, for instance because its key is there with a slip in it.
    pub(super) fn settled(&mut self, place: Place) {
        self.broken.insert(place);
    }

    /// Notes a fault of the value at `place`.
    pub(super) fn add(&mut self, place: &Place, fault: Fault) {
        self.push(place, Spot::Value, fault);
    }

    /// Notes a fault of the key at `place`.
    pub(super) fn add_at_key(&mut self, place: &Place, fault: Fault) {
        self.push(place, Spot::Key, fault);
    }

    /// The value, or nothing once its fault is noted at `place`.
    pub(super) fn take<T>(&mut self, place: &Place, read: Result<T, Fault>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(fault) => {
                self.add(place, fault);
                None
            }
        }
    }

    /// Whether `place` itself or something above it is broken.
    pub(super) fn is_broken(&self, place: &Place) -> bool {
        place.way().any(|place| self.broken.contains(&place))
    }

    /// Whether something in what stands at `place` is broken, so that counting it would mislead.
    pub(super) fn is_broken_below(&self, place: &Place) -> bool {
        let next = self.broken.range(place..).next();
        next.is_some_and(|next| next.segments().starts_with(place.segments()))
    }

    /// All problems in the order of the file.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.problems
            .sort_by_key(|problem| (problem.line, problem.column));
        self.problems
    }

    fn push(&mut self, place: &Place, spot: Spot, fault: Fault) {
        if self.is_broken(place) {
            return;
        }
        let (line, column) = self.document.position(place, spot);
        self.problems.push(Problem {
            line,
            column,
            key: place.to_string(),
            message: fault.message,
            help: Some(fault.help),
        });
    }
}

//! The names that have a grammar. `parse` is the only way in, so whatever holds one of these
//! is safe to use as a path segment, an argument or a log field.

use std::cmp::Ordering;
use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// A text that does not fit the grammar of the name it was meant to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not {what}: {rule}")]
pub struct BadName {
    /// What was wanted, with its article: `a host name`.
    pub what: &'static str,
    /// The text as it came, shortened to 80 characters.
    pub text: String,
    /// The rule that it breaks.
    pub rule: &'static str,
}

impl BadName {
    fn new(what: &'static str, text: &str, rule: &'static str) -> Self {
        Self {
            what,
            text: text.chars().take(80).collect(),
            rule,
        }
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $rule:literal, $check:path) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Reads the name, or says which rule it breaks.
            pub fn parse(text: &str) -> Result<Self, BadName> {
                if $check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadName::new($what, text, $rule))
                }
            }

            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $type {
            type Error = BadName;

            fn try_from(text: String) -> Result<Self, BadName> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

name!(
    /// The name of an app: one repository, one `cutover.toml`.
    #[derive(PartialOrd, Ord)]
    AppName, "an app name", "1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter or digit", is_label
);
name!(
    /// The name of a place an app runs: `production`, `staging`.
    #[derive(PartialOrd, Ord)]
    EnvironmentName, "an environment name", "1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter or digit", is_label
);
name!(
    /// The name by which a host is called in output; not its address.
    #[derive(PartialOrd, Ord)]
    HostName, "a host name", "1 to 63 of a-z, A-Z, 0-9, `.`, `-` and `_`, beginning with a letter or digit", is_host
);
name!(
    /// The name of a database that hosts share; not what the database calls itself.
    #[derive(PartialOrd, Ord)]
    DatabaseName, "a name for a database", "1 to 63 of a-z, 0-9, `-` and `_`, beginning with a letter or digit", is_label
);
name!(
    /// The full SHA-1 of a commit: 40 lower-case hexadecimal digits.
    #[derive(PartialOrd, Ord)]
    CommitSha, "a commit", "40 lower-case hexadecimal digits", is_sha
);
name!(
    /// One immutable directory `releases/<id>`: `20260520T123456Z-1a2b3c4`.
    ///
    /// Trees adopted from other tools have names of their own, so the grammar only demands a safe path segment. In
    /// order of age: names without a time are older than those with one, and are counted as people count.
    ReleaseId, "a release id", "1 to 100 of a-z, A-Z, 0-9, `.`, `-` and `_`, beginning with a letter or digit", is_release
);
name!(
    /// The id of one deployment, unique in the whole service.
    #[derive(PartialOrd, Ord)]
    DeploymentId, "a deployment id", "1 to 63 of a-z, A-Z, 0-9 and `-`", is_deployment
);
name!(
    /// SHA-256 of an artifact's bytes: 64 lower-case hexadecimal digits.
    #[derive(PartialOrd, Ord)]
    Digest, "a digest", "64 lower-case hexadecimal digits", is_digest
);

impl CommitSha {
    /// The first seven digits, as people write them.
    pub fn short(&self) -> &str {
        &self.0[..7]
    }
}

impl ReleaseId {
    /// The id of a release of `commit` made at `at`: UTC to the second, then 7 digits of the commit.
    pub fn of(commit: &CommitSha, at: Timestamp) -> Self {
        Self(format!(
            "{}-{}",
            at.strftime("%Y%m%dT%H%M%SZ"),
            commit.short()
        ))
    }
}

impl ReleaseId {
    /// Whether it has the form of an id that was made here.
    pub fn is_ours(&self) -> bool {
        let commit = self.0.split_once("Z-").map(|(_, commit)| commit);
        self.moment().is_some() && commit.is_some_and(|commit| is_hex(commit, 7))
    }

    /// The digits of the commit in a name that was made here.
    pub(crate) fn commit_digits(&self) -> Option<&str> {
        let (_, digits) = self.0.split_once("Z-")?;
        self.is_ours().then_some(digits)
    }

    /// The time in the name, to the second, as 14 digits: ours, and that of Capistrano and Envoyer.
    pub(crate) fn moment(&self) -> Option<String> {
        let digits = |text: &str, count| {
            text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())
        };
        match self.0.split_once('Z') {
            Some((moment, _)) => {
                let (day, time) = moment.split_once('T')?;
                (digits(day, 8) && digits(time, 6)).then(|| format!("{day}{time}"))
            }
            None => digits(&self.0, 14).then(|| self.0.clone()),
        }
    }

    /// When it was made, to the second, where its name says so.
    pub(crate) fn made_at(&self) -> Option<Timestamp> {
        let moment = DateTime::strptime("%Y%m%d%H%M%S", self.moment()?).ok()?;
        Some(moment.to_zoned(TimeZone::UTC).ok()?.timestamp())
    }

    /// Whether its name says that it was made before `other`, or in the same second.
    pub(crate) fn is_not_after(&self, other: &Self) -> bool {
        self <= other
            || self
                .moment()
                .is_some_and(|moment| other.moment() == Some(moment))
    }

    /// The name in parts that are compared one after another: numbers by their value, the rest as text.
    fn counted(&self) -> Vec<(u64, &str)> {
        let mut parts = Vec::new();
        let mut rest = self.0.as_str();
        while !rest.is_empty() {
            let number = rest.bytes().take_while(u8::is_ascii_digit).count();
            let word = rest[number..]
                .bytes()
                .take_while(|byte| !byte.is_ascii_digit());
            let end = number + word.count();
            parts.push((rest[..number].parse().unwrap_or(0), &rest[number..end]));
            rest = &rest[end..];
        }
        parts
    }
}

impl Ord for ReleaseId {
    fn cmp(&self, other: &Self) -> Ordering {
        let age = self.moment().cmp(&other.moment());
        age.then_with(|| self.counted().cmp(&other.counted()))
            .then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for ReleaseId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

fn only(text: &str, most: usize, more: &str) -> bool {
    let safe = |c: char| c.is_ascii_alphanumeric() || more.contains(c);
    text.len() <= most
        && text.chars().all(safe)
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

fn is_label(text: &str) -> bool {
    only(text, 63, "-_") && !text.contains(|c: char| c.is_ascii_uppercase())
}

fn is_host(text: &str) -> bool {
    only(text, 63, ".-_")
}

fn is_release(text: &str) -> bool {
    only(text, 100, ".-_")
}

fn is_deployment(text: &str) -> bool {
    only(text, 63, "-")
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_sha(text: &str) -> bool {
    is_hex(text, 40)
}

fn is_digest(text: &str) -> bool {
    is_hex(text, 64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_refused() {
        for text in [
            "", "-rf", "../etc", "a b", "a;b", "$(id)", "a\nb", "a/b", ".hidden",
        ] {
            assert!(
                ReleaseId::parse(text).is_err(),
                "{text:?} passed as a release id"
            );
            assert!(
                HostName::parse(text).is_err(),
                "{text:?} passed as a host name"
            );
            assert!(
                EnvironmentName::parse(text).is_err(),
                "{text:?} passed as an environment name"
            );
            assert!(
                DeploymentId::parse(text).is_err(),
                "{text:?} passed as a deployment id"
            );
        }
    }

    #[test]
    fn a_release_id_sorts_by_age() {
        let commit = CommitSha::parse(&"1a2b3c4d5e".repeat(4)).unwrap();
        let early = ReleaseId::of(&commit, "2026-05-20T12:34:56.9Z".parse().unwrap());
        let late = ReleaseId::of(&commit, "2026-05-20T12:34:57Z".parse().unwrap());
        assert_eq!(early.as_str(), "20260520T123456Z-1a2b3c4");
        assert!(early < late);
    }

    #[test]
    fn ids_of_other_tools_sort_by_age_too() {
        let ids = [
            "v1.9",
            "v1.10",
            "1",
            "2",
            "9",
            "10",
            "20240520123456",
            "20260520T123455Z-fffffff",
            "20260520T123456Z-1a2b3c4",
            "20260520123456",
            "20270101000000",
        ];
        let ids = ids.map(|id| ReleaseId::parse(id).unwrap());
        assert!(ids.is_sorted(), "{ids:?}");
        let ours: Vec<_> = ids.iter().filter(|id| id.is_ours()).collect();
        assert_eq!(ours.len(), 2, "{ours:?}");
    }
}

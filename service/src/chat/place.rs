//! Which environment is meant, and which word is which: pure, from words and the environments of the repository.

use cutover_deploy::ReleaseId;

use super::word::{Verb, Words};
use super::{Ask, Back, Code, Place, Refusal, code};

const PRODUCTION: &str = "production";
const LONGEST_TARGET: usize = 200;
/// Digits of a commit that are enough to name it.
const SHORTEST_COMMIT: usize = 7;

/// What the words ask for, given the environments of the repository.
pub(super) fn resolve(words: &Words, known: &[Place]) -> Result<Ask, Refusal> {
    let most = match words.verb {
        Verb::Deploy => 3,
        Verb::Rollback => 2,
        Verb::Lock | Verb::Unlock | Verb::Status => 1,
        Verb::Help => usize::MAX,
    };
    if words.args.len() > most {
        return Err(misused(words, "There are more words than expected."));
    }
    let only = words.args.first().map(String::as_str);
    let seek = Seek { known, words };
    Ok(match words.verb {
        Verb::Help => Ask::Help,
        Verb::Status => Ask::Status {
            places: match only {
                Some(_) => vec![seek.place(only)?],
                None => known.to_vec(),
            },
        },
        Verb::Lock => Ask::Lock {
            place: seek.place(only)?,
            reason: words.reason.clone(),
            minutes: words.minutes,
        },
        Verb::Unlock => Ask::Unlock {
            place: seek.place(only)?,
            force: words.force,
        },
        Verb::Rollback => rollback(seek)?,
        Verb::Deploy => deploy(seek)?,
    })
}

fn rollback(seek: Seek<'_>) -> Result<Ask, Refusal> {
    let words = seek.words;
    let (place, back) = match words.args.as_slice() {
        [] => (seek.place(None)?, Back::Previous),
        [one] => match (seek.named(one), read_back(one)) {
            (None, Some(back)) => (seek.place(None)?, back),
            _ => (seek.place(Some(one))?, Back::Previous),
        },
        [place, back, ..] => {
            let is_number = back.len() <= 2 && back.bytes().all(|b| b.is_ascii_digit());
            let release = || ReleaseId::parse(back).ok().filter(|_| !is_number);
            let back = read_back(back).or_else(|| release().map(Back::Named));
            let back = back.ok_or_else(|| misused(words, "That is no release to return to."))?;
            (seek.place(Some(place))?, back)
        }
    };
    Ok(Ask::Rollback {
        place,
        back,
        reason: words.reason.clone(),
        hold: words.hold,
    })
}

/// A word that can only be a number of steps, a commit or a release.
fn read_back(word: &str) -> Option<Back> {
    if word.len() <= 2
        && let Ok(steps) = word.parse::<u8>()
    {
        return (steps > 0).then_some(Back::Steps(steps));
    }
    let is_commit =
        (SHORTEST_COMMIT..=64).contains(&word.len()) && word.bytes().all(|b| b.is_ascii_hexdigit());
    let begins_with_time = word.len() > 8 && word.bytes().take(8).all(|b| b.is_ascii_digit());
    (is_commit || begins_with_time)
        .then(|| ReleaseId::parse(word).ok().map(Back::Named))
        .flatten()
}

fn deploy(seek: Seek<'_>) -> Result<Ask, Refusal> {
    let words = seek.words;
    let is_to = |word: &str| word.eq_ignore_ascii_case("to");
    let (target, place) = match words.args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => (None, None),
        [to, place] if is_to(to) => (None, Some(place)),
        [target, to, place] if is_to(to) => (Some(target), Some(place)),
        [_, to] | [to] if is_to(to) => return Err(misused(words, "The environment is missing.")),
        [target, place] => (Some(target), Some(place)),
        [one] if seek.named(one).is_some() => (None, Some(one)),
        [one] => (Some(one), None),
        _ => return Err(misused(words, "There are more words than expected.")),
    };
    if let Some(target) = target
        && !is_target(target)
    {
        let why = format!("{} is no branch, tag or commit.", code(target));
        return Err(misused(words, &why));
    }
    let place = match place {
        Some(place) => seek.place(Some(place))?,
        None => seek.harmless(target)?,
    };
    Ok(Ask::Deploy {
        place,
        target: target.map(str::to_owned),
        reason: words.reason.clone(),
    })
}

/// Whether git could call something by this name, which also keeps it a plain part of a URL's path.
fn is_target(text: &str) -> bool {
    let sound = |c: char| c.is_alphanumeric() || "._/-+@#=,".contains(c);
    text.len() <= LONGEST_TARGET
        && text.chars().all(sound)
        && !text.starts_with(['-', '/', '.'])
        && !text.ends_with(['/', '.'])
        && !text.contains("..")
        && !text.contains("//")
}

fn misused(words: &Words, why: &str) -> Refusal {
    let help = format!("Write `{}`.", words.usage);
    Refusal::new(Code::InvalidCommand, why, Some(help))
}

/// Looks for environments.
#[derive(Clone, Copy)]
struct Seek<'a> {
    known: &'a [Place],
    words: &'a Words,
}

impl Seek<'_> {
    /// The environment of this name, or of this app and name.
    fn named(self, word: &str) -> Option<Place> {
        let word = word.to_lowercase();
        let by_name = |place: &&Place| {
            place.environment.as_str() == word
                || format!("{}/{}", place.app, place.environment) == word
        };
        let mut found = self.known.iter().filter(by_name);
        found.next().filter(|_| found.next().is_none()).cloned()
    }

    /// The environment of this name, or the only one there is.
    fn place(self, word: Option<&str>) -> Result<Place, Refusal> {
        let Some(word) = word else {
            if let [only] = self.known {
                return Ok(only.clone());
            }
            let why = format!("Which environment? There is {}.", self.all());
            let help = format!("Write `{}`.", self.words.usage);
            return Err(Refusal::new(Code::InvalidEnvironment, why, Some(help)));
        };
        if let Some(place) = self.named(word) {
            return Ok(place);
        }
        let lower = word.to_lowercase();
        let near = self.known.iter().map(|place| place.environment.as_str());
        let near = near
            .map(|name| (strsim::osa_distance(name, &lower), name))
            .filter(|(distance, name)| *distance > 0 && *distance <= name.len().div_ceil(3))
            .min();
        let help = match near {
            Some((_, name)) => format!("Did you mean `{name}`? There is {}.", self.all()),
            None => format!("There is {}.", self.all()),
        };
        let why = format!("There is no environment {} here.", code(word));
        Err(Refusal::new(Code::InvalidEnvironment, why, Some(help)))
    }

    /// The only environment that is not production: what a deployment may mean without naming one.
    fn harmless(self, target: Option<&str>) -> Result<Place, Refusal> {
        let mut harmless = self
            .known
            .iter()
            .filter(|place| place.environment.as_str() != PRODUCTION);
        if let (Some(only), None) = (harmless.next(), harmless.next()) {
            return Ok(only.clone());
        }
        let why = format!("Which environment? There is {}.", self.all());
        let example = self
            .known
            .first()
            .map_or(PRODUCTION, |place| place.environment.as_str());
        let target = target.map_or_else(String::new, |target| format!("{target} "));
        let help = format!("Write `{}deploy {target}to {example}`.", self.words.prefix);
        Err(Refusal::new(Code::NakedCommandDisabled, why, Some(help)))
    }

    /// The names of all, with the app where one name is not enough.
    fn all(self) -> String {
        let name = |place: &Place| {
            let same = |other: &&Place| other.environment == place.environment;
            if self.known.iter().filter(same).count() > 1 {
                format!("`{}/{}`", place.app, place.environment)
            } else {
                format!("`{}`", place.environment)
            }
        };
        self.known.iter().map(name).collect::<Vec<_>>().join(", ")
    }
}

//! A line becomes a command with its words and flags. Which word is an environment is told elsewhere.

use super::{Code, Prefixes, Refusal, code, printable};

const LONGEST_REASON: usize = 300;
/// A lock that is longer than a month is a decision that belongs somewhere else.
const LONGEST_LOCK_MINUTES: u32 = 30 * 24 * 60;

/// A command with its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) verb: Verb,
    /// What was written before the verb, for hints that work where they are read.
    pub(super) prefix: String,
    /// How the command is written.
    pub(super) usage: String,
    pub(super) args: Vec<String>,
    pub(super) reason: Option<String>,
    pub(super) minutes: Option<u32>,
    pub(super) force: bool,
    pub(super) hold: bool,
}

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Deploy,
    Rollback,
    Lock,
    Unlock,
    Status,
    Help,
}

/// Every word for a verb; the first of each kind is the one that is told.
const VERBS: &[(&str, Verb)] = &[
    ("deploy", Verb::Deploy),
    ("rollback", Verb::Rollback),
    ("lock", Verb::Lock),
    ("unlock", Verb::Unlock),
    ("status", Verb::Status),
    ("help", Verb::Help),
    ("ship", Verb::Deploy),
    ("queue", Verb::Status),
    ("info", Verb::Status),
    ("where", Verb::Status),
    ("wcid", Verb::Status),
];

impl Verb {
    /// How the command is written.
    pub(super) fn usage(self) -> &'static str {
        match self {
            Self::Deploy => "deploy <branch|tag|commit> to <environment>",
            Self::Rollback => "rollback <environment> [steps|commit|release] [--reason …]",
            Self::Lock => "lock <environment> [--for 2h] [--reason …]",
            Self::Unlock => "unlock <environment>",
            Self::Status => "status [environment]",
            Self::Help => "help",
        }
    }

    /// The flags that it takes.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Self::Deploy => &["reason"],
            Self::Rollback => &["reason", "no-lock"],
            Self::Lock => &["reason", "for", "info"],
            Self::Unlock => &["reason", "force"],
            Self::Status | Self::Help => &[],
        }
    }
}

/// The command on a line; none where the line is no command of ours.
pub(super) fn read(line: &str, prefixes: &Prefixes) -> Option<Result<Words, Refusal>> {
    let (prefix, rest) = prefixes.all.iter().find_map(|prefix| {
        let head = line.get(..prefix.len())?;
        head.eq_ignore_ascii_case(prefix)
            .then(|| (prefix.as_str(), &line[prefix.len()..]))
    })?;
    let named = prefix.ends_with(char::is_whitespace);
    let rest = if named { rest.trim_start() } else { rest };
    let (written, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let is_word = !written.is_empty() && written.chars().all(|c| c.is_ascii_alphabetic());
    if !is_word {
        return None;
    }
    let known = |word: &str| {
        let found = VERBS
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(word));
        found.map(|(_, verb)| *verb)
    };
    let Some(verb) = known(written) else {
        return unknown(prefixes, prefix, written).map(Err);
    };
    // `/lock` is GitLab's own; `/deploy lock` is the same everywhere.
    if verb == Verb::Deploy {
        let (second, after) = rest
            .trim_start()
            .split_once(char::is_whitespace)
            .unwrap_or((rest.trim(), ""));
        match known(second) {
            Some(sub) if sub != Verb::Deploy => return Some(words(sub, prefixes, prefix, after)),
            _ if second.eq_ignore_ascii_case("noop") => {
                let why = "A trial run by comment does not exist; nothing was deployed.";
                return Some(Err(Refusal::new(Code::InvalidCommand, why, None)));
            }
            _ => {}
        }
    }
    Some(words(verb, prefixes, prefix, rest))
}

/// Whoever is called by name answers; `/` is shared with other bots, and only near misses are told.
fn unknown(prefixes: &Prefixes, prefix: &str, written: &str) -> Option<Refusal> {
    let named = prefix.ends_with(char::is_whitespace);
    let lower = written.to_ascii_lowercase();
    let near = VERBS.iter().find(|(known, _)| {
        let most = if known.len() >= 6 { 2 } else { 1 };
        strsim::osa_distance(known, &lower) <= most
    });
    if near.is_none() && !named {
        return None;
    }
    let help = match near {
        Some((known, _)) => {
            format!("Did you mean `{}`?", prefixes.written(prefix, known))
        }
        None => format!("`{prefix}help` tells what can be asked."),
    };
    let why = format!("There is no command {}.", code(written));
    Some(Refusal::new(Code::InvalidCommand, why, Some(help)))
}

fn words(verb: Verb, prefixes: &Prefixes, prefix: &str, rest: &str) -> Result<Words, Refusal> {
    let usage = prefixes.written(prefix, verb.usage());
    let bad = |why: String| {
        let help = format!("Write `{usage}`.");
        Refusal::new(Code::InvalidCommand, why, Some(help))
    };
    // A reason may hold anything, also what looks like a flag: it is cut out before anything else is read.
    let (rest, reason) = cut_reason(rest);
    let mut read = Words {
        verb,
        prefix: prefix.to_owned(),
        usage: usage.clone(),
        args: Vec::new(),
        reason,
        minutes: None,
        force: false,
        hold: true,
    };
    if read.reason.is_some() && !verb.flags().contains(&"reason") {
        return Err(bad("`--reason` is of no use here.".to_owned()));
    }
    let mut tokens = rest.split_whitespace();
    while let Some(token) = tokens.next() {
        if token == "|" {
            return Err(bad("Parameters after `|` are not used.".to_owned()));
        }
        let Some(flag) = flag(token) else {
            read.args.push(token.to_owned());
            continue;
        };
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        let name = name.to_ascii_lowercase();
        if !verb.flags().contains(&name.as_str()) {
            return Err(bad(unknown_flag(verb, token, &name)));
        }
        match name.as_str() {
            "for" => {
                let value = value.or_else(|| tokens.next()).unwrap_or_default();
                read.minutes = Some(minutes(value).ok_or_else(|| {
                    bad(format!("{} is no time from `1m` to `30d`.", code(value)))
                })?);
            }
            "force" => read.force = true,
            "no-lock" => read.hold = false,
            _ => {
                read.verb = Verb::Status;
                read.usage = prefixes.written(prefix, read.verb.usage());
            }
        }
    }
    Ok(read)
}

/// The name of a flag, also where a phone made one long dash of two.
fn flag(token: &str) -> Option<&str> {
    token.strip_prefix("--").or_else(|| token.strip_prefix('—'))
}

fn unknown_flag(verb: Verb, token: &str, name: &str) -> String {
    let near = verb
        .flags()
        .iter()
        .find(|known| strsim::osa_distance(known, name) <= 2);
    let meant = near.map_or_else(String::new, |known| format!(" Did you mean `--{known}`?"));
    format!("There is no flag {} here.{meant}", code(token))
}

/// Takes `--reason` and its value out of a line: the rest of the line, or what stands in quotes.
fn cut_reason(rest: &str) -> (String, Option<String>) {
    let is_reason = |token: &str| {
        let name = flag(token).map(|flag| flag.split('=').next().unwrap_or(flag));
        name.is_some_and(|name| name.eq_ignore_ascii_case("reason"))
    };
    let mut from = 0;
    for token in rest.split_whitespace() {
        let Some(at) = rest[from..].find(token).map(|at| from + at) else {
            break;
        };
        from = at + token.len();
        if !is_reason(token) {
            continue;
        }
        let begin = token.find('=').map_or(from, |equals| at + equals + 1);
        let value = rest[begin..].trim_start();
        let quoted = [('"', '"'), ('“', '”')]
            .into_iter()
            .find_map(|(open, close)| value.strip_prefix(open)?.split_once(close));
        let (value, after) = quoted.unwrap_or((value, ""));
        let value: String = printable(value).chars().take(LONGEST_REASON).collect();
        let head = format!("{} {after}", &rest[..at]);
        return (head, Some(value).filter(|value| !value.is_empty()));
    }
    (rest.to_owned(), None)
}

/// The minutes of `30m`, `2h` or `1d`, of at most 30 days.
pub(crate) fn minutes(text: &str) -> Option<u32> {
    let unit = match text.chars().last()?.to_ascii_lowercase() {
        'm' => 1,
        'h' => 60,
        'd' => 24 * 60,
        _ => return None,
    };
    let number: u32 = text[..text.len() - 1].parse().ok()?;
    let minutes = number.checked_mul(unit)?;
    (1..=LONGEST_LOCK_MINUTES)
        .contains(&minutes)
        .then_some(minutes)
}

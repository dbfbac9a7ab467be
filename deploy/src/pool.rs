//! A PHP-FPM pool, as it told of itself over FastCGI, and what it needs to serve a release that was just made live. Pure.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::config::FpmAction;
use crate::health::{self, Answer};

/// The status by which a pool says that it waited for a swap that did not come.
const EARLY: u16 = 425;

/// What a pool told of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    /// The version of PHP.
    pub php: String,
    /// The scripts that its processes ran last, as the web server passed them.
    pub scripts: Vec<String>,
    /// How long a process remembers where a link leads, in seconds.
    pub realpath_cache_seconds: u64,
    /// `opcache.restrict_api`: only scripts below this path may speak to `OPcache`. Empty: all may.
    pub restricted_to: String,
    /// Whether `OPcache` is configured to be on, whatever it answered.
    pub enabled: bool,
    /// Whether its processes can be told to begin anew.
    #[serde(default)]
    pub renews: bool,
    /// Whether one of its processes can wait for a swap.
    #[serde(default)]
    pub waits: bool,
    /// `OPcache`, where it is on and answers.
    pub opcache: Option<Opcache>,
    /// Its extensions, in small letters; told to the doctor only, as all that follows.
    #[serde(default)]
    pub extensions: Option<BTreeSet<String>>,
    /// Whether it can open its own socket, to keep idle processes busy while a swap is made.
    #[serde(default)]
    pub reaches: Option<bool>,
    /// The user that it runs as.
    #[serde(default)]
    pub user: Option<String>,
    /// The process that reloads it.
    #[serde(default)]
    pub master: Option<u32>,
    /// Folders that the app writes to, and its user may not.
    #[serde(default)]
    pub unwritable: Vec<String>,
}

/// The room that `OPcache` has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opcache {
    /// Whether it takes no more scripts.
    pub full: bool,
    /// Memory in use, in bytes.
    pub used_bytes: u64,
    /// Memory that is free, in bytes.
    pub free_bytes: u64,
    /// Memory of scripts that were forgotten, in bytes; a restart gives it back.
    pub wasted_bytes: u64,
    /// Keys in use.
    pub keys: u64,
    /// The most keys that there can be.
    pub most_keys: u64,
}

/// How the web server names the scripts of the live release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Passes {
    /// By the release's own path: nginx's `$realpath_root`.
    Release,
    /// By the path through `current`: nginx's `$document_root`.
    Current,
    /// Nobody has asked for the app yet.
    Unknown,
}

/// What follows after a swap.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Follows {
    /// Nothing. Scripts of removed releases are forgotten one by one.
    Nothing,
    /// Processes begin anew after their request, for each remembers where `current` led; and `OPcache` forgets
    /// everything, for it keeps a script by the path through `current` as well.
    Renew,
    /// `OPcache` forgets everything, as soon as no request runs that began before.
    Reset,
}

impl Pool {
    /// Reads what `ask.php` answered.
    pub fn read(answer: &Answer) -> Result<Self, String> {
        expect(answer)
    }

    /// How the web server names scripts below `root`, by the requests it passed last.
    pub fn passes(&self, root: &str) -> Passes {
        let below = |folder: &str| {
            let folder = format!("{}/{folder}/", root.trim_end_matches('/'));
            self.scripts
                .iter()
                .any(|script| script.starts_with(&folder))
        };
        if below("current") {
            Passes::Current
        } else if below("releases") {
            Passes::Release
        } else {
            Passes::Unknown
        }
    }

    /// What must be done after a swap below `root`, or why it cannot be done.
    pub fn follows(&self, action: FpmAction, root: &str) -> Result<Follows, String> {
        let through_current = match (action, self.passes(root)) {
            (FpmAction::Nothing | FpmAction::Reload, _) | (FpmAction::Auto, Passes::Release) => {
                return Ok(Follows::Nothing);
            }
            (FpmAction::Reset, _) => "",
            (FpmAction::Auto, Passes::Current) => {
                "the web server passes the path of `current`, and "
            }
            (FpmAction::Auto, Passes::Unknown) if self.opcache.is_none() && !self.enabled => {
                return Ok(Follows::Nothing);
            }
            (FpmAction::Auto, Passes::Unknown) => {
                "how the web server passes paths is not known yet, and "
            }
        };
        let renews = self.renews && action == FpmAction::Auto;
        match &self.opcache {
            None if renews && !self.enabled => Ok(Follows::Renew),
            Some(_) if renews => Ok(Follows::Renew),
            Some(_) => Ok(Follows::Reset),
            None if self.enabled && !self.restricted_to.is_empty() => Err(format!(
                "{through_current}OPcache takes no word from here: `opcache.restrict_api` is {:?}",
                self.restricted_to
            )),
            None => Err(format!(
                "{through_current}OPcache is off, so there is nothing to reset: processes remember the old path for {} s",
                self.realpath_cache_seconds
            )),
        }
    }

    /// The pool in one line, for output.
    pub fn line(&self, root: &str) -> String {
        let passes = match self.passes(root) {
            Passes::Release => "the web server passes the release's own path",
            Passes::Current => "the web server passes the path of `current`",
            Passes::Unknown => "no request has told yet which path the web server passes",
        };
        let opcache = match &self.opcache {
            Some(opcache) => opcache.line(),
            None => "OPcache off".to_owned(),
        };
        format!("PHP {}, {opcache}; {passes}", self.php)
    }
}

impl Opcache {
    fn line(&self) -> String {
        let of = self.used_bytes + self.free_bytes + self.wasted_bytes;
        let percent = |part: u64| part * 100 / of.max(1);
        let full = if self.full { ", FULL" } else { "" };
        format!(
            "OPcache {} % used, {} % wasted{full}",
            percent(self.used_bytes),
            percent(self.wasted_bytes)
        )
    }
}

impl Follows {
    /// The word that the pool is asked by after a swap.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Renew => Some("renew"),
            Self::Reset => Some("reset"),
        }
    }

    /// What the pool answered to the word, as a line for output; `None` where it waited for a swap that did not come.
    pub fn followed(self, answer: &Answer) -> Result<Option<String>, String> {
        #[derive(Deserialize)]
        struct Said {
            #[serde(default)]
            reset: bool,
            #[serde(default)]
            renewed: u64,
            #[serde(default)]
            of: u64,
        }
        if answer.status == EARLY {
            return Ok(None);
        }
        let Said { reset, renewed, of } = expect(answer)?;
        if !reset {
            return Err("OPcache did not reset".to_owned());
        }
        Ok(Some(match self {
            Self::Renew => format!("{renewed} of {of} processes begin anew, OPcache is empty"),
            _ => "OPcache was reset".to_owned(),
        }))
    }
}

/// How many scripts `OPcache` forgot.
pub fn forgotten(answer: &Answer) -> Result<u64, String> {
    #[derive(Deserialize)]
    struct Said {
        forgotten: u64,
    }
    Ok(expect::<Said>(answer)?.forgotten)
}

fn expect<T: for<'a> Deserialize<'a>>(answer: &Answer) -> Result<T, String> {
    let said = || answer.body.chars().take(200).collect::<String>();
    if answer.status != 200 {
        return Err(format!(
            "the pool answers HTTP {}: {}",
            answer.status,
            said()
        ));
    }
    serde_json::from_str(answer.body.trim())
        .map_err(|_| format!("the pool answers strangely: {}", said()))
}

/// Reads what a script wrote to FastCGI: the head of the answer and its body.
pub fn answer(written: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(written);
    let (head, body) = text
        .split_once("\r\n\r\n")
        .or_else(|| text.split_once("\n\n"))
        .unwrap_or((&text, ""));
    let status = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("status").then(|| value.trim())
    });
    // Without the field it is 200, by the rules of CGI.
    let status = status.map_or(Some(200), |status| status.split(' ').next()?.parse().ok());
    Answer {
        status: status.unwrap_or(0),
        headers: health::fields(head),
        body: body.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "/srv/app";

    fn pool(scripts: &[&str], on: bool) -> Pool {
        Pool {
            php: "8.2.29".into(),
            scripts: scripts.iter().map(|&script| script.into()).collect(),
            realpath_cache_seconds: 120,
            restricted_to: String::new(),
            enabled: on,
            renews: true,
            waits: true,
            opcache: on.then_some(Opcache {
                full: false,
                used_bytes: 60,
                free_bytes: 30,
                wasted_bytes: 10,
                keys: 5,
                most_keys: 100,
            }),
            extensions: None,
            user: None,
            master: None,
            reaches: None,
            unwritable: Vec::new(),
        }
    }

    fn told(pool: &Pool) -> String {
        let follows = match pool.follows(FpmAction::Auto, ROOT) {
            Ok(follows) => format!("{follows:?}"),
            Err(why) => why,
        };
        format!("{}: {follows}", pool.line(ROOT))
    }

    #[test]
    fn what_follows_is_told_by_the_paths_that_were_passed() {
        let realpath = [
            "/srv/app/releases/r1/public/index.php",
            "/srv/other/current/x.php",
        ];
        let through = [
            "/srv/app/releases/r1/public/index.php",
            "/srv/app/current/public/index.php",
        ];
        let restricted = Pool {
            restricted_to: "/srv/tools".into(),
            opcache: None,
            ..pool(&through, true)
        };
        insta::assert_snapshot!([
            told(&pool(&realpath, true)),
            told(&pool(&through, true)),
            told(&pool(&through, false)),
            told(&Pool { renews: false, ..pool(&through, true) }),
            told(&Pool { renews: false, ..pool(&through, false) }),
            told(&pool(&["/srv/application/current/x.php"], true)),
            told(&pool(&[], false)),
            told(&restricted),
        ].join("\n"), @r#"
        PHP 8.2.29, OPcache 60 % used, 10 % wasted; the web server passes the release's own path: Nothing
        PHP 8.2.29, OPcache 60 % used, 10 % wasted; the web server passes the path of `current`: Renew
        PHP 8.2.29, OPcache off; the web server passes the path of `current`: Renew
        PHP 8.2.29, OPcache 60 % used, 10 % wasted; the web server passes the path of `current`: Reset
        PHP 8.2.29, OPcache off; the web server passes the path of `current`: the web server passes the path of `current`, and OPcache is off, so there is nothing to reset: processes remember the old path for 120 s
        PHP 8.2.29, OPcache 60 % used, 10 % wasted; no request has told yet which path the web server passes: Renew
        PHP 8.2.29, OPcache off; no request has told yet which path the web server passes: Nothing
        PHP 8.2.29, OPcache off; the web server passes the path of `current`: the web server passes the path of `current`, and OPcache takes no word from here: `opcache.restrict_api` is "/srv/tools"
        "#);
    }

    #[test]
    fn a_script_answers_with_a_head_and_a_body() {
        let read = |text: &str| {
            let Answer { status, body, .. } = answer(text.as_bytes());
            format!("{status} {body:?}")
        };
        insta::assert_snapshot!([
            read("Content-type: text/html\r\n\r\nhello\r\n\r\nthere"),
            read("Status: 404 Not Found\r\nContent-type: text/html\r\n\r\nFile not found.\n"),
            read("status: 500\n\nold"),
            read("Status: x\r\n\r\n"),
            read(""),
        ].join("\n"), @r#"
        200 "hello\r\n\r\nthere"
        404 "File not found.\n"
        500 "old"
        0 ""
        200 ""
        "#);
    }

    #[test]
    fn strange_answers_of_a_pool_are_told() {
        let answered = |status, body: &str| Answer {
            status,
            body: body.into(),
            ..Answer::default()
        };
        let said = |answer: &Answer| Follows::Reset.followed(answer).unwrap_err();
        let renewed = |body: &str| Follows::Renew.followed(&answered(200, body)).unwrap();
        insta::assert_snapshot!([
            said(&answered(404, "File not found.\n")),
            said(&answered(200, "<br />Warning")),
            said(&answered(200, r#"{"reset":false}"#)),
            renewed(r#"{"reset":true,"renewed":24,"of":24}"#).unwrap(),
            format!("{:?}", Follows::Renew.followed(&answered(425, ""))),
        ].join("\n"), @"
        the pool answers HTTP 404: File not found.

        the pool answers strangely: <br />Warning
        OPcache did not reset
        24 of 24 processes begin anew, OPcache is empty
        Ok(None)
        ");
    }
}

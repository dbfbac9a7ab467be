//! What the files of a release say of containers that run its workers: how they are started, and how they are stopped.

use std::collections::BTreeMap;

use super::Severity::Loses;
use super::checks::{GRACE, IMAGE_SIGNAL, SHELL_FORM};
use super::seen::App;
use super::work::{Work, severity};
use super::{Diagnosis, Look};

/// What Docker waits before it kills.
const COMPOSE_SECONDS: u64 = 10;
/// What Kubernetes waits.
const POD_SECONDS: u64 = 30;
const COMMANDS: [&str; 3] = ["command", "args", "entrypoint"];

/// Keys of a container below which commands are none of the worker's.
const ASIDE: [&str; 6] = [
    HOOK,
    "postStart",
    "livenessProbe",
    "readinessProbe",
    "startupProbe",
    "initContainers",
];
/// What runs before TERM comes, within the grace.
const HOOK: &str = "preStop";

/// A service of Compose, or an object of Kubernetes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    name: String,
    words: Vec<String>,
    grace_seconds: Option<u64>,
    signal: Option<String>,
    /// The words of its preStop hook.
    hook: Vec<String>,
    init: bool,
    kubernetes: bool,
}

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    let mut images: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (file, line) in &look.seen.images {
        images.entry(file).or_default().push(line.trim());
    }
    for (file, lines) in images {
        image(file, &lines, told);
    }
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (file, line) in &look.seen.yaml {
        files.entry(file).or_default().push(line);
    }
    for (file, lines) in files {
        for block in blocks(&lines) {
            one(look, file, &block, told);
        }
    }
}

/// A service or an object whose command takes jobs.
fn one(look: Look<'_>, file: &str, block: &Block, told: &mut Diagnosis) {
    let Some(work) = Work::read(&block.words).filter(Work::takes_jobs) else {
        return;
    };
    let name = format!("{file}: {}", block.name);
    told.verdict(
        &SHELL_FORM,
        has_shell(&block.words).then(|| shell(&name, block.init)),
    );
    if let Some(signal) = &block.signal {
        let found = format!("{name}: stop_signal: {signal}");
        let mend = "stop_signal: SIGTERM".to_owned();
        let cut = cuts_jobs_off(look, signal);
        told.verdict(&IMAGE_SIGNAL, cut.then_some((Loses, found, mend)));
    }
    let (default, key) = if block.kubernetes {
        (POD_SECONDS, "terminationGracePeriodSeconds: ")
    } else {
        (COMPOSE_SECONDS, "stop_grace_period: ")
    };
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    let Ok(bound) = work.bound(config) else {
        told.blind(&GRACE, format!("{name}: nothing limits a job"));
        return;
    };
    let (grace, longest) = (block.grace_seconds.unwrap_or(default), bound.seconds);
    let hook = slept(&block.hook).unwrap_or(0);
    let found = format!(
        "{}, and a job may take {longest} s",
        gets(&name, grace, hook)
    );
    let unit = if block.kubernetes { "" } else { "s" };
    let mend = format!("{key}{}{unit}", longest + hook + 10);
    let left = grace.saturating_sub(hook);
    let severity = severity(look, bound.told, left);
    told.verdict(&GRACE, (left <= longest).then_some((severity, found, mend)));
}

/// The seconds of a `sleep` in a hook; `None` where there is none, or nobody can tell.
fn slept(hook: &[String]) -> Option<u64> {
    let is_sleep = |word: &String| word.trim_end_matches(':').rsplit('/').next() == Some("sleep");
    let at = hook.iter().position(is_sleep)?;
    let mut after = hook[at + 1..].iter().filter(|word| *word != "seconds:");
    let seconds = after.next()?.trim_end_matches(';');
    seconds.trim_end_matches('s').parse().ok()
}

/// What a worker gets to end, of which a hook may take its part.
pub(super) fn gets(name: &str, grace: u64, hook: u64) -> String {
    if hook == 0 {
        return format!("{name} gets {grace} s");
    }
    let left = grace.saturating_sub(hook);
    format!("{name} gets {left} s after its preStop hook of {hook} s")
}

/// The finding that a shell is before PHP.
pub(super) fn shell(name: &str, init: bool) -> (super::Severity, String, String) {
    let init = if init {
        ", and `init: true` makes it worse: the shell dies at once, and the job with it"
    } else {
        ""
    };
    let found = format!("{name} starts its worker under a shell, which keeps TERM to itself{init}");
    let mend = r#"["php", "artisan", "queue:work"], or `exec php …` in the shell"#;
    (Loses, found, mend.to_owned())
}

/// Whether a signal ends work instead of asking for its end. QUIT is the right one for PHP-FPM.
pub(super) fn cuts_off(signal: &str) -> bool {
    let signal = signal.trim_start_matches("SIG");
    matches!(signal, "KILL" | "9" | "INT" | "2" | "HUP" | "1")
}

/// The same of a worker: before Laravel 10 none finishes its job on QUIT.
pub(super) fn cuts_jobs_off(look: Look<'_>, signal: &str) -> bool {
    let app = look.seen.app.as_ref();
    let major = app.and_then(App::laravel_major);
    let quit = matches!(signal.trim_start_matches("SIG"), "QUIT" | "3");
    cuts_off(signal) || (quit && major.is_some_and(|major| major < 10))
}

/// The lines of a Dockerfile. Without one for it the signal is TERM.
fn image(file: &str, lines: &[&str], told: &mut Diagnosis) {
    told.verdict(&IMAGE_SIGNAL, None);
    for line in lines {
        let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match word {
            "STOPSIGNAL" => {
                let rest = rest.trim();
                let found = format!("{file}: STOPSIGNAL {rest}");
                let mend = "STOPSIGNAL SIGTERM".to_owned();
                let cut = cuts_off(rest).then_some((Loses, found, mend));
                told.verdict(&IMAGE_SIGNAL, cut);
            }
            "CMD" | "ENTRYPOINT" => starts(file, word, rest.trim(), told),
            _ => {}
        }
    }
}

/// A command of a Dockerfile.
fn starts(file: &str, word: &str, rest: &str, told: &mut Diagnosis) {
    let mut command = words(rest);
    if !rest.starts_with('[') {
        command.splice(0..0, ["sh".to_owned(), "-c".to_owned()]);
    }
    if Work::read(&command).is_some_and(|work| work.takes_jobs()) {
        let name = format!("{file}: {word}");
        told.verdict(
            &SHELL_FORM,
            has_shell(&command).then(|| shell(&name, false)),
        );
    }
}

/// The words of a command, however it is written.
fn words(text: &str) -> Vec<String> {
    let marks = |c: char| c.is_whitespace() || "[],\"'".contains(c);
    let words = text
        .split(marks)
        .filter(|word| !matches!(*word, "" | "-" | "|" | ">"));
    words.map(str::to_owned).collect()
}

/// Whether a shell stays between whoever stops a command and the command.
fn has_shell(words: &[String]) -> bool {
    words.windows(3).any(|three| {
        is_shell(&three[0])
            && three[1].starts_with('-')
            && three[1].ends_with('c')
            && three[2] != "exec"
    })
}

pub(super) fn is_shell(word: &str) -> bool {
    let program = word.rsplit('/').next().unwrap_or_default();
    matches!(program, "sh" | "bash" | "ash" | "dash")
}

/// The services of a Compose file, or the objects of a file for Kubernetes. A look at the text: what is not written as
/// everybody writes it is not seen.
fn blocks(lines: &[&str]) -> Vec<Block> {
    let compose = lines.iter().any(|line| line.starts_with("services:"));
    let mut blocks: Vec<Block> = Vec::new();
    let (mut inside, mut service_at) = (!compose, None);
    // The key whose value goes on below it, and how far it is indented.
    let mut open: Option<(&str, usize)> = None;
    for line in lines {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        if indent == 0 && compose && text.ends_with(':') {
            inside = text == "services:";
            open = None;
            continue;
        }
        if !compose && text == "---" {
            blocks.push(Block::default());
            open = None;
            continue;
        }
        if !inside {
            continue;
        }
        if compose && text.ends_with(':') && *service_at.get_or_insert(indent) == indent {
            let name = text.trim_end_matches(':').to_owned();
            blocks.push(Block {
                name,
                ..Block::default()
            });
            open = None;
            continue;
        }
        if blocks.is_empty() {
            blocks.push(Block::default());
        }
        let Some(block) = blocks.last_mut() else {
            break;
        };
        block.kubernetes = !compose;
        match open {
            Some((key, at)) if indent > at || (indent == at && text.starts_with('-')) => {
                block.go_on(key, text.trim_start_matches("- "));
            }
            _ => {
                let bare = text.trim_start_matches("- ");
                let (key, value) = bare.split_once(':').unwrap_or((bare, ""));
                block.take(key, value.trim());
                let goes_on = COMMANDS.contains(&key) || ASIDE.contains(&key);
                open = goes_on.then_some((key, indent));
            }
        }
    }
    blocks
}

impl Block {
    /// Takes in a key with what stands on its line.
    fn take(&mut self, key: &str, value: &str) {
        match key {
            _ if COMMANDS.contains(&key) => self.words.extend(words(value)),
            "init" => self.init = value == "true",
            "stop_grace_period" => self.grace_seconds = seconds(value),
            "stop_signal" => self.signal = words(value).pop(),
            "terminationGracePeriodSeconds" => self.grace_seconds = value.parse().ok(),
            "kind" => value.clone_into(&mut self.name),
            "name" if self.kubernetes && !self.name.contains(' ') => {
                self.name = format!("{} {value}", self.name);
            }
            _ => {}
        }
    }

    /// Takes in a line below a key.
    fn go_on(&mut self, key: &str, text: &str) {
        match key {
            HOOK => self.hook.extend(words(text)),
            _ if ASIDE.contains(&key) => {}
            _ => self.words.extend(words(text)),
        }
    }
}

/// `1h30m10s` of Compose.
fn seconds(text: &str) -> Option<u64> {
    let (mut whole, mut number) = (0, String::new());
    for c in text.trim_matches(['"', '\'']).chars() {
        let unit = match c {
            '0'..='9' => {
                number.push(c);
                continue;
            }
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        whole += number.parse::<u64>().ok()? * unit;
        number.clear();
    }
    Some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(text: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let of = |block: Block| {
            let shell = if has_shell(&block.words) {
                " under a shell"
            } else {
                ""
            };
            let grace = block
                .grace_seconds
                .map_or("-".to_owned(), |seconds| seconds.to_string());
            let hook = slept(&block.hook).map_or(String::new(), |hook| format!("-{hook}"));
            let signal = block
                .signal
                .map_or(String::new(), |signal| format!(", {signal}"));
            format!(
                "{}: {}{shell}, {grace}{hook}{signal}, init {}",
                block.name,
                block.words.join(" "),
                block.init
            )
        };
        blocks(&lines)
            .into_iter()
            .map(of)
            .collect::<Vec<_>>()
            .join("\n")
    }

    #[test]
    fn services_of_compose_are_read_as_people_write_them() {
        insta::assert_snapshot!(told(
            "services:\n  worker:\n    image: shop\n    command: [\"php\", \"artisan\", \"queue:work\", \"--timeout=90\"]\n    \
             stop_grace_period: 1m40s\n  mail:\n    init: true\n    stop_signal: \"SIGINT\"\n    command:\n      - sh\n      - -c\n      - php artisan queue:work\n  \
             web:\n    command: php artisan queue:work redis\nvolumes:\n  data:\n    name: x"
        ), @"
        worker: php artisan queue:work --timeout=90, 100, init false
        mail: sh -c php artisan queue:work under a shell, -, SIGINT, init true
        web: php artisan queue:work redis, -, init false
        ");
    }

    #[test]
    fn objects_of_kubernetes_are_read_as_people_write_them() {
        insta::assert_snapshot!(told(
            "kind: Service\nmetadata:\n  name: web\n---\nkind: Deployment\nmetadata:\n  name: worker\nspec:\n  template:\n    spec:\n      \
             terminationGracePeriodSeconds: 3700\n      initContainers:\n      - command: [\"php\", \"artisan\", \"migrate\"]\n      \
             containers:\n      - name: worker\n        livenessProbe:\n          exec:\n            command: [\"sh\", \"-c\", \"pgrep php\"]\n        \
             lifecycle:\n          preStop:\n            exec:\n              command: [\"sh\", \"-c\", \"sleep 15\"]\n        command: [\"/bin/sh\", \"-ec\"]\n        \
             args:\n        - exec php artisan queue:work"
        ), @"
        Service web: , -, init false
        Deployment worker: /bin/sh -ec exec php artisan queue:work, 3700-15, init false
        ");
    }

    #[test]
    fn of_a_hook_only_a_sleep_tells_how_long_it_takes() {
        let slept = |text: &str| slept(&words(text));
        for text in [
            r#"["sleep", "15"]"#,
            r#"["sh", "-c", "/bin/sleep 15; true"]"#,
            "exec: command: - sleep - 15s",
            "sleep: seconds: 15",
        ] {
            assert_eq!(slept(text), Some(15), "{text}");
        }
        assert_eq!(slept("php artisan horizon:terminate"), None);
        assert_eq!(slept("sleep $LONG"), None);
    }
}

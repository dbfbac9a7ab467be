//! What the files of a release say of containers that run its workers: how they are started, and how they are stopped.

use std::collections::BTreeMap;

use super::Severity::Loses;
use super::checks::{GRACE, IMAGE_SIGNAL, SHELL_FORM};
use super::work::{Longest, Work};
use super::{Diagnosis, Look};

/// What Docker waits before it kills.
const COMPOSE_SECONDS: u64 = 10;
/// What Kubernetes waits.
const POD_SECONDS: u64 = 30;
const COMMANDS: [&str; 3] = ["command", "args", "entrypoint"];

/// A service of Compose, or an object of Kubernetes.
#[derive(Debug, Default, PartialEq, Eq)]
struct Block {
    name: String,
    words: Vec<String>,
    grace_seconds: Option<u64>,
    init: bool,
    kubernetes: bool,
}

pub(super) fn judge(look: Look<'_>, told: &mut Diagnosis) {
    for (file, line) in &look.seen.images {
        image(file, line.trim(), told);
    }
    let mut files: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (file, line) in &look.seen.yaml {
        files.entry(file).or_default().push(line);
    }
    let config = look.seen.app.as_ref().and_then(|app| app.config.as_ref());
    for (file, lines) in files {
        for block in blocks(&lines) {
            let Some(work) = Work::read(&block.words).filter(Work::takes_jobs) else {
                continue;
            };
            let name = format!("{file}: {}", block.name);
            told.verdict(
                &SHELL_FORM,
                has_shell(&block.words).then(|| shell(&name, block.init)),
            );
            let (default, key) = if block.kubernetes {
                (POD_SECONDS, "terminationGracePeriodSeconds: ")
            } else {
                (COMPOSE_SECONDS, "stop_grace_period: ")
            };
            let Longest::Limit(longest) = work.longest(config) else {
                told.blind(&GRACE, format!("{name}: nothing limits a job"));
                continue;
            };
            let (grace, longest) = (block.grace_seconds.unwrap_or(default), longest.as_secs());
            let found = format!("{name} gets {grace} s, and a job may take {longest} s");
            let unit = if block.kubernetes { "" } else { "s" };
            let mend = format!("{key}{}{unit}", longest + 10);
            told.verdict(&GRACE, (grace <= longest).then_some((Loses, found, mend)));
        }
    }
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

/// A line of a Dockerfile.
fn image(file: &str, line: &str, told: &mut Diagnosis) {
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let rest = rest.trim();
    if word == "STOPSIGNAL" {
        let found = format!("{file}: STOPSIGNAL {rest}");
        let mend = "STOPSIGNAL SIGTERM".to_owned();
        told.verdict(
            &IMAGE_SIGNAL,
            cuts_off(rest).then_some((Loses, found, mend)),
        );
        return;
    }
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
    let mut open: Option<usize> = None;
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
        if open.is_some_and(|at| indent > at || (indent == at && text.starts_with('-'))) {
            block.words.extend(words(text.trim_start_matches("- ")));
            continue;
        }
        open = None;
        let (key, value) = text
            .trim_start_matches("- ")
            .split_once(':')
            .unwrap_or((text, ""));
        let value = value.trim();
        match key {
            _ if COMMANDS.contains(&key) => {
                block.words.extend(words(value));
                open = Some(indent);
            }
            "init" => block.init = value == "true",
            "stop_grace_period" => block.grace_seconds = seconds(value),
            "terminationGracePeriodSeconds" => block.grace_seconds = value.parse().ok(),
            "kind" => value.clone_into(&mut block.name),
            "name" if !compose && !block.name.contains(' ') => {
                block.name = format!("{} {value}", block.name);
            }
            _ => {}
        }
    }
    blocks
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
            format!(
                "{}: {}{shell}, {grace}, init {}",
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
             stop_grace_period: 1m40s\n  mail:\n    init: true\n    command:\n      - sh\n      - -c\n      - php artisan queue:work\n  \
             web:\n    command: php artisan queue:work redis\nvolumes:\n  data:\n    name: x"
        ), @"
        worker: php artisan queue:work --timeout=90, 100, init false
        mail: sh -c php artisan queue:work under a shell, -, init true
        web: php artisan queue:work redis, -, init false
        ");
    }

    #[test]
    fn objects_of_kubernetes_are_read_as_people_write_them() {
        insta::assert_snapshot!(told(
            "kind: Service\nmetadata:\n  name: web\n---\nkind: Deployment\nmetadata:\n  name: worker\nspec:\n  template:\n    spec:\n      \
             terminationGracePeriodSeconds: 3700\n      containers:\n      - name: worker\n        command: [\"/bin/sh\", \"-ec\"]\n        \
             args:\n        - exec php artisan queue:work"
        ), @"
        Service web: , -, init false
        Deployment worker: /bin/sh -ec exec php artisan queue:work, 3700, init false
        ");
    }
}

//! The key that a host offers to whoever asks: what a reader compares and pins. Never trusted here.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::config::Host;
use crate::run::Access;

/// Asking takes at most this long; a refusal that names no key is as good.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same for one answer of the host, in seconds, as `ssh-keyscan` wants it.
const ANSWER_SECONDS: &str = "5";
/// The key types that are asked for, best first.
const TYPES: [&str; 3] = ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"];

/// What a host offers as its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Offer {
    /// A key.
    Key {
        /// `SHA256:` and its digest, as `ssh-keygen -l` shows it.
        fingerprint: String,
        /// The line of a `known_hosts` file that pins it.
        line: String,
    },
    /// It is reached through another host or program, which cannot be asked in passing.
    Behind,
    /// It did not say, or the tools to ask it are not there.
    Unknown,
}

/// How `ssh` would reach a host, settings of its own configuration included.
#[derive(Debug, Default)]
struct Route {
    host: String,
    alias: Option<String>,
    behind: bool,
}

/// Asks a host for its key, as `ssh-keyscan` does.
pub(crate) async fn offer(host: &Host, access: &Access) -> Offer {
    let asked = tokio::time::timeout(PATIENCE, ask(host, access)).await;
    asked.unwrap_or(Offer::Unknown)
}

async fn ask(host: &Host, access: &Access) -> Offer {
    let port = host.address.port.to_string();
    let Some(route) = route(host, &port, access.ssh_config.as_deref()).await else {
        return Offer::Unknown;
    };
    if route.behind {
        return Offer::Behind;
    }
    let types = "ed25519,ecdsa,rsa";
    let options = ["-T", ANSWER_SECONDS, "-t", types, "-p", &port, "--"];
    let mut scan = Command::new("ssh-keyscan");
    scan.args(options).arg(&route.host);
    let Some(scanned) = output(scan, None).await else {
        return Offer::Unknown;
    };
    let name = known_as(&route, host.address.port);
    let Some(line) = best(&name, &scanned) else {
        return Offer::Unknown;
    };
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-l", "-E", "sha256", "-f", "-"]);
    let said = output(keygen, Some(&line)).await.unwrap_or_default();
    match said.split(' ').find(|word| word.starts_with("SHA256:")) {
        Some(fingerprint) => Offer::Key {
            fingerprint: fingerprint.to_owned(),
            line,
        },
        None => Offer::Unknown,
    }
}

async fn route(host: &Host, port: &str, config: Option<&Path>) -> Option<Route> {
    let mut ssh = Command::new("ssh");
    ssh.args(["-G", "-p", port]);
    if let Some(user) = &host.address.user {
        ssh.args(["-l", user]);
    }
    if let Some(config) = config {
        ssh.arg("-F").arg(config);
    }
    ssh.arg("--").arg(&host.address.host);
    Some(read_route(&output(ssh, None).await?))
}

/// Reads what `ssh -G` prints.
fn read_route(printed: &str) -> Route {
    let mut route = Route::default();
    for (key, value) in printed.lines().filter_map(|line| line.split_once(' ')) {
        match key {
            "hostname" => value.clone_into(&mut route.host),
            "hostkeyalias" => route.alias = Some(value.to_owned()),
            "proxyjump" | "proxycommand" if value != "none" => route.behind = true,
            _ => {}
        }
    }
    route
}

/// The name that `ssh` looks for in a `known_hosts` file.
fn known_as(route: &Route, port: u16) -> String {
    match (&route.alias, port) {
        (Some(alias), _) => alias.clone(),
        (None, 22) => route.host.clone(),
        (None, port) => format!("[{}]:{port}", route.host),
    }
}

/// The line that pins the best of the keys that `ssh-keyscan` printed. Whatever is no key is no part of it.
fn best(name: &str, scanned: &str) -> Option<String> {
    let keys = scanned.lines().filter_map(|line| {
        let mut words = line.split(' ');
        let (_, kind, key) = (words.next()?, words.next()?, words.next()?);
        let rank = TYPES.iter().position(|known| *known == kind)?;
        let plain = |c: char| c.is_ascii_alphanumeric() || "+/=".contains(c);
        key.chars().all(plain).then_some((rank, kind, key))
    });
    let (_, kind, key) = keys.min()?;
    Some(format!("{name} {kind} {key}"))
}

/// What a program prints, unless it cannot be run or fails.
async fn output(mut command: Command, input: Option<&str>) -> Option<String> {
    command.env("LC_ALL", "C").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::null()).spawn().ok()?;
    let mut stdin = child.stdin.take()?;
    if let Some(input) = input {
        stdin
            .write_all(format!("{input}\n").as_bytes())
            .await
            .ok()?;
    }
    drop(stdin);
    let output = child.wait_with_output().await.ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(lines: &str) -> Route {
        read_route(&format!("hostname 192.0.2.7\n{lines}"))
    }

    #[test]
    fn the_line_has_the_name_that_ssh_looks_for() {
        assert_eq!(known_as(&route(""), 22), "192.0.2.7");
        assert_eq!(known_as(&route(""), 2222), "[192.0.2.7]:2222");
        assert_eq!(known_as(&route("hostkeyalias web1"), 2222), "web1");
    }

    #[test]
    fn a_host_behind_another_is_told_apart() {
        assert!(!route("proxycommand none").behind);
        assert!(route("proxyjump gate").behind);
        assert!(route("proxycommand nc %h %p").behind);
    }

    #[test]
    fn only_keys_are_taken_and_the_best_of_them() {
        let scanned = "# 192.0.2.7:22 SSH-2.0\nx ssh-rsa AAAB\nx ssh-ed25519 AAAC`id`\nx ecdsa-sha2-nistp256 AAAE\nx odd A";
        assert_eq!(
            best("web1", scanned).as_deref(),
            Some("web1 ecdsa-sha2-nistp256 AAAE")
        );
        assert_eq!(best("web1", "x ssh-dss AAAA\nx"), None);
    }
}

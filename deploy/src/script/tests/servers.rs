//! Servers that keep the app in memory, under managers that are a few lines of shell.

use std::fmt::Write as _;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use insta::assert_snapshot;

use super::super::{LINE, PROOF, server_recipe};
use super::{Script, Stage};
use crate::config::Manager;

/// What may stand behind `sh` on a host.
pub(super) const SHELLS: [&[&str]; 3] = [&["dash"], &["bash", "--posix"], &["busybox", "sh"]];

/// An artisan whose child, and nobody else, has what was opened as its stdin.
const LISTENS: &str = "exec 3<&0; sleep 61 <&3 & exec 0</dev/null 3<&-; wait";

/// An artisan whose server goes on when it is told to end, as Swoole does for Octane's timer, and keeps what was opened as
/// its stdin and stdout.
const LINGERS: &str = r#"exec 3<&0
sh -c 'trap "" TERM; while :; do sleep 0.05 || :; done' server <&3 3<&- &
trap 'kill -KILL $!; exit' TERM
exec 0</dev/null >/dev/null 3<&-
while :; do sleep 0.05 || :; done"#;

/// An artisan that survives its server, as Octane's does under Swoole.
const SURVIVES: &str = r#"log=${0%/*}/log
serve="trap 'echo \$0 >>$log; exit' TERM; while :; do sleep 0.05 || :; done"
sh -c "$serve" server &
exec sh -c "$serve" command artisan "$@""#;

impl Stage {
    /// A host with a release, its artisan and nothing that runs.
    pub(super) fn serving(artisan: &str) -> Self {
        let stage = Self::with("", "");
        fs::create_dir_all(stage.0.join("releases/new")).unwrap();
        fs::create_dir(stage.0.join("bin")).unwrap();
        fs::write(stage.0.join("releases/new/artisan"), artisan).unwrap();
        stage
    }

    pub(super) fn program(&self, name: &str, text: &str) {
        let path = self.0.join("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Has a shell run the release's artisan, by a line with `artisan` in it.
    fn starts(&self, line: &str, stdin: Stdio) -> Child {
        self.starts_with(line, stdin, Stdio::null())
    }

    fn starts_with(&self, line: &str, stdin: Stdio, stdout: Stdio) -> Child {
        let release = self.0.join("releases/new");
        let artisan = release.join("artisan");
        let line = line.replace("artisan", artisan.to_str().unwrap());
        let mut shell = Command::new("sh");
        shell.args(["-c", &line]).current_dir(release).stdin(stdin);
        shell.stdout(stdout).spawn().unwrap()
    }

    fn asks(&self, shell: &[&str], manager: Manager, words: &[&str]) -> Output {
        let path = self.0.join("bin");
        let text = server_recipe(manager);
        let text = format!("PATH={}:$PATH\n{text}", path.display());
        let mut asked = Command::new(shell[0]);
        asked.args(&shell[1..]).args(["-euc", &text]);
        asked.args([manager.word(), words[0]]).arg(&self.0);
        let settings = "hand_over drain\nlistens yes\ngrace 5";
        asked.args(["shop", "no", settings]).args(&words[1..]);
        asked.output().unwrap()
    }

    /// One after another is to follow `new`, within so many seconds.
    fn turns(&self, expect: &str, seconds: &str) -> (Option<i32>, String) {
        let said = self.says(Script::Servers, &["new", expect, seconds, PROOF]);
        let asked = fs::read_to_string(self.0.join("asked")).unwrap();
        (said.status.code(), asked)
    }
}

/// Those that are on this machine.
pub(super) fn shells() -> impl Iterator<Item = &'static [&'static str]> {
    SHELLS.into_iter().filter(|shell| is_there(shell))
}

pub(super) fn is_there(shell: &[&str]) -> bool {
    let mut asked = Command::new(shell[0]);
    let said = asked.args(&shell[1..]).args(["-c", ":"]).status();
    said.is_ok_and(|status| status.success())
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The states by the commands of a server under systemd that listens at a port.
fn states(shell: &[&str]) -> String {
    let mut states = String::new();
    for words in [
        "",
        "--port=PORT",
        "--env=x --port PORT",
        "--port=",
        "--port=9",
    ] {
        let stage = Stage::serving(LISTENS);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let line = format!("exec sh artisan octane:start {words}").replace("PORT", &port);
        let mut server = stage.starts(&line, OwnedFd::from(listener).into());
        let pid = server.id();
        stage.program("systemctl", &format!("printf '%s\\n' Id=shop.service LoadState=loaded ActiveState=active MainPID={pid} UnitFileState=enabled NRestarts=3"));
        sleep(Duration::from_millis(300));
        let listed = stage.asks(shell, Manager::Systemd, &["list"]);
        let listed = said(&listed).replace(&format!(" {pid} "), " PID ");
        writeln!(states, "[{words}] {}", listed.trim_end()).unwrap();
        let pid = pid.to_string();
        let killed = stage.asks(shell, Manager::Systemd, &["kill", "shop.service", &pid]);
        assert!(killed.status.success(), "{killed:?}");
        server.wait().unwrap();
    }
    states
}

#[test]
fn a_server_under_systemd_is_up_when_its_family_listens_at_the_port_of_its_command() {
    let shells = shells();
    let mut told: Vec<String> = shells.map(states).collect();
    told.dedup();
    assert_snapshot!(told.join("--\n"), @"
    [] shop.service RUNNING PID new ? 3
    [--port=PORT] shop.service RUNNING PID new ? 3
    [--env=x --port PORT] shop.service RUNNING PID new ? 3
    [--port=] shop.service RUNNING PID new ? 3
    [--port=9] shop.service STARTING PID new ? 3
    ");
}

#[test]
fn the_server_below_octane_is_told_to_end_before_its_command_whatever_wraps_it() {
    for line in [
        "exec sh artisan octane:start",
        "exec sh artisan --env=production octane:start",
        "sh artisan octane:start --port=8000 | cat",
        "exec sh -c 'shift 2; \"$@\"; :' doppler run -- sh artisan octane:start",
    ] {
        for shell in shells() {
            let stage = Stage::serving(SURVIVES);
            let mut server = stage.starts(line, Stdio::null());
            sleep(Duration::from_millis(200));
            let pid = server.id().to_string();
            let told = stage.asks(shell, Manager::Supervisor, &["end", "shop", &pid]);
            assert!(told.status.success(), "{told:?}");
            server.wait().unwrap();
            let log = fs::read_to_string(stage.0.join("releases/new/log")).unwrap();
            assert_eq!(log, "server\ncommand\n", "{line} by {shell:?}");
        }
    }
}

#[test]
fn a_supervisor_that_cannot_be_asked_is_no_group_without_servers() {
    for shell in shells() {
        let stage = Stage::serving("");
        stage.program("supervisorctl", "echo refused; exit 4");
        let listed = stage.asks(shell, Manager::Supervisor, &["list"]);
        assert_eq!(listed.status.code(), Some(69), "{shell:?}: {listed:?}");
    }
}

#[test]
fn a_server_of_the_release_that_never_comes_up_is_killed_and_its_neighbour_is_not() {
    let stage = Stage::with("mail:1 STARTING 1 new 1\nmail:2 RUNNING 2 new 1\n", "");
    let (exit, asked) = stage.turns("2", "2");
    assert_eq!((exit, asked.as_str()), (Some(0), "kill mail:1 1\n"));
}

#[test]
fn nobody_is_told_to_end_while_fewer_run_than_are_to_run() {
    let stage = Stage::with("mail:1 RUNNING 1 old 1\n", "");
    assert_eq!(stage.turns("2", "1"), (Some(70), String::new()));
}

#[test]
fn one_that_hangs_is_killed_after_its_share_and_the_next_has_its_turn() {
    let stage = Stage::with("mail:1 RUNNING 1 old 1\nmail:2 RUNNING 2 old 1\n", "");
    fs::write(stage.0.join("deaf"), "").unwrap();
    assert_snapshot!(stage.turns("2", "6").1, @"
    end mail:1 1
    kill mail:1 1
    end mail:2 2
    kill mail:2 2
    ");
}

#[test]
fn one_that_is_not_up_is_told_though_fewer_run_than_are_to_run() {
    let stage = Stage::with("mail:1 STARTING 1 old 1\nmail:2 RUNNING 2 old 1\n", "");
    let began = Instant::now();
    let (exit, asked) = stage.turns("2", "30");
    assert_eq!(
        (exit, asked.as_str()),
        (Some(0), "end mail:1 1\nend mail:2 2\n")
    );
    assert!(began.elapsed() < Duration::from_secs(9));
}

#[test]
fn one_of_another_user_is_named_at_once() {
    let stage = Stage::with("mail:1 HIDDEN 1 new 1\n", "");
    let said = stage.says(Script::Servers, &["new", "1", "30", PROOF]);
    let why = String::from_utf8(said.stderr).unwrap();
    assert_eq!(said.status.code(), Some(77), "{why}");
    assert!(why.contains("what runs is hidden"), "{why}");
}

#[test]
fn what_another_user_runs_is_listed_as_hidden() {
    // Only root can be somebody else.
    let id = Command::new("id").arg("-u").output().unwrap();
    if said(&id) != "0\n" {
        return;
    }
    let stage = Stage::serving("");
    let mut server = Command::new("sleep").arg("61").spawn().unwrap();
    let pid = server.id();
    stage.program("systemctl", &format!("printf '%s\\n' Id=shop.service LoadState=loaded ActiveState=active MainPID={pid} UnitFileState=enabled NRestarts=0"));
    let nobody = [
        "setpriv",
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "sh",
    ];
    let runs = stage.asks(&nobody, Manager::Systemd, &["list"]);
    server.kill().unwrap();
    // It has ended, and nobody has asked for its status.
    let status = format!("/proc/{pid}/status");
    while fs::read_to_string(&status).unwrap().contains("VmSize:") {}
    let ended = stage.asks(&nobody, Manager::Systemd, &["list"]);
    server.wait().unwrap();
    let told = |state: &str| format!("shop.service {state} {pid} ? ? 0\n");
    assert_eq!(said(&runs), told("HIDDEN"), "{runs:?}");
    assert_eq!(said(&ended), told("STARTING"), "{ended:?}");
}

/// How long it takes to end a server that listens and has this connection.
fn ends_in(shell: &[&str], listener: TcpListener, connection: TcpStream) -> Duration {
    let stage = Stage::serving(LINGERS);
    let connection = OwnedFd::from(connection).into();
    let listener = OwnedFd::from(listener).into();
    let line = "exec sh artisan octane:start";
    let mut server = stage.starts_with(line, listener, connection);
    sleep(Duration::from_millis(300));
    let began = Instant::now();
    let pid = server.id().to_string();
    let told = stage.asks(shell, Manager::Supervisor, &["end", "shop", &pid]);
    assert!(told.status.success(), "{told:?}");
    let took = began.elapsed();
    server.wait().unwrap();
    took
}

#[test]
fn a_server_waits_for_who_asks_it_and_not_for_its_own_connections() {
    for shell in shells() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let database = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = TcpStream::connect(database.local_addr().unwrap()).unwrap();
        let took = ends_in(shell, listener, own);
        assert!(took < Duration::from_secs(3), "{shell:?}: {took:?}");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _who_asks = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (asked, _) = listener.accept().unwrap();
    let took = ends_in(&["sh"], listener, asked);
    assert!(took > Duration::from_secs(3), "{took:?}");
}

#[test]
fn a_line_that_hangs_proves_nothing_and_ends_in_time() {
    for timeout in ["timeout", "busybox"] {
        let stage = Stage::serving("");
        if timeout == "busybox" && is_there(&["busybox", "sh"]) {
            // It ends only the process that it started.
            stage.program("timeout", "exec busybox timeout \"$@\"");
        }
        let (bin, text) = (stage.0.join("bin"), Script::Prove.text());
        let text = format!("PATH={}:$PATH\n{text}", bin.display());
        let began = Instant::now();
        let mut prove = Command::new("sh");
        prove.args(["-euc", &text, "prove", "1", LINE]);
        prove.arg(&stage.0);
        let said = prove.args(["new", "production", "", "r1", "web1", "sleep 61; :"]);
        let said = said.output().unwrap();
        assert_eq!(said.status.code(), Some(70), "{said:?}");
        assert!(began.elapsed() < Duration::from_secs(20), "{timeout}");
    }
}

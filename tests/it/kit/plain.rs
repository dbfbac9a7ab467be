//! A host without PHP: the way in, its pictures, its end.

use std::time::Duration;

use insta::assert_snapshot;
use kit::{Daemon, Host, HostOptions, wait_for};

#[tokio::test]
async fn a_command_over_ssh_is_counted_by_sshd_itself() {
    let host = Host::start(HostOptions::plain("web1")).await;
    host.over_ssh("true").await;
    host.mark();
    assert_eq!((host.connections(), host.exec_channels()), (0, 0));
    let output = host
        .over_ssh("echo \"$HOME\"; command -v sudo; cat /proc/$$/comm")
        .await;
    let said = String::from_utf8_lossy(&output.stdout)
        .replace(&host.dir().display().to_string(), "<host>");
    // The deploying user's own profiles are not read, and the stand-ins come first.
    assert!(said.starts_with("<host>/home\n<host>/bin/sudo\n"), "{said}");
    assert_eq!((host.connections(), host.exec_channels()), (1, 1));
    host.close().await;
}

#[tokio::test]
async fn a_picture_shows_what_a_deployment_changes() {
    let host = Host::start(HostOptions::plain("web1")).await;
    assert_snapshot!(host.picture().await, @"nothing");
    host.sh(
        "mkdir -p releases/20260520T123456Z-bbbbbbb releases/20260520T123457Z-aaaaaaa shared/storage
        ln -s releases/20260520T123457Z-aaaaaaa current; echo secret >shared/.env",
    )
    .await;
    assert_snapshot!(host.picture().await, @r"
    current -> releases/2
    releases/1/
    releases/2/
    shared/.env
    shared/storage/
    ");
    host.sh(
        "mkdir -p .cutover/releases releases/20260520T123458Z-ccccccc; echo 3 >.cutover/fence; : >.cutover/lock
        echo '{\"state\":\"healthy\"}' >.cutover/releases/20260520T123458Z-ccccccc.json
        ln -sfn releases/20260520T123458Z-ccccccc current; rm -r releases/20260520T123456Z-bbbbbbb",
    )
    .await;
    assert_snapshot!(host.picture().await, @r"
    current -> releases/3
    releases/2/
    releases/3/
    shared/.env
    shared/storage/
    .cutover/fence 3
    .cutover/lock free
    .cutover/releases/3.json healthy
    ");
    host.close().await;
}

#[tokio::test]
async fn what_a_deployment_left_behind_is_told() {
    let host = Host::start(HostOptions::plain("web1")).await;
    assert_eq!(host.left_over(), [""; 0]);

    host.sh("mkdir .cutover; : >.cutover/lock").await;
    let mut holder = host.ssh();
    holder.arg(format!(
        "exec flock {}/.cutover/lock cat",
        host.path().display()
    ));
    let mut line = holder.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let seen = wait_for(
        "a line, a command and a lock",
        Duration::from_secs(10),
        async || {
            let left = host.left_over().join("\n");
            let all = ["process", "sshd", " cat", "a lock on"]
                .iter()
                .all(|part| left.contains(part));
            if all { Ok(left) } else { Err(left) }
        },
    );
    let seen = seen.await;
    assert!(
        host.picture().await.contains(".cutover/lock held"),
        "{seen}"
    );
    drop(line.stdin.take());
    line.wait().await.unwrap();

    host.over_ssh("setsid sleep 300 </dev/null >/dev/null 2>&1 & true")
        .await;
    // Before it is itself, it is a shell and `setsid`, and cannot be read in between.
    let alone = |left: &String| left.contains("sleep 300") && !left.contains("setsid");
    let sleeps = wait_for("what sleeps", Duration::from_secs(10), async || {
        let left = host.left_over();
        if left.len() == 1 && left.iter().all(alone) {
            Ok(())
        } else {
            Err(left.join("\n"))
        }
    });
    sleeps.await;
    let (dir, closed) = (host.dir().to_owned(), tokio::spawn(host.close()).await);
    let panic = closed.unwrap_err().into_panic();
    let words = panic.downcast_ref::<String>().unwrap();
    assert!(
        words.contains("nothing left over on web1") && words.contains("sleep 300"),
        "{words}"
    );
    assert!(!dir.exists(), "a host goes even when its closing fails");
}

#[tokio::test]
async fn a_dropped_host_takes_everything_with_it() {
    let host = Host::start(HostOptions::plain("web1")).await;
    host.over_ssh("setsid sleep 300 </dev/null >/dev/null 2>&1 & true")
        .await;
    let (dir, sshd) = (host.dir().to_owned(), host.pid(Daemon::Sshd).unwrap());
    let sleeper = host.left_over().join("\n");
    let sleeper: i32 = sleeper.split(' ').nth(1).unwrap().parse().unwrap();
    drop(host);
    assert!(!dir.exists());
    for pid in [sshd, sleeper] {
        // A zombie, which only its adoptive parent can bury, has no command line any more.
        let line = std::fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        assert_eq!(line, "", "{pid} still runs");
    }
}

#[tokio::test]
async fn a_host_that_is_left_running_can_be_ended_by_hand() {
    let host = Host::start(HostOptions::plain("web1")).await;
    let (dir, port) = (host.dir().to_owned(), host.ssh_port());
    let end = host.leave_running();
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_ok());
    let ended = tokio::process::Command::new("sh")
        .args(["-c", &end])
        .status()
        .await
        .unwrap();
    assert!(ended.success() && !dir.exists(), "{end}");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
}

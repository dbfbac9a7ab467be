//! Machines boot, are reached, break and come back, and nothing of them stays.

mod apps;
mod cut;
mod deploy;
mod doctor;
mod fleet;
pub(crate) mod provision;
mod rights;
mod workers;

use std::path::Path;
use std::time::{Duration, Instant};

use kit::machine::{Machine, MachineOptions};
use kit::{Cut, FIRST, Repo, program, wait_for};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

/// What `cutover` says to these words, with the `cutover.toml` of a folder; it must end with `code`.
pub(crate) async fn cutover(machine: &Machine, dir: &Path, words: &[&str], code: i32) -> String {
    let mut cutover = tokio::process::Command::new(program("cutover"));
    cutover
        .args(words)
        .arg("--config")
        .arg(dir.join("cutover.toml"));
    cutover.arg("--ssh-key").arg(machine.key_file());
    cutover.arg("--known-hosts").arg(machine.known_hosts());
    let said = cutover.kill_on_drop(true).output().await.unwrap();
    let text = [said.stdout, said.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert_eq!(said.status.code(), Some(code), "{text}");
    text
}

/// The same, for a deployment of what is on `main`.
pub(crate) async fn deploy_main(machine: &Machine, repo: &Repo, dir: &Path, code: i32) -> String {
    let (url, work) = (repo.url(), dir.join("work"));
    let work = work.to_str().unwrap();
    let from = ["--repository", &url, "--work-dir", work];
    let words = [["deploy", "production", "main"].as_slice(), &from].concat();
    cutover(machine, dir, &words, code).await
}

async fn machine(name: &str) -> Machine {
    Machine::start(MachineOptions::named(name)).await
}

#[tokio::test]
async fn two_machines_are_reached_by_ssh_with_strict_host_keys() {
    let (web1, web2) = tokio::join!(machine("web1"), machine("web2"));
    for host in [&web1, &web2] {
        host.mark().await;
        let answer = host.over_ssh("hostname; whoami; pwd").await;
        let said = String::from_utf8(answer.stdout).unwrap();
        assert_eq!(said, format!("{}\ndeploy\n/home/deploy\n", host.name()));
        assert_eq!(
            (host.connections().await, host.exec_channels().await),
            (1, 1)
        );
    }
    // Each has a key of its own: the one is not taken for the other.
    let mut mixed = tokio::process::Command::new("ssh");
    mixed.args([
        "-F",
        "none",
        "-o",
        "BatchMode=yes",
        "-o",
        "StrictHostKeyChecking=yes",
        "-o",
    ]);
    mixed.arg(format!(
        "UserKnownHostsFile={}",
        web2.known_hosts().display()
    ));
    mixed
        .arg("-i")
        .arg(web1.key_file())
        .arg(format!("deploy@{}", web1.ip()))
        .arg("true");
    assert_eq!(mixed.output().await.unwrap().status.code(), Some(255));
    web1.close().await;
    web2.close().await;
}

#[tokio::test]
async fn php_fpm_is_reloaded_by_systemd_through_sudo() {
    let host = machine("web1").await;
    let workers = "pgrep --full '^php-fpm: pool www'";
    let before = host.sh(workers).await;
    let reload = host
        .over_ssh("sudo -n /usr/bin/systemctl reload php8.2-fpm")
        .await;
    assert!(reload.status.success(), "{reload:?}");
    wait_for(
        "new workers of PHP-FPM",
        Duration::from_secs(10),
        async || {
            let now = host.try_sh(workers).await;
            let now = String::from_utf8_lossy(&now.stdout).into_owned();
            let all_new = now.lines().count() == 4
                && before.lines().all(|pid| !now.lines().any(|new| new == pid));
            if all_new {
                Ok(())
            } else {
                Err(format!("before:\n{before}now:\n{now}"))
            }
        },
    )
    .await;
    let refused = host
        .over_ssh("sudo -n /usr/bin/systemctl stop php8.2-fpm")
        .await;
    assert!(
        !refused.status.success(),
        "only what the sudoers file names is allowed"
    );
    host.close().await;
}

#[tokio::test]
async fn nginx_serves_what_current_leads_to() {
    let host = machine("web1").await;
    host.write(
        "releases/20260101T000000Z-0000000/public/index.php",
        "<?php echo 'one', PHP_EOL;",
    );
    host.sh("ln -s releases/20260101T000000Z-0000000 current")
        .await;
    let body = reqwest::get(host.http_url())
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    assert_eq!(body, "one\n");
    insta::assert_snapshot!(host.picture().await, @"
    current -> releases/1
    releases/1/
    ");
    host.close().await;
}

#[tokio::test]
async fn a_machine_that_crashed_comes_back_with_its_state() {
    let host = machine("web1").await;
    host.write("shared/.env", "APP_ENV=production\n");
    let mut line = host
        .ssh()
        .arg("echo begun; exec sleep 600")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // A line that is still being made would hear that nobody is there.
    let mut said = BufReader::new(line.stdout.take().unwrap());
    said.read_line(&mut String::new()).await.unwrap();
    host.crash().await;
    assert!(!host.over_ssh("true").await.status.success());
    assert!(
        line.try_wait().unwrap().is_none(),
        "whoever was connected heard nothing of the crash"
    );
    host.reboot_after_crash().await;
    assert_eq!(
        host.read("shared/.env").as_deref(),
        Some("APP_ENV=production\n")
    );
    // Its sshd may turn somebody away in its first moment.
    wait_for(
        "the machine to let in",
        Duration::from_secs(20),
        async || {
            let said = host.over_ssh("true").await;
            if said.status.success() {
                Ok(())
            } else {
                Err(format!("{said:?}"))
            }
        },
    )
    .await;
    line.kill().await.unwrap();
    host.close().await;
}

#[tokio::test]
async fn a_machine_powers_off_in_order_and_on_again() {
    let host = machine("web1").await;
    host.power_off().await;
    assert!(!host.over_ssh("true").await.status.success());
    host.power_on().await;
    assert!(host.over_ssh("true").await.status.success());
    host.close().await;
}

#[tokio::test]
async fn a_cut_cable_stops_ssh_and_a_mended_one_lets_it_through() {
    let host = machine("web1").await;
    let quick = |host: &Machine| {
        let mut ssh = host.ssh();
        // The first value that ssh reads of an option counts, so this one comes by an option of its own.
        ssh.args(["-o", "ConnectionAttempts=1", "true"]);
        ssh
    };
    host.cut_cable().await;
    assert_eq!(quick(&host).status().await.unwrap().code(), Some(255));
    host.mend_cable().await;
    assert_eq!(quick(&host).status().await.unwrap().code(), Some(0));
    host.refuse().await;
    let refused = quick(&host).output().await.unwrap();
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("Connection refused"),
        "{refused:?}"
    );
    host.mend_cable().await;
    host.lose(20).await;
    assert_eq!(quick(&host).status().await.unwrap().code(), Some(0));
    host.close().await;
}

#[tokio::test]
async fn a_machine_is_not_closed_while_a_command_of_a_dead_line_runs_on() {
    let host = machine("web1").await;
    let line = host
        .over_ssh("sleep 600 </dev/null >/dev/null 2>&1 & echo $!")
        .await;
    assert!(line.status.success());
    let left = host.left_over().await;
    assert!(left.contains("sleep 600"), "{left:?}");
    host.sh_as_root("pkill sleep").await;
    host.close().await;
}

#[tokio::test]
async fn the_sample_app_is_live_with_its_workers_under_the_real_supervisor() {
    let host = Machine::start(MachineOptions::laravel("web1")).await;
    let (status, health) = host.health().await;
    assert_eq!(status, 200, "{health}");
    let workers = host.workers().await;
    assert!(
        workers.len() == 2 && workers.iter().all(|worker| worker.release == FIRST),
        "{workers:?}"
    );
    let restarted = host
        .over_ssh("sudo -n supervisorctl restart app-worker:*")
        .await;
    assert!(restarted.status.success(), "{restarted:?}");
    host.workers_run(2).await;
    assert!(
        host.workers()
            .await
            .iter()
            .all(|worker| !workers.contains(worker))
    );
    host.close().await;
}

#[tokio::test]
async fn steps_fail_are_cut_and_are_held_as_told() {
    let host = machine("web1").await;
    host.fault_step("swap", 7, "no luck");
    let failed = host.over_ssh("sh -euc 'echo ran' swap").await;
    let told = String::from_utf8_lossy(&failed.stderr).into_owned();
    assert!(
        failed.status.code() == Some(7) && told.contains("no luck"),
        "{failed:?}"
    );
    host.mend_step("swap");
    host.cut_at("swap", Cut::After);
    let cut = host.over_ssh("sh -euc 'echo ran >/srv/app/ran' swap").await;
    assert_eq!(
        (cut.status.code(), host.read("ran").as_deref()),
        (Some(255), Some("ran\n"))
    );
    host.hold_at("stage");
    let held = host.over_ssh("sh -euc 'echo went on' stage");
    let mend = async {
        host.reached("stage").await;
        host.mend_step("stage");
    };
    let (held, ()) = tokio::join!(held, mend);
    assert_eq!(String::from_utf8_lossy(&held.stdout), "went on\n");
    assert_eq!(host.steps(), ["swap", "swap", "stage"]);
    host.close().await;
}

#[tokio::test]
async fn a_full_disk_takes_nothing_more() {
    let host = machine("web1").await;
    host.fill_disk();
    let full = host.over_ssh("echo more >/srv/app/more").await;
    assert!(
        String::from_utf8_lossy(&full.stderr).contains("No space left"),
        "{full:?}"
    );
    host.free_disk();
    assert!(
        host.over_ssh("echo more >/srv/app/more")
            .await
            .status
            .success()
    );
    host.close().await;
}

#[tokio::test]
async fn a_long_cable_makes_every_answer_late_and_keeps_lines_open() {
    let host = machine("web1").await;
    let mut line = host
        .ssh()
        .arg("cat")
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut said, heard) = (line.stdin.take().unwrap(), line.stdout.take().unwrap());
    let mut heard = BufReader::new(heard).lines();
    let mut echo = async |word: &str| {
        let began = Instant::now();
        said.write_all(format!("{word}\n").as_bytes())
            .await
            .unwrap();
        assert_eq!(heard.next_line().await.unwrap().as_deref(), Some(word));
        began.elapsed()
    };
    echo("near").await;
    host.delay(Duration::from_millis(150)).await;
    let far = echo("far").await;
    assert!(far >= Duration::from_millis(300), "{far:?}");
    host.cut_cable().await;
    assert_eq!(host.over_ssh("true").await.status.code(), Some(255));
    host.mend_cable().await;
    host.delay(Duration::ZERO).await;
    let near = echo("near again").await;
    assert!(near < far, "{near:?} is not below {far:?}");
    line.kill().await.unwrap();
    host.close().await;
}

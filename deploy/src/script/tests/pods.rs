//! How pods end is seen by a watch, here by what a `kubectl` of files tells it.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::recipe;
use crate::config::Manager;

/// Watches are answered by the files `watch.0`, `watch.1`, …; all but the last of these lines break.
const KUBECTL: &str = r#"#!/bin/sh
cd "${0%/*}"
[ ! -e silent ] || { echo 'The connection to the server was refused.' >&2 && exit 1; }
case "$*" in
  *--watch*)
    turn=$(cat turns) && echo "$((turn + 1))" >turns && sleep 0.3
    echo "watch $turn" >>log
    if [ -e "watch.$((turn + 1))" ]; then cat "watch.$turn" && exit; fi
    echo "$$" >pid && cat "watch.$turn" && exec sleep 60 ;;
  *" can-i "*) [ ! -e denied ] || { echo no && exit 1; } ;;
  *" get pods "*) cat pods ;;
  *" patch "*) echo patch >>log && cp after pods ;;
  *matchLabels*) echo ,app=w ;;
  *terminationGracePeriodSeconds*) echo 60 ;;
  *lifecycle*) echo w ;;
  *command*) echo 'w "php" "artisan" "queue:work"' ;;
  *annotations*) echo old ;;
esac"#;

struct Pods(PathBuf);

impl Pods {
    fn with(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cutover-pods-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(root.join(".cutover")).unwrap();
        for (name, text) in [("kubectl", KUBECTL), ("turns", "0"), ("log", "")] {
            fs::write(root.join(name), text).unwrap();
        }
        for (name, text) in files {
            fs::write(root.join(name), text).unwrap();
        }
        fs::set_permissions(root.join("kubectl"), fs::Permissions::from_mode(0o755)).unwrap();
        Self(root)
    }

    fn ask(&self, verb: &[&str]) -> Output {
        let path = format!("{}:{}", self.0.display(), std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh");
        shell
            .args(["-euc", recipe(Manager::Kubernetes), "kubernetes", verb[0]])
            .arg(&self.0)
            .args(["w", "no", "namespace x\ncontainer w\ngrace 60\npatch {}"])
            .args(&verb[1..])
            .env("PATH", path);
        shell.output().unwrap()
    }

    fn list(&self) -> String {
        let said = self.ask(&["list"]);
        assert!(said.status.success(), "{said:?}");
        String::from_utf8(said.stdout).unwrap()
    }

    fn add(&self, need: &str) {
        let said = self.ask(&["add", "new", "2", need]);
        assert!(said.status.success(), "{said:?}");
    }

    fn read(&self, file: &str) -> String {
        fs::read_to_string(self.0.join(file)).unwrap_or_default()
    }

    /// Waits until nobody watches any more.
    fn watched(&self) {
        let until = Instant::now() + Duration::from_secs(20);
        loop {
            let pid = self.read("pid");
            if !pid.is_empty() && !fs::exists(format!("/proc/{}", pid.trim())).unwrap() {
                return;
            }
            assert!(Instant::now() < until, "{}", self.read(".cutover/pods.w"));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Pods {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

const NEW: &str = "w-1-n new - w running true 0 sha:2\n";
const OLD: &str = "w-0-a old - w running true 0 sha:1\nw-0-b old - w running true 0 sha:1\n";
const TOLD: &str = "w-0-a old 2999-01-01T00:00:00Z w running true 0 sha:1\n";
const ENDED: &str = "w-0-a old 2999-01-01T00:00:00Z w exit:0 false 0 sha:1
w-0-b old 2999-01-01T00:00:00Z w exit:137 false 0 sha:1\n";

#[test]
fn the_end_of_a_pod_is_seen_by_who_watched_before_it_was_told_and_by_who_had_to_begin_anew() {
    let ended: Vec<&str> = ENDED.split_inclusive('\n').collect();
    let last = format!("{NEW}{}", ended[1]);
    let pods = Pods::with(&[
        ("pods", OLD),
        // It breaks behind the end of one of them.
        ("watch.0", &format!("{OLD}{TOLD}{}", ended[0])),
        ("watch.1", &last),
        ("after", NEW),
    ]);
    pods.add("yes");
    pods.watched();
    let log = pods.read("log");
    assert!(log.starts_with("watch 0\n"), "nobody saw it: {log}");
    assert!(
        log.contains("patch\n") && log.contains("watch 1\n"),
        "{log}"
    );
    assert_eq!(
        pods.list(),
        "w@new-1-n RUNNING 1 new - 0\nw@old-0-b LOST:137 - old - \n"
    );
}

#[test]
fn who_was_told_has_not_ended_before_somebody_saw_how() {
    let gone = "w-0-a old 2999-01-01T00:00:00Z w - false 0 sha:1\n";
    let pods = Pods::with(&[
        ("pods", OLD),
        ("watch.0", OLD),
        ("after", &format!("{NEW}{gone}")),
    ]);
    fs::write(pods.0.join(".cutover/pods.w"), "by x\nw-0-a old -\n").unwrap();
    fs::write(pods.0.join("pods"), format!("{NEW}{gone}")).unwrap();
    assert_eq!(
        pods.list(),
        "w@new-1-n RUNNING 1 new - 0\nw@old-0-a ENDING 1 old - 0\n"
    );
    fs::write(pods.0.join("pods"), NEW).unwrap();
    assert_eq!(
        pods.list(),
        "w@new-1-n RUNNING 1 new - 0\nw@old-0-a LOST:unseen - old - \n"
    );
    fs::write(
        pods.0.join(".cutover/pods.w"),
        "by x\nw-0-a old -\nw-0-a old 0\n",
    )
    .unwrap();
    assert_eq!(pods.list(), "w@new-1-n RUNNING 1 new - 0\n");
}

#[test]
fn who_ended_in_another_hand_over_is_lost_in_none_of_this_one() {
    let live = "w-0-c old - w running true 0 sha:1\n";
    let pods = Pods::with(&[
        ("pods", &format!("{ENDED}{live}")),
        ("watch.0", &format!("{ENDED}{live}")),
        (
            "watch.1",
            "w-0-c old 2999-01-01T00:00:00Z w exit:0 false 0 sha:1\n",
        ),
        ("after", NEW),
    ]);
    pods.add("yes");
    pods.watched();
    assert_eq!(pods.list(), "w@new-1-n RUNNING 1 new - 0\n");
}

#[test]
fn where_nobody_may_watch_only_a_way_back_goes_on() {
    let pods = Pods::with(&[("pods", OLD), ("after", NEW), ("denied", "")]);
    let refused = "no\nnobody could see how pods of w end: may cutover watch pods?\n";
    let said = pods.ask(&["add", "new", "2", "yes"]);
    assert_eq!(said.status.code(), Some(70));
    assert_eq!(String::from_utf8_lossy(&said.stderr), refused);
    assert_eq!(pods.read("log"), "");
    let said = pods.ask(&["add", "new", "2", "no"]);
    assert!(said.status.success(), "{said:?}");
    assert_eq!(String::from_utf8_lossy(&said.stderr), refused);
    assert_eq!(pods.read("log"), "patch\n");
    assert_eq!(pods.list(), "w@new-1-n RUNNING 1 new - 0\n");
}

#[test]
fn who_hears_nothing_gives_up_and_leaves_nobody_who_watches() {
    let pods = Pods::with(&[("pods", OLD), ("after", NEW)]);
    let silent = "echo $PPID >pid && echo 'no route' >&2 && exit 1";
    let silent = KUBECTL.replace("turn=$(cat turns)", silent);
    fs::write(pods.0.join("kubectl"), silent).unwrap();
    // Seconds pass quickly.
    let sleep = pods.0.join("sleep");
    fs::write(&sleep, "#!/bin/sh\nexec /bin/sleep 0.01").unwrap();
    fs::set_permissions(&sleep, fs::Permissions::from_mode(0o755)).unwrap();
    let said = pods.ask(&["add", "new", "2", "yes"]);
    assert_eq!(said.status.code(), Some(70));
    assert_eq!(
        String::from_utf8_lossy(&said.stderr),
        "no route\nnobody could see how pods of w end: may cutover watch pods?\n"
    );
    assert_eq!(pods.read("log"), "");
    pods.watched();
}

#[test]
fn why_a_cluster_does_not_answer_is_said_by_nobody_else() {
    let pods = Pods::with(&[("silent", "")]);
    let said = pods.ask(&["list"]);
    assert!(!said.status.success());
    let why = "The connection to the server was refused.\n";
    assert_eq!(String::from_utf8(said.stderr).unwrap(), why);
}

#[test]
fn who_is_put_out_by_his_node_ended_and_is_nobody_to_wait_for() {
    let put_out = "w-0-a old over w exit:137 false 0 sha:1\n";
    let live = "w-0-b old - w running true 0 sha:1\n";
    let pods = Pods::with(&[
        ("pods", &format!("{put_out}{live}")),
        (
            "watch.0",
            &format!("{put_out}{live}{}", live.replace(" - ", " over ")),
        ),
        (
            "watch.1",
            &live.replace(" - w running true", " over w - false"),
        ),
        ("after", &format!("{NEW}{put_out}")),
    ]);
    pods.add("yes");
    pods.watched();
    // One was put out before, the other in this hand-over.
    assert_eq!(
        pods.list(),
        "w@new-1-n RUNNING 1 new - 0\nw@old-0-a ENDING - old - 0\nw@old-0-b LOST:137 - old - \n"
    );
}

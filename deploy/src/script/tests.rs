//! Scripts that decide something, run with a manager that is a file of lines.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};

use insta::assert_snapshot;

use super::{Script, recipe};
use crate::config::Manager;

mod containers;
mod cut;
mod finish;
mod guard;
mod lease;
mod limits;
mod link;
mod migrate;
mod older;
mod pause;
mod pods;
mod restart;
mod servers;
mod steps;
mod swap;
mod tools;
mod unpack;

/// Tells what stands in a file.
const ROSTER: &str = "cat \"$1/table\"";

/// Keeps the file, and what it was asked for. Like a shell over the network it takes what others would read.
const RECIPE: &str = r#"echo "$1 $6 ${7:-}" >>"$2/asked"
cat >/dev/null
case $1 in
  add) for n in $(seq "$7"); do echo "mail@$6-$n RUNNING $n $6 1" >>"$2/table"; done ;;
  keep) sed -i "/ $6 /!d" "$2/table" ;;
  drop)
    ( [ "$6" != late ] || sleep 0.5; sed -i "s/ RUNNING \([0-9]*\) $6 / ENDING \1 $6 /" "$2/table"; ) >/dev/null 2>&1 &
    [ "$6" = late ] || wait ;;
  kill) sed -i "s/^$6 .*/$6 RUNNING 9 new 1/" "$2/table" ;;
  end) [ -e "$2/deaf" ] || sed -i "s/^$6 .*/$6 RUNNING 9 new 1/" "$2/table" ;;
esac"#;

/// A host with workers and the marks of a hand-over.
struct Stage(PathBuf);

impl Stage {
    fn with(table: &str, marks: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("cutover-script-{}-{number}", std::process::id());
        let root = std::env::temp_dir().join(name);
        fs::create_dir_all(root.join(".cutover")).unwrap();
        fs::write(root.join("table"), table).unwrap();
        fs::write(root.join("asked"), "").unwrap();
        symlink("releases/old", root.join("current")).unwrap();
        if !marks.is_empty() {
            fs::write(root.join(".cutover/hand-over.mail"), marks).unwrap();
        }
        Self(root)
    }

    /// Takes the hand-over to `new` back, where `old` is live and is to have two workers: what the manager was asked for,
    /// what runs then, and whether marks are left.
    fn restored(&self) -> String {
        self.restored_to("old")
    }

    fn restored_to(&self, live: &str) -> String {
        self.run(Script::WorkersRestore, &["new", live, "2"]);
        let read = |file: &str| fs::read_to_string(self.0.join(file)).unwrap();
        let left = fs::exists(self.0.join(".cutover/hand-over.mail")).unwrap();
        let marks = if left { "with marks" } else { "no marks" };
        format!("{}--\n{}{marks}\n", read("asked"), read("table"))
    }

    fn run(&self, script: Script, words: &[&str]) {
        let said = self.says(script, words);
        assert!(said.status.success(), "{said:?}");
    }

    fn says(&self, script: Script, words: &[&str]) -> Output {
        let mut shell = Command::new("sh");
        shell.args(["-euc", script.text(), "script"]).arg(&self.0);
        shell.args(words).args([ROSTER, RECIPE]);
        shell.args(["fake", "mail", "no", "hand_over overlap"]);
        shell.output().unwrap()
    }

    /// Starts two workers of `new`, and the marks of it.
    fn started(&self) -> String {
        self.run(Script::WorkersStart, &["new", "2", "9", "yes"]);
        fs::read_to_string(self.0.join(".cutover/hand-over.mail")).unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// Workers that run a release, a pid for each.
fn run(release: &str, pids: [u32; 2]) -> String {
    let line = |pid: u32| format!("mail:{pid} RUNNING {pid} {release} 1\n");
    pids.map(line).concat()
}

#[test]
fn where_no_hand_over_was_begun_nobody_is_told_anything() {
    let stopped = Stage::with("mail:0 STOPPED - - -\n", "");
    assert_snapshot!(stopped.restored(), @"
    --
    mail:0 STOPPED - - -
    no marks
    ");
}

#[test]
fn workers_that_were_started_end_and_those_that_were_not_told_to_end_are_left_alone() {
    let both = run("old", [1, 2]) + &run("new", [3, 4]);
    let stage = Stage::with(&both, "start new\nbeside new 2 live old\n");
    assert_snapshot!(stage.restored(), @"
    drop new 
    --
    mail:1 RUNNING 1 old 1
    mail:2 RUNNING 2 old 1
    mail:3 ENDING 3 new 1
    mail:4 ENDING 4 new 1
    no marks
    ");
    // One of the old ones is down just now, which is its manager's to mend: a second group would double the other.
    let one = "mail:1 RUNNING 1 old 1\nmail:2 BACKOFF - - -\n";
    let stage = Stage::with(one, "start new\n");
    assert_snapshot!(stage.restored(), @"
    drop new 
    --
    mail:1 RUNNING 1 old 1
    mail:2 BACKOFF - - -
    no marks
    ");
}

#[test]
fn who_was_told_to_end_starts_again_and_what_its_operator_had_stopped_does_not() {
    let marks = |ran: u32| format!("start new\nbeside new {ran} live old\nend new live old\n");
    let told = "mail:1 ENDING 1 old 1\n".to_owned() + &run("new", [3, 4]);
    assert_snapshot!(Stage::with(&told, &marks(2)).restored(), @"
    add old 2
    drop new 
    --
    mail:1 ENDING 1 old 1
    mail:3 ENDING 3 new 1
    mail:4 ENDING 4 new 1
    mail@old-1 RUNNING 1 old 1
    mail@old-2 RUNNING 2 old 1
    no marks
    ");
    let stopped = Stage::with(&run("new", [3, 4]), &marks(0));
    assert_snapshot!(stopped.restored(), @"
    drop new 
    --
    mail:3 ENDING 3 new 1
    mail:4 ENDING 4 new 1
    no marks
    ");
}

#[test]
fn what_an_earlier_try_left_to_be_done_is_done_too() {
    // It told the old ones to end and died; then another release failed before it told anybody.
    let left = run("older", [1, 2]) + &run("new", [3, 4]);
    let earlier = "start older\nbeside older 2 live old\nend older live old\n";
    let marks = format!("{earlier}start new\nbeside new 2 live old\n");
    assert_snapshot!(Stage::with(&left, &marks).restored(), @"
    add old 2
    drop new 
    drop older 
    --
    mail:1 ENDING 1 older 1
    mail:2 ENDING 2 older 1
    mail:3 ENDING 3 new 1
    mail:4 ENDING 4 new 1
    mail@old-1 RUNNING 1 old 1
    mail@old-2 RUNNING 2 old 1
    no marks
    ");
    // The earlier one is live itself, so who it told to end was nobody of its own.
    let marks = "start old\nbeside old 2 live older\nend old live older\nstart new\n";
    let both = run("old", [1, 2]) + &run("new", [3, 4]);
    assert_snapshot!(Stage::with(&both, marks).restored(), @"
    drop new 
    --
    mail:1 RUNNING 1 old 1
    mail:2 RUNNING 2 old 1
    mail:3 ENDING 3 new 1
    mail:4 ENDING 4 new 1
    no marks
    ");
}

#[test]
fn a_later_try_that_finds_nobody_left_does_not_hide_who_was_told_to_end() {
    let stage = Stage::with(&run("old", [8, 9]), "");
    stage.started();
    stage.run(Script::WorkersEnd, &["new", "2", "yes"]);
    // It dies here, and the same deployment tries again.
    assert_snapshot!(stage.started(), @"
    start new
    beside new 2 live old
    end new live old
    start new
    beside new 0 live old
    ");
    assert_snapshot!(stage.restored(), @"
    add new 2
    keep new 
    add new 2
    add old 2
    drop new 
    --
    mail@new-1 ENDING 1 new 1
    mail@new-2 ENDING 2 new 1
    mail@new-1 ENDING 1 new 1
    mail@new-2 ENDING 2 new 1
    mail@old-1 RUNNING 1 old 1
    mail@old-2 RUNNING 2 old 1
    no marks
    ");
}

#[test]
fn who_was_told_to_end_while_another_release_was_live_is_not_started_again() {
    let marks = "start older\nbeside older 2 live oldest\nend older live oldest\n";
    assert_snapshot!(Stage::with("", marks).restored(), @"
    drop older 
    --
    no marks
    ");
}

#[test]
fn a_worker_that_starts_anew_just_now_counts_as_one_that_runs() {
    let table = "mail@old-1 STARTING 1 old 1\nmail@old-2 BACKOFF - - -\nmail@new-0 BACKOFF - - -\nmail:0 STOPPED - - -\n";
    assert_snapshot!(Stage::with(table, "").started(), @"
    start new
    beside new 2 live old
    ");
}

#[test]
fn it_is_over_when_those_of_earlier_tries_take_no_job_any_more_either() {
    let stage = Stage::with(&run("late", [1, 2]), "start late\nstart new\n");
    assert_snapshot!(stage.restored(), @"
    drop late 
    drop new 
    --
    mail:1 ENDING 1 late 1
    mail:2 ENDING 2 late 1
    no marks
    ");
}

#[test]
fn a_first_release_that_is_called_off_before_it_begins_touches_no_other_workers() {
    let stage = Stage::with(&run("older", [1, 2]), "");
    assert_snapshot!(stage.restored_to("-"), @"
    drop new 
    --
    mail:1 RUNNING 1 older 1
    mail:2 RUNNING 2 older 1
    no marks
    ");
}

#[test]
fn a_first_release_that_is_withdrawn_has_its_workers_end_though_its_hand_over_was_done() {
    let stage = Stage::with(&run("new", [3, 4]), "");
    assert_snapshot!(stage.restored_to("-"), @"
    drop new 
    --
    mail:3 ENDING 3 new 1
    mail:4 ENDING 4 new 1
    no marks
    ");
}

#[test]
fn of_a_process_that_is_gone_horizon_hears_nothing() {
    let gone = concat!(include_str!("manager/horizon.sh"), "words gone || true");
    let said = Command::new("sh").args(["-euc", gone]).output().unwrap();
    assert!(said.status.success() && said.stderr.is_empty(), "{said:?}");
}

#[test]
fn who_could_not_be_told_to_end_is_told_again() {
    let stage = Stage::with("", "");
    let root = &stage.0;
    for release in ["older", "old"] {
        fs::create_dir_all(root.join("releases").join(release)).unwrap();
    }
    // Its own command line is what it is known by.
    let asleep = format!("61.{}", std::process::id());
    let mut worker = Command::new("sleep")
        .arg(&asleep)
        .current_dir(root.join("releases/older"))
        .spawn()
        .unwrap();
    let ask = |end: &str, words: &[&str]| {
        let mut shell = Command::new("sh");
        shell.args(["-euc", recipe(Manager::Command), "command", words[0]]);
        shell.arg(root).args(["import", "no"]);
        shell.arg(format!("hand_over overlap\nprocess sleep {asleep}\n{end}"));
        let said = shell.args(&words[1..]).output().unwrap();
        let listed = String::from_utf8(said.stdout).unwrap();
        let state = listed.split(' ').nth(1).map(str::to_owned);
        (said.status.success(), state)
    };
    let state = |word: &str| (true, Some(word.to_owned()));
    let (fails, works) = ("end exit 1", "end : $CUTOVER_PIDS");
    assert_eq!(ask(fails, &["list"]), state("RUNNING"));
    assert!(!ask(fails, &["keep", "old"]).0);
    assert_eq!(ask(fails, &["list"]), state("RUNNING"));
    assert!(ask(works, &["keep", "old"]).0);
    assert_eq!(ask(works, &["list"]), state("ENDING"));
    // Told was one that had its pid before the machine was started anew.
    let before = format!("{} 1\n", worker.id());
    fs::write(root.join(".cutover/ending.import"), before).unwrap();
    assert_eq!(ask(works, &["list"]), state("RUNNING"));
    worker.kill().unwrap();
    worker.wait().unwrap();
}

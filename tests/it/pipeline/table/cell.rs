//! One cell of the table: a story is played up to a step, a fault strikes there, and the world is looked at.

use std::fmt;
use std::time::Duration;

use cutover_deploy::{CommitSha, Event, Kind, Outcome};
use kit::{Relay, Signal, signal, signal_group, wait_for};

use super::program::Program;
use super::rows::{self, Row, Story};
use super::world::World;
use crate::pipeline::scene::{Plot, Scene};

/// What strikes while a step runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The connection is reset on its way.
    Reset,
    /// The host's end of it is killed.
    SshdKilled,
    /// SIGKILL for the program.
    Killed,
    /// SIGTERM for the program.
    Terminated,
    /// SIGINT for the program and all that it started, as from a terminal.
    CtrlC,
    /// The same until it waits no longer.
    CtrlCTwice,
}

impl Fault {
    pub(super) const ALL: [Self; 6] = [
        Self::Reset,
        Self::SshdKilled,
        Self::Killed,
        Self::Terminated,
        Self::CtrlC,
        Self::CtrlCTwice,
    ];

    /// The exit code that tells the truth; `None` for a program that cannot say anything any more.
    fn exit(self, row: &Row) -> Option<u8> {
        let undisturbed = match row.story {
            Story::Good | Story::Rollback => 0,
            Story::Ill | Story::Unfit | Story::First => 1,
        };
        Some(match (self, row.phase) {
            (Self::Killed, _) => return None,
            (Self::Reset | Self::SshdKilled, "greet") => 2,
            (Self::Reset | Self::SshdKilled, "stage") => 1,
            (Self::Reset | Self::SshdKilled, _) => undisturbed,
            (_, "greet" | "stage" | "migrate" | "abandon") => 1,
            (Self::CtrlCTwice, _) => 3,
            (Self::Terminated | Self::CtrlC, _) => undisturbed,
        })
    }
}

/// A host on which cells are played one after another.
pub(super) struct Lane {
    scene: Scene,
    fault: Fault,
    relay: Option<Relay>,
    played: usize,
}

/// Says its name when the test fails in it.
struct Cell<'a>(Fault, &'a Row);

impl fmt::Display for Cell<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { story, phase, step } = self.1;
        write!(f, "{:?} at `{step}` of {phase}, {story:?}", self.0)
    }
}

impl Drop for Cell<'_> {
    #[expect(clippy::print_stderr, reason = "the runner shows it with the failure")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in the cell: {self}");
        }
    }
}

impl Lane {
    pub(super) async fn start(fault: Fault) -> Self {
        let mut scene = Scene::of(
            1,
            Plot {
                steps: "preflight = [\"test $(cat fit) = yes\"]\n\
                        migrate = [\"echo once >>../../shared/database\"]\n\
                        before_swap = [\"echo leaves\"]\n\
                        after_swap = [\"echo told\"]\n\
                        after_health = [\"echo joins\"]"
                    .to_owned(),
                keys: "keep_releases = 2\nkeep_failed = 0\nwatch = \"100ms\"".to_owned(),
                health: "attempts = 2\ninterval = \"100ms\"".to_owned(),
                tables: "[environments.production.php_fpm]\nservice = \"php8.2-fpm\"\n\
                         after_swap = \"reload\"\nsudo = false"
                    .to_owned(),
                ..Plot::default()
            },
        )
        .await;
        let reload = scene.host().dir().join("bin/systemctl");
        std::fs::write(reload, "#!/bin/sh\n").unwrap();
        let relay = match fault {
            Fault::Reset => {
                let relay = Relay::to(scene.host().ssh_port()).await;
                scene.behind(&relay);
                Some(relay)
            }
            _ => None,
        };
        let lane = Self {
            scene,
            fault,
            relay,
            played: 0,
        };
        lane.deploy(true, true).await;
        lane
    }

    pub(super) async fn close(self) {
        self.scene.close().await;
    }

    /// The steps of a story, by the plan on a host that has something of everything.
    pub(super) async fn rows(&self, story: Story) -> Vec<Row> {
        self.make_way(story).await;
        self.deploy_unfit(story).await;
        let kind = self.kind(story, "plan").await;
        let plan = rows::plan(&self.scene, &self.scene.request(kind)).await;
        let mut rows = rows::sequence(story, &plan);
        rows.retain(rows::is_own);
        rows
    }

    /// Plays one cell.
    pub(super) async fn play(&mut self, row: &Row) {
        self.played += 1;
        let cell = Cell(self.fault, row);
        self.make_way(row.story).await;
        let mut kind = self.kind(row.story, &cell.to_string()).await;
        let mut nth = self.nth(row, &kind).await;
        if nth == 0 {
            // Only where something failed before there is something to remove.
            self.deploy_unfit(row.story).await;
            kind = self.kind(row.story, &cell.to_string()).await;
            nth = self.nth(row, &kind).await;
        }
        assert!(nth > 0, "{cell}: the plan has no such step");
        let before = World::look(self.scene.host());
        self.scene.host().hold_at_nth(&row.step, nth);
        let (exit, outcome) = match self.fault {
            Fault::Reset | Fault::SshdKilled => self.cut(row, kind.clone()).await,
            _ => self.signalled(row, &kind).await,
        };
        self.settled(&cell).await;
        let after = World::look(self.scene.host());
        assert_eq!(exit, self.fault.exit(row), "{cell}: {outcome:?}");
        let mut untrue = after.untrue();
        if let Some(outcome) = &outcome {
            untrue.extend(after.belies(outcome, &before));
        }
        assert!(
            untrue.is_empty(),
            "{cell}: {untrue:#?}\n{outcome:?}\n{after:#?}"
        );
        let gone = matches!(self.fault, Fault::Killed | Fault::CtrlCTwice);
        // Nobody was left to take an ill release back before it was asked how it is.
        let given_up = gone && (row.story, row.phase) == (Story::Ill, "health");
        assert!(after.is_well() || given_up, "{cell}: {after:#?}");
        if gone {
            self.heal(row, &kind, &cell).await;
        } else {
            assert!(after.incoming().is_empty(), "{cell}: {after:#?}");
        }
    }

    /// The next deployment begins at once and leaves nothing to be wished for.
    async fn heal(&self, row: &Row, kind: &Kind, cell: &Cell<'_>) {
        if !World::look(self.scene.host()).is_well() {
            // The same once more is as ill, and leads back to what was healthy.
            let told = self.scene.run(&self.scene.request(kind.clone())).await;
            assert_eq!(
                told.exit(),
                1,
                "{cell}: {}\n{}",
                told.outcome(),
                told.story()
            );
            let world = World::look(self.scene.host());
            assert!(world.is_well(), "{cell}: {world:#?}");
        }
        let same = row.story == Story::Good && self.played.is_multiple_of(2);
        let request = if same {
            self.scene.request(kind.clone())
        } else {
            let files = [("fit", "yes"), ("ok", "true"), ("heals", &cell.to_string())];
            self.scene.wish(&files).await
        };
        let told = self.scene.run(&request).await;
        assert_eq!(
            told.exit(),
            0,
            "{cell}: {}\n{}",
            told.outcome(),
            told.story()
        );
        let waits = |event: &Event| matches!(event, Event::Waiting { .. });
        assert!(!told.events.iter().any(waits), "{cell}: {}", told.story());
        let world = World::look(self.scene.host());
        let mut untrue = world.untrue();
        untrue.extend(world.unfinished());
        untrue.extend(world.incoming().iter().cloned());
        assert!(
            untrue.is_empty() && world.is_well(),
            "{cell}, healed: {untrue:#?}\n{world:#?}"
        );
    }

    /// Plays it in this process and cuts the line.
    async fn cut(&self, row: &Row, kind: Kind) -> (Option<u8>, Option<Outcome>) {
        let host = self.scene.host();
        let running = self.scene.begin(&self.scene.request(kind));
        let over = |event: &Event| matches!(event, Event::Concluded { .. });
        tokio::select! {
            () = host.reached(&row.step) => {}
            () = running.tells(over) => panic!("it never came to it:\n{}", running.end().await.story()),
        }
        match &self.relay {
            Some(relay) => relay.cut(),
            None => host.cut_lines(),
        }
        if self.relay.is_some() && !["greet", "stage"].contains(&row.phase) {
            // The step still runs when we are back.
            let again = |event: &Event| matches!(event, Event::Note { text, .. } if text.contains("connecting again"));
            running.tells(again).await;
        }
        host.mend_step(&row.step);
        let told = running.end().await;
        (Some(told.exit()), Some(told.outcome))
    }

    /// Runs the program and sends it signals.
    async fn signalled(&self, row: &Row, kind: &Kind) -> (Option<u8>, Option<Outcome>) {
        let host = self.scene.host();
        let mut program = Program::start(&self.scene, kind);
        tokio::select! {
            () = host.reached(&row.step) => {}
            _ = program.child.wait() => panic!("it never came to it:\n{}", program.said()),
        }
        let pid = i32::try_from(program.child.id().unwrap()).unwrap();
        match self.fault {
            Fault::Killed => {
                signal(pid, Signal::KILL);
                program.child.wait().await.unwrap();
                // A look at the host is over in a moment, unless a test holds it up.
                if row.step == "probe" {
                    host.mend_step(&row.step);
                }
                self.lease_is_free().await;
                host.mend_step(&row.step);
                // Its ssh would wait some seconds for more.
                host.cut_lines();
                return (None, None);
            }
            Fault::Terminated => signal(pid, Signal::TERM),
            _ => signal_group(pid, Signal::INT),
        }
        program.says("calling off").await;
        if self.fault == Fault::CtrlCTwice {
            program.leaves(pid).await;
        }
        let runs_on = format!("`{}` on web1", row.step);
        if self.fault == Fault::CtrlCTwice && !matches!(row.phase, "greet" | "stage") {
            let said = program.said();
            let script = ["finish", "health"].contains(&&*row.step);
            assert!(
                script || said.contains(&runs_on),
                "{runs_on} runs on:\n{said}"
            );
        }
        host.mend_step(&row.step);
        let (exit, outcome) = program.end().await;
        (Some(exit), Some(outcome))
    }

    async fn lease_is_free(&self) {
        let what = "the lease of a killed program to be free";
        wait_for(what, Duration::from_secs(5), async || {
            let free = "[ ! -e .cutover/lock ] || flock -n .cutover/lock true";
            let look = self.scene.host().try_sh(free).await;
            if look.status.success() {
                Ok(())
            } else {
                Err("it is held".to_owned())
            }
        })
        .await;
    }

    /// Waits until nothing runs on the host any more and no lock is held.
    async fn settled(&self, cell: &Cell<'_>) {
        let what = format!("{cell}: nothing to be left");
        wait_for(what, Duration::from_secs(15), async || {
            let left = self.scene.host().left_over();
            if left.is_empty() {
                Ok(())
            } else {
                Err(left.join("\n"))
            }
        })
        .await;
    }

    /// How often the host has begun the step's script when it is this row's turn, from 1; 0 when it never is.
    async fn nth(&self, row: &Row, kind: &Kind) -> usize {
        let plan = rows::plan(&self.scene, &self.scene.request(kind.clone())).await;
        let sequence = rows::sequence(row.story, &plan);
        let Some(at) = sequence.iter().position(|known| known == row) else {
            return 0;
        };
        let same = sequence[..=at]
            .iter()
            .filter(|known| known.step == row.step);
        same.count()
    }

    /// Brings the host to where a story begins.
    async fn make_way(&self, story: Story) {
        match story {
            Story::First => drop(
                self.scene
                    .host()
                    .sh("rm -rf current releases .cutover")
                    .await,
            ),
            Story::Rollback => self.have_two().await,
            Story::Good | Story::Ill | Story::Unfit => {}
        }
    }

    /// Makes the newest healthy release live, with another healthy one before it.
    async fn have_two(&self) {
        let world = World::look(self.scene.host());
        let mut healthy = world.healthy();
        let newest = healthy.pop();
        if healthy.is_empty() {
            self.deploy(true, true).await;
        } else if newest != world.live {
            let request = self.scene.request(Kind::Rollback { to: newest });
            let told = self.scene.run(&request).await;
            assert_eq!(told.exit(), 0, "{}", told.story());
        }
    }

    async fn deploy_unfit(&self, story: Story) {
        if story == Story::Good {
            self.deploy(true, false).await;
        }
    }

    async fn kind(&self, story: Story, text: &str) -> Kind {
        let commit = match story {
            Story::Rollback => return Kind::Rollback { to: None },
            Story::Good => self.commit(true, true, text).await,
            Story::Ill | Story::First => self.commit(false, true, text).await,
            Story::Unfit => self.commit(true, false, text).await,
        };
        Kind::Deploy { commit }
    }

    async fn commit(&self, ok: bool, fit: bool, text: &str) -> CommitSha {
        let fit = if fit { "yes" } else { "no" };
        let files = [("ok", &*ok.to_string()), ("fit", fit), ("text", text)];
        self.scene.commit(&files).await
    }

    async fn deploy(&self, ok: bool, fit: bool) {
        let commit = self.commit(ok, fit, "between").await;
        let told = self
            .scene
            .run(&self.scene.request(Kind::Deploy { commit }))
            .await;
        assert_eq!(told.exit(), u8::from(!fit || !ok), "{}", told.story());
    }
}

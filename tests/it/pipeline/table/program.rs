//! `cutover deploy` and `cutover rollback` as processes of their own, which can be sent signals.

use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cutover_deploy::{Event, Kind, Outcome};
use kit::{Signal, signal_group, wait_for};
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Child;
use tokio::task::JoinHandle;

use crate::pipeline::scene::Scene;

/// The program as a user has it, with all that it says.
pub(super) struct Program {
    pub(super) child: Child,
    said: Arc<Mutex<String>>,
    hearing: Vec<JoinHandle<()>>,
}

impl Program {
    pub(super) fn start(scene: &Scene, kind: &Kind) -> Self {
        let asker = ["--actor", "bob", "--json"];
        let mut program = match kind {
            Kind::Rollback { .. } => {
                scene.cutover(&[&["rollback", "production"][..], &asker].concat())
            }
            Kind::Deploy { .. } => {
                let mut deploy =
                    scene.cutover(&[&["deploy", "production", "main"][..], &asker].concat());
                deploy.arg("--repository").arg(scene.repo.url());
                deploy
                    .arg("--work-dir")
                    .arg(scene.work_dir().with_file_name("cli"));
                deploy
            }
        };
        program
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = program.process_group(0).kill_on_drop(true).spawn().unwrap();
        let said = Arc::default();
        let hearing = vec![
            hear(child.stdout.take().unwrap(), &said),
            hear(child.stderr.take().unwrap(), &said),
        ];
        Self {
            child,
            said,
            hearing,
        }
    }

    pub(super) fn said(&self) -> String {
        self.said.lock().unwrap().clone()
    }

    pub(super) async fn says(&mut self, words: &str) {
        wait_for(
            format!("it to say: {words}"),
            Duration::from_secs(20),
            async || {
                let said = self.said();
                if said.contains(words) {
                    Ok(())
                } else {
                    Err(said)
                }
            },
        )
        .await;
    }

    /// Presses Ctrl-C until it waits no longer, or is done anyway.
    pub(super) async fn leaves(&mut self, pid: i32) {
        let deadline = Duration::from_secs(20);
        wait_for("it to wait no longer", deadline, || {
            let ended = self.child.try_wait().unwrap().is_some();
            let said = self.said();
            let done = ended || said.contains("waiting no longer");
            if !done {
                signal_group(pid, Signal::INT);
            }
            std::future::ready(if done { Ok(()) } else { Err(said) })
        })
        .await;
    }

    pub(super) async fn end(mut self) -> (u8, Outcome) {
        let ended = tokio::time::timeout(Duration::from_mins(1), self.child.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("it does not end: {}", self.said()));
        for hearing in std::mem::take(&mut self.hearing) {
            hearing.await.unwrap();
        }
        let said = self.said();
        let concluded = |line: &str| match serde_json::from_str(line) {
            Ok(Event::Concluded { outcome }) => Some(outcome),
            _ => None,
        };
        let outcome = said.lines().rev().find_map(concluded);
        let outcome = outcome.unwrap_or_else(|| panic!("it does not say how it ended: {said}"));
        let code = status.unwrap().code();
        let code = code.unwrap_or_else(|| panic!("it was killed: {said}"));
        (u8::try_from(code).unwrap(), outcome)
    }
}

fn hear(
    from: impl AsyncRead + Unpin + Send + 'static,
    said: &Arc<Mutex<String>>,
) -> JoinHandle<()> {
    let said = Arc::clone(said);
    tokio::spawn(async move {
        let mut lines = BufReader::new(from).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let mut said = said.lock().unwrap();
            said.push_str(&line);
            said.push('\n');
        }
    })
}

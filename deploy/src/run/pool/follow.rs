//! How the pool follows a swap: told the moment that `current` leads to another release, beside the steps.

use std::path::Path;
use std::sync::Arc;

use fastcgi_client::Params;

use super::{CLOSED, PATIENCE, Trouble, call, failure, known, own, put, script};
use crate::config::{FpmAction, PhpFpm, PoolAddress};
use crate::machine::Phase;
use crate::plan::{HostPlan, Step};
use crate::pool::Follows;
use crate::run::Events;
use crate::run::lease::{Leased, Swap};
use crate::run::phase::{Job, finish};
use crate::run::segment::End;

/// What must follow the swap. A pool that cannot be asked does not keep the way back from being gone.
pub(super) async fn follows(fpm: &PhpFpm, address: &PoolAddress, leased: &mut Leased) -> Follows {
    let root = leased.root();
    match known(address, leased).await {
        Ok(pool) => pool
            .follows(fpm.after_swap, &root)
            .unwrap_or(Follows::Nothing),
        Err(_) if matches!(fpm.after_swap, FpmAction::Auto | FpmAction::Reset) => Follows::Reset,
        Err(_) => Follows::Nothing,
    }
}

/// A pool that is told, by a word, of the release that becomes live.
pub(super) struct Told<'a> {
    pub(super) follows: Follows,
    pub(super) word: &'static str,
    pub(super) release: String,
    /// The link that becomes `current` in the swap.
    pub(super) next: String,
    pub(super) address: &'a PoolAddress,
}

impl Told<'_> {
    /// Runs steps with a swap among them, and has the pool follow.
    pub(super) async fn beside(
        self,
        phase: Phase,
        steps: &[Step],
        host: &HostPlan,
        job: Job<'_>,
        leased: &mut Leased,
        events: &Events,
    ) -> End {
        leased.swap = Arc::default();
        let swap = Arc::clone(&leased.swap);
        if steps.iter().take(2).any(|step| step.name == "swap") {
            swap.come_near();
        }
        let mut steps = steps.to_vec();
        // Nobody waits for a pool that cannot wait; nor on the way back, where all of it may hang in the release that failed.
        let waits = leased.pool.as_ref().is_some_and(|pool| pool.waits);
        if waits && phase != Phase::Undo {
            for step in steps.iter_mut().filter(|step| step.name == "swap") {
                if let Some(asked) = step.args.last_mut() {
                    *asked = script(leased);
                }
            }
        }
        let (ended, said) = {
            let question = own(leased, self.word, "");
            let socket = leased.connection.lead_to(self.address).await;
            let telling = async { self.tell(&socket.ok()?, &question, &swap).await.ok() };
            let mut telling = Box::pin(telling);
            let mut finishing = Box::pin(finish(phase, &steps, host, job, leased, events));
            let mut said = None;
            let ended = loop {
                tokio::select! {
                    ended = &mut finishing => break ended,
                    answered = &mut telling, if said.is_none() => said = Some(answered),
                }
            };
            // Where the steps were quicker than the answer: what is asked already is not asked twice. Where a step failed
            // after the swap the way back is more urgent, and on that the pool follows again.
            let goes_on = matches!(ended, End::Done) || phase == Phase::Undo;
            if said.is_none() && swap.is_done() && goes_on {
                said = Some(telling.await);
            }
            (ended, said.flatten())
        };
        let failed = match ended {
            End::Done => None,
            // Everything is tried that can go back.
            End::Failed(failed) if phase == Phase::Undo && swap.is_done() => Some(failed),
            ended => return ended,
        };
        // Where the line broke in between it is asked now.
        let said = match said {
            Some(said) => Ok(said),
            None => self.tell_now(leased).await,
        };
        match (said, failed) {
            (Ok(said), failed) => {
                events.note(Some(&leased.host.name), format!("php-fpm: {said}"));
                failed.map_or(End::Done, End::Failed)
            }
            (Err(trouble), None) => End::Failed(failure(trouble, phase, job, leased)),
            (Err(trouble), Some(failed)) => {
                End::Failed(failed.and(failure(trouble, phase, job, leased)))
            }
        }
    }

    /// Asks while the step before the swap runs: a process of the pool waits until `current` leads to the release, and acts at
    /// once. It waits some seconds at most, so the swap itself calls for another one.
    async fn tell(
        &self,
        socket: &Path,
        question: &Params<'static>,
        swap: &Swap,
    ) -> Result<String, String> {
        loop {
            swap.near().await;
            let ahead = !swap.is_done();
            let mut params = question.clone();
            if ahead {
                params = params
                    .custom("CUTOVER_RELEASE", self.release.clone())
                    .custom("CUTOVER_NEXT", self.next.clone())
                    .custom("CUTOVER_POOL", self.address.stream());
            }
            let answered = call(socket, params, PATIENCE).await;
            match answered.and_then(|answer| self.follows.followed(&answer)) {
                Ok(Some(said)) => return Ok(said),
                Ok(None) => {}
                Err(_) if ahead => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn tell_now(&self, leased: &Leased) -> Result<String, Trouble> {
        let ask = async || {
            let question = own(leased, self.word, "");
            put(self.address, leased, question, PATIENCE).await
        };
        let mut answer = ask().await;
        // A process that was just told to end may have taken the call.
        if matches!(&answer, Err(Trouble::Said(said)) if said.contains(CLOSED)) {
            answer = ask().await;
        }
        let said = self.follows.followed(&answer?).map_err(Trouble::Said)?;
        said.ok_or_else(|| Trouble::Said("the pool waits for a swap that is done".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tempfile::TempDir;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{UnixListener, UnixStream};
    use tokio::sync::oneshot;

    use super::*;

    const END_REQUEST: u8 = 3;
    const STDIN: u8 = 5;
    const STDOUT: u8 = 6;

    /// Reads one question to its end and says that `OPcache` was reset.
    async fn answer(line: UnixStream) {
        say(line, "Status: 200 OK\r\n\r\n{\"reset\":true}").await;
    }

    async fn say(mut line: UnixStream, said: &str) {
        let id = loop {
            let mut head = [0; 8];
            line.read_exact(&mut head).await.unwrap();
            let [_, kind, id_high, id_low, high, low, padding, _] = head;
            let bytes = usize::from(u16::from_be_bytes([high, low]));
            let mut rest = vec![0; bytes + usize::from(padding)];
            line.read_exact(&mut rest).await.unwrap();
            if kind == STDIN && bytes == 0 {
                break [id_high, id_low];
            }
        };
        let record = |kind: u8, content: &[u8]| {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            let head = [1, kind, id[0], id[1], length[0], length[1], 0, 0];
            [&head[..], content].concat()
        };
        let said = record(STDOUT, said.as_bytes());
        let end = record(END_REQUEST, &[0; 8]);
        line.write_all(&[said, end].concat()).await.unwrap();
        // Whoever hangs up with something unread takes the answer back.
        line.read_to_end(&mut Vec::new()).await.unwrap();
    }

    fn listening() -> (TempDir, std::path::PathBuf, UnixListener) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("pool");
        let listener = UnixListener::bind(&socket).unwrap();
        (folder, socket, listener)
    }

    async fn tell(socket: &Path, swap: &Swap) -> Result<String, String> {
        let address = PoolAddress::Socket("/run/pool".to_owned());
        let told = Told {
            follows: Follows::Reset,
            word: "reset",
            release: "r2".to_owned(),
            next: "/srv/app/.cutover/current.d2".to_owned(),
            address: &address,
        };
        let question = Params::default();
        let telling = told.tell(socket, &question, swap);
        let soon = tokio::time::timeout(Duration::from_secs(20), telling).await;
        soon.expect("nobody waits for a swap that is done")
    }

    #[tokio::test]
    async fn a_swap_that_nobody_saw_begin_is_told_all_the_same() {
        let (_folder, socket, listener) = listening();
        let swap = Swap::default();
        swap.end();
        let pool = async { answer(listener.accept().await.unwrap().0).await };
        let (said, ()) = tokio::join!(tell(&socket, &swap), pool);
        assert_eq!(said.as_deref(), Ok("OPcache was reset"));
    }

    /// What is said in the end where the first call, ahead of the swap, is met like this.
    async fn told_again(meet: impl AsyncFnOnce(UnixStream)) -> Result<String, String> {
        let (_folder, socket, listener) = listening();
        let swap = Swap::default();
        let (met, is_met) = oneshot::channel();
        swap.come_near();
        let pool = async {
            meet(listener.accept().await.unwrap().0).await;
            met.send(()).unwrap();
            answer(listener.accept().await.unwrap().0).await;
        };
        let swapping = async {
            is_met.await.unwrap();
            swap.end();
        };
        tokio::join!(tell(&socket, &swap), pool, swapping).0
    }

    #[tokio::test]
    async fn who_was_asked_ahead_and_answers_nothing_is_asked_again() {
        let said = told_again(async |line| drop(line)).await;
        assert_eq!(said.as_deref(), Ok("OPcache was reset"));
    }

    #[tokio::test]
    async fn who_waited_for_nothing_is_asked_again_when_the_swap_is_done() {
        let said = told_again(async |line| say(line, "Status: 425\r\n\r\n").await).await;
        assert_eq!(said.as_deref(), Ok("OPcache was reset"));
    }
}

//! Who runs when: one deployment per environment, the newest waiting one next, environments side by side.
//!
//! The ledger holds the queue and refuses a second runner by itself; this loop only hands out what it gives.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinSet};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::store::{Deployment, Store, StoreError};
use crate::worker::{Deployer, Take, Worker};

#[cfg(test)]
mod tests;

/// Looks for waiting deployments at least this often, should a wake-up be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(15);

/// Hands deployments to workers until it is stopped.
#[derive(Debug)]
pub struct Queue<D> {
    store: Store,
    worker: Arc<Worker<D>>,
    running: JoinSet<()>,
    tasks: HashMap<Id, Deployment>,
}

impl<D: Deployer> Queue<D> {
    /// A queue over what `store` holds.
    pub fn new(store: Store, worker: Worker<D>) -> Self {
        Self {
            store,
            worker: Arc::new(worker),
            running: JoinSet::new(),
            tasks: HashMap::new(),
        }
    }

    /// Takes up what was running when the service ended, then runs what waits. After `stop` nothing new begins, what
    /// can be called off is, and the rest runs to its end.
    pub async fn run(mut self, stop: CancellationToken) -> Result<(), StoreError> {
        for deployment in self.store.running().await? {
            self.start(deployment, Take::TakenUp, &stop);
        }
        while !stop.is_cancelled() {
            self.start_waiting(&stop).await;
            tokio::select! {
                () = stop.cancelled() => {}
                () = self.store.queued() => {}
                () = tokio::time::sleep(LOOK_AGAIN) => {}
                Some(ended) = self.running.join_next_with_id() => self.settle(ended, &stop),
            }
        }
        if !self.tasks.is_empty() {
            let ids: Vec<&str> = self
                .tasks
                .values()
                .map(|deployment| deployment.id.as_str())
                .collect();
            info!(
                deployments = ids.join(" "),
                "waiting for running deployments to end"
            );
        }
        while let Some(ended) = self.running.join_next_with_id().await {
            self.settle(ended, &stop);
        }
        Ok(())
    }

    async fn start_waiting(&mut self, stop: &CancellationToken) {
        loop {
            match self.store.claim(cutover_deploy::now()).await {
                Ok(Some(deployment)) => self.start(deployment, Take::Claimed, stop),
                Ok(None) => return,
                Err(error) => {
                    let error = anyhow::Error::from(error);
                    error!(
                        error = format!("{error:#}"),
                        "waiting deployments cannot be claimed"
                    );
                    return;
                }
            }
        }
    }

    fn start(&mut self, deployment: Deployment, take: Take, stop: &CancellationToken) {
        let worker = Arc::clone(&self.worker);
        let stop = stop.clone();
        let its = deployment.clone();
        let task = self
            .running
            .spawn(async move { worker.run(&its, take, &stop).await });
        self.tasks.insert(task.id(), deployment);
    }

    fn settle(
        &mut self,
        ended: Result<(Id, ()), tokio::task::JoinError>,
        stop: &CancellationToken,
    ) {
        let (id, sound) = match ended {
            Ok((id, ())) => (id, true),
            Err(error) => (error.id(), false),
        };
        let Some(deployment) = self.tasks.remove(&id) else {
            return;
        };
        if !sound {
            error!(deployment.id = %deployment.id, "the task of deployment {} ended unexpectedly", deployment.id);
            let worker = Arc::clone(&self.worker);
            let stop = stop.clone();
            // Beside the loop, and not among the tasks: it may have to wait for the ledger, and has no successor.
            self.running
                .spawn(async move { worker.lost(&deployment, &stop).await });
        }
    }
}

//! Workers in containers, under a real Docker daemon and a real Kubernetes. Their jobs are files, so a test says when one ends.

mod cluster;
mod compose;
mod plain;

use std::path::PathBuf;
use std::time::Duration;

use cutover_deploy::config::{Environment, Recipe};
use cutover_deploy::doctor::Diagnosis;
use cutover_deploy::run;
use kit::{Cluster, Docker, WORKER, wait_for};

use super::scene::{Plot, Scene};
use super::told::Told;

/// What an app of Laravel has beside its worker, as far as the doctor asks for it.
const APP: [(&str, &str); 1] = [
    (
        "bootstrap/cache/config.php",
        "<?php return [
            'app' => ['env' => 'production', 'debug' => false],
            'cache' => ['default' => 'redis', 'prefix' => 'shop', 'stores' => ['redis' => ['driver' => 'redis']]],
            'queue' => [
                'default' => 'redis',
                'connections' => ['redis' => ['driver' => 'redis', 'retry_after' => 90]],
                'failed' => ['driver' => 'database-uuids'],
            ],
        ];",
    ),
];

/// A host whose workers run in containers.
struct Shop {
    scene: Scene,
    ground: Ground,
}

/// What runs the containers.
enum Ground {
    Docker(Docker),
    Cluster(Cluster),
}

/// The queue of the workers, as they see it.
const QUEUE: &str = "@dir@/srv/app/shared/storage/queue";

impl Shop {
    /// A host with a Docker daemon. Lines of its group of workers follow; nothing is deployed yet.
    async fn start(workers: &str) -> Self {
        let docker = Docker::start().await;
        docker.image("php:cli", &[r#"CMD ["php"]"#]).await;
        Self::on(Ground::Docker(docker), workers).await
    }

    async fn on(ground: Ground, workers: &str) -> Self {
        let scene = Scene::start(Plot {
            tables: format!(
                "[[environments.production.workers]]\ngroup = \"shop-worker\"\nexpect = 2\n{workers}"
            )
            .replace("@queue@", QUEUE),
            ..Plot::default()
        })
        .await;
        match &ground {
            Ground::Docker(docker) => docker.serve(scene.host()),
            Ground::Cluster(cluster) => {
                // What templates/kubernetes.yaml allows is all that cutover may do.
                cluster.serve(scene.host(), "system:serviceaccount:default:cutover");
            }
        }
        let shop = Self { scene, ground };
        for folder in ["waiting", "running", "let", "done"] {
            std::fs::create_dir_all(shop.queue().join(folder)).unwrap();
        }
        shop
    }

    fn docker(&self) -> &Docker {
        match &self.ground {
            Ground::Docker(docker) => docker,
            Ground::Cluster(cluster) => cluster.docker(),
        }
    }

    fn queue(&self) -> PathBuf {
        self.scene.host().path().join("shared/storage/queue")
    }

    /// Changes how the workers are configured.
    fn configure(&mut self, from: &str, to: &str) {
        assert!(self.scene.text.contains(from), "{}", self.scene.text);
        self.scene.text = self.scene.text.replace(from, to);
        self.scene.config = cutover_deploy::Config::parse("cutover.toml", &self.scene.text)
            .unwrap_or_else(|problems| panic!("{problems}"));
    }

    /// Deploys the worker with this in a file beside it.
    async fn deploy(&self, mark: &str) -> Told {
        let files = [&APP[..], &[("artisan", WORKER), ("mark", mark)]].concat();
        self.scene.deploy(&files).await
    }

    /// Puts a job on the queue and waits until somebody works on it; who that is.
    async fn begin(&self, job: &str) -> String {
        std::fs::write(self.queue().join("waiting").join(job), "").unwrap();
        self.in_folder("running", job).await
    }

    /// Lets a job end, and waits until it has; who did it.
    async fn end(&self, job: &str) -> String {
        std::fs::write(self.queue().join("let").join(job), "").unwrap();
        self.in_folder("done", job).await
    }

    async fn in_folder(&self, folder: &str, job: &str) -> String {
        let file = self.queue().join(folder).join(job);
        let what = format!("the job {job} to be in {folder}");
        let by = wait_for(what, Duration::from_secs(20), async || {
            let by = std::fs::read_to_string(&file).unwrap_or_default();
            if by.is_empty() {
                Err(self.containers().await.join("\n"))
            } else {
                Ok(by)
            }
        });
        self.scene.tame(&by.await)
    }

    /// The containers: release and state, and `told` where it was told to end.
    async fn containers(&self) -> Vec<String> {
        let format = r#"{{.Label "cutover.release"}} {{.State}} {{.Names}}"#;
        let list = self.docker().containers(format).await;
        let shown = list.iter().map(|line| {
            let (line, name) = line.rsplit_once(' ').unwrap();
            let told = if name.starts_with("ending.") {
                " told"
            } else {
                ""
            };
            self.scene.tame(&format!("{line}{told}"))
        });
        shown.collect()
    }

    /// Waits until the containers are these.
    async fn settles(&self, wanted: &[&str]) {
        let what = format!("the containers to be {wanted:?}");
        wait_for(what, Duration::from_secs(20), async || {
            let all = self.containers().await;
            if all == wanted {
                Ok(())
            } else {
                Err(all.join("\n"))
            }
        })
        .await;
    }

    /// What the doctor names of containers, for a configuration that is another one.
    async fn diagnosed(&self, change: impl Fn(&mut Environment)) -> String {
        let scene = &self.scene;
        let mut environment = scene.config.environment("production").unwrap().clone();
        change(&mut environment);
        let told = run::examine(&scene.config, &environment, &scene.access).await;
        let (lines, fine) = self.told(&told[0], |id| id.starts_with("container."));
        let fine = fine.iter().map(|id| format!("{id} is fine"));
        lines.into_iter().chain(fine).collect::<Vec<_>>().join("\n")
    }

    /// All that the doctor names and calls fine, where the app is one of Laravel and its owner has read the manual.
    async fn all_diagnosed(&self) -> String {
        let scene = &self.scene;
        let host = scene.host();
        // How full the disk of this machine is has nothing to do with it.
        host.install(
            "df",
            "#!/bin/sh\necho 'disk blocks used free'\necho 'disk 90000000 1 80000000'\n",
        );
        host.sh("chmod 640 shared/.env").await;
        let mut config = scene.config.clone();
        config.recipe = Recipe::Laravel;
        let environment = config.environment("production").unwrap();
        let told = run::examine(&config, environment, &scene.access).await;
        // Nor whether somebody else's PHP-FPM runs on this machine.
        let (lines, fine) = self.told(&told[0], |id| !id.starts_with("fpm."));
        format!("{}\nfine: {}", lines.join("\n"), fine.join(" "))
    }

    /// What was found or not seen, a line each, and what is fine.
    fn told<'d>(
        &self,
        told: &'d Diagnosis,
        of: impl Fn(&str) -> bool,
    ) -> (Vec<String>, Vec<&'d str>) {
        let found = told.findings.iter().filter(|found| of(found.id));
        let mut lines: Vec<String> = found
            .map(|finding| format!("{}: {}; {}", finding.id, finding.found, finding.mend))
            .collect();
        let unseen = told.unseen.iter().filter(|unseen| of(unseen.id));
        lines.extend(unseen.map(|unseen| format!("not checked {}: {}", unseen.id, unseen.why)));
        let lines = lines.iter().map(|line| self.scene.tame(line)).collect();
        let fine = told.fine.iter().copied().filter(|id| of(id)).collect();
        (lines, fine)
    }

    /// Ends the host. What still runs goes first, as on a machine that is switched off.
    async fn close(self) {
        drop(self.ground);
        self.scene.close().await;
    }
}

/// Panics with the story unless a deployment ended so.
#[track_caller]
fn ended(told: &Told, exit: u8) {
    assert_eq!(told.exit(), exit, "{}\n{}", told.outcome(), told.story());
}

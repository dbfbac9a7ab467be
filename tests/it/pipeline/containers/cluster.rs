//! Kubernetes, by the template that users copy and the rights that it gives. One cluster for all, since it takes a while to come up.

use std::time::Duration;

use cutover_deploy::{Event, Kind};
use insta::assert_snapshot;
use kit::{Cluster, WORKER, wait_for};

use super::{APP, Ground, Shop, ended};
use crate::pipeline::told::Told;

const WORKERS: &str = r#"manager = "kubernetes"
kubernetes = { namespace = "default", image = "shop:{commit}" }
drain_timeout = "20s"
after_drain = "fail""#;

/// The template, with an image that is here and the network of a node without a network of its own for pods.
fn manifest(shop: &Shop) -> String {
    let mut text = include_str!("../../../../templates/kubernetes.yaml").to_owned();
    let queue = shop.queue().display().to_string();
    for (word, value) in [
        ("image: registry.example.com/shop:first", "image: shop:first\n          imagePullPolicy: Never\n          volumeMounts: [{name: queue, mountPath: /queue}]".to_owned()),
        (r#"["php", "artisan", "queue:work", "--sleep=1", "--tries=3", "--timeout=60", "--max-time=3600"]"#, r#"["php", "artisan"]"#.to_owned()),
        ("          env:\n", "          env:\n            - {name: QUEUE, value: /queue}\n".to_owned()),
        ("      containers:\n", format!("      hostNetwork: true\n      volumes: [{{name: queue, hostPath: {{path: {queue}}}}}]\n      containers:\n")),
    ] {
        assert!(text.contains(word), "{word}");
        text = text.replace(word, &value);
    }
    text
}

impl Shop {
    fn cluster(&self) -> &Cluster {
        match &self.ground {
            Ground::Cluster(cluster) => cluster,
            Ground::Docker(_) => unreachable!("these tests have a cluster"),
        }
    }

    /// Commits a change, makes its image and deploys it.
    async fn release(&self, mark: &str) -> Told {
        let code = code();
        let files = [&APP[..], &[("artisan", &*code), ("mark", mark)]].concat();
        let request = self.scene.wish(&files).await;
        self.image(&request.kind).await;
        self.scene.run(&request).await
    }

    async fn image(&self, kind: &Kind) {
        let Kind::Deploy { commit } = kind else {
            unreachable!("it is a deployment")
        };
        let lines = [r#"CMD ["php", "artisan"]"#];
        self.docker().image(&format!("shop:{commit}"), &lines).await;
    }

    /// The pods that run something: release, and `told` where it was told to end.
    async fn pods(&self) -> Vec<String> {
        let pods = self.running(
            r#"{{with .metadata.annotations}}{{index . "cutover/release"}}{{else}}-{{end}}{{if
            .metadata.deletionTimestamp}} told{{end}}"#,
        );
        let mut pods: Vec<_> = pods.await.iter().map(|pod| self.scene.tame(pod)).collect();
        pods.sort();
        pods
    }

    /// What this template says of each pod whose container runs.
    async fn running(&self, template: &str) -> Vec<String> {
        let format = format!(
            r#"go-template={{{{range $pod := .items}}}}{{{{range .status.containerStatuses}}}}{{{{if .state.running}}}}{{{{with $pod}}}}{template}{{{{end}}}}{{{{"\n"}}}}{{{{end}}}}{{{{end}}}}{{{{end}}}}"#
        );
        let pods = self
            .cluster()
            .ask(&["get", "pods", "--output", &format])
            .await;
        pods.lines().map(str::to_owned).collect()
    }

    async fn pods_settle(&self, wanted: &[&str]) {
        let what = format!("the pods to be {wanted:?}");
        wait_for(what, Duration::from_mins(1), async || {
            let pods = self.pods().await;
            if pods == wanted {
                Ok(())
            } else {
                Err(pods.join("\n"))
            }
        })
        .await;
    }

    /// The images that pods run.
    async fn images(&self) -> Vec<String> {
        self.running("{{(index .status.containerStatuses 0).image}}")
            .await
    }
}

#[tokio::test]
async fn pods_follow_a_release_and_a_lost_job_takes_it_back() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    let mut shop = Shop::on(Ground::Cluster(cluster), WORKERS).await;
    shop.docker()
        .image("shop:first", &[r#"CMD ["php", "artisan"]"#])
        .await;
    shop.cluster().apply(&manifest(&shop)).await;
    shop.cluster()
        .ask(&["rollout", "status", "deployment/shop-worker"])
        .await;

    ended(&shop.release("one").await, 0);
    shop.pods_settle(&["r1", "r1"]).await;
    let first = shop.images().await;

    // The deployment is over when the job of the old release is.
    assert_eq!(shop.begin("long").await, "r1");
    let request = shop.scene.wish(&[("mark", "two")]).await;
    shop.image(&request.kind).await;
    let running = shop.scene.begin(&request);
    shop.in_pods("r1 told").await;
    assert_eq!(shop.end("long").await, "r1");
    let told = running.end().await;
    ended(&told, 0);
    assert_eq!(
        told.story().matches(" runs r2").count(),
        2,
        "{}",
        told.story()
    );
    shop.pods_settle(&["r2", "r2"]).await;
    assert_ne!(shop.images().await, first);

    ended(&shop.scene.rollback().await, 0);
    shop.pods_settle(&["r1", "r1"]).await;
    assert_eq!(shop.images().await, first);

    refused(&mut shop).await;
    lost(&shop).await;
    without_an_image(&mut shop).await;
    in_a_crash_loop(&mut shop).await;
    as_the_doctor_sees_it(&shop).await;
    shop.close().await;
}

impl Shop {
    async fn in_pods(&self, wanted: &str) {
        wait_for(
            format!("a pod {wanted}"),
            Duration::from_mins(1),
            async || {
                let pods = self.pods().await;
                if pods.iter().any(|pod| pod == wanted) {
                    Ok(())
                } else {
                    Err(pods.join("\n"))
                }
            },
        )
        .await;
    }
}

/// What would lose a job, and an image that is nowhere, change nothing.
async fn refused(shop: &mut Shop) {
    let names = async |shop: &Shop| shop.running("{{.metadata.name}}").await;
    let (live, pods) = (shop.scene.live(), names(shop).await);
    shop.configure("drain_timeout = \"20s\"", "drain_timeout = \"2m\"");
    let told = shop.release("three").await;
    ended(&told, 1);
    assert!(
        told.outcome()
            .contains("write: terminationGracePeriodSeconds: 120"),
        "{}",
        told.outcome()
    );
    shop.configure("drain_timeout = \"2m\"", "drain_timeout = \"20s\"");
    assert_eq!(names(shop).await, pods);

    let told = shop.scene.deploy(&[("mark", "nowhere")]).await;
    ended(&told, 1);
    assert!(told.outcome().contains("NeverPull"), "{}", told.outcome());
    shop.pods_settle(&["r1", "r1"]).await;
    assert_eq!(names(shop).await, pods);
    assert_eq!(shop.scene.live(), live);
}

/// A pod that is killed in its job is named, and the release before it is live again.
async fn lost(shop: &Shop) {
    let ask = async |arguments: &[&str]| shop.cluster().ask(arguments).await;
    let patience = async |seconds: u8| {
        let patch = format!(
            r#"{{"spec":{{"template":{{"spec":{{"terminationGracePeriodSeconds":{seconds}}}}}}}}}"#
        );
        ask(&["patch", "deployment", "shop-worker", "--patch", &patch]).await;
    };
    // Pods from before somebody mended their grace, together with the release to come.
    patience(3).await;
    ask(&["rollout", "status", "deployment/shop-worker"]).await;
    shop.pods_settle(&["r1", "r1"]).await;
    ask(&["rollout", "pause", "deployment/shop-worker"]).await;
    patience(60).await;

    assert_eq!(shop.begin("lost").await, "r1");
    let request = shop.scene.wish(&[("mark", "four")]).await;
    shop.image(&request.kind).await;
    let running = shop.scene.begin(&request);
    let format = r#"go-template={{index .spec.template.metadata.annotations "cutover/release"}}"#;
    wait_for("the patch", Duration::from_mins(1), async || {
        let release = ask(&["get", "deployment", "shop-worker", "--output", format]).await;
        if shop.scene.tame(&release) == "r1" {
            Err(release)
        } else {
            Ok(())
        }
    })
    .await;
    ask(&["rollout", "resume", "deployment/shop-worker"]).await;
    let told = running.end().await;
    ended(&told, 1);
    assert!(told.outcome().contains("LOST:137"), "{}", told.outcome());
    shop.pods_settle(&["r1", "r1"]).await;
}

/// The worker of a release, which says by the folder that it lies in what it is of.
fn code() -> String {
    let named = "getenv('CUTOVER_RELEASE') ?: basename(__DIR__)";
    assert!(WORKER.contains(named), "{WORKER}");
    WORKER.replace(named, "basename(__DIR__)")
}

/// The template for pods whose code is on their node: one image, and below `folder` what they run.
fn on_the_node(shop: &Shop, folder: &str) -> String {
    let root = shop.scene.host().path().display().to_string();
    let mut text = manifest(shop);
    for (word, value) in [
        (
            r#"["php", "artisan"]"#,
            format!(
                r#"["php", "{root}/{folder}/artisan", "queue:work", "--tries=3", "--max-time=3600"]"#
            ),
        ),
        (
            "volumeMounts: [",
            format!("volumeMounts: [{{name: app, mountPath: {root}}}, "),
        ),
        (
            "volumes: [",
            format!("volumes: [{{name: app, hostPath: {{path: {root}}}}}, "),
        ),
    ] {
        assert!(text.contains(word), "{word}");
        text = text.replace(word, &value);
    }
    text
}

/// Pods that are only started anew: what they run is what their command names by the release.
async fn without_an_image(shop: &mut Shop) {
    let ask = async |shop: &Shop| {
        let ready = ["rollout", "status", "deployment/shop-worker"];
        shop.cluster().ask(&ready).await;
        shop.pods_settle(&["r1", "r1"]).await;
    };
    shop.configure(", image = \"shop:{commit}\"", "");
    shop.cluster().apply(&on_the_node(shop, "current")).await;
    ask(shop).await;
    let live = shop.scene.live();
    let told = shop.scene.deploy(&[("mark", "five")]).await;
    ended(&told, 1);
    let reason = "start before it leads to their release";
    assert!(told.outcome().contains(reason), "{}", told.outcome());
    assert_eq!(shop.scene.live(), live);

    let by_release = on_the_node(shop, "releases/$(CUTOVER_RELEASE)");
    shop.cluster().apply(&by_release).await;
    ask(shop).await;
    assert_eq!(shop.begin("shared").await, "r1");
    let request = shop.scene.wish(&[("mark", "six")]).await;
    let running = shop.scene.begin(&request);
    shop.in_pods("r1 told").await;
    assert_eq!(shop.end("shared").await, "r1");
    let told = running.end().await;
    ended(&told, 0);
    let proven = told.story().matches(" runs r7").count();
    assert_eq!(proven, 2, "{}", told.story());
    shop.pods_settle(&["r7", "r7"]).await;
    assert_eq!(shop.begin("next").await, "r7");
    assert_eq!(shop.end("next").await, "r7");
    ended(&shop.scene.rollback().await, 0);
    shop.pods_settle(&["r1", "r1"]).await;
    assert_eq!(shop.begin("again").await, "r1");
    assert_eq!(shop.end("again").await, "r1");
    assert_eq!(shop.images().await, ["shop:first", "shop:first"]);
}

/// A release that is proven and ends only when jobs come is taken back while it is watched.
async fn in_a_crash_loop(shop: &mut Shop) {
    let watched = "\n[environments.production.alarms]\ninterval = \"200ms\"\n\
        [environments.production.alarms.workers]\nrestarts = 9\n";
    shop.configure("branch = \"main\"", "branch = \"main\"\nwatch = \"1h\"");
    shop.configure(
        "after_drain = \"fail\"",
        &format!("after_drain = \"fail\"{watched}"),
    );
    let crashes = "<?php while (! is_file(getenv('QUEUE').'/let/crash')) { usleep(20000); clearstatcache(); } exit(1);";
    let request = shop.scene.wish(&[("artisan", crashes)]).await;
    let running = shop.scene.begin(&request);
    let looked = |event: &Event| matches!(event, Event::Looked { .. });
    running.tells(looked).await;
    let crash = shop.queue().join("let/crash");
    std::fs::write(&crash, "").unwrap();
    let told = running.end().await;
    ended(&told, 1);
    let seen = told.outcome();
    assert!(seen.contains("is FATAL:CrashLoopBackOff"), "{seen}");
    assert!(!seen.contains("started anew 0 times"), "{seen}");
    shop.pods_settle(&["r1", "r1"]).await;
}

/// A Deployment with which all is well, and one whose pods would lose a job.
async fn as_the_doctor_sees_it(shop: &Shop) {
    assert_snapshot!(shop.all_diagnosed().await, @r#"
    container.stop-signal: deployment/shop-worker: the signal that ends it stands in its image, which no cluster tells; docker image inspect --format '{{.Config.StopSignal}}' IMAGE  # nothing, or SIGTERM
    php.pcntl: deployment/shop-worker: whether the PHP of its image has pcntl is not seen from here; docker-php-ext-install pcntl in its Dockerfile, and pcntl_* out of disable_functions
    queue.watched: nothing looks at failed and overdue jobs after a swap; watch = "5m", and [environments.production.alarms.queue] with failed = 0
    fine: app.debug container.grace container.shell-form env.rights health.body health.release host.clock host.disk host.inodes host.key host.ln host.reach php.extensions php.versions queue.cache-prefix queue.cache-store queue.failed-jobs queue.overlap-lock queue.retry-after releases.kept shared.linked web.dotfiles workers.hand-over workers.listen workers.max-time workers.memory workers.running workers.stale workers.timeout workers.tries workers.unmanaged
    "#);
    let ill = manifest(shop)
        .replace(
            r#"["php", "artisan"]"#,
            r#"["sh", "-c", "php artisan queue:work --timeout=90"]"#,
        )
        .replace(
            "terminationGracePeriodSeconds: 70",
            "terminationGracePeriodSeconds: 5",
        )
        .replace(
            "          env:\n",
            "          lifecycle: {preStop: {exec: {command: [\"sleep\", \"2\"]}}}\n          env:\n",
        );
    shop.cluster().apply(&ill).await;
    assert_snapshot!(shop.diagnosed(|_| {}).await, @r#"
    container.grace: deployment/shop-worker gets 3 s after its preStop hook of 2 s, and a job may take 90 s; terminationGracePeriodSeconds: 102
    container.shell-form: deployment/shop-worker starts its worker under a shell, which keeps TERM to itself; ["php", "artisan", "queue:work"], or `exec php …` in the shell
    container.stop-signal: deployment/shop-worker: the signal that ends it stands in its image, which no cluster tells; docker image inspect --format '{{.Config.StopSignal}}' IMAGE  # nothing, or SIGTERM
    "#);
}

//! A real Kubernetes of one node: etcd, the server, controllers, scheduler and kubelet over a Docker daemon, in a network of
//! their own. Pods have the node's network (`hostNetwork: true`) and no registry (`imagePullPolicy: Never`). Needs root.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::process::Command;

use crate::{Docker, Host, cache, command, wait_for};

/// The node's address. Nobody else is in its network.
const NODE: &str = "10.77.9.1";
/// Where etcd answers in that network, and what is its peers'.
const STORE: &str = "http://127.0.0.1:22379";
const PEERS: &str = "http://127.0.0.1:22380";

/// How long a node may take to be ready on a busy machine.
const READY: Duration = Duration::from_mins(2);

/// A Kubernetes of one node, `n1`.
///
/// When it is dropped, or the test is killed, it ends with all of its pods, and its folder goes.
#[derive(Debug)]
pub struct Cluster {
    docker: Docker,
    programs: PathBuf,
}

impl Cluster {
    /// Starts the cluster and waits until its node is ready. `None`, and a word why, where no Kubernetes was built by
    /// `tests/fetch-kubernetes.sh`; with the feature `matrix` that is a panic.
    pub async fn start() -> Option<Self> {
        let programs = cache::root().join("kubernetes/bin");
        let Ok(programs) = programs.canonicalize() else {
            let what = "no Kubernetes here: run tests/fetch-kubernetes.sh, which builds one in some minutes";
            skip(what);
            return None;
        };
        let mut docker = Docker::folder();
        let mut network = Command::new("/bin/sh");
        network.args(["-c", include_str!("cluster/bin/network"), "network"]);
        command::succeed(network.args([docker.id(), NODE])).await;
        let runc = docker.dir().join("runc");
        fs::write(&runc, include_str!("cluster/bin/runc")).expect("the folder can be written");
        fs::set_permissions(&runc, fs::Permissions::from_mode(0o755)).expect("it was just made");
        let namespace = docker.id().to_owned();
        let runtime = format!("--add-runtime=kit={}", runc.display());
        let cluster = async {
            let more = [runtime.as_str(), "--default-runtime=kit"];
            docker.run_daemon(&namespace, &more).await;
            // What holds the namespaces of a pod has to stay, and to go at once when it is told to.
            let pause = r#"ENTRYPOINT ["sh", "-c", "trap 'exit 0' TERM; sleep infinity & wait"]"#;
            docker.image("pause:1", &[pause]).await;
            Self { docker, programs }
        };
        let mut cluster = cluster.await;
        cluster.write_settings().await;
        cluster.start_all().await;
        Some(cluster)
    }

    /// The Docker daemon that the pods run on, and whose images they have.
    pub fn docker(&self) -> &Docker {
        &self.docker
    }

    /// A client that may do everything in this cluster.
    pub fn kubectl(&self) -> Command {
        let mut kubectl = Command::new("nsenter");
        kubectl
            .arg(format!("--net=/run/netns/{}", self.docker.id()))
            .arg(self.programs.join("kubectl"))
            .arg("--kubeconfig")
            .arg(self.docker.dir().join("kubeconfig.yaml"))
            .env("HOME", self.docker.dir());
        kubectl
    }

    /// From now on `kubectl` on this host speaks to this cluster, as this user of it.
    pub fn serve(&self, host: &Host, user: &str) {
        let text = format!(
            "#!/bin/sh\nexec nsenter --net=/run/netns/{} {} --kubeconfig {} --as={user} \"$@\"\n",
            self.docker.id(),
            self.programs.join("kubectl").display(),
            self.docker.dir().join("kubeconfig.yaml").display()
        );
        host.install("kubectl", &text);
    }

    /// Applies this manifest. Panics with what the cluster says of it.
    pub async fn apply(&self, manifest: &str) {
        let file = self.docker.dir().join("manifest.yaml");
        fs::write(&file, manifest).expect("the folder can be written");
        let mut apply = self.kubectl();
        command::succeed(apply.args(["apply", "--filename"]).arg(file)).await;
    }

    /// Runs `kubectl` with these arguments and returns what it printed. Panics unless it exits with 0.
    pub async fn ask(&self, arguments: &[&str]) -> String {
        command::succeed(self.kubectl().args(arguments)).await
    }

    async fn write_settings(&self) {
        let dir = self.docker.dir();
        let token = uuid::Uuid::new_v4().simple().to_string();
        for (file, text) in [
            ("kubeconfig.yaml", include_str!("cluster/kubeconfig.yaml")),
            ("kubelet.yaml", include_str!("cluster/kubelet.yaml")),
            ("tokens.csv", "@token@,admin,1,system:masters\n"),
        ] {
            let text = text.replace("@token@", &token).replace("@address@", NODE);
            fs::write(dir.join(file), text).expect("the folder can be written");
        }
        let mut key = Command::new("openssl");
        key.args(["genrsa", "-out"]).arg(dir.join("key.pem"));
        command::succeed(key.arg("2048")).await;
    }

    async fn start_all(&mut self) {
        let dir = self.docker.dir().display().to_string();
        let at = |name: &str| self.programs.join(name).display().to_string();
        let etcd = [
            "etcd".to_owned(),
            format!("--data-dir={dir}/etcd"),
            format!("--listen-client-urls={STORE}"),
            format!("--advertise-client-urls={STORE}"),
            format!("--listen-peer-urls={PEERS}"),
            format!("--initial-advertise-peer-urls={PEERS}"),
            format!("--initial-cluster=default={PEERS}"),
        ];
        let server = [
            at("kube-apiserver"),
            format!("--etcd-servers={STORE}"),
            format!("--bind-address={NODE}"),
            format!("--advertise-address={NODE}"),
            "--secure-port=26443".to_owned(),
            format!("--cert-dir={dir}/certs"),
            format!("--token-auth-file={dir}/tokens.csv"),
            format!("--service-account-key-file={dir}/key.pem"),
            format!("--service-account-signing-key-file={dir}/key.pem"),
            "--service-account-issuer=https://kit".to_owned(),
            "--service-cluster-ip-range=10.96.0.0/16".to_owned(),
            "--authorization-mode=RBAC".to_owned(),
            "--disable-admission-plugins=ServiceAccount".to_owned(),
        ];
        let settings = format!("--kubeconfig={dir}/kubeconfig.yaml");
        let controllers = [
            at("kube-controller-manager"),
            settings.clone(),
            "--leader-elect=false".to_owned(),
            format!("--service-account-private-key-file={dir}/key.pem"),
        ];
        let scheduler = [
            at("kube-scheduler"),
            settings.clone(),
            "--leader-elect=false".to_owned(),
        ];
        let kubelet = [
            at("kubelet"),
            settings,
            format!("--config={dir}/kubelet.yaml"),
            format!("--root-dir={dir}/kubelet"),
            format!("--cert-dir={dir}/kubelet-certs"),
            format!("--docker-endpoint=unix://{dir}/docker.sock"),
            "--container-runtime=docker".to_owned(),
            "--network-plugin=".to_owned(),
            "--pod-infra-container-image=pause:1".to_owned(),
            "--hostname-override=n1".to_owned(),
            format!("--node-ip={NODE}"),
        ];
        let namespace = self.docker.id().to_owned();
        self.docker.spawn(&namespace, &etcd);
        self.docker.spawn(&namespace, &server);
        let ready = ["get", "--raw", "/readyz"];
        self.until("the server to be ready", &ready, "ok").await;
        for program in [&controllers[..], &scheduler, &kubelet] {
            self.docker.spawn(&namespace, program);
        }
        self.until("the node to be ready", &["get", "nodes"], " Ready")
            .await;
    }

    /// Waits until `kubectl` says a word.
    async fn until(&self, what: &str, arguments: &[&str], word: &str) {
        wait_for(what, READY, async || {
            let said = command::finish(self.kubectl().args(arguments)).await;
            let text = String::from_utf8_lossy(&said.stdout).into_owned();
            if text.contains(word) {
                return Ok(());
            }
            let logs = ["etcd", "kube-apiserver", "kubelet"].map(|name| {
                let log = self.docker.log(name);
                let lines: Vec<_> = log.lines().rev().take(5).collect();
                format!("{name}: {}", lines.join("\n"))
            });
            Err(format!("{said:?}\n{}", logs.join("\n")))
        })
        .await;
    }
}

/// Says why a test is skipped. Nothing is where all must be there.
#[cfg(not(feature = "matrix"))]
#[expect(
    clippy::print_stderr,
    reason = "a test that is skipped says so to whoever runs it"
)]
fn skip(why: &str) {
    eprintln!("skipped: {why}");
}

#[cfg(feature = "matrix")]
fn skip(why: &str) {
    panic!("{why}");
}

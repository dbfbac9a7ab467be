//! Everything together: a host, a repository, a GitHub, and `cutover serve` in the middle.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cutover_deploy::CommitSha;
use serde_json::Value;
use tempfile::TempDir;

use crate::github::{Delivery, GitHub, Reception};
use crate::gitlab::GitLab;
use crate::host::free_port;
use crate::site::Site;
use crate::{ComposerRepo, Files, Host, HostOptions, Repo, Service, wait_for};

/// How long deployments may take until all of them are over.
const PATIENCE: Duration = Duration::from_mins(3);

/// A plain app is as healthy as its file `ok` says.
const PLAIN_STEPS: &str = r#"
[steps]
prepare = ["""printf '{"ok":%s,"release":"%s"}' "$(cat ok)" "$CUTOVER_RELEASE" > health.json"""]
"#;

const WORKERS: &str = r#"
[[environments.production.workers]]
group = "app-worker"
expect = 2
drain_timeout = "30s"
"#;

/// The repository of every world.
pub const REPOSITORY: &str = "acme/shop";

/// A host, a repository, a GitHub, and the service. The environment is called `production` and follows `main`.
#[derive(Debug)]
pub struct World {
    /// The host, called `web1`.
    pub host: Host,
    /// The repository, whose origin the service fetches.
    pub repo: Repo,
    /// The forge.
    pub github: GitHub,
    /// The forge instead, in a world on GitLab; the service knows nothing of the other one then.
    pub gitlab: Option<GitLab>,
    /// The service, unless the test has ended it.
    pub service: Option<Service>,
    site: Option<Site>,
    composer: Option<ComposerRepo>,
    port: u16,
    dir: TempDir,
}

/// What a world is made of.
#[derive(Debug, Clone, Default)]
pub struct WorldOptions {
    /// Whether the host serves the sample app; else it is a plain one.
    pub laravel: bool,
    /// Whether the repository is on GitLab.
    pub gitlab: bool,
    /// Keys of `[environments.production]` itself, a line each.
    pub environment: String,
    /// TOML that is added at the end of `cutover.toml`.
    pub more: String,
    /// The host of another world, to deploy to instead of this world's own.
    pub shares: Option<Shared>,
}

/// What another world needs to deploy to the same host.
#[derive(Debug, Clone)]
pub struct Shared {
    path: PathBuf,
    address: String,
    key_file: PathBuf,
    known_hosts: PathBuf,
    health_url: String,
}

impl World {
    /// A world with one plain host, whose app is two files: `ok` holds `true` or `false`, which is its health.
    pub async fn plain() -> Self {
        Self::start(WorldOptions::default()).await
    }

    /// A world with one Laravel host that serves the sample app.
    pub async fn laravel() -> Self {
        Self::start(WorldOptions {
            laravel: true,
            ..WorldOptions::default()
        })
        .await
    }

    /// A plain world whose repository is on GitLab. Hooks prove themselves by token.
    pub async fn on_gitlab() -> Self {
        Self::start(WorldOptions {
            gitlab: true,
            ..WorldOptions::default()
        })
        .await
    }

    /// Starts everything; the service listens when this returns.
    pub async fn start(options: WorldOptions) -> Self {
        let mut world = Self::without_service(options).await;
        world.start_service().await;
        world
    }

    /// Starts everything but the service.
    pub async fn without_service(options: WorldOptions) -> Self {
        let dir = tempfile::Builder::new()
            .prefix("kit-world-")
            .tempdir()
            .expect("a folder can be made");
        let (host, site, composer, repo) = if options.laravel {
            let composer = ComposerRepo::start().await;
            let repo = Repo::sample_app(&composer).await;
            (
                Host::start(HostOptions::laravel("web1")).await,
                None,
                Some(composer),
                repo,
            )
        } else {
            let host = Host::start(HostOptions::plain("web1")).await;
            let site = Site::start(host.path()).await;
            let repo = Repo::with([("ok", "true"), ("index.html", "one\n")]).await;
            (host, Some(site), None, repo)
        };
        let github = GitHub::start().await;
        github.add_repo(REPOSITORY, &repo.url());
        github.commit(REPOSITORY, "main", repo.head().await.as_str());
        let gitlab = if options.gitlab {
            let gitlab = GitLab::start().await;
            gitlab.add_project(REPOSITORY, &repo.url());
            gitlab.commit(REPOSITORY, "main", repo.head().await.as_str());
            Some(gitlab)
        } else {
            None
        };
        let world = Self {
            host,
            repo,
            github,
            gitlab,
            service: None,
            site,
            composer,
            port: free_port(),
            dir,
        };
        world.write_settings(&options);
        world
    }

    /// This world's host, for another world.
    pub fn share(&self) -> Shared {
        let health_url = match &self.site {
            None => format!("{}/health", self.host.http_url()),
            Some(site) => site.health_url(),
        };
        Shared {
            path: self.host.path(),
            address: self.host.address(),
            key_file: self.host.key_file(),
            known_hosts: self.host.known_hosts(),
            health_url,
        }
    }

    fn write_settings(&self, options: &WorldOptions) {
        let target = options.shares.clone().unwrap_or_else(|| self.share());
        let dir = self.dir.path();
        let write =
            |name: &str, text: &str| fs::write(dir.join(name), text).expect("the folder is ours");
        let forge = match &self.gitlab {
            None => {
                write("webhook-secret", &self.github.hook_secret());
                write("github-token", self.github.token());
                format!(
                    "[github]\nwebhook_secret_file = \"webhook-secret\"\ntoken_file = \"github-token\"\n\
                     api_url = \"{}\"\n",
                    self.github.base_url()
                )
            }
            Some(gitlab) => {
                write("webhook-token", &gitlab.hook_token());
                write("gitlab-token", gitlab.token());
                format!(
                    "[gitlab]\nwebhook_token_file = \"webhook-token\"\ntoken_file = \"gitlab-token\"\n\
                     api_url = \"{}\"\n",
                    gitlab.base_url()
                )
            }
        };
        write("cutover.toml", &config(options, &target));
        write(
            "service.toml",
            &format!(
                "listen = \"127.0.0.1:{}\"\ndata_dir = \"data\"\n\n{forge}\n[[apps]]\nconfig = \"cutover.toml\"\n\
                 ssh_key = \"{}\"\nknown_hosts = \"{}\"\ngit_url = \"{}\"\n",
                self.port,
                target.key_file.display(),
                target.known_hosts.display(),
                self.repo.url(),
            ),
        );
    }

    /// Starts the service, also again after it ended.
    pub async fn start_service(&mut self) {
        let service = Service::start(
            &self.dir.path().join("service.toml"),
            self.port,
            &self.log_file(),
        )
        .await;
        self.service = Some(service);
    }

    /// The service.
    ///
    /// Panics while there is none.
    pub fn service(&self) -> &Service {
        self.service.as_ref().expect("the service runs")
    }

    /// Takes the service out of the world, to end it in one way or another.
    pub fn take_service(&mut self) -> Service {
        self.service.take().expect("the service runs")
    }

    /// The folder of the service: its settings, keys and data.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The `cutover.toml` of the app.
    pub fn config_file(&self) -> PathBuf {
        self.dir.path().join("cutover.toml")
    }

    fn log_file(&self) -> PathBuf {
        self.dir.path().join("service.log")
    }

    /// Where the forge sends hooks.
    pub fn hook_url(&self) -> String {
        let forge = if self.gitlab.is_some() {
            "gitlab"
        } else {
            "github"
        };
        format!("http://127.0.0.1:{}/hooks/{forge}", self.port)
    }

    /// Whether the repository is on GitLab.
    pub fn is_on_gitlab(&self) -> bool {
        self.gitlab.is_some()
    }

    /// The forge of a world on GitLab.
    ///
    /// Panics in any other.
    pub fn gitlab(&self) -> &GitLab {
        self.gitlab.as_ref().expect("the world is on GitLab")
    }

    /// Lets GitLab sign its hooks and the service ask for it; the token stays set on both sides.
    pub fn sign_hooks(&self) {
        let secret = self.gitlab().sign_hooks();
        let write = |name: &str, text: &str| {
            fs::write(self.dir.path().join(name), text).expect("the folder is ours");
        };
        write("signing-secret", &secret);
        let file = self.dir.path().join("service.toml");
        let text = fs::read_to_string(file).expect("it was written at the start");
        let signed = "[gitlab]\nsigning_secret_file = \"signing-secret\"\n";
        write("service.toml", &text.replace("[gitlab]\n", signed));
    }

    /// Commits and pushes one file of a plain app on `main` and sends the hook, which must be taken.
    pub async fn push_file(&self, path: &str, text: &str) -> CommitSha {
        let (sha, reception) = self.push(vec![(path.to_owned(), text.to_owned())]).await;
        assert_eq!(reception.status, 202, "{}", reception.body);
        sha
    }

    /// Commits files on `main`, pushes them, and returns the hook that GitHub would send.
    pub async fn commit(&self, files: Files) -> (CommitSha, Delivery) {
        let sha = self.repo.commit("change the shop", files).await;
        self.repo.push("main").await;
        let delivery = self.github.push(REPOSITORY, "main", sha.as_str());
        (sha, delivery)
    }

    /// Commits and pushes files on `main` and sends the hook.
    pub async fn push(&self, files: Files) -> (CommitSha, Reception) {
        let (sha, sent) = if let Some(gitlab) = &self.gitlab {
            let sha = self.repo.commit("change the shop", files).await;
            self.repo.push("main").await;
            let delivery = gitlab.push(REPOSITORY, "main", sha.as_str());
            (sha, delivery.send(&self.hook_url()).await)
        } else {
            let (sha, delivery) = self.commit(files).await;
            (sha, delivery.send(&self.hook_url()).await)
        };
        (sha, sent.expect("the service answers"))
    }

    /// What the service knows of `production`: live, running, waiting, ended.
    pub async fn production(&self) -> Value {
        let all = self.service().json("/api/v1/environments").await;
        all["environments"][0].clone()
    }

    /// Waits until nothing runs and nothing waits, and every report has been posted.
    pub async fn settled(&self) {
        wait_for("the queue to be empty", PATIENCE, async || {
            let production = self.production().await;
            let idle = production["running"].is_null()
                && production["waiting"].as_array().is_some_and(Vec::is_empty);
            if idle {
                Ok(())
            } else {
                Err(format!("{production:#}\n{}", self.service().log()))
            }
        })
        .await;
    }

    /// Waits until the forge has heard everything: no report of the newest deployments is left to post.
    pub async fn reported(&self) {
        wait_for("every report to be posted", PATIENCE, async || {
            let production = self.production().await;
            for deployment in production["ended"].as_array().into_iter().flatten() {
                let id = deployment["id"].as_str().unwrap_or_default();
                let whole = self
                    .service()
                    .json(&format!("/api/v1/deployments/{id}"))
                    .await;
                let reports = whole["reports"].as_array().cloned().unwrap_or_default();
                if reports.iter().any(|report| report["state"] == "waiting") {
                    return Err(format!("{:#}\n{}", whole["reports"], self.service().log()));
                }
            }
            Ok(())
        })
        .await;
    }

    /// What the forge has heard, with deployments and releases numbered in the order in which they are named.
    pub fn forge(&self) -> String {
        numbered(&match &self.gitlab {
            Some(gitlab) => gitlab.picture(REPOSITORY),
            None => self.github.picture(REPOSITORY),
        })
    }

    /// The newest deployments, newest first: kind, first line of what became of each.
    pub async fn outcomes(&self) -> Vec<String> {
        let production = self.production().await;
        let ended = production["ended"].as_array().cloned().unwrap_or_default();
        let word = |deployment: &Value| {
            format!(
                "{} {}",
                deployment["kind"].as_str().unwrap_or("?"),
                deployment["word"].as_str().unwrap_or("?")
            )
        };
        ended.iter().map(word).collect()
    }

    /// Ends the world: the service stops by itself, nothing is queued, no host has anything left over, and the forge
    /// heard nothing that it would refuse.
    pub async fn close(mut self) {
        if let Some(service) = self.service.take() {
            let production = service.json("/api/v1/environments").await["environments"][0].clone();
            assert!(
                production["running"].is_null(),
                "still running: {production:#}"
            );
            assert_eq!(production["waiting"], Value::Array(vec![]), "still waiting");
            let log = self.log_file();
            let token = service.token();
            let status = service.stop().await;
            let log = fs::read_to_string(log).unwrap_or_default();
            assert!(status.success(), "the service ended with {status}\n{log}");
            let mut secrets = vec![self.github.hook_secret(), self.github.token().to_owned()];
            secrets.push(token);
            if let Some(gitlab) = &self.gitlab {
                secrets.extend([gitlab.hook_token(), gitlab.token().to_owned()]);
            }
            for secret in secrets {
                assert!(!log.contains(&secret), "a secret is in the log");
            }
        }
        self.host.close().await;
        drop(self.composer);
        self.github.close();
        drop(self.gitlab);
    }
}

/// The `cutover.toml` of a world that deploys to `target`.
fn config(options: &WorldOptions, target: &Shared) -> String {
    let (steps, workers) = if options.laravel {
        ("recipe = \"laravel\"\n", WORKERS)
    } else {
        (PLAIN_STEPS, "")
    };
    let forge = if options.gitlab { "gitlab" } else { "github" };
    format!(
        "app = \"shop\"\nrepository = \"{forge}:{REPOSITORY}\"\n{steps}\n\
         [environments.production]\nbranch = \"main\"\npath = \"{}\"\nurl = \"https://shop.example.com\"\n{}\n\
         \n[[environments.production.hosts]]\nname = \"web1\"\naddress = \"{}\"\n\
         \n[environments.production.health]\nurl = \"{}\"\nattempts = 3\ninterval = \"100ms\"\n\
         json = {{ ok = true }}\nrelease_field = \"release\"\n{workers}{}",
        target.path.display(),
        options.environment,
        target.address,
        target.health_url,
        options.more,
    )
}

/// Puts numbers in place of ids, releases and ports, in order of appearance: `<id 1>`, `<release 1>`, `<port>`.
pub fn numbered(text: &str) -> String {
    let mut seen: [Vec<String>; 2] = Default::default();
    let mut number = |kind: usize, word: &str, id: &str| {
        let known = seen[kind].iter().position(|known| known == id);
        let index = known.unwrap_or_else(|| {
            seen[kind].push(id.to_owned());
            seen[kind].len() - 1
        });
        format!("<{word} {}>", index + 1)
    };
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    text.split_inclusive(|c| !is_part(c))
        .map(|piece| {
            let word = piece.trim_end_matches(|c| !is_part(c));
            let rest = &piece[word.len()..];
            let bytes = word.as_bytes();
            let named = match bytes.len() {
                36 if bytes[8] == b'-' && bytes[23] == b'-' => number(0, "id", word),
                24 if bytes[8] == b'T' && bytes[15] == b'Z' => number(1, "release", word),
                5 if word.parse::<u16>().is_ok_and(|port| port >= 10_000) => "<port>".to_owned(),
                _ => word.to_owned(),
            };
            named + rest
        })
        .collect()
}

//! Capistrano as Debian has it, deploying a repository to a host through the host's own sshd.

use std::fs;
use std::path::PathBuf;
use std::process::Output;

use tempfile::TempDir;
use tokio::process::Command;

use crate::host::Host;
use crate::repo::Repo;
use crate::{command, process};

/// What it runs in the new release once that is updated. With `FAIL` it fails there, before anything is live.
const DEPLOY: &str = r#"
set :application, "shop"
set :repo_url, "@repo@"
set :branch, "main"
set :deploy_to, "@path@"
set :tmp_dir, "@tmp@"
append :linked_files, ".env"
append :linked_dirs, "storage", "public/uploads"
task :prepare do
  on roles(:app) do
    within release_path do
      execute :false if ENV["FAIL"]
      with(cutover_release: release_path.basename.to_s) { execute :sh, "prepare.sh" }
    end
  end
end
after "deploy:updated", :prepare
"#;

const CAPFILE: &str = r#"
require "capistrano/setup"
require "capistrano/deploy"
require "capistrano/scm/git"
install_plugin Capistrano::SCM::Git
"#;

const STAGE: &str = r#"
server "127.0.0.1", user: "@user@", port: @port@, roles: %w{app}
set :ssh_options, { config: false, keys: ["@key@"], keys_only: true, auth_methods: %w{publickey},
                    user_known_hosts_file: ["@known@"], verify_host_key: :always }
"#;

/// A project that Capistrano deploys to one host: the branch `main` of a repository, whose `prepare.sh` it runs.
#[derive(Debug)]
pub struct Capistrano {
    folder: TempDir,
    releases: PathBuf,
}

impl Capistrano {
    /// Sets the project up. Nothing reaches the host yet.
    pub fn new(host: &Host, repo: &Repo) -> Self {
        let folder = tempfile::Builder::new().prefix("kit-cap-").tempdir();
        let folder = folder.expect("a temporary folder can be made");
        let values = [
            ("@repo@", repo.url()),
            ("@path@", host.path().display().to_string()),
            ("@tmp@", host.dir().join("tmp").display().to_string()),
            ("@user@", process::user()),
            ("@port@", host.ssh_port().to_string()),
            ("@key@", host.key_file().display().to_string()),
            ("@known@", host.known_hosts().display().to_string()),
        ];
        for (file, text) in [
            ("Capfile", CAPFILE),
            ("config/deploy.rb", DEPLOY),
            ("config/deploy/production.rb", STAGE),
        ] {
            let filled = values.iter().fold(text.to_owned(), |text, (place, value)| {
                text.replace(place, value)
            });
            let file = folder.path().join(file);
            fs::create_dir_all(file.parent().expect("it is below the folder"))
                .expect("the folder was just made");
            fs::write(file, filled).expect("the folder was just made");
        }
        Self {
            folder,
            releases: host.path().join("releases"),
        }
    }

    /// Deploys what is pushed, and returns the name of the release. Panics with all that it said if it fails.
    pub async fn deploy(&self) -> String {
        let before = self.releases();
        command::succeed(&mut self.cap()).await;
        self.made_since(&before)
    }

    /// Begins a release and fails before it is live; returns its name.
    pub async fn fail(&self) -> String {
        let before = self.releases();
        let ended: Output = command::finish(self.cap().env("FAIL", "1")).await;
        assert!(!ended.status.success(), "it was to fail: {ended:?}");
        self.made_since(&before)
    }

    fn cap(&self) -> Command {
        let mut cap = Command::new("cap");
        cap.args(["production", "deploy"])
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path());
        cap
    }

    fn releases(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.releases).into_iter().flatten();
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        names.collect()
    }

    fn made_since(&self, before: &[String]) -> String {
        let made = self
            .releases()
            .into_iter()
            .find(|name| !before.contains(name));
        made.expect("it made a release; two of one second would be one")
    }
}

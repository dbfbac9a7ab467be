//! Others that deploy, with the configuration that their manuals begin with.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use tokio::process::Command;

use crate::line::Line;
use crate::place::{Place, succeed};

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    Capistrano,
    Slipway,
    Shipit,
}

impl Peer {
    pub(crate) const ALL: [Self; 3] = [Self::Capistrano, Self::Slipway, Self::Shipit];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Capistrano => "capistrano",
            Self::Slipway => "slipway",
            Self::Shipit => "shipit",
        }
    }

    /// The program, where it is installed.
    fn program(self) -> Option<PathBuf> {
        match self {
            Self::Capistrano => Path::new("/usr/bin/cap").canonicalize().ok(),
            Self::Slipway => kit::peer("slipway"),
            Self::Shipit => kit::peer("shipit"),
        }
    }

    pub(crate) fn is_there(self) -> bool {
        self.program().is_some()
    }

    /// Writes what it reads.
    pub(crate) fn prepare(self, place: &Place) -> Result<()> {
        let folder = self.folder(place);
        fs::create_dir_all(&folder)?;
        match self {
            Self::Capistrano => capistrano(place, &folder),
            Self::Slipway => slipway(place, &folder),
            Self::Shipit => shipit(place, &folder),
        }
    }

    pub(crate) async fn deploy(self, place: &Place, line: &Line) -> Result<()> {
        self.run(place, line, "deploy", "deploy").await
    }

    pub(crate) async fn rollback(self, place: &Place, line: &Line) -> Result<()> {
        let verb = match self {
            Self::Capistrano => "deploy:rollback",
            Self::Slipway | Self::Shipit => "rollback",
        };
        self.run(place, line, verb, "rollback").await
    }

    async fn run(self, place: &Place, line: &Line, verb: &str, what: &str) -> Result<()> {
        let Some(program) = self.program() else {
            anyhow::bail!("{} is not installed", self.name());
        };
        let alias = Place::alias(line);
        let mut command: Command = place.command(program);
        command.current_dir(self.folder(place));
        match self {
            Self::Capistrano | Self::Shipit => command.args([&alias, verb]),
            Self::Slipway => command.args([verb, "-c", &format!("{alias}.toml")]),
        };
        let ended = succeed(&mut command).await;
        ended.map_err(|error| error.context(format!("{what} by {}", self.name())))
    }

    /// How long it must be left alone between two deployments: names of releases that are made of seconds.
    pub(crate) fn pause(self) -> Duration {
        match self {
            Self::Capistrano | Self::Shipit => Duration::from_millis(1_100),
            Self::Slipway => Duration::ZERO,
        }
    }

    fn folder(self, place: &Place) -> PathBuf {
        place.folder.path().join(self.name())
    }
}

fn capistrano(place: &Place, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder.join("config/deploy"))?;
    fs::write(
        folder.join("Capfile"),
        "require 'capistrano/setup'\nrequire 'capistrano/deploy'\nrequire 'capistrano/scm/git'\n\
         install_plugin Capistrano::SCM::Git\n",
    )?;
    let deploy = format!(
        "set :application, 'bench'\nset :repo_url, '{}'\nset :branch, 'main'\nset :deploy_to, '{}'\n\
         set :keep_releases, 5\nappend :linked_files, '.env'\nappend :linked_dirs, 'storage'\n",
        place.repo.url(),
        place.root("capistrano")?.display()
    );
    fs::write(folder.join("config/deploy.rb"), deploy)?;
    for line in &place.lines.lines {
        let stage = format!(
            "server '127.0.0.1', user: '{}', port: {}, roles: %w{{app}}\n\
             set :ssh_options, {{ keys: ['{}'], keys_only: true, config: false, auth_methods: ['publickey'], \
             user_known_hosts_file: '{}', verify_host_key: :always }}\n",
            place.user(),
            line.port,
            place.host.key_file().display(),
            place.known_hosts().display()
        );
        let file = format!("config/deploy/{}.rb", Place::alias(line));
        fs::write(folder.join(file), stage)?;
    }
    Ok(())
}

fn slipway(place: &Place, folder: &Path) -> Result<()> {
    let root = place.root("slipway")?;
    let url = place.repo.url();
    let origin = url.trim_start_matches("file://");
    for line in &place.lines.lines {
        let text = format!(
            "app = \"bench\"\nhosts = [\"{}\"]\n[build]\n\
             command = \"rm -rf dist && mkdir dist && git --git-dir={origin} archive main | tar -xf - -C dist\"\n\
             artifact = \"dist\"\n[remote]\nroot = \"{}\"\nkeep_releases = 5\n[service]\n\
             exec_start = \"/bin/true\"\nscope = \"user\"\n",
            Place::alias(line),
            root.display()
        );
        fs::write(folder.join(format!("{}.toml", Place::alias(line))), text)?;
    }
    Ok(())
}

fn shipit(place: &Place, folder: &Path) -> Result<()> {
    let mut stages = String::new();
    for line in &place.lines.lines {
        let alias = Place::alias(line);
        writeln!(
            stages,
            "{alias}: {{ servers: '{}@{alias}' }},",
            place.user()
        )?;
    }
    let modules = kit::peer("shipit")
        .and_then(|program| Some(program.ancestors().nth(3)?.to_owned()))
        .unwrap_or_default();
    let text = format!(
        "module.exports = shipit => {{\nrequire('{modules}/shipit-deploy')(shipit);\n\
         require('{modules}/shipit-shared')(shipit);\nshipit.initConfig({{\ndefault: {{\n\
         workspace: '{}', deployTo: '{}', repositoryUrl: '{}', branch: 'main', keepReleases: 5,\n\
         shared: {{ overwrite: true, dirs: ['storage'], files: ['.env'] }} }},\n{stages}}});\n}};\n",
        folder.join("workspace").display(),
        place.root("shipit")?.display(),
        place.repo.url(),
        modules = modules.display(),
    );
    fs::create_dir_all(folder.join("workspace"))?;
    fs::write(folder.join("shipitfile.js"), text)?;
    Ok(())
}

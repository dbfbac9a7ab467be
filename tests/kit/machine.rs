//! A target host as a machine of its own: a container with real systemd, sshd, nginx, PHP-FPM, supervisor and Redis, on
//! a cable of its own. It crashes, loses its network and comes back. Needs root.
//!
//! Each machine has a network namespace joined to this one by a pair of devices, with two addresses out of 198.18.0.0/15,
//! the range that is set aside for testing networks. Its disk is an image that all share under a layer in memory.

mod cable;
mod fault;
pub(crate) mod image;
mod live;
mod long;
mod look;
mod power;
mod ssh;

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Output};
use std::sync::Mutex;
use std::sync::atomic::AtomicUsize;

use tokio::process::Command;

use crate::command;
use crate::debian::Debian;
use crate::host::FIRST;
use crate::picture::Names;
use crate::process;

/// Where the app lies on every machine.
const APP: &str = "/srv/app";

/// What a machine is made of.
#[derive(Debug, Clone)]
pub struct MachineOptions {
    /// What it calls itself, in messages too: 1 to 12 letters and digits.
    pub name: String,
    /// How many `queue:work` processes the supervisor group `app-worker` has. With 0 the group does not exist.
    pub workers: u32,
    /// The release of the sample app that is live from the start; none when absent.
    pub live: Option<String>,
    /// What it runs. Default Debian 12.
    pub debian: Debian,
    /// A script that root ran on a bare Debian, with a network: the machine then has what that installed, and nothing else.
    /// Without one it has all that tests need.
    pub installed: Option<String>,
    /// How much the machine may write, in MiB, before its disk is full. Lies in memory. Default 512.
    pub disk_mib: u32,
    /// A folder of this side that the machine has at `/srv/store`, for what machines share; none when absent.
    pub store: Option<PathBuf>,
}

impl MachineOptions {
    /// A machine that serves `/srv/app/current/public` and has no workers.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            workers: 0,
            live: None,
            debian: Debian::default(),
            installed: None,
            disk_mib: 512,
            store: None,
        }
    }

    /// A machine with two workers and the sample app live at the release [`FIRST`].
    pub fn laravel(name: &str) -> Self {
        Self {
            workers: 2,
            live: Some(FIRST.to_owned()),
            ..Self::named(name)
        }
    }
}

/// A machine, reached by real SSH over its own cable.
///
/// When it is dropped, or the test is killed, all of it goes: processes, mounts, network, cgroups, folder.
/// [`Machine::close`] does the same and fails the test when something was left behind.
#[derive(Debug)]
pub struct Machine {
    options: MachineOptions,
    /// The name of its network namespace, its cgroup, its cable's near end and its mounts.
    id: String,
    dir: PathBuf,
    near: Ipv4Addr,
    address: Ipv4Addr,
    container: Mutex<Option<Child>>,
    long_cable: Mutex<Option<long::LongCable>>,
    /// Ends everything as soon as its stdin ends, which happens even when the test is killed.
    guard: Option<Child>,
    connections_before: AtomicUsize,
    channels_before: AtomicUsize,
    names: Mutex<Names>,
}

impl Machine {
    /// Makes a machine, boots it and waits until systemd says that it runs. The first one ever makes the image too,
    /// which takes some minutes. Panics when it does not come up, and for whoever is not root.
    pub async fn start(options: MachineOptions) -> Self {
        assert!(
            process::is_root(),
            "machines need root: run the tests as root, or without the feature `machines`"
        );
        let image = match &options.installed {
            None => image::folder(options.debian).await,
            Some(script) => image::installed(options.debian, script).await,
        };
        let folder = tempfile::Builder::new()
            .prefix(&format!("kit-{}-", options.name))
            .tempdir();
        // The guard removes it, not this process: it outlives a test that is killed.
        let dir = folder.expect("a temporary folder can be made").keep();
        let (near, address) = cable::free_addresses();
        let mut machine = Self {
            id: format!("ck-{}", &uuid::Uuid::new_v4().simple().to_string()[..10]),
            options,
            dir,
            near,
            address,
            container: Mutex::default(),
            long_cable: Mutex::default(),
            guard: None,
            connections_before: AtomicUsize::new(0),
            channels_before: AtomicUsize::new(0),
            names: Mutex::default(),
        };
        machine.guard = Some(machine.start_guard());
        machine.make(&image).await;
        machine.furnish().await;
        machine.power_on().await;
        if machine.options.live.is_some() {
            machine.compile_views().await;
            machine.workers_run(machine.options.workers).await;
        }
        machine
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The folder of the app as the machine sees it: `current`, `releases` and `shared` lie here.
    pub fn path(&self) -> PathBuf {
        PathBuf::from(APP)
    }

    /// The machine's root filesystem as this side sees it, also while it is off.
    pub fn root(&self) -> PathBuf {
        self.dir.join("root")
    }

    /// Where its site is served.
    pub fn http_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Runs a shell script as the user that deploys, in the folder of the app, past SSH. Panics with its output unless
    /// it exits with 0.
    pub async fn sh(&self, script: &str) -> String {
        command::succeed(&mut self.shell(script)).await
    }

    /// The same, and returns however it ended.
    pub async fn try_sh(&self, script: &str) -> Output {
        command::finish(&mut self.shell(script)).await
    }

    /// A shell script that is to run as the user that deploys, in the folder of the app, past SSH.
    pub fn shell(&self, script: &str) -> Command {
        self.shell_of("deploy", script)
    }

    /// Runs a shell script as root, as the machine's owner would at its console. Panics unless it exits with 0.
    pub async fn sh_as_root(&self, script: &str) -> String {
        command::succeed(&mut self.shell_of("root", script)).await
    }

    /// A file below the folder of the app as text; `None` when there is none.
    pub fn read(&self, relative: &str) -> Option<String> {
        fs::read_to_string(self.root().join("srv/app").join(relative)).ok()
    }

    /// Writes a file below the folder of the app, with the folders that it needs, as the user that deploys.
    pub fn write(&self, relative: &str, text: &str) {
        let app = self.root().join("srv/app");
        let file = app.join(relative);
        let missing: Vec<_> = file
            .ancestors()
            .take_while(|path| !path.exists())
            .map(Path::to_owned)
            .collect();
        fs::create_dir_all(file.parent().expect("it lies below the app"))
            .expect("the machine can be written");
        fs::write(&file, text).expect("the machine can be written");
        for path in &missing {
            self.give_to_deploy(path);
        }
    }

    async fn make(&self, image: &Path) {
        let mut make = Command::new("/bin/sh");
        make.args(["-c", include_str!("machine/bin/make"), "make"])
            .arg(&self.dir)
            .arg(image);
        make.args([&self.id, &self.near.to_string(), &self.address.to_string()]);
        command::succeed(make.arg(self.options.disk_mib.to_string())).await;
    }

    /// Does what the owner of a server does before anything is deployed to it.
    async fn furnish(&self) {
        let name = self.name();
        self.settings("hostname", &format!("{name}\n"));
        self.settings("hosts", &format!("127.0.0.1 localhost\n127.0.1.1 {name}\n"));
        self.settings(
            "ssh/sshd_config.d/kit.conf",
            include_str!("machine/etc/sshd.conf"),
        );
        if self.options.installed.is_none() {
            self.furnish_for_php();
        }
        if self.options.workers > 0 {
            let workers = self.options.workers.to_string();
            let group = include_str!("machine/etc/app-worker.conf").replace("@workers@", &workers);
            self.settings("supervisor/conf.d/app-worker.conf", &group);
        }
        for folder in ["srv/app", "srv/app/releases", "srv/app/shared"] {
            let folder = self.root().join(folder);
            fs::create_dir_all(&folder).expect("the machine can be written");
            self.give_to_deploy(&folder);
        }
        // A journal that outlives a crash, as a server has it.
        fs::create_dir_all(self.root().join("var/log/journal"))
            .expect("the machine can be written");
        self.install_gate();
        self.make_keys().await;
        if let Some(id) = &self.options.live {
            self.seed_release(id).await;
        }
    }

    fn furnish_for_php(&self) {
        let php = self.options.debian.php();
        let with_php = |text: &str| text.replace("@php@", php);
        let sudoers = with_php(include_str!("machine/etc/sudoers"));
        self.settings("sudoers.d/deploy", &sudoers);
        self.settings(
            "nginx/sites-enabled/app",
            &with_php(include_str!("machine/etc/nginx.conf")),
        );
        self.settings(
            &format!("php/{php}/fpm/pool.d/www.conf"),
            &with_php(include_str!("machine/etc/php-fpm.conf")),
        );
    }

    fn settings(&self, file: &str, text: &str) {
        fs::write(self.root().join("etc").join(file), text).expect("the image has this folder");
    }

    fn give_to_deploy(&self, path: &Path) {
        let home = fs::metadata(self.root().join("home/deploy"))
            .expect("the image has the user that deploys");
        chown(path, Some(home.uid()), Some(home.gid())).expect("root may give files away");
    }

    /// A shell inside the machine, past SSH.
    fn shell_of(&self, user: &str, script: &str) -> Command {
        let home = if user == "root" {
            "/root"
        } else {
            "/home/deploy"
        };
        let mut shell = self.inside();
        shell.args([
            "runuser",
            "-u",
            user,
            "--",
            "env",
            "-i",
            "-C",
            APP,
            &format!("HOME={home}"),
            "LANG=C.UTF-8",
        ]);
        shell.arg("PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin");
        shell.args(["/bin/sh", "-euc", script, "look"]);
        shell
    }
}

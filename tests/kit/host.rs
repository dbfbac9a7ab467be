//! A target host as ordinary processes of the calling user in one folder: sshd, and on demand nginx, PHP-FPM, Redis
//! and supervisor with real queue workers. Knows nothing of the code under test: it only offers a host and looks at it.

use std::collections::BTreeMap;
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use tokio::process::Command;

use crate::command;
use crate::picture::{self, Names};
use crate::process::{self, MARK};

mod close;
mod daemon;
mod fault;
mod live;
mod ssh;

pub use daemon::Daemon;
pub use fault::Cut;
pub use live::Worker;

/// What a host is made of.
#[derive(Debug, Clone)]
pub struct HostOptions {
    /// What it is called in messages: 1 to 12 letters and digits.
    pub name: String,
    /// Whether nginx and PHP-FPM run, and how nginx names the script.
    pub web: Web,
    /// How many `queue:work` processes the supervisor group `app-worker` has. With 0 there is no supervisor and no Redis.
    pub workers: u32,
    /// The release of the sample app that is live from the start; none when absent.
    pub live: Option<String>,
    /// The disk that the app lies on.
    pub disk: Disk,
    /// The programs that a shell finds.
    pub tools: Tools,
}

/// The programs that a shell on a host finds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tools {
    /// The machine's own.
    Debian,
    /// `BusyBox`, and beside it only curl and a flock that takes what `BusyBox`'s own takes where it has one.
    BusyBox,
}

/// Whether nginx and PHP-FPM run, and how nginx names the script to PHP-FPM.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Web {
    /// Neither runs.
    Absent,
    /// By `$realpath_root`: a swap needs no reload.
    RealpathRoot,
    /// By `$document_root`, as Debian and Laravel's manual have it: `OPcache` serves old code until a reload.
    DocumentRoot,
}

/// The disk that the app lies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// The machine's own.
    Shared,
    /// One of its own of this many MiB, in memory. Needs root; for anybody else it is the machine's own.
    Own(u32),
}

impl HostOptions {
    /// Only sshd and an empty folder for the app: up in a moment.
    pub fn plain(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            web: Web::Absent,
            workers: 0,
            live: None,
            disk: Disk::Shared,
            tools: Tools::Debian,
        }
    }

    /// Everything that Laravel wants, two workers, and the sample app live at the release [`FIRST`].
    pub fn laravel(name: &str) -> Self {
        Self {
            web: Web::RealpathRoot,
            workers: 2,
            live: Some(FIRST.to_owned()),
            ..Self::plain(name)
        }
    }
}

/// Where the machine's own programs lie.
const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

/// The release that a Laravel host is live at from the start.
pub const FIRST: &str = "20260101T000000Z-0000000";

/// A target host in a folder of its own, reached by real SSH on 127.0.0.1.
///
/// When it is dropped, or the test is killed, all of its processes end and the folder goes.
/// [`Host::close`] does the same and fails the test when something was left behind.
#[derive(Debug)]
pub struct Host {
    options: HostOptions,
    dir: PathBuf,
    ssh_port: u16,
    http_port: u16,
    daemons: Mutex<BTreeMap<Daemon, Child>>,
    /// Ends everything as soon as its stdin ends, which happens even when the test is killed.
    guard: Option<Child>,
    /// Where in sshd's log the counting begins.
    mark: AtomicU64,
    names: Mutex<Names>,
}

impl Host {
    /// Starts a host and waits until it can be used. Panics with the logs if it does not come up.
    pub async fn start(options: HostOptions) -> Self {
        // Not where `TMPDIR` says: the sockets in it must have short paths.
        let folder = tempfile::Builder::new()
            .prefix(&format!("kit-{}-", options.name))
            .tempdir_in("/tmp");
        // The guard removes it, not this process: it outlives a test that is killed.
        let dir = folder.expect("a temporary folder can be made").keep();
        let dir = dir.canonicalize().expect("it was just made");
        for sub in [
            "bin",
            "etc/supervisor",
            "faults",
            "home",
            "log",
            "run",
            "srv",
            "tmp",
        ] {
            fs::create_dir_all(dir.join(sub)).expect("it was just made");
        }
        let mut host = Self {
            ssh_port: free_port(),
            http_port: free_port(),
            options,
            dir,
            daemons: Mutex::default(),
            guard: None,
            mark: AtomicU64::new(0),
            names: Mutex::default(),
        };
        host.write_programs();
        host.guard = Some(host.start_guard());
        host.mount_disk().await;
        fs::create_dir_all(host.path()).expect("it was just made");
        tokio::join!(host.make_keys(), host.prepare_app());
        host.start_all().await;
        host
    }

    /// What it is called in messages.
    pub fn name(&self) -> &str {
        &self.options.name
    }

    /// The folder of the app: `current`, `releases` and `shared` lie here.
    pub fn path(&self) -> PathBuf {
        self.dir.join("srv/app")
    }

    /// The folder of the whole host, logs included. Goes away with the host.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the site is served. Panics on a host without a web server.
    pub fn http_url(&self) -> String {
        assert!(
            self.options.web != Web::Absent,
            "{} has no web server",
            self.name()
        );
        format!("http://127.0.0.1:{}", self.http_port)
    }

    /// Runs a shell script on the host, in the folder of the app, past SSH. Panics with its output unless it exits with 0.
    pub async fn sh(&self, script: &str) -> String {
        command::succeed(&mut self.shell(script)).await
    }

    /// The same, and returns however it ended.
    pub async fn try_sh(&self, script: &str) -> Output {
        command::finish(&mut self.shell(script)).await
    }

    /// A file below the folder of the app as text; `None` when there is none.
    pub fn read(&self, relative: &str) -> Option<String> {
        fs::read_to_string(self.path().join(relative)).ok()
    }

    /// Writes a file below the folder of the app, with the folders that it needs.
    pub fn write(&self, relative: &str, text: &str) {
        let file = self.path().join(relative);
        fs::create_dir_all(file.parent().expect("it lies below the app"))
            .expect("the host can be written");
        fs::write(file, text).expect("the host can be written");
    }

    /// Puts a program before all others that a shell on the host finds.
    pub fn install(&self, name: &str, text: &str) {
        self.write_program(&format!("bin/{name}"), text);
    }

    /// What the folder of the app looks like: `current`, releases, what is shared, what the deploy tool keeps.
    ///
    /// Releases are numbered in the order in which they were made, and keep their number for the life of this value.
    pub async fn picture(&self) -> String {
        let listing = format!(". {}", self.dir.join("bin/listing").display());
        let listing = command::succeed(self.shell(&listing).arg(self.path())).await;
        let mut names = self.names.lock().expect("no panic under it");
        picture::draw(&listing, &mut names)
    }

    /// Leaves everything running when this value goes, and returns the command that ends it all.
    pub fn leave_running(mut self) -> String {
        let end = self.dir.join("bin/end");
        if let Some(mut guard) = self.guard.take() {
            // Killed before its stdin ends, it has not begun to tidy up.
            drop(guard.kill());
            drop(guard.wait());
        }
        self.daemons.lock().expect("no panic under it").clear();
        format!("{} </dev/null", end.display())
    }

    fn shell(&self, script: &str) -> Command {
        let mut shell = Command::new("/bin/sh");
        // The words after the script are its $0 and its arguments, as in the scripts under test.
        shell
            .args(["-euc", script, "look"])
            .current_dir(self.path());
        shell
            .env_clear()
            .envs(self.environment())
            .env("PATH", format!("{}/bin:{SYSTEM_PATH}", self.dir.display()))
            .stdin(Stdio::null());
        shell
    }

    /// What every process on the host finds in its environment.
    fn environment(&self) -> [(&'static str, String); 4] {
        [
            (MARK, self.dir.display().to_string()),
            ("HOME", self.dir.join("home").display().to_string()),
            ("LANG", "C.UTF-8".to_owned()),
            ("PATH", self.search_path()),
        ]
    }

    fn search_path(&self) -> String {
        let dir = self.dir.display();
        match self.options.tools {
            Tools::Debian => format!("{dir}/bin:{SYSTEM_PATH}"),
            Tools::BusyBox => format!("{dir}/bin:{dir}/busybox"),
        }
    }

    fn write_programs(&self) {
        let programs = [
            ("end", include_str!("host/bin/end")),
            ("gate", include_str!("host/bin/gate")),
            ("listing", include_str!("host/bin/listing")),
            ("redis-cli", include_str!("host/bin/redis-cli")),
            ("sudo", include_str!("host/bin/sudo")),
            ("supervisorctl", include_str!("host/bin/supervisorctl")),
            ("systemctl", include_str!("host/bin/systemctl")),
        ];
        for (name, text) in programs {
            self.write_program(&format!("bin/{name}"), text);
        }
        if self.options.tools == Tools::BusyBox {
            let shell = self.dir.join("busybox/sh").display().to_string();
            let text = include_str!("host/bin/gate").replace("/bin/sh", &shell);
            self.write_program("bin/gate", &text);
            self.write_busybox();
        }
    }

    fn write_program(&self, path: &str, text: &str) {
        let file = self.dir.join(path);
        fs::write(&file, text).expect("it was just made");
        fs::set_permissions(file, fs::Permissions::from_mode(0o755)).expect("it was just made");
    }

    /// A folder with all that `BusyBox` is, and little beside it.
    fn write_busybox(&self) {
        let folder = self.dir.join("busybox");
        fs::create_dir_all(&folder).expect("it was just made");
        let busybox = command::program("busybox");
        let list = std::process::Command::new(&busybox).arg("--list").output();
        let list = list.expect("it was just found").stdout;
        for applet in String::from_utf8_lossy(&list).lines() {
            symlink(&busybox, folder.join(applet)).expect("it was just made");
        }
        symlink(command::program("curl"), folder.join("curl")).expect("it was just made");
        let flock = command::program("flock").display().to_string();
        let text = include_str!("host/bin/flock").replace("@flock@", &flock);
        drop(fs::remove_file(folder.join("flock")));
        self.write_program("busybox/flock", &text);
    }

    /// Writes a file below `etc` with the values of this host filled in.
    fn write_settings(&self, file: &str, text: &str) {
        let as_root = |line: &str| {
            if process::is_root() {
                line.to_owned()
            } else {
                String::new()
            }
        };
        let root_variable = match self.options.web {
            Web::DocumentRoot => "$document_root",
            Web::Absent | Web::RealpathRoot => "$realpath_root",
        };
        let values = [
            ("@dir@", self.dir.display().to_string()),
            ("@fpm_user@", as_root("user = root\ngroup = root")),
            ("@http_port@", self.http_port.to_string()),
            ("@mark@", MARK.to_owned()),
            ("@nginx_user@", as_root("user root root;")),
            ("@path@", self.search_path()),
            ("@root_variable@", root_variable.to_owned()),
            ("@ssh_port@", self.ssh_port.to_string()),
            ("@supervisor_user@", as_root("user=root")),
            ("@workers@", self.options.workers.to_string()),
        ];
        let filled = values.iter().fold(text.to_owned(), |text, (place, value)| {
            text.replace(place, value)
        });
        fs::write(self.dir.join("etc").join(file), filled).expect("it was just made");
    }
}

/// A port that is free now. It lies below the range that outgoing connections take theirs from, so only another
/// host that starts at the same moment could want it.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let seed = uuid::Uuid::new_v4().as_u128();
    (0..1000)
        .map(|_| {
            let step = u128::from(NEXT.fetch_add(1, Ordering::Relaxed));
            u16::try_from(10_000 + (seed + step * 7) % 22_000).expect("it is below 32,000")
        })
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("one of a thousand ports is free")
}

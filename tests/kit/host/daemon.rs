//! The long-running programs of a host: how each is started, how it is known to be ready, how it ends.

use std::fs::{self, File};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;

use super::{Host, Web};
use crate::process::Process;
use crate::{command, process, wait_for};

/// A long-running program of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Daemon {
    /// The only one that every host has.
    Sshd,
    /// Serves `current/public`.
    Nginx,
    /// Runs PHP for nginx.
    PhpFpm,
    /// Holds the queue.
    Redis,
    /// Runs the workers.
    Supervisor,
}

/// How long a program may take to be ready on a busy machine.
const READY: Duration = Duration::from_secs(20);

impl Daemon {
    fn name(self) -> &'static str {
        match self {
            Self::Sshd => "sshd",
            Self::Nginx => "nginx",
            Self::PhpFpm => "php-fpm",
            Self::Redis => "redis",
            Self::Supervisor => "supervisor",
        }
    }

    /// The program and its arguments; `@` stands for the folder of the host.
    fn command_line(self) -> Vec<String> {
        let (program, arguments) = match self {
            Self::Sshd => (
                "sshd",
                vec!["-D", "-f", "@/etc/sshd_config", "-E", "@/log/sshd.log"],
            ),
            Self::Nginx => (
                "nginx",
                vec!["-e", "@/log/nginx.log", "-p", "@", "-c", "@/etc/nginx.conf"],
            ),
            Self::PhpFpm if process::is_root() => {
                ("php-fpm", vec!["-R", "-y", "@/etc/php-fpm.conf"])
            }
            Self::PhpFpm => ("php-fpm", vec!["-y", "@/etc/php-fpm.conf"]),
            Self::Redis => ("redis-server", vec!["@/etc/redis.conf"]),
            Self::Supervisor => ("supervisord", vec!["-n", "-c", "@/etc/supervisord.conf"]),
        };
        let program = command::program(program).display().to_string();
        [program]
            .into_iter()
            .chain(arguments.into_iter().map(str::to_owned))
            .collect()
    }
}

impl Host {
    /// Starts a program that does not run, and waits until it is ready. Panics with its log if it does not come up.
    pub async fn start_daemon(&self, daemon: Daemon) {
        let name = daemon.name();
        let said = self.dir.join("log").join(format!("{name}.out"));
        let output = File::options()
            .create(true)
            .append(true)
            .open(&said)
            .expect("the host can be written");
        let dir = self.dir.display().to_string();
        let line = daemon.command_line();
        let known = self.log_length();
        let mut command = Command::new(&line[0]);
        command
            .args(line[1..].iter().map(|word| word.replace('@', &dir)))
            .current_dir("/");
        command
            .env_clear()
            .envs(self.environment())
            .process_group(0)
            .stdin(Stdio::null());
        command
            .stdout(output.try_clone().expect("it is open"))
            .stderr(output);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", line[0]));
        let before = self
            .daemons
            .lock()
            .expect("no panic under it")
            .insert(daemon, child);
        assert!(before.is_none(), "{name} of {} runs already", self.name());
        wait_for(format!("{name} of {}", self.name()), READY, async || {
            if self.is_ready(daemon, known) {
                return Ok(());
            }
            let mut look = fs::read_to_string(&said).unwrap_or_default();
            look +=
                &fs::read_to_string(self.dir.join(format!("log/{name}.log"))).unwrap_or_default();
            Err(look)
        })
        .await;
    }

    /// Asks a program to end, as its manager would, and waits until it has. Panics after 80 s.
    pub async fn stop_daemon(&self, daemon: Daemon) {
        self.end(daemon, Signal::TERM).await;
    }

    /// Ends a program at once and without warning, with everything that it started.
    pub async fn kill_daemon(&self, daemon: Daemon) {
        self.end(daemon, Signal::KILL).await;
    }

    /// The process of a program that was started; `None` when it was ended.
    pub fn pid(&self, daemon: Daemon) -> Option<i32> {
        let daemons = self.daemons.lock().expect("no panic under it");
        daemons.get(&daemon).map(pid_of)
    }

    pub(super) async fn start_all(&self) {
        let web = self.options.web != Web::Absent;
        let queue = self.options.workers > 0;
        self.write_settings("sshd_config", include_str!("etc/sshd_config"));
        make_privilege_folder();
        if web {
            self.write_settings("nginx.conf", include_str!("etc/nginx.conf"));
            self.write_settings("php-fpm.conf", include_str!("etc/php-fpm.conf"));
        }
        if queue {
            self.write_settings("redis.conf", include_str!("etc/redis.conf"));
            self.write_settings("supervisord.conf", include_str!("etc/supervisord.conf"));
            self.write_settings(
                "supervisor/app-worker.conf",
                include_str!("etc/app-worker.conf"),
            );
        }
        tokio::join!(
            self.start_daemon(Daemon::Sshd),
            self.start_if(web, Daemon::PhpFpm),
            self.start_if(web, Daemon::Nginx),
            async {
                // Workers that find no Redis would die and be started again, and again.
                self.start_if(queue, Daemon::Redis).await;
                self.start_if(queue, Daemon::Supervisor).await;
                if queue && self.options.live.is_some() {
                    self.workers_run(self.options.workers).await;
                }
            },
        );
    }

    async fn start_if(&self, wanted: bool, daemon: Daemon) {
        if wanted {
            self.start_daemon(daemon).await;
        }
    }

    fn is_ready(&self, daemon: Daemon, log_before: u64) -> bool {
        let answers = |socket: &str| UnixStream::connect(self.dir.join("run").join(socket)).is_ok();
        match daemon {
            Daemon::Sshd => self.log_since(log_before).contains("Server listening on"),
            Daemon::Nginx => std::net::TcpStream::connect(("127.0.0.1", self.http_port)).is_ok(),
            Daemon::PhpFpm => answers("php-fpm.sock"),
            Daemon::Redis => answers("redis.sock"),
            Daemon::Supervisor => answers("supervisor.sock"),
        }
    }

    async fn end(&self, daemon: Daemon, how: Signal) {
        let child = self
            .daemons
            .lock()
            .expect("no panic under it")
            .remove(&daemon);
        let child =
            child.unwrap_or_else(|| panic!("{} of {} does not run", daemon.name(), self.name()));
        let family = process::descendants(&Process::all(), pid_of(&child));
        let struck = if how == Signal::KILL {
            &family[..]
        } else {
            &family[..1]
        };
        for pid in struck {
            process::signal(*pid, how);
        }
        // Supervisor waits for the jobs of its workers.
        let pid = pid_of(&child);
        wait_for(
            format!("the end of {}", daemon.name()),
            Duration::from_secs(80),
            async || Process::read(pid).map_or(Ok(()), |process| Err(process.to_string())),
        )
        .await;
        let mut child = child;
        drop(child.wait());
    }
}

pub(super) fn pid_of(child: &Child) -> i32 {
    i32::try_from(child.id()).expect("the kernel's pids are positive i32")
}

/// An sshd that runs as root wants this folder, which a service manager would have made.
fn make_privilege_folder() {
    if process::is_root() {
        fs::create_dir_all("/run/sshd").expect("root can make it");
    }
}

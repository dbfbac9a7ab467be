//! Workers of real managers, by every hand-over that they know: system units and supervisor with the rights of the template,
//! the user's own systemd, and what a unit starts again that is known by its command line; servers that keep the app in
//! memory, as system units. nginx is reloaded beside them.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::path::Path;
use std::time::Duration;

use kit::machine::{Machine, MachineOptions};
use kit::{Repo, program, wait_for};
use tokio::process::Command;

const CONFIG: &str = r#"
app = "shop"
repository = "github:acme/shop"

[build]
sandbox = "off"

[environments.production]
branch = "main"
path = "/srv/app"

[[environments.production.hosts]]
name = "web1"
address = "@web1@"

[[environments.production.workers]]
manager = "systemd"
group = "shop-worker"
expect = 2
hand_over = "overlap"

[[environments.production.workers]]
group = "shop-queue"
expect = 2
hand_over = "overlap"

[[environments.production.workers]]
manager = "systemd_user"
group = "shop-own"
hand_over = "overlap"

[[environments.production.runtimes]]
kind = "nginx"
timeout = "10s"

[[environments.production.runtimes]]
kind = "octane"
manager = "systemd"
group = "shop-octane"
expect = 2
timeout = "30s"
prove = "curl -fsS http://127.0.0.1:8001/ http://127.0.0.1:8002/ | grep -qF $CUTOVER_RELEASE$CUTOVER_RELEASE"

[[environments.production.workers]]
manager = "systemd"
group = "shop-drain"
drain_timeout = "20s"

[[environments.production.workers]]
manager = "systemd"
group = "shop-again"
expect = 2
hand_over = "restart"
drain_timeout = "20s"

[[environments.production.workers]]
manager = "systemd_user"
group = "shop-later"
drain_timeout = "20s"

[[environments.production.workers]]
manager = "systemd_user"
group = "shop-anew"
hand_over = "restart"
drain_timeout = "20s"

[[environments.production.workers]]
manager = "command"
group = "shop-import"
process = "artisan shop:import"
drain_timeout = "20s"
"#;

/// The groups that run what `current` leads to, each with the number of its processes.
const BY_CURRENT: [(&str, usize); 5] = [
    ("shop-drain", 1),
    ("shop-again@", 2),
    ("shop-later", 1),
    ("shop-anew", 1),
    ("shop-import:", 1),
];
/// The one whose manager does not wait for its job.
const IMPATIENT: &str = "shop-anew";

/// Two servers of the stand-in for Octane, each by its port.
const SERVERS: &str = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nUser=deploy\nRestart=always\nKillMode=mixed\n\
    ExecStart=/usr/bin/php /srv/app/current/octane/artisan octane:start --port=%i --state=/home/deploy/octane-%i\n";
const OCTANE: [(&str, &str); 2] = [
    ("octane/artisan", include_str!("../pipeline/octane/artisan")),
    (
        "octane/server.php",
        include_str!("../pipeline/octane/server.php"),
    ),
];

/// Works until it is asked to end, and then for as long as there is a job. One with a name has a job of its own then, which
/// takes a second, and writes down both ends of it.
const WORKER: &str = r#"
job=/srv/app/shared/job
finish() {
  [ -e "$job" ] || exit 0
  case $1 in
    --name=*) echo "begins ${1#*=}" >>"$job" && sleep 1 && echo "ends ${1#*=}" >>"$job" ;;
    *) while [ -e "$job" ]; do sleep 0.1; done ;;
  esac
  exit 0
}
trap 'finish "$2"' TERM
while :; do sleep 0.1; done
"#;

fn template(name: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let text = fs::read_to_string(root.join("templates").join(name)).unwrap();
    text.replace("/srv/shop/", "/srv/app/")
        .replace("php ", "sh ")
}

/// Sets the machine up as the templates say, and nothing else.
async fn prepare(web1: &Machine) {
    let write = |path: &str, text: String| {
        let file = web1.root().join(path);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    let unit = template("worker@.service");
    write("etc/systemd/system/shop-worker@.service", unit.clone());
    let own = unit
        .replace("User=deploy\n", "")
        .replace("multi-user.target", "default.target");
    write("home/deploy/.config/systemd/user/shop-own@.service", own);
    let drained = unit.replace("releases/$${1%%-*}", "current");
    // Nothing starts it again where there is no release yet.
    let tries = drained.replace("[Unit]\n", "[Unit]\nStartLimitIntervalSec=0\n");
    let named = |unit: &str, name: &str, command: &str| {
        unit.replace("queue:work", &format!("{command} --name={name}"))
    };
    for (name, file, unit, command) in [
        ("shop-drain", "shop-drain.service", &drained, "queue:work"),
        ("shop-again", "shop-again@.service", &tries, "queue:work"),
        ("shop-import", "shop-import.service", &tries, "shop:import"),
    ] {
        let path = format!("etc/systemd/system/{file}");
        write(&path, named(unit, name, command));
    }
    let mine = drained.replace("User=deploy\n", "");
    let impatient = mine.replace("TimeoutStopSec=3600", "TimeoutStopSec=1");
    let folder = "home/deploy/.config/systemd/user";
    let later = named(&mine, "shop-later", "queue:work");
    write(&format!("{folder}/shop-later.service"), later);
    write(&format!("{folder}/{IMPATIENT}.service"), impatient);
    write(
        "etc/systemd/system/shop-octane@.service",
        SERVERS.to_owned(),
    );
    write(
        "usr/local/sbin/cutover-supervisor",
        template("cutover-supervisor"),
    );
    write(
        "etc/supervisor/cutover/shop-queue.conf",
        template("supervisor-overlap.conf"),
    );
    let rights = template("sudoers")
        .replace("# Cmnd_Alias", "Cmnd_Alias")
        .replace("# deploy", "deploy");
    let rights = rights
        .replace(
            "cutover-supervisor ^(list shop-worker|(add|drop|keep) shop-worker",
            "cutover-supervisor ^(list shop-queue|(add|drop|keep) shop-queue",
        )
        .replace(
            "^(start|restart) shop-worker(@",
            "^(start|restart) shop-(drain|again)(@",
        );
    write("etc/sudoers.d/cutover", rights);
    web1.sh_as_root(
        "rm -f /etc/sudoers.d/deploy /etc/sudoers.d/kit; chmod 440 /etc/sudoers.d/cutover; chmod 755 /usr/local/sbin/cutover-supervisor
         chown -R deploy /home/deploy/.config; visudo -c >/dev/null; systemctl daemon-reload; loginctl enable-linger deploy
         systemctl start --no-block shop-octane@8001 shop-octane@8002 shop-again@1 shop-again@2 shop-import",
    )
    .await;
}

struct Site {
    web1: Machine,
    repo: Repo,
    dir: tempfile::TempDir,
}

impl Site {
    async fn cutover(&self, arguments: &[&str]) -> (i32, String) {
        let mut cutover = Command::new(program("cutover"));
        let file = |name: &str| self.dir.path().join(name);
        cutover
            .args(arguments)
            .arg("--config")
            .arg(file("cutover.toml"));
        cutover.arg("--ssh-key").arg(self.web1.key_file());
        cutover.arg("--known-hosts").arg(self.web1.known_hosts());
        let ended = cutover.kill_on_drop(true).output().await.unwrap();
        let said = [ended.stdout, ended.stderr].concat();
        (
            ended.status.code().unwrap(),
            String::from_utf8(said).unwrap(),
        )
    }

    /// Deploys a commit and returns the release that is live then, and what was said.
    async fn deploy(&self, text: &str) -> (String, String) {
        self.repo
            .commit("change", [("artisan", WORKER), ("text", text)])
            .await;
        self.repo.push("main").await;
        let (url, work) = (self.repo.url(), self.dir.path().join("work"));
        let place = ["--repository", &url, "--work-dir", work.to_str().unwrap()];
        let (exit, said) = self
            .cutover(&[&["deploy", "production", "main"], &place[..]].concat())
            .await;
        assert_eq!(exit, 0, "{said}");
        assert!(said.contains("reloaded nginx: process "), "{said}");
        (self.proven(&said).await, said)
    }

    /// Every worker is told to run what is live, with pid and time.
    async fn proven(&self, said: &str) -> String {
        let live = self.web1.sh("basename \"$(readlink current)\"").await;
        let runs = format!("runs {} since ", live.trim());
        let others = [
            ("shop-worker@", 2),
            ("shop-queue@", 2),
            ("shop-own@", 1),
            ("shop-octane@", 2),
        ];
        for (worker, count) in others.into_iter().chain(BY_CURRENT) {
            let told = said
                .lines()
                .filter(|line| line.contains(&format!("worker {worker}")) && line.contains(&runs));
            assert_eq!(told.count(), count, "{worker}\n{said}");
        }
        live.trim().to_owned()
    }

    /// A worker of each systemd that falls comes back, and its manager's count of that is told.
    async fn restarts_are_counted(&self) {
        let one = "systemctl kill --signal=KILL 'shop-worker@*-1.service'";
        self.web1.sh_as_root(one).await;
        let own = "XDG_RUNTIME_DIR=/run/user/$(id -u) systemctl --user kill --signal=KILL 'shop-own@*.service'";
        self.web1.sh(own).await;
        wait_for(
            "two workers that were started anew once",
            Duration::from_secs(20),
            async || {
                let (_, said) = self.cutover(&["status", "production", "--json"]).await;
                let said: String = said.split_whitespace().collect();
                let counted = |name: &str| {
                    let workers = said
                        .split("{\"name\":")
                        .filter(|text| text.starts_with(name));
                    workers
                        .filter(|text| text.contains("\"restarts\":1}"))
                        .count()
                };
                if (counted("\"shop-worker@"), counted("\"shop-own@")) == (1, 1) {
                    Ok(())
                } else {
                    Err(said)
                }
            },
        )
        .await;
    }

    /// Waits until nobody but the workers of the live release runs, and nothing else would come back with the machine.
    async fn alone(&self, live: &str) {
        let look = "pgrep --full [a]rtisan -a | sed 's,.*/srv/app/,,; s, .*,,' | sort
            ls /etc/supervisor/conf.d /etc/systemd/system/multi-user.target.wants ~deploy/.config/systemd/user/default.target.wants | grep '^shop-.*@' || true";
        wait_for(
            format!("workers of {live} alone"),
            Duration::from_secs(20),
            async || {
                let seen = self.web1.sh_as_root(look).await;
                let (mine, other): (Vec<_>, Vec<_>) = seen
                    .lines()
                    .partition(|line| line.contains(live) || line.starts_with("current"));
                // Five that overlap, four files that bring them back, two servers, and the others.
                if other.is_empty() && mine.len() == 17 {
                    Ok(())
                } else {
                    Err(seen.clone())
                }
            },
        )
        .await;
    }
}

#[tokio::test]
async fn every_manager_hands_over_with_the_rights_of_the_template_and_drains_behind_the_deployment()
{
    let web1 = Machine::start(MachineOptions::named("web1")).await;
    let repo = Repo::with([[("artisan", WORKER)].as_slice(), &OCTANE].concat()).await;
    let dir = tempfile::tempdir().unwrap();
    fs::write(
        dir.path().join("cutover.toml"),
        CONFIG.replace("@web1@", &web1.address()),
    )
    .unwrap();
    prepare(&web1).await;
    let site = Site { web1, repo, dir };
    let (first, _) = site.deploy("one").await;
    site.alone(&first).await;
    site.restarts_are_counted().await;

    site.web1.sh("touch shared/job").await;
    let (_, said) = site.deploy("two").await;
    assert_eq!(said.matches("drains shop-").count(), 5, "{said}");
    let (exit, said) = site.cutover(&["status", "production"]).await;
    assert_eq!(
        (
            exit,
            said.matches(&format!("finishes its job on {first}"))
                .count()
        ),
        (0, 5),
        "{said}"
    );
    // Back to the release whose workers still drain: it gets others beside them.
    let (exit, said) = site.cutover(&["rollback", "production"]).await;
    assert_eq!(exit, 0, "{said}");
    assert_eq!(site.proven(&said).await, first);
    // Who runs what `current` leads to was waited for both ways, but for the one whose manager is impatient.
    let jobs = site.web1.sh("sort shared/job | uniq -c").await;
    let jobs: Vec<_> = jobs.lines().map(str::trim).collect();
    assert_eq!(
        jobs,
        [
            "4 begins shop-again",
            "2 begins shop-drain",
            "2 begins shop-import",
            "2 begins shop-later",
            "4 ends shop-again",
            "2 ends shop-drain",
            "2 ends shop-import",
            "2 ends shop-later",
        ]
    );
    site.web1.sh("rm shared/job").await;
    site.alone(&first).await;
    site.web1.close().await;
}

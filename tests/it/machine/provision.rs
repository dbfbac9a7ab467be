//! `cutover provision --print`: a bare machine on which the printed script ran takes deployments with workers of every kind
//! that the script sets up, and the doctor finds nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::process::Output;
use std::time::Duration;

use insta::assert_snapshot;
use kit::machine::{Machine, MachineOptions};
use kit::{Debian, Repo, program, wait_for};
use tokio::process::Command;

const CONFIG: &str = r#"
app = "store"
repository = "github:acme/store"
recipe = "laravel"

[build]
steps = []

[environments.production]
branch = "main"
path = "/srv/store"
url = "http://store.test"
watch = "1s"

[[environments.production.hosts]]
name = "web1"
address = "carol@"

[environments.production.health]
url = "http://127.0.0.1/health"
host_header = "store.test"
json = { ok = true }
release_field = "release"

[[environments.production.workers]]
group = "store-worker"
expect = 2
drain_timeout = "70s"

[[environments.production.workers]]
group = "store-mail"
expect = 1
hand_over = "overlap"

[[environments.production.workers]]
manager = "systemd"
group = "store-search"
expect = 1
hand_over = "overlap"

[[environments.production.workers]]
manager = "systemd"
group = "store-index"
expect = 2
drain_timeout = "70s"

[[environments.production.workers]]
manager = "horizon"
group = "store-jobs"
expect = 3
drain_timeout = "70s"

[[environments.production.runtimes]]
kind = "reverb"
group = "store-talk"

[[environments.production.runtimes]]
kind = "ssr"
group = "store-pages"

[[environments.production.runtimes]]
kind = "pulse"
manager = "systemd"
group = "store-pulse"

[environments.production.alarms.queue]
failed = 0

[environments.production.php_fpm]
pool = "/run/php/store.sock"
"#;

/// Stand-ins for packages of Laravel's: servers, of which one is another program's, what works without one, and Horizon
/// with a supervisor and a worker, each of which has below it ended before it ends itself.
const COMMANDS: [(&str, &str); 5] = [
    (
        "config/horizon.php",
        "<?php return ['defaults' => ['supervisor-1' => ['connection' => 'redis', 'timeout' => 60]], \
         'environments' => ['production' => ['supervisor-1' => []]]];\n",
    ),
    (
        "app/Console/Commands/Horizon.php",
        r"<?php
namespace App\Console\Commands;
class Horizon extends \Illuminate\Console\Command {
    protected $signature = 'horizon';
    protected function configure(): void { $this->setAliases(['horizon:supervisor', 'horizon:work']); }
    public function handle() {
        $below = ['horizon' => 'horizon:supervisor', 'horizon:supervisor' => 'horizon:work'][$_SERVER['argv'][1]] ?? null;
        $child = $ends = null;
        pcntl_async_signals(true);
        pcntl_signal(SIGTERM, function () use (&$ends) { $ends = true; });
        pcntl_signal(SIGCONT, function () {});
        while (! $ends) {
            if ($below && ! ($child && proc_get_status($child)['running'])) {
                $child = proc_open([PHP_BINARY, 'artisan', $below], [], $pipes, base_path());
            }
            usleep(100000);
        }
        if ($child && proc_terminate($child)) proc_close($child);
    }
}
",
    ),
    (
        "app/Console/Commands/Pages.php",
        r"<?php
namespace App\Console\Commands;
class Pages extends \Illuminate\Console\Command {
    protected $signature = 'inertia:start-ssr';
    public function handle() {
        $server = proc_open([PHP_BINARY, '-S', '127.0.0.1:13714', '-t', public_path()], [], $pipes);
        pcntl_async_signals(true);
        pcntl_signal(SIGTERM, fn () => proc_terminate($server));
        while (proc_get_status($server)['running']) usleep(100000);
    }
}
",
    ),
    (
        "app/Console/Commands/Talk.php",
        r#"<?php
namespace App\Console\Commands;
class Talk extends \Illuminate\Console\Command {
    protected $signature = 'reverb:start {--host=} {--port=}';
    public function handle() {
        $server = stream_socket_server("tcp://{$this->option('host')}:{$this->option('port')}");
        while (true) { @stream_socket_accept($server, 60); }
    }
}
"#,
    ),
    (
        "app/Console/Commands/Pulse.php",
        r"<?php
namespace App\Console\Commands;
class Pulse extends \Illuminate\Console\Command {
    protected $signature = 'pulse:check';
    public function handle() { while (true) { sleep(60); } }
}
",
    ),
];

/// What the owner of the app knows and nobody else.
const ENV: &str = "APP_ENV=production\nAPP_KEY=base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
    DB_DATABASE=/srv/store/shared/db.sqlite\nREDIS_HOST=127.0.0.1\nREDIS_PORT=6379\n";

/// Takes away what the kit has furnished a machine with: what is left are Debian's packages.
const BARE: &str = "rm -rf /srv/app/* /etc/sudoers.d/deploy /etc/nginx/sites-enabled/* /etc/php/*/fpm/pool.d/*; \
    systemctl stop nginx 'php*-fpm'";

/// What the owner of the app installs: the script leaves databases and their clients alone.
const OWN: &str =
    "apt-get install -y --no-install-recommends redis-server php-redis php-sqlite3 cron";

/// What the machine has before the script runs there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// All packages that tests need.
    Packages,
    /// What the script's own lines have installed on a bare Debian, and what its owner has.
    Bare,
}

#[tokio::test]
async fn a_bare_debian_12_takes_its_first_deployment() {
    bare_machine_takes_its_first_deployment(Debian::default(), Ground::Packages).await;
}

/// The part of the script that installs packages, as it is printed.
async fn packages() -> String {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cutover.toml");
    fs::write(&file, CONFIG.replace("carol@", "carol@web1")).unwrap();
    let mut print = Command::new(program("cutover"));
    print.args(["provision", "production", "--print", "--config"]);
    let printed = print.arg(file).output().await.unwrap();
    let script = text(&printed.stdout);
    let (_, from) = script.split_once("\n# Packages").unwrap();
    let (part, _) = from.split_once("\n\n").unwrap();
    assert!(part.contains("apt-get install"), "{script}");
    format!("set -eu\n# Packages{part}\n{OWN}\n")
}

/// Runs the script on a machine of this Debian, and deploys to it.
pub(crate) async fn bare_machine_takes_its_first_deployment(debian: Debian, ground: Ground) {
    let installed = match ground {
        Ground::Packages => None,
        Ground::Bare => Some(packages().await),
    };
    let options = MachineOptions {
        debian,
        installed,
        disk_mib: 1024,
        ..MachineOptions::named("web1")
    };
    let (web1, repo) = tokio::join!(Machine::start(options), Repo::built_app(debian));
    if ground == Ground::Packages {
        web1.sh_as_root(BARE).await;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("cutover.toml");
    let address = web1.address().replace("deploy@", "carol@");
    fs::write(&file, CONFIG.replace("carol@", &address)).unwrap();
    let cutover = async |arguments: &[&str]| -> Output {
        let mut cutover = Command::new(program("cutover"));
        cutover.args(arguments).arg("--config").arg(&file);
        cutover.arg("--ssh-key").arg(web1.key_file());
        cutover.arg("--known-hosts").arg(web1.known_hosts());
        cutover.env("XDG_CACHE_HOME", dir.path()).kill_on_drop(true);
        cutover.output().await.unwrap()
    };

    let key = web1.key_file().with_extension("pub").display().to_string();
    let printed = cutover(&["provision", "production", "--print", "--public-key", &key]).await;
    let script = text(&printed.stdout);
    assert_eq!(printed.status.code(), Some(0), "{}", text(&printed.stderr));
    let on_paper = dir.path().join("provision.sh");
    fs::write(&on_paper, &script).unwrap();
    let checked = Command::new("shellcheck")
        .args(["-s", "sh"])
        .arg(&on_paper)
        .output()
        .await
        .unwrap();
    assert!(
        checked.status.success(),
        "{}\n{script}",
        text(&checked.stdout)
    );
    fs::write(web1.root().join("root/provision.sh"), &script).unwrap();
    web1.sh_as_root("sh /root/provision.sh").await;
    let again = web1.sh_as_root("sh /root/provision.sh").await;
    assert!(again.contains("This host is ready."), "{again}");
    let shared = format!(
        "umask 077; cd /srv/store/shared && printf '{ENV}' >.env && : >db.sqlite && chown carol: .env db.sqlite"
    );
    web1.sh_as_root(&shared).await;
    repo.commit("commands", COMMANDS).await;
    repo.push("main").await;

    let deploy = async || {
        let url = repo.url();
        let deployed = cutover(&["deploy", "production", "main", "--repository", &url]).await;
        let said = text(&deployed.stdout) + &text(&deployed.stderr);
        assert_eq!(deployed.status.code(), Some(0), "{said}");
        let live = web1.sh_as_root("basename \"$(readlink -f /srv/store/current)\"");
        live.await.trim().to_owned()
    };
    let first = deploy().await;
    assert_eq!(workers(&web1).await, runs(&first));
    assert_eq!(runtimes(&web1).await, serve(&first));
    // The second one ends what the first one has started, by the same rights.
    repo.commit("again", [("again", "")]).await;
    repo.push("main").await;
    let second = deploy().await;
    assert_eq!(runtimes(&web1).await, serve(&second));
    let what = "all workers to run the second release";
    wait_for(what, Duration::from_secs(20), async || {
        let workers = workers(&web1).await;
        if workers == runs(&second) {
            Ok(())
        } else {
            Err(workers)
        }
    })
    .await;
    if ground == Ground::Bare {
        schedule(&web1).await;
    }
    let doctor = cutover(&["doctor", "production"]).await;
    let said = text(&doctor.stdout) + &text(&doctor.stderr);
    // What follows a swap is told with versions and percentages.
    let (follows, said): (Vec<_>, Vec<_>) = said
        .lines()
        .partition(|line| line.starts_with("  after a swap: "));
    assert_eq!(follows.len(), 9, "{follows:?}");
    let said = said.join("\n");
    if ground == Ground::Bare {
        assert_snapshot!(said, @"
        web1
          57 checks are fine
        production: 0 that lose jobs or requests, 0 risks, 0 remarks, 0 not checked
        ");
        return web1.close().await;
    }
    assert_snapshot!(said, @"
    web1
      not checked: cron.pinned-release, cron.user
        no line that runs the scheduler may be seen; crontabs of other users need root
      54 checks are fine
    production: 0 that lose jobs or requests, 0 risks, 0 remarks, 2 not checked
    ");
    web1.close().await;
}

/// Has cron run the scheduler as the template says, and waits until it has.
async fn schedule(web1: &Machine) {
    let line = include_str!("../../../templates/crontab").replace("/srv/shop/", "/srv/store/");
    fs::write(web1.root().join("root/crontab"), line).unwrap();
    web1.sh_as_root("crontab -u carol /root/crontab").await;
    wait_for("cron", Duration::from_secs(90), async || {
        let log = "cat /srv/store/shared/storage/logs/schedule.log 2>&1 || :";
        let said = web1.sh_as_root(log).await;
        if said.contains("No scheduled commands are ready to run") {
            Ok(())
        } else {
            Err(said)
        }
    })
    .await;
}

/// Tells of each process whose it is and which release it runs.
const LOOK: &str = r#"for pid in $(pgrep --full "artisan queue:work"); do
        release=$(find "/proc/$pid/fd" -lname '/srv/store/releases/*/artisan' -printf '%l' -quit 2>/dev/null || :)
        [ -z "$release" ] || echo "$(ps -o unit= -p "$pid" | sed 's/[@.].*//') $(echo "$release" | cut -d/ -f5)"
    done | sort"#;

/// The workers of all groups.
async fn workers(web1: &Machine) -> String {
    web1.sh_as_root(LOOK).await.trim().to_owned()
}

/// The runtimes and Horizon, the same way.
async fn runtimes(web1: &Machine) -> String {
    let look = LOOK.replace(
        "queue:work",
        "(reverb:start|pulse:check|inertia:start-ssr|horizon)",
    );
    web1.sh_as_root(&look).await.trim().to_owned()
}

/// Two servers and three of Horizon under supervisor, and one under systemd.
fn serve(release: &str) -> String {
    let supervised = format!("\nsupervisor {release}").repeat(5);
    format!("store-pulse {release}{supervised}")
}

/// Two workers and one of a release under supervisor, and two and one under systemd.
fn runs(release: &str) -> String {
    let drained = format!("store-index {release}\n").repeat(2);
    let supervised = format!("\nsupervisor {release}").repeat(3);
    format!("{drained}store-search {release}{supervised}")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

//! What serves the web beside PHP-FPM follows a release, forth and back, and is proven to. Octane's place is taken by a
//! stand-in with the same processes (`octane/`); Apache, nginx and PHP-FPM are real.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use cutover_deploy::{Config, Event};
use insta::assert_snapshot;
use kit::{HostOptions, wait_for};
use tokio::task::JoinHandle;

use super::laravel::{Shop, deploy, shop};
use super::overlap::steps;
use super::plan::planned;
use super::scene::{Plot, Scene};
use super::told::Told;

const ARTISAN: &str = include_str!("octane/artisan");
const SERVER: &str = include_str!("octane/server.php");

/// Its table; the scene knows none from the start.
const TABLE: &str = "[[environments.production.runtimes]]\nkind = \"octane\"\ngroup = \"octane\"\nexpect = 2\ntimeout = \"10s\"\n";

const RELOAD: &str = "php artisan octane:reload --state=../../../../run/octane-0";

const NGINX: &str = "[[environments.production.runtimes]]\nkind = \"nginx\"\ntimeout = \"3s\"\n\
    prove = \"grep -q . $CUTOVER_RELEASE_PATH/REVISION\"\n";

/// A port that nobody listens on.
pub(super) fn port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Two servers of the stand-in under the host's supervisor, which starts them once there is a release.
fn under_supervisor(scene: &Scene) -> [u16; 2] {
    let ports = [port(), port()];
    let (dir, php) = (scene.host().dir().display(), "php");
    let program = |(index, port): (usize, u16)| {
        format!(
            "[program:octane-{index}]\nautostart=true\nautorestart=true\nstartretries=0\nstopasgroup=false\n\
             redirect_stderr=true\nstdout_logfile={dir}/log/octane-{index}.log\n\
             command={php} {dir}/srv/app/current/artisan octane:start --port={port} --state={dir}/run/octane-{index}\n"
        )
    };
    let programs: String = ports.into_iter().enumerate().map(program).collect();
    let text = format!("{programs}[group:octane]\nprograms=octane-0,octane-1\n");
    fs::write(scene.host().dir().join("etc/supervisor/octane.conf"), text).unwrap();
    ports
}

/// What a server answers: the release that it has in memory.
async fn answer(port: u16, path: &str) -> Result<String, reqwest::Error> {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = client.get(format!("http://127.0.0.1:{port}{path}"));
    answer.send().await?.error_for_status()?.text().await
}

/// The releases that both serve, once both answer.
async fn served(ports: [u16; 2]) -> [String; 2] {
    wait_for(
        "both servers to answer",
        Duration::from_secs(20),
        async || {
            let both = tokio::join!(answer(ports[0], "/"), answer(ports[1], "/"));
            match both {
                (Ok(one), Ok(other)) => Ok([one, other]),
                both => Err(format!("{both:?}")),
            }
        },
    )
    .await
}

/// Asks as nginx in front of both does for what may be repeated: where one does not answer, the other one.
struct Front {
    over: Arc<AtomicBool>,
    failed: Arc<AtomicU32>,
    asking: JoinHandle<u32>,
}

impl Front {
    fn before(ports: [u16; 2]) -> Self {
        let (over, failed) = (Arc::<AtomicBool>::default(), Arc::<AtomicU32>::default());
        let (ends, count) = (Arc::clone(&over), Arc::clone(&failed));
        let asking = tokio::spawn(async move {
            let mut asked = 0_u32;
            while !ends.load(Ordering::Relaxed) {
                let (first, second) = (ports[asked as usize % 2], ports[(asked as usize + 1) % 2]);
                asked += 1;
                if answer(first, "/").await.is_err() && answer(second, "/").await.is_err() {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            }
            asked
        });
        Self {
            over,
            failed,
            asking,
        }
    }

    /// How many were asked and how many failed.
    async fn end(self) -> (u32, u32) {
        self.over.store(true, Ordering::Relaxed);
        (
            self.asking.await.unwrap(),
            self.failed.load(Ordering::Relaxed),
        )
    }
}

fn went_well(told: &Told) {
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
}

/// From now on the configuration is another one.
fn reads(scene: &mut Scene, text: String) {
    scene.text = text;
    scene.config = Config::parse("cutover.toml", &scene.text).unwrap_or_else(|e| panic!("{e}"));
}

/// Every release that was told to be proven.
fn proven(told: &Told) -> Vec<String> {
    let proven = told.events.iter().filter_map(|event| match event {
        Event::WorkerProven { release, .. } => Some(release.to_string()),
        _ => None,
    });
    proven.collect()
}

async fn found(scene: &Scene) -> Vec<&'static str> {
    let environment = scene.config.environment("production").unwrap();
    let told = cutover_deploy::run::examine(&scene.config, environment, &scene.access).await;
    let found = told[0].findings.iter().map(|found| found.id);
    let mut found: Vec<_> = found.filter(|id| id.starts_with("runtime.")).collect();
    found.dedup();
    found
}

#[tokio::test]
async fn servers_that_keep_the_app_in_memory_follow_one_after_another_and_are_proven() {
    let host = HostOptions {
        workers: 1,
        ..HostOptions::plain("web1")
    };
    let mut scene = Scene::start(Plot {
        hosts: vec![host],
        ..Plot::default()
    })
    .await;
    let worker = scene.host().dir().join("etc/supervisor/app-worker.conf");
    fs::remove_file(worker).unwrap();
    scene.host().sh("supervisorctl update").await;
    let ports = under_supervisor(&scene);
    let first = [("artisan", ARTISAN), ("server.php", SERVER)];
    went_well(&scene.deploy(&first).await);
    scene.host().sh("supervisorctl update").await;
    let live = |scene: &Scene| scene.live().unwrap().to_string();
    let one = live(&scene);
    assert_eq!(served(ports).await, [one.clone(), one.clone()]);

    // Without a table it stays behind, whatever octane:reload says.
    let plain = scene.text.clone();
    let reload = format!("[steps]\nafter_swap = [\"{RELOAD}\"]");
    reads(&mut scene, plain.replace("[steps]", &reload));
    went_well(&scene.deploy(&[("two", "")]).await);
    let two = live(&scene);
    assert_ne!(one, two);
    assert_eq!(served(ports).await, [one.clone(), one.clone()]);
    assert_eq!(found(&scene).await, ["runtime.reload", "runtime.unmanaged"]);
    let one_process = TABLE.replace("expect = 2", "expect = 1");
    reads(&mut scene, format!("{plain}\n{one_process}"));
    assert_eq!(found(&scene).await, ["runtime.follows", "runtime.gap"]);
    reads(&mut scene, format!("{plain}\n{TABLE}"));
    assert_eq!(found(&scene).await, ["runtime.follows"]);

    let front = Front::before(ports);
    let slow = tokio::spawn(async move { answer(ports[0], "/slow").await });
    let forth = scene.deploy(&[("three", "")]).await;
    went_well(&forth);
    let three = live(&scene);
    assert_eq!(served(ports).await, [three.clone(), three.clone()]);
    assert_eq!(proven(&forth), [three.clone(), three.clone()]);
    assert_eq!(slow.await.unwrap().unwrap(), one, "it ends where it began");
    assert_eq!(found(&scene).await, [""; 0]);
    let (_, status) = scene.shell(&["status", "production"]).await;
    assert_eq!(status.matches("octane:octane-").count(), 2, "{status}");

    // One that does not come up takes the release back, while the other still serves the old one.
    let told = scene.deploy(&[("nostart", "")]).await;
    assert!(
        told.outcome().starts_with("rolled back"),
        "{}",
        told.outcome()
    );
    let failure = told.outcome.failure().unwrap();
    assert_eq!(failure.step, "runtime octane", "{failure:?}");
    assert_eq!(served(ports).await, [three.clone(), three.clone()]);

    let back = scene.rollback().await;
    went_well(&back);
    assert_eq!(served(ports).await, [two.clone(), two.clone()]);
    assert_eq!(proven(&back), [two.clone(), two]);
    assert_eq!(steps(&back), steps(&forth), "{}", back.story());
    let (asked, failed) = front.end().await;
    assert!(asked > 100 && failed == 0, "{failed} of {asked} failed");
    scene.close().await;
}

/// What Apache is told: PHP goes to the pool, as Debian has it.
fn apache(dir: &Path, port: u16) -> String {
    let modules = ["mpm_event", "authz_core", "dir", "proxy", "proxy_fcgi"];
    let load =
        |name: &&str| format!("LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so\n");
    let modules: String = modules.iter().map(load).collect();
    let dir = dir.display();
    format!(
        "{modules}ServerRoot {dir}\nServerName localhost\nListen 127.0.0.1:{port}\nPidFile {dir}/run/apache.pid\n\
         ErrorLog {dir}/log/apache.log\nUser www-data\nGroup www-data\nDocumentRoot {dir}/srv/app/current/public\n\
         <Directory {dir}/srv/app>\nOptions FollowSymLinks\nRequire all granted\nFallbackResource /index.php\n</Directory>\n\
         <FilesMatch \\.php$>\nSetHandler \"proxy:unix:{dir}/run/php-fpm.sock|fcgi://localhost\"\n</FilesMatch>\n"
    )
}

#[tokio::test]
async fn apache_passes_current_and_follows_by_the_pool_and_nginx_is_reloaded_and_proven() {
    let mut scene = shop(Shop {
        fpm: "auto",
        pool: true,
        ..Shop::default()
    })
    .await;
    let (dir, port) = (scene.host().dir().to_owned(), port());
    scene.host().sh("chmod 666 ../../run/php-fpm.sock").await;
    let health = async || answer(port, "/health").await;
    start_apache(&scene, &apache(&dir, port), health).await;
    let code = async || {
        let body = health().await.unwrap_or_else(|e| panic!("{e:?}"));
        let told: serde_json::Value = serde_json::from_str(&body).unwrap();
        told["code"].as_str().unwrap().to_owned()
    };
    let text = format!("{}\n{NGINX}", scene.text);
    reads(&mut scene, text);
    // Several times: each process of the pool remembers paths of its own.
    let codes = async || {
        let mut codes = Vec::new();
        for _ in 0..12 {
            codes.push(code().await);
        }
        codes.dedup();
        codes
    };
    codes().await;
    let forth = deploy(&scene, kit::SampleApp::code("two")).await;
    went_well(&forth);
    assert_eq!(codes().await, ["two"]);
    went_well(&deploy(&scene, kit::SampleApp::code("three")).await);
    assert_eq!(codes().await, ["three"]);
    let back = scene.rollback().await;
    went_well(&back);
    assert_eq!(codes().await, ["two"]);
    assert!(back.notes().contains("begin anew"), "{}", back.notes());
    assert_eq!(steps(&back), steps(&forth));
    scene.commit(&[("four", "")]).await;
    let (exit, plan, _) = planned(&scene).await;
    assert_eq!(exit, 0, "{plan}");
    let follows = plan
        .lines()
        .filter(|line| line.starts_with("after the swap"));
    let follows: Vec<String> = follows.map(unnumbered).collect();
    assert_snapshot!(follows.join("\n"), @"
    after the swap on web1: php-fpm: its processes begin anew after their request (PHP N OPcache N % used, N % wasted; the web server passes the path of `current`)
    after the swap on web1: nginx nginx: reload, by `systemctl reload nginx`, proven by a new process of it; then `grep -q . $CUTOVER_RELEASE_PATH/REVISION` must succeed
    after the swap on web1: workers app-worker: drain: each finishes its job and is started anew by supervisor; after N s the release is taken back
    ");

    // A reload that nginx does not carry out fails the deployment.
    let conf = dir.join("etc/nginx.conf");
    let good = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, format!("{good}\nnonsense;\n")).unwrap();
    let told = deploy(&scene, kit::SampleApp::code("five")).await;
    assert_eq!(told.exit(), 3, "{}", told.outcome());
    let failure = told.outcome.failure().unwrap();
    assert_eq!(failure.step, "runtime nginx", "{failure:?}");
    // It does not on the way back either, where nothing else waits for it.
    let undone = steps(&told)
        .into_iter()
        .filter(|(phase, _)| phase == "undo");
    let undone: Vec<String> = undone.map(|(_, step)| step).collect();
    let at = |name: &str| undone.iter().position(|step| step == name);
    assert!(at("workers app-worker").is_some(), "{undone:?}");
    assert!(at("workers app-worker") < at("runtime nginx"), "{undone:?}");
    fs::write(&conf, good).unwrap();
    went_well(&deploy(&scene, kit::SampleApp::code("six")).await);
    assert_eq!(codes().await, ["six"]);
    stop_apache(&scene).await;
    scene.close().await;
}

/// Lines that have PHP's own server serve a release, and another runtime that is only looked at. Where `broken` is shared,
/// neither comes up on whatever release.
fn lines(port: u16) -> String {
    let at = format!("http://127.0.0.1:{port}");
    format!(
        "[[environments.production.runtimes]]\nkind = \"command\"\ngroup = \"own\"\ntimeout = \"5s\"\n\
         stop = 'kill $(cat $CUTOVER_PATH/shared/pid); while curl -so /dev/null {at}; do sleep 0.1; done'\n\
         start = '[ \"$(cat page)\" != ill ]; [ ! -e $CUTOVER_PATH/shared/broken ]; {}'\n\
         prove = 'curl -fsS {at}/REVISION | grep -qF $CUTOVER_RELEASE'\n\
         [[environments.production.runtimes]]\nkind = \"command\"\ngroup = \"other\"\ntimeout = \"1s\"\n\
         prove = '[ ! -e $CUTOVER_PATH/shared/broken ]'\n",
        serve(port, "$CUTOVER_PATH/shared")
    )
}

/// Starts PHP's own server in the folder of a release.
fn serve(port: u16, shared: &str) -> String {
    format!("php -S 127.0.0.1:{port} -t . >/dev/null 2>&1 & echo $! >{shared}/pid")
}

#[tokio::test]
async fn lines_of_ones_own_start_a_server_that_follows_forth_and_back_and_what_fails_again_is_told_together()
 {
    let mut scene = Scene::start(Plot::default()).await;
    went_well(&scene.deploy(&[("page", "one")]).await);
    let port = port();
    let start = format!("cd -P current; {}", serve(port, "../../shared"));
    scene.host().sh(&start).await;
    let served = async || answer(port, "/REVISION").await.unwrap();
    let live = |scene: &Scene| scene.live().unwrap().to_string();
    let one = live(&scene);
    let text = format!("{}\n{}", scene.text, lines(port));
    reads(&mut scene, text);
    let forth = scene.deploy(&[("page", "two")]).await;
    went_well(&forth);
    assert_ne!(live(&scene), one);
    assert!(served().await.contains(&live(&scene)));
    let back = scene.rollback().await;
    went_well(&back);
    assert!(served().await.contains(&one));
    assert_eq!(steps(&back), steps(&forth), "{}", back.story());

    // What starts nothing: the release before is started, though there is nothing to stop.
    let told = scene.deploy(&[("page", "ill")]).await;
    assert!(
        told.outcome().starts_with("rolled back"),
        "{}",
        told.story()
    );
    let failure = told.outcome.failure().unwrap();
    assert_eq!(failure.step, "runtime own start", "{failure:?}");
    assert!(served().await.contains(&one));

    scene.host().write("shared/broken", "");
    let told = scene.deploy(&[("page", "four")]).await;
    assert_eq!(told.exit(), 3, "{}", told.story());
    assert_snapshot!(told.outcome(), @"
    failed, and not everything could be restored
      left on web1: current leads to r1: runtime own start on web1: exit 1; runtime other prove: exit 70: after 1 s the line that proves it still fails
      runtime own start on web1: exit 1
    ");
    let undone = steps(&told)
        .into_iter()
        .filter(|(phase, step)| phase == "undo" && step.starts_with("runtime"));
    let undone: Vec<String> = undone.map(|(_, step)| step).collect();
    assert_eq!(
        undone,
        [
            "runtime own stop",
            "runtime own start",
            "runtime other prove"
        ]
    );
    // Whoever mends that starts it, or the next deployment does.
    scene.host().sh("rm shared/broken").await;
    scene.host().sh(&start).await;
    went_well(&scene.deploy(&[("page", "five")]).await);
    assert!(served().await.contains(&live(&scene)));
    scene.host().sh("kill $(cat shared/pid)").await;
    scene.close().await;
}

/// What Apache is told that runs PHP itself, two processes of it.
fn with_mod_php(dir: &Path, port: u16) -> String {
    let folder = Path::new("/usr/lib/apache2/modules");
    let modules = fs::read_dir(folder).unwrap();
    let mut files = modules.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let php = files.find(|name| name.starts_with("libphp")).unwrap();
    let modules = ["mpm_prefork", "authz_core", "dir"];
    let load = |name: &&str| {
        format!(
            "LoadModule {name}_module {}/mod_{name}.so\n",
            folder.display()
        )
    };
    let modules: String = modules.iter().map(load).collect();
    let dir = dir.display();
    format!(
        "{modules}LoadModule php_module {}/{php}\nServerRoot {dir}\nServerName localhost\nListen 127.0.0.1:{port}\n\
         PidFile {dir}/run/apache.pid\nErrorLog {dir}/log/apache.log\nUser www-data\nGroup www-data\n\
         StartServers 2\nMinSpareServers 1\nMaxSpareServers 2\nMaxRequestWorkers 2\n\
         DocumentRoot {dir}/srv/app/current/public\nDirectoryIndex index.php\n\
         <Directory {dir}/srv/app>\nOptions FollowSymLinks\nRequire all granted\n</Directory>\n\
         <FilesMatch \\.php$>\nSetHandler application/x-httpd-php\n</FilesMatch>\n",
        folder.display()
    )
}

/// Starts an Apache that is told this, and waits until it answers.
async fn start_apache(
    scene: &Scene,
    conf: &str,
    look: impl AsyncFn() -> Result<String, reqwest::Error>,
) {
    let file = scene.host().dir().join("etc/apache.conf");
    fs::write(file, conf).unwrap();
    // Its processes are another user's.
    let start = "cd ../.. && chmod 711 . run srv srv/app && apache2 -f \"$PWD/etc/apache.conf\" >/dev/null 2>&1";
    scene.host().sh(start).await;
    wait_for("Apache to answer", Duration::from_secs(20), async || {
        look().await.map_err(|e| format!("{e:?}"))
    })
    .await;
}

async fn stop_apache(scene: &Scene) {
    let stop =
        "kill $(cat ../../run/apache.pid) && while [ -e ../../run/apache.pid ]; do sleep 0.1; done";
    scene.host().sh(stop).await;
}

#[tokio::test]
async fn apache_that_runs_php_itself_stays_behind_until_it_is_reloaded_and_then_is_proven_to_follow()
 {
    let mut scene = Scene::start(Plot::default()).await;
    let index = "<?php echo basename(dirname(__DIR__));";
    went_well(&scene.deploy(&[("public/index.php", index)]).await);
    let (dir, port) = (scene.host().dir().to_owned(), port());
    start_apache(&scene, &with_mod_php(&dir, port), async || {
        answer(port, "/").await
    })
    .await;
    let live = |scene: &Scene| scene.live().unwrap().to_string();
    // Several times: each process remembers paths of its own.
    let served = async || {
        let mut served = Vec::new();
        for _ in 0..8 {
            served.push(answer(port, "/").await.unwrap());
        }
        served.dedup();
        served
    };
    let one = live(&scene);
    assert_eq!(served().await, std::slice::from_ref(&one));
    went_well(&scene.deploy(&[("two", "")]).await);
    assert_eq!(served().await, [one], "it keeps where `current` led");

    let table = "[[environments.production.runtimes]]\nkind = \"apache\"\ntimeout = \"10s\"\n";
    let prove =
        format!("prove = 'curl -fsS http://127.0.0.1:{port}/ | grep -qF $CUTOVER_RELEASE'\n");
    let text = format!("{}\n{table}{prove}", scene.text);
    reads(&mut scene, text);
    let forth = scene.deploy(&[("three", "")]).await;
    went_well(&forth);
    assert_eq!(served().await, [live(&scene)]);
    let back = scene.rollback().await;
    went_well(&back);
    assert_eq!(served().await, [live(&scene)]);
    assert_eq!(steps(&back), steps(&forth), "{}", back.story());
    stop_apache(&scene).await;
    scene.close().await;
}

/// A line without the figures that differ from run to run.
fn unnumbered(line: &str) -> String {
    let words = line.split(' ').map(|word| {
        let number = word
            .trim_start_matches('(')
            .starts_with(|c: char| c.is_ascii_digit());
        if number && word.len() < 8 { "N" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}

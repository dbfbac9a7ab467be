//! `cutover provision --print`: a bare machine on which the printed script ran takes a first deployment, and the doctor
//! finds nothing.

#![expect(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::process::Output;

use insta::assert_snapshot;
use kit::machine::{Machine, MachineOptions};
use kit::{Debian, Repo, program};
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

[environments.production.php_fpm]
pool = "/run/php/store.sock"
"#;

/// What the owner of the app knows and nobody else.
const ENV: &str = "APP_ENV=production\nAPP_KEY=base64:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\
    DB_DATABASE=/srv/store/shared/db.sqlite\nREDIS_HOST=127.0.0.1\nREDIS_PORT=6379\n";

/// Takes away what the kit has furnished a machine with: what is left are Debian's packages.
const BARE: &str = "rm -rf /srv/app/* /etc/sudoers.d/deploy /etc/nginx/sites-enabled/* /etc/php/*/fpm/pool.d/*; \
    systemctl stop nginx 'php*-fpm'";

#[tokio::test]
async fn a_bare_debian_12_takes_its_first_deployment() {
    bare_machine_takes_its_first_deployment(Debian::default()).await;
}

/// Runs the script on a machine of this Debian, and deploys to it.
pub(crate) async fn bare_machine_takes_its_first_deployment(debian: Debian) {
    let options = MachineOptions {
        debian,
        disk_mib: 1024,
        ..MachineOptions::named("web1")
    };
    let (web1, repo) = tokio::join!(Machine::start(options), Repo::built_app(debian));
    web1.sh_as_root(BARE).await;
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

    let deployed = cutover(&["deploy", "production", "main", "--repository", &repo.url()]).await;
    let said = text(&deployed.stdout) + &text(&deployed.stderr);
    assert_eq!(deployed.status.code(), Some(0), "{said}");
    let doctor = cutover(&["doctor", "production"]).await;
    assert_snapshot!(text(&doctor.stdout) + &text(&doctor.stderr), @"
    web1
      not checked: cron.pinned-release, cron.user
        no line that runs the scheduler may be seen; crontabs of other users need root
      40 checks are fine
    production: 0 that lose jobs or requests, 0 risks, 0 remarks, 2 not checked
    ");
    web1.close().await;
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

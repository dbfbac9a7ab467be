//! The Laravel app that is deployed in tests: its files, what it looks like when built, and the ways it can be broken.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::process::Command;

use crate::composer::ComposerRepo;
use crate::debian::Debian;
use crate::{cache, command, composer};

/// The sample app. Its files lie in `tests/kit/app`.
#[derive(Debug)]
#[non_exhaustive]
pub struct SampleApp;

/// A fault that a commit brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Breakage {
    /// `/health` answers 500.
    Health500,
    /// `/health` answers 200 and `"ok": false`.
    HealthNotOk,
    /// The app does not boot on a host, so every `artisan` command and every request fails; it still builds.
    Boot,
    /// `composer install` ends with 1, by its own script.
    Build,
    /// A new migration throws.
    Migration,
    /// A new migration drops a column, which old code still needs.
    DestructiveMigration,
}

/// Files of a commit: relative path and content.
pub type Files = Vec<(String, String)>;

impl SampleApp {
    /// The files that break the app.
    pub fn broken(breakage: Breakage) -> Files {
        let switch = |name: &str, value: &str| {
            let text = format!("{}\n", serde_json::json!({ name: value }));
            vec![("switch.json".to_owned(), text)]
        };
        match breakage {
            Breakage::Health500 => switch("health", "500"),
            Breakage::HealthNotOk => switch("health", "not-ok"),
            Breakage::Boot => switch("boot", "fail"),
            Breakage::Build => switch("build", "fail"),
            Breakage::Migration => {
                let line = "throw new RuntimeException('the table is locked by a report');";
                Self::migration(CHANGE, &[line], &[])
            }
            Breakage::DestructiveMigration => {
                let line = "DB::statement('alter table runs drop column code');";
                Self::migration(CHANGE, &[line], &[])
            }
        }
    }

    /// The files that undo every breakage.
    pub fn mended() -> Files {
        vec![
            ("switch.json".to_owned(), "{}\n".to_owned()),
            Self::migration(CHANGE, &["// Nothing is left to do."], &[]).remove(0),
        ]
    }

    /// A migration of this name with these lines of PHP in `up` and `down`.
    pub fn migration(name: &str, up: &[&str], down: &[&str]) -> Files {
        let (up, down) = (up.join("\n        "), down.join("\n        "));
        let text = format!(
            "<?php\n\nuse Illuminate\\Database\\Migrations\\Migration;\nuse Illuminate\\Support\\Facades\\DB;\n\n\
             return new class extends Migration\n{{\n    public function up(): void\n    {{\n        {up}\n    }}\n\n    \
             public function down(): void\n    {{\n        {down}\n    }}\n}};\n"
        );
        vec![(format!("database/migrations/{name}.php"), text)]
    }

    /// The file by which code can be told apart: `/health` says `"code": "<version>"`, the home page too.
    pub fn code(version: &str) -> Files {
        assert!(
            !version.contains('\''),
            "{version:?} cannot stand in PHP quotes"
        );
        let text = source("app/Code.php").replace("'one'", &format!("'{version}'"));
        vec![("app/Code.php".to_owned(), text)]
    }
}

/// The migration that breakages bring.
const CHANGE: &str = "2026_02_01_000000_change_the_tables";

fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("kit/app")
}

fn source(relative: &str) -> String {
    fs::read_to_string(home().join(relative)).expect("the sample app is part of the kit")
}

/// The sample app built once by a real Composer, and a database with its migrations run.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    dir: PathBuf,
}

/// What `composer.json` and the lock name instead of a port, which is another one in every test.
const PLACE: &str = "http://packages.invalid";

impl Built {
    /// The app's checkout as a build leaves it, `vendor` included and development packages left out.
    pub(crate) fn release(&self) -> PathBuf {
        self.dir.join("release")
    }

    /// A database with the migrations run and no rows.
    pub(crate) fn database(&self) -> PathBuf {
        self.dir.join("db.sqlite")
    }

    /// Takes it from the cache, or builds it.
    pub(crate) async fn ready(debian: Debian) -> Self {
        let packages = composer::packages(debian).await;
        let mut hash = Sha256::new();
        hash.update(fs::read(packages.join("entries.json")).expect("it is made with the packages"));
        hash.update(include_bytes!("app.rs"));
        for (path, bytes) in files_below(&home()) {
            hash.update(path.as_bytes());
            hash.update(bytes);
        }
        let key = hex::encode(hash.finalize());
        let dir = cache::folder("app", &key[..16], async |dir: &Path| {
            build(debian, dir).await;
        })
        .await;
        Self { dir }
    }

    /// Writes the sources, with their lock made to fit `repo`, into an empty folder.
    pub(crate) async fn check_out(&self, repo: &ComposerRepo, into: &Path) {
        for (path, bytes) in files_below(&home()) {
            let file = into.join(&path);
            fs::create_dir_all(file.parent().expect("it is below the folder"))
                .expect("a test folder can be written");
            fs::write(&file, bytes).expect("a test folder can be written");
            let mode = fs::metadata(home().join(&path))
                .expect("it was just read")
                .permissions();
            fs::set_permissions(file, mode).expect("a test folder can be written");
        }
        let composer_json = source("composer.json").replace(PLACE, repo.url());
        fs::write(into.join("composer.json"), composer_json).expect("a test folder can be written");
        let lock =
            fs::read_to_string(self.dir.join("composer.lock")).expect("it is made with the app");
        let mut lock: serde_json::Value =
            serde_json::from_str(&lock.replace(PLACE, repo.url())).expect("Composer writes JSON");
        lock["content-hash"] = content_hash(&into.join("composer.json")).await.into();
        let lock = serde_json::to_string_pretty(&lock).expect("it was JSON before");
        fs::write(into.join("composer.lock"), lock).expect("a test folder can be written");
    }
}

/// Asks Composer itself, since the hash covers the address of the repository.
async fn content_hash(file: &Path) -> String {
    let code = "require '/usr/share/php/Composer/autoload.php'; \
                echo Composer\\Package\\Locker::getContentHash(file_get_contents($argv[1]));";
    command::succeed(Command::new("php").args(["-r", code]).arg(file)).await
}

async fn build(debian: Debian, dir: &Path) {
    let repo = ComposerRepo::of(debian).await;
    let release = dir.join("release");
    for (path, bytes) in files_below(&home()) {
        let file = release.join(path);
        fs::create_dir_all(file.parent().expect("it is below the folder"))
            .expect("the cache can be written");
        fs::write(file, bytes).expect("the cache can be written");
    }
    let composer_json = source("composer.json").replace(PLACE, repo.url());
    fs::write(release.join("composer.json"), composer_json).expect("the cache can be written");
    // The lock knows the development package; the release does not have it.
    composer(debian, &release, dir, &["update", "--no-install"]).await;
    composer(
        debian,
        &release,
        dir,
        &["install", "--no-dev", "--optimize-autoloader"],
    )
    .await;

    let lock = fs::read_to_string(release.join("composer.lock")).expect("Composer just wrote it");
    let lock = lock.replace(repo.url(), PLACE);
    fs::write(dir.join("composer.lock"), &lock).expect("the cache can be written");

    let database = dir.join("db.sqlite");
    command::succeed(
        Command::new("sqlite3")
            .arg(&database)
            .arg("pragma journal_mode = wal"),
    )
    .await;
    let mut migrate = debian.command("php", dir).await;
    migrate
        .args(["artisan", "migrate", "--force", "--no-ansi"])
        .current_dir(&release);
    command::succeed(migrate.env("DB_DATABASE", &database)).await;
    fs::remove_dir_all(dir.join("home")).expect("Composer made it");
}

/// Runs Composer as a build would: quietly, and with a home of its own.
async fn composer(debian: Debian, app: &Path, dir: &Path, arguments: &[&str]) {
    let mut composer = debian.command("composer", dir).await;
    composer
        .args(arguments)
        .args(["--no-interaction", "--no-progress", "--no-ansi"])
        .current_dir(app);
    composer
        .env("COMPOSER_HOME", dir.join("home"))
        .env("COMPOSER_ALLOW_SUPERUSER", "1");
    command::succeed(&mut composer).await;
}

/// All files below a folder by relative path, in a stable order.
fn files_below(base: &Path) -> BTreeMap<String, Vec<u8>> {
    fn walk(base: &Path, dir: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(dir).expect("the sample app is readable") {
            let path = entry.expect("the sample app is readable").path();
            if path.is_dir() {
                walk(base, &path, found);
            } else {
                let relative = path
                    .strip_prefix(base)
                    .expect("it lies below")
                    .to_string_lossy()
                    .into_owned();
                found.insert(
                    relative,
                    fs::read(&path).expect("the sample app is readable"),
                );
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(base, base, &mut found);
    found
}

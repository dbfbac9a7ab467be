//! Migrations against real databases: how often they run, what stops them, and what is left of them.

use insta::assert_snapshot;
use kit::{Breakage, Files, HostOptions, Postgres, SampleApp};

use super::scene::{Plot, Scene};
use super::told::Told;

/// A line that notes in the database of its host that it has run.
const NOTED: &str = r#"migrate = ['. ./.env; test ! -e "bad-$DATABASE"; psql -qh "$SOCKET" -U shop -d "$DATABASE" -c "insert into ran default values"']"#;

/// Three plain hosts, and the database that each of them speaks to.
async fn three(databases: [&str; 3], plot: Plot) -> (Scene, Postgres) {
    let (postgres, scene) = tokio::join!(Postgres::start(), Scene::of(3, plot));
    let socket = postgres.socket().display();
    for (host, database) in scene.hosts.iter().zip(databases) {
        host.write(
            "shared/.env",
            &format!("SOCKET={socket}\nDATABASE={database}\n"),
        );
    }
    for database in std::collections::BTreeSet::from(databases) {
        postgres.create(database).await;
        let table = "create table ran (at timestamptz default clock_timestamp())";
        postgres.sql(database, table).await;
    }
    (scene, postgres)
}

/// How often each database was migrated.
async fn runs(postgres: &Postgres, databases: &[&str]) -> Vec<String> {
    let mut runs = Vec::new();
    for database in databases {
        let count = postgres.sql(database, "select count(*) from ran").await;
        runs.push(format!("{database} {}", count.trim()));
    }
    runs
}

#[tokio::test]
async fn three_hosts_with_one_database_migrate_it_once() {
    let plot = Plot {
        steps: NOTED.to_owned(),
        ..Plot::default()
    };
    let (scene, postgres) = three(["one"; 3], plot).await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    assert_eq!(runs(&postgres, &["one"]).await, ["one 1"]);
    scene.close().await;
}

#[tokio::test]
async fn three_hosts_with_three_databases_migrate_each_once_and_one_after_another() {
    let databases = ["eu", "us", "asia"];
    let plot = Plot {
        steps: NOTED.to_owned(),
        databases: databases.to_vec(),
        ..Plot::default()
    };
    let (scene, postgres) = three(databases, plot).await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    assert_eq!(
        runs(&postgres, &databases).await,
        ["eu 1", "us 1", "asia 1"]
    );
    // The second one fails: the first is migrated, the third is not touched, and nothing is swapped.
    let told = scene.deploy(&[("bad-us", "")]).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_eq!(
        runs(&postgres, &databases).await,
        ["eu 2", "us 1", "asia 1"]
    );
    assert!(
        told.outcome().contains(" on web2: exit 1"),
        "{}",
        told.outcome()
    );
    assert!(
        told.outcome().contains("changed in the database stays"),
        "{}",
        told.outcome()
    );
    assert!(!told.story().contains("swap"), "{}", told.story());
    scene.close().await;
}

/// The database of a Laravel app.
enum Database {
    Sqlite,
    Postgres(Postgres),
}

impl Database {
    async fn ask(&self, scene: &Scene, sql: &str) -> String {
        match self {
            Self::Sqlite => {
                let ask = format!("sqlite3 shared/database/app.sqlite \"{sql}\"");
                scene.host().sh(&ask).await
            }
            Self::Postgres(postgres) => postgres.sql("shop", sql).await,
        }
    }

    /// The columns of the table `runs` that were not there in the beginning, and `code`, which was.
    async fn columns(&self, scene: &Scene) -> Vec<String> {
        let sql = match self {
            Self::Sqlite => "select name from pragma_table_info('runs')",
            Self::Postgres(_) => {
                "select column_name from information_schema.columns where table_name = 'runs' order by ordinal_position"
            }
        };
        let first = [
            "id",
            "tag",
            "pid",
            "release",
            "attempt",
            "started_at",
            "ended_at",
        ];
        let all = self.ask(scene, sql).await;
        let later = all.lines().filter(|name| !first.contains(name));
        later.map(str::to_owned).collect()
    }

    async fn migrations(&self, scene: &Scene) -> usize {
        let count = self.ask(scene, "select count(*) from migrations").await;
        count.trim().parse().unwrap()
    }
}

/// A host for Laravel on which nothing is live, and whose database is empty.
async fn shop(database: &Database, tables: &str) -> Scene {
    let host = HostOptions {
        workers: 0,
        live: None,
        ..HostOptions::laravel("web1")
    };
    let scene = Scene::start(Plot {
        hosts: vec![host],
        health: "attempts = 10\ninterval = \"200ms\"".to_owned(),
        tables: tables.to_owned(),
        ..Plot::default()
    })
    .await;
    match database {
        Database::Sqlite => scene.host().write("shared/database/app.sqlite", ""),
        Database::Postgres(postgres) => {
            postgres.create("shop").await;
            let file = scene.host().read("shared/.env").unwrap();
            let mut lines: Vec<_> = file
                .lines()
                .filter(|line| !line.starts_with("DB_"))
                .collect();
            let socket = format!("DB_HOST={}", postgres.socket().display());
            lines.extend([
                "DB_CONNECTION=pgsql",
                "DB_DATABASE=shop",
                "DB_USERNAME=shop",
                &socket,
            ]);
            scene
                .host()
                .write("shared/.env", &(lines.join("\n") + "\n"));
        }
    }
    scene
}

/// Deploys these files, with leave to take something away or without.
async fn deploy(scene: &Scene, files: Files, leave: bool) -> Told {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let mut request = scene.wish(&files).await;
    request.allow_destructive = leave;
    scene.run(&request).await
}

fn statement(sql: &str) -> String {
    format!("DB::statement('{sql}');")
}

/// A migration that adds a column to `runs`, and takes it away again on its way back.
fn adds(name: &str, column: &str) -> Files {
    let up = statement(&format!("alter table runs add column {column} varchar(20)"));
    let down = statement(&format!("alter table runs drop column {column}"));
    SampleApp::migration(name, &[&up], &[&down])
}

/// From the first deployment to a rollback, on one engine. Returns what a migration that broke off has left.
async fn lives(database: Database) -> (Scene, Vec<String>) {
    let scene = shop(&database, "").await;
    let tidies = statement("drop table if exists leftovers");
    let tidies = SampleApp::migration("2026_01_15_000000_tidy", &[&tidies], &[]);
    let told = deploy(&scene, tidies, false).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert_eq!(database.columns(&scene).await, ["code"]);

    let told = deploy(&scene, adds("2026_03_01_000000_add", "note"), false).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let live = scene.live().unwrap();
    let kept = scene
        .host()
        .read(&format!(".cutover/releases/{live}.migrated"));
    assert_eq!(kept.as_deref(), Some("2026_03_01_000000_add\n"));
    assert_eq!(database.columns(&scene).await, ["code", "note"]);

    is_refused_what_is_taken_away(&scene, &database).await;

    let mut files = adds("2026_04_30_000000_whole", "whole");
    let half = [
        statement("alter table runs add column half integer"),
        statement("alter table nowhere add column half integer"),
    ];
    files.extend(SampleApp::migration(
        "2026_05_01_000000_half",
        &[&half[0], &half[1]],
        &[],
    ));
    let told = deploy(&scene, files, false).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_eq!(
        scene.live().as_ref().map(|_| database_of(&told)),
        Some(HALF.to_owned())
    );
    let left = database.columns(&scene).await;

    let mended = SampleApp::migration("2026_05_01_000000_half", &["// It is there already."], &[]);
    let told = deploy(&scene, mended, false).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let before = database.columns(&scene).await;
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let plan = told.plan();
    let word = "the schema of the database stays as it is";
    assert!(
        plan.contains(word) && plan.contains("2026_05_01_000000_half"),
        "{plan}"
    );
    assert_eq!(database.columns(&scene).await, before);
    (scene, left)
}

/// What is said of the database by the way, of the migration that breaks off.
const HALF: &str = "The schema of the database stays as r5 has made it: 2026_04_30_000000_whole ran and no step rolls \
    back. 2026_05_01_000000_half broke off: PostgreSQL takes back what it had done, MySQL, MariaDB and SQLite keep it.";

fn database_of(told: &Told) -> String {
    let outcome = told.outcome();
    outcome.lines().last().unwrap_or_default().trim().to_owned()
}

async fn is_refused_what_is_taken_away(scene: &Scene, database: &Database) {
    let live = scene.live();
    let drops = statement("alter table runs drop column code");
    let mut files = SampleApp::migration("2026_04_01_000000_trim", &[&drops], &[]);
    files.extend(adds("2026_03_20_000000_more", "more"));
    let told = deploy(scene, files, false).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    assert_snapshot!(told.outcome().replace(&live_commit(&told), "COMMIT"), @"
    failed: what was live still is
      preview on web1: nothing was migrated, because migrations are destructive: 2026_04_01_000000_trim drops the column code of runs (alter table runs drop column code)
      The live release uses the same schema until the swap and after a rollback, so take away only what no release needs any more. If that is so: `cutover deploy production COMMIT --allow-destructive`, or the action's input `allow-destructive`.
    ");
    assert_eq!((scene.live(), database.migrations(scene).await), (live, 3));
    assert_eq!(database.columns(scene).await, ["code", "note"]);

    let told = deploy(scene, Files::new(), true).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert!(
        told.notes()
            .contains("destructive and allowed: 2026_04_01_000000_trim"),
        "{}",
        told.notes()
    );
    assert_eq!(database.columns(scene).await, ["note", "more"]);
}

fn live_commit(told: &Told) -> String {
    told.commits().0.unwrap().to_string()
}

#[tokio::test]
async fn on_sqlite_what_takes_something_away_is_refused_and_half_a_migration_stays() {
    let (scene, left) = lives(Database::Sqlite).await;
    assert_eq!(left, ["note", "more", "whole", "half"]);
    scene.close().await;
}

#[tokio::test]
async fn on_postgres_what_takes_something_away_is_refused_and_half_a_migration_is_undone() {
    let (scene, left) = lives(Database::Postgres(Postgres::start().await)).await;
    assert_eq!(left, ["note", "more", "whole"]);
    scene.close().await;
}

#[tokio::test]
async fn where_it_is_wanted_migrations_of_a_release_that_is_taken_back_are_rolled_back_last() {
    let database = Database::Postgres(Postgres::start().await);
    let policy = "[environments.production.migrations]\non_rollback = \"roll_back\"";
    let scene = shop(&database, policy).await;
    assert_eq!(deploy(&scene, Files::new(), false).await.exit(), 0);
    let told = deploy(&scene, adds("2026_03_01_000000_add", "note"), false).await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    let told = scene.rollback().await;
    assert_eq!(told.exit(), 0, "{}\n{}", told.outcome(), told.story());
    assert!(
        told.plan()
            .contains("are rolled back: 2026_03_01_000000_add"),
        "{}",
        told.plan()
    );
    let kept = told.story();
    let last = kept.split("== keep").nth(1).unwrap();
    assert!(
        last.contains("Rolled back:  2026_03_01_000000_add"),
        "{kept}"
    );
    assert_eq!(database.columns(&scene).await, ["code"]);
    assert_eq!(database.migrations(&scene).await, 1);

    // What is migrated again and not healthy is rolled back as well, when the old code is proven to run.
    let told = deploy(&scene, SampleApp::broken(Breakage::Health500), false).await;
    assert_eq!(told.exit(), 1, "{}", told.story());
    let story = told.story();
    let last = story.split("== migrate back").nth(1).unwrap();
    assert!(
        last.contains("Rolled back:  2026_03_01_000000_add"),
        "{story}"
    );
    assert!(!told.outcome().contains("stays"), "{}", told.outcome());
    assert_eq!(database.columns(&scene).await, ["code"]);
    let kept = scene.host().sh("ls .cutover/releases").await;
    assert!(!kept.contains("2026_03_01"), "{kept}");
    scene.close().await;
}

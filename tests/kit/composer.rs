//! A Composer repository on loopback, made of the Laravel that Debian ships, so that `composer install` is real
//! without the internet.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{self, State};
use axum::http::StatusCode;
use axum::routing::get;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::task::JoinHandle;

use crate::debian::Debian;
use crate::{cache, command};

/// Where Debian's packages put PHP libraries; their loaders name it.
const SHARE: &str = "/usr/share/php";

/// A Composer repository that serves `laravel/framework` and the development package `acme/magnifier`.
///
/// Answers on 127.0.0.1 until it is dropped.
#[derive(Debug)]
pub struct ComposerRepo {
    url: String,
    server: JoinHandle<()>,
}

impl ComposerRepo {
    /// Makes the packages unless they are in the cache, and serves them. Panics without `php-laravel-framework`.
    pub async fn start() -> Self {
        Self::of(Debian::default()).await
    }

    /// The same with the Laravel of another Debian.
    pub(crate) async fn of(debian: Debian) -> Self {
        let packages = packages(debian).await;
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback has a free port");
        let url = format!("http://{}", listener.local_addr().expect("it is bound"));
        let shelf = Arc::new(Shelf {
            index: index(&packages, &url),
            packages,
        });
        let router = Router::new()
            .route(
                "/packages.json",
                get(async |State(shelf): State<Arc<Shelf>>| shelf.index.clone()),
            )
            .route("/dist/{file}", get(dist))
            .with_state(shelf);
        let server = tokio::spawn(async move {
            axum::serve(listener, router)
                .await
                .expect("serving on loopback");
        });
        Self { url, server }
    }

    /// The address, as `repositories` of a `composer.json` names it.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for ComposerRepo {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Shelf {
    index: String,
    packages: PathBuf,
}

async fn dist(
    State(shelf): State<Arc<Shelf>>,
    extract::Path(file): extract::Path<String>,
) -> Result<Vec<u8>, StatusCode> {
    let known = file
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || "-.".contains(c))
        && !file.starts_with('.');
    let bytes = if known {
        fs::read(shelf.packages.join(file)).ok()
    } else {
        None
    };
    bytes.ok_or(StatusCode::NOT_FOUND)
}

/// What `packages.json` says, with the address of this very server.
fn index(packages: &Path, url: &str) -> String {
    let entries =
        fs::read_to_string(packages.join("entries.json")).expect("it is made with the packages");
    entries.replace("@url@", url)
}

/// The folder with the packages, made by whoever needs it first.
pub(crate) async fn packages(debian: Debian) -> PathBuf {
    let libraries = debian.libraries().await;
    let version = framework_version(&libraries);
    // How they are made is part of the key, so that nobody meets packages made by an older kit.
    let maker = Sha256::digest(include_bytes!("composer.rs"));
    let key = format!("{version}-{}", &hex::encode(maker)[..8]);
    cache::folder("packages", &key, async |dir| {
        let framework = dir.join("framework");
        copy_framework(&libraries, &framework);
        fs::write(
            framework.join("composer.json"),
            format!(
                r#"{{"name":"laravel/framework","version":"{version}","type":"library","license":"MIT",
                "autoload":{{"psr-4":{{"Illuminate\\Foundation\\":"src/Illuminate/Foundation/"}},"files":["load.php"]}}}}"#
            ),
        )
        .expect("the cache can be written");
        fs::write(framework.join("load.php"), LOAD).expect("the cache can be written");

        let magnifier = dir.join("magnifier");
        fs::create_dir_all(magnifier.join("src")).expect("the cache can be written");
        fs::write(magnifier.join("composer.json"), MAGNIFIER).expect("the cache can be written");
        fs::write(
            magnifier.join("src/Magnifier.php"),
            "<?php\n\nnamespace Acme\\Magnifier;\n\nfinal class Magnifier\n{\n}\n",
        )
        .expect("the cache can be written");

        let mut entries = serde_json::Map::new();
        for source in [framework, magnifier] {
            let (name, version, entry) = pack(&source, dir).await;
            entries.insert(name, serde_json::json!({ version: entry }));
            fs::remove_dir_all(source).expect("it was just made");
        }
        let entries = serde_json::json!({ "packages": entries }).to_string();
        fs::write(dir.join("entries.json"), entries).expect("the cache can be written");
    })
    .await
}

/// The package's own copies win over the system's, so every release runs its own framework files.
const LOAD: &str = "<?php\n\nset_include_path(__DIR__.'/src'.PATH_SEPARATOR.get_include_path());\n\
                    require_once __DIR__.'/src/Illuminate/autoload.php';\n";

const MAGNIFIER: &str = r#"{"name":"acme/magnifier","version":"1.0.0","type":"library","license":"MIT",
"autoload":{"psr-4":{"Acme\\Magnifier\\":"src/"}}}"#;

/// Zips a package and returns its name, its version and what `packages.json` says of it.
async fn pack(source: &Path, dir: &Path) -> (String, String, serde_json::Value) {
    let text = fs::read_to_string(source.join("composer.json")).expect("it was just written");
    let mut entry: serde_json::Value = serde_json::from_str(&text).expect("it is JSON");
    let field = |name: &str| {
        entry[name]
            .as_str()
            .expect("every package has it")
            .to_owned()
    };
    let (name, version) = (field("name"), field("version"));
    let file = format!("{}-{version}.zip", name.replace('/', "-"));
    command::succeed(
        Command::new("zip")
            .args(["-qrX", "-1"])
            .arg(dir.join(&file))
            .arg(".")
            .current_dir(source),
    )
    .await;
    let sum = command::succeed(Command::new("sha1sum").arg(dir.join(&file))).await;
    let sum = sum.split(' ').next().expect("sha1sum prints the sum first");
    entry["dist"] = serde_json::json!({
        "type": "zip", "url": format!("@url@/dist/{file}"), "shasum": sum, "reference": &sum[..12],
    });
    (name, version, entry)
}

/// Copies what Laravel needs. Composer's own libraries and the languages of dates stay out: nobody here reads them,
/// and they are a third of all files.
fn copy_framework(libraries: &Path, framework: &Path) {
    let source = framework.join("src");
    copy(libraries, &source, &|relative| {
        let text = relative.to_string_lossy();
        let first = text.split('/').next().unwrap_or_default();
        let language = text
            .strip_prefix("Carbon/Lang/")
            .is_some_and(|file| file != "en.php");
        let own = matches!(first, "Composer" | "JsonSchema" | "React" | "Seld" | "data");
        own || language || first.starts_with(|c: char| c.is_ascii_digit())
    });
    // Laravel 11 and later look for their own configuration beside `src`.
    for name in ["config", "config-stubs"] {
        let shipped = source.join("Illuminate").join(name);
        if shipped.is_dir() {
            fs::rename(shipped, framework.join(name)).expect("both are in the cache");
        }
    }
}

/// Copies a tree with its links followed, and makes the loaders of newer Debian releases relative again.
fn copy(from: &Path, to: &Path, skip: &dyn Fn(&Path) -> bool) {
    fn walk(base: &Path, relative: &Path, to: &Path, skip: &dyn Fn(&Path) -> bool) {
        for entry in fs::read_dir(base.join(relative)).expect("the package is readable") {
            let inner = relative.join(entry.expect("the package is readable").file_name());
            if skip(&inner) {
                continue;
            }
            let source = base.join(&inner);
            if source.is_dir() {
                fs::create_dir_all(to.join(&inner)).expect("the cache can be written");
                walk(base, &inner, to, skip);
            } else {
                let mut bytes = fs::read(&source).expect("the package is readable");
                if let Ok(text) = str::from_utf8(&bytes)
                    && inner.file_name().is_some_and(|name| name == "autoload.php")
                {
                    bytes = text.replace(&format!("'{SHARE}/"), "'").into_bytes();
                }
                fs::write(to.join(&inner), bytes).expect("the cache can be written");
            }
        }
    }
    fs::create_dir_all(to).expect("the cache can be written");
    walk(from, Path::new(""), to, skip);
}

fn framework_version(libraries: &Path) -> String {
    let file = libraries.join("Illuminate/Foundation/Application.php");
    let text = fs::read_to_string(&file).unwrap_or_default();
    let version = text
        .split("const VERSION = '")
        .nth(1)
        .and_then(|rest| rest.split('\'').next());
    version
        .unwrap_or_else(|| {
            panic!(
                "{} tells no version; tests/setup.sh installs php-laravel-framework",
                file.display()
            )
        })
        .to_owned()
}

//! A first `cutover.toml`, from what a repository and a host show. Pure: only what is known of becomes a key, and what was
//! only guessed says so beside it.

use std::fmt::Write as _;

use crate::config::{Config, RuntimeKind};

mod runtimes;
mod site;
mod workers;

pub use site::{Machine, Site, Worker};
pub use workers::horizon_timeout;

/// What kind of app a repository holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// `artisan` and `composer.json`.
    Laravel,
    /// `composer.json`, or a script that answers requests.
    Php,
    /// An `index.html`, and no PHP.
    Static,
    /// None of these.
    Other,
}

/// What a repository shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// What kind of app it holds.
    pub kind: Kind,
    /// The app's name.
    pub app: String,
    /// `github:acme/shop`.
    pub place: Option<String>,
    /// The branch that is deployed.
    pub branch: Option<String>,
    /// A path that answers when the app is up, as Laravel has one since 11.
    pub health: Option<String>,
    /// Whether a `package.json` has a build step.
    pub frontend: bool,
    /// What it may run beside PHP-FPM, by its packages.
    pub runtimes: Vec<RuntimeKind>,
    /// Horizon, where the app requires it.
    pub horizon: Option<Horizon>,
}

/// What a repository shows of Horizon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// The longest that a job may take, in seconds, and 0 where nothing ends it; `None` where that was not seen.
    pub timeout_seconds: Option<u64>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// The environment.
    pub environment: String,
    /// The folder on hosts; taken from the web server's site, or else made of the app's name, when absent.
    pub path: Option<String>,
    /// Where the host is; without it an example stands there.
    pub address: Option<String>,
}

/// A draft, and what was found for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    /// The text of the file.
    pub text: String,
    /// What was found, a sentence each.
    pub found: Vec<String>,
}

/// Writes the file, or says why what was found cannot be written down.
pub fn draft(
    repository: &Repository,
    machine: Option<&Machine>,
    wish: &Wish,
) -> Result<Draft, String> {
    let site = machine.and_then(|machine| machine.site(wish.path.as_deref(), &repository.app));
    let path = wish.path.clone();
    let path = path.or_else(|| site.and_then(Site::path));
    let guessed = path.is_none();
    let path = path.unwrap_or_else(|| format!("/srv/{}", repository.app));
    let mut found = vec![repository.kind.sentence().to_owned()];
    let packages = repository.runtimes.iter().copied();
    found.extend(packages.map(|kind| format!("in the repository {}", runtimes::package(kind))));
    if repository.horizon.is_some() {
        found.push("in the repository laravel/horizon".to_owned());
    }
    let mut text = head(repository);
    write!(text, "{}", recipe(repository)).unwrap_or_default();
    let name = &wish.environment;
    writeln!(text, "\n[environments.{name}]").unwrap_or_default();
    match &repository.branch {
        Some(branch) => line(&mut text, "branch", branch, ""),
        None => text.push_str(
            "# Pushes to this branch are deployed; without it none are.\n# branch = \"main\"\n",
        ),
    }
    let note = if guessed {
        "a guess: the folder that will hold `current`, `releases` and `shared`"
    } else {
        ""
    };
    line(&mut text, "path", &path, note);
    host(&mut text, wish, machine);
    found.extend(site.and_then(Site::sentence));
    found.extend(machine.iter().flat_map(|host| host.sentences(&path)));
    health(&mut text, repository, site, wish);
    workers::write(&mut text, name, &path, repository, machine);
    let php = matches!(repository.kind, Kind::Laravel | Kind::Php);
    match machine {
        Some(machine) if php => machine.php_fpm(&mut text, name, &path, site),
        None if php => text.push_str(&no_pool(&repository.app, name)),
        _ => {}
    }
    let (app, packages) = (&repository.app, &repository.runtimes);
    runtimes::write(&mut text, name, &path, app, packages, machine);
    match Config::parse("cutover.toml", &text) {
        Ok(_) => {
            let found = found.iter().map(|said| one_line(said)).collect();
            Ok(Draft { text, found })
        }
        Err(problems) => Err(problems.to_string()),
    }
}

/// What is said of PHP-FPM where no host was looked at.
fn no_pool(app: &str, environment: &str) -> String {
    format!(
        "\n# PHP-FPM, where it serves the app: with the address of its pool it follows each swap. `cutover provision` makes one\n\
         # there; other hosts have theirs in /run/php.\n\
         # [environments.{environment}.php_fpm]\n# pool = \"/run/php/{app}@{environment}.sock\"\n"
    )
}

/// `key = "value"`, and what is to be said of it above.
fn line(text: &mut String, key: &str, value: &str, note: &str) {
    if !note.is_empty() {
        writeln!(text, "# {}", one_line(note)).unwrap_or_default();
    }
    writeln!(text, "{key} = {}", quoted(value)).unwrap_or_default();
}

/// A text as TOML has it, whatever stands in it.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// Nothing that is only a comment may end its line.
fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

fn head(repository: &Repository) -> String {
    let mut text = String::from(
        "# Written by `cutover init`. All there is to say is in templates/cutover.toml; `cutover check` tells whether this is\n\
         # right. The file is checked in: no passwords, no tokens.\n\n",
    );
    line(&mut text, "app", &repository.app, "");
    if let Some(place) = &repository.place {
        line(&mut text, "repository", place, "");
    } else {
        let example = format!("github:acme/{}", repository.app);
        let note = "CHANGE THIS: no forge is known of this repository";
        line(&mut text, "repository", &example, note);
    }
    text
}

fn recipe(repository: &Repository) -> &'static str {
    match (repository.kind, repository.frontend) {
        (Kind::Laravel, false) => "recipe = \"laravel\"\n",
        (Kind::Laravel, true) => {
            "recipe = \"laravel\"\n\n[build]\nsteps = [\n  \"composer install --no-dev --optimize-autoloader --no-interaction \
             --no-progress --prefer-dist\",\n  \"npm ci\",\n  \"npm run build\",\n]\n"
        }
        (Kind::Php, false) => {
            "\n[build]\nsteps = [\"composer install --no-dev --optimize-autoloader --no-interaction --no-progress --prefer-dist\"]\n\
             exclude = [\".git\", \"node_modules\", \"tests\"]\n\n\
             # What all releases share, as the app needs it: `shared/` on the host must have the files.\n\
             # [shared]\n# files = [\".env\"]\n# dirs = [\"var/log\"]\n"
        }
        (Kind::Php, true) => {
            "\n[build]\nsteps = [\n  \"composer install --no-dev --optimize-autoloader --no-interaction --no-progress --prefer-dist\",\n  \
             \"npm ci\",\n  \"npm run build\",\n]\nexclude = [\".git\", \"node_modules\", \"tests\"]\n\n\
             # What all releases share, as the app needs it: `shared/` on the host must have the files.\n\
             # [shared]\n# files = [\".env\"]\n# dirs = [\"var/log\"]\n"
        }
        (Kind::Static | Kind::Other, true) => {
            "\n[build]\nsteps = [\"npm ci\", \"npm run build\"]\nexclude = [\".git\", \"node_modules\"]\n"
        }
        (Kind::Static | Kind::Other, false) => {
            "\n[build]\n# Without steps the files are deployed as they are.\n# steps = [\"make\"]\nexclude = [\".git\"]\n"
        }
    }
}

fn host(text: &mut String, wish: &Wish, machine: Option<&Machine>) {
    let name = &wish.environment;
    writeln!(text, "\n[[environments.{name}.hosts]]").unwrap_or_default();
    line(text, "name", "web1", "");
    match &wish.address {
        Some(address) => line(text, "address", address, ""),
        None => line(
            text,
            "address",
            "deploy@web1.example.com",
            "CHANGE THIS: where and as whom the host is reached",
        ),
    }
    if machine.is_none() {
        text.push_str("# A single host has all roles; of several each says which.\n# roles = [\"web\", \"worker\", \"migrate\"]\n");
    }
}

fn health(text: &mut String, repository: &Repository, site: Option<&Site>, wish: &Wish) {
    let Some(path) = &repository.health else {
        let name = &wish.environment;
        write!(
            text,
            "\n# Until the app is asked how it is, a release that answers nothing counts as well.\n# [environments.{name}.health]\n\
             # url = \"http://127.0.0.1/health\"\n"
        )
        .unwrap_or_default();
        if let Some(name) = site.and_then(|site| site.name.as_deref()) {
            writeln!(text, "# host_header = {}", one_line(&quoted(name))).unwrap_or_default();
        }
        let body = match repository.kind {
            Kind::Laravel | Kind::Php => "json = { ok = true }",
            Kind::Static | Kind::Other => "contains = \"a word of the page\"",
        };
        writeln!(text, "# {body}").unwrap_or_default();
        return;
    };
    writeln!(text, "\n[environments.{}.health]", wish.environment).unwrap_or_default();
    line(
        text,
        "url",
        &format!("http://127.0.0.1{path}"),
        "asked on the host itself",
    );
    if let Some(name) = site.and_then(|site| site.name.as_deref()) {
        line(text, "host_header", name, "");
    }
}

impl Kind {
    fn sentence(self) -> &'static str {
        match self {
            Self::Laravel => "a Laravel app: composer.json and artisan",
            Self::Php => "a PHP app",
            Self::Static => "a static site: index.html",
            Self::Other => "neither PHP nor a static site: nothing is built unless you say how",
        }
    }
}

#[cfg(test)]
mod tests;

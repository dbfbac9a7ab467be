//! `cutover init`: a first `cutover.toml`, from what this repository and a host show.

use std::fs;
use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use cutover_deploy::Config;
use cutover_deploy::config::{Host, RuntimeKind};
use cutover_deploy::draft::{
    Draft, Horizon, Kind, Machine, Repository, Wish, draft, horizon_timeout,
};
use cutover_deploy::run::{self, Access, OfferedKey, Unseen};
use serde_json::Value;

use super::console::{self, Trouble};
use super::site::Site;

/// Writes a `cutover.toml` from what a repository and, where one is named, a host show. Changes nothing on the host.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 the file is written, 1 the host could not be asked, 2 bad input, or a file that is there already."
)]
pub(super) struct InitArgs {
    /// The host to look at, and to deploy to: `user@host` or `user@host:port`.
    host: Option<String>,

    /// The folder of the repository.
    #[arg(long, default_value = ".", value_name = "FOLDER")]
    repository: PathBuf,

    /// The environment that is described.
    #[arg(long, default_value = "production")]
    environment: String,

    /// The app's name; that of the repository when left out.
    #[arg(long)]
    app: Option<String>,

    /// The folder on the host; that of its web server's site, or `/srv/APP`, when left out.
    #[arg(long)]
    path: Option<String>,

    /// The branch whose pushes are deployed; the repository's main one when left out.
    #[arg(long)]
    branch: Option<String>,

    /// Pins the host's key, if this is its fingerprint: `SHA256:…`, as `ssh-keygen -lf` says on the host itself.
    #[arg(long, value_name = "FINGERPRINT")]
    accept_host_key: Option<String>,

    /// Writes over a file that is there.
    #[arg(long)]
    force: bool,

    #[command(flatten)]
    site: Site,
}

/// Runs `cutover init`.
pub(super) async fn init(args: InitArgs) -> ExitCode {
    console::conclude(try_init(args).await)
}

async fn try_init(args: InitArgs) -> Result<u8, Trouble> {
    let file = &args.site.config;
    if file.exists() && !args.force {
        return Err(
            Trouble::input(format!("{} is there already", file.display()))
                .hint("`--force` writes over it; `cutover check` tells what is wrong with it."),
        );
    }
    let repository = read(&args)?;
    let wish = Wish {
        environment: args.environment.clone(),
        path: args.path.clone(),
        address: args.host.clone(),
    };
    let bare = draft(&repository, None, &wish).map_err(Trouble::input)?;
    let machine = match &args.host {
        None => None,
        Some(_) => Some(look(&args, &bare).await?),
    };
    let Draft { text, found } = match &machine {
        None => bare,
        some => draft(&repository, some.as_ref(), &wish).map_err(Trouble::input)?,
    };
    write(file, &text, args.force)?;
    for sentence in found {
        console::print(&format!("found {sentence}"));
    }
    console::print(&format!("{} is written", file.display()));
    let next = if text.contains("CHANGE THIS") {
        format!(
            "Next: write down what `{}` says to CHANGE, then `cutover check {}`.",
            file.display(),
            args.environment
        )
    } else {
        format!(
            "Next: `cutover check {0}`, then `cutover doctor {0}`.",
            args.environment
        )
    };
    console::print(&next);
    Ok(0)
}

/// Never over a file that appeared meanwhile.
fn write(file: &Path, text: &str, force: bool) -> Result<(), Trouble> {
    let mut options = fs::OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    let written = options
        .open(file)
        .and_then(|mut open| open.write_all(text.as_bytes()));
    written.map_err(|error| Trouble::input(format!("cannot write {}: {error}", file.display())))
}

/// Looks at the host that the draft names.
async fn look(args: &InitArgs, bare: &Draft) -> Result<Machine, Trouble> {
    let config = Config::parse("cutover.toml", &bare.text);
    let config = config.map_err(|problems| Trouble::input(problems.to_string()))?;
    let environment = super::site::environment(&config, &args.environment)?;
    let Some(host) = environment.hosts.first() else {
        return Err(Trouble::input("there is no host"));
    };
    let access = args.site.access()?;
    match run::look(host, &access).await {
        Ok(machine) => return Ok(machine),
        Err(Unseen::Other(failure)) => return Err(Trouble::failed(&failure)),
        Err(Unseen::Key(offered)) => pin(args, host, offered, &access)?,
    }
    match run::look(host, &access).await {
        Ok(machine) => Ok(machine),
        Err(Unseen::Other(failure)) => Err(Trouble::failed(&failure)),
        Err(Unseen::Key(_)) => Err(Trouble::input(format!(
            "{} offers another key than the one that was pinned just now",
            host.address
        ))),
    }
}

/// Pins the key that a host offers, if somebody says that it is the right one.
fn pin(
    args: &InitArgs,
    host: &Host,
    offered: Option<OfferedKey>,
    access: &Access,
) -> Result<(), Trouble> {
    let Some(OfferedKey { fingerprint, line }) = offered else {
        return Err(Trouble::input(format!("the key of {} is not pinned, and cannot be asked for from here", host.address))
            .hint("Add it to known_hosts once you have compared it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host."));
    };
    let asked = format!("{} offers the key {fingerprint}", host.address);
    let agreed = match &args.accept_host_key {
        Some(expected) => *expected == fingerprint,
        None => confirmed(&asked),
    };
    if !agreed {
        return Err(Trouble::input(format!("{asked}, and nobody said that it is the right one")).hint(format!(
            "Compare it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host itself. Only when it \
             is the same, say `--accept-host-key {fingerprint}`."
        )));
    }
    let file = access
        .known_hosts
        .clone()
        .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".ssh/known_hosts")));
    let file = file.ok_or_else(|| {
        Trouble::input("there is no known_hosts file").hint("Name one with `--known-hosts`.")
    })?;
    let opened = fs::OpenOptions::new().create(true).append(true).open(&file);
    let pinned = opened.and_then(|mut open| writeln!(open, "{line}"));
    pinned.map_err(|error| Trouble::input(format!("cannot write {}: {error}", file.display())))?;
    console::say(&format!("pinned {fingerprint} in {}", file.display()));
    Ok(())
}

/// Asks the person at the terminal, where there is one.
fn confirmed(asked: &str) -> bool {
    if !std::io::stdin().is_terminal() {
        return false;
    }
    console::say(&format!(
        "{asked}.\nIs that what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host itself? Type yes to pin it:"
    ));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).is_ok() && answer.trim() == "yes"
}

/// What the repository shows.
fn read(args: &InitArgs) -> Result<Repository, Trouble> {
    let folder = fs::canonicalize(&args.repository).map_err(|error| {
        Trouble::input(format!(
            "cannot read {}: {error}",
            args.repository.display()
        ))
    })?;
    let has = |name: &str| folder.join(name).is_file();
    let kind = match () {
        () if has("artisan") && has("composer.json") => Kind::Laravel,
        () if has("composer.json") || has("public/index.php") || has("index.php") => Kind::Php,
        () if has("index.html") || has("public/index.html") => Kind::Static,
        () => Kind::Other,
    };
    let place = git(&folder, &["remote", "get-url", "origin"]).and_then(|url| place(&url));
    let named = place
        .as_deref()
        .and_then(|place| place.rsplit('/').next())
        .map(str::to_owned);
    let named = named.or_else(|| Some(folder.file_name()?.to_string_lossy().into_owned()));
    let app = args
        .app
        .clone()
        .unwrap_or_else(|| app_name(named.as_deref().unwrap_or("app")));
    let main = || {
        let head = git(
            &folder,
            &["symbolic-ref", "--short", "refs/remotes/origin/HEAD"],
        );
        let head = head.and_then(|head| Some(head.strip_prefix("origin/")?.to_owned()));
        head.or_else(|| git(&folder, &["symbolic-ref", "--short", "HEAD"]))
    };
    let text = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let json = |name: &str| serde_json::from_str::<Value>(&text(name)).unwrap_or_default();
    let (composer, package) = (json("composer.json"), json("package.json"));
    let horizon = requires(kind, &composer, "laravel/horizon").then(|| Horizon {
        timeout_seconds: horizon_timeout(&text("config/horizon.php")),
    });
    Ok(Repository {
        kind,
        app,
        place,
        branch: args.branch.clone().or_else(main),
        health: (kind == Kind::Laravel)
            .then(|| up(&text("bootstrap/app.php")))
            .flatten(),
        frontend: package["scripts"]["build"].is_string(),
        runtimes: runtimes(kind, &composer, &package),
        horizon,
    })
}

/// What may run beside PHP-FPM, by what the app requires and how its pages are built.
fn runtimes(kind: Kind, composer: &Value, package: &Value) -> Vec<RuntimeKind> {
    let requires = |name: &str| requires(kind, composer, name);
    let build = package["scripts"]["build"].as_str().unwrap_or_default();
    let pages = requires("inertiajs/inertia-laravel") && build.contains("--ssr");
    let known = [
        (RuntimeKind::Octane, requires("laravel/octane")),
        (RuntimeKind::Reverb, requires("laravel/reverb")),
        (RuntimeKind::Pulse, requires("laravel/pulse")),
        (RuntimeKind::Ssr, pages),
    ];
    let there = known.into_iter().filter(|(_, there)| *there);
    there.map(|(kind, _)| kind).collect()
}

/// Whether an app of Laravel's requires a package where it runs.
fn requires(kind: Kind, composer: &Value, name: &str) -> bool {
    kind == Kind::Laravel && composer["require"][name].is_string()
}

fn git(folder: &Path, words: &[&str]) -> Option<String> {
    let output = std::process::Command::new("git")
        .arg("-C")
        .arg(folder)
        .args(words)
        .output()
        .ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !said.trim().is_empty()).then(|| said.trim().to_owned())
}

/// `github:acme/shop` of a remote's URL; on any other forge than the two it is not known.
fn place(url: &str) -> Option<String> {
    let bare = url.trim_end_matches('/').trim_end_matches(".git");
    let (_, rest) = bare.split_once("://").unwrap_or(("", bare));
    let (_, rest) = rest.split_once('@').unwrap_or(("", rest));
    let (host, path) = rest.split_once([':', '/'])?;
    let path = path.trim_start_matches('/');
    let forge = match host {
        "github.com" => "github",
        host if host.contains("gitlab") => "gitlab",
        _ => return None,
    };
    Some(format!("{forge}:{path}"))
}

/// A name as an app may have it.
fn app_name(text: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '_' {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    };
    let name: String = text.chars().map(plain).collect();
    let name = name.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    if name.is_empty() {
        "app".to_owned()
    } else {
        name.to_owned()
    }
}

/// The path that Laravel answers when it is up: `health: '/up'`.
fn up(text: &str) -> Option<String> {
    let (_, rest) = text.split_once("health:")?;
    let path = rest.trim_start().strip_prefix(['\'', '"'])?;
    let path = path.split(['\'', '"']).next()?;
    path.starts_with('/').then(|| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remotes_are_places_on_a_forge() {
        let told = [
            "git@github.com:acme/shop.git",
            "https://x:y@gitlab.com/a/b/c.git",
            "ssh://git@gitlab.example.com/a/b",
            "/srv/git/shop.git",
        ];
        let told = told.map(|url| place(url).unwrap_or("-".to_owned()));
        assert_eq!(
            told,
            ["github:acme/shop", "gitlab:a/b/c", "gitlab:a/b", "-"]
        );
    }

    #[test]
    fn runtimes_are_what_the_app_requires_and_its_build_makes() {
        let composer = serde_json::json!({
            "require": { "laravel/reverb": "^1.0", "inertiajs/inertia-laravel": "^2.0" },
            "require-dev": { "laravel/octane": "^2.0" },
        });
        let with = |build: &str| {
            let package = serde_json::json!({ "scripts": { "build": build } });
            runtimes(Kind::Laravel, &composer, &package)
        };
        assert_eq!(with("vite build"), [RuntimeKind::Reverb]);
        let pages = with("vite build && vite build --ssr");
        assert_eq!(pages, [RuntimeKind::Reverb, RuntimeKind::Ssr]);
        assert_eq!(runtimes(Kind::Php, &composer, &Value::Null), []);
    }

    #[test]
    fn names_and_paths_are_read_as_they_are_written() {
        assert_eq!(app_name("My Shop.v2"), "my-shop-v2");
        assert_eq!(app_name("…"), "app");
        assert_eq!(up("->withRouting(health: '/up')"), Some("/up".to_owned()));
        assert_eq!(up("nothing"), None);
    }
}

//! Packing a folder that somebody else has built: what may go to hosts, and what must not.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use super::pack::{self, Entry, Kind};
use super::{Told, failure, git};
use crate::config::Config;
use crate::{Artifact, CommitSha, Event, Failure, clock};

/// This many links that lead out are named; more of them have one reason.
const LINKS_NAMED: usize = 5;

/// Packs `folder` into a file in `to`.
pub(super) async fn pack(
    config: &Config,
    commit: &CommitSha,
    folder: &Path,
    to: &Path,
    told: Told<'_>,
) -> Result<Artifact, Failure> {
    let (folder, to) = (real(folder)?, real(to)?);
    if to.starts_with(&folder) {
        let (to, folder) = (to.display(), folder.display());
        let message = format!("{to} lies inside of {folder}, so the artifact would hold itself");
        return Err(failure("pack", message));
    }
    let mut exclude = config.build.exclude.clone();
    // The history is never part of a release, and its configuration may hold the job's token.
    exclude.push(".git".to_owned());
    let entries = pack::entries(&folder, exclude).await?;
    let tracked = git::tracked(&folder).await;
    let (entries, left_out) = choose(entries, config, tracked.as_ref());
    let outside: Vec<_> = entries
        .iter()
        .filter_map(|e| leads_out(e, &folder))
        .collect();
    if !outside.is_empty() {
        return Err(refused(&outside));
    }
    if !entries.iter().any(|entry| entry.kind == Kind::File) {
        return Err(Failure {
            hint: Some("Check out the repository and build it in an earlier step.".to_owned()),
            ..failure(
                "pack",
                format!("there are no files in {}", folder.display()),
            )
        });
    }
    if let Some(text) = note(&left_out) {
        drop(told.events.send(Event::Note { host: None, text }));
    }
    let now = || clock::now().as_second().try_into().unwrap_or(0);
    let made_at = git::time_in(&folder, commit).await.unwrap_or_else(now);
    let file = to.join(format!("{}.tar.gz", commit.short()));
    pack::pack_entries(folder, entries, file, commit.clone(), made_at).await
}

/// Parts what a release may bring from what the shared folders of the host take the place of.
///
/// A shared file of the workspace would be replaced by a link anyway, and may hold a secret. A shared folder gives a new
/// host its first content: what the repository says is in it, and not the logs and caches of the job's tests.
fn choose(
    entries: Vec<Entry>,
    config: &Config,
    tracked: Option<&BTreeSet<PathBuf>>,
) -> (Vec<Entry>, Vec<PathBuf>) {
    let shared = &config.shared;
    let (mut chosen, mut left_out) = (Vec::new(), Vec::new());
    for entry in entries {
        let is_shared_file = shared.files.iter().any(|file| entry.path.starts_with(file));
        let in_shared_dir = shared.dirs.iter().any(|dir| entry.path.starts_with(dir));
        let is_tracked = tracked.is_some_and(|tracked| tracked.contains(&entry.path));
        let untracked = in_shared_dir && entry.kind != Kind::Folder && !is_tracked;
        if is_shared_file || untracked {
            left_out.push(entry.path);
        } else {
            chosen.push(entry);
        }
    }
    (chosen, left_out)
}

fn note(left_out: &[PathBuf]) -> Option<String> {
    let first = left_out.first()?.display();
    let more = match left_out.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "left out, because hosts have their own: {first}{more}"
    ))
}

/// What a link that leads out of the folder says, by its words or by where it really ends.
fn leads_out(entry: &Entry, folder: &Path) -> Option<String> {
    let Kind::Link(target) = &entry.kind else {
        return None;
    };
    let ends_outside = || {
        let end = folder.join(&entry.path).canonicalize();
        end.is_ok_and(|end| !end.starts_with(folder))
    };
    (says_out(&entry.path, target) || ends_outside())
        .then(|| format!("{} -> {}", entry.path.display(), target.display()))
}

/// Whether a link at `path` climbs above the folder, or begins at the root.
fn says_out(path: &Path, target: &Path) -> bool {
    let mut depth = path.components().count() - 1;
    for part in target.components() {
        match part {
            Component::RootDir | Component::Prefix(_) => return true,
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return true,
            },
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
        }
    }
    false
}

fn refused(outside: &[String]) -> Failure {
    let mut named = outside[..outside.len().min(LINKS_NAMED)].join(", ");
    if outside.len() > LINKS_NAMED {
        named = format!("{named} and {} more", outside.len() - LINKS_NAMED);
    }
    let hint = "On a host there is nothing behind such a link. Make it relative (Laravel: `php artisan storage:link \
                --relative`), leave it out by `build.exclude`, or make it on the host in `steps.prepare`.";
    Failure {
        hint: Some(hint.to_owned()),
        ..failure("pack", format!("links lead out of the workspace: {named}"))
    }
}

fn real(path: &Path) -> Result<PathBuf, Failure> {
    let real = path.canonicalize();
    real.map_err(|error| failure("pack", format!("cannot read {}: {error}", path.display())))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use tokio::sync::mpsc::unbounded_channel;

    use super::*;

    struct World {
        workspace: tempfile::TempDir,
        to: tempfile::TempDir,
        commit: CommitSha,
    }

    impl World {
        fn new(files: &[&str]) -> Self {
            let workspace = tempfile::tempdir().unwrap();
            for file in files {
                let path = workspace.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, file).unwrap();
            }
            let commit = CommitSha::parse(&"1a2b3c4d5e".repeat(4)).unwrap();
            let to = tempfile::tempdir().unwrap();
            Self {
                workspace,
                to,
                commit,
            }
        }

        fn git(&self, args: &[&str]) {
            let mut git = Command::new("git");
            git.arg("-C").arg(self.workspace.path()).args(args);
            git.env("GIT_CONFIG_GLOBAL", "/dev/null");
            for who in ["AUTHOR", "COMMITTER"] {
                git.env(format!("GIT_{who}_NAME"), "alice")
                    .env(format!("GIT_{who}_EMAIL"), "alice@example.com")
                    .env(format!("GIT_{who}_DATE"), "1000000000 +0000");
            }
            let output = git.output().unwrap();
            assert!(output.status.success(), "{output:?}");
        }

        fn link(&self, path: &str, target: &str) {
            symlink(target, self.workspace.path().join(path)).unwrap();
        }

        async fn packed(&self) -> Result<(Artifact, Vec<Event>), Failure> {
            let text = "app = \"shop\"\nrepository = \"github:acme/shop\"\n\
                [build]\nexclude = [\"node_modules\"]\n\
                [shared]\nfiles = [\".env\", \"auth/key.pem\"]\ndirs = [\"storage\"]\n\
                [environments.production]\npath = \"/srv/shop\"\n\
                hosts = [{ name = \"web1\", address = \"web1.example.com\" }]\n";
            let config = Config::parse("cutover.toml", text).unwrap();
            let (events, mut heard) = unbounded_channel();
            let told = Told { events: &events };
            let (folder, to) = (self.workspace.path(), self.to.path());
            let artifact = pack(&config, &self.commit, folder, to, told).await?;
            let mut all = Vec::new();
            while let Ok(event) = heard.try_recv() {
                all.push(event);
            }
            Ok((artifact, all))
        }

        /// What is in the archive, with the time of the first entry.
        fn content(artifact: &Artifact) -> (String, u64) {
            let file = fs::File::open(&artifact.file).unwrap();
            let mut archive = tar::Archive::new(flate2::read::MultiGzDecoder::new(file));
            let (mut lines, mut time) = (Vec::new(), 0);
            for entry in archive.entries().unwrap() {
                let entry = entry.unwrap();
                if lines.is_empty() {
                    time = entry.header().mtime().unwrap();
                }
                lines.push(entry.path().unwrap().display().to_string());
            }
            (lines.join("\n"), time)
        }
    }

    #[tokio::test]
    async fn a_release_brings_neither_history_nor_what_hosts_have_of_their_own() {
        let mut world = World::new(&[
            "artisan",
            "app/.env",
            "public/build/app.js",
            "storage/logs/.gitignore",
        ]);
        world.git(&["init", "-q"]);
        world.git(&["add", "."]);
        world.git(&["commit", "-qm", "all"]);
        world.commit = git::head(world.workspace.path()).await.unwrap();
        let workspace = world.workspace.path();
        for path in [
            ".env",
            "auth/key.pem",
            "node_modules/x",
            "vendor/y/.git/config",
            "vendor/z",
            "storage/logs/laravel.log",
        ] {
            fs::create_dir_all(workspace.join(path).parent().unwrap()).unwrap();
            fs::write(workspace.join(path), "x").unwrap();
        }
        let (artifact, events) = world.packed().await.unwrap();
        let (content, time) = World::content(&artifact);
        insta::assert_snapshot!(content, @r"
        REVISION
        app
        app/.env
        artisan
        auth
        public
        public/build
        public/build/app.js
        storage
        storage/logs
        storage/logs/.gitignore
        vendor
        vendor/y
        vendor/z
        ");
        assert_eq!(time, 1_000_000_000, "files have the time of the commit");
        let notes: Vec<String> = events.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(notes.join("\n"), @"note: left out, because hosts have their own: .env and 2 more");
    }

    #[tokio::test]
    async fn without_git_shared_folders_keep_only_their_shape() {
        let world = World::new(&["artisan", "storage/logs/laravel.log"]);
        assert_eq!(git::head(world.workspace.path()).await, None);
        let (artifact, _) = world.packed().await.unwrap();
        let (content, time) = World::content(&artifact);
        assert_eq!(content, "REVISION\nartisan\nstorage\nstorage/logs");
        assert!(time > 1_700_000_000, "{time}");
    }

    #[tokio::test]
    async fn links_that_lead_out_are_refused_all_at_once() {
        let world = World::new(&["artisan", "public/index.php", "storage/app/public/x"]);
        world.link("public/storage", "../storage/app/public");
        world.link("dangling", "later/made");
        assert!(world.packed().await.is_ok());

        world.link("public/absolute", "/srv/shop/storage");
        world.link("public/up", "../../elsewhere");
        world.link("etc", "/etc");
        let failure = world.packed().await.unwrap_err();
        insta::assert_snapshot!(failure.line(), @"pack: links lead out of the workspace: etc -> /etc, public/absolute -> /srv/shop/storage, public/up -> ../../elsewhere");
        assert!(failure.hint.unwrap().contains("storage:link --relative"));
    }

    #[tokio::test]
    async fn an_empty_workspace_and_a_place_inside_of_it_are_refused() {
        let mut world = World::new(&[]);
        let failure = world.packed().await.unwrap_err();
        assert!(failure.message.starts_with("there are no files in"));
        fs::write(world.workspace.path().join("x"), "x").unwrap();
        world.to = tempfile::tempdir_in(world.workspace.path()).unwrap();
        let failure = world.packed().await.unwrap_err();
        assert!(failure.message.contains("would hold itself"), "{failure:?}");
    }
}

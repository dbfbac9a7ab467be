//! A release is made of exactly one commit, by steps that see nothing else and end when they are told.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use cutover_deploy::source::{self, Origin};
use cutover_deploy::{Artifact, CommitSha, Config, Event, Failure};
use insta::assert_snapshot;
use kit::{Repo, wait_for};
use tokio::sync::mpsc::unbounded_channel;
use tokio_util::sync::CancellationToken;

/// A repository, a place to build in, and a configuration.
struct Yard {
    repo: Repo,
    folder: tempfile::TempDir,
    config: Config,
    hidden: Vec<std::path::PathBuf>,
    authorization: Option<String>,
    url: Option<String>,
    cancel: CancellationToken,
}

struct Built {
    made: Result<Artifact, Failure>,
    events: Vec<Event>,
}

impl Yard {
    async fn new(build: &str) -> Self {
        let text = format!(
            "app = \"shop\"\nrepository = \"github:acme/shop\"\n[build]\n{build}\n[environments.production]\n\
             path = \"/srv/shop\"\n[[environments.production.hosts]]\nname = \"web1\"\naddress = \"deploy@web1\"\n"
        );
        Self {
            repo: Repo::with([("index.html", "one")]).await,
            folder: tempfile::Builder::new()
                .prefix("kit-yard-")
                .tempdir()
                .unwrap(),
            config: Config::parse("cutover.toml", &text)
                .unwrap_or_else(|problems| panic!("{problems}")),
            hidden: Vec::new(),
            authorization: None,
            url: None,
            cancel: CancellationToken::new(),
        }
    }

    fn origin(&self) -> Origin {
        Origin {
            url: self.url.clone().unwrap_or_else(|| self.repo.url()),
            authorization: self.authorization.clone(),
            work_dir: self.folder.path().join("work"),
            hidden: self.hidden.clone(),
        }
    }

    async fn build(&self, commit: &CommitSha) -> Built {
        let (sender, mut receiver) = unbounded_channel();
        let made = source::build(&self.config, commit, &self.origin(), &sender, &self.cancel).await;
        drop(sender);
        let mut events = Vec::new();
        while let Some(event) = receiver.recv().await {
            events.push(event);
        }
        Built { made, events }
    }

    async fn head(&self) -> Built {
        self.build(&self.repo.head().await).await
    }

    /// What a build left behind, beside the artifacts that it was asked for.
    fn left(&self) -> Vec<String> {
        let builds = std::fs::read_dir(self.folder.path().join("work/builds"))
            .into_iter()
            .flatten();
        builds
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect()
    }
}

impl Built {
    fn artifact(&self) -> &Artifact {
        self.made.as_ref().unwrap()
    }

    fn failure(&self) -> &Failure {
        self.made.as_ref().unwrap_err()
    }

    fn output(&self) -> String {
        let lines = self.events.iter().filter_map(|event| match event {
            Event::Line { text, .. } => Some(text.as_str()),
            _ => None,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    /// The entries of the artifact: mode, path, and where links lead to.
    fn listing(&self) -> BTreeMap<String, String> {
        let folder = self.unpack();
        let mut found = BTreeMap::new();
        list(folder.path(), folder.path(), &mut found);
        found
    }

    fn unpack(&self) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let mut tar = std::process::Command::new("tar");
        tar.arg("-xpzf")
            .arg(&self.artifact().file)
            .arg("-C")
            .arg(folder.path());
        assert!(tar.status().unwrap().success());
        // It only tells the time for all, and hosts write their own.
        std::fs::remove_file(folder.path().join("REVISION")).unwrap();
        folder
    }
}

fn list(base: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.strip_prefix(base).unwrap().display().to_string();
        let data = path.symlink_metadata().unwrap();
        if data.is_symlink() {
            found.insert(name, format!("-> {}", path.read_link().unwrap().display()));
        } else if data.is_dir() {
            list(base, &path, found);
        } else {
            found.insert(name, format!("{:o}", data.permissions().mode() & 0o777));
        }
    }
}

#[tokio::test]
async fn the_exact_commit_is_built_and_not_the_head_of_the_branch() {
    let yard = Yard::new("").await;
    let first = yard.repo.head().await;
    yard.repo.commit("two", [("index.html", "two")]).await;
    yard.repo.push("main").await;
    let built = yard.build(&first).await;
    let folder = built.unpack();
    assert_eq!(
        std::fs::read_to_string(folder.path().join("index.html")).unwrap(),
        "one"
    );
    assert_eq!(built.artifact().commit, first);
    assert!(!folder.path().join(".git").exists());
}

#[tokio::test]
async fn a_commit_that_was_pushed_over_is_still_built_and_an_unknown_one_is_told() {
    let yard = Yard::new("").await;
    let first = yard.repo.head().await;
    let lost = yard
        .repo
        .commit("never pushed", [("index.html", "lost")])
        .await;
    let built = yard.build(&lost).await;
    assert_snapshot!(built.failure().message.replace(&yard.repo.url(), "<origin>").replace(lost.as_str(), "<commit>"), @"commit <commit> is on no branch or tag of <origin>");
    assert_snapshot!(built.failure().hint.clone().unwrap(), @"It may have been pushed over. Deploy the branch's newest commit instead.");
    assert!(yard.build(&first).await.made.is_ok());
}

#[tokio::test]
async fn the_same_commit_gives_the_same_bytes() {
    let build = "steps = [\"mkdir out; for n in 3 1 2; do echo $n >out/$n; done\"]";
    let (one, two) = (Yard::new(build).await, Yard::new(build).await);
    let (one_built, two_built) = (one.head().await, two.head().await);
    assert_eq!(one_built.artifact().digest, two_built.artifact().digest);
    assert_eq!(one_built.artifact().files, 4);
    let again = one.head().await;
    assert_eq!(one_built.artifact().digest, again.artifact().digest);
}

#[tokio::test]
async fn modes_and_links_are_kept_and_what_is_excluded_is_left_out() {
    let yard = Yard::new("exclude = [\"tests\", \"a/b\", \"node_modules\"]\nsteps = [\"mkdir -p node_modules/x; echo y >node_modules/x/y\"]").await;
    let work = yard.repo.work();
    for (path, text) in [
        ("tests/one", ""),
        ("a/b", ""),
        ("a/c", ""),
        ("c/a/b", ""),
        ("c/tests/two", ""),
        ("run", "#!/bin/sh\n"),
    ] {
        std::fs::create_dir_all(work.join(path).parent().unwrap()).unwrap();
        std::fs::write(work.join(path), text).unwrap();
    }
    std::fs::set_permissions(work.join("run"), std::fs::Permissions::from_mode(0o755)).unwrap();
    std::os::unix::fs::symlink("a/c", work.join("inside")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", work.join("outside")).unwrap();
    std::os::unix::fs::symlink("../../..", work.join("up")).unwrap();
    yard.repo.commit::<&str, &str>("more", []).await;
    yard.repo.push("main").await;
    let listing = yard.head().await.listing();
    let lines: Vec<_> = listing
        .iter()
        .map(|(path, mode)| format!("{path} {mode}"))
        .collect();
    assert_snapshot!(lines.join("\n"), @"
    a/c 644
    c/a/b 644
    index.html 644
    inside -> a/c
    outside -> /etc/passwd
    run 755
    up -> ../../..
    ");
}

#[tokio::test]
async fn steps_see_a_cleared_environment_and_the_variables_that_are_given() {
    let yard = Yard::new("steps = [\"env | cut -d = -f 1 | sort | tr '\\\\n' ' '; echo; echo $ODD\"]\nenv = { ODD = \"it's $(id) ☃\" }").await;
    // What runs these tests has variables of its own, CARGO among them.
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
    let built = yard.head().await;
    assert_snapshot!(built.output(), @"
    CI COMPOSER_HOME COMPOSER_NO_INTERACTION CUTOVER_COMMIT HOME LC_ALL ODD PATH PWD
    it's $(id) ☃
    ");
}

#[tokio::test]
async fn the_sandbox_hides_what_is_not_the_builds() {
    let mut yard = Yard::new(
        "sandbox = \"require\"\nsteps = [\"for f in /etc/shadow $SECRET $HIDDEN/key /root /home /var/lib; do if cat $f >/dev/null 2>&1 || ls $f/* >/dev/null 2>&1; then echo sees $f; fi; done; echo here >built; touch /usr/x 2>/dev/null && echo writes /usr; ls /proc | grep -c '^[0-9]'\"]",
    )
    .await;
    let secret = yard.folder.path().join("secret");
    std::fs::write(&secret, "token").unwrap();
    let hidden = tempfile::Builder::new()
        .prefix("kit-hidden-")
        .tempdir_in("/opt")
        .or_else(|_| tempfile::tempdir())
        .unwrap();
    std::fs::write(hidden.path().join("key"), "key").unwrap();
    yard.hidden = vec![hidden.path().to_owned()];
    let variables = [("SECRET", &secret), ("HIDDEN", &hidden.path().to_owned())];
    yard.config.build.env = variables
        .iter()
        .map(|(name, path)| ((*name).to_owned(), path.display().to_string()))
        .collect();
    let built = yard.head().await;
    let output = built.output();
    let mut lines = output.lines();
    let processes: u32 = lines
        .next_back()
        .unwrap()
        .parse()
        .unwrap_or_else(|_| panic!("{output} {:?}", built.made));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        [""; 0],
        "what it should not see or do"
    );
    assert!(processes < 12, "it sees {processes} processes");
    assert!(built.listing().contains_key("built"));
}

#[tokio::test]
async fn a_build_that_takes_too_long_ends_with_all_that_it_started() {
    for sandbox in ["auto", "off"] {
        let marker = format!("600.{}", std::process::id());
        let yard = Yard::new(&format!(
            "sandbox = \"{sandbox}\"\ntimeout = \"2s\"\nsteps = [\"sleep {marker} & sleep {marker}\"]"
        ))
        .await;
        let built = yard.head().await;
        assert_eq!(built.failure().message, "not done after 2 s");
        gone(&marker).await;
        assert_eq!(yard.left(), [""; 0]);
    }
}

#[tokio::test]
async fn a_build_that_is_called_off_ends_with_all_that_it_started() {
    let marker = format!("601.{}", std::process::id());
    let yard = Yard::new(&format!("steps = [\"sleep {marker} & sleep {marker}\"]")).await;
    let cancel = yard.cancel.clone();
    let begun = async {
        running(&marker).await;
        cancel.cancel();
    };
    let (built, ()) = tokio::join!(yard.head(), begun);
    assert_eq!(built.failure().message, "called off");
    gone(&marker).await;
    assert_eq!(yard.left(), [""; 0]);
}

#[tokio::test]
async fn what_a_step_leaves_in_the_background_ends_with_it() {
    let marker = format!("602.{}", std::process::id());
    let yard = Yard::new(&format!("steps = [\"sleep {marker} & echo done\"]")).await;
    assert_eq!(yard.head().await.output(), "done");
    gone(&marker).await;
}

fn processes(marker: &str) -> Vec<String> {
    let all = std::fs::read_dir("/proc").unwrap().flatten();
    let lines = all.filter_map(|entry| std::fs::read_to_string(entry.path().join("cmdline")).ok());
    lines
        .filter(|line| line.starts_with("sleep") && line.contains(marker))
        .collect()
}

async fn running(marker: &str) {
    wait_for("the build to run", Duration::from_secs(20), async || {
        if processes(marker).len() == 2 {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    })
    .await;
}

async fn gone(marker: &str) {
    wait_for(
        "the build to be gone",
        Duration::from_secs(10),
        async || {
            let left = processes(marker);
            if left.is_empty() {
                Ok(())
            } else {
                Err(left.join("\n"))
            }
        },
    )
    .await;
}

#[tokio::test]
async fn output_of_a_build_has_its_limits() {
    let yard = Yard::new("steps = [\"head -c 3000000 /dev/zero | tr '\\\\0' x; echo; seq 30000; printf '\\\\033[1mbold\\\\377\\\\n'; exit 4\"]").await;
    let built = yard.head().await;
    let lines = built.output();
    assert!(lines.lines().all(|line| line.len() <= 4096));
    assert!(lines.lines().count() <= 20_001, "{}", lines.lines().count());
    assert!(lines.ends_with("(the log is full; what follows is left out)"));
    assert_eq!(
        built.failure().message,
        "exit 4: 29998 / 29999 / 30000 / bold\u{fffd}"
    );
}

#[tokio::test]
async fn a_file_beyond_the_limit_fails_the_build_and_is_told() {
    // Sparse, so it costs nothing to try.
    let yard = Yard::new("steps = [\"truncate -s 3G huge\"]").await;
    let built = yard.head().await;
    let failure = built.failure();
    assert!(failure.step.starts_with("build: truncate"), "{failure:?}");
    assert!(
        failure.message.contains("exit") && yard.left().is_empty(),
        "{failure:?}"
    );
}

#[tokio::test]
async fn a_token_reaches_git_by_its_environment_only() {
    let mut yard = Yard::new("").await;
    let commit = yard.repo.head().await;
    // Nobody ever answers here, so that git can be looked at while it asks.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    yard.url = Some(format!("https://127.0.0.1:{port}/acme/shop.git"));
    yard.authorization = Some("Basic c2VjcmV0LXRva2Vu".to_owned());
    let looking = async {
        let (line, _) = listener.accept().await.unwrap();
        let mut seen = 0;
        for entry in std::fs::read_dir("/proc").unwrap().flatten() {
            let read =
                |file: &str| std::fs::read_to_string(entry.path().join(file)).unwrap_or_default();
            let command = read("cmdline");
            if command.contains(&port.to_string()) && command.contains("git") {
                assert!(!command.contains("c2VjcmV0"), "{command}");
                seen += usize::from(read("environ").contains("c2VjcmV0"));
            }
        }
        assert!(seen >= 1, "git was not seen");
        drop(line);
        drop(listener);
    };
    let (built, ()) = tokio::join!(yard.build(&commit), looking);
    let failure = format!("{:?} {:?}", built.failure(), built.events);
    assert!(!failure.contains("c2VjcmV0"), "{failure}");
    assert!(!format!("{:?}", yard.origin()).contains("c2VjcmV0"));
}

#[tokio::test]
async fn submodules_are_left_alone() {
    let yard = Yard::new("").await;
    let other = Repo::with([("file", "text")]).await;
    let add = [
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        &other.url(),
        "sub",
    ];
    yard.repo.git(&add).await;
    yard.repo.commit::<&str, &str>("with a submodule", []).await;
    yard.repo.push("main").await;
    let listing = yard.head().await.listing();
    assert!(
        !listing.keys().any(|path| path.starts_with("sub/")),
        "{listing:?}"
    );
}

//! Values and output of other people: nothing of them becomes shell text, a mark, or a surprise in a terminal.

use cutover_deploy::{DeploymentId, Event, Kind};
use insta::assert_snapshot;

use super::scene::{Plot, Scene};

async fn with_prepare(lines: &[&str]) -> Scene {
    let lines: Vec<String> = lines.iter().map(|line| toml(line)).collect();
    let steps = format!("prepare = [\"sh prepare.sh\", {}]", lines.join(", "));
    Scene::of(
        1,
        Plot {
            steps,
            ..Plot::default()
        },
    )
    .await
}

/// A text as TOML has it.
fn toml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[tokio::test]
async fn a_step_that_prints_marks_of_its_own_is_not_believed() {
    let scene = with_prepare(&[
        "printf '\\n\\036000000000000000000000000 end 0 swap\\n\\036x fenced 9\\n\\036x status 0\\n'; exit 7",
    ])
    .await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.story(), @r"
    plan: nothing to r1
    == stage
    web1 bring: ok
    web1 mark staging: ok
    web1 unpack: ok
    web1 link shared: ok
    web1 prepare: sh prepare.sh: ok
    web1 | 000000000000000000000000 end 0 swap
    web1 | x fenced 9
    web1 | x status 0
    web1 prepare: printf '\n\036000000000000000000000000 end 0 swap\…: exit 7
    web1 note: prepare: printf '\n\036000000000000000000000000 end 0 swap\… on web1: exit 7: 000000000000000000000000 end 0 swap / x fenced 9 / x status 0
    == abandon
    web1 clean: ok
    web1 mark failed: ok
    ");
    assert_snapshot!(scene.picture().await, @"
    releases/1/
    shared/.env
    shared/storage/
    .cutover/fence 1
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json failed
    ");
    scene.close().await;
}

#[tokio::test]
async fn a_worker_that_is_only_said_to_be_proven_is_not() {
    let scene = with_prepare(&["echo proven app:0 1 20260101T000000Z-0000000"]).await;
    let told = scene.deploy(&[]).await;
    assert!(
        !told
            .events
            .iter()
            .any(|event| matches!(event, Event::WorkerProven { .. }))
    );
    assert_eq!(told.exit(), 0);
    scene.close().await;
}

#[tokio::test]
async fn ten_megabytes_in_one_line_are_told_in_parts_and_end() {
    let scene = with_prepare(&["head -c 10000000 /dev/zero | tr '\\0' x; echo; echo after"]).await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 0, "{}", told.outcome());
    let output = told.output();
    assert!(output.iter().all(|line| line.chars().count() <= 4096));
    let count: usize = output
        .iter()
        .filter(|line| line.starts_with('x'))
        .map(|line| line.len())
        .sum();
    assert_eq!(count, 10_000_000);
    assert!(output.contains(&"after"));
    scene.close().await;
}

#[tokio::test]
async fn lines_without_end_are_left_out_at_some_point() {
    let scene = with_prepare(&["seq 50000"]).await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 0, "{}", told.outcome());
    assert!(
        told.output().len() <= 20_001,
        "{} lines",
        told.output().len()
    );
    assert!(
        told.output()
            .contains(&"(the log is full; what follows is left out)")
    );
    scene.close().await;
}

#[tokio::test]
async fn binary_output_and_terminal_codes_become_plain_text() {
    let scene = with_prepare(&[
        "printf '\\033[31mred\\033[0m \\033]0;owned\\007title\\007 \\377\\376 10%%\\r100%% done\\n'; head -c 2000 /bin/sh; echo; exit 3",
    ])
    .await;
    let told = scene.deploy(&[]).await;
    let odd = |text: &str| text.chars().any(|c| c.is_control() && c != '\t');
    for event in &told.events {
        if let Event::Line { text, .. } = event {
            assert!(!odd(text), "{text:?}");
        }
    }
    let failure = told.outcome.failure().unwrap();
    assert!(!odd(&failure.message), "{failure:?}");
    assert!(told.output().contains(&"100% done"));
    scene.close().await;
}

#[tokio::test]
async fn quotes_substitutions_and_line_ends_in_a_step_are_the_steps_own() {
    let scene = with_prepare(&[
        "echo \"it's $(echo one)\" '$(touch pwned)' \"`echo two`\"",
        "-n; echo still",
        "\necho first\necho second # no end",
        "printf '%s\\n' \"$CUTOVER_ENVIRONMENT $CUTOVER_HOST $CUTOVER_DEPLOYMENT\"; printf '%s %s\\n' \"$0\" \"$#\"",
        "echo ünïcödé ☃ '日本'",
    ])
    .await;
    let told = scene.deploy(&[]).await;
    // The second is no program, and nothing else is wrong with it.
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.story(), @r#"
    plan: nothing to r1
    == stage
    web1 bring: ok
    web1 mark staging: ok
    web1 unpack: ok
    web1 link shared: ok
    web1 prepare: sh prepare.sh: ok
    web1 | it's one $(touch pwned) two
    web1 prepare: echo "it's $(echo one)" '$(touch pwned)' "`echo tw…: ok
    web1 | sh: 1: -n: not found
    web1 prepare: -n; echo still: exit 127
    web1 note: prepare: -n; echo still on web1: exit 127: sh: 1: -n: not found
    == abandon
    web1 clean: ok
    web1 mark failed: ok
    "#);
    assert_eq!(scene.host().sh("find . -name pwned").await, "");
    scene.close().await;
}

#[tokio::test]
async fn the_whole_steps_run_when_each_is_right() {
    let scene = with_prepare(&[
        "\necho first\necho second # no end",
        "printf '%s\\n' \"$CUTOVER_ENVIRONMENT $CUTOVER_HOST $CUTOVER_DEPLOYMENT\"",
        "test \"$(cat REVISION | head -1)\" = \"$CUTOVER_COMMIT\"",
        "test \"$PWD\" = \"$CUTOVER_RELEASE_PATH\" && echo ünïcödé ☃ '日本'",
    ])
    .await;
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 0, "{}", told.story());
    assert_snapshot!(told.story(), @r#"
    plan: nothing to r1
    == stage
    web1 bring: ok
    web1 mark staging: ok
    web1 unpack: ok
    web1 link shared: ok
    web1 prepare: sh prepare.sh: ok
    web1 | first
    web1 | second
    web1 prepare: echo first: ok
    web1 | production web1 d1
    web1 prepare: printf '%s\n' "$CUTOVER_ENVIRONMENT $CUTOVER_HOST …: ok
    web1 prepare: test "$(cat REVISION | head -1)" = "$CUTOVER_COMMI…: ok
    web1 | ünïcödé ☃ 日本
    web1 prepare: test "$PWD" = "$CUTOVER_RELEASE_PATH" && echo ünïc…: ok
    web1 mark ready: ok
    == switch
    web1 mark live: ok
    web1 | current -> releases/r1
    web1 swap: ok
    == health
    web1 health 1 of 2: HTTP 200
    == keep
    web1 mark healthy: ok
    web1 prune: ok
    "#);
    scene.close().await;
}

#[tokio::test]
async fn names_of_shared_paths_and_files_are_only_names() {
    let mut scene = Scene::plain().await;
    let odd = [
        "$(touch pwned)",
        "it's \"quoted\"",
        "ünï cödé ☃",
        "-rf",
        "a b/c;d",
    ];
    let dirs: Vec<String> = odd.iter().map(|dir| toml(dir)).collect();
    let text = scene.text.replace(
        "dirs = [\"storage\"]",
        &format!("dirs = [{}]", dirs.join(", ")),
    );
    match cutover_deploy::Config::parse("cutover.toml", &text) {
        Ok(config) => scene.config = config,
        // Some are no paths at all for the configuration; the others are tried.
        Err(problems) => {
            let text = problems.to_string();
            let good: Vec<String> = odd
                .iter()
                .filter(|dir| !text.contains(*dir))
                .map(|dir| toml(dir))
                .collect();
            assert!(good.len() >= 2, "{text}");
            let dirs = format!("dirs = [{}]", good.join(", "));
            let text = scene.text.replace("dirs = [\"storage\"]", &dirs);
            scene.config = cutover_deploy::Config::parse("cutover.toml", &text).unwrap();
        }
    }
    let told = scene
        .deploy(&[("ünï cödé.txt", "x"), ("$(id)", "y"), ("-n", "z")])
        .await;
    assert_eq!(told.exit(), 0, "{}", told.outcome());
    assert_eq!(scene.host().sh("find . -name pwned").await, "");
    assert_eq!(scene.host().read("current/$(id)").as_deref(), Some("y"));
    assert_eq!(scene.host().read("current/-n").as_deref(), Some("z"));
    for dir in &scene.config.shared.dirs {
        let link = std::fs::read_link(scene.host().path().join("current").join(dir)).unwrap();
        assert_eq!(link, scene.host().path().join("shared").join(dir));
    }
    scene.close().await;
}

#[tokio::test]
async fn actors_and_addresses_reach_hosts_as_values() {
    let scene = Scene::plain().await;
    let commit = scene.commit(&[]).await;
    let mut request = scene.request(Kind::Deploy { commit });
    request.actor = "$(touch pwned)'; \"quoted\"\n\u{1b}[31m{\"state\":\"healthy\"}".to_owned();
    request.run_url = Some("https://example.com/?a=`id`&b='\n".to_owned());
    request.deployment = DeploymentId::parse("D-1").unwrap();
    assert_eq!(scene.run(&request).await.exit(), 0);
    assert_eq!(scene.host().sh("find . -name pwned").await, "");
    // What was kept of it reads back whole.
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    assert_eq!(scene.rollback().await.exit(), 0);
    let journal = scene.host().read(".cutover/log.jsonl").unwrap();
    let first: serde_json::Value = serde_json::from_str(journal.lines().next().unwrap()).unwrap();
    assert_eq!(first["actor"], request.actor.as_str());
    scene.close().await;
}

#[tokio::test]
async fn a_link_out_of_the_release_leads_to_nothing_that_is_touched() {
    let scene = Scene::plain().await;
    scene.deploy(&[]).await;
    let precious = scene.host().path().join("precious");
    std::fs::create_dir_all(precious.join("inner")).unwrap();
    std::fs::write(precious.join("inner/file"), "precious").unwrap();
    let work = scene.repo.work();
    // The folder of a shared path, and the file that is written, are links out of the release.
    std::os::unix::fs::symlink(&precious, work.join("storage")).unwrap();
    std::os::unix::fs::symlink(precious.join("inner/file"), work.join("REVISION")).unwrap();
    std::os::unix::fs::symlink("/etc/shadow", work.join("shadow")).unwrap();
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 0, "{}", told.outcome());
    assert_eq!(
        std::fs::read_to_string(precious.join("inner/file")).unwrap(),
        "precious"
    );
    let link = std::fs::read_link(scene.host().path().join("current/shadow")).unwrap();
    assert_eq!(link, std::path::Path::new("/etc/shadow"));

    let dirs = "dirs = [\"storage\", \"linked/inner\"]";
    let text = scene.text.replace("dirs = [\"storage\"]", dirs);
    let mut scene = scene;
    scene.config = cutover_deploy::Config::parse("cutover.toml", &text).unwrap();
    std::os::unix::fs::symlink(&precious, work.join("linked")).unwrap();
    let told = scene.deploy(&[]).await;
    assert_eq!(told.exit(), 1);
    assert_snapshot!(told.outcome(), @"
    failed: what was live still is
      link shared on web1: exit 65: the folder of linked/inner is a link out of the release
      Take that link out of the repository, or the path out of `[shared]`.
    ");
    assert_eq!(
        std::fs::read_to_string(precious.join("inner/file")).unwrap(),
        "precious"
    );
    scene.host().sh("rm -r precious").await;
    scene.close().await;
}

#[tokio::test]
async fn a_branch_by_any_name_is_a_name() {
    let scene = Scene::plain().await;
    let commit = scene.repo.head().await;
    for branch in ["feature/$(id)", "it's", "ünï☃", "a;b&c|d"] {
        scene.repo.push(branch).await;
        let resolved = cutover_deploy::source::resolve(branch, &scene.origin()).await;
        assert_eq!(resolved.unwrap(), commit, "{branch}");
    }
    for name in [
        "--upload-pack=touch pwned",
        "-n",
        "main;id",
        "main..main",
        "",
        "nobody",
        "main\nx",
    ] {
        let failure = cutover_deploy::source::resolve(name, &scene.origin())
            .await
            .unwrap_err();
        assert!(
            failure.message.contains("there is no branch"),
            "{name:?} {failure:?}"
        );
    }
    scene.close().await;
}

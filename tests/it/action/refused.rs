//! What a step refuses before it changes anything, and how it says so.

use std::fs;

use tokio::process::Command;

use super::{Job, program};

#[tokio::test]
async fn every_bad_input_is_named_at_once() {
    let mut job = Job::start().await;
    job.inputs.clear();
    job.input("command", "destroy");
    let config = job.repo.work().join("cutover.toml");
    let text = fs::read_to_string(&config).unwrap();
    fs::write(&config, text.replace("attempts = 2", "attemps = 2")).unwrap();
    let ended = job.step().await;
    assert_eq!(ended.code(), 2, "{}", ended.log);
    insta::assert_snapshot!(ended.errors().join("\n"), @r#"
    error title=input command::`command` is "destroy", which is no command%0AWrite `command: deploy`, `command: rollback`, `command: plan` or `command: check`.
    error title=input ssh-key::`ssh-key` is missing%0AMake one by `ssh-keygen -t ed25519 -N '' -f deploy_key`, keep the text of the file deploy_key as a secret of the repository, and write `ssh-key: ${{ secrets.DEPLOY_KEY }}`. A run from a fork gets no secrets.
    error title=input known-hosts::`known-hosts` is missing%0AWrite what `ssh-keyscan web1.example.com` prints (`-p PORT` for another port), after you have compared it with what `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` says on the host.
    error file=cutover.toml,line=17,col=1,title=cutover.toml::environments.production.health.attemps: unknown key%0Adid you mean `attempts`?
    error title=input environment::`environment` is missing%0AWrite the name of an environment of cutover.toml: `environment: production`.
    "#);
    assert!(ended.summary.starts_with("### cutover did not begin\n"));
    assert_eq!(
        ended.summary.matches("\n- ").count(),
        5,
        "{}",
        ended.summary
    );
    assert!(ended.outputs.is_empty());
    assert_eq!(job.host.connections(), 0);
    job.close().await;
}

#[tokio::test]
async fn a_key_that_ssh_cannot_use_is_told_before_any_connection() {
    let mut job = Job::start().await;
    let locked = job.runner.path().join("locked");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "secret", "-f"])
        .arg(&locked)
        .status()
        .await
        .unwrap();
    assert!(made.success());
    let good = job.inputs["ssh-key"].clone();
    job.input("ssh-key", &fs::read_to_string(locked).unwrap());
    let ended = job.step().await;
    assert_eq!(ended.code(), 2, "{}", ended.log);
    assert!(ended.errors()[0].contains("passphrase"), "{}", ended.log);

    let mut lines: Vec<&str> = good.lines().collect();
    lines.remove(2);
    job.input("ssh-key", &lines.join("\n"));
    let ended = job.step().await;
    assert_eq!(ended.code(), 2, "{}", ended.log);
    let told = &ended.errors()[0];
    assert!(
        told.contains("not a key that ssh can read"),
        "{}",
        ended.log
    );
    assert_eq!(job.host.connections(), 0);

    // As copied from a browser: other line ends, and none at the end.
    job.input("ssh-key", good.trim_end().replace('\n', "\r\n").as_str());
    assert_eq!(job.step().await.output("outcome"), "deployed");
    job.close().await;
}

#[tokio::test]
async fn a_key_that_no_host_lets_in_is_told_with_what_to_do() {
    let mut job = Job::start().await;
    let other = job.runner.path().join("other");
    let mut keygen = Command::new("ssh-keygen");
    keygen.args(["-q", "-t", "ed25519", "-N", "", "-f"]);
    assert!(keygen.arg(&other).status().await.unwrap().success());
    job.input("ssh-key", &fs::read_to_string(other).unwrap());
    let ended = job.step().await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (2, "refused"),
        "{}",
        ended.log
    );
    let told = ended.errors().join("\n");
    assert!(told.contains("the host does not take the key"), "{told}");
    let hint = "Add the public key of the deploy key to `~/.ssh/authorized_keys`";
    assert!(told.contains(hint), "{told}");
    job.close().await;
}

#[tokio::test]
async fn a_host_whose_key_is_not_pinned_is_never_spoken_to() {
    let mut job = Job::start().await;
    job.host.change_host_key().await;
    let mut pin = String::new();
    for (command, code) in [("deploy", 2), ("check", 2)] {
        job.input("command", command);
        let ended = job.step().await;
        assert_eq!(ended.code(), code, "{}", ended.log);
        assert_eq!(ended.output("outcome"), "refused");
        let errors = ended.errors();
        assert_eq!(errors.len(), 1, "{}", ended.log);
        let (told, line) = errors[0].rsplit_once("%0A").unwrap();
        assert!(
            told.contains("host key is not a pinned one") && told.contains("It offers SHA256:"),
            "{}",
            ended.log
        );
        pin = line.to_owned();
    }
    // The line is whole: it is all that is missing.
    job.input("known-hosts", &pin);
    assert_eq!(job.step().await.output("outcome"), "ready");
    job.close().await;
}

#[tokio::test]
async fn a_check_tells_everything_that_is_to_be_mended_and_changes_nothing() {
    let mut job = Job::start().await;
    job.input("command", "check");
    let before = job.host.picture().await;
    let ended = job.step().await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (0, "ready"),
        "{}",
        ended.log
    );
    assert!(
        ended.log.contains("production: ready to deploy to"),
        "{}",
        ended.log
    );

    job.host.sh("rm shared/.env; mkdir current").await;
    let ended = job.step().await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (2, "refused"),
        "{}",
        ended.log
    );
    assert_eq!(ended.errors().len(), 2, "{}", ended.log);
    job.host.sh("rmdir current; printf x >shared/.env").await;
    assert_eq!(job.host.picture().await, before);
    job.close().await;
}

#[tokio::test]
async fn a_link_out_of_the_workspace_is_refused_and_nothing_becomes_live() {
    let job = Job::start().await;
    std::os::unix::fs::symlink("/etc/passwd", job.repo.work().join("users")).unwrap();
    // Without the launcher it is the same program.
    let mut step = job.command(&program("cutover-action"));
    let ended = job.ended(step.spawn().unwrap()).await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (1, "failed"),
        "{}",
        ended.log
    );
    insta::assert_snapshot!(ended.errors().join("\n"), @"error title=production%3A failed::pack: links lead out of the workspace: users -> /etc/passwd%0AOn a host there is nothing behind such a link. Make it relative (Laravel: `php artisan storage:link --relative`), leave it out by `build.exclude`, or make it on the host in `steps.prepare`.");
    assert_eq!(job.host.connections(), 0);
    job.close().await;
}

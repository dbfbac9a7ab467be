//! What GitHub gets to know, and what happens when it does not want to; and what a plan tells.

use kit::github::{GitHub, Level, Trouble};

use super::Job;

const REPOSITORY: &str = "acme/shop";

/// A job whose GitHub knows the commit, with a token that may do these things.
async fn start(permissions: &[(&str, Level)]) -> (Job, GitHub) {
    let mut job = Job::start().await;
    let github = GitHub::start().await;
    github.add_repo(REPOSITORY, &job.repo.url());
    github.commit(REPOSITORY, "main", job.repo.head().await.as_str());
    job.variables.insert("GITHUB_API_URL", github.base_url());
    let token = github.token_with(permissions);
    job.input("token", &token);
    (job, github)
}

const RIGHT: [(&str, Level); 2] = [("contents", Level::Read), ("deployments", Level::Write)];

#[tokio::test]
async fn a_rollback_is_entered_with_the_commit_that_becomes_live() {
    let (mut job, github) = start(&RIGHT).await;
    let first = job.step().await;
    let next = job.repo.commit("two", [("index.html", "two")]).await;
    github.commit(REPOSITORY, "main", next.as_str());
    let second = job.step().await;
    job.input("command", "rollback");
    let back = job.step().await;
    assert_eq!(back.output("outcome"), "deployed", "{}", back.log);
    assert!(!back.log.contains("::warning"), "{}", back.log);
    let name = |text: String, id: &str, to: &str| text.replace(id, to);
    let picture = name(github.picture(REPOSITORY), first.output("release"), "r1");
    let picture = name(picture, second.output("release"), "r2");
    insta::assert_snapshot!(picture, @r#"
    acme/shop
      deployment 1 production <commit 1> is-production "deployed by alice"
        in_progress "deploying to production" https://shop.example.com https://github.com/acme/shop/actions/runs/42
        success "r1 is live on production" https://shop.example.com https://github.com/acme/shop/actions/runs/42
        inactive "no longer live"
      deployment 2 production <commit 2> is-production "deployed by alice"
        in_progress "deploying to production" https://shop.example.com https://github.com/acme/shop/actions/runs/42
        success "r2 is live on production" https://shop.example.com https://github.com/acme/shop/actions/runs/42
        inactive "no longer live"
      deployment 3 production <commit 1> is-production "rolled back by alice"
        in_progress "deploying to production" https://shop.example.com https://github.com/acme/shop/actions/runs/42
        success "r1 is live on production" https://shop.example.com https://github.com/acme/shop/actions/runs/42
    "#);
    github.close();
    job.close().await;
}

#[tokio::test]
async fn a_token_that_may_not_costs_a_warning_that_names_the_permissions() {
    let (mut job, github) = start(&[("contents", Level::Read)]).await;
    let token = job.inputs["token"].clone();
    let ended = job.step().await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (0, "deployed"),
        "{}",
        ended.log
    );
    let mut warnings = ended.commands();
    warnings.retain(|command| command.starts_with("warning"));
    insta::assert_snapshot!(warnings.join("\n"), @"warning title=cutover::GitHub does not let this job enter a deployment (GitHub answered 403: Resource not accessible by personal access token). It needs in the workflow:%0Apermissions:%0A  contents: read%0A  deployments: write");
    assert_eq!(github.take_unexpected().len(), 1);
    assert!(!ended.log.contains(&token), "{}", ended.log);

    job.input("token", "");
    let ended = job.step().await;
    assert_eq!(ended.code(), 0, "{}", ended.log);
    assert!(
        ended.log.contains("GitHub is not told of this deployment"),
        "{}",
        ended.log
    );
    assert!(ended.log.contains("  deployments: write"), "{}", ended.log);
    github.close();
    job.close().await;
}

#[tokio::test]
async fn a_github_in_trouble_stops_no_deployment() {
    let (job, github) = start(&RIGHT).await;
    github.go_down();
    let ended = job.step().await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (0, "deployed"),
        "{}",
        ended.log
    );
    assert!(
        ended
            .log
            .contains("::warning title=cutover::GitHub was not told all"),
        "{}",
        ended.log
    );
    github.come_back();

    // The end is told again until it is heard.
    github.answer_next_to("/statuses", 2, Trouble::Fails(502));
    let ended = job.step().await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (0, "unchanged"),
        "{}",
        ended.log
    );
    assert_eq!(github.troubles_left(), 0);
    let told = github.deployments(REPOSITORY);
    let states: Vec<_> = told[0]
        .statuses
        .iter()
        .map(|status| status.state.as_str())
        .collect();
    assert_eq!(states, ["in_progress", "success"]);
    github.close();
    job.close().await;
}

#[tokio::test]
async fn an_end_is_told_also_when_the_beginning_was_not_heard() {
    let (job, github) = start(&RIGHT).await;
    github.answer_next_to("/statuses", 1, Trouble::Fails(422));
    let ended = job.step().await;
    assert_eq!(ended.output("outcome"), "deployed", "{}", ended.log);
    let told = github.deployments(REPOSITORY);
    let states: Vec<_> = told[0]
        .statuses
        .iter()
        .map(|status| status.state.as_str())
        .collect();
    assert_eq!(states, ["success"], "{}", ended.log);
    let warning = "::warning title=cutover::GitHub was not told all";
    assert!(ended.log.contains(warning), "{}", ended.log);
    github.close();
    job.close().await;
}

#[tokio::test]
async fn a_plan_tells_every_step_and_changes_nothing() {
    let (mut job, github) = start(&RIGHT).await;
    let first = job.step().await;
    job.repo.commit("two", [("index.html", "two")]).await;
    let before = job.host.picture().await;
    let requests = github.requests().len();
    job.input("command", "plan");
    let ended = job.step().await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (0, "planned"),
        "{}",
        ended.log
    );
    assert_eq!(ended.output("release"), first.output("release"));
    let planned = ended
        .log
        .lines()
        .find_map(|line| line.strip_prefix("make ")?.strip_suffix(" live"));
    let planned = planned.unwrap_or_else(|| panic!("{}", ended.log));
    let told = ended.summary.replace(planned, "r2");
    let told = told.replace(first.output("release"), "r1");
    // How many bytes there are depends on the day and the runner.
    let told = told
        .replace(|c: char| c.is_ascii_digit(), "N")
        .replace("NNN bytes", "N bytes");
    insta::assert_snapshot!(told, @"
    ### production: the plan

    - make rN live
    - stage on webN: bring, mark staging, unpack, link shared, prepare: echo ::error::of the app; echo '::set-output name=…, mark ready
    - switch on webN: mark live, swap from rN
    - health on webN: health
    - keep on webN: mark healthy, prune nothing
    - to bring: N bytes with N files, to each host
    ");
    assert_eq!(job.host.picture().await, before);
    assert_eq!(github.requests().len(), requests);

    job.host.sh("rm shared/.env").await;
    let ended = job.step().await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (2, "refused"),
        "{}",
        ended.log
    );
    assert_eq!(ended.errors().len(), 1, "{}", ended.log);
    github.close();
    job.close().await;
}

#[tokio::test]
async fn a_lock_of_a_shell_refuses_a_job_and_github_hears_whose_it_is() {
    let (job, github) = start(&RIGHT).await;
    let arguments = [
        "lock",
        "production",
        "--for",
        "2h",
        "--reason",
        "stocktaking",
    ];
    let locked = job.shell(&arguments).await;
    let ended = job.step().await;
    assert_eq!(
        (ended.code(), ended.output("outcome")),
        (4, "refused"),
        "{locked}\n{}",
        ended.log
    );
    let told = ended.errors().join("\n");
    assert!(
        told.contains("bob") && told.contains("stocktaking"),
        "{told}"
    );
    let entry = &github.deployments(REPOSITORY)[0];
    let end = entry.statuses.last().unwrap();
    assert_eq!(end.state, "error");
    assert!(end.description.contains("refused: "), "{}", end.description);

    job.shell(&["unlock", "production"]).await;
    let ended = job.step().await;
    assert_eq!(ended.output("outcome"), "deployed", "{}", ended.log);
    github.close();
    job.close().await;
}

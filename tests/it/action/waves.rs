//! A step that is killed while hosts become live one after another.

use std::fs;

use kit::{Host, HostOptions};

use super::Job;
use super::killed::kill;

/// Where the app lies on both hosts, and where it is asked for its health.
const PATH: &str = "/srv/shop";
const SITE: &str = "http://shop.test";

/// A job that deploys to two hosts, one after another.
async fn start() -> (Job, Host) {
    let mut job = Job::start().await;
    let second = Host::start(HostOptions::plain("web2")).await;
    second.admit(&job.host);
    second.write("shared/.env", "TOKEN=of-the-host");
    let own = format!("http://127.0.0.1:{}", job.port);
    for host in [&job.host, &second] {
        host.appears_as(PATH, &host.path().display().to_string());
        host.appears_as(SITE, &own);
    }
    let known = fs::read_to_string(second.known_hosts()).unwrap();
    let both = job.inputs["known-hosts"].clone() + &known;
    job.input("known-hosts", &both);
    let config = fs::read_to_string(job.repo.work().join("cutover.toml")).unwrap();
    let roles = ", roles = [\"web\"]";
    let added = format!(
        "{{ name = \"web2\", address = \"{}\"{roles} }}",
        second.address()
    );
    let several = format!("{roles} }}, {added}]\nstrategy = \"rolling\"");
    let config = config
        .replace(&job.host.path().display().to_string(), PATH)
        .replace(&own, SITE)
        .replace(" }]", &several);
    let file = ("cutover.toml", config.as_str());
    job.repo.commit("two hosts", [file]).await;
    (job, second)
}

#[tokio::test]
async fn no_wave_begins_after_the_step_was_killed_and_the_one_before_goes_back() {
    let (job, second) = start().await;
    let first = job.step().await;
    assert_eq!(first.code(), 0, "{}", first.log);
    let table = |text: &str, head: &str| text.lines().any(|line| line.trim_end().starts_with(head));
    assert!(table(&first.log, "host  stage "), "{}", first.log);
    assert!(
        table(&first.summary, "| host | stage | "),
        "{}",
        first.summary
    );
    job.repo.commit("two", [("index.html", "two")]).await;
    job.host.hold_at("health");
    let child = job.launcher("main.mjs").spawn().unwrap();
    job.host.reached("health").await;
    kill(&job, child).await;
    job.host.mend_step("health");
    let ended = job.ended(job.post().spawn().unwrap()).await;
    assert!(!ended.log.contains("wave 2 of 2"), "{}", ended.log);
    assert_eq!(
        (ended.output("outcome"), ended.output("release")),
        ("cancelled", first.output("release")),
        "{}",
        ended.log
    );
    let live = [&job.host, &second].map(|host| host.read("current/index.html"));
    assert_eq!(live.each_ref().map(Option::as_deref), [Some("one"); 2]);
    insta::assert_snapshot!(job.host.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json rolled-back
    .cutover/steps/<1>/
    .cutover/steps/<2>/
    ");
    insta::assert_snapshot!(second.picture().await, @"
    current -> releases/1
    releases/1/
    releases/2/
    shared/.env
    .cutover/fence 3
    .cutover/lock free
    .cutover/log.jsonl
    .cutover/releases/1.json healthy
    .cutover/releases/2.json failed
    .cutover/steps/<1>/
    .cutover/steps/<2>/
    ");
    second.close().await;
    job.close().await;
}

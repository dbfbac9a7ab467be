//! People look at the pages with a real browser: axe finds nothing against them, and they follow what goes on.

use std::path::Path;
use std::time::Duration;

use kit::{Browser, REPOSITORY, World, wait_for};

const PATIENCE: Duration = Duration::from_mins(1);
const PULL: u64 = 7;
/// How a page is looked at: colours and size.
const LOOKS: [(&str, &str); 4] = [
    ("light", "desktop"),
    ("dark", "desktop"),
    ("light", "phone"),
    ("dark", "phone"),
];

/// A world where one deployment went well and one was rolled back.
async fn world() -> World {
    let world = World::plain().await;
    world.github.set_role(REPOSITORY, "alice", "write");
    let head = world.repo.head().await;
    world
        .github
        .open_pull(REPOSITORY, PULL, "topic", head.as_str());
    world.push_file("index.html", "two\n").await;
    world.settled().await;
    world.push_file("ok", "false").await;
    world.settled().await;
    world
}

/// Pushes what is well again and stops it in the middle. The id of the deployment.
async fn running(world: &World) -> String {
    world.host.hold_at("unpack");
    world.push_file("ok", "true").await;
    world.host.reached("unpack").await;
    id_of(&world.production().await["running"])
}

fn id_of(deployment: &serde_json::Value) -> String {
    deployment["id"].as_str().expect("there is one").to_owned()
}

async fn say(world: &World, text: &str, held: bool) {
    let comment = world.github.comment(REPOSITORY, PULL, "alice", text);
    let reception = comment.send(&world.hook_url()).await.unwrap();
    assert_eq!(reception.status, 202, "{}", reception.body);
    wait_for(format!("{text} to be done"), PATIENCE, async || {
        let holds = &world.production().await["holds"];
        let is_held = holds.as_array().is_some_and(|holds| !holds.is_empty());
        (is_held == held).then_some(()).ok_or(holds.to_string())
    })
    .await;
}

/// Looks at a page in every way that people do; pictures go to the folder that the variable names, if any.
async fn look(browser: &mut Browser, who: &str, (name, path): (&str, &str), status: u64) {
    let pictures = std::env::var_os("CUTOVER_PICTURES");
    for way in LOOKS {
        assert_eq!(browser.open(who, path, way).await, status, "{path}");
        let complaints = browser.complaints(who).await;
        assert!(complaints.is_empty(), "{name} {way:?}: {complaints:#?}");
        if let Some(folder) = &pictures {
            let file = format!("{name}-{}-{}.png", way.1, way.0);
            browser.picture(who, Path::new(folder).join(file)).await;
        }
        let faults = browser.shown(who).await.faults;
        let expected = |fault: &String| status != 200 && fault.contains(&status.to_string());
        assert!(faults.iter().all(expected), "{name} {way:?}: {faults:#?}");
    }
}

#[tokio::test]
async fn axe_finds_nothing_against_any_page_in_light_and_dark_on_phone_and_desktop() {
    let world = world().await;
    let mut browser = Browser::start(&world.service().url());
    look(&mut browser, "guest", ("login", "/"), 401).await;
    look(&mut browser, "guest", ("missing", "/nowhere"), 404).await;
    browser.open("guest", "/login", LOOKS[0]).await;
    browser.login("guest", "not the token").await;
    browser.sees("guest", "not known here").await;
    let complaints = browser.complaints("guest").await;
    assert!(complaints.is_empty(), "wrong token: {complaints:#?}");

    let failed = id_of(&world.production().await["ended"][0]);
    let running = running(&world).await;
    say(
        &world,
        "/lock production --for 2h --reason stocktaking, <b>ask</b> alice",
        true,
    )
    .await;
    world.push_file("index.html", "three\n").await;
    browser.open("reader", "/login", LOOKS[0]).await;
    browser.login("reader", &world.service().token()).await;
    look(&mut browser, "reader", ("list", "/"), 200).await;
    let list = browser.shown("reader").await.text;
    for part in [
        "change the shop",
        "locked by alice: stocktaking, <b>ask</b> alice",
        "in 2 hours",
        "/unlock production in a comment",
        "running",
        "queued",
        "rolled back",
    ] {
        assert!(list.contains(part), "no {part} in\n{list}");
    }
    let place = "/environments/shop/production";
    look(&mut browser, "reader", ("environment", place), 200).await;
    let path = format!("/deployments/{running}");
    look(&mut browser, "reader", ("running", &path), 200).await;
    let path = format!("/deployments/{failed}");
    look(&mut browser, "reader", ("failed", &path), 200).await;

    world.host.mend_step("unpack");
    say(&world, "/unlock production", false).await;
    world.settled().await;
    look(&mut browser, "reader", ("idle", "/"), 200).await;
    browser.close().await;
    world.close().await;
}

#[tokio::test]
async fn an_open_page_shows_new_output_and_the_end_without_being_loaded_again() {
    let world = world().await;
    let id = running(&world).await;
    let path = format!("/deployments/{id}");
    let mut browser = Browser::start(&world.service().url());
    browser.open("alice", &path, LOOKS[0]).await;
    let url = browser.login("alice", &world.service().token()).await;
    assert!(
        url.ends_with(&path),
        "one is led to where one wanted: {url}"
    );
    browser.mark("alice").await;
    let before = browser.shown("alice").await;
    assert!(before.title.starts_with("running"), "{}", before.title);
    assert!(
        !before.text.contains("mark healthy on web1"),
        "{}",
        before.text
    );

    world.host.mend_step("unpack");
    browser.sees("alice", "Deployed after").await;
    let after = browser.shown("alice").await;
    assert!(after.marked, "the page was loaded again");
    assert!(after.faults.is_empty(), "{:?}", after.faults);
    assert!(after.title.starts_with("deployed · "), "{}", after.title);
    for step in ["swap on web1", "mark healthy on web1", "Live afterwards"] {
        assert!(after.text.contains(step), "no {step} in\n{}", after.text);
    }
    // What was followed and what is loaded are one and the same.
    let lines = |text: &str| -> Vec<String> {
        let log = text.split("\nLog\n").nth(1).unwrap_or_default();
        // What GitHub has not heard yet stands below it for a moment.
        let log = log.split("Reports to the forge").next().unwrap_or_default();
        let badge = |line: &str| line.trim().to_owned();
        log.lines()
            .map(badge)
            .filter(|line| !line.is_empty())
            .collect()
    };
    let followed: Vec<_> = lines(&after.text);
    browser.open("alice", &path, LOOKS[0]).await;
    let loaded = lines(&browser.shown("alice").await.text);
    let missing: Vec<_> = loaded
        .iter()
        .filter(|line| !followed.contains(line))
        .collect();
    assert!(missing.is_empty(), "{missing:#?} is not in {followed:#?}");
    browser.close().await;
    world.close().await;
}

#[tokio::test]
async fn without_a_script_a_page_is_whole_and_loads_itself_again() {
    let world = world().await;
    let id = running(&world).await;
    let mut browser = Browser::start(&world.service().url());
    browser
        .open_without_script("bob", &format!("/deployments/{id}"))
        .await;
    browser.login("bob", &world.service().token()).await;
    let before = browser.shown("bob").await;
    for part in [
        "running",
        "github push by alice",
        "fetch",
        "pack",
        "Log",
        "All of it as JSON",
    ] {
        assert!(before.text.contains(part), "no {part} in\n{}", before.text);
    }
    world.host.mend_step("unpack");
    browser.sees("bob", "Deployed after").await;
    browser.sees("bob", "mark healthy on web1").await;
    browser.close().await;
    world.close().await;
}

#[tokio::test]
async fn the_keyboard_reaches_every_link_and_skips_to_the_content() {
    let world = world().await;
    let mut browser = Browser::start(&world.service().url());
    browser.open("alice", "/", LOOKS[0]).await;
    browser.login("alice", &world.service().token()).await;
    let (reached, links) = browser.press("alice", "Tab", 1).await;
    assert_eq!(reached, ["#main"], "the way to the content comes first");
    assert!(links.iter().any(|link| link.starts_with("/deployments/")));
    let count = u32::try_from(links.len()).unwrap();
    let (rest, _) = browser.press("alice", "Tab", count - 1).await;
    assert_eq!([reached, rest].concat(), links, "in the order of reading");

    browser.open("alice", "/", LOOKS[0]).await;
    browser.press("alice", "Tab", 1).await;
    browser.press("alice", "Enter", 1).await;
    let (next, _) = browser.press("alice", "Tab", 1).await;
    assert_eq!(next, ["/environments/shop/production"]);
    browser.close().await;
    world.close().await;
}

#[tokio::test]
async fn who_has_a_session_and_follows_a_link_on_another_site_is_let_in() {
    let world = world().await;
    let mut browser = Browser::start(&world.service().url());
    browser.open("alice", "/", LOOKS[0]).await;
    browser.login("alice", &world.service().token()).await;
    let url = browser.come_from_elsewhere("alice", "/").await;
    assert_eq!(url, format!("{}/", world.service().url()));
    browser.close().await;
    world.close().await;
}

#[tokio::test]
async fn an_open_list_shows_what_came_since_and_keeps_the_focus() {
    let world = world().await;
    running(&world).await;
    let mut browser = Browser::start(&world.service().url());
    browser.open("alice", "/", LOOKS[0]).await;
    browser.login("alice", &world.service().token()).await;
    browser.sees("alice", "deploying").await;
    browser.mark("alice").await;
    let place = "/environments/shop/production";
    let (reached, _) = browser.press("alice", "Tab", 4).await;
    assert_eq!(reached.last().map(String::as_str), Some(place));
    world.host.mend_step("unpack");
    world.settled().await;
    browser.gone("alice", "deploying").await;
    let shown = browser.shown("alice").await;
    assert!(shown.marked && shown.faults.is_empty(), "{shown:?}");
    let (next, _) = browser.press("alice", "Tab", 1).await;
    assert!(next[0].starts_with("/deployments/"), "{next:?}");
    browser.close().await;
    world.close().await;
}

#[tokio::test]
async fn a_service_that_stops_waits_for_no_page_that_is_open() {
    let mut world = world().await;
    let id = running(&world).await;
    let mut browser = Browser::start(&world.service().url());
    let path = format!("/deployments/{id}");
    browser.open("alice", &path, LOOKS[0]).await;
    browser.login("alice", &world.service().token()).await;
    browser.sees("alice", "unpack").await;
    world.host.mend_step("unpack");
    let service = world.take_service();
    let log = service.log();
    assert!(service.stop().await.success(), "{log}");
    world.start_service().await;
    // The page comes back by itself, to a service that is another one.
    browser.sees("alice", "Deployed after").await;
    world.settled().await;
    assert!(!world.service().log().contains("are cut off"));
    browser.close().await;
    world.close().await;
}

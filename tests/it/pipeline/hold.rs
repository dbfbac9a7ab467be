//! A lock on the hosts themselves: every door respects it, and it names its owner.

use insta::assert_snapshot;

use super::scene::{Plot, Scene};

/// What is told, without the times.
fn timeless(told: &(i32, String)) -> String {
    let (code, text) = told;
    let mut words: Vec<&str> = Vec::new();
    let mut lines = vec![format!("exit {code}")];
    for line in text.lines() {
        words.clear();
        let is_time = |word: &str| word.starts_with("20") && word.len() >= 10;
        let mut rest = line.split(' ').peekable();
        while let Some(word) = rest.next() {
            if is_time(word) {
                words.push("<time>");
                rest.next();
                let zone = rest.next().unwrap_or_default();
                words.extend(zone.strip_prefix("UTC").filter(|end| !end.is_empty()));
            } else {
                words.push(word);
            }
        }
        lines.push(words.join(" "));
    }
    lines.join("\n")
}

#[tokio::test]
async fn a_lock_refuses_the_deployments_of_others_and_not_its_owners() {
    let scene = Scene::of(2, Plot::default()).await;
    scene.deploy(&[]).await;
    scene.deploy(&[("index.html", "two\n")]).await;
    let by_bob = ["--actor", "bob"];
    let lock = ["lock", "production", "--reason", "it's `Friday`; $(id)"];
    let locked = scene.shell(&[&lock[..], &by_bob].concat()).await;
    assert_snapshot!(timeless(&locked), @"
    exit 0
    web1: locked
    web2: locked
    ");
    let told = scene.deploy(&[("index.html", "three\n")]).await;
    assert_eq!(told.exit(), 4);
    assert_snapshot!(timeless(&(4, told.outcome())), @"
    exit 4
    refused: nothing was changed
      plan on web1: production is locked by bob since <time> : it's `Friday`; $(id)
      Whoever locked it ends that with `cutover unlock production`; anybody else with `cutover unlock production --force`.
    ");
    assert_eq!(scene.rollback().await.exit(), 4, "rollbacks wait as well");
    let who = scene.shell(&["who", "production"]).await;
    assert_snapshot!(timeless(&who), @"
    exit 0
    web1: locked by bob since <time> : it's `Friday`; $(id)
    web2: locked by bob since <time> : it's `Friday`; $(id)
    ");
    let status = scene.shell(&["status", "production"]).await;
    assert_snapshot!(timeless(&status), @"
    exit 0
    web1  r2 is live (healthy)
      locked by bob since <time> : it's `Friday`; $(id)
    web2  r2 is live (healthy)
      locked by bob since <time> : it's `Friday`; $(id)
    ");
    let back = scene
        .shell(&["rollback", "production", "--actor", "bob"])
        .await;
    assert_eq!(back.0, 0, "{}", back.1);
    let foreign = ["unlock", "production", "--actor", "carol"];
    let refused = scene.shell(&foreign).await;
    assert_snapshot!(timeless(&refused), @"
    exit 4
    web1: nothing was changed: locked by bob since <time> : it's `Friday`; $(id)
      End it with `cutover unlock production --force`.
    web2: nothing was changed: locked by bob since <time> : it's `Friday`; $(id)
      End it with `cutover unlock production --force`.
    ");
    let forced = scene.shell(&[&foreign[..], &["--force"]].concat()).await;
    assert_snapshot!(timeless(&forced), @"
    exit 0
    web1: unlocked; it was locked by bob since <time> : it's `Friday`; $(id)
    web2: unlocked; it was locked by bob since <time> : it's `Friday`; $(id)
    ");
    let again = scene.shell(&foreign).await;
    assert_snapshot!(timeless(&again), @"
    exit 0
    web1: nothing is locked
    web2: nothing is locked
    ");
    assert_eq!(scene.deploy(&[("index.html", "four\n")]).await.exit(), 0);
    let journal = scene.journal();
    assert!(journal.contains("- hold -"), "{journal}");
    assert!(journal.contains("- unhold -"), "{journal}");
    scene.close().await;
}

#[tokio::test]
async fn a_lock_that_cannot_be_placed_everywhere_says_where() {
    let scene = Scene::of(2, Plot::default()).await;
    scene.hosts[1].go_down().await;
    let told = scene.shell(&["lock", "production", "--for", "2h"]).await;
    assert_eq!(told.0, 1, "{}", told.1);
    assert!(told.1.contains("web1: locked"), "{}", told.1);
    assert!(told.1.contains("web2: hold on web2:"), "{}", told.1);
    scene.hosts[1].come_up().await;
    let told = scene.shell(&["unlock", "production"]).await;
    assert_eq!(told.0, 0, "{}", told.1);
    assert!(told.1.contains("web2: nothing is locked"), "{}", told.1);
    let wrong = scene
        .shell(&["lock", "production", "--for", "2 weeks"])
        .await;
    assert_eq!(wrong.0, 2, "{}", wrong.1);
    assert!(wrong.1.contains("--for 30m"), "{}", wrong.1);
    scene.close().await;
}

#[tokio::test]
async fn a_hold_that_nobody_can_read_stops_everybody_until_it_is_forced_away() {
    let scene = Scene::plain().await;
    scene.host().write(".cutover/hold.json", "not\nJSON");
    assert_eq!(scene.deploy(&[]).await.exit(), 4);
    assert_eq!(scene.shell(&["unlock", "production"]).await.0, 4);
    assert_eq!(scene.shell(&["unlock", "production", "--force"]).await.0, 0);
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    scene.close().await;
}

//! A forge that is down, slow, limiting or failing.

use std::time::{Duration, Instant};

use kit::github::Trouble;
use serde_json::{Value, json};

use super::{FIRST, SHOP, ask, request, world};

const STATUSES: &str = "/repos/acme/shop/statuses/1111111111111111111111111111111111111111";

#[tokio::test]
async fn a_forge_that_is_down_answers_nothing_and_knows_all_when_it_is_back() {
    let github = world().await;
    let client = reqwest::Client::new();
    let post = || {
        let request = client
            .post(format!("{}{STATUSES}", github.base_url()))
            .bearer_auth(github.token());
        request
            .header("user-agent", "a-test")
            .json(&json!({ "state": "success" }))
            .send()
    };
    assert_eq!(post().await.unwrap().status(), 201);
    github.go_down();
    assert!(
        post().await.is_err(),
        "the connection that was open is dead"
    );
    assert!(post().await.is_err(), "and a new one too");
    github.come_back();
    assert_eq!(post().await.unwrap().status(), 201);
    assert_eq!(github.statuses(SHOP, FIRST).len(), 2);
    github.close();
}

#[tokio::test]
async fn the_next_answers_are_troubles_and_then_all_is_well() {
    let github = world().await;
    github.answer_next(2, Trouble::Fails(502));
    github.answer_next_to("/statuses/", 1, Trouble::DoesThenFails(500));
    assert_eq!(
        ask(&github, "GET", "/rate_limit", &Value::Null).await.0,
        502
    );
    assert_eq!(
        ask(&github, "POST", STATUSES, &json!({ "state": "success" }))
            .await
            .0,
        502
    );
    assert_eq!(
        ask(&github, "GET", "/rate_limit", &Value::Null).await.0,
        200
    );
    assert_eq!(
        ask(&github, "POST", STATUSES, &json!({ "state": "success" }))
            .await
            .0,
        500
    );
    assert_eq!(
        github.statuses(SHOP, FIRST).len(),
        1,
        "done, though the answer was lost"
    );
    assert_eq!(github.troubles_left(), 0);
    github.close();
}

#[tokio::test]
async fn a_cut_answer_is_an_error_of_the_line() {
    let github = world().await;
    let post = || {
        request(&github, "POST", STATUSES)
            .bearer_auth(github.token())
            .json(&json!({ "state": "success" }))
    };
    for (trouble, done) in [(Trouble::Cut, 0), (Trouble::DoesThenCut, 1)] {
        github.answer_next(1, trouble);
        let answer = async { post().send().await?.bytes().await };
        assert!(answer.await.is_err(), "{trouble:?}");
        assert_eq!(github.statuses(SHOP, FIRST).len(), done);
    }
    github.close();
}

#[tokio::test]
async fn limits_tell_when_to_come_again() {
    let github = world().await;
    let wait = Duration::from_secs(7);
    let get = || {
        request(&github, "GET", "/rate_limit")
            .bearer_auth(github.token())
            .send()
    };
    for (trouble, status) in [
        (Trouble::SecondaryLimit(wait), 403),
        (Trouble::TooMany(wait), 429),
    ] {
        github.answer_next(1, trouble);
        let answer = get().await.unwrap();
        assert_eq!(
            (answer.status().as_u16(), &answer.headers()["retry-after"]),
            (status, &"7".parse().unwrap())
        );
    }
    github.answer_next(1, Trouble::PrimaryLimit(wait));
    let answer = get().await.unwrap();
    let reset: i64 = answer.headers()["x-ratelimit-reset"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert_eq!(
        (
            answer.status().as_u16(),
            &answer.headers()["x-ratelimit-remaining"]
        ),
        (403, &"0".parse().unwrap())
    );
    assert!(
        (0..=8).contains(&(reset - jiff::Timestamp::now().as_second())),
        "{reset}"
    );
    github.close();
}

#[tokio::test]
async fn a_slow_forge_answers_late() {
    let github = world().await;
    github.slow(Duration::from_millis(200));
    let began = Instant::now();
    ask(&github, "GET", "/rate_limit", &Value::Null).await;
    assert!(began.elapsed() >= Duration::from_millis(200));
    github.close();
}

#[tokio::test]
async fn a_test_waits_for_what_the_world_shall_show() {
    let github = world().await;
    let looked = github.until("a status", |github| {
        !github.statuses(SHOP, FIRST).is_empty()
    });
    let body = json!({ "state": "success" });
    let posted = ask(&github, "POST", STATUSES, &body);
    tokio::join!(looked, posted);
    github.close();
}

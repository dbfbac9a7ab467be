use super::*;

#[tokio::test]
async fn a_page_escapes_what_a_forge_sent_and_runs_no_script() {
    let world = World::start().await;
    let evil = json!({"pusher": {"name": "<script>alert(1)</script>"}});
    let told = world
        .send(Delivery::push("refs/heads/main", &evil))
        .await
        .json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let line = Event::Line {
        host: None,
        step: "build".to_owned(),
        text: "<img src=x onerror=1> & done".to_owned(),
    };
    world
        .store
        .append(
            &DeploymentId::parse(&id).unwrap(),
            &[line],
            cutover_deploy::now(),
        )
        .await
        .unwrap();

    for path in ["/".to_owned(), format!("/deployments/{id}")] {
        let page = world.get(&path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        let ours = "<script src=\"/live.js\" defer></script>";
        let text = page.text.replace(ours, "");
        assert!(
            !text.contains("<script") && !text.contains("<img") && !text.contains(" style="),
            "{text}"
        );
        assert!(page.text.contains("&lt;script&gt;"), "{}", page.text);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; ")
                && !policy.contains("unsafe"),
            "{policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(page.headers[name], value);
        }
    }
    let page = world.get(&format!("/deployments/{id}")).await.text;
    assert!(
        page.contains("&lt;img src=x onerror=1&gt; &amp; done"),
        "{page}"
    );
    assert!(
        page.contains("<noscript><meta http-equiv=\"refresh\""),
        "without a script, a page of what is not over loads again by itself"
    );
}

#[tokio::test]
async fn a_deployment_is_shown_as_json_to_who_asks_for_it() {
    let world = World::start().await;
    let told = world.send(main_push()).await.json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let by_header = reader(&format!("/deployments/{id}")).header("accept", "application/json");
    let mut answers = vec![world.ask(by_header.body(Body::empty()).unwrap()).await];
    for path in [
        "/deployments/ID.json",
        "/deployments/ID?format=json",
        "/api/v1/deployments/ID",
    ] {
        answers.push(world.get(&path.replace("ID", &id)).await);
    }
    for answer in answers {
        let json = answer.json();
        assert_eq!(
            (&json["id"], &json["state"], &json["commit"]),
            (&json!(id), &json!("queued"), &json!("a".repeat(40)))
        );
        assert_eq!(json["reports"].as_array().unwrap().len(), 3);
    }
    let browser =
        reader(&format!("/deployments/{id}")).header("accept", "text/html,application/json;q=0.9");
    assert!(
        world
            .ask(browser.body(Body::empty()).unwrap())
            .await
            .text
            .starts_with("<!doctype html>")
    );
    let places = world.get("/api/v1/environments").await.json();
    assert_eq!(places["environments"][0]["waiting"][0]["id"], json!(id));
    assert_eq!(places["environments"][1]["waiting"], json!([]));
}

#[tokio::test]
async fn what_a_person_wrote_shows_as_it_is_and_moves_nothing() {
    let world = World::start().await;
    let name = "</code><b>\u{1b}[31m\u{202e}alice";
    let told = world
        .send(Delivery::push(
            "refs/heads/main",
            &json!({"pusher": {"name": name}}),
        ))
        .await
        .json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let event = Event::Note {
        host: None,
        text: "\u{1b}]0;owned\u{7}<i>\u{202e}".to_owned(),
    };
    let parsed = DeploymentId::parse(&id).unwrap();
    world
        .store
        .append(&parsed, &[event], cutover_deploy::now())
        .await
        .unwrap();
    let commit = testing::commit('a');
    world.store.describe(&commit, "another").await.unwrap();
    let subject = "mend <u>it</u>\u{202e}";
    world.store.describe(&commit, subject).await.unwrap();
    for path in ["/".to_owned(), format!("/deployments/{id}")] {
        let page = world.get(&path).await.text;
        assert!(
            page.contains("&lt;b&gt;") && page.contains("\u{fffd}alice"),
            "{page}"
        );
        assert!(page.contains("mend &lt;u&gt;it"), "{page}");
        let bare = |c: char| c == '\u{1b}' || c == '\u{7}' || c == '\u{202e}';
        assert!(!page.contains(bare) && !page.contains("<i>"), "{page}");
    }
}

#[tokio::test]
async fn a_page_shows_the_end_of_a_long_log_and_the_way_to_the_rest() {
    let world = World::start().await;
    let told = world.send(main_push()).await.json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let line = |n: usize| Event::Line {
        host: None,
        step: "build".to_owned(),
        text: format!("line {n} of it"),
    };
    let events: Vec<Event> = (1..=1200).map(line).collect();
    let parsed = DeploymentId::parse(&id).unwrap();
    world
        .store
        .append(&parsed, &events, cutover_deploy::now())
        .await
        .unwrap();
    let mut path = format!("/deployments/{id}");
    let mut shown = Vec::new();
    loop {
        let page = world.get(&path).await.text;
        shown.push(page.matches(" of it\n").count());
        let Some((_, rest)) = page.split_once("?before=") else {
            break;
        };
        let before = rest.split(['"', '#']).next().unwrap();
        path = format!("/deployments/{id}?before={before}");
    }
    assert_eq!(shown, [500, 500, 200]);
    let first = world.get(&path).await.text;
    assert!(first.contains("line 1 of it"), "{first}");
    assert!(!first.contains("data-events"), "the past is not followed");
}

#[tokio::test]
async fn an_environment_has_a_page_and_says_what_to_do_when_it_is_empty() {
    let world = World::start().await;
    world.send(main_push()).await;
    let page = world.get("/environments/shop/staging").await;
    assert_eq!(page.status, 200);
    assert!(
        page.text.contains("Push to <code>next</code>"),
        "{}",
        page.text
    );
    let busy = world.get("/environments/shop/production").await.text;
    assert!(
        busy.contains("aaaaaaa") && busy.contains("waiting"),
        "{busy}"
    );
}

#[tokio::test]
async fn a_push_that_waits_is_shown_with_the_first_line_of_its_message() {
    let world = World::start().await;
    let message = "\nmend the cart\n\nIt lost a line.";
    let push = json!({"head_commit": {"message": message}});
    world.send(Delivery::push("refs/heads/main", &push)).await;
    let page = world.get("/").await.text;
    assert!(page.contains("mend the cart</span>"), "{page}");
    // A branch that nothing follows leaves nothing behind.
    let other = json!({"after": "b".repeat(40), "head_commit": {"message": "elsewhere"}});
    world.send(Delivery::push("refs/heads/other", &other)).await;
    let known = world.store.subject(&testing::commit('b')).await.unwrap();
    assert_eq!(known, None);
}

#[tokio::test]
async fn what_is_not_there_is_not_found() {
    let world = World::start().await;
    for path in [
        "/deployments/none",
        "/api/v1/deployments/none",
        "/deployments/..%2f..%2fetc.json",
        "/admin",
        "/environments/shop/nowhere",
        "/environments/nothing/production",
    ] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
    let browser = reader("/admin").header("accept", "text/html");
    let page = world.ask(browser.body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, 404);
    assert!(page.text.contains("There is no such page"), "{}", page.text);
}

#[tokio::test]
async fn a_follower_is_told_when_something_happens() {
    let world = World::start().await;
    let told = world.send(main_push()).await.json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let follow = |path: String| {
        let router = world.router.clone();
        tokio::spawn(async move {
            let request = reader(&path).body(Body::empty()).unwrap();
            let body = router.oneshot(request).await.unwrap().into_body();
            serde_json::from_slice::<Value>(&body.collect().await.unwrap().to_bytes()).unwrap()
        })
    };
    let waiting = follow(format!("/api/v1/deployments/{id}/events?after=0&wait=true"));
    let note = Event::Note {
        host: None,
        text: "hello".to_owned(),
    };
    world
        .store
        .append(
            &DeploymentId::parse(&id).unwrap(),
            &[note],
            cutover_deploy::now(),
        )
        .await
        .unwrap();
    let told = tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("the follower is woken")
        .unwrap();
    assert_eq!(
        (&told["events"][0]["seq"], &told["events"][0]["text"]),
        (&json!(1), &json!("hello"))
    );

    let waiting = follow(format!("/api/v1/deployments/{id}/events?after=1&wait=true"));
    world.stopping.cancel();
    let told = tokio::time::timeout(Duration::from_secs(10), waiting)
        .await
        .expect("a stop frees followers")
        .unwrap();
    assert_eq!(told["events"], json!([]));
}

#[tokio::test]
async fn a_worker_is_told_with_all_that_proves_it() {
    let world = World::start().await;
    let told = world.send(main_push()).await.json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let release = "20260520T123456Z-1a2b3c4";
    let proven = Event::WorkerProven {
        host: cutover_deploy::HostName::parse("web1").unwrap(),
        worker: "mail:mail_00".to_owned(),
        pid: 7,
        release: cutover_deploy::ReleaseId::parse(release).unwrap(),
        since: "2026-05-20T12:34:58Z".parse().ok(),
    };
    world
        .store
        .append(
            &DeploymentId::parse(&id).unwrap(),
            &[proven],
            cutover_deploy::now(),
        )
        .await
        .unwrap();
    let path = format!("/api/v1/deployments/{id}/events?after=0");
    let told = world.get(&path).await.json();
    let event = &told["events"][0];
    assert_eq!(
        (
            &event["worker"],
            &event["pid"],
            &event["release"],
            &event["since"]
        ),
        (
            &json!("mail:mail_00"),
            &json!(7),
            &json!(release),
            &json!("2026-05-20T12:34:58Z")
        )
    );
    let page = world.get(&format!("/deployments/{id}")).await.text;
    let line = format!("worker mail:mail_00 (pid 7) runs {release} since 2026-05-20 12:34:58 UTC");
    assert!(page.contains(&line), "{page}");
}

#[tokio::test]
async fn a_stopping_service_is_not_ready_and_still_keeps_deliveries() {
    let world = World::start().await;
    assert_eq!(world.get("/readyz").await.status, 200);
    world.stopping.cancel();
    assert_eq!(world.get("/readyz").await.status, 503);
    assert_eq!(world.get("/healthz").await.status, 200);
    assert_eq!(world.send(main_push()).await.status, 202);
}

#[tokio::test]
async fn a_ledger_that_is_gone_is_told_as_unavailable_without_a_cause() {
    let world = World::start().await;
    world.store.close().await;
    let told = world.send(main_push()).await;
    assert_eq!(told.status, 503);
    assert_eq!(
        told.json(),
        json!({"error": "the service cannot reach its ledger, try again"})
    );
}

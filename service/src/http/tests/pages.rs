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
        assert!(
            !page.text.contains("<script") && !page.text.contains("<img"),
            "{}",
            page.text
        );
        assert!(page.text.contains("&lt;script&gt;"), "{}", page.text);
        let policy = page.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'"), "{policy}");
    }
    let page = world.get(&format!("/deployments/{id}")).await.text;
    assert!(
        page.contains("&lt;img src=x onerror=1&gt; &amp; done"),
        "{page}"
    );
    assert!(
        page.contains("http-equiv=\"refresh\""),
        "a page of what is not over looks again by itself"
    );
}

#[tokio::test]
async fn a_deployment_is_shown_as_json_to_who_asks_for_it() {
    let world = World::start().await;
    let told = world.send(main_push()).await.json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let by_header = Request::get(format!("/deployments/{id}")).header("accept", "application/json");
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
    let browser = Request::get(format!("/deployments/{id}"))
        .header("accept", "text/html,application/json;q=0.9");
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
async fn what_is_not_there_is_not_found() {
    let world = World::start().await;
    for path in [
        "/deployments/none",
        "/api/v1/deployments/none",
        "/deployments/..%2f..%2fetc.json",
        "/admin",
    ] {
        assert_eq!(world.get(path).await.status, 404, "{path}");
    }
}

#[tokio::test]
async fn a_follower_is_told_when_something_happens() {
    let world = World::start().await;
    let told = world.send(main_push()).await.json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    let follow = |path: String| {
        let router = world.router.clone();
        tokio::spawn(async move {
            let request = Request::get(path).body(Body::empty()).unwrap();
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

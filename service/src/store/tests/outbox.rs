use super::*;

/// The reports that are due, as deployment and kind.
async fn heads(store: &Store) -> Vec<String> {
    let due = store.due(now()).await.unwrap();
    let head = |due: &Waiting| {
        let json = serde_json::to_value(&due.report).unwrap();
        format!("{} {}", due.deployment.id, json["report"].as_str().unwrap())
    };
    due.iter().map(head).collect()
}

async fn send_head(store: &Store, id: &str) {
    let due = store.due(now()).await.unwrap();
    let head = due.iter().find(|due| due.deployment.id.as_str() == id);
    let head = head.unwrap_or_else(|| panic!("nothing of {id} is due: {due:#?}"));
    store.settle(head, "sent", None, now()).await.unwrap();
}

#[tokio::test]
async fn reports_of_a_deployment_go_out_in_order_and_hold_up_no_other_deployment() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "d1", "production", 'a').await;
    testing::queue(&store, "d2", "production", 'b').await;
    testing::queue(&store, "d3", "staging", 'c').await;
    let first = store.due(now()).await.unwrap();
    let said = heads(&store).await;
    assert_eq!(
        said,
        ["d1 commit_status", "d2 commit_status", "d3 commit_status"]
    );
    assert!(first[0].outdated, "d1 was superseded: its status is old");
    assert!(!first[1].outdated);

    let later = now() + Duration::from_mins(1);
    store.attempt(first[0].ordinal, later).await.unwrap();
    send_head(&store, "d2").await;
    assert_eq!(heads(&store).await, ["d2 enter", "d3 commit_status"]);
    assert!(store.next_due().await.unwrap().unwrap() <= now());
    store.settle(&first[0], "sent", None, now()).await.unwrap();
    assert_eq!(
        heads(&store).await,
        ["d1 enter", "d2 enter", "d3 commit_status"]
    );
    assert_eq!(
        store.reports(&first[0].deployment.id).await.unwrap()[0].state,
        "sent"
    );
}

#[tokio::test]
async fn marks_on_one_commit_and_the_retiring_of_entries_keep_the_environments_order() {
    let dir = tempfile::tempdir().unwrap();
    let store = testing::store(dir.path()).await;
    testing::queue(&store, "d1", "production", 'a').await;
    testing::queue(&store, "d2", "production", 'a').await;
    let running = store.claim(now()).await.unwrap().unwrap();
    store
        .conclude(&running.id, &deployed("one"), None, now())
        .await
        .unwrap();
    assert_eq!(heads(&store).await, ["d1 commit_status"], "the same commit");
    // d1 was told of as queued, entered, queued; then marked as superseded, and its entry retired.
    send_head(&store, "d1").await;
    send_head(&store, "d1").await;
    send_head(&store, "d1").await;
    send_head(&store, "d1").await;
    assert_eq!(heads(&store).await, ["d1 entry_status", "d2 commit_status"]);
    for _ in 0..6 {
        send_head(&store, "d2").await;
    }
    assert_eq!(
        heads(&store).await,
        ["d1 entry_status"],
        "the success of d2 makes the forge retire what was before it"
    );
    send_head(&store, "d1").await;
    assert_eq!(heads(&store).await, ["d2 entry_status"]);
    send_head(&store, "d2").await;
    assert_eq!(heads(&store).await, ["d2 retire_older"]);
}

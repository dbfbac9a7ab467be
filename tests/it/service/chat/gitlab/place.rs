//! What is meant by a command on GitLab by where it stands, and where it is answered.

use insta::assert_snapshot;
use kit::gitlab::Trouble;

use super::*;

#[tokio::test]
async fn the_head_of_a_merge_request_is_deployed_as_it_was_when_the_comment_was_written() {
    let world = on_gitlab().await;
    let two = world.repo.head().await;
    push(&world, "three").await;
    world.settled().await;
    let three = world.repo.head().await;
    let gitlab = world.gitlab();
    gitlab.open_merge_request(REPOSITORY, CHANGE, "topic", two.as_str());
    say(&world, "alice", "/deploy to production").await;
    answered(&world, 1).await;
    assert_eq!(live(&world), "two");
    // Somebody pushes between the comment and its hook.
    let late = gitlab.comment(REPOSITORY, CHANGE, "alice", "/deploy to production");
    gitlab.open_merge_request(REPOSITORY, CHANGE, "topic", three.as_str());
    taken(&late.send(&world.hook_url()).await.unwrap(), 202);
    answered(&world, 2).await;
    gitlab.close_merge_request(REPOSITORY, CHANGE);
    say(&world, "alice", "/deploy to production").await;
    answered(&world, 3).await;
    gitlab.open_merge_request_of_fork(REPOSITORY, CHANGE, three.as_str());
    say(&world, "alice", "/deploy to production").await;
    answered(&world, 4).await;
    say(&world, "alice", "/deploy main to production").await;
    answered(&world, 5).await;
    assert_eq!(live(&world), "three");
    say(&world, "alice", "/deploy nowhere to production").await;
    answered(&world, 6).await;
    assert_eq!(world.outcomes().await.len(), 4);
    assert_snapshot!(talk(&world), @r#"
    alice [eyes rocket]
      /deploy to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":"<id 2>","state":"deployed"} -->
      **Deployment done**: `efe3fc2` on `production`, asked for by `alice`.
      
      `<release 1>` is live and healthy; before it was `<release 2>`.
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 2>)
    alice [eyes x]
      /deploy to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 3>","deployment":null,"state":"stale_ref"} -->
      **Refused** (`stale_ref`). This change was at `efe3fc2` when you wrote, and is at `91b1cda` now.
      
      Look at what came, and write the command again.
    alice [eyes x]
      /deploy to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 4>","deployment":null,"state":"closed_pr"} -->
      **Refused** (`closed_pr`). This change is closed.
      
      Name what to deploy: `/deploy <branch|tag|commit> to <environment>`.
    alice [eyes x]
      /deploy to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 5>","deployment":null,"state":"fork_denied"} -->
      **Refused** (`fork_denied`). This change comes from a fork, and code of forks is not deployed.
    alice [eyes rocket]
      /deploy main to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 6>","deployment":"<id 7>","state":"deployed"} -->
      **Deployment done**: `main` at `91b1cda` on `production`, asked for by `alice`.
      
      `<release 3>` is live and healthy; before it was `<release 1>`.
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 7>)
    alice [eyes x]
      /deploy nowhere to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 8>","deployment":null,"state":"stale_ref"} -->
      **Refused** (`stale_ref`). There is no branch, tag or commit `nowhere`.
    "#);
    world.close().await;
}

#[tokio::test]
async fn remarks_are_answered_in_their_thread_and_commits_on_the_commit() {
    let world = on_gitlab().await;
    let gitlab = world.gitlab();
    let head = world.repo.head().await;
    let remark = gitlab.remark(REPOSITORY, CHANGE, "alice", ".status");
    taken(&remark.send(&world.hook_url()).await.unwrap(), 202);
    answered(&world, 1).await;
    let notes = gitlab.notes(REPOSITORY);
    assert_eq!(notes[1].discussion, notes[0].discussion, "{notes:#?}");
    let asked = "/deploy to production";
    let on_commit = gitlab.commit_comment(REPOSITORY, head.as_str(), "alice", asked);
    taken(&on_commit.send(&world.hook_url()).await.unwrap(), 202);
    gitlab
        .until("the end to be told on the commit", |gitlab| {
            let notes = gitlab.notes(REPOSITORY);
            notes
                .iter()
                .any(|note| note.body.contains("was live already"))
        })
        .await;
    world.settled().await;
    let notes = gitlab.notes(REPOSITORY);
    assert_eq!(notes.len(), 4, "one reply that is edited: {}", talk(&world));
    assert!(!notes[3].before.is_empty(), "{notes:#?}");
    assert_snapshot!(talk(&world), @r#"
    alice [eyes rocket]
      .status
    deployer
      <!-- cutover:{"v":1,"command":"<id 1>","deployment":null,"state":"answered"} -->
      **`production`**
      - live: `<release 1>` since <time>
      - nothing runs, waits or holds it
    alice
      /deploy to production
    deployer
      <!-- cutover:{"v":1,"command":"<id 2>","deployment":"<id 3>","state":"unchanged"} -->
      **Deployment done**: `efe3fc2` on `production`, asked for by `alice`.
      
      `<release 1>` was live already; nothing was changed.
      
      [Follow it](http://127.0.0.1:<port>/deployments/<id 3>)
    "#);
    world.close().await;
}

#[tokio::test]
async fn a_reply_whose_answer_was_lost_is_not_written_twice() {
    let world = on_gitlab().await;
    let gitlab = world.gitlab();
    gitlab.answer_next_to("/merge_requests/7/notes", 1, Trouble::Fails(502));
    gitlab.answer_next_to("/merge_requests/7/notes", 1, Trouble::DoesThenCut);
    say(&world, "alice", ".status production").await;
    answered(&world, 1).await;
    let head = world.repo.head().await;
    gitlab.answer_next_to("/discussions", 1, Trouble::DoesThenCut);
    let on_commit = gitlab.commit_comment(REPOSITORY, head.as_str(), "alice", ".status");
    taken(&on_commit.send(&world.hook_url()).await.unwrap(), 202);
    let found = "GET /api/v4/projects/acme%2Fshop/repository/commits";
    gitlab
        .until("the lost reply to be found", |gitlab| {
            let requests = gitlab.requests();
            let edits = requests.iter().filter(|line| line.starts_with("PUT"));
            edits.count() > 0 && requests.iter().any(|line| line.starts_with(found))
        })
        .await;
    assert_eq!(gitlab.troubles_left(), 0, "{:#?}", gitlab.requests());
    let notes = gitlab.notes(REPOSITORY);
    let ours = notes.iter().filter(|note| note.author == "deployer");
    assert_eq!(ours.count(), 2, "{}", talk(&world));
    world.close().await;
}

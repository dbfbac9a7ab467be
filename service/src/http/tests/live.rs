use super::*;

/// Reads a stream until it holds `mark`.
struct Stream {
    body: Body,
    text: String,
}

impl Stream {
    async fn open(world: &World, path: &str, last: Option<i64>) -> Self {
        let mut request = reader(path).header("accept", "text/event-stream");
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = world.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let body = response.into_body();
        let text = String::new();
        Self { body, text }
    }

    /// More of it; false at its end.
    async fn more(&mut self) -> bool {
        let frame = tokio::time::timeout(Duration::from_secs(10), self.body.frame()).await;
        let frame = frame.unwrap_or_else(|_| panic!("nothing more came after:\n{}", self.text));
        let Some(frame) = frame else { return false };
        let bytes = frame.unwrap().into_data().unwrap();
        self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        true
    }

    async fn until(&mut self, mark: &str) {
        while !self.text.contains(mark) {
            assert!(self.more().await, "no {mark} in:\n{}", self.text);
        }
    }

    async fn rest(mut self) -> String {
        while self.more().await {}
        self.text
    }
}

fn note(text: &str) -> Event {
    Event::Note {
        host: None,
        text: text.to_owned(),
    }
}

/// A world with one deployment that a worker has.
async fn running() -> (World, DeploymentId) {
    let world = World::start().await;
    world.send(main_push()).await;
    let claimed = world.store.claim(cutover_deploy::now()).await.unwrap();
    (world, claimed.unwrap().id)
}

async fn happen(world: &World, id: &DeploymentId, events: &[Event]) {
    let now = cutover_deploy::now();
    world.store.append(id, events, now).await.unwrap();
}

#[tokio::test]
async fn a_follower_sees_each_event_with_its_number_and_then_the_end() {
    let (world, id) = running().await;
    let path = format!("/deployments/{id}/events");
    let mut stream = Stream::open(&world, &path, None).await;
    stream.until("event: head").await;
    let step = |text: &str| Event::Line {
        host: None,
        step: "build".to_owned(),
        text: text.to_owned(),
    };
    happen(&world, &id, &[note("<hello>"), step("<b>one</b>\u{1b}[0m")]).await;
    stream.until("id: 2").await;
    assert!(stream.text.contains("id: 1"), "{}", stream.text);
    assert!(stream.text.contains("&lt;hello&gt;"), "{}", stream.text);
    // A line is put into the page as text, never as markup.
    assert!(
        stream
            .text
            .contains(r#"{"host":"","step":"build","line":"<b>one</b>"}"#),
        "{}",
        stream.text
    );
    let outcome = cutover_deploy::Outcome::Cancelled;
    let now = cutover_deploy::now();
    world
        .store
        .conclude(&id, &outcome, None, now)
        .await
        .unwrap();
    let text = stream.rest().await;
    let (_, end) = text.split_once("event: end").expect("there is an end");
    assert!(end.contains("cancelled"), "{end}");
}

#[tokio::test]
async fn a_browser_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let (world, id) = running().await;
    let notes: Vec<Event> = (1..=450).map(|n| note(&format!("note {n}."))).collect();
    happen(&world, &id, &notes).await;
    let path = format!("/deployments/{id}/events?after=3");
    let mut stream = Stream::open(&world, &path, Some(7)).await;
    stream.until("note 450.").await;
    let shown = |n: u32| stream.text.matches(&format!("note {n}.")).count();
    assert!((1..=7).all(|n| shown(n) == 0), "{}", stream.text);
    assert!((8..=450).all(|n| shown(n) == 1), "{}", stream.text);
}

#[tokio::test]
async fn a_stop_ends_the_stream_without_an_end() {
    let (world, id) = running().await;
    let mut stream = Stream::open(&world, &format!("/deployments/{id}/events"), None).await;
    stream.until("event: head").await;
    world.stopping.cancel();
    assert!(!stream.rest().await.contains("event: end"));
}

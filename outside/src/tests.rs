//! The client against a listener of this process, which answers as the worst of them do.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::*;

/// Answers one request with these bytes, and then says nothing more; returns what it heard.
async fn listener(bytes: Vec<u8>, hangs: bool) -> (String, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let task = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = vec![0; 4096];
        let count = stream.read(&mut heard).await.unwrap();
        // Whoever has read enough closes the line.
        drop(stream.write_all(&bytes).await);
        if hangs {
            drop(stream.read(&mut [0]).await);
        }
        String::from_utf8(heard[..count].to_vec()).unwrap()
    });
    (url, task)
}

async fn ask(url: &str, token_env: Option<&str>) -> Answer {
    let variable = |name: &str| match name {
        "PROMETHEUS_TOKEN" => Some("s3cret\n".to_owned()),
        "PROMETHEUS_ODD" => Some("s3cret\u{7}".to_owned()),
        _ => None,
    };
    let question = Question {
        url: url.to_owned(),
        timeout: Duration::from_millis(500),
        token_env: token_env.map(str::to_owned),
    };
    Web::new(variable).ask(question).await
}

#[tokio::test]
async fn an_answer_comes_whole_and_a_redirect_is_not_followed() {
    let bytes = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nX-Release: r1\r\nContent-Length: 2\r\n\r\nok";
    let (url, task) = listener(bytes.to_vec(), false).await;
    let answer = ask(&url, Some("PROMETHEUS_TOKEN")).await;
    assert_eq!((answer.status, answer.body.as_str()), (302, "ok"));
    assert_eq!(answer.header("x-release").as_deref(), Some("r1"));
    let heard = task.await.unwrap().to_ascii_lowercase();
    assert!(
        heard.contains("authorization: bearer s3cret\r\n"),
        "{heard}"
    );
}

#[tokio::test]
async fn a_flood_is_cut_and_what_hangs_is_left() {
    let head = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    let flood = [head.clone(), vec![b'x'; 1024 * 1024]].concat();
    let (url, task) = listener(flood, true).await;
    assert_eq!(ask(&url, None).await.body.len(), BODY_BYTES);
    task.await.unwrap();
    let (url, _task) = listener(head, true).await;
    assert_eq!(ask(&url, None).await, Answer::none("it took too long"));
}

#[tokio::test]
async fn a_token_that_is_not_there_is_asked_for_nowhere_and_never_told() {
    for name in ["PROMETHEUS_NONE", "PROMETHEUS_ODD"] {
        let answer = ask("http://127.0.0.1:1/", Some(name)).await;
        assert_eq!(answer.status, 0);
        assert!(answer.body.contains(name), "{answer:?}");
        assert!(!answer.body.contains("s3cret"), "{answer:?}");
    }
}

#[tokio::test]
async fn why_nobody_answers_is_said_without_the_address() {
    let answer = ask("http://127.0.0.1:1/?key=value", None).await;
    assert_eq!(answer.status, 0);
    assert!(answer.body.contains("refused"), "{answer:?}");
    assert!(!answer.body.contains("key=value"), "{answer:?}");
}

use insta::assert_snapshot;
use serde_json::json;

use super::*;

fn told(look: &Look) -> String {
    let word = if look.rings { "RINGS" } else { "quiet" };
    format!("{word} {}: {}", look.alarm, look.seen)
}

fn prometheus(above: f64) -> Prometheus {
    Prometheus {
        name: "errors".into(),
        url: "https://prometheus.example.com/p/".into(),
        query: "sum(rate(x{a=\"ü\"}[1m]))".into(),
        above: serde_json::Number::from_f64(above).unwrap(),
        token_env: None,
        then: Then::RollBack,
    }
}

#[test]
fn a_share_of_requests_rings_above_its_limit_and_only_among_enough() {
    let log = AccessLog {
        path: "/var/log/nginx/access.log".into(),
        percent: 5,
        requests: 50,
        then: Then::RollBack,
    };
    let look = |all, failed| told(&requests(&log, Requests { all, failed }));
    assert_snapshot!([look(0, 0), look(49, 49), look(50, 2), look(100, 5), look(100, 6)].join("\n"), @"
    quiet access log: 0 of 0 requests since the swap ended with 5xx (0.0 %), limit 5 % from 50 requests on
    quiet access log: 49 of 49 requests since the swap ended with 5xx (100.0 %), limit 5 % from 50 requests on
    quiet access log: 2 of 50 requests since the swap ended with 5xx (4.0 %), limit 5 %
    quiet access log: 5 of 100 requests since the swap ended with 5xx (5.0 %), limit 5 %
    RINGS access log: 6 of 100 requests since the swap ended with 5xx (6.0 %), limit 5 %
    ");
}

#[test]
fn the_words_of_the_app_about_its_queue_are_judged() {
    let limits = Queue {
        failed: 1,
        overdue: 0,
        queues: Vec::new(),
        then: Then::Tell,
    };
    let look = |said: &str| match queue(&limits, said) {
        Ok(looks) => looks.iter().map(told).collect::<Vec<_>>().join("\n"),
        Err(why) => why,
    };
    assert_snapshot!([
        look(r#"{"failed":1,"overdue":0}"#),
        look(r#"{"failed":2,"overdue":1}"#),
        look(r#"{"failed":0,"overdue":null}"#),
        look("Whoops"),
        look(r#"{"failed":-1}"#),
    ].join("\n"), @r#"
    quiet failed jobs: 1 job failed since the swap, limit 1
    quiet overdue jobs: 0 jobs reserved for longer than `retry_after`, limit 0
    RINGS failed jobs: 2 jobs failed since the swap, limit 1
    RINGS overdue jobs: 1 job reserved for longer than `retry_after`, limit 0
    quiet failed jobs: 0 jobs failed since the swap, limit 1
    the app answers strangely: Whoops
    the app answers strangely: {"failed":-1}
    "#);
}

#[test]
fn a_worker_counts_as_started_anew_when_its_process_is_another_one() {
    let limits = Restarts {
        restarts: 1,
        then: Then::RollBack,
    };
    let mut roll = Roll::default();
    let mut look = |workers: &[(&'static str, &'static str, Option<u32>)]| {
        let workers = workers.iter().map(|&(name, state, pid)| Seen {
            name,
            state,
            pid,
            restarts: None,
        });
        told(&roll.look(&limits, workers))
    };
    assert_snapshot!([
        look(&[("a", "RUNNING", Some(1)), ("b", "RUNNING", Some(2))]),
        look(&[("a", "RUNNING", Some(1)), ("b", "STARTING", None)]),
        look(&[("a", "RUNNING", Some(1)), ("b", "RUNNING", Some(3))]),
        look(&[("a", "FATAL", None), ("b", "RUNNING", Some(3))]),
        look(&[("a", "RUNNING", Some(4)), ("b", "RUNNING", Some(3))]),
    ].join("\n"), @"
    quiet workers: workers started anew 0 times while watched, limit 1
    quiet workers: workers started anew 0 times while watched, limit 1
    quiet workers: workers started anew 1 time while watched, limit 1
    RINGS workers: workers started anew 1 time while watched, limit 1; a is FATAL
    RINGS workers: workers started anew 2 times while watched, limit 1
    ");
}

#[test]
fn what_its_manager_counts_is_known_even_between_two_looks() {
    let limits = Restarts {
        restarts: 2,
        then: Then::RollBack,
    };
    let mut roll = Roll::default();
    let mut look = |workers: &[(&'static str, &'static str, Option<u32>, u32)]| {
        let workers = workers.iter().map(|&(name, state, pid, restarts)| Seen {
            name,
            state,
            pid,
            restarts: Some(restarts),
        });
        told(&roll.look(&limits, workers))
    };
    assert_snapshot!([
        // What was before the watch is the hand-over's.
        look(&[("a", "RUNNING", Some(1), 4)]),
        look(&[("a", "STARTING", None, 5), ("b", "RUNNING", Some(7), 0)]),
        look(&[("a", "RUNNING", Some(2), 5), ("b", "RUNNING", Some(7), 0)]),
        look(&[("a", "RUNNING", Some(9), 7), ("b", "RUNNING", Some(7), 0)]),
        // Somebody restarted it by hand, and systemd begins to count anew.
        look(&[("a", "RUNNING", Some(10), 0), ("b", "RUNNING", Some(7), 0)]),
    ].join("\n"), @"
    quiet workers: workers started anew 0 times while watched, limit 2
    quiet workers: workers started anew 1 time while watched, limit 2
    quiet workers: workers started anew 1 time while watched, limit 2
    RINGS workers: workers started anew 3 times while watched, limit 2
    RINGS workers: workers started anew 3 times while watched, limit 2
    ");
}

#[test]
fn a_pod_in_a_crash_loop_rings_and_one_that_comes_for_another_counts() {
    let limits = Restarts {
        restarts: 3,
        then: Then::RollBack,
    };
    let mut roll = Roll::default();
    let mut look = |pods: &[(&'static str, &'static str, u32)]| {
        let pods = pods.iter().map(|&(name, state, restarts)| Seen {
            name,
            state,
            pid: Some(1),
            restarts: Some(restarts),
        });
        told(&roll.look(&limits, pods))
    };
    assert_snapshot!([
        // The old one finishes its job, and has its own release's restarts behind it.
        look(&[("old", "ENDING", 7), ("a", "RUNNING", 0), ("b", "RUNNING", 0)]),
        // A third one is no restart, nor is it that the old one is gone.
        look(&[("a", "RUNNING", 1), ("b", "RUNNING", 0), ("c", "RUNNING", 0)]),
        // One is evicted, and the one that comes for it has failed once already.
        look(&[("a", "RUNNING", 1), ("b", "ENDING", 0), ("c", "RUNNING", 0)]),
        look(&[("a", "RUNNING", 1), ("c", "RUNNING", 0), ("d", "RUNNING", 1)]),
        look(&[("a", "FATAL:CrashLoopBackOff", 1), ("c", "RUNNING", 0), ("d", "RUNNING", 1)]),
        look(&[("a", "RUNNING", 2), ("c", "RUNNING", 0), ("d", "RUNNING", 1)]),
    ].join("\n"), @"
    quiet workers: workers started anew 0 times while watched, limit 3
    quiet workers: workers started anew 1 time while watched, limit 3
    quiet workers: workers started anew 1 time while watched, limit 3
    quiet workers: workers started anew 3 times while watched, limit 3
    RINGS workers: workers started anew 3 times while watched, limit 3; a is FATAL:CrashLoopBackOff
    RINGS workers: workers started anew 4 times while watched, limit 3
    ");
}

#[test]
fn answers_of_prometheus_are_read_as_it_documents_them() {
    let said = |status: u16, body: Value| {
        let body = if let Value::String(text) = body {
            text
        } else {
            body.to_string()
        };
        let told_of = Answer {
            status,
            body,
            ..Answer::default()
        };
        match answer(&prometheus(0.5), &told_of) {
            Ok(look) => told(&look),
            Err(why) => why,
        }
    };
    let result = |kind: &str, result: Value| json!({ "status": "success", "data": { "resultType": kind, "result": result } });
    let series = |value: &str| json!({ "metric": { "__name__": "up" }, "value": [1_435_781_451.781, value] });
    assert_snapshot!([
        said(200, result("scalar", json!([1_435_781_451.781, "0.5"]))),
        said(200, result("vector", json!([series("0.1"), series("NaN"), series("0.75")]))),
        said(200, result("vector", json!([series("+Inf")]))),
        said(200, result("vector", json!([series("NaN")]))),
        said(200, result("vector", json!([]))),
        said(200, result("matrix", json!([]))),
        said(200, result("vector", json!([series("many")]))),
        said(400, json!({ "status": "error", "errorType": "bad_data", "error": "invalid parameter \"query\": 1:2: parse error\u{1b}[2J" })),
        said(401, "Unauthorized\n".into()),
        said(200, "<html>".into()),
        said(0, "connection refused".into()),
    ].join("\n"), @r#"
    quiet errors: 0.5, limit 0.5
    RINGS errors: 0.75, the highest of 3, limit 0.5
    RINGS errors: inf, limit 0.5
    quiet errors: no number, limit 0.5
    quiet errors: no number, limit 0.5
    the query gives neither a number nor a vector of numbers
    the query gives neither a number nor a vector of numbers
    Prometheus says: invalid parameter "query": 1:2: parse error
    HTTP 401: Unauthorized
    HTTP 200: <html>
    no answer: connection refused
    "#);
}

#[test]
fn a_query_is_escaped_whole() {
    assert_eq!(
        query_url(&prometheus(0.0)),
        "https://prometheus.example.com/p/api/v1/query?query=sum%28rate%28x%7Ba%3D%22%C3%BC%22%7D%5B1m%5D%29%29"
    );
}

#[test]
fn a_line_rings_by_its_status_and_what_it_said_is_tame() {
    let command = Command {
        name: "checkout".into(),
        run: "x".into(),
        then: Then::RollBack,
    };
    let look = |status, said: &str| told(&ended(&command, status, said));
    assert_snapshot!([
        look(0, "all is well"),
        look(3, "\u{1b}[31mno payment\u{7}"),
        look(1, ""),
        look(124, "waiting"),
    ].join("\n"), @"
    quiet checkout: exit 0
    RINGS checkout: exit 3: no payment
    RINGS checkout: exit 1
    RINGS checkout: not done after a minute: waiting
    ");
    let why = Alarm::Command(command).unreadable(&"\u{1b}no\n".repeat(1000));
    assert!(why.rings && !why.seen.contains(char::is_control), "{why:?}");
    assert!(why.seen.len() < 300, "{why:?}");
}

#[test]
fn only_ringing_without_a_pause_counts() {
    let mut row = InARow::default();
    let look = |alarm: &str, rings| Look {
        alarm: alarm.into(),
        value: None,
        limit: None,
        rings,
        seen: String::new(),
    };
    // What cannot be looked at has another name than what can.
    let heard = [
        vec![look("queue", true)],
        vec![look("failed jobs", false), look("overdue jobs", false)],
        vec![look("failed jobs", true), look("overdue jobs", false)],
        vec![look("failed jobs", false), look("overdue jobs", true)],
        vec![look("failed jobs", false), look("overdue jobs", false)],
    ];
    assert_eq!(heard.map(|looks| row.hear(&looks)), [1, 0, 1, 2, 0]);
}

use super::*;

/// The example of the Standard Webhooks specification.
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secrets(tokens: &[&str], signing: &[&str]) -> HookSecrets {
    let all = |texts: &[&str]| texts.iter().map(|text| SecretString::from(*text)).collect();
    HookSecrets {
        tokens: all(tokens),
        signing: all(signing),
    }
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn signed(id: &str, at: &str, signature: &str) -> HeaderMap {
    headers(&[
        ("webhook-id", id),
        ("webhook-timestamp", at),
        ("webhook-signature", signature),
    ])
}

fn judged(headers: &HeaderMap, secrets: &HookSecrets, seconds_later: i64) -> Result<(), Unproven> {
    let now = Timestamp::from_second(AT + seconds_later).unwrap();
    proof(headers, secrets)?.verify(BODY, now)
}

#[test]
fn the_example_of_the_specification_is_proven_by_any_live_secret() {
    let at = AT.to_string();
    let right = signed(ID, &at, SIGNATURE);
    let other = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    for signing in [&[SECRET][..], &[SECRET, other], &[other, SECRET]] {
        assert_eq!(judged(&right, &secrets(&[], signing), 0), Ok(()));
    }
    let wrong = Err(Unproven::WrongSignature);
    assert_eq!(judged(&right, &secrets(&[], &[other]), 0), wrong);
    let several = format!("v2,zzz v1,AAAA {SIGNATURE}");
    assert_eq!(
        judged(&signed(ID, &at, &several), &secrets(&[], &[SECRET]), 0),
        Ok(())
    );
    assert_eq!(
        judged(
            &signed("msg_other", &at, SIGNATURE),
            &secrets(&[], &[SECRET]),
            0
        ),
        wrong
    );
    let later = (AT + 1).to_string();
    assert_eq!(
        judged(&signed(ID, &later, SIGNATURE), &secrets(&[], &[SECRET]), 0),
        wrong
    );
}

#[test]
fn a_signature_counts_for_five_minutes() {
    let right = signed(ID, &AT.to_string(), SIGNATURE);
    for (seconds, held) in [
        (300, Ok(())),
        (301, Err(Unproven::Stale)),
        (-301, Err(Unproven::Stale)),
    ] {
        assert_eq!(
            judged(&right, &secrets(&[], &[SECRET]), seconds),
            held,
            "{seconds}"
        );
    }
    // Whoever cannot sign is not told of clocks.
    let wrong = signed(ID, &AT.to_string(), "v1,AAAA");
    assert_eq!(
        judged(&wrong, &secrets(&[], &[SECRET]), 9000),
        Err(Unproven::WrongSignature)
    );
}

#[test]
fn with_a_signing_secret_a_token_alone_proves_nothing() {
    let both = secrets(&["the token of this hook"], &[SECRET]);
    let token = headers(&[("x-gitlab-token", "the token of this hook")]);
    assert_eq!(judged(&token, &both, 0), Err(Unproven::Unsigned));
    assert_eq!(
        judged(&signed(ID, &AT.to_string(), SIGNATURE), &both, 0),
        Ok(())
    );
    for (id, at, signature) in [
        (ID, "yesterday", SIGNATURE),
        (ID, "1614265330", ""),
        (ID, "1614265330", "v1a,AAAA"),
        (ID, "1614265330", "v1,%%%"),
    ] {
        let bad = signed(id, at, signature);
        assert_eq!(
            judged(&bad, &both, 0),
            Err(Unproven::Malformed),
            "{at} {signature}"
        );
    }
    let mut twice = signed(ID, &AT.to_string(), SIGNATURE);
    twice.append("webhook-id", "another".parse().unwrap());
    assert_eq!(judged(&twice, &both, 0), Err(Unproven::Malformed));
}

#[test]
fn a_token_is_compared_whole() {
    let live = secrets(&["the token of yesterday", "the token of today"], &[]);
    let token = |text: &str| judged(&headers(&[("x-gitlab-token", text)]), &live, 0);
    assert_eq!(
        (token("the token of yesterday"), token("the token of today")),
        (Ok(()), Ok(()))
    );
    for wrong in [
        "",
        "the token of",
        "the token of today ",
        "the token of today!",
        "THE TOKEN OF TODAY",
    ] {
        assert_eq!(token(wrong), Err(Unproven::WrongToken), "{wrong}");
    }
    assert_eq!(judged(&HeaderMap::new(), &live, 0), Err(Unproven::NoToken));
    let twice = [
        ("x-gitlab-token", "the token of today"),
        ("x-gitlab-token", "x"),
    ];
    assert_eq!(
        judged(&headers(&twice), &live, 0),
        Err(Unproven::WrongToken)
    );
}

#[test]
fn a_delivery_is_known_again_by_what_is_signed_then_by_its_key_then_by_a_digest() {
    let all = [
        ("x-gitlab-event", "Push Hook"),
        ("x-gitlab-event-uuid", "shared"),
        ("x-gitlab-webhook-uuid", "hook"),
        ("idempotency-key", "key"),
        ("webhook-id", "signed"),
    ];
    let plain = secrets(&["token"], &[]);
    let id = |pairs: &[(&'static str, &str)], secrets: &HookSecrets, body: &[u8]| {
        Headers::read(&headers(pairs), body, secrets).map(|headers| headers.delivery)
    };
    assert_eq!(id(&all, &secrets(&[], &[SECRET]), b"{}").unwrap(), "signed");
    assert_eq!(id(&all, &plain, b"{}").unwrap(), "key");
    let digest = |body: &[u8]| id(&all[..3], &plain, body).unwrap();
    assert_eq!(digest(b"{}"), digest(b"{}"));
    assert_ne!(digest(b"{}"), digest(b"{} "));
    assert!(digest(b"{}").starts_with("sha256:"));
    let odd = [("x-gitlab-event", "Push Hook"), ("idempotency-key", "a b")];
    assert_eq!(
        id(&odd, &plain, b""),
        Err(BadDelivery::Header("idempotency-key"))
    );
    let evil = [("x-gitlab-event", "Push; rm")];
    assert_eq!(
        id(&evil, &plain, b""),
        Err(BadDelivery::Header("X-Gitlab-Event"))
    );
}

fn body(kind: &str, name: &str, after: &str, checkout: Option<&str>) -> Vec<u8> {
    serde_json::json!({
        "object_kind": kind, "ref": name, "after": after, "checkout_sha": checkout, "user_username": "alice",
        "project": {"path_with_namespace": "acme/web/shop"},
    })
    .to_string()
    .into_bytes()
}

#[test]
fn a_push_says_what_moved() {
    let (sha, zeros) = ("a".repeat(40), "0".repeat(40));
    let moved = |body: &[u8]| match read("Push Hook", body).unwrap() {
        Delivered::Push(push) => {
            assert_eq!(
                (push.repository.as_str(), push.pusher.as_str()),
                ("acme/web/shop", "alice")
            );
            format!("{:?}", push.what)
        }
        other => format!("{other:?}"),
    };
    let told = [
        moved(&body("push", "refs/heads/main", &sha, Some(&sha))),
        moved(&body("push", "refs/heads/main", &zeros, None)),
        moved(&body("push", "refs/heads/main", &sha, None)),
        moved(&body("tag_push", "refs/tags/v1", &sha, Some(&sha))),
        moved(&body("wiki_page", "refs/heads/main", &sha, Some(&sha))),
    ];
    insta::assert_snapshot!(told.join("\n"), @r#"
    Branch { name: "main", commit: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
    Deleted { name: "refs/heads/main" }
    Deleted { name: "refs/heads/main" }
    Other { name: "refs/tags/v1" }
    Other
    "#);
    let short = body("push", "refs/heads/main", "--upload-pack=x", Some(&sha));
    assert_eq!(read("Push Hook", &short), Err(BadDelivery::Commit));
}

#[test]
fn a_push_is_about_its_newest_commit_wherever_that_stands() {
    let sha = "a".repeat(40);
    let mut payload: serde_json::Value =
        serde_json::from_slice(&body("push", "refs/heads/main", &sha, Some(&sha))).unwrap();
    payload["commits"] = serde_json::json!([
        {"id": sha, "message": "mend the cart\n\nIt lost a line."},
        {"id": "b".repeat(40), "message": "earlier"},
    ]);
    let Ok(Delivered::Push(push)) = read("Push Hook", payload.to_string().as_bytes()) else {
        panic!("{payload} is a push")
    };
    assert_eq!(push.subject.as_deref(), Some("mend the cart"));
}

#[test]
fn a_payload_error_names_the_place_and_no_value() {
    let error = read(
        "Push Hook",
        br#"{"object_kind": "push", "ref": 7, "after": "sesame"}"#,
    );
    let text = error.unwrap_err().to_string();
    assert!(
        text.contains("a Push Hook: a field is missing or of another type, line 1"),
        "{text}"
    );
    assert!(!text.contains("sesame"), "{text}");
    assert!(
        read("Push Hook", b"{")
            .unwrap_err()
            .to_string()
            .contains("ends too early")
    );
    assert!(read("Push Hook", b"\xff\xfe").is_err());
}

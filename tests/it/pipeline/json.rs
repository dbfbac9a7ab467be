//! What commands print for machines is JSON, whatever happens, and says why.

use serde_json::{Value, json};

use super::scene::Scene;

/// What a command prints on standard output, and its exit code.
async fn printed(scene: &Scene, arguments: &[&str]) -> (i32, Value) {
    let ended = scene.cutover(arguments).output().await.unwrap();
    let text = scene.tame(&String::from_utf8(ended.stdout).unwrap());
    let value = serde_json::from_str(&text);
    let value = value.unwrap_or_else(|error| panic!("{arguments:?}: {error}: {text}"));
    (ended.status.code().unwrap(), value)
}

#[tokio::test]
async fn a_check_for_machines_is_an_object_whatever_is_wrong() {
    let mut scene = Scene::plain().await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    let (code, said) = printed(&scene, &["check", "--json"]).await;
    let well = json!([{ "environment": "production", "failures": [] }]);
    assert_eq!((code, &said["problems"]), (0, &json!([])), "{said:#}");
    assert_eq!(said["environments"], well, "{said:#}");
    let (code, said) = printed(&scene, &["check", "--offline", "--json"]).await;
    assert_eq!(code, 0);
    assert_eq!(said, json!({ "problems": [], "environments": [] }));

    scene.host().go_down().await;
    let (code, said) = printed(&scene, &["check", "production", "--json"]).await;
    let failure = &said["environments"][0]["failures"][0];
    assert_eq!((code, &failure["step"]), (2, &json!("greet")), "{said:#}");
    scene.host().come_up().await;

    let (code, said) = printed(&scene, &["check", "staging", "--json"]).await;
    assert_eq!(code, 2);
    assert_eq!(
        said,
        json!({
            "problems": [{
                "message": "there is no environment \"staging\"",
                "hint": "There are: production.",
            }],
            "environments": [],
        })
    );

    scene.text = scene
        .text
        .replace("app = \"shop\"", "app = \"shop\"\nap = 1");
    for command in [&["check", "--json"][..], &["check", "--offline", "--json"]] {
        let (code, said) = printed(&scene, command).await;
        assert_eq!(code, 2, "{said:#}");
        let problem = &said["problems"][0];
        let place = (&problem["line"], &problem["column"], &problem["key"]);
        assert_eq!(place, (&json!(2), &json!(1), &json!("ap")), "{said:#}");
        assert_eq!(problem["message"], "unknown key");
        assert_eq!(problem["hint"], "did you mean `app`?");
    }
    scene.close().await;
}

#[tokio::test]
async fn releases_for_machines_say_why_a_host_told_none() {
    let scene = Scene::plain().await;
    assert_eq!(scene.deploy(&[]).await.exit(), 0);
    let releases = ["releases", "production", "--json"];
    let (code, said) = printed(&scene, &releases).await;
    let web1 = &said["web1"];
    assert_eq!((code, &web1["failure"]), (0, &Value::Null), "{said:#}");
    assert_eq!(web1["releases"]["r1"]["state"], "healthy", "{said:#}");
    scene.host().go_down().await;
    let (code, said) = printed(&scene, &releases).await;
    let web1 = &said["web1"];
    assert_eq!((code, &web1["releases"]), (1, &Value::Null), "{said:#}");
    assert_eq!(web1["failure"]["step"], "greet", "{said:#}");
    let why = web1["failure"]["message"].as_str().unwrap();
    assert!(why.contains("refused"), "{said:#}");
    scene.host().come_up().await;
    scene.close().await;
}

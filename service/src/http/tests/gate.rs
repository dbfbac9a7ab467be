use super::*;

const GUARDED: [&str; 9] = [
    "/",
    "/environments/shop/production",
    "/deployments/ID",
    "/deployments/ID.json",
    "/deployments/ID/events",
    "/api/v1/environments",
    "/api/v1/deployments/ID",
    "/api/v1/deployments/ID/events",
    "/metrics",
];

fn browser(path: &str) -> axum::http::request::Builder {
    Request::get(path).header("accept", "text/html,*/*;q=0.8")
}

async fn form(world: &World, body: &str) -> Told {
    let request = Request::post("/login")
        .header("accept", "text/html")
        .header("content-type", "application/x-www-form-urlencoded");
    world
        .ask(request.body(Body::from(body.to_owned())).unwrap())
        .await
}

#[tokio::test]
async fn nobody_reads_anything_without_a_token() {
    let world = World::start().await;
    let told = world.send(main_push()).await.json();
    let id = told["deployments"][0]["id"].as_str().unwrap().to_owned();
    for path in GUARDED {
        let path = path.replace("ID", &id);
        let without = Request::get(&path);
        let wrong = Request::get(&path).header("authorization", "Bearer a token for the page");
        let forged =
            Request::get(&path).header("cookie", "__Host-cutover=9999999999.00; cutover=1.2");
        for request in [without, wrong, forged, browser(&path)] {
            let told = world.ask(request.body(Body::empty()).unwrap()).await;
            assert_eq!(told.status, 401, "{path}: {}", told.text);
            assert_eq!(told.headers["www-authenticate"], "Bearer realm=\"cutover\"");
            assert!(
                !told.text.contains("alice") && !told.text.contains("production</"),
                "{}",
                told.text
            );
        }
    }
    for path in ["/healthz", "/readyz", "/style.css", "/live.js", "/login"] {
        let told = world
            .ask(Request::get(path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(told.status, 200, "{path}");
    }
}

#[tokio::test]
async fn every_address_that_is_not_open_on_purpose_is_guarded() {
    let source = include_str!("../../http.rs");
    let routes = source.split(".route(\"").skip(1);
    let routes: Vec<&str> = routes.filter_map(|rest| rest.split('"').next()).collect();
    let open = [
        "/login",
        "/logout",
        "/style.css",
        "/live.js",
        "/icon.svg",
        "/healthz",
        "/readyz",
    ];
    let world = World::start().await;
    let mut guarded = 0;
    for route in routes {
        if open.contains(&route) || route.starts_with("/hooks/") {
            continue;
        }
        let path = route.replace(['{', '}'], "");
        let told = world
            .ask(Request::get(&path).body(Body::empty()).unwrap())
            .await;
        assert_eq!(told.status, 401, "{route}");
        guarded += 1;
    }
    assert!(guarded >= 7, "the routes were found");
}

#[tokio::test]
async fn a_token_in_the_form_opens_a_session_that_leads_to_where_one_wanted() {
    let world = World::start().await;
    let turned_away = world
        .ask(
            browser("/environments/shop/staging?x=%3Cb%3E")
                .body(Body::empty())
                .unwrap(),
        )
        .await;
    assert_eq!(turned_away.status, 401);
    assert!(
        turned_away.text.contains(
            "name=\"next\" value=\"&#x2f;environments&#x2f;shop&#x2f;staging?x=%3Cb%3E\""
        ),
        "{}",
        turned_away.text
    );
    let token = TOKEN.replace(' ', "+");
    let told = form(
        &world,
        &format!("token={token}&next=%2Fenvironments%2Fshop%2Fstaging"),
    )
    .await;
    assert_eq!(told.status, 303, "{}", told.text);
    assert_eq!(told.headers["location"], "/environments/shop/staging");
    let set = told.headers["set-cookie"].to_str().unwrap().to_owned();
    let cookie = set.split(';').next().unwrap();
    let page = browser("/environments/shop/staging").header("cookie", cookie);
    let page = world.ask(page.body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, 200, "{}", page.text);
    let out = Request::post("/logout").body(Body::empty()).unwrap();
    let out = world.ask(out).await;
    assert!(
        out.headers["set-cookie"]
            .to_str()
            .unwrap()
            .starts_with("__Host-cutover=; Path=/; Max-Age=0;")
    );
}

#[tokio::test]
async fn a_wrong_token_is_told_and_what_to_do_and_opens_nothing() {
    let world = World::start().await;
    for body in [
        "token=guessed&next=/",
        "token=",
        "token=a+token+for+the+page",
    ] {
        let told = form(&world, body).await;
        assert_eq!(told.status, 401, "{body}");
        assert!(told.headers.get("set-cookie").is_none());
        assert!(
            told.text.contains("This token is not known here. Ask "),
            "{}",
            told.text
        );
        assert!(!told.text.contains("guessed"), "{}", told.text);
    }
    let long = form(&world, &format!("token={}", "x".repeat(20_000))).await;
    assert_eq!(long.status, 413);
}

#[tokio::test]
async fn a_link_from_elsewhere_is_followed_once_more_from_here() {
    let world = World::start().await;
    let ask = async |site: &str| {
        let request = browser("/").header("sec-fetch-site", site);
        world.ask(request.body(Body::empty()).unwrap()).await.text
    };
    let again = "<meta http-equiv=\"refresh\" content=\"0\">";
    assert!(ask("cross-site").await.contains(again));
    assert!(!ask("same-origin").await.contains(again));
}

//! Who may read: whoever shows a token, or the session that a token opened. Never by address: behind a proxy or a
//! tunnel everybody comes from loopback, and so do the build steps of every repository that is deployed from here.

use std::sync::Arc;

use axum::extract::{Form, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::json;
use sha2::Sha256;
use tracing::warn;

use super::Door;
use super::pages;
use super::rejection::Rejection;

/// A browser asks for the token again after this long.
const SESSION: SignedDuration = SignedDuration::from_hours(7 * 24);
const COOKIE: &str = "cutover";
/// Browsers take a cookie of this name only over https, for this host alone, and from no subdomain.
const SECURE_COOKIE: &str = "__Host-cutover";

/// The tokens that open the pages.
#[derive(Debug)]
pub(super) struct Gate {
    tokens: Vec<SecretString>,
    secure: bool,
}

/// What the form of the login page sends.
#[derive(Deserialize)]
pub(super) struct Login {
    token: SecretString,
    #[serde(default)]
    next: String,
}

impl Gate {
    /// A gate that any of `tokens` opens. Sessions are for https alone when that is how people reach the service.
    pub(super) fn new(tokens: Vec<SecretString>, public_url: &str) -> Self {
        Self {
            tokens,
            secure: public_url.starts_with("https://"),
        }
    }

    /// The token of ours that equals what was shown, compared in constant time.
    fn token(&self, shown: &str) -> Option<&SecretString> {
        let proof = |token: &str| mac(token, b"token");
        let shown = proof(shown).finalize().into_bytes();
        let mut found = None;
        for token in &self.tokens {
            if proof(token.expose_secret()).verify(&shown).is_ok() {
                found = Some(token);
            }
        }
        found
    }

    fn cookie(&self) -> &'static str {
        if self.secure { SECURE_COOKIE } else { COOKIE }
    }

    /// `<seconds at which it ends>.<proof that one of our tokens opened it>`: nothing is kept here, and a session ends
    /// with its token.
    fn session(&self, token: &SecretString, now: Timestamp) -> HeaderValue {
        let ends = (now + SESSION).as_second();
        let proof = mac(token.expose_secret(), session(ends).as_bytes());
        let proof = hex::encode(proof.finalize().into_bytes());
        self.set_cookie(&format!("{ends}.{proof}"), SESSION.as_secs())
    }

    fn set_cookie(&self, value: &str, max_age: i64) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.cookie();
        let text =
            format!("{name}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::from_str(&text).expect("digits, hex and our own words are a header")
    }

    fn knows_session(&self, value: &str, now: Timestamp) -> bool {
        let Some((ends, proof)) = value.split_once('.') else {
            return false;
        };
        let (Ok(ends), Ok(proof)) = (ends.parse::<i64>(), hex::decode(proof)) else {
            return false;
        };
        let ours = |token: &SecretString| {
            let expected = mac(token.expose_secret(), session(ends).as_bytes());
            expected.verify_slice(&proof).is_ok()
        };
        ends > now.as_second() && self.tokens.iter().any(ours)
    }

    /// Whether a request with these headers may read.
    fn opens(&self, headers: &HeaderMap, now: Timestamp) -> bool {
        if let Some(shown) = headers.get(header::AUTHORIZATION) {
            let shown = shown.to_str().unwrap_or_default();
            let token = shown.split_once(' ').map(|(scheme, token)| {
                let token = token.trim();
                scheme.eq_ignore_ascii_case("bearer") && self.token(token).is_some()
            });
            return token.unwrap_or(false);
        }
        let cookies = headers.get_all(header::COOKIE).iter();
        let cookies = cookies.filter_map(|cookies| cookies.to_str().ok());
        cookies
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .any(|(name, value)| name == self.cookie() && self.knows_session(value, now))
    }
}

fn mac(key: &str, text: &[u8]) -> Hmac<Sha256> {
    Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .expect("HMAC takes a key of any length")
        .chain_update(text)
}

fn session(ends: i64) -> String {
    format!("session until {ends}")
}

/// Lets through who may read; a browser gets the login page instead, anybody else is told how to ask.
pub(super) async fn guard(State(door): State<Arc<Door>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if door.gate.opens(headers, cutover_deploy::now()) {
        return next.run(request).await;
    }
    let uri = request.uri();
    if uri.path().starts_with("/api/") || !pages::wants_page(headers) {
        return Rejection::Unknown.into_response();
    }
    let wanted = uri.path_and_query().map_or("/", |wanted| wanted.as_str());
    // A link on another site brings no SameSite=Strict cookie. The page loads once more, now from here, with it.
    let has_come_over = headers
        .get("sec-fetch-site")
        .is_some_and(|site| site == "cross-site");
    login_page(&door, wanted, &json!({ "again": has_come_over }))
}

fn login_page(door: &Door, next: &str, told: &serde_json::Value) -> Response {
    let values = json!({ "next": next, "wrong": told["wrong"], "again": told["again"] });
    let mut page = door.pages.show("login.html", &values);
    *page.status_mut() = StatusCode::UNAUTHORIZED;
    page.headers_mut().insert(
        header::WWW_AUTHENTICATE,
        HeaderValue::from_static("Bearer realm=\"cutover\""),
    );
    page
}

/// `GET /login`.
pub(super) async fn ask(State(door): State<Arc<Door>>, headers: HeaderMap) -> Response {
    if door.gate.opens(&headers, cutover_deploy::now()) {
        return see("/");
    }
    let mut page = login_page(&door, "/", &json!({}));
    *page.status_mut() = StatusCode::OK;
    page
}

/// `POST /login`: a session for who knows a token.
pub(super) async fn login(State(door): State<Arc<Door>>, Form(form): Form<Login>) -> Response {
    let next = local(&form.next);
    let Some(token) = door.gate.token(form.token.expose_secret().trim()) else {
        warn!("somebody tried to read pages with a token that is not known");
        return login_page(&door, next, &json!({ "wrong": true }));
    };
    let session = door.gate.session(token, cutover_deploy::now());
    let mut response = see(next);
    response.headers_mut().insert(header::SET_COOKIE, session);
    response
}

/// `POST /logout`: this browser has no session any more.
pub(super) async fn logout(State(door): State<Arc<Door>>) -> Response {
    let mut response = see("/login");
    let none = door.gate.set_cookie("", 0);
    response.headers_mut().insert(header::SET_COOKIE, none);
    response
}

fn see(place: &str) -> Response {
    let place = HeaderValue::from_str(place).unwrap_or(HeaderValue::from_static("/"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response()
}

/// A path on this service; anything that a browser could read as another host is the front page.
fn local(next: &str) -> &str {
    let plain = |c: char| c.is_ascii_graphic() && c != '\\';
    let here = next.starts_with('/') && !next.starts_with("//") && next.chars().all(plain);
    if here { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate(public_url: &str) -> Gate {
        let tokens = ["yesterday's token, long", "today's token, long"];
        Gate::new(tokens.map(SecretString::from).to_vec(), public_url)
    }

    fn headers(name: header::HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())])
    }

    fn now() -> Timestamp {
        Timestamp::from_second(1_780_000_000).unwrap()
    }

    #[test]
    fn any_token_opens_and_nothing_else_does() {
        let gate = gate("http://127.0.0.1:8787");
        let opens = |value: &str| gate.opens(&headers(header::AUTHORIZATION, value), now());
        assert!(opens("Bearer yesterday's token, long") && opens("bearer today's token, long"));
        for wrong in [
            "Bearer",
            "Bearer ",
            "Bearer today's token",
            "Bearer today's token, longer",
            "Basic today's token, long",
            "today's token, long",
        ] {
            assert!(!opens(wrong), "{wrong}");
        }
        assert!(!gate.opens(&HeaderMap::new(), now()));
    }

    #[test]
    fn a_session_ends_and_cannot_be_prolonged_or_made() {
        let gate = gate("http://127.0.0.1:8787");
        let set = gate.session(&gate.tokens[1], now());
        let value = set.to_str().unwrap().split(';').next().unwrap().to_owned();
        let opens = |value: &str, at| gate.opens(&headers(header::COOKIE, value), at);
        assert!(opens(&format!("theme=dark; {value}"), now()));
        assert!(opens(
            &value,
            now() + SESSION - SignedDuration::from_secs(1)
        ));
        assert!(!opens(&value, now() + SESSION));
        let (ends, proof) = value.split_once('.').unwrap();
        let ends: i64 = ends.strip_prefix("cutover=").unwrap().parse().unwrap();
        for forged in [
            format!("cutover={}.{proof}", ends + 60),
            format!("cutover={ends}."),
            format!("cutover={ends}"),
            format!("cutover={ends}.{}", "0".repeat(64)),
            format!("other={ends}.{proof}"),
        ] {
            assert!(!opens(&forged, now()), "{forged}");
        }
        let without = Gate::new(vec![gate.tokens[0].clone()], "http://127.0.0.1:8787");
        assert!(!without.opens(&headers(header::COOKIE, &value), now()));
    }

    #[test]
    fn the_cookie_is_out_of_reach_of_scripts_other_sites_and_plain_http() {
        let gate = gate("https://deploy.example.com");
        let set = gate.session(&gate.tokens[0], now());
        let set = set.to_str().unwrap();
        assert!(set.starts_with("__Host-cutover="), "{set}");
        assert!(
            set.ends_with("; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict; Secure"),
            "{set}"
        );
        assert!(!set.contains("token"), "{set}");
    }

    #[test]
    fn after_the_login_one_stays_here() {
        assert_eq!(local("/deployments/1?before=5"), "/deployments/1?before=5");
        for elsewhere in [
            "",
            "deployments/1",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nset-cookie: x=1",
            "/\tx",
        ] {
            assert_eq!(local(elsewhere), "/", "{elsewhere:?}");
        }
    }
}

//! Who may do what: personal tokens, an App that proves itself by a signed JWT, and the installation tokens it gets.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::LazyLock;
use std::time::Duration;

use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use serde_json::Value;

/// GitHub refuses a JWT that claims to live longer than this.
const LONGEST_JWT: i64 = 600;
/// How long an installation token lives.
const TOKEN_LIFE: Duration = Duration::from_hours(1);

/// Making a key takes long, and one is as good as another for every App of a test process.
static KEY: LazyLock<KeyPair> = LazyLock::new(|| {
    KeyPair::generate(KeySize::Rsa2048).expect("an RSA key of 2048 bits can be made")
});

/// How far a permission reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Read,
    Write,
}

/// What the holder of a token may do. Without repositories named, it reaches all.
#[derive(Debug, Clone)]
pub(super) struct Grant {
    pub(super) login: String,
    pub(super) permissions: BTreeMap<String, Level>,
    repositories: Option<Vec<String>>,
    expires: Option<Timestamp>,
}

/// A GitHub App, installed for every repository of the owners that it was installed for.
#[derive(Clone)]
pub struct App {
    pub id: u64,
    pub installation: u64,
    pub(super) slug: String,
    pub(super) permissions: BTreeMap<String, Level>,
    pub(super) repositories: Option<Vec<String>>,
    pub(super) created: Timestamp,
}

#[derive(Debug, Default)]
pub(super) struct Access {
    pub(super) app: Option<App>,
    tokens: BTreeMap<String, Grant>,
}

/// Who a request comes from.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    App,
    Holder(Grant),
}

/// Why a request is not let in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stranger {
    /// No `Authorization` at all.
    Nobody,
    /// A token that once was good: no fault of the caller's.
    Expired,
    /// A token, JWT or scheme that was never good; the text is what GitHub says.
    Bad(String),
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: Value,
    iat: i64,
    exp: i64,
}

impl App {
    /// The private key, PKCS#8 in PEM, as a person downloads it from GitHub.
    pub fn private_key_pem(&self) -> String {
        let der: Pkcs8V1Der<'_> = KEY.as_der().expect("a fresh RSA key has a PKCS#8 form");
        pem::encode(&pem::Pem::new("PRIVATE KEY", der.as_ref()))
    }
}

impl fmt::Debug for App {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "App {} ({}), installation {}",
            self.id, self.slug, self.installation
        )
    }
}

impl Access {
    pub(super) fn add_token(
        &mut self,
        token: &str,
        login: &str,
        permissions: BTreeMap<String, Level>,
    ) {
        let grant = Grant {
            login: login.to_owned(),
            permissions,
            repositories: None,
            expires: None,
        };
        self.tokens.insert(token.to_owned(), grant);
    }

    /// Gives out a token of the App's installation, no wider than the installation itself.
    pub(super) fn issue(
        &mut self,
        permissions: BTreeMap<String, Level>,
        repositories: Option<Vec<String>>,
    ) -> (String, Timestamp) {
        let token = format!(
            "ghs_{}{}",
            uuid::Uuid::new_v4().simple(),
            &uuid::Uuid::new_v4().simple().to_string()[..4]
        );
        let expires = Timestamp::now() + TOKEN_LIFE;
        let login = format!("{}[bot]", self.app.as_ref().map_or("app", |app| &app.slug));
        self.tokens.insert(
            token.clone(),
            Grant {
                login,
                permissions,
                repositories,
                expires: Some(expires),
            },
        );
        (token, expires)
    }

    /// Ends every installation token that was given out, as an hour would.
    pub(super) fn expire_tokens(&mut self) {
        for grant in self
            .tokens
            .values_mut()
            .filter(|grant| grant.expires.is_some())
        {
            grant.expires = Some(Timestamp::now() - Duration::from_secs(1));
        }
    }

    pub(super) fn revoke(&mut self, token: &str) {
        self.tokens.remove(token);
    }

    /// Says who sent this `Authorization` header.
    pub(super) fn caller(&self, authorization: Option<&str>) -> Result<Caller, Stranger> {
        let bad = || Stranger::Bad("Bad credentials".to_owned());
        let (scheme, secret) = authorization
            .ok_or(Stranger::Nobody)?
            .split_once(' ')
            .ok_or_else(bad)?;
        if !["bearer", "token"].contains(&scheme.to_lowercase().as_str()) {
            return Err(bad());
        }
        if secret.matches('.').count() == 2 {
            return self
                .verified(secret)
                .map(|()| Caller::App)
                .map_err(Stranger::Bad);
        }
        let grant = self.tokens.get(secret).ok_or_else(bad)?;
        match grant.expires {
            Some(end) if end <= Timestamp::now() => Err(Stranger::Expired),
            _ => Ok(Caller::Holder(grant.clone())),
        }
    }

    /// Proves a JWT to be the App's: RS256 by its key, its id as issuer, young and short-lived.
    fn verified(&self, jwt: &str) -> Result<(), String> {
        let undecodable = "A JSON web token could not be decoded";
        let app = self.app.as_ref().ok_or("Integration not found")?;
        // The issuer is looked at below: GitHub takes it as a number too, which this check does not.
        let mut validation = Validation::new(Algorithm::RS256);
        validation.set_required_spec_claims(&["exp"]);
        let key = DecodingKey::from_rsa_der(KEY.public_key().as_ref());
        let claims = jsonwebtoken::decode::<Claims>(jwt, &key, &validation).map_err(|error| match error.kind() {
            jsonwebtoken::errors::ErrorKind::ExpiredSignature => {
                "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the \
                 assertion expires"
            }
            _ => undecodable,
        })?;
        let Claims { iss, iat, exp } = claims.claims;
        let now = Timestamp::now().as_second();
        let issuer = iss.as_str().map_or_else(|| iss.to_string(), str::to_owned);
        if issuer != app.id.to_string() {
            return Err("Integration not found".to_owned());
        }
        if exp > now + LONGEST_JWT {
            return Err("'Expiration time' claim ('exp') is too far in the future".to_owned());
        }
        if iat > now {
            return Err(
                "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
                    .to_owned(),
            );
        }
        Ok(())
    }
}

impl Grant {
    pub(super) fn reaches(&self, repository: &str) -> bool {
        self.repositories
            .as_ref()
            .is_none_or(|known| known.iter().any(|name| name == repository))
    }

    pub(super) fn allows(&self, permission: &str, level: Level) -> bool {
        self.permissions
            .get(permission)
            .is_some_and(|granted| *granted >= level)
    }
}

impl App {
    pub(super) fn installed_for(&self, repository: &str) -> bool {
        self.repositories
            .as_ref()
            .is_none_or(|known| known.iter().any(|name| name == repository))
    }
}

/// Reads permissions as GitHub writes them: `{"deployments": "write"}`.
pub(super) fn permissions(value: &Value) -> BTreeMap<String, Level> {
    let level = |value: &Value| {
        if value == "read" {
            Level::Read
        } else {
            Level::Write
        }
    };
    value
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| (name.clone(), level(value)))
        .collect()
}

/// Writes permissions as GitHub does.
pub(super) fn permissions_json(permissions: &BTreeMap<String, Level>) -> Value {
    let word = |level: &Level| {
        if *level == Level::Read {
            "read"
        } else {
            "write"
        }
    };
    permissions
        .iter()
        .map(|(name, level)| (name.clone(), Value::from(word(level))))
        .collect()
}

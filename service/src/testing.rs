//! Values for the tests of this crate.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use cutover_deploy::config::{
    Address, Alarms, Build, Config, Destructive, Environment, ForgeKind, Host, Migrations,
    OnRollback, Recipe, Repository, Role, Sandbox, Shared, Steps, Strategy,
};
use cutover_deploy::{
    AppName, CommitSha, DatabaseName, DeployRequest, DeploymentId, EnvironmentName, HostName, Kind,
};
use jiff::Timestamp;
use secrecy::SecretString;

use crate::settings::{App, GitHub, Login, Settings};
use crate::store::{
    Answer, Deployment, Enqueued, NewDelivery, NewDeployment, State, Store, TakenIn,
};

pub(crate) fn commit(digit: char) -> CommitSha {
    CommitSha::parse(&digit.to_string().repeat(40)).unwrap()
}

pub(crate) fn config(app: &str, repository: &str, environments: &[(&str, Option<&str>)]) -> Config {
    let environments = environments.iter().map(|(name, branch)| {
        let environment = environment(name, *branch);
        (environment.name.clone(), environment)
    });
    Config {
        app: AppName::parse(app).unwrap(),
        repository: Repository {
            forge: ForgeKind::GitHub,
            path: repository.to_owned(),
        },
        recipe: Recipe::None,
        build: Build {
            steps: Vec::new(),
            exclude: Vec::new(),
            env: BTreeMap::new(),
            timeout: Duration::from_mins(1),
            sandbox: Sandbox::Auto,
        },
        shared: Shared {
            files: Vec::new(),
            dirs: Vec::new(),
        },
        steps: Steps {
            prepare: Vec::new(),
            preflight: Vec::new(),
            preview: Vec::new(),
            migrate: Vec::new(),
            migrate_back: Vec::new(),
            before_swap: Vec::new(),
            after_swap: Vec::new(),
            after_health: Vec::new(),
        },
        environments: environments.collect(),
    }
}

fn environment(name: &str, branch: Option<&str>) -> Environment {
    Environment {
        name: EnvironmentName::parse(name).unwrap(),
        branch: branch.map(str::to_owned),
        path: "/srv/shop".to_owned(),
        url: Some("https://shop.example.com".to_owned()),
        keep_releases: 5,
        keep_failed: 1,
        lock_wait: Duration::from_secs(1),
        step_timeout: Duration::from_mins(1),
        strategy: Strategy::All,
        batch: 1,
        watch: Duration::ZERO,
        alarms: Alarms {
            interval: Duration::from_secs(10),
            times: 2,
            access_log: None,
            queue: None,
            workers: None,
            prometheus: Vec::new(),
            commands: Vec::new(),
        },
        migrations: Migrations {
            destructive: Destructive::Refuse,
            on_rollback: OnRollback::Keep,
        },
        hosts: vec![Host {
            name: HostName::parse("web1").unwrap(),
            environment: EnvironmentName::parse(name).unwrap(),
            address: Address {
                user: None,
                host: "web1.example.com".to_owned(),
                port: 22,
            },
            roles: vec![Role::Web],
            database: DatabaseName::parse("default").unwrap(),
        }],
        health: None,
        workers: Vec::new(),
        php_fpm: None,
        runtimes: Vec::new(),
    }
}

pub(crate) fn request(id: &str, digit: char) -> DeployRequest {
    DeployRequest {
        deployment: DeploymentId::parse(id).unwrap(),
        kind: Kind::Deploy {
            commit: commit(digit),
        },
        actor: "github push by alice".to_owned(),
        run_url: Some(format!("https://deploy.example.com/deployments/{id}")),
        keeper: None,
        plan_digest: None,
        allow_destructive: false,
        requested_at: Timestamp::from_second(1_780_000_000).unwrap(),
    }
}

pub(crate) fn deployment(environment: &str, digit: char) -> Deployment {
    Deployment {
        id: DeploymentId::parse("d1").unwrap(),
        ordinal: 1,
        app: AppName::parse("shop").unwrap(),
        environment: EnvironmentName::parse(environment).unwrap(),
        repository: "acme/shop".to_owned(),
        environment_url: Some("https://shop.example.com".to_owned()),
        branch: Some("main".to_owned()),
        request: request("d1", digit),
        state: State::Running,
        outcome: None,
        release: None,
        live: None,
        asked_by: None,
        superseded_by: None,
        not_before: None,
        started_at: None,
        ended_at: None,
    }
}

pub(crate) const WEBHOOK_SECRET: &str = "a webhook secret of some length";

pub(crate) async fn store(dir: &Path) -> Store {
    Store::open(&dir.join("a ledger%20?#.db")).await.unwrap()
}

pub(crate) fn wanted(id: &str, environment: &str, digit: char) -> NewDeployment {
    NewDeployment {
        app: AppName::parse("shop").unwrap(),
        environment: EnvironmentName::parse(environment).unwrap(),
        repository: "acme/shop".to_owned(),
        environment_url: Some("https://shop.example.com".to_owned()),
        branch: Some("main".to_owned()),
        request: request(id, digit),
    }
}

/// Queues a deployment by a delivery of its own.
pub(crate) async fn queue(store: &Store, id: &str, environment: &str, digit: char) -> Enqueued {
    let delivery = NewDelivery {
        forge: "github",
        id,
        event: "push",
        hook_id: None,
        body: Some("{}"),
        received_at: cutover_deploy::now(),
    };
    let new = wanted(id, environment, digit);
    let answer = |_: &[Enqueued]| Answer {
        status: 202,
        body: serde_json::json!({}),
    };
    match store.take_in(&delivery, &[new], answer).await.unwrap() {
        TakenIn::New(_, mut enqueued) => enqueued.remove(0),
        TakenIn::Duplicate(first) => panic!("{id} was there before: {first:?}"),
    }
}

pub(crate) fn settings(dir: &Path, apps: Vec<Config>) -> Settings {
    let apps = apps.into_iter().map(|config| App {
        config,
        file: dir.join("cutover.toml"),
        access: cutover_deploy::run::Access::default(),
        git_url: None,
    });
    Settings {
        listen: "127.0.0.1:0".parse().unwrap(),
        public_url: None,
        data_dir: dir.to_owned(),
        github: Some(GitHub {
            webhook_secrets: vec![
                SecretString::from("an older secret"),
                SecretString::from(WEBHOOK_SECRET),
            ],
            login: Login::Token(SecretString::from("token")),
            api_url: "http://127.0.0.1:1".to_owned(),
        }),
        gitlab: None,
        chat: None,
        pages: crate::settings::Pages::default(),
        apps: apps.collect(),
        secret_files: Vec::new(),
    }
}

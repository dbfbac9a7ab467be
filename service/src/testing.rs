//! Values for the tests of this crate.

use std::collections::BTreeMap;
use std::time::Duration;

use cutover_deploy::config::{
    Address, Build, Config, Environment, ForgeKind, Host, Recipe, Repository, Role, Sandbox,
    Shared, Steps,
};
use cutover_deploy::{
    AppName, CommitSha, DeployRequest, DeploymentId, EnvironmentName, HostName, Kind,
};
use jiff::Timestamp;

use crate::store::{Deployment, State};

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
            timeout: Duration::from_secs(60),
            sandbox: Sandbox::Auto,
        },
        shared: Shared {
            files: Vec::new(),
            dirs: Vec::new(),
        },
        steps: Steps {
            prepare: Vec::new(),
            preflight: Vec::new(),
            migrate: Vec::new(),
            after_swap: Vec::new(),
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
        step_timeout: Duration::from_secs(60),
        hosts: vec![Host {
            name: HostName::parse("web1").unwrap(),
            address: Address {
                user: None,
                host: "web1.example.com".to_owned(),
                port: 22,
            },
            roles: vec![Role::Web],
        }],
        health: None,
        workers: Vec::new(),
        php_fpm: None,
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
        request: request("d1", digit),
        state: State::Running,
        outcome: None,
        release: None,
        live: None,
        superseded_by: None,
        started_at: None,
        ended_at: None,
    }
}

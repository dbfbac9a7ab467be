//! What a push asks for: pure, from the apps that are known and what was delivered, to a decision with reasons.

use cutover_deploy::config::ForgeKind;
use cutover_deploy::{AppName, CommitSha, Config, EnvironmentName};
use serde::Serialize;

use crate::chat::{self, Asked, Comment, Place, Prefixes, judge};
use crate::forge::push::{Moved, Push};
use crate::forge::{self, Delivered};

/// What is done about a delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The hook works.
    Pong,
    /// Nothing, and why.
    Ignored(String),
    /// At least one environment gets a deployment.
    Deploy {
        /// What is to be deployed.
        commit: CommitSha,
        /// Who asked, as people know them.
        actor: String,
        /// The environments that follow the branch.
        wanted: Vec<Wanted>,
        /// The other environments of the repository, and why they do not.
        passed_over: Vec<PassedOver>,
    },
}

/// An environment that follows the branch that was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The app.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
}

/// An environment that a push does not concern.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PassedOver {
    /// The app.
    pub app: AppName,
    /// The environment.
    pub environment: EnvironmentName,
    /// Why.
    pub reason: String,
}

/// Decides what is done about a delivery of this forge's.
pub fn decide<'a>(
    apps: impl Iterator<Item = &'a Config>,
    forge: ForgeKind,
    delivered: &Delivered,
) -> Decision {
    match delivered {
        Delivered::Ping => Decision::Pong,
        Delivered::Other => Decision::Ignored("this event asks for nothing here".to_owned()),
        Delivered::Unheard(why) => Decision::Ignored(why.clone()),
        Delivered::Comment(_) => Decision::Ignored("the comment holds no command".to_owned()),
        Delivered::Push(push) => pushed(apps, forge, push),
    }
}

/// The commands in a comment and the repository as it is configured; or why there are none.
pub fn heard<'a>(
    apps: impl Iterator<Item = &'a Config>,
    comment: &Comment,
    prefixes: &Prefixes,
) -> Result<(String, Vec<Asked>), String> {
    let ours = |app: &&Config| {
        app.repository.forge == comment.forge
            && app
                .repository
                .path
                .eq_ignore_ascii_case(&comment.repository)
    };
    let apps: Vec<&Config> = apps.filter(ours).collect();
    let Some(first) = apps.first() else {
        return Err("no app is configured for this repository".to_owned());
    };
    let known: Vec<Place> = apps.iter().copied().flat_map(judge::places).collect();
    let asked = chat::read(&comment.text, prefixes, &known);
    if asked.is_empty() {
        return Err("the comment holds no command".to_owned());
    }
    Ok((first.repository.path.clone(), asked))
}

fn pushed<'a>(apps: impl Iterator<Item = &'a Config>, forge: ForgeKind, push: &Push) -> Decision {
    let (branch, commit) = match &push.what {
        Moved::Branch { name, commit } => (name, commit),
        Moved::Deleted { name } => return Decision::Ignored(format!("{name} was deleted")),
        Moved::Other { name } => return Decision::Ignored(format!("{name} is not a branch")),
    };
    let ours = |app: &&Config| {
        app.repository.forge == forge && app.repository.path.eq_ignore_ascii_case(&push.repository)
    };
    let mut known = false;
    let mut wanted = Vec::new();
    let mut passed_over = Vec::new();
    for app in apps.filter(ours) {
        known = true;
        for environment in app.environments.values() {
            let reason = match &environment.branch {
                Some(follows) if follows == branch => {
                    wanted.push(Wanted {
                        app: app.app.clone(),
                        environment: environment.name.clone(),
                    });
                    continue;
                }
                Some(follows) => format!("follows {follows}"),
                None => "follows no branch".to_owned(),
            };
            passed_over.push(PassedOver {
                app: app.app.clone(),
                environment: environment.name.clone(),
                reason,
            });
        }
    }
    if !known {
        return Decision::Ignored("no app is configured for this repository".to_owned());
    }
    if wanted.is_empty() {
        return Decision::Ignored(format!("no environment follows the branch {branch}"));
    }
    Decision::Deploy {
        commit: commit.clone(),
        actor: format!("{} push by {}", forge::word(forge), push.pusher),
        wanted,
        passed_over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn push(repository: &str, what: Moved) -> Delivered {
        Delivered::Push(Push {
            repository: repository.to_owned(),
            what,
            pusher: "alice".to_owned(),
            subject: None,
        })
    }

    fn to(branch: &str) -> Moved {
        Moved::Branch {
            name: branch.to_owned(),
            commit: testing::commit('a'),
        }
    }

    #[test]
    fn each_environment_of_the_repository_gets_its_reason() {
        let shop = testing::config(
            "shop",
            "acme/shop",
            &[
                ("production", Some("main")),
                ("staging", Some("next")),
                ("lab", None),
            ],
        );
        let other = testing::config("blog", "acme/blog", &[("production", Some("main"))]);
        let decision = decide(
            [&shop, &other].into_iter(),
            ForgeKind::GitHub,
            &push("Acme/Shop", to("main")),
        );
        let Decision::Deploy {
            wanted,
            passed_over,
            actor,
            ..
        } = decision
        else {
            panic!("{decision:?}");
        };
        assert_eq!(actor, "github push by alice");
        let names: Vec<_> = wanted
            .iter()
            .map(|w| format!("{}/{}", w.app, w.environment))
            .collect();
        assert_eq!(names, ["shop/production"]);
        let reasons: Vec<_> = passed_over
            .iter()
            .map(|p| format!("{}: {}", p.environment, p.reason))
            .collect();
        assert_eq!(reasons, ["lab: follows no branch", "staging: follows next"]);
    }

    #[test]
    fn what_is_not_deployed_is_ignored_with_a_reason() {
        let shop = testing::config("shop", "acme/shop", &[("production", Some("main"))]);
        let reason =
            |delivered: &Delivered| match decide([&shop].into_iter(), ForgeKind::GitHub, delivered)
            {
                Decision::Ignored(reason) => reason,
                other => panic!("{other:?}"),
            };
        let gone = Moved::Deleted {
            name: "refs/heads/main".to_owned(),
        };
        let tag = Moved::Other {
            name: "refs/tags/v1".to_owned(),
        };
        assert_eq!(
            reason(&push("acme/shop", gone)),
            "refs/heads/main was deleted"
        );
        assert_eq!(
            reason(&push("acme/shop", tag)),
            "refs/tags/v1 is not a branch"
        );
        assert_eq!(
            reason(&push("acme/shop", to("Main"))),
            "no environment follows the branch Main"
        );
        assert_eq!(
            reason(&push("acme/else", to("main"))),
            "no app is configured for this repository"
        );
        assert_eq!(
            reason(&Delivered::Other),
            "this event asks for nothing here"
        );
    }
}

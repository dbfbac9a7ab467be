//! A plan for a reader, and the digest by which it is known again.

use sha2::{Digest as _, Sha256};

use super::{HostPlan, Plan, Step, Wish};
use crate::config::Environment;
use crate::names::{Digest, HostName};
use crate::script::Script;

/// The phases of a deployment that goes well, in their order.
const PHASES: [&str; 11] = [
    "stage", "migrate", "warm", "start", "leave", "switch", "health", "rejoin", "outside", "watch",
    "keep",
];

impl Plan {
    /// What becomes live, and every step of each phase on each host in their order.
    pub fn steps(&self) -> Vec<String> {
        let mut lines = vec![self.aim()];
        lines.extend(self.order());
        lines.extend(self.schema.clone());
        for phase in PHASES {
            for (name, host) in &self.hosts {
                lines.extend(told(phase, name, host));
            }
        }
        let remark = |(name, remark): &(HostName, String)| format!("note on {name}: {remark}");
        lines.extend(self.remarks.iter().map(remark));
        lines
    }

    /// What is the same whenever the same would be done: every script with its arguments, without the names that each
    /// deployment has of its own and without times.
    pub fn digest(&self, wish: Wish<'_>) -> Digest {
        let own = [
            (self.release.to_string(), "<release>"),
            (wish.request.deployment.to_string(), "<deployment>"),
            (wish.now.to_string(), "<now>"),
        ];
        let mut hash = Sha256::new();
        let mut take = |text: &str| {
            let mut text = text.to_owned();
            for (name, stands) in &own {
                text = text.replace(name.as_str(), stands);
            }
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text.as_bytes());
        };
        for wave in &self.waves {
            take("wave");
            for host in wave {
                take(host.as_str());
            }
        }
        // What is asked and waited for, as far as no step says it.
        let environment = wish.environment;
        let Environment {
            health,
            watch,
            alarms,
            php_fpm,
            ..
        } = environment;
        take(&format!("{health:?} {watch:?} {alarms:?} {php_fpm:?}"));
        for (name, host) in &self.hosts {
            take(name.as_str());
            take(&format!(
                "{} {} {} {}",
                host.warm,
                host.health,
                host.outside.len(),
                host.watch
            ));
            let previous = host.previous.as_ref().map_or("", |id| id.as_str());
            take(previous);
            for steps in [
                &host.stage,
                &host.migrate,
                &host.migrate_back,
                &host.start,
                &host.leave,
                &host.switch,
                &host.rejoin,
                &host.keep,
                &host.undo,
                &host.recall,
                &host.undo_rejoin,
            ] {
                take("phase");
                for step in steps {
                    take(&step.name);
                    // What a mark writes down says who and when, and follows from all the rest.
                    let told = match step.script {
                        Script::Mark | Script::MarkIfPossible => 2,
                        // Whether a preview may stop it is for who deploys to say, and no other plan.
                        Script::LineIfPossible => step.args.len() - 1,
                        _ => step.args.len(),
                    };
                    step.args.iter().take(told).for_each(|arg| take(arg));
                }
            }
        }
        Digest::parse(&hex::encode(hash.finalize())).expect("a SHA-256 has 64 digits")
    }
}

fn told(phase: &str, host: &HostName, plan: &HostPlan) -> Option<String> {
    let names = |steps: &[Step]| steps.iter().map(|step| named(step, plan)).collect();
    let one = |is: bool, name: &str| is.then(|| name.to_owned()).into_iter();
    let steps: Vec<String> = match phase {
        "stage" => {
            let staged: Vec<String> = names(&plan.stage);
            one(plan.incoming.is_some(), "bring")
                .chain(staged)
                .collect()
        }
        "warm" => one(plan.warm, phase).collect(),
        "migrate" => names(&plan.migrate),
        "start" => names(&plan.start),
        "leave" => names(&plan.leave),
        "switch" => names(&plan.switch),
        "health" => one(plan.health, phase).collect(),
        "rejoin" => names(&plan.rejoin),
        "outside" => plan.outside.clone(),
        "watch" => {
            let alarms = plan.alarms.iter().map(|alarm| alarm.name().to_owned());
            one(plan.watch && plan.health, "health")
                .chain(plan.outside.iter().filter(|_| plan.watch).cloned())
                .chain(alarms)
                .collect()
        }
        _ => names(&plan.keep),
    };
    (!steps.is_empty()).then(|| format!("{phase} on {host}: {}", steps.join(", ")))
}

/// A step with the values that matter to a reader.
fn named(step: &Step, plan: &HostPlan) -> String {
    match step.script {
        Script::Swap => {
            let from = plan.previous.as_ref().map_or("nothing", |id| id.as_str());
            format!("{} from {from}", step.name)
        }
        Script::Prune => {
            let gone: Vec<&str> = step
                .args
                .get(1)
                .map_or("", String::as_str)
                .lines()
                .collect();
            let gone = if gone.is_empty() {
                "nothing".to_owned()
            } else {
                gone.join(" and ")
            };
            format!("{} {gone}", step.name)
        }
        _ => step.name.clone(),
    }
}

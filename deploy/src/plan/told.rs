//! A plan for a reader, and the digest by which it is known again.

use sha2::{Digest as _, Sha256};

use super::{HostPlan, Plan, Step, Wish};
use crate::names::{Digest, HostName};
use crate::script::Script;

/// The phases of a deployment that goes well, in their order.
const PHASES: [&str; 7] = [
    "stage", "migrate", "switch", "health", "rejoin", "watch", "keep",
];

impl Plan {
    /// What becomes live, and every step of each phase on each host in their order.
    pub fn steps(&self) -> Vec<String> {
        let mut lines = vec![self.aim()];
        lines.extend(self.order());
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
        for (name, host) in &self.hosts {
            take(name.as_str());
            let previous = host.previous.as_ref().map_or("", |id| id.as_str());
            take(previous);
            for steps in [
                &host.stage,
                &host.migrate,
                &host.switch,
                &host.rejoin,
                &host.keep,
                &host.undo,
                &host.undo_rejoin,
            ] {
                take("phase");
                for step in steps {
                    take(&step.name);
                    // What a mark writes down says who and when, and follows from all the rest.
                    let told = match step.script {
                        Script::Mark | Script::MarkIfPossible => 2,
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
    let names = |steps: &[Step]| steps.iter().map(|step| step.name.clone()).collect();
    let one = |is: bool, name: &str| is.then(|| name.to_owned()).into_iter();
    let steps: Vec<String> = match phase {
        "stage" => {
            let staged: Vec<String> = names(&plan.stage);
            one(plan.incoming.is_some(), "bring")
                .chain(staged)
                .collect()
        }
        "migrate" => names(&plan.migrate),
        "switch" => names(&plan.switch),
        "health" => one(plan.health, phase).collect(),
        "rejoin" => names(&plan.rejoin),
        "watch" => one(plan.watch, phase).collect(),
        _ => names(&plan.keep),
    };
    (!steps.is_empty()).then(|| format!("{phase} on {host}: {}", steps.join(", ")))
}

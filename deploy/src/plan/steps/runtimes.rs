//! The steps by which whatever serves the web beside PHP-FPM follows a release, after the swap and the same on a way back.

use super::workers::AFTER_DRAIN;
use super::{Site, Step};
use crate::config::{AfterDrain, Following, Role, Runtime, Workers};
use crate::names::ReleaseId;
use crate::script::{LINE, PROOF, ROSTER, Script, server_recipe};

/// How the script for workers is told to end them one after another, so that somebody always answers.
const TURN: &str = "turn";

impl Site<'_> {
    pub(super) fn runtimes(&self, release: &ReleaseId) -> Vec<Step> {
        let here = self.host.roles.contains(&Role::Web);
        let runtimes = self.wish.environment.runtimes.iter();
        runtimes
            .filter(|_| here)
            .flat_map(|runtime| self.runtime(runtime, release))
            .collect()
    }

    fn runtime(&self, runtime: &Runtime, release: &ReleaseId) -> Vec<Step> {
        let name = format!("runtime {}", runtime.name());
        let mut steps = Vec::new();
        match &runtime.follows {
            Following::Restarted(processes) => {
                steps.push(self.restart(&name, runtime, processes, release));
            }
            Following::Reloaded { service, sudo } => {
                let seconds = runtime.timeout.as_secs().to_string();
                let args = vec![service.clone(), super::yes(*sudo), seconds];
                steps.push(self.step(&name, Script::Reload, args));
            }
            Following::Lines { stop, start, .. } => {
                for (verb, line) in [("stop", stop), ("start", start)] {
                    let args = line.as_ref().map(|line| self.line_args(line, release));
                    let step = |args| self.step(format!("{name} {verb}"), Script::Line, args);
                    steps.extend(args.map(step));
                }
            }
        }
        if let Some(line) = &runtime.prove {
            let seconds = runtime.timeout.as_secs().to_string();
            let args = [
                vec![seconds, LINE.to_owned()],
                self.line_args(line, release),
            ]
            .concat();
            steps.push(self.step(format!("{name} prove"), Script::Prove, args));
        }
        for step in &mut steps {
            step.limit = step.limit.max(runtime.timeout + AFTER_DRAIN);
        }
        steps
    }

    fn restart(
        &self,
        name: &str,
        runtime: &Runtime,
        processes: &Workers,
        release: &ReleaseId,
    ) -> Step {
        let args = vec![
            self.root(),
            release.to_string(),
            processes.expect.to_string(),
            runtime.timeout.as_secs().to_string(),
            AfterDrain::Force.word().to_owned(),
            TURN.to_owned(),
            PROOF.to_owned(),
            ROSTER.to_owned(),
            server_recipe(processes.manager).to_owned(),
            processes.manager.word().to_owned(),
            processes.group.clone(),
            super::yes(processes.sudo),
            runtime.settings(),
        ];
        self.step(name, Script::Workers, args)
    }
}

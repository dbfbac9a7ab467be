//! The steps by which whatever serves the web beside PHP-FPM follows a release, after the swap, and on a
//! way back behind all the rest.

use std::time::Duration;

use super::workers::{AFTER_DRAIN, Way};
use super::{Site, Step};
use crate::config::{Following, Role, Runtime, Workers};
use crate::names::ReleaseId;
use crate::script::{LINE, PROOF, ROSTER, Script, server_recipe};

impl Site<'_> {
    pub(super) fn runtimes(&self, release: &ReleaseId, way: Way) -> Vec<Step> {
        let here = self.host.roles.contains(&Role::Web);
        let runtimes = self.wish.environment.runtimes.iter();
        runtimes
            .filter(|_| here)
            .flat_map(|runtime| self.runtime(runtime, release, way))
            .collect()
    }

    fn runtime(&self, runtime: &Runtime, release: &ReleaseId, way: Way) -> Vec<Step> {
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
                let stop = stop.as_ref().map(|line| {
                    let (name, args) = (format!("{name} stop"), self.line_args(line, release));
                    match way {
                        Way::Forth => self.step(name, Script::Line, args),
                        // What did not start cannot be stopped, and the good one is to start all the same.
                        Way::Back => {
                            let args = [args, vec![LINE.to_owned()]].concat();
                            self.step(name, Script::LineIfPossible, args)
                        }
                    }
                });
                let start = start.as_ref().map(|line| {
                    let args = self.line_args(line, release);
                    self.step(format!("{name} start"), Script::Line, args)
                });
                steps.extend(stop.into_iter().chain(start));
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
            step.limit = step.limit.max(longest(runtime));
        }
        way.apart(&name, steps)
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
            PROOF.to_owned(),
            ROSTER.to_owned(),
            server_recipe(processes.manager).to_owned(),
            processes.manager.word().to_owned(),
            processes.group.clone(),
            super::yes(processes.sudo),
            runtime.settings(),
        ];
        self.step(name, Script::Servers, args)
    }
}

/// What a step of a runtime takes at most: the last of its processes may be told to end in its last moment.
pub(super) fn longest(runtime: &Runtime) -> Duration {
    runtime.timeout + runtime.share() + AFTER_DRAIN
}

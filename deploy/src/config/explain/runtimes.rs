//! What serves the web beside PHP-FPM.

use std::fmt;

use super::super::{Following, Runtime, defaults};
use super::{Mark, Page};

impl Page<'_, '_> {
    pub(super) fn runtime(&mut self, place: &str, runtime: &Runtime) -> fmt::Result {
        self.header(&format!("[[{place}.runtimes]]"))?;
        self.key("kind", &runtime.kind, Mark::Given)?;
        let sudo = |sudo: bool| Mark::unless(sudo != defaults::WORKERS_SUDO);
        match &runtime.follows {
            Following::Restarted(processes) => {
                let manager = Mark::unless(processes.manager != defaults::WORKERS_MANAGER);
                self.key("manager", &processes.manager, manager)?;
                self.key("group", &processes.group, Mark::Given)?;
                let expect = Mark::unless(processes.expect != defaults::WORKERS_EXPECT);
                self.key("expect", &processes.expect, expect)?;
                self.key("sudo", &processes.sudo, sudo(processes.sudo))?;
            }
            Following::Reloaded { service, sudo: by } => {
                let given = Mark::unless(runtime.kind.unit() != Some(service));
                self.key("group", service, given)?;
                self.key("sudo", by, sudo(*by))?;
            }
            Following::Lines { name, stop, start } => {
                self.key("group", name, Mark::Given)?;
                self.optional("stop", stop.as_deref())?;
                self.optional("start", start.as_deref())?;
            }
        }
        self.time("timeout", runtime.timeout, defaults::WORKERS_DRAIN_TIMEOUT)?;
        self.optional("prove", runtime.prove.as_deref())
    }
}

//! The part of a page that tells of alarms.

use std::fmt;

use super::super::{Alarms, Then, defaults};
use super::{Mark, Page};

impl Page<'_, '_> {
    pub(super) fn alarms(&mut self, place: &str, alarms: &Alarms) -> fmt::Result {
        let place = format!("{place}.alarms");
        self.header(&format!("[{place}]"))?;
        self.time("interval", alarms.interval, defaults::ALARMS_INTERVAL)?;
        let times = Mark::unless(alarms.times != defaults::ALARMS_TIMES);
        self.key("times", &alarms.times, times)?;
        if let Some(log) = &alarms.access_log {
            self.header(&format!("[{place}.access_log]"))?;
            self.key("path", &log.path, Mark::Given)?;
            let percent = Mark::unless(log.percent != defaults::ACCESS_LOG_PERCENT);
            self.key("percent", &log.percent, percent)?;
            let requests = Mark::unless(log.requests != defaults::ACCESS_LOG_REQUESTS);
            self.key("requests", &log.requests, requests)?;
            self.then(log.then)?;
        }
        if let Some(queue) = &alarms.queue {
            self.header(&format!("[{place}.queue]"))?;
            self.key("failed", &queue.failed, Mark::Given)?;
            let overdue = Mark::unless(queue.overdue != defaults::QUEUE_OVERDUE);
            self.key("overdue", &queue.overdue, overdue)?;
            self.list("queues", &queue.queues, &[])?;
            self.then(queue.then)?;
        }
        if let Some(workers) = &alarms.workers {
            self.header(&format!("[{place}.workers]"))?;
            self.key("restarts", &workers.restarts, Mark::Given)?;
            self.then(workers.then)?;
        }
        for prometheus in &alarms.prometheus {
            self.header(&format!("[[{place}.prometheus]]"))?;
            self.key("name", &prometheus.name, Mark::Given)?;
            self.key("url", &prometheus.url, Mark::Given)?;
            self.key("query", &prometheus.query, Mark::Given)?;
            self.key("above", &prometheus.above, Mark::Given)?;
            self.optional("token_env", prometheus.token_env.as_deref())?;
            self.then(prometheus.then)?;
        }
        for command in &alarms.commands {
            self.header(&format!("[[{place}.commands]]"))?;
            self.key("name", &command.name, Mark::Given)?;
            self.key("run", &command.run, Mark::Given)?;
            self.then(command.then)?;
        }
        Ok(())
    }

    fn then(&mut self, then: Then) -> fmt::Result {
        self.key("then", &then, Mark::unless(then != defaults::ALARM_THEN))
    }
}

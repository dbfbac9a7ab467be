//! The effective configuration as a `cutover.toml` of its own, with every default written out and marked.

use std::fmt::{self, Write as _};
use std::time::Duration;

use serde::Serialize;

use super::grammar::spelled;
use super::place::written;
use super::{
    AfterDrain, Config, Containers, Environment, Health, Host, Migrations, PhpFpm, Workers,
    defaults,
};

mod alarms;
mod runtimes;

/// A configuration with nothing left out; its `Display` is TOML that reads back as the same configuration.
#[derive(Debug, Clone, Copy)]
pub struct Explained<'c>(pub(super) &'c Config);

impl fmt::Display for Explained<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(config) = self;
        let mut page = Page {
            out: f,
            recipe: word(&config.recipe),
        };
        page.key("app", config.app.as_str(), Mark::Given)?;
        page.key("repository", &config.repository.to_string(), Mark::Given)?;
        page.key("source", "build", Mark::Default)?;
        page.key(
            "recipe",
            &config.recipe,
            Mark::unless(config.recipe != defaults::RECIPE),
        )?;
        page.build(config)?;
        page.shared_and_steps(config)?;
        for environment in config.environments.values() {
            page.environment(environment)?;
        }
        Ok(())
    }
}

/// Where a value comes from, as far as it can be told: a file may well say what is the default anyway.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mark {
    Given,
    Default,
    Recipe,
}

impl Mark {
    fn unless(given: bool) -> Self {
        if given { Self::Given } else { Self::Default }
    }
}

struct Page<'p, 'f> {
    out: &'p mut fmt::Formatter<'f>,
    recipe: String,
}

impl Page<'_, '_> {
    fn build(&mut self, config: &Config) -> fmt::Result {
        let (build, given) = (&config.build, config.recipe.defaults());
        self.header("[build]")?;
        self.list("steps", &build.steps, given.build_steps)?;
        self.list("exclude", &build.exclude, given.build_exclude)?;
        self.key("env", &build.env, Mark::unless(!build.env.is_empty()))?;
        self.time("timeout", build.timeout, defaults::BUILD_TIMEOUT)?;
        self.key(
            "sandbox",
            &build.sandbox,
            Mark::unless(build.sandbox != defaults::BUILD_SANDBOX),
        )
    }

    fn shared_and_steps(&mut self, config: &Config) -> fmt::Result {
        let given = config.recipe.defaults();
        self.header("[shared]")?;
        self.list("files", &config.shared.files, given.shared_files)?;
        self.list("dirs", &config.shared.dirs, given.shared_dirs)?;
        self.header("[steps]")?;
        self.list("prepare", &config.steps.prepare, given.prepare)?;
        self.list("preflight", &config.steps.preflight, given.preflight)?;
        self.list("preview", &config.steps.preview, given.preview)?;
        self.list("migrate", &config.steps.migrate, given.migrate)?;
        self.list(
            "migrate_back",
            &config.steps.migrate_back,
            given.migrate_back,
        )?;
        self.list("before_swap", &config.steps.before_swap, given.before_swap)?;
        self.list("after_swap", &config.steps.after_swap, given.after_swap)?;
        self.list(
            "after_health",
            &config.steps.after_health,
            given.after_health,
        )
    }

    fn environment(&mut self, environment: &Environment) -> fmt::Result {
        let place = format!("environments.{}", environment.name);
        self.header(&format!("[{place}]"))?;
        match &environment.branch {
            Some(branch) => self.key("branch", branch, Mark::Given)?,
            None => self.note("no branch: no push is deployed here")?,
        }
        self.key("path", &environment.path, Mark::Given)?;
        self.optional("url", environment.url.as_deref())?;
        let keep = Mark::unless(environment.keep_releases != defaults::KEEP_RELEASES);
        self.key("keep_releases", &environment.keep_releases, keep)?;
        let keep = Mark::unless(environment.keep_failed != defaults::KEEP_FAILED);
        self.key("keep_failed", &environment.keep_failed, keep)?;
        self.time("lock_wait", environment.lock_wait, defaults::LOCK_WAIT)?;
        self.time(
            "step_timeout",
            environment.step_timeout,
            defaults::STEP_TIMEOUT,
        )?;
        let strategy = Mark::unless(environment.strategy != defaults::STRATEGY);
        self.key("strategy", &environment.strategy, strategy)?;
        let batch = Mark::unless(environment.batch != defaults::BATCH);
        self.key("batch", &environment.batch, batch)?;
        self.time("watch", environment.watch, defaults::WATCH)?;
        self.alarms(&place, &environment.alarms)?;
        self.migrations(&place, environment.migrations)?;
        for host in &environment.hosts {
            self.host(&place, host, environment.hosts.len())?;
        }
        match &environment.health {
            Some(health) => self.health(&place, health)?,
            None => self.note("no health: the app is not asked how it is")?,
        }
        for workers in &environment.workers {
            self.workers(&place, workers)?;
        }
        if let Some(php_fpm) = &environment.php_fpm {
            self.php_fpm(&place, php_fpm)?;
        }
        let mut runtimes = environment.runtimes.iter();
        runtimes.try_for_each(|runtime| self.runtime(&place, runtime))
    }

    fn migrations(&mut self, place: &str, migrations: Migrations) -> fmt::Result {
        let Migrations {
            destructive,
            on_rollback,
        } = migrations;
        self.header(&format!("[{place}.migrations]"))?;
        let given = Mark::unless(destructive != defaults::DESTRUCTIVE);
        self.key("destructive", &destructive, given)?;
        let given = Mark::unless(on_rollback != defaults::ON_ROLLBACK);
        self.key("on_rollback", &on_rollback, given)
    }

    fn host(&mut self, place: &str, host: &Host, count: usize) -> fmt::Result {
        self.header(&format!("[[{place}.hosts]]"))?;
        self.key("name", host.name.as_str(), Mark::Given)?;
        self.key("address", &host.address.to_string(), Mark::Given)?;
        self.key(
            "roles",
            &host.roles,
            Mark::unless(count > 1 || host.roles.len() < 3),
        )?;
        let given = Mark::unless(host.database.as_str() != defaults::DATABASE);
        self.key("database", &host.database, given)
    }

    fn health(&mut self, place: &str, health: &Health) -> fmt::Result {
        self.header(&format!("[{place}.health]"))?;
        self.key("url", &health.url, Mark::Given)?;
        self.optional("host_header", health.host_header.as_deref())?;
        self.key(
            "attempts",
            &health.attempts,
            Mark::unless(health.attempts != defaults::HEALTH_ATTEMPTS),
        )?;
        self.time("interval", health.interval, defaults::HEALTH_INTERVAL)?;
        self.time("timeout", health.timeout, defaults::HEALTH_TIMEOUT)?;
        self.key(
            "status",
            &health.status,
            Mark::unless(health.status != defaults::HEALTH_STATUS),
        )?;
        self.optional("contains", health.contains.as_deref())?;
        if !health.json.is_empty() {
            self.key("json", &health.json, Mark::Given)?;
        }
        self.optional("release_field", health.release_field.as_deref())?;
        self.optional("release_header", health.release_header.as_deref())?;
        if !health.headers.is_empty() {
            self.key("headers", &health.headers, Mark::Given)?;
        }
        let through = Mark::unless(health.through != defaults::HEALTH_THROUGH);
        self.key("through", &health.through, through)?;
        self.list("outside", &health.outside, &[])
    }

    fn workers(&mut self, place: &str, workers: &Workers) -> fmt::Result {
        self.header(&format!("[[{place}.workers]]"))?;
        let manager = Mark::unless(workers.manager != defaults::WORKERS_MANAGER);
        self.key("manager", &workers.manager, manager)?;
        self.key("group", &workers.group, Mark::Given)?;
        self.key(
            "expect",
            &workers.expect,
            Mark::unless(workers.expect != defaults::WORKERS_EXPECT),
        )?;
        self.key(
            "hand_over",
            &workers.hand_over,
            Mark::unless(workers.hand_over != workers.manager.usual()),
        )?;
        self.time(
            "drain_timeout",
            workers.drain_timeout,
            defaults::WORKERS_DRAIN_TIMEOUT,
        )?;
        let usual = AfterDrain::usual(workers.hand_over);
        let after_drain = Mark::unless(workers.after_drain != usual);
        self.key("after_drain", &workers.after_drain, after_drain)?;
        if let Some(process) = &workers.process {
            let given = Mark::unless(workers.manager.process() != Some(process));
            self.key("process", process, given)?;
        }
        self.optional("start", workers.start.as_deref())?;
        self.optional("end", workers.end.as_deref())?;
        self.key(
            "sudo",
            &workers.sudo,
            Mark::unless(workers.sudo != workers.manager.usually_by_sudo()),
        )?;
        match &workers.containers {
            None => Ok(()),
            Some(Containers::Docker(docker)) => self.key("docker", docker, Mark::Given),
            Some(Containers::Compose(compose)) => self.key("compose", compose, Mark::Given),
            Some(Containers::Kubernetes(kubernetes)) => {
                self.key("kubernetes", kubernetes, Mark::Given)
            }
        }
    }

    fn php_fpm(&mut self, place: &str, php_fpm: &PhpFpm) -> fmt::Result {
        self.header(&format!("[{place}.php_fpm]"))?;
        let pool = php_fpm.pool.as_ref().map(ToString::to_string);
        self.optional("pool", pool.as_deref())?;
        if pool.is_some() {
            let script = Mark::unless(php_fpm.script != defaults::FPM_SCRIPT);
            self.key("script", &php_fpm.script, script)?;
            self.list("warm", &php_fpm.warm, &[])?;
        }
        self.optional("service", php_fpm.service.as_deref())?;
        let usual = defaults::fpm_after_swap(pool.is_some());
        self.key(
            "after_swap",
            &php_fpm.after_swap,
            Mark::unless(php_fpm.after_swap != usual),
        )?;
        self.key(
            "sudo",
            &php_fpm.sudo,
            Mark::unless(php_fpm.sudo != defaults::FPM_SUDO),
        )
    }

    fn header(&mut self, header: &str) -> fmt::Result {
        writeln!(self.out, "\n{header}")
    }

    fn note(&mut self, text: &str) -> fmt::Result {
        writeln!(self.out, "# {text}")
    }

    fn key<T: Serialize + ?Sized>(&mut self, key: &str, value: &T, mark: Mark) -> fmt::Result {
        write!(self.out, "{} = {}", written(key), inline(value))?;
        self.mark(mark)
    }

    fn optional(&mut self, key: &str, text: Option<&str>) -> fmt::Result {
        text.map_or(Ok(()), |text| self.key(key, text, Mark::Given))
    }

    fn time(&mut self, key: &str, time: Duration, default: Duration) -> fmt::Result {
        self.key(key, &spelled(time), Mark::unless(time != default))
    }

    fn list(&mut self, key: &str, lines: &[String], recipe: &[&str]) -> fmt::Result {
        let mark = match lines == recipe {
            true if lines.is_empty() => Mark::Default,
            true => Mark::Recipe,
            false => Mark::Given,
        };
        if lines.len() < 2 {
            return self.key(key, lines, mark);
        }
        write!(self.out, "{} = [", written(key))?;
        self.mark(mark)?;
        for line in lines {
            writeln!(self.out, "    {},", inline(line))?;
        }
        self.out.write_str("]\n")
    }

    fn mark(&mut self, mark: Mark) -> fmt::Result {
        match mark {
            Mark::Given => self.out.write_char('\n'),
            Mark::Default => self.out.write_str("  # default\n"),
            Mark::Recipe => writeln!(self.out, "  # recipe {}", self.recipe.trim_matches('"')),
        }
    }
}

fn word<T: Serialize>(value: &T) -> String {
    inline(value).trim_matches('"').to_owned()
}

/// The value on one line of TOML.
fn inline<T: Serialize + ?Sized>(value: &T) -> String {
    toml::Value::try_from(value).map_or_else(|_| "\"\"".to_owned(), |value| value.to_string())
}

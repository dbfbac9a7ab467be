//! Every check: its stable name, how bad it can be, what it looks at, why that matters, and what mends it.
//! docs/doctor.md is this table.

use super::Severity::{self, Loses, Remark, Risk};

/// A check.
#[derive(Debug)]
pub struct Check {
    /// Its stable name.
    pub id: &'static str,
    /// How bad it can be.
    pub worst: Severity,
    /// What it looks for.
    pub what: &'static str,
    /// Why that matters, in a sentence.
    pub why: &'static str,
    /// What mends it.
    pub mend: &'static str,
}

macro_rules! checks {
    ($($name:ident = $id:literal, $worst:ident, $what:literal, $why:literal, $mend:literal;)*) => {
        $(pub(super) static $name: Check = Check {
            id: $id,
            worst: $worst,
            what: $what,
            why: $why,
            mend: $mend,
        };)*

        /// All of them, by area.
        pub static ALL: &[&Check] = &[$(&$name),*];
    };
}

checks! {
    KEY = "host.key", Risk,
        "the host's key is not a pinned one",
        "Whoever stands in between could be taken for the host.",
        "compare its fingerprint on the host itself, then add the line to `known_hosts`";
    REACH = "host.reach", Risk,
        "the host cannot be reached, or does not take the key",
        "Nothing can be deployed to it, and nothing rolled back.",
        "what the message says";
    SUDO = "host.sudo", Risk,
        "`sudo -n` does not allow a command that the configuration needs",
        "A deployment finds out after the swap and goes back.",
        "the lines of `templates/sudoers`, or `sudo = false`";
    SUDO_WIDE = "host.sudo-wide", Risk,
        "`sudo -n` allows more than a deployment calls: a shell, or `supervisorctl` or `systemctl` with any words",
        "Whoever has the deploy key is root on the host: `supervisorctl -c FILE` and `systemctl link FILE` do as root what FILE says.",
        "each command with all of its words, as in `templates/sudoers`";
    CLOCK = "host.clock", Risk,
        "the host's clock is more than 30 s off",
        "Times of leases, releases and cache entries of several hosts then contradict each other.",
        "`timedatectl set-ntp true`";
    DISK = "host.disk", Risk,
        "less than 500 MB of the disk is free, or less than 5 % and 5 GB",
        "A deployment stops when the disk is full, and so does the app.",
        "`du -xsh PATH/releases/* PATH/shared`, a smaller `keep_releases`";
    INODES = "host.inodes", Risk,
        "less than 5 % of the inodes are free",
        "A disk without inodes is full, whatever room is left.",
        "the same; sessions and cached views are many small files";
    LN = "host.ln", Remark,
        "`ln` is BusyBox's",
        "Its `ln -sfn` removes a link before it makes the new one, so a shell line of yours that moves a link leaves a moment without any.",
        "`ln -s NEW link.tmp && mv -T link.tmp link`";

    ENV_RIGHTS = "env.rights", Risk,
        "everybody on the host may read `.env`",
        "It holds the passwords of the app.",
        "`chmod o-rwx PATH/shared/.env`";
    ENV_KEYS = "env.keys", Risk,
        "keys of `.env.example` are missing in `.env`",
        "A setting that the release counts on falls back to a default, silently.",
        "add the keys to `PATH/shared/.env`";
    LINKED = "shared.linked", Risk,
        "a shared path of the live release does not lead into `shared`",
        "What the app writes there is gone with the next release.",
        "move it into `shared` and deploy";
    DEBUG = "app.debug", Risk,
        "`APP_DEBUG` is on in production",
        "Every error page shows passwords and code to whoever asks.",
        "`APP_DEBUG=false` in `.env`, then deploy";
    VIEWS = "release.views", Risk,
        "no line of `steps.prepare` compiles the views of a Laravel app",
        "A view that is compiled by the first requests can come out blank, with status 200.",
        "`php artisan view:cache` in `steps.prepare`, as the recipe has it";
    KEPT = "releases.kept", Remark,
        "`keep_releases` is 1",
        "Long requests and jobs need the files of releases that are no longer live, and a rollback needs one to go to.",
        "`keep_releases = 5`";

    UNMANAGED = "workers.unmanaged", Loses,
        "a worker of the app runs that no `[[workers]]` names",
        "It stays on the code that it began with, and dies when that release is removed.",
        "add its group to `[[environments.….workers]]`";
    STALE = "workers.stale", Loses,
        "a worker runs another release than the live one",
        "Jobs run on old code.",
        "restart the group; a deployment of another commit does so too";
    RUNNING = "workers.running", Loses,
        "fewer workers run than `expect`",
        "Jobs wait, and nobody is told.",
        "the log of the group says why";
    STOP_WAIT = "supervisor.stopwaitsecs", Loses,
        "`stopwaitsecs` is not longer than the longest job",
        "Whatever restarts the group, a reboot included, kills the job that outlasts it.",
        "`stopwaitsecs=` longer than `--timeout`";
    STOP_SIGNAL = "supervisor.stopsignal", Loses,
        "`stopsignal` is one on which the worker does not finish its job",
        "The job is cut off in the middle.",
        "`stopsignal=TERM`";
    STOP_GROUP = "supervisor.stopasgroup", Risk,
        "`stopasgroup` is on",
        "TERM then also reaches the programs that a job has started: they die, and the job fails although its worker waited.",
        "`stopasgroup=false` and `killasgroup=true`";
    KILL_GROUP = "supervisor.killasgroup", Remark,
        "`killasgroup` is off",
        "A worker that has to be killed leaves the programs of its job running.",
        "`killasgroup=true`";
    AUTORESTART = "supervisor.autorestart", Loses,
        "`autorestart` is not `true`",
        "A worker that ended as it should, after `queue:restart` or `--max-time`, is not started again: nothing runs, silently.",
        "`autorestart=true`";
    UNIT_STOP = "supervisor.unit-timeout", Loses,
        "`TimeoutStopSec` of supervisor's own unit is not longer than the longest job",
        "A reboot gives supervisor no longer than that, whatever `stopwaitsecs` says, and kills the job that outlasts it.",
        "`sudo systemctl edit supervisor`, with `TimeoutStopSec=` longer than `--timeout`";
    TIMEOUT_STOP = "systemd.timeout-stop", Loses,
        "`TimeoutStopSec` of a worker's unit is not longer than the longest job",
        "Whatever stops the unit, a reboot included, kills the job that outlasts it.",
        "`TimeoutStopSec=` longer than `--timeout`";
    KILL_MODE = "systemd.kill-mode", Risk,
        "`KillMode` of a worker's unit is not `mixed`",
        "By default TERM also reaches the programs that a job has started: they die, and the job fails although its worker waited.",
        "`KillMode=mixed`";
    KILL_SIGNAL = "systemd.kill-signal", Loses,
        "`KillSignal` of a worker's unit is not TERM",
        "Not every Laravel finishes its job on another one.",
        "`KillSignal=SIGTERM`";
    RESTART = "systemd.restart", Loses,
        "`Restart` of a worker's unit is not `always`",
        "A worker that ended as it should, after `queue:restart` or `--max-time`, is not started again: nothing runs, silently.",
        "`Restart=always`";
    DRAIN = "workers.drain", Loses,
        "`drain_timeout` is not longer than the longest job",
        "The deployment kills the job with `after_drain = \"force\"`, and goes back for it with `fail`.",
        "`drain_timeout` longer than `--timeout`";
    HAND_OVER = "workers.hand-over", Remark,
        "`hand_over` is `restart`",
        "No worker runs until the slowest job has ended, and one that outlasts `stopwaitsecs` is killed.",
        "`hand_over = \"drain\"`";
    TIMEOUT = "workers.timeout", Risk,
        "`--timeout=0`: a job may take for ever",
        "No time is long enough to wait for it, and one that hangs blocks its worker.",
        "`--timeout=60`, or what the longest job needs";
    TRIES = "workers.tries", Risk,
        "`--tries` is 1, or not given",
        "A job that is killed once, by a crash or the kernel, goes to `failed_jobs` instead of being tried again.",
        "`--tries=3`, and jobs that do no harm when they run twice";
    RECYCLE = "workers.max-time", Remark,
        "neither `--max-time` nor `--max-jobs` is given",
        "A worker that lives for weeks keeps what it leaked.",
        "`--max-time=3600`";
    MEMORY = "workers.memory", Risk,
        "`--memory=0`",
        "Older Laravels then end the worker after every job, newer ones never, whatever it has leaked.",
        "`--memory=128`";
    LISTEN = "workers.listen", Risk,
        "`queue:listen` runs in production",
        "It boots the app anew for every job and does not end between jobs.",
        "`queue:work`";

    RUNTIME_FOLLOWS = "runtime.follows", Loses,
        "a runtime serves another release than the live one, or fewer take requests than `expect`",
        "It keeps the app in memory: requests get the old code, or no answer.",
        "restart the group; a deployment of another commit does so too";
    RUNTIME_UNMANAGED = "runtime.unmanaged", Loses,
        "Octane, Reverb, Pulse or a renderer of pages runs that no `[[runtimes]]` names",
        "It stays on the code that it began with, and fails when that release is removed.",
        "add its group to `[[environments.….runtimes]]`";
    RUNTIME_RELOAD = "runtime.reload", Loses,
        "a step runs `octane:reload`",
        "Octane's server starts new workers from the release that it was itself started from: the old code stays, and the command still ends well.",
        "`[[environments.….runtimes]]` with `kind = \"octane\"`";
    RUNTIME_GAP = "runtime.gap", Loses,
        "`expect` of an Octane is 1",
        "From its end to its next start nobody takes connections, at each deployment.",
        "`expect = 2`, a port each, and both in the `upstream` of the web server";

    RETRY_AFTER = "queue.retry-after", Loses,
        "`retry_after` of the connection is not longer than `--timeout`",
        "A job that still runs is given to a second worker, and runs twice.",
        "`retry_after` longer than `--timeout` in `config/queue.php`";
    CACHE_PREFIX = "queue.cache-prefix", Loses,
        "the cache prefix differs from release to release",
        "`queue:restart` of the new release writes where no worker of the old one looks, and still ends well.",
        "a constant `CACHE_PREFIX` in `.env`";
    CACHE_STORE = "queue.cache-store", Loses,
        "`queue:restart` goes through a cache that workers do not share",
        "They never hear of it.",
        "`CACHE_STORE=redis`, or another that all hosts share";

    FAILED_JOBS = "queue.failed-jobs", Risk,
        "jobs that failed for good are kept nowhere",
        "Such a job is gone without a trace, and no alarm can count it.",
        "`'driver' => 'database-uuids'` below `failed` in `config/queue.php`, with its table";
    OVERLAP_LOCK = "queue.overlap-lock", Risk,
        "a job in `app/` has `WithoutOverlapping`, and its file no `expireAfter`",
        "A job that is killed leaves its lock behind, and none like it runs any more.",
        "`->expireAfter(180)`, longer than the job takes";
    WATCHED = "queue.watched", Remark,
        "no `alarms.queue` looks at the queue after a swap",
        "Jobs that fail or hang only since the new release are found by somebody else.",
        "`watch` and `[environments.….alarms.queue]`";

    PCNTL = "php.pcntl", Loses,
        "a worker does not handle TERM, by the kernel's word, or the PHP of the command line cannot handle signals",
        "TERM ends the worker at once, in the middle of its job.",
        "install `pcntl`, and take `pcntl_*` out of `disable_functions`";
    VERSIONS = "php.versions", Risk,
        "PHP-FPM, the command line and workers are not the same PHP",
        "What was checked, cached and migrated by one runs on another.",
        "`update-alternatives --set php /usr/bin/phpX.Y`, or the full path in commands";
    PLATFORM = "php.platform", Risk,
        "PHP is older than the packages of the release need",
        "Every request and job ends in Composer's platform check.",
        "install that PHP";
    EXTENSIONS = "php.extensions", Risk,
        "extensions that `composer.json` or a package wants are not loaded",
        "It fails where it is first used, not where it is deployed.",
        "`apt-get install phpX.Y-NAME`, then reload PHP-FPM";

    POOL = "fpm.pool", Risk,
        "the pool does not answer, or cannot read the app",
        "A deployment that asks the pool fails before the swap.",
        "what the message says";
    DOCUMENT_ROOT = "fpm.document-root", Loses,
        "the web server passes the path of `current`",
        "After a swap requests run the old code: for as long as PHP-FPM lives where nothing is done, until the slowest has ended with `reset`; with `auto` only where the pool cannot open its own socket, or has no process free.",
        "`$realpath_root` for `SCRIPT_FILENAME` and `DOCUMENT_ROOT`; else `after_swap = \"auto\"`, and `posix` for PHP-FPM";
    CONTROL_TIMEOUT = "fpm.process-control-timeout", Loses,
        "PHP-FPM is reloaded after a swap, and `process_control_timeout` is 0",
        "A reload then cuts requests off, some as 200 with an empty body.",
        "`process_control_timeout = 30s` in `[global]`, or no reload at all: `$realpath_root`";
    OPCACHE = "fpm.opcache-room", Risk,
        "OPcache is full or nearly so",
        "What finds no room is compiled for every request.",
        "a larger `opcache.memory_consumption` or `opcache.max_accelerated_files`";
    WRITES = "fpm.writes", Loses,
        "the user of the pool may not write to a shared folder",
        "Requests that write logs, sessions or views fail.",
        "`chown -R USER PATH/shared/storage`";

    DOTFILES = "web.dotfiles", Risk,
        "the web server hands `.env` or `.git` out",
        "Whoever asks has the passwords of the app.",
        "`root PATH/current/public;` and `location ~ /\\.(?!well-known) { return 404; }`";
    STATIC = "web.static", Loses,
        "the web server does not serve a file that is in the release",
        "Pages come without their files.",
        "`chmod o+x` for each folder above it";
    BODY = "health.body", Risk,
        "health is not asked, or any body will do",
        "A release that answers 200 with an empty page counts as well.",
        "`json`, `contains` or `release_field` in `[health]`";
    HEALTH_RELEASE = "health.release", Risk,
        "health is asked, but not which release answers",
        "A host that goes on serving the old release is healthy as well.",
        "`release_field` or `release_header` in `[health]`";

    PINNED = "cron.pinned-release", Loses,
        "a line of cron names one release instead of `current`",
        "It runs old code until that release is removed, and then nothing at all.",
        "`cd PATH/current && php artisan schedule:run`";
    CRON_USER = "cron.user", Risk,
        "the scheduler runs as another user than the one that deploys",
        "Files that it makes in `storage` cannot be written by the app, nor removed.",
        "the same line in the crontab of the user that deploys";
    SEVERAL = "cron.several", Remark,
        "the scheduler runs on several hosts",
        "Each task without `onOneServer()` runs once on every host.",
        "one host only, or `->onOneServer()` and a cache that hosts share";

    SHELL_FORM = "container.shell-form", Loses,
        "a container of a worker, or a Dockerfile, Compose or Kubernetes file of the release, starts it under a shell",
        "The shell keeps TERM to itself: the worker takes more jobs and is killed in one. `init: true` does not help, it loses the job at once.",
        "`[\"php\", \"artisan\", \"queue:work\"]`, or `sh -c 'exec php …'`";
    GRACE = "container.grace", Loses,
        "the grace of a worker's container, or in a file of the release, is not longer than the longest job",
        "What outlasts it is killed, with its job.",
        "a time longer than `--timeout` and a `preStop` hook together; the defaults are 10 s and 30 s";
    IMAGE_SIGNAL = "container.stop-signal", Loses,
        "a container, or a Dockerfile or Compose file of the release, is stopped by a signal that cuts work off",
        "The job or request is cut off in the middle.",
        "`STOPSIGNAL SIGTERM`, or `SIGQUIT` for PHP-FPM";
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const DOCS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/doctor.md");

    fn row(check: &Check) -> String {
        let cell = |text: &str| text.replace('|', "\\|");
        format!(
            "| `{}` | {} | {} | {} | {} |",
            check.id,
            check.worst.word(),
            cell(check.what),
            cell(check.why),
            cell(check.mend)
        )
    }

    #[test]
    fn names_are_unique_and_whole() {
        let ids: BTreeSet<_> = ALL.iter().map(|check| check.id).collect();
        assert_eq!(ids.len(), ALL.len());
        for check in ALL {
            let sentence = check.why.ends_with('.');
            assert!(
                sentence && !check.what.is_empty() && !check.mend.is_empty(),
                "{}",
                check.id
            );
        }
    }

    /// The rows of the manual are the table above; `UPDATE_DOCS=1` writes them.
    #[test]
    fn the_manual_has_the_same_checks() {
        let rows: Vec<_> = ALL.iter().map(|check| row(check)).collect();
        let text = std::fs::read_to_string(DOCS).unwrap();
        let is_row = |line: &&str| line.starts_with("| `");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            let (head, rest) = text.split_once("|---|---|---|---|---|\n").unwrap();
            let rest: Vec<_> = rest.lines().skip_while(|line| is_row(line)).collect();
            let text = format!(
                "{head}|---|---|---|---|---|\n{}\n{}\n",
                rows.join("\n"),
                rest.join("\n")
            );
            std::fs::write(DOCS, text).unwrap();
            return;
        }
        let written: Vec<_> = text.lines().filter(is_row).collect();
        assert_eq!(
            written, rows,
            "`UPDATE_DOCS=1 cargo test -p cutover-deploy doctor` writes docs/doctor.md"
        );
    }
}

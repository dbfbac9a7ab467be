//! Tables of what serves the web beside PHP-FPM: what a host runs, and what only the repository speaks of.

use std::fmt::Write as _;

use super::line;
use super::site::{Machine, Worker};
use crate::config::RuntimeKind;

/// Writes the tables for the app at `path`. What is only a package gets one as long as no host was looked at, where it
/// would be seen.
pub(super) fn write(
    text: &mut String,
    environment: &str,
    path: &str,
    app: &str,
    packages: &[RuntimeKind],
    machine: Option<&Machine>,
) {
    let running: Vec<_> = machine
        .iter()
        .flat_map(|host| host.runtimes_of(path))
        .collect();
    for (kind, worker) in &running {
        writeln!(text, "\n[[environments.{environment}.runtimes]]").unwrap_or_default();
        line(text, "kind", kind.word(), "");
        if worker.systemd {
            line(text, "manager", "systemd", "");
        }
        line(text, "group", &worker.name, "");
        writeln!(text, "expect = {}", worker.count).unwrap_or_default();
    }
    let known = |kind: &&RuntimeKind| running.iter().any(|(other, _)| other == *kind);
    for kind in packages.iter().filter(|kind| !known(kind)) {
        let (why, hidden) = match machine {
            None => (
                "; `cutover provision` sets it up by this name; take it out where it is not used",
                "",
            ),
            Some(_) => (", and nothing that the host shows runs it", "# "),
        };
        let (package, word) = (package(*kind), kind.word());
        // One of Octane leaves a gap in which nobody takes requests.
        let expect = if *kind == RuntimeKind::Octane { 2 } else { 1 };
        write!(
            text,
            "\n# There is {package}{why}.\n{hidden}[[environments.{environment}.runtimes]]\n{hidden}kind = \"{word}\"\n\
             {hidden}group = \"{app}-{word}\"\n{hidden}expect = {expect}\n"
        )
        .unwrap_or_default();
    }
}

/// What a repository has of it.
pub(super) fn package(kind: RuntimeKind) -> &'static str {
    match kind {
        RuntimeKind::Octane => "laravel/octane",
        RuntimeKind::Reverb => "laravel/reverb",
        RuntimeKind::Pulse => "laravel/pulse",
        RuntimeKind::Ssr => "a build of Inertia's pages for the server",
        RuntimeKind::Apache | RuntimeKind::Nginx | RuntimeKind::Command => "a runtime",
    }
}

impl Worker {
    /// What it is, where it is a runtime: by the command of its `artisan`.
    pub(super) fn runtime(&self) -> Option<RuntimeKind> {
        let command = self.artisan()?;
        let kinds = [
            RuntimeKind::Octane,
            RuntimeKind::Reverb,
            RuntimeKind::Pulse,
            RuntimeKind::Ssr,
        ];
        kinds.into_iter().find(|kind| kind.is_run_by(command))
    }
}

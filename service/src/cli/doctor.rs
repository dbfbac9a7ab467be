//! `cutover doctor`: what would lose jobs or requests on the hosts of an environment.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;

use clap::Args;
use cutover_deploy::doctor::{Diagnosis, Severity};
use cutover_deploy::run;

use super::console::{self, Trouble};
use super::site::{Output, Site, environment};

/// What would lose jobs or requests is told by this exit code.
const LOSES: u8 = 4;

/// Looks at every host for what would lose jobs or requests, or goes wrong one day, and changes nothing that lasts: a pool of
/// PHP-FPM is asked by a file in the app's folder, which is gone afterwards.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 nothing loses jobs or requests, 1 a host or a check that could find \
    a loss could not look, 2 bad input, 4 something loses jobs or requests."
)]
pub(super) struct DoctorArgs {
    /// The environment, as in `cutover.toml`.
    environment: String,

    #[command(flatten)]
    site: Site,

    #[command(flatten)]
    output: Output,
}

/// Runs `cutover doctor`.
pub(super) async fn doctor(args: DoctorArgs) -> ExitCode {
    console::conclude(try_doctor(args).await)
}

async fn try_doctor(args: DoctorArgs) -> Result<u8, Trouble> {
    let config = args.site.read()?;
    let environment = environment(&config, &args.environment)?;
    let told = run::examine(&config, environment, &args.site.access()?).await;
    if args.output.json {
        console::print_json(&told);
    } else {
        told.iter().map(text).for_each(|text| console::print(&text));
        console::print(&summary(&args.environment, &told));
    }
    Ok(exit_code(&told))
}

fn exit_code(told: &[Diagnosis]) -> u8 {
    if told.iter().any(Diagnosis::loses) {
        LOSES
    } else {
        u8::from(told.iter().any(Diagnosis::is_blind))
    }
}

fn text(told: &Diagnosis) -> String {
    let mut text = told.host.to_string();
    for finding in &told.findings {
        let (severity, id) = (finding.severity.word(), finding.id);
        write!(text, "\n  {severity}: {}  [{id}]", finding.found).unwrap_or_default();
        write!(text, "\n    {}", finding.why).unwrap_or_default();
        write!(text, "\n    mend: {}", finding.mend).unwrap_or_default();
    }
    for after in &told.after_swap {
        write!(text, "\n  after a swap: {}: {}", after.what, after.how).unwrap_or_default();
    }
    let mut unseen: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in &told.unseen {
        unseen.entry(&one.why).or_default().push(one.id);
    }
    for (why, ids) in unseen {
        write!(text, "\n  not checked: {}\n    {why}", ids.join(", ")).unwrap_or_default();
    }
    write!(text, "\n  {} fine", checks(told.fine.len())).unwrap_or_default();
    text
}

fn checks(count: usize) -> String {
    match count {
        1 => "1 check is".to_owned(),
        count => format!("{count} checks are"),
    }
}

fn summary(environment: &str, told: &[Diagnosis]) -> String {
    let count = |severity| {
        let of = told.iter().flat_map(|told| &told.findings);
        of.filter(|found| found.severity == severity).count()
    };
    let (loses, risks, remarks) = (
        count(Severity::Loses),
        count(Severity::Risk),
        count(Severity::Remark),
    );
    let unseen: usize = told.iter().map(|told| told.unseen.len()).sum();
    format!(
        "{environment}: {loses} that lose jobs or requests, {risks} risks, {remarks} remarks, {unseen} not checked"
    )
}

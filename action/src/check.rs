//! Whether a deployment could go ahead. Changes nothing.

use std::io::Write;

use cutover_deploy::run;

use crate::console::Console;
use crate::failure::Fault;
use crate::inputs::{Inputs, Runner};
use crate::keys::Keys;
use crate::outputs::{self, Outputs};
use crate::summary;

/// Asks every host, tells all that has to be mended first, and returns 0 or 2.
pub(crate) async fn run<W: Write>(
    inputs: &Inputs,
    runner: &Runner,
    keys: &Keys,
    console: &mut Console<W>,
) -> u8 {
    let name = &inputs.environment.name;
    let title = format!("{name}: not ready");
    let checked = run::check(&inputs.config, &inputs.environment, &keys.access()).await;
    for (host, remark) in &checked.remarks {
        console.text(&format!("{host}: {remark}"));
    }
    let faults: Vec<Fault> = checked
        .failures
        .iter()
        .map(|failure| Fault::of(title.clone(), failure))
        .collect();
    for fault in &faults {
        console.error(fault);
    }
    if faults.is_empty() {
        console.text(&format!("{name}: ready to deploy to"));
    }
    let outcome = if faults.is_empty() {
        "ready"
    } else {
        "refused"
    };
    Outputs {
        outcome: outcome.to_owned(),
        url: inputs.environment.url.clone(),
        ..Outputs::default()
    }
    .hand_over(runner, console);
    let summary = summary::of_check(name, &faults);
    outputs::append(runner.summary.as_deref(), &summary, console);
    if faults.is_empty() { 0 } else { 2 }
}

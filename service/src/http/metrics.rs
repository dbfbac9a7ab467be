//! Numbers for Prometheus, in its text format: `/metrics`.

use std::fmt::Write as _;
use std::sync::Arc;

use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;

use super::Door;
use super::rejection::Rejection;
use crate::store::Rung;

const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics(State(door): State<Arc<Door>>) -> Result<impl IntoResponse, Rejection> {
    let rung = door.store.alarms().await?;
    Ok(([(header::CONTENT_TYPE, TEXT_FORMAT)], alarms(&rung)))
}

fn alarms(rung: &[Rung]) -> String {
    let mut text =
        "# HELP cutover_alarms_total Deployments in whose watch an alarm rang at least once.\n\
                    # TYPE cutover_alarms_total counter\n"
            .to_owned();
    for rung in rung {
        let Rung {
            app,
            environment,
            alarm,
            deployments,
        } = rung;
        let alarm = escaped(alarm);
        // A string takes all that is written to it.
        let _ = writeln!(
            text,
            "cutover_alarms_total{{app=\"{app}\",environment=\"{environment}\",alarm=\"{alarm}\"}} {deployments}"
        );
    }
    text
}

/// The value of a label. What its user may call an alarm ends neither the quotes nor the line.
fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use cutover_deploy::{AppName, EnvironmentName};

    use super::*;

    #[test]
    fn an_alarm_is_a_counter_whatever_its_name() {
        let rung = |alarm: &str, deployments| Rung {
            app: AppName::parse("shop").unwrap(),
            environment: EnvironmentName::parse("production").unwrap(),
            alarm: alarm.to_owned(),
            deployments,
        };
        let told = alarms(&[rung("failed jobs", 2), rung("a \"b\"\\\nc", 1)]);
        insta::assert_snapshot!(told, @r#"
        # HELP cutover_alarms_total Deployments in whose watch an alarm rang at least once.
        # TYPE cutover_alarms_total counter
        cutover_alarms_total{app="shop",environment="production",alarm="failed jobs"} 2
        cutover_alarms_total{app="shop",environment="production",alarm="a \"b\"\\\nc"} 1
        "#);
    }
}

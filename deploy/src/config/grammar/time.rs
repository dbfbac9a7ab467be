//! Lengths of time: `500ms`, `30s`, `10m`, `2h`.

use std::time::Duration;

use super::super::document::quoted;
use super::super::findings::Fault;

/// The shortest and the longest that a key allows.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Range(pub(in super::super) Duration, pub(in super::super) Duration);

impl Range {
    /// For what may be skipped: waiting.
    pub(in super::super) const WAIT: Self = Self(Duration::ZERO, Duration::from_hours(24));
    /// For what runs on a host or in a build.
    pub(in super::super) const RUN: Self = Self(Duration::from_secs(1), Duration::from_hours(24));
    /// For questions over HTTP.
    pub(in super::super) const ASK: Self =
        Self(Duration::from_millis(100), Duration::from_mins(10));
}

/// Reads a length of time within `range`.
pub(in super::super) fn duration(text: &str, range: Range) -> Result<Duration, Fault> {
    let Some(duration) = read(text) else {
        let message = format!("{} is not a length of time", quoted(text));
        return Err(Fault::new(
            message,
            "write a whole number and a unit: `500ms`, `30s`, `10m`, `2h`",
        ));
    };
    let Range(least, most) = range;
    let help = format!(
        "write a length of time from `{}` to `{}`",
        spelled(least),
        spelled(most)
    );
    if duration < least {
        return Err(Fault::new(format!("{} is too short", quoted(text)), help));
    }
    if duration > most {
        return Err(Fault::new(format!("{} is too long", quoted(text)), help));
    }
    Ok(duration)
}

/// The length of time as it is written in a file, in the largest unit that is exact.
pub(in super::super) fn spelled(duration: Duration) -> String {
    let millis = duration.as_millis();
    let units = [("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let whole = units
        .iter()
        .find(|(_, size)| millis > 0 && millis.is_multiple_of(*size));
    match whole {
        Some((unit, size)) => format!("{}{unit}", millis / size),
        None if millis == 0 => "0s".to_owned(),
        None => format!("{millis}ms"),
    }
}

fn read(text: &str) -> Option<Duration> {
    let unit_at = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(unit_at);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    number.checked_mul(millis).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_spelled_as_it_was_written() {
        for text in [
            "0s", "1ms", "500ms", "1500ms", "30s", "90s", "10m", "90m", "2h", "24h",
        ] {
            let read = duration(text, Range::WAIT).unwrap();
            assert_eq!(spelled(read), text);
        }
    }

    #[test]
    fn what_has_no_unit_or_no_number_is_no_duration() {
        let far = format!("{}h", u64::MAX);
        for text in [
            "",
            "30",
            "s",
            "-1s",
            "1.5s",
            "1m30s",
            "30 s",
            "30S",
            "٣s",
            "1d",
            "1e3s",
            far.as_str(),
        ] {
            assert!(duration(text, Range::WAIT).is_err(), "{text:?} passed");
        }
    }
}

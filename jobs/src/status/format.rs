//! Times, durations and numbers as a reader takes them in at a glance.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};

/// `2026-11-24 11:32:57`.
pub(super) fn date_time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S").to_string()
}

/// `2026-11-24T11:32:57.250Z`, for machines.
pub(super) fn iso(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}

/// `in 3m 12s`, `now`, `2d 4h ago`.
pub(super) fn relative(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let away = at - now;
    let seconds = away.num_seconds();
    match seconds {
        0 => "now".to_owned(),
        1.. => format!("in {}", coarse(seconds.unsigned_abs())),
        _ => format!("{} ago", coarse(seconds.unsigned_abs())),
    }
}

/// The two greatest units: `3m 12s`, `2d 4h`.
fn coarse(seconds: u64) -> String {
    let parts =
        [("d", seconds / 86_400), ("h", seconds / 3_600 % 24), ("m", seconds / 60 % 60), ("s", seconds % 60)];
    let first = parts.iter().position(|(_, count)| *count > 0).unwrap_or(3);
    let written: Vec<String> = parts[first..]
        .iter()
        .take(2)
        .filter(|(_, count)| *count > 0)
        .map(|(unit, count)| format!("{count}{unit}"))
        .collect();
    written.join(" ")
}

/// `850 µs`, `12 ms`, `1.24 s`, `3m 12s`.
pub(super) fn duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    match micros {
        0..1_000 => format!("{micros} µs"),
        1_000..1_000_000 => format!("{} ms", duration.as_millis()),
        1_000_000..60_000_000 => format!("{:.2} s", duration.as_secs_f64()),
        _ => coarse(duration.as_secs()),
    }
}

/// `1 234 567`, in groups that do not break.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.char_indices() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
}

/// `1 job`, `2 jobs`.
pub(super) fn counted(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// The beginning of a text, where a list has no room for all of it.
pub(super) fn brief(text: &str) -> Cow<'_, str> {
    const MOST: usize = 240;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_at_most() {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let at = |seconds: i64| relative(now + chrono::TimeDelta::seconds(seconds), now);
        assert_eq!(
            [at(0), at(1), at(192), at(-187_200), at(3_600)],
            ["now", "in 1s", "in 3m 12s", "2d 4h ago", "in 1h"]
        );
    }

    #[test]
    fn durations_have_the_unit_that_suits_them() {
        let shown = |micros| duration(Duration::from_micros(micros));
        assert_eq!(
            [shown(7), shown(12_345), shown(1_240_000), shown(192_000_000)],
            ["7 µs", "12 ms", "1.24 s", "3m 12s"]
        );
        assert_eq!(count(1_234_567), "1\u{202f}234\u{202f}567");
    }
}

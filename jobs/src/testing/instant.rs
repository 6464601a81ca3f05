//! Instants as a test writes them.

use chrono::{DateTime, NaiveDateTime, Utc};

/// An instant from a text: `2026-03-02 12:00:00`, in UTC, or `2026-03-29 01:30:00 Europe/Oslo`, on the wall clock of a
/// zone. The seconds may have a fraction or be left out.
///
/// A wall-clock time that comes twice is the first of the two; one that does not come, since clocks are set forward
/// over it, is the first instant after the gap.
///
/// ```
/// use jobs::testing::instant;
///
/// assert_eq!(instant("2026-07-01 12:00 Europe/Oslo"), instant("2026-07-01 10:00:00"));
/// ```
///
/// # Panics
///
/// When the text is none.
#[track_caller]
#[must_use]
pub fn instant(text: &str) -> DateTime<Utc> {
    let mut parts = text.splitn(3, [' ', 'T']);
    let (date, time) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
    let zone = parts.next().or_else(|| time.strip_suffix('Z').map(|_| "UTC"));
    let civil = format!("{date} {}", time.trim_end_matches('Z'));
    let parsed = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"]
        .iter()
        .find_map(|format| NaiveDateTime::parse_from_str(&civil, format).ok());
    let Some(civil) = parsed else {
        panic!("`{text}` is no instant: write `2026-03-02 12:00:00` or `2026-03-29 01:30:00 Europe/Oslo`")
    };
    match zone {
        None | Some("UTC") => civil.and_utc(),
        Some(zone) => {
            on_wall_clock(civil, zone).unwrap_or_else(|error| panic!("`{text}` is no instant: {error}"))
        }
    }
}

fn on_wall_clock(civil: NaiveDateTime, zone: &str) -> Result<DateTime<Utc>, crate::ScheduleError> {
    // The rule of schedules, so that there is one: a fixed time fires once a day, and behind a gap.
    use chrono::{Datelike, Timelike};
    let spec =
        format!("{} {} {} {} {} ?", civil.second(), civil.minute(), civil.hour(), civil.day(), civil.month());
    let schedule = crate::Schedule::parse(&spec)?.in_zone(zone)?;
    // The offset is less than a day and a half.
    let before = civil.and_utc() - chrono::TimeDelta::hours(36);
    let found = schedule.next_after(before);
    let fraction = chrono::TimeDelta::nanoseconds(i64::from(civil.nanosecond()));
    Ok(found.map_or_else(|| civil.and_utc(), |found| found + fraction))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_utc_and_wall_clocks() {
        for (text, utc) in [
            ("2026-03-02 12:00", "2026-03-02T12:00:00+00:00"),
            ("2026-03-02T12:00:00Z", "2026-03-02T12:00:00+00:00"),
            ("2026-03-02 12:00:00.25", "2026-03-02T12:00:00.250+00:00"),
            ("2026-01-01 00:30 Europe/Oslo", "2025-12-31T23:30:00+00:00"),
            ("2026-12-31 23:30:00.5 America/New_York", "2027-01-01T04:30:00.500+00:00"),
            ("2026-01-01 00:30 Pacific/Kiritimati", "2025-12-31T10:30:00+00:00"),
            // In the gap, and the first of two.
            ("2026-03-29 02:30 Europe/Oslo", "2026-03-29T01:00:00+00:00"),
            ("2026-10-25 02:30 Europe/Oslo", "2026-10-25T00:30:00+00:00"),
        ] {
            assert_eq!(instant(text).to_rfc3339(), utc, "{text}");
        }
    }

    #[test]
    #[should_panic(expected = "`tomorrow` is no instant: write `2026-03-02 12:00:00`")]
    fn refuses_what_is_none() {
        let _ = instant("tomorrow");
    }
}

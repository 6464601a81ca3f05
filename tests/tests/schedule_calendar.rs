//! Which dates a schedule means: cases checked against a paper calendar, and random ones against an oracle that
//! looks at every date.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod schedule_oracle;

use chrono::{DateTime, NaiveDate, Utc};
use jobs::Schedule;

use schedule_oracle::{Case, Random, exhaustive};

/// The dates of the next fire times, each of which must be a midnight of UTC.
fn dates(spec: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(spec).unwrap_or_else(|error| panic!("{error}"));
    let from = from.parse::<NaiveDate>().unwrap().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let dates = schedule.upcoming(from).take(count).map(|time| {
        assert_eq!(time.timestamp() % 86_400, 0, "{spec}: {time}");
        time.date_naive().to_string()
    });
    dates.collect()
}

fn next(spec: &str, from: &str) -> String {
    let from: DateTime<Utc> = from.parse().unwrap();
    let next = Schedule::parse(spec).unwrap().next_after(from).unwrap();
    next.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

#[test]
fn the_last_day_of_a_month() {
    assert_eq!(
        dates("0 0 0 L * *", "2023-12-31", 4),
        ["2024-01-31", "2024-02-29", "2024-03-31", "2024-04-30"]
    );
    assert_eq!(dates("0 0 0 L 2 *", "2026-01-01", 3), ["2026-02-28", "2027-02-28", "2028-02-29"]);
    assert_eq!(
        dates("0 0 0 1,L * *", "2026-01-31", 4),
        ["2026-02-01", "2026-02-28", "2026-03-01", "2026-03-31"]
    );
}

#[test]
fn the_last_working_day_of_a_month() {
    assert_eq!(
        dates("0 0 0 LW * *", "2026-01-01", 12),
        [
            "2026-01-30",
            "2026-02-27",
            "2026-03-31",
            "2026-04-30",
            "2026-05-29",
            "2026-06-30",
            "2026-07-31",
            "2026-08-31",
            "2026-09-30",
            "2026-10-30",
            "2026-11-30",
            "2026-12-31"
        ]
    );
}

#[test]
fn the_working_day_nearest_a_date() {
    // February's and March's 15th are Sundays, August's is a Saturday.
    assert_eq!(
        dates("0 0 0 15W * *", "2026-01-31", 7),
        ["2026-02-16", "2026-03-16", "2026-04-15", "2026-05-15", "2026-06-15", "2026-07-15", "2026-08-14"]
    );
    // The 1st never yields into the month before: August's is a Saturday, November's a Sunday.
    assert_eq!(dates("0 0 0 1W 8,11 *", "2026-01-01", 2), ["2026-08-03", "2026-11-02"]);
    // Nor the last day into the month after: January's and October's 31st are Saturdays, May's is a Sunday; and
    // months of thirty days have no 31st to be near to.
    assert_eq!(
        dates("0 0 0 31W * *", "2026-01-01", 7),
        ["2026-01-30", "2026-03-31", "2026-05-29", "2026-07-31", "2026-08-31", "2026-10-30", "2026-12-31"]
    );
    // May's 30th is a Saturday, August's a Sunday, and February has none.
    assert_eq!(dates("0 0 0 30W 2,5,8 *", "2026-01-01", 3), ["2026-05-29", "2026-08-31", "2027-05-31"]);
}

#[test]
fn the_nth_and_the_last_weekday() {
    assert_eq!(dates("0 0 0 * * FRI#2", "2026-01-01", 3), ["2026-01-09", "2026-02-13", "2026-03-13"]);
    assert_eq!(
        dates("0 0 0 * * 5#5", "2026-01-01", 4),
        ["2026-01-30", "2026-05-29", "2026-07-31", "2026-10-30"]
    );
    assert_eq!(dates("0 0 0 * * FRIL", "2026-01-01", 3), ["2026-01-30", "2026-02-27", "2026-03-27"]);
    assert_eq!(dates("0 0 0 * * 5L", "2026-03-31", 2), ["2026-04-24", "2026-05-29"]);
    // Sunday is 0 and 7.
    assert_eq!(dates("0 0 0 * * 7#1", "2026-01-01", 2), ["2026-01-04", "2026-02-01"]);
    assert_eq!(dates("0 0 0 * * 0#1", "2026-01-01", 2), ["2026-01-04", "2026-02-01"]);
    assert_eq!(dates("0 0 0 * * 0L", "2026-01-01", 2), ["2026-01-25", "2026-02-22"]);
    assert_eq!(
        dates("0 0 0 * * MON#1,FRIL", "2026-01-01", 4),
        ["2026-01-05", "2026-01-30", "2026-02-02", "2026-02-27"]
    );
}

#[test]
fn either_day_field_or_both() {
    // Friday the 13th and every other 13th and Friday.
    assert_eq!(
        dates("0 0 0 13 * FRI", "2026-01-09", 4),
        ["2026-01-13", "2026-01-16", "2026-01-23", "2026-01-30"]
    );
    assert_eq!(
        dates("0 0 0 L * FRI#2", "2026-01-01", 4),
        ["2026-01-09", "2026-01-31", "2026-02-13", "2026-02-28"]
    );
    // A star, even with a step, makes it both: the 1st, 14th or 27th that is a Friday.
    assert_eq!(dates("0 0 0 */13 * FRI", "2026-01-01", 3), ["2026-02-27", "2026-03-27", "2026-05-01"]);
    assert_eq!(dates("0 0 0 ? * FRI", "2026-01-01", 2), ["2026-01-02", "2026-01-09"]);
    assert_eq!(dates("0 0 0 13 * ?", "2026-01-01", 2), ["2026-01-13", "2026-02-13"]);
}

#[test]
fn five_fields_begin_with_the_minute() {
    assert_eq!(next("30 4 * * *", "2026-01-01T00:00:00Z"), "2026-01-01T04:30:00Z");
    assert_eq!(next("* * * * *", "2026-01-01T00:00:00.5Z"), "2026-01-01T00:01:00Z");
    assert_eq!(next("0 9 * * 1-5", "2026-01-02T09:00:00Z"), "2026-01-05T09:00:00Z");
    assert_eq!(next("0 0 1 1 *", "2026-01-01T00:00:00Z"), "2027-01-01T00:00:00Z");
}

#[test]
fn descriptors() {
    let next = |spec| next(spec, "2026-06-17T10:20:30Z");
    assert_eq!(next("@yearly"), "2027-01-01T00:00:00Z");
    assert_eq!(next("@annually"), "2027-01-01T00:00:00Z");
    assert_eq!(next("@monthly"), "2026-07-01T00:00:00Z");
    assert_eq!(next("@weekly"), "2026-06-21T00:00:00Z");
    assert_eq!(next("@daily"), "2026-06-18T00:00:00Z");
    assert_eq!(next("@midnight"), "2026-06-18T00:00:00Z");
    assert_eq!(next("@hourly"), "2026-06-17T11:00:00Z");
    assert_eq!(next("@every 90m"), "2026-06-17T11:50:30Z");
    assert_eq!(next("@every 1d"), "2026-06-18T10:20:30Z");
}

/// Feb 29 that is the fifth Friday: every 28 years, and twelve years across the turn of most centuries.
#[test]
fn dates_that_are_decades_apart() {
    assert_eq!(
        dates("0 0 0 */28 2 FRI#5", "2000-01-01", 6),
        ["2008-02-29", "2036-02-29", "2064-02-29", "2092-02-29", "2104-02-29", "2132-02-29"]
    );
    assert_eq!(dates("0 0 0 29 2 *", "2096-02-29", 2), ["2104-02-29", "2108-02-29"]);
    assert_eq!(dates("0 0 0 29 2 *", "1896-02-29", 2), ["1904-02-29", "1908-02-29"]);
    // The 1st or 29th that is a Monday.
    assert_eq!(dates("0 0 0 */28 2 MON", "1904-02-29", 3), ["1909-02-01", "1915-02-01", "1926-02-01"]);
}

#[test]
fn years_that_the_engine_does_not_know() {
    assert_eq!(dates("0 0 0 1 1 *", "1799-06-01", 2), ["1800-01-01", "1801-01-01"]);
    assert_eq!(dates("0 0 0 L 2 *", "2399-12-31", 2), ["2400-02-29", "2401-02-28"]);
    assert_eq!(dates("0 0 0 * * MON", "2100-12-31", 2), ["2101-01-03", "2101-01-10"]);
    assert_eq!(dates("0 0 0 31 12 *", "1968-12-31", 3), ["1969-12-31", "1970-12-31", "1971-12-31"]);
    assert_eq!(next("* * * * * *", "1969-12-31T23:59:58.5Z"), "1969-12-31T23:59:59Z");
    assert_eq!(next("* * * * * *", "1969-12-31T23:59:59Z"), "1970-01-01T00:00:00Z");
    assert_eq!(next("* * * * * *", "2100-12-31T23:59:59Z"), "2101-01-01T00:00:00Z");
    assert_eq!(next("* * * * * *", "-0044-03-14T23:59:59Z"), "-0044-03-15T00:00:00Z");
}

#[test]
fn the_end_of_time_is_no_time() {
    for spec in ["* * * * * *", "0 0 0 29 2 *", "0 0 0 LW * FRI#5", "@every 1h"] {
        let schedule = Schedule::parse(spec).unwrap();
        assert_eq!(schedule.next_after(DateTime::<Utc>::MAX_UTC), None, "{spec}");
        assert_eq!(schedule.upcoming(DateTime::<Utc>::MAX_UTC).count(), 0, "{spec}");
        let first = schedule.next_after(DateTime::<Utc>::MIN_UTC).unwrap();
        assert!(first > DateTime::<Utc>::MIN_UTC, "{spec}");
        for zone in ["America/New_York", "Pacific/Apia", "+14:00", "-12:00"] {
            let schedule = schedule.in_zone(zone).unwrap();
            assert_eq!(schedule.next_after(DateTime::<Utc>::MAX_UTC), None, "{spec} in {zone}");
            assert!(schedule.next_after(DateTime::<Utc>::MIN_UTC).is_some(), "{spec} in {zone}");
        }
    }
}

#[test]
fn intervals_keep_fractions_and_know_no_clock() {
    assert_eq!(next("@every 1h", "2024-11-03T05:30:00.25Z"), "2024-11-03T06:30:00.250Z");
    assert_eq!(next("@every 10ms", "2026-01-01T00:00:00.995Z"), "2026-01-01T00:00:01.005Z");
    let schedule = Schedule::every(std::time::Duration::from_millis(1_500)).unwrap();
    assert_eq!(schedule, Schedule::parse("@every 1.5s").unwrap());
    assert_eq!(schedule.interval(), Some(std::time::Duration::from_millis(1_500)));
}

#[test]
fn random_dates_against_every_date() {
    let mut random = Random::seeded();
    let cases = if exhaustive() { 20_000 } else { 300 };
    let mut compared = 0;
    for _ in 0..cases {
        let mut case = Case::random(&mut random, None);
        case.minute = schedule_oracle::Field::one(0);
        case.hour = schedule_oracle::Field::one(0);
        let year = random.number(1890, 2190);
        let from = jiff::civil::date(year as i16, 1, 1);
        let found = match Schedule::parse(&case.text()) {
            Ok(schedule) => {
                let from: DateTime<Utc> = format!("{from}T00:00:00Z").parse().unwrap();
                let end = from + chrono::TimeDelta::days(3 * 365);
                let within = schedule.upcoming(from).take_while(|&time| time < end);
                within.map(|time| time.date_naive().to_string()).collect()
            }
            // A schedule that never fires is refused.
            Err(_) => Vec::new(),
        };
        let all = std::iter::successors(from.tomorrow().ok(), |date| date.tomorrow().ok()).take(3 * 365 - 1);
        let expected: Vec<_> =
            all.filter(|&date| case.matches_date(date)).map(|date| date.to_string()).collect();
        assert_eq!(found, expected, "`{}` from {from}", case.text());
        compared += usize::from(!expected.is_empty());
    }
    assert!(compared > cases / 2, "{compared}");
}

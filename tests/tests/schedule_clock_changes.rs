//! Clock changes: the rule on every change of every zone, and the famous ones by name.
//!
//! The product of zones, changes and schedules is sampled; `JOBS_TEST_EXHAUSTIVE=1` runs all of it (use a release
//! build), `JOBS_TEST_SEED` repeats a run.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod schedule_oracle;

use chrono::{DateTime, Utc};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};
use jobs::Schedule;

use schedule_oracle::{Case, Field, Random, exhaustive};

/// Both databases that `jobs` may have chosen: a test cannot know which one is newer, but the answer is right for
/// one of them.
fn readings(zone: &str) -> impl Iterator<Item = TimeZone> {
    [TimeZoneDatabase::bundled(), jiff::tz::db().clone()].into_iter().filter_map(move |db| db.get(zone).ok())
}

struct Change {
    zone: String,
    at: Timestamp,
}

/// Every change of every zone of the database from 2000 to 2037.
fn changes() -> Vec<Change> {
    changes_between("2000-01-01T00:00:00Z", "2038-01-01T00:00:00Z")
}

fn changes_between(first: &str, last: &str) -> Vec<Change> {
    let first: Timestamp = first.parse().unwrap();
    let last: Timestamp = last.parse().unwrap();
    let database = TimeZoneDatabase::bundled();
    let mut changes = Vec::new();
    for zone in database.available() {
        let rules = database.get(zone.as_str()).unwrap();
        let of_zone = rules.following(first).take_while(|change| change.timestamp() < last);
        changes.extend(of_zone.map(|change| Change { zone: zone.to_string(), at: change.timestamp() }));
    }
    assert!(changes.len() > 15_000, "{}", changes.len());
    changes
}

fn utc(time: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp(time.as_second(), 0).unwrap()
}

/// Compares a schedule with the oracle in a window around a change; whether it could be compared.
fn check(case: &Case, change: &Change, random: &mut Random) -> bool {
    let Ok(schedule) = Schedule::parse(&case.text()) else { return false };
    let schedule = schedule.in_zone(&change.zone).unwrap();
    let minute = |time: Timestamp| Timestamp::from_second(time.as_second().div_euclid(60) * 60).unwrap();
    let from = minute(change.at.checked_sub(random.number(0, 30 * 60).minutes()).unwrap());
    let to = minute(change.at.checked_add(26.hours()).unwrap());
    compare(case, &schedule, &change.zone, (from, to), 60);
    true
}

fn compare(case: &Case, schedule: &Schedule, zone: &str, (from, to): (Timestamp, Timestamp), step: i64) {
    let found: Vec<_> = schedule.upcoming(utc(from)).take_while(|&time| time <= utc(to)).collect();
    let mut expected = Vec::new();
    for zone in readings(zone) {
        expected = case.fire_times(&zone, from, to, step).into_iter().map(utc).collect();
        if found == expected {
            return;
        }
    }
    panic!("`{schedule}` from {from} to {to}:\n  expected {expected:?}\n  found {found:?}");
}

#[test]
fn any_schedule_around_any_change() {
    let mut random = Random::seeded();
    let changes = changes();
    let mut compared = 0;
    let mut check_one = |change: &Change, random: &mut Random| {
        let zone = readings(&change.zone).next().unwrap();
        let near = zone.to_datetime(change.at.checked_sub(random.number(0, 90).minutes()).unwrap());
        let near = Some(near).filter(|_| random.chance(80));
        compared += usize::from(check(&Case::random(random, near), change, random));
    };
    if exhaustive() {
        for change in &changes {
            for _ in 0..20 {
                check_one(change, &mut random);
            }
        }
    } else {
        for _ in 0..1_000 {
            check_one(random.pick(&changes), &mut random);
        }
    }
    assert!(compared > 900, "{compared}");
}

/// "Each wall-clock time once" in its purest form: one time a day that the change repeats or swallows.
#[test]
fn a_daily_schedule_fires_once_a_day_across_any_change() {
    let mut random = Random::seeded();
    let changes = changes();
    let count = if exhaustive() { changes.len() } else { 1_500 };
    for at in 0..count {
        let change = if exhaustive() { &changes[at] } else { random.pick(&changes) };
        let mut case = Case::random(&mut random, None);
        // A time within the hour on either side of the change.
        let zone = readings(&change.zone).next().unwrap();
        let wall = zone.to_datetime(change.at.checked_sub(random.number(-60, 60).minutes()).unwrap());
        case.hour = Field::one(wall.hour().into());
        case.minute = Field::one(wall.minute().into());
        (case.day, case.month, case.weekday) = (Field::any(), Field::any(), Field::any());
        case.special_days.clear();
        case.special_weekdays.clear();
        assert!(check(&case, change, &mut random));
    }
}

/// Before 2000, offsets have seconds and some changes are a day long: every second is looked at.
#[test]
fn any_schedule_around_old_changes() {
    let mut random = Random::seeded();
    let changes = changes_between("1840-01-01T00:00:00Z", "2000-01-01T00:00:00Z");
    let count = if exhaustive() { 3_000 } else { 60 };
    let mut compared = 0;
    for _ in 0..count {
        let change = random.pick(&changes);
        let zone = readings(&change.zone).next().unwrap();
        let near = zone.to_datetime(change.at.checked_sub(random.number(0, 90).minutes()).unwrap());
        let case = Case::random(&mut random, Some(near));
        let Ok(schedule) = Schedule::parse(&case.text()) else { continue };
        let schedule = schedule.in_zone(&change.zone).unwrap();
        let from = change.at.checked_sub(random.number(0, 3 * 3600).seconds()).unwrap();
        let to = change.at.checked_add(2.hours()).unwrap();
        compare(&case, &schedule, &change.zone, (from, to), 1);
        compared += 1;
    }
    assert!(compared > count / 2, "{compared}");
}

fn times(spec: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::parse(spec).unwrap().in_zone(zone).unwrap();
    let from: DateTime<Utc> = from.parse().unwrap();
    let times: Vec<_> = schedule.upcoming(from).take(count).collect();
    let mut before = from;
    for &time in &times {
        assert!(time > before, "{schedule}: {time} is not later than {before}");
        before = time;
    }
    times.iter().map(|time| time.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)).collect()
}

/// ```text
/// Samoa crossed the date line: 2011-12-29 23:59:59 (-10) │ 2011-12-31 00:00:00 (+14)
/// ```
#[test]
fn apia_has_no_30th_of_december_2011() {
    let apia = "Pacific/Apia";
    // The noon of the 30th fires at the end of the gap, the midnight of the 31st; the noon of the 31st as ever.
    assert_eq!(
        times("0 0 12 * * *", apia, "2011-12-29T00:00:00Z", 4),
        ["2011-12-29T22:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T22:00:00Z", "2011-12-31T22:00:00Z"]
    );
    // All times of the 30th are one, together with the midnight of the 31st, where the gap ends.
    assert_eq!(
        times("0 0 0,6,12,18 * * *", apia, "2011-12-30T03:00:00Z", 4),
        ["2011-12-30T04:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T16:00:00Z", "2011-12-30T22:00:00Z"]
    );
    assert_eq!(
        times("0 0 0 30 12 *", apia, "2011-01-01T00:00:00Z", 2),
        ["2011-12-30T10:00:00Z", "2012-12-29T10:00:00Z"]
    );
    // A wildcard has no 30th that year.
    assert_eq!(times("0 * 12 30 12 *", apia, "2011-01-01T00:00:00Z", 1), ["2012-12-29T22:00:00Z"]);
    // Of hours, none is missing: they pass at the same rate on both sides.
    assert_eq!(
        times("0 0 * * * *", apia, "2011-12-30T08:30:00Z", 3),
        ["2011-12-30T09:00:00Z", "2011-12-30T10:00:00Z", "2011-12-30T11:00:00Z"]
    );
}

/// ```text
/// Kwajalein skipped the 21st of August 1993: 1993-08-20 23:59:59 (-12) │ 1993-08-22 00:00:00 (+12)
/// ```
#[test]
fn kwajalein_has_no_21st_of_august_1993() {
    assert_eq!(
        times("0 0 9 * * *", "Pacific/Kwajalein", "1993-08-20T00:00:00Z", 4),
        ["1993-08-20T21:00:00Z", "1993-08-21T12:00:00Z", "1993-08-21T21:00:00Z", "1993-08-22T21:00:00Z"]
    );
}

/// ```text
/// 2024-10-06 01:59:59 (+10:30) │ 02:30:00 (+11)       2025-04-06 01:59:59 (+11) │ 01:30:00 (+10:30)
/// ```
#[test]
fn lord_howe_changes_by_half_an_hour() {
    let lord_howe = "Australia/Lord_Howe";
    // The gap from 2:00 to 2:30.
    assert_eq!(
        times("0 15 2 * * *", lord_howe, "2024-10-05T00:00:00Z", 3),
        ["2024-10-05T15:30:00Z", "2024-10-06T15:15:00Z", "2024-10-07T15:15:00Z"]
    );
    assert_eq!(times("0 0,15,30 2 6 10 *", lord_howe, "2024-10-05T00:00:00Z", 1), ["2024-10-05T15:30:00Z"]);
    assert_eq!(
        times("0 */15 * * * *", lord_howe, "2024-10-05T15:10:00Z", 3),
        ["2024-10-05T15:15:00Z", "2024-10-05T15:30:00Z", "2024-10-05T15:45:00Z"]
    );
    // 1:45 comes twice, at 14:45 and 15:15 UTC.
    assert_eq!(
        times("0 45 1 * * *", lord_howe, "2025-04-05T00:00:00Z", 2),
        ["2025-04-05T14:45:00Z", "2025-04-06T15:15:00Z"]
    );
    assert_eq!(
        times("0 45 * * * *", lord_howe, "2025-04-05T14:00:00Z", 3),
        ["2025-04-05T14:45:00Z", "2025-04-05T15:15:00Z", "2025-04-05T16:15:00Z"]
    );
}

/// ```text
/// 2018-11-03 23:59:59 (-03) │ 2018-11-04 01:00:00 (-02)     2018-02-17 23:59:59 (-02) │ 23:00:00 (-03)
/// ```
#[test]
fn sao_paulo_has_days_without_a_midnight() {
    let sao_paulo = "America/Sao_Paulo";
    assert_eq!(
        times("@daily", sao_paulo, "2018-11-03T12:00:00Z", 2),
        ["2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"]
    );
    assert_eq!(times("0 */30 0 * * *", sao_paulo, "2018-11-03T12:00:00Z", 1), ["2018-11-05T02:00:00Z"]);
    // 23:30 comes twice.
    assert_eq!(
        times("0 30 23 * * *", sao_paulo, "2018-02-17T12:00:00Z", 2),
        ["2018-02-18T01:30:00Z", "2018-02-19T02:30:00Z"]
    );
    assert_eq!(
        times("0 30 * * * *", sao_paulo, "2018-02-18T01:00:00Z", 3),
        ["2018-02-18T01:30:00Z", "2018-02-18T02:30:00Z", "2018-02-18T03:30:00Z"]
    );
}

/// ```text
/// 2024-03-30 23:59:59 (+02) │ 2024-03-31 01:00:00 (+03)
/// ```
#[test]
fn beirut_and_havana_have_days_without_a_midnight() {
    assert_eq!(
        times("@daily", "Asia/Beirut", "2024-03-30T12:00:00Z", 2),
        ["2024-03-30T22:00:00Z", "2024-03-31T21:00:00Z"]
    );
    assert_eq!(times("@monthly", "Asia/Beirut", "2024-03-30T12:00:00Z", 1), ["2024-03-31T21:00:00Z"]);
    assert_eq!(times("@weekly", "Asia/Beirut", "2024-03-30T12:00:00Z", 1), ["2024-03-30T22:00:00Z"]);
    assert_eq!(
        times("0 30 0 * * *", "America/Havana", "2024-03-10T00:00:00Z", 2),
        ["2024-03-10T05:00:00Z", "2024-03-11T04:30:00Z"]
    );
}

/// ```text
/// 2024-11-03 01:59:59 (-04) │ 01:00:00 (-05): the first pass is 05:00–06:00 UTC, the second 06:00–07:00
/// ```
#[test]
fn new_york_from_every_point_of_a_repeated_hour() {
    let (new_york, daily, wild) = ("America/New_York", "0 30 1 * * *", "0 30 * * * *");
    let fixed = |from| times(daily, new_york, from, 1).remove(0);
    let wild = |from| times(wild, new_york, from, 1).remove(0);
    let (first, tomorrow) = ("2024-11-03T05:30:00Z", "2024-11-04T06:30:00Z");
    assert_eq!(fixed("2024-11-03T05:29:59.999999999Z"), first);
    assert_eq!(fixed("2024-11-03T05:30:00Z"), tomorrow);
    assert_eq!(fixed("2024-11-03T05:59:59.5Z"), tomorrow);
    assert_eq!(fixed("2024-11-03T06:00:00Z"), tomorrow);
    assert_eq!(fixed("2024-11-03T06:29:59Z"), tomorrow);
    assert_eq!(fixed("2024-11-03T06:59:59.999Z"), tomorrow);
    // 1:45 in the second pass: 1:59 has been shown before, 2:00 has not.
    assert_eq!(times("0 59 1 * * *", new_york, "2024-11-03T06:45:00Z", 1), ["2024-11-04T06:59:00Z"]);
    assert_eq!(times("0 0 2 * * *", new_york, "2024-11-03T06:45:00Z", 1), ["2024-11-03T07:00:00Z"]);

    assert_eq!(wild("2024-11-03T05:29:59.999999999Z"), "2024-11-03T05:30:00Z");
    assert_eq!(wild("2024-11-03T05:30:00Z"), "2024-11-03T06:30:00Z");
    assert_eq!(wild("2024-11-03T06:30:00Z"), "2024-11-03T07:30:00Z");
    // Seconds are repeated too.
    assert_eq!(
        times("59 59 * * * *", new_york, "2024-11-03T05:59:58.9Z", 2),
        ["2024-11-03T05:59:59Z", "2024-11-03T06:59:59Z"]
    );
}

/// ```text
/// 2024-03-10 01:59:59 (-05) │ 03:00:00 (-04): the gap ends at 07:00 UTC
/// ```
#[test]
fn new_york_from_every_point_around_a_gap() {
    let new_york = "America/New_York";
    let fixed = |from| times("0 30 2 * * *", new_york, from, 1).remove(0);
    assert_eq!(fixed("2024-03-10T06:59:59.999999999Z"), "2024-03-10T07:00:00Z");
    assert_eq!(fixed("2024-03-10T07:00:00Z"), "2024-03-11T06:30:00Z");
    assert_eq!(fixed("2024-03-10T07:00:00.000000001Z"), "2024-03-11T06:30:00Z");
    // The missing times and the regular one at the end of the gap are one.
    assert_eq!(
        times("* 0,30 2,3 10 3 *", new_york, "2024-03-10T00:00:00Z", 3),
        ["2024-03-10T07:00:00Z", "2024-03-10T07:00:01Z", "2024-03-10T07:00:02Z"]
    );
    assert_eq!(
        times("0 0,30 2,3 10 3 *", new_york, "2024-03-10T00:00:00Z", 3),
        ["2024-03-10T07:00:00Z", "2024-03-10T07:30:00Z", "2025-03-10T06:00:00Z"]
    );
    assert_eq!(times("0 */30 2 * * *", new_york, "2024-03-10T00:00:00Z", 1), ["2024-03-11T06:00:00Z"]);
}

/// Morocco leaves its summer time for Ramadan: two changes within five weeks.
#[test]
fn casablanca_in_ramadan() {
    // 2024-03-10 02:59:59 (+01) │ 02:00:00 (+00)     2024-04-14 01:59:59 (+00) │ 03:00:00 (+01)
    for zone in ["Africa/Casablanca", "Africa/El_Aaiun"] {
        assert_eq!(
            times("0 30 2 10 3,4 *", zone, "2024-03-01T00:00:00Z", 2),
            ["2024-03-10T01:30:00Z", "2024-04-10T02:30:00Z"]
        );
        assert_eq!(times("0 30 2 14 4 *", zone, "2024-03-01T00:00:00Z", 1), ["2024-04-14T02:00:00Z"]);
        assert_eq!(
            times("0 30 * 10 3 *", zone, "2024-03-10T01:00:00Z", 2),
            ["2024-03-10T01:30:00Z", "2024-03-10T02:30:00Z"]
        );
    }
}

/// Local mean time: until 1895-01-31 Amsterdam-like offsets had seconds; New York's was -4:56:02 until 1883.
#[test]
fn offsets_with_seconds() {
    // 1883-11-18 12:03:57 (-4:56:02) │ 12:00:00 (-5): the clock goes back by 3:58 at 17:00 UTC.
    let new_york = "America/New_York";
    assert_eq!(
        times("0 0 12 * * *", new_york, "1883-11-17T00:00:00Z", 3),
        ["1883-11-17T16:56:02Z", "1883-11-18T16:56:02Z", "1883-11-19T17:00:00Z"]
    );
    assert_eq!(
        times("0 * * * * *", new_york, "1883-11-18T16:58:00Z", 4),
        ["1883-11-18T16:58:02Z", "1883-11-18T16:59:02Z", "1883-11-18T17:00:00Z", "1883-11-18T17:01:00Z"]
    );
}

/// Changes that are no summer time: the zone moves for good.
#[test]
fn permanent_shifts() {
    // Caracas, 2016-05-01 02:29:59 (-04:30) │ 03:00:00 (-04).
    assert_eq!(
        times("0 45 2 * * *", "America/Caracas", "2016-04-30T12:00:00Z", 2),
        ["2016-05-01T07:00:00Z", "2016-05-02T06:45:00Z"]
    );
    // Pyongyang, 2015-08-14 23:59:59 (+09) │ 23:30:00 (+08:30).
    assert_eq!(
        times("0 45 23 * * *", "Asia/Pyongyang", "2015-08-14T12:00:00Z", 2),
        ["2015-08-14T14:45:00Z", "2015-08-15T15:15:00Z"]
    );
}

/// After the table that is kept of a zone, the rule goes on.
#[test]
fn clock_changes_in_the_far_future() {
    // 2400-03-12 is the second Sunday of its March.
    assert_eq!(
        times("0 30 2 * * *", "America/New_York", "2400-03-11T12:00:00Z", 2),
        ["2400-03-12T07:00:00Z", "2400-03-13T06:30:00Z"]
    );
    assert_eq!(
        times("0 30 1 * * *", "America/New_York", "2400-11-05T00:00:00Z", 2),
        ["2400-11-05T05:30:00Z", "2400-11-06T06:30:00Z"]
    );
    assert_eq!(
        times("0 30 1 * * *", "America/New_York", "2400-11-05T06:15:00Z", 1),
        ["2400-11-06T06:30:00Z"]
    );
    assert_eq!(
        times("0 0 0 1 1 *", "America/New_York", "2099-12-31T00:00:00Z", 3),
        ["2100-01-01T05:00:00Z", "2101-01-01T05:00:00Z", "2102-01-01T05:00:00Z"]
    );
}

/// From anywhere in time, in any zone, whatever the schedule: the next is later, and it comes at once.
#[test]
fn the_next_is_later_wherever_one_asks() {
    let mut random = Random::seeded();
    let zones: Vec<_> = TimeZoneDatabase::bundled().available().map(|zone| zone.to_string()).collect();
    for _ in 0..2_000 {
        let case = Case::random(&mut random, None);
        let Ok(schedule) = Schedule::parse(&case.text()) else { continue };
        let zone: &String = random.pick(&zones);
        let schedule = schedule.in_zone(zone).unwrap();
        // The years from about -9 999 to 12 000, half of them between 1900 and 2200.
        let seconds = if random.chance(50) {
            random.number(-2_208_988_800, 7_258_118_400)
        } else {
            random.number(-377_705_116_800, 316_516_000_000)
        };
        let after = DateTime::from_timestamp(seconds, random.number(0, 999_999_999) as u32).unwrap();
        let mut last = after;
        for next in schedule.upcoming(after).take(3) {
            assert!(next > last, "`{schedule}` after {last}: {next}");
            last = next;
        }
        assert!(last > after, "`{schedule}` after {after} has no next time");
    }
}

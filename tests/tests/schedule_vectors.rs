//! Cases with known answers: `vectors/cron_oracle.tsv` comes from a brute-force oracle that steps every second of
//! the wall clock, `vectors/revel_cron.tsv` holds facts about the scheduler of the Go original.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use chrono::{DateTime, Utc};
use jobs::{Schedule, ScheduleError};

const ORACLE: &str = include_str!("../vectors/cron_oracle.tsv");
const REVEL: &str = include_str!("../vectors/revel_cron.tsv");

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().filter(|line| !line.starts_with('#')).map(|line| line.split('\t').collect())
}

fn instant(text: &str) -> DateTime<Utc> {
    DateTime::parse_from_rfc3339(text).unwrap_or_else(|error| panic!("{text}: {error}")).to_utc()
}

fn parse(spec: &str, zone: &str) -> Result<Schedule, ScheduleError> {
    Schedule::parse(spec)?.in_zone(zone)
}

#[test]
fn every_row_of_the_oracle() {
    let mut wrong = Vec::new();
    let mut kinds = std::collections::BTreeMap::<_, usize>::new();
    for row in rows(ORACLE) {
        let [kind, spec, zone, from, expected] = row[..] else { panic!("{row:?}") };
        let expected: Vec<_> = expected.split(' ').map(instant).collect();
        assert_eq!(expected.len(), 6, "{row:?}");
        let schedule = parse(spec, zone).unwrap_or_else(|error| panic!("{row:?}: {error}"));
        let found: Vec<_> = schedule.upcoming(instant(from)).take(6).collect();
        if found != expected {
            wrong.push(format!("{kind} `{spec}` in {zone} from {from}:\n  {expected:?}\n  {found:?}"));
        }
        *kinds.entry(kind).or_default() += 1;
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(Vec::from_iter(kinds), [("cal", 595), ("cal-both", 605), ("fold", 155), ("gap", 168)]);
}

#[test]
fn every_fact_about_the_original_but_those_where_we_depart() {
    let mut wrong = Vec::new();
    let mut compared = 0;
    for row in rows(REVEL) {
        let [spec, zone, from, expected, kind] = row[..] else { panic!("{row:?}") };
        if kind == "next-differs-by-rule" || is_v3_star(&row) {
            continue;
        }
        compared += 1;
        match (parse(spec, zone), expected) {
            (Err(error), "ERROR") => assert!(error.is_syntax(), "{row:?}: {error}"),
            (Ok(schedule), expected) if expected != "ERROR" => {
                let found = schedule.next_after(instant(from));
                let is_met = match kind {
                    // Upstream asserts here that the instant is none of the schedule, and names the next one.
                    "activation-true" | "activation-false" | "next" | "every" | "parse-ok" => {
                        found == Some(instant(expected))
                    }
                    _ => panic!("{row:?}"),
                };
                if !is_met {
                    wrong.push(format!("{row:?}: {found:?}"));
                }
            }
            (result, _) => wrong.push(format!("{row:?}: {result:?}")),
        }
    }
    assert!(wrong.is_empty(), "{} rows are wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(compared, 96);
}

/// The original's version 3, from which the rows with five fields come, takes `*/10` for a restriction, so that
/// either day field may match. Its version 1, from which those with six come, takes it for a star, so that both
/// must, and so does Vixie cron. One rule has to hold for five and six fields here, or the canonical text would mean
/// something else: it is the latter.
fn is_v3_star(row: &[&str]) -> bool {
    row[0] == "* * */10 * Sun"
}

#[test]
fn a_star_with_a_step_is_a_star_in_five_fields_as_in_six() {
    let row = rows(REVEL).find(|row| is_v3_star(row)).unwrap();
    let five = parse(row[0], row[1]);
    assert_eq!(answer(five, row[2]), "2012-10-21T00:00:00Z");
    let six = parse(&format!("0 {}", row[0]), row[1]);
    assert_eq!(answer(six, row[2]), "2012-10-21T00:00:00Z");
}

/// Where we depart from the original on purpose, with our answer.
#[test]
fn our_answers_where_we_depart_from_the_original() {
    let departures: Vec<_> = rows(REVEL)
        .filter(|row| row[4] == "next-differs-by-rule")
        .map(|row| (row[0], row[1], row[2], answer(parse(row[0], row[1]), row[2])))
        .collect();
    let new_york = "America/New_York";
    assert_eq!(
        departures,
        [
            // A missing time fires at the end of the gap, 3:00, rather than a year or a day later.
            ("0 30 2 11 Mar ?", new_york, "2012-03-11T00:00:00-05:00", "2012-03-11T07:00:00Z".to_owned()),
            ("0 0 2 * * ?", new_york, "2012-03-11T00:00:00-05:00", "2012-03-11T07:00:00Z".to_owned()),
            // 1:30 comes twice that night and has fired at the first.
            ("0 30 1 04 Nov ?", new_york, "2012-11-04T01:45:00-04:00", "2013-11-04T06:30:00Z".to_owned()),
            ("0 0 1 * * ?", new_york, "2012-11-04T01:00:00-04:00", "2012-11-05T06:00:00Z".to_owned()),
            // A schedule that never fires is a mistake.
            ("0 0 0 30 Feb ?", "UTC", "2012-07-09T23:35:00Z", "refused".to_owned()),
            ("0 0 0 31 Apr ?", "UTC", "2012-07-09T23:35:00Z", "refused".to_owned()),
            // An interval keeps its fraction of a second, and the one of the instant that it counts from.
            ("@every 15m50ns", "UTC", "2012-07-09T14:45:00Z", "2012-07-09T15:00:00.000000050Z".to_owned()),
            ("@every 15ms", "UTC", "2012-07-09T14:45:00Z", "2012-07-09T14:45:00.015Z".to_owned()),
            ("@every 15m", "UTC", "2012-07-09T14:45:00.005000Z", "2012-07-09T15:00:00.005Z".to_owned()),
            (
                "@every 15m50ns",
                "UTC",
                "2012-07-09T14:45:00.005000Z",
                "2012-07-09T15:00:00.005000050Z".to_owned()
            ),
        ]
    );
}

fn answer(schedule: Result<Schedule, ScheduleError>, from: &str) -> String {
    use chrono::SecondsFormat::AutoSi;
    match schedule {
        Ok(schedule) => match schedule.next_after(instant(from)) {
            Some(next) => next.to_rfc3339_opts(AutoSi, true),
            None => "none".to_owned(),
        },
        Err(_) => "refused".to_owned(),
    }
}

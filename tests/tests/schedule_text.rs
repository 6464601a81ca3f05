//! What a schedule says of itself: its words, its canonical text, its errors.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::HashSet;
use std::time::Duration;

use jobs::Schedule;

fn words(spec: &str) -> String {
    Schedule::parse(spec).unwrap_or_else(|error| panic!("{error}")).describe()
}

/// Every row is wrong or right on its own, so that a change of wording shows all that it touches.
fn check(rows: &[(&str, &str)]) {
    let wrong: Vec<_> = rows
        .iter()
        .map(|&(spec, expected)| (spec, expected, words(spec)))
        .filter(|(_, expected, found)| expected != found)
        .map(|(spec, expected, found)| format!("`{spec}`\n  expected {expected}\n  found    {found}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn times_of_day_in_words() {
    check(&[
        ("0 * * * * *", "every minute"),
        ("0 */15 * * * *", "every 15 minutes"),
        ("0 0,30 * * * *", "every 30 minutes"),
        ("0 0 * * * *", "every hour"),
        ("0 0 */2 * * *", "every 2 hours"),
        ("0 5 * * * *", "at 5 minutes past every hour"),
        ("0 1 * * * *", "at 1 minute past every hour"),
        ("0 5,20,40 * * * *", "at 5, 20 and 40 minutes past every hour"),
        ("0 5/15 * * * *", "every 15 minutes from 5 to 50 minutes past every hour"),
        ("0 0-10 * * * *", "every minute from 0 to 10 minutes past every hour"),
        ("0 */7 * * * *", "every 7 minutes from 0 to 56 minutes past every hour"),
        ("0 0 9 * * *", "at 9:00 every day"),
        ("@daily", "at 0:00 every day"),
        ("0 5 9,12,17 * * *", "at 9:05, 12:05 and 17:05 every day"),
        ("0 0,30 9,17 * * *", "at 9:00, 9:30, 17:00 and 17:30 every day"),
        ("0 5,10,20,40 9,17 * * *", "at 5, 10, 20 and 40 minutes past 9:00 and 17:00"),
        ("0 0 9-17 * * *", "every hour from 9:00 to 17:00"),
        ("0 5 9-17 * * *", "every hour from 9:05 to 17:05"),
        ("0 5 */2 * * *", "every 2 hours from 0:05 to 22:05"),
        ("0 0 */7 * * *", "every 7 hours from 0:00 to 21:00"),
        ("0 0 */12 * * *", "at 0:00 and 12:00 every day"),
        ("0 * 9-17 * * *", "every minute from 9:00 to 17:59"),
        ("0 * 9 * * *", "every minute from 9:00 to 9:59"),
        ("0 * 9,12 * * *", "every minute of the hours 9 and 12"),
        ("0 * */2 * * *", "every minute of every 2nd hour from 0:00"),
        ("0 */20 9-17 * * *", "every 20 minutes from 9:00 to 17:40"),
        ("0 */15 9,12 * * *", "every 15 minutes of the hours 9 and 12"),
        ("0 */7 9-17 * * *", "every 7 minutes from 0 to 56 minutes past every hour from 9:00 to 17:00"),
        ("0 */15 9 * * *", "every 15 minutes from 9:00 to 9:45"),
        ("0 10-20 9 * * *", "every minute from 9:10 to 9:20"),
    ]);
}

#[test]
fn seconds_in_words() {
    check(&[
        ("* * * * * *", "every second"),
        ("*/10 * * * * *", "every 10 seconds"),
        ("30 * * * * *", "at 30 seconds past every minute"),
        ("1 * * * * *", "at 1 second past every minute"),
        ("5,10 * * * * *", "at 5 and 10 seconds past every minute"),
        ("10-20 * * * * *", "every second from 10 to 20 seconds past every minute"),
        ("0-12/3 * * * * *", "every 3 seconds from 0 to 12 seconds past every minute"),
        ("30 5 9 * * *", "at 9:05:30 every day"),
        ("* 5 9 * * *", "every second from 9:05:00 to 9:05:59"),
        ("*/10 * 9-17 * * *", "every 10 seconds from 9:00:00 to 17:59:50"),
        ("30 */15 9-17 * * *", "at 30 seconds past the minute, every 15 minutes from 9:00 to 17:45"),
        ("* */15 * * * *", "every second of the minute, every 15 minutes"),
        ("*/10 */15 * * * *", "every 10 seconds of the minute, every 15 minutes"),
        ("5,10 0 * * * *", "at 5 and 10 seconds past the minute, every hour"),
    ]);
}

#[test]
fn days_in_words() {
    check(&[
        ("0 */15 9-17 * * Mon-Fri", "every 15 minutes from 9:00 to 17:45, Monday to Friday"),
        ("0 0 9 * * 1-5", "at 9:00, Monday to Friday"),
        ("@weekly", "at 0:00 on Sunday"),
        ("0 0 9 * * 0,6", "at 9:00 on Saturday and Sunday"),
        ("0 0 9 * * 1,3,5", "at 9:00 on Monday, Wednesday and Friday"),
        ("0 0 9 * * 5-7", "at 9:00, Friday to Sunday"),
        ("0 * * * * Mon", "every minute, on Monday"),
        ("@monthly", "at 0:00 on the 1st of every month"),
        ("@yearly", "at 0:00 on the 1st of January"),
        ("0 0 0 1,15 * *", "at 0:00 on the 1st and 15th of every month"),
        ("0 0 0 1-7 * *", "at 0:00 on the 1st to the 7th of every month"),
        ("0 0 0 */2 * *", "at 0:00 on every 2nd day from the 1st to the 31st of every month"),
        ("0 0 0 */10 * *", "at 0:00 on the 1st, 11th, 21st and 31st of every month"),
        ("0 0 0 L * *", "at 0:00 on the last day of every month"),
        ("0 0 0 LW * *", "at 0:00 on the last working day of every month"),
        ("0 0 0 15W * *", "at 0:00 on the working day nearest the 15th of every month"),
        ("0 0 0 1,L * *", "at 0:00 on the 1st and the last day of every month"),
        ("0 0 0 * * FRI#2", "at 0:00 on the second Friday of every month"),
        ("0 0 0 * * FRIL", "at 0:00 on the last Friday of every month"),
        ("0 0 0 * * MON#1,MON#3", "at 0:00 on the first Monday and third Monday of every month"),
        ("0 0 0 * * MON,FRIL", "at 0:00 on Monday and on the last Friday of every month"),
        ("0 0 0 13 * FRI", "at 0:00 on the 13th of every month and on every Friday"),
        ("0 0 0 13 * 1-5", "at 0:00 on the 13th of every month and Monday to Friday"),
        ("0 0 0 L * FRI#2", "at 0:00 on the last day of every month and on the second Friday of every month"),
        ("0 0 0 */10 * Sun", "at 0:00 on the 1st, 11th, 21st and 31st of every month if that is a Sunday"),
        (
            "0 0 0 */28 2 FRI#5",
            "at 0:00 on the 1st and 29th of February if that is the fifth Friday of February",
        ),
        ("0 30 8 15 Jul ?", "at 8:30 on the 15th of July"),
        ("0 30 8 ? Jul Sun", "at 8:30 on Sunday in July"),
        ("0 0 9 * 4-10 *", "at 9:00 every day from April to October"),
        ("0 0 9 * 1,7 *", "at 9:00 every day in January and July"),
        ("0 */5 * * 12 *", "every 5 minutes, in December"),
        ("0 0 9 1 */3 *", "at 9:00 on the 1st of January, April, July and October"),
        ("0 0 9 1 4-10 *", "at 9:00 on the 1st of each month from April to October"),
        ("0 0 9 ? 4-10 1-5", "at 9:00, Monday to Friday from April to October"),
        ("0 0 9 13 7 FRI", "at 9:00 on the 13th of July and on every Friday in July"),
    ]);
}

#[test]
fn intervals_in_words() {
    check(&[
        ("@every 1s", "every second"),
        ("@every 90s", "every 90 seconds"),
        ("@every 5m", "every 5 minutes"),
        ("@every 90m", "every 90 minutes"),
        ("@every 1h", "every hour"),
        ("@every 24h", "every 24 hours"),
        ("@every 2d", "every 2 days"),
        ("@every 2w", "every 14 days"),
        ("@every 2h5m1s", "every 2 hours, 5 minutes and 1 second"),
        ("@every 25h44m24s", "every 1 day, 1 hour, 44 minutes and 24 seconds"),
        ("@every 250ms", "every 250 milliseconds"),
        ("@every 1.5s", "every 1.5 seconds"),
        ("@every 1m0.5s", "every 1 minute and 0.5 seconds"),
        ("@every 10000001ns", "every 0.010000001 seconds"),
    ]);
}

#[test]
fn the_zone_in_words() {
    check(&[
        ("TZ=Europe/Oslo 0 0 9 * * *", "at 9:00 every day (Europe/Oslo)"),
        ("TZ=europe/oslo @hourly", "every hour (Europe/Oslo)"),
        ("TZ=+05:30 0 0 9 * * *", "at 9:00 every day (UTC+05:30)"),
        ("TZ=UTC 0 0 9 * * *", "at 9:00 every day (UTC)"),
        ("TZ=local 0 0 9 * * *", "at 9:00 every day (local time)"),
        // An interval has no zone.
        ("TZ=Europe/Oslo @every 5m", "every 5 minutes"),
    ]);
}

#[test]
fn the_canonical_text_reads_as_an_equal_schedule() {
    let texts = [
        "*/15 9-17 ? * mon-fri",
        "@daily",
        "CRON_TZ=europe/oslo @weekly",
        "TZ=-03:00 0 0 0 L,15W * FRI#2,SUNL",
        "@every 90m",
        "TZ=local * * * * *",
    ];
    for text in texts {
        let schedule = Schedule::parse(text).unwrap();
        let canonical = schedule.to_string();
        let again: Schedule = canonical.parse().unwrap();
        assert_eq!(schedule, again, "{text}");
        assert_eq!(again.to_string(), canonical);
    }
    assert_eq!(Schedule::parse(texts[0]).unwrap().to_string(), "0 */15 9-17 * * 1-5");
    assert_eq!(Schedule::parse(texts[2]).unwrap().to_string(), "TZ=Europe/Oslo 0 0 0 * * 0");
    assert_eq!(format!("{:?}", Schedule::parse("@daily").unwrap()), r#"Schedule("0 0 0 * * *")"#);
}

#[test]
fn equal_are_schedules_of_equal_meaning_and_zone() {
    let parse = |text| Schedule::parse(text).unwrap();
    assert_eq!(parse("@daily"), parse("0 0 * * *"));
    assert_eq!(parse("@every 60s"), parse("@every 1m"));
    assert_eq!(parse("TZ=Europe/Oslo @daily"), parse("@daily").in_zone("europe/OSLO").unwrap());
    assert_ne!(parse("TZ=Europe/Oslo @daily"), parse("@daily"));
    assert_ne!(parse("TZ=UTC @daily"), parse("@daily"));
    assert_ne!(parse("@daily"), parse("@hourly"));
    // An interval is the same in every zone.
    assert_eq!(parse("TZ=Europe/Oslo @every 5m"), parse("@every 5m"));
    assert_eq!(parse("@every 5m").in_zone("Europe/Oslo").unwrap(), parse("@every 5m"));

    let schedules = ["@daily", "0 0 * * *", "TZ=UTC @daily", "@every 1m", "@every 60s"].map(parse);
    assert_eq!(HashSet::from(schedules).len(), 3);
}

#[test]
fn a_zone_is_replaced_by_a_later_one() {
    let oslo = Schedule::parse("TZ=Europe/Oslo 0 0 9 * * *").unwrap();
    assert_eq!(oslo.zone(), Some("Europe/Oslo"));
    let new_york = oslo.in_zone("America/New_York").unwrap();
    assert_eq!(new_york.zone(), Some("America/New_York"));
    assert_eq!(new_york.to_string(), "TZ=America/New_York 0 0 9 * * *");
    assert_eq!(oslo.zone(), Some("Europe/Oslo"));
    assert_eq!(Schedule::parse("0 0 9 * * *").unwrap().zone(), None);
    assert_eq!(Schedule::parse("TZ=Europe/Oslo @every 1h").unwrap().zone(), None);
}

#[test]
fn offsets_and_local_are_zones() {
    let at = |spec: &str| {
        let next = Schedule::parse(spec).unwrap().next_after("2016-01-03T00:00:00Z".parse().unwrap());
        next.unwrap().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
    };
    assert_eq!(at("TZ=+05:30 0 14 14 * * *"), "2016-01-03T08:44:00Z");
    assert_eq!(at("TZ=-11:00 0 0 0 * * *"), "2016-01-03T11:00:00Z");
    assert_eq!(at("TZ=+00:00 0 0 12 * * *"), "2016-01-03T12:00:00Z");
    // Whatever the machine's zone is.
    let local = Schedule::parse("TZ=local 0 0 0 * * *").unwrap();
    assert_eq!(local.zone(), Some("local"));
    let next = local.next_after("2016-01-03T00:00:00Z".parse().unwrap()).unwrap();
    let zone = jiff::tz::TimeZone::system();
    let wall = zone.to_datetime(jiff::Timestamp::from_second(next.timestamp()).unwrap());
    assert_eq!((wall.hour(), wall.minute(), wall.second()), (0, 0, 0));
}

/// The variable `TZ` belongs to a process, so the test runs itself again under another one.
#[test]
fn local_follows_the_variable_tz() {
    const ROLE: &str = "JOBS_TEST_LOCAL";
    let local = Schedule::parse("TZ=local 0 0 12 * * *");
    match std::env::var(ROLE).as_deref() {
        Ok("oslo") => {
            let next = local.unwrap().next_after("2026-06-01T00:00:00Z".parse().unwrap()).unwrap();
            assert_eq!(next, "2026-06-01T10:00:00Z".parse::<chrono::DateTime<chrono::Utc>>().unwrap());
        }
        Ok("nonsense") => {
            let error = local.unwrap_err();
            assert!(error.is_local_zone(), "{error}");
            assert!(error.to_string().contains("TZ"), "{error}");
            assert!(std::error::Error::source(&error).is_some());
        }
        _ => {
            for (role, tz) in [("oslo", "Europe/Oslo"), ("nonsense", "Nowhere/Land")] {
                let child = std::process::Command::new(std::env::current_exe().unwrap())
                    .args(["--exact", "local_follows_the_variable_tz"])
                    .env(ROLE, role)
                    .env("TZ", tz)
                    .output()
                    .unwrap();
                let output = String::from_utf8_lossy(&child.stdout);
                assert!(child.status.success() && output.contains("1 passed"), "{role}: {output}");
            }
        }
    }
}

/// Clock changes that were decreed after many a server got its database.
#[test]
fn zone_data_is_current() {
    // Vancouver's winter time ended for good in 2026: -07 all year.
    let schedule = Schedule::parse("TZ=America/Vancouver 0 0 12 * * *").unwrap();
    let next = schedule.next_after("2026-12-24T00:00:00Z".parse().unwrap()).unwrap();
    assert_eq!(next.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true), "2026-12-24T19:00:00Z");
}

#[test]
fn a_mistake_is_shown_in_its_place() {
    let error = Schedule::parse("0 25 * * *").unwrap_err();
    assert!(error.is_syntax() && !error.is_unknown_zone() && !error.is_local_zone());
    assert!(error.to_string().contains("\n  0 25 * * *\n    ^^\n"), "{error}");
}

#[test]
fn an_unknown_zone_is_shown_with_the_nearest() {
    let error = Schedule::parse("TZ=Europe/Olso 0 3 * * *").unwrap_err();
    assert!(error.is_unknown_zone() && !error.is_syntax());
    assert_eq!(
        error.to_string(),
        "unknown time zone `Europe/Olso`\n  \
           TZ=Europe/Olso 0 3 * * *\n     \
              ^^^^^^^^^^^\n\
         help: did you mean `Europe/Oslo`?"
    );
    let help = |zone: &str| {
        let error = Schedule::parse("@daily").unwrap().in_zone(zone).unwrap_err();
        assert!(error.is_unknown_zone(), "{error}");
        error.to_string()
    };
    assert_eq!(help("Oslo"), "unknown time zone `Oslo`\nhelp: did you mean `Europe/Oslo`?");
    assert_eq!(
        help("Indianapolis"),
        "unknown time zone `Indianapolis`\n\
         help: did you mean `America/Indiana/Indianapolis` or `America/Indianapolis`?"
    );
    assert_eq!(
        help("Middle/Earth"),
        "unknown time zone `Middle/Earth`\n\
         help: zones are named like `Europe/Oslo`, `UTC`, `local` or `+05:30`"
    );
    let error = Schedule::parse("@daily").unwrap().in_zone("+0530").unwrap_err();
    assert!(error.is_syntax(), "{error}");
    assert!(error.to_string().contains("write `+05:30`"), "{error}");
}

#[test]
fn intervals_have_bounds() {
    for interval in [Duration::ZERO, Duration::from_millis(9), Duration::MAX] {
        let error = Schedule::every(interval).unwrap_err();
        assert!(error.is_syntax(), "{error}");
    }
    assert!(Schedule::every(Duration::from_millis(10)).is_ok());
}

#[test]
fn a_schedule_can_be_shared_and_an_error_returned() {
    fn shared<T: Send + Sync + Clone + 'static>() {}
    fn error<T: std::error::Error + Send + Sync + Clone + 'static>() {}
    shared::<Schedule>();
    error::<jobs::ScheduleError>();
    assert_eq!(size_of::<Schedule>(), size_of::<usize>());
}

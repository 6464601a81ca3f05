//! The day fields against every date of the 400 years after which the Gregorian calendar repeats.

use std::collections::HashSet;
use std::sync::OnceLock;

use jobs_syntax::{CivilDay, CronSpec, Spec, SyntaxErrorKind, When};
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

fn length(year: u32, month: u8) -> u8 {
    match month {
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Every date from 2000-01-01, a Saturday, to 2399-12-31, a Friday, but of those that look alike without their year
/// only one.
fn dates() -> &'static [CivilDay] {
    static DATES: OnceLock<Vec<CivilDay>> = OnceLock::new();
    DATES.get_or_init(|| {
        let mut weekdays = (0..7).cycle().skip(6);
        let mut all = 0;
        let mut seen = HashSet::new();
        let mut dates = Vec::new();
        for year in 2000..2400 {
            for month in 1..=12 {
                let month_length = length(year, month);
                for day in 1..=month_length {
                    all += 1;
                    let weekday = weekdays.next().expect("endless");
                    let date = CivilDay { month, day, month_length, weekday };
                    if seen.insert(date) {
                        dates.push(date);
                    }
                }
            }
        }
        // 2400 begins with the weekday that 2000 began with.
        assert_eq!((all, weekdays.next()), (146_097, Some(6)));
        dates
    })
}

/// The weekday of another day of the same month.
fn weekday_of(day: u8, date: CivilDay) -> u8 {
    (date.weekday + 35 + day - date.day) % 7
}

/// The day that `15W` means, worked out the way one would with a finger on the calendar.
fn nearest_weekday(day: u8, date: CivilDay) -> u8 {
    match weekday_of(day, date) {
        6 if day > 1 => day - 1,
        6 => day + 2,
        0 if day < date.month_length => day + 1,
        0 => day - 2,
        _ => day,
    }
}

fn last_weekday(date: CivilDay) -> u8 {
    (1..=date.month_length).rev().find(|&day| (1..=5).contains(&weekday_of(day, date))).expect("a weekday")
}

/// Whether one item of a day-of-month field matches.
fn day_item(item: &str, date: CivilDay) -> bool {
    match item {
        "*" | "?" => true,
        "L" => date.day == date.month_length,
        "LW" => date.day == last_weekday(date),
        _ => match (item.strip_suffix('W'), item.strip_prefix("*/")) {
            (Some(day), _) => {
                let day = day.parse().expect("a day");
                day <= date.month_length && nearest_weekday(day, date) == date.day
            }
            (_, Some(step)) => (date.day - 1).is_multiple_of(step.parse().expect("a step")),
            _ => item.parse() == Ok(date.day),
        },
    }
}

/// Whether one item of a weekday field matches.
fn weekday_item(item: &str, date: CivilDay) -> bool {
    if let Some(weekday) = item.strip_suffix('L') {
        let same: Vec<u8> =
            (1..=date.month_length).filter(|&day| weekday_of(day, date) == date.weekday).collect();
        return weekday.parse() == Ok(date.weekday) && same.last() == Some(&date.day);
    }
    if let Some((weekday, count)) = item.split_once('#') {
        let before = (1..=date.day).filter(|&day| weekday_of(day, date) == date.weekday).count();
        return weekday.parse() == Ok(date.weekday) && count.parse() == Ok(before);
    }
    match item.strip_prefix("*/") {
        Some(step) => date.weekday.is_multiple_of(step.parse().expect("a step")),
        None => matches!(item, "*" | "?") || item.parse() == Ok(date.weekday),
    }
}

/// The day rule, on the text.
fn matches(day: &[&str], month: &[u8], weekday: &[&str], date: CivilDay) -> bool {
    let days = day.iter().any(|item| day_item(item, date));
    let weekdays = weekday.iter().any(|item| weekday_item(item, date));
    let star = day.iter().chain(weekday).any(|item| item.contains(['*', '?']));
    month.contains(&date.month) && if star { days && weekdays } else { days || weekdays }
}

fn cron(text: &str) -> CronSpec {
    match Spec::parse(text).map(|spec| *spec.when()) {
        Ok(When::Cron(cron)) => cron,
        other => panic!("{text:?} is {other:?}"),
    }
}

#[test]
fn every_day_item_matches_its_dates() {
    // Each length of a month with each weekday that it can begin with.
    assert_eq!(dates().len(), (365 + 29) * 7);
    let days =
        (1..=31).map(|day| format!("{day}W")).chain(["L", "LW", "1", "29", "31", "*/10"].map(str::to_owned));
    for item in days {
        let spec = cron(&format!("0 0 {item} * ?"));
        for &date in dates() {
            assert_eq!(spec.matches_date(date), day_item(&item, date), "{item} on {date:?}");
        }
    }
    for weekday in 0..7 {
        let items = (1..=5).map(|count| format!("{weekday}#{count}"));
        for item in items.chain([format!("{weekday}L"), weekday.to_string()]) {
            let spec = cron(&format!("0 0 ? * {item}"));
            for &date in dates() {
                assert_eq!(spec.matches_date(date), weekday_item(&item, date), "{item} on {date:?}");
            }
        }
    }
}

#[test]
fn nearest_weekdays_of_a_known_month() {
    // August 2026 begins with a Saturday and ends with a Monday.
    let august = |day, weekday| CivilDay { month: 8, day, month_length: 31, weekday };
    assert!(cron("0 0 1W * *").matches_date(august(3, 1)));
    assert!(!cron("0 0 1W * *").matches_date(august(1, 6)));
    assert!(cron("0 0 15W * *").matches_date(august(14, 5)));
    assert!(cron("0 0 16W * *").matches_date(august(17, 1)));
    assert!(cron("0 0 LW * *").matches_date(august(31, 1)));
    // May 2026 ends with a Sunday.
    let may = |day, weekday| CivilDay { month: 5, day, month_length: 31, weekday };
    assert!(cron("0 0 31W * *").matches_date(may(29, 5)));
    assert!(cron("0 0 LW * *").matches_date(may(29, 5)));
    assert!(!cron("0 0 LW * *").matches_date(may(31, 0)));
}

#[test]
fn a_day_that_cannot_be_matches_nothing() {
    let spec = cron("* * * * *");
    let day = CivilDay { month: 1, day: 1, month_length: 31, weekday: 0 };
    assert!(spec.matches_date(day));
    for wrong in [
        CivilDay { month: 0, ..day },
        CivilDay { month: 200, ..day },
        CivilDay { day: 0, ..day },
        CivilDay { day: 32, ..day },
        CivilDay { day: 255, month_length: 255, ..day },
        CivilDay { weekday: 7, ..day },
    ] {
        assert!(!spec.matches_date(wrong), "{wrong:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_spec_is_refused_exactly_when_no_date_matches(
        day in subsequence(vec!["?", "30", "31", "29", "30W", "31W", "*/30", "*/31", "L", "LW", "1"], 1..3),
        month in subsequence(vec![1, 2, 4, 6, 9, 11], 1..3),
        weekday in prop_oneof![
            2 => Just(vec!["?"]),
            3 => select(vec!["5L", "1#5", "0#5", "*/7", "3", "2#1"]).prop_map(|item| vec![item]),
        ],
    ) {
        let months: Vec<String> = month.iter().map(u8::to_string).collect();
        let text = format!("0 0 {} {} {}", day.join(","), months.join(","), weekday.join(","));
        let fires = dates().iter().any(|&date| matches(&day, &month, &weekday, date));
        match Spec::parse(&text) {
            Ok(spec) => prop_assert!(fires, "{spec} never fires"),
            Err(error) => {
                prop_assert_eq!(error.kind(), SyntaxErrorKind::NeverFires);
                prop_assert!(!fires, "{text} fires");
            }
        }
    }

    #[test]
    fn a_spec_matches_the_dates_that_its_text_says(
        day in subsequence(vec!["*", "?", "1", "7", "15", "28", "31", "1W", "14W", "L", "LW", "*/3"], 1..3),
        month in subsequence((1..=12).collect::<Vec<u8>>(), 1..6),
        weekday in subsequence(vec!["*", "?", "0", "3", "5", "0L", "4L", "6#1", "2#5", "*/2"], 1..3),
    ) {
        let months: Vec<String> = month.iter().map(u8::to_string).collect();
        let text = format!("0 0 {} {} {}", day.join(","), months.join(","), weekday.join(","));
        if let Ok(spec) = Spec::parse(&text) {
            let When::Cron(spec) = spec.when() else { panic!("an interval from {text:?}") };
            for &date in dates() {
                prop_assert_eq!(spec.matches_date(date), matches(&day, &month, &weekday, date), "{} on {:?}", text, date);
            }
        }
    }
}

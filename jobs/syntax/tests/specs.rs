//! What is accepted, and what it means.

use std::time::Duration;

use jobs_syntax::{Backoff, CronSpec, MAX_TEXT, Overlap, ScheduleText, Spec, Stars, When, parse_zone_name};

/// A text and its canonical form.
const CANONICAL: &[(&str, &str)] = &[
    // Five fields are crontab's, six have the seconds first.
    ("* * * * *", "0 * * * * *"),
    ("* * * * * *", "* * * * * *"),
    ("30 8 * * *", "0 30 8 * * *"),
    ("15 30 8 * * *", "15 30 8 * * *"),
    // White space.
    ("  0\t0  1 \n * \u{a0} *\r\n", "0 0 0 1 * *"),
    // Numbers may have leading zeros.
    ("00 08 01 01 00", "0 0 8 1 1 0"),
    // Values, ranges, lists, steps.
    ("0,30 * * * *", "0 0,30 * * * *"),
    ("30,0,30 * * * *", "0 0,30 * * * *"),
    ("1-5 * * * *", "0 1-5 * * * *"),
    ("5-5 * * * *", "0 5 * * * *"),
    ("1,2,3,4 * * * *", "0 1-4 * * * *"),
    ("1,2 * * * *", "0 1,2 * * * *"),
    ("1-3,3-8 * * * *", "0 1-8 * * * *"),
    ("*/15 * * * *", "0 */15 * * * *"),
    ("*/1 * * * *", "0 * * * * *"),
    ("*/60 * * * *", "0 */60 * * * *"),
    ("0 9-17/2 * * *", "0 0 9-17/2 * * *"),
    ("0 9,11,13,15,17 * * *", "0 0 9-17/2 * * *"),
    ("9-9/60 * * * *", "0 9 * * * *"),
    ("0-59 * * * *", "0 0-59 * * * *"),
    // A value with a step goes on to the end of the field.
    ("5/15 * * * *", "0 5-50/15 * * * *"),
    ("15/35 20-35/15 1/2 */2 * *", "15,50 20,35 1-23/2 */2 * *"),
    ("0 0 0 * * Mon/2", "0 0 0 * * 1,3,5"),
    ("0 0 0 * * 7/2", "0 0 0 * * 0"),
    ("0 0 * 3/3 *", "0 0 0 * 3-12/3 *"),
    // A question mark is a star, in every field.
    ("? ? ? ? ? ?", "* * * * * *"),
    ("?/15 ?/2 * * *", "0 */15 */2 * * *"),
    // A star beside other items stays a star.
    ("*/15,3 * * * *", "0 */15,3 * * * *"),
    ("3,*/15 * * * *", "0 */15,3 * * * *"),
    ("*/15,*/10 * * * *", "0 */10,15,45 * * * *"),
    ("5,* * * * *", "0 * * * * *"),
    ("0 0 */10,2 * *", "0 0 0 */10,2 * *"),
    ("0 0 ? * ?", "0 0 0 * * *"),
    ("0 0 ?/2 * ?/3", "0 0 0 */2 * */3"),
    // Names.
    ("0 0 * jan,FEB,Mar,apR *", "0 0 0 * 1-4 *"),
    ("0 0 * JUL-SEP MON-FRI", "0 0 0 * 7-9 1-5"),
    ("0 0 * jan-10/3 sun-2", "0 0 0 * 1-10/3 0-2"),
    ("0 0 * DEC SAT", "0 0 0 * 12 6"),
    // Sunday.
    ("0 0 * * 0", "0 0 0 * * 0"),
    ("0 0 * * 7", "0 0 0 * * 0"),
    ("0 0 * * SUN", "0 0 0 * * 0"),
    ("0 0 * * 5-7", "0 0 0 * * 5-7"),
    ("0 0 * * FRI-SUN", "0 0 0 * * 5-7"),
    ("0 0 * * FRI-SUN/2", "0 0 0 * * 0,5"),
    ("0 0 * * 0,5,6", "0 0 0 * * 5-7"),
    ("0 0 * * 6,7", "0 0 0 * * 0,6"),
    ("0 0 * * SUN-TUE", "0 0 0 * * 0-2"),
    ("0 0 * * 1-7", "0 0 0 * * 0-6"),
    ("0 0 * * 0-7", "0 0 0 * * 0-6"),
    ("0 0 * * SUN-SUN", "0 0 0 * * 0"),
    // Days that ask for a calendar, in any case.
    ("0 0 L * *", "0 0 0 L * *"),
    ("0 0 l,15 * *", "0 0 0 15,L * *"),
    ("0 0 LW,lw * *", "0 0 0 LW * *"),
    ("0 0 15w,1W,3 * *", "0 0 0 3,1W,15W * *"),
    ("0 0 *,L * *", "0 0 0 *,L * *"),
    ("0 0 * * 5L", "0 0 0 * * 5L"),
    ("0 0 * * friL,7L,MON", "0 0 0 * * 1,0L,5L"),
    ("0 0 * * FRI#2", "0 0 0 * * 5#2"),
    ("0 0 * * 7#5,mon#1,0#1", "0 0 0 * * 0#1,1#1,0#5"),
    // Rare, but it fires.
    ("0 0 29 2 *", "0 0 0 29 2 *"),
    ("0 0 29 2 ?", "0 0 0 29 2 *"),
    ("0 0 ? 2 FRI#5", "0 0 0 * 2 5#5"),
    ("0 0 30 2 MON", "0 0 0 30 2 1"),
    ("0 0 31 * *", "0 0 0 31 * *"),
    ("0 0 31 2,3 *", "0 0 0 31 2,3 *"),
    ("0 0 31W 3 *", "0 0 0 31W 3 *"),
    // Descriptors.
    ("@yearly", "0 0 0 1 1 *"),
    ("@annually", "0 0 0 1 1 *"),
    ("@monthly", "0 0 0 1 * *"),
    ("@weekly", "0 0 0 * * 0"),
    ("@daily", "0 0 0 * * *"),
    ("@midnight", "0 0 0 * * *"),
    (" @hourly ", "0 0 * * * *"),
    // Intervals.
    ("@every 1h30m", "@every 1h30m"),
    ("@every 90m", "@every 1h30m"),
    ("@every   1.5h ", "@every 1h30m"),
    ("@every 24h", "@every 24h"),
    ("@every 1d", "@every 24h"),
    ("@every 2w", "@every 14d"),
    ("@every 10ms", "@every 10ms"),
    ("@every 15m50ns", "@every 15m50ns"),
    ("@every 2184h25m", "@every 91d25m"),
    // Zones.
    ("TZ=Europe/Oslo @daily", "TZ=Europe/Oslo 0 0 0 * * *"),
    ("  CRON_TZ=Europe/Oslo\t0 3 * * *", "TZ=Europe/Oslo 0 0 3 * * *"),
    ("TZ=+05:30 @every 1m", "TZ=+05:30 @every 1m"),
    ("TZ=local @hourly", "TZ=local 0 0 * * * *"),
];

#[test]
fn a_text_has_its_canonical_form() {
    for (text, canonical) in CANONICAL {
        let spec = Spec::parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
        assert_eq!(spec.to_string(), *canonical, "{text:?}");
        assert_eq!(Spec::parse(canonical), Ok(spec), "{text:?}");
    }
}

#[test]
fn the_longest_canonical_text_is_not_too_long() {
    // Values that neither ranges nor steps shorten much, and every item that there is.
    let gaps = |max: u32| (0..=max).filter(|value| value % 3 != 0).map(|value| value.to_string());
    let list = |items: &[String]| items.join(",");
    let seconds = list(&gaps(59).collect::<Vec<_>>());
    let hours = list(&gaps(23).collect::<Vec<_>>());
    let months = list(&gaps(12).collect::<Vec<_>>());
    let nearest = (1..=31).map(|day| format!("{day}W"));
    let days = list(&gaps(31).chain(nearest).chain(["L", "LW"].map(str::to_owned)).collect::<Vec<_>>());
    let counted = (0..7).flat_map(|weekday| (1..=5).map(move |count| format!("{weekday}#{count}")));
    let last = (0..7).map(|weekday| format!("{weekday}L"));
    let weekdays = list(&gaps(6).chain(last).chain(counted).collect::<Vec<_>>());
    let zone = "A".repeat(64);
    let text = format!("TZ={zone} {seconds} {seconds} {hours} {days} {months} {weekdays}");
    let printed = Spec::parse(&text).expect("a spec").to_string();
    assert_eq!(printed.len(), text.len());
    assert!(printed.len() < MAX_TEXT * 3 / 4, "{}", printed.len());
    assert_eq!(Spec::parse(&printed), Spec::parse(&text));
}

fn cron(text: &str) -> CronSpec {
    match Spec::parse(text).map(|spec| *spec.when()) {
        Ok(When::Cron(cron)) => cron,
        other => panic!("{text:?} is {other:?}"),
    }
}

fn bits(values: &[u32]) -> u64 {
    values.iter().fold(0, |bits, value| bits | 1 << value)
}

#[test]
fn every_field_lands_in_its_place() {
    let spec = cron("1 2 3 4,15W,L,LW 5 6,2L,3#4");
    let mut nth_weekdays = [0; 5];
    nth_weekdays[3] = 1 << 3;
    let expected = CronSpec {
        seconds: bits(&[1]),
        minutes: bits(&[2]),
        hours: 1 << 3,
        days: 1 << 4,
        nearest_weekdays: 1 << 15,
        months: 1 << 5,
        weekdays: 1 << 6,
        last_weekdays: 1 << 2,
        nth_weekdays,
        last_day: true,
        last_weekday: true,
        stars: Stars::default(),
    };
    assert_eq!(spec, expected);
    assert!(spec.either_day() && spec.is_fixed_time());
}

#[test]
fn full_fields_hold_exactly_their_values() {
    for text in ["* * * * * *", "0-59 0-59 0-23 1-31 1-12 0-6", "0/1 */1 0/1 1/1 1/1 0/1"] {
        let spec = cron(text);
        assert_eq!(spec.seconds, (1 << 60) - 1, "{text}");
        assert_eq!(spec.minutes, (1 << 60) - 1, "{text}");
        assert_eq!(spec.hours, (1 << 24) - 1, "{text}");
        assert_eq!(spec.days, u32::MAX - 1, "{text}");
        assert_eq!(spec.months, (1 << 13) - 2, "{text}");
        assert_eq!(spec.weekdays, (1 << 7) - 1, "{text}");
    }
}

#[test]
fn stars_are_items_with_a_star_or_a_question_mark() {
    let all = Stars { second: true, minute: true, hour: true, day: true, month: true, weekday: true };
    assert_eq!(cron("* * * * * *").stars, all);
    assert_eq!(cron("*/2 3,* */5,1 ? */12 1,?").stars, all);
    assert_eq!(cron("0-59 0/1 0-23/1 1-31 1-12 0-7").stars, Stars::default());
    // The seconds that five fields leave out are 0, not a star.
    assert!(!cron("* * * * *").stars.second);
}

#[test]
fn day_fields_combine_by_their_stars() {
    for (text, either) in [
        ("0 0 1,15 * MON", true),
        ("0 0 L * FRI#2", true),
        ("0 0 1-31 * 0-6", true),
        ("0 0 * * MON", false),
        ("0 0 1 * *", false),
        ("0 0 */2 * MON", false),
        ("0 0 1 * ?", false),
        ("0 0 1,* * MON", false),
    ] {
        assert_eq!(cron(text).either_day(), either, "{text}");
    }
}

#[test]
fn fixed_time_has_no_star_in_minute_and_hour() {
    for (text, fixed) in [
        ("30 2 * * *", true),
        ("* 30 2 * * *", true),
        ("0-59 0-23 * * *", true),
        ("*/30 2 * * *", false),
        ("30 * * * *", false),
        ("30 2,*/12 * * *", false),
    ] {
        assert_eq!(cron(text).is_fixed_time(), fixed, "{text}");
    }
}

#[test]
fn a_spec_tells_its_zone_and_its_interval() {
    let spec = Spec::parse("CRON_TZ=America/New_York @every 90s").expect("a spec");
    assert_eq!(spec.zone(), Some("America/New_York"));
    assert_eq!(spec.when(), &When::Every(Duration::from_secs(90)));
    assert_eq!(Spec::parse("@hourly").expect("a spec").zone(), None);
    assert_eq!("@hourly".parse(), Spec::parse("@hourly"));
    assert_eq!(Spec::every(Duration::from_secs(90)), Spec::parse("@every 90s"));
    assert!(Spec::every(Duration::from_millis(9)).is_err());
    assert!(Spec::every(Duration::ZERO).is_err());
    assert!(Spec::every(Duration::MAX).is_err());
}

#[test]
fn a_schedule_is_a_name_or_a_spec() {
    let named = |name: &str| Ok(ScheduleText::Named(name.into()));
    assert_eq!(ScheduleText::parse("cron.workhours_15m"), named("cron.workhours_15m"));
    assert_eq!(ScheduleText::parse(" cron.a.B-2 "), named("cron.a.B-2"));
    assert_eq!(ScheduleText::parse("@daily"), Spec::parse("@daily").map(ScheduleText::Spec));
    assert_eq!(ScheduleText::parse("@daily").map(|text| text.to_string()), Ok("0 0 0 * * *".to_owned()));
    assert_eq!(ScheduleText::parse("cron.x").map(|text| text.to_string()), Ok("cron.x".to_owned()));
}

#[test]
fn zones_are_names_or_offsets() {
    for zone in [
        "UTC",
        "utc",
        "local",
        "Z",
        "Europe/Oslo",
        "America/Argentina/Buenos_Aires",
        "America/Port-au-Prince",
        "Etc/GMT+5",
        "Etc/GMT-14",
        "GMT0",
        "GMT+0",
        "GMT-0",
        "EST5EDT",
        "+05:30",
        "-00:45",
        "+23:59",
    ] {
        assert_eq!(parse_zone_name(zone), Ok(zone));
        assert_eq!(parse_zone_name(&format!(" {zone}\t")), Ok(zone));
    }
}

#[test]
fn overlap_policies_are_read_back() {
    for policy in Overlap::ALL {
        assert_eq!(Overlap::parse(policy.as_str()), Ok(policy));
        assert_eq!(Overlap::parse(&format!(" {policy} ")), Ok(policy));
    }
    assert_eq!(Overlap::default(), Overlap::BufferOne);
}

#[test]
fn a_backoff_has_a_first_wait_and_a_longest() {
    let [ms, s, m, h] =
        [1_u64, 1_000, 60_000, 3_600_000].map(|unit| move |n: u64| Duration::from_millis(n * unit));
    for (text, first, longest, printed) in [
        ("1s..10m", s(1), m(10), "1s..10m"),
        (" 1s .. 10m ", s(1), m(10), "1s..10m"),
        ("1.5s..2m", s(1) + ms(500), m(2), "1s500ms..2m"),
        ("60s..1h", m(1), h(1), "1m..1h"),
        // One wait is the same each time.
        ("30s", s(30), s(30), "30s..30s"),
        ("30s..30s", s(30), s(30), "30s..30s"),
        ("10ms..10ms", ms(10), ms(10), "10ms..10ms"),
    ] {
        let backoff = Backoff::parse(text).unwrap_or_else(|error| panic!("{}", error.render(text)));
        assert_eq!(
            (backoff.first(), backoff.longest(), &*backoff.to_string()),
            (first, longest, printed),
            "{text}"
        );
    }
    assert_eq!(Backoff::parse("1s..1h"), Ok(Backoff::DEFAULT));
}

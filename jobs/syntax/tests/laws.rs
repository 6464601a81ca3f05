//! What holds for every text.

use std::hint::black_box;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use jobs_syntax::{
    Backoff, MAX_DURATION, MAX_TEXT, MIN_BACKOFF, MIN_INTERVAL, Missed, Overlap, Rate, ScheduleText, Spec,
    SyntaxError, When, check_job_name, check_queue_name, check_schedule_key, check_schedule_name,
    format_duration, nearest, parse_duration, parse_interval, parse_timeout, parse_zone_name,
};
use proptest::prelude::*;
use proptest::sample::select;

type Parser = fn(&str) -> Result<(), SyntaxError>;

/// Every parser of the crate, without what it makes of the text.
const PARSERS: [Parser; 14] = [
    |text| Spec::parse(text).map(drop),
    |text| ScheduleText::parse(text).map(drop),
    |text| parse_duration(text).map(drop),
    |text| parse_interval(text).map(drop),
    |text| parse_zone_name(text).map(drop),
    |text| Overlap::parse(text).map(drop),
    |text| Backoff::parse(text).map(drop),
    |text| parse_timeout(text).map(drop),
    |text| Rate::parse(text).map(drop),
    |text| Missed::parse(text).map(drop),
    check_queue_name,
    check_job_name,
    check_schedule_name,
    check_schedule_key,
];

/// Gives the text to every parser, and looks at the errors.
fn parse_all(text: &str) {
    for parse in PARSERS {
        let Err(error) = parse(text) else { continue };
        let span = error.span();
        assert!(span.start <= span.end && span.end <= text.len(), "{span:?} in {text:?}");
        assert!(text.get(span.clone()).is_some(), "{span:?} within a character of {text:?}");
        assert!(!span.is_empty() || text.trim().is_empty(), "empty {span:?} in {text:?}");
        for shown in [error.message(), error.help().expect("every error has help")] {
            assert!(!shown.is_empty() && shown.len() < 800, "{shown:?} for {text:?}");
            assert!(!shown.chars().any(char::is_control), "{shown:?} for {text:?}");
        }
        let rendered = error.render(text);
        assert!(rendered.len() < 4_000, "{rendered:?}");
        let lines: Vec<&str> = rendered.lines().collect();
        if text.trim().is_empty() {
            assert_eq!(lines.len(), 2, "{rendered:?}");
        } else {
            assert_eq!(lines.len(), 4, "{rendered:?}");
            assert_eq!(lines[2].trim_start().trim_matches('^'), "", "{rendered}");
            assert!(lines[2].ends_with('^'), "{rendered}");
        }
    }
    if let Ok(spec) = Spec::parse(text) {
        round_trip(&spec, text);
    }
    if let Ok(duration) = parse_duration(text) {
        assert_eq!(parse_duration(&format_duration(duration)), Ok(duration), "{text:?}");
    }
    if let Ok(backoff) = Backoff::parse(text) {
        assert_eq!(Backoff::parse(&backoff.to_string()), Ok(backoff), "{text:?}");
    }
    if let Ok(rate) = Rate::parse(text) {
        assert_eq!(Rate::parse(&rate.to_string()), Ok(rate), "{text:?}");
    }
    if let Ok(missed) = Missed::parse(text) {
        assert_eq!(Missed::parse(&missed.to_string()), Ok(missed), "{text:?}");
    }
}

#[allow(clippy::disallowed_methods, reason = "the time that passes here is what is tested")]
fn time(work: impl Fn()) -> Duration {
    let begin = Instant::now();
    work();
    begin.elapsed()
}

/// How long as many letters of ordinary texts take as the longest has.
static ORDINARY: LazyLock<Duration> = LazyLock::new(|| {
    const TEXT: &str = "*/7 0-59,3 1 JAN MON";
    let parse = || {
        for _ in 0..MAX_TEXT / TEXT.len() {
            let _ = black_box(Spec::parse(black_box(TEXT)));
        }
    };
    (0..20).map(|_| time(parse)).min().expect("there are some")
});

/// Whether no parser takes much longer for a text than for ordinary ones, in the best of some tries: the machine may have other
/// things to do.
fn takes_no_longer_than_others(text: &str) -> bool {
    PARSERS.iter().all(|parse| {
        let refuse = || {
            if let Err(error) = parse(text) {
                black_box(error.render(text));
            }
        };
        (0..100).any(|_| time(refuse) <= *ORDINARY * 10)
    })
}

/// Parse, print, parse is equal, and what is printed once is printed again.
fn round_trip(spec: &Spec, text: &str) {
    let printed = spec.to_string();
    let again = Spec::parse(&printed);
    assert_eq!(again.as_ref(), Ok(spec), "{text:?} as {printed:?}");
    assert_eq!(again.map(|spec| spec.to_string()), Ok(printed), "{text:?}");
}

/// Items of a field from `min` to `max` that has `size` values; some ranges run backwards.
fn item(min: u8, max: u8, size: u8, more: &'static [&'static str]) -> BoxedStrategy<String> {
    let step = prop_oneof![3 => Just(String::new()), 2 => (1..=size).prop_map(|step| format!("/{step}"))];
    let body = prop_oneof![
        2 => Just("*".to_owned()),
        4 => (min..=max).prop_map(|value| value.to_string()),
        3 => (min..=max, min..=max).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
    ];
    let plain = (body, step).prop_map(|(body, step)| body + &step).boxed();
    if more.is_empty() {
        return plain;
    }
    prop_oneof![3 => plain, 2 => select(more).prop_map(str::to_owned)].boxed()
}

fn field(min: u8, max: u8, size: u8, more: &'static [&'static str]) -> BoxedStrategy<String> {
    prop::collection::vec(item(min, max, size, more), 1..4).prop_map(|items| items.join(",")).boxed()
}

/// Texts that follow the grammar; few of them never fire.
fn valid_spec() -> impl Strategy<Value = String> {
    let fields = (
        prop::option::of(field(0, 59, 60, &[])),
        field(0, 59, 60, &[]),
        field(0, 23, 24, &[]),
        field(1, 31, 31, &["?", "L", "LW", "15W", "1w", "31W", "l", "?/3"]),
        field(1, 12, 12, &["JAN", "feb-nov", "Oct/2", "DEC"]),
        field(0, 7, 7, &["?", "SUN", "fri-sun", "Mon/2", "FRIL", "5L", "MON#1", "7#5", "0L", "SAT-SUN/1"]),
    );
    let zone = select(&["", "TZ=Europe/Oslo ", "CRON_TZ=UTC  ", "TZ=+05:30\t", "  "][..]);
    (zone, fields).prop_map(|(zone, (second, minute, hour, day, month, weekday))| {
        let second = second.map(|second| second + " ").unwrap_or_default();
        format!("{zone}{second}{minute} {hour}  {day} {month} {weekday}")
    })
}

/// A duration as somebody might write it.
fn valid_duration() -> impl Strategy<Value = String> {
    let part =
        ("[0-9]{1,4}(\\.[0-9]{0,12})?", select(&["ns", "us", "µs", "ms", "s", "m", "h", "d", "w"][..]));
    prop::collection::vec(part.prop_map(|(number, unit)| number + unit), 1..5)
        .prop_map(|parts| parts.concat())
}

/// Pieces of the language in no order.
fn scrambled() -> impl Strategy<Value = String> {
    let pieces = [
        " ",
        " ",
        "*",
        "?",
        ",",
        "-",
        "/",
        "#",
        "L",
        "W",
        "0",
        "5",
        "7",
        "15",
        "31",
        "60",
        "99999999999",
        "MON",
        "fri",
        "JAN",
        "@every",
        "@daily",
        "TZ=",
        "UTC",
        "cron.",
        "1h",
        "30m",
        "..",
        ".",
        "within",
        "all ",
        "once",
        "+",
        "=",
        "\t",
        "é",
        "日",
        "\u{301}",
        "\0",
        "\u{a0}",
        "a",
        "_",
    ];
    prop::collection::vec(select(pieces.to_vec()), 0..40).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_parsed_or_refused_with_a_place(text in any::<String>()) {
        parse_all(&text);
        prop_assert!(takes_no_longer_than_others(&text));
    }

    #[test]
    fn pieces_of_the_language_are_parsed_or_refused_with_a_place(text in scrambled()) {
        parse_all(&text);
    }

    #[test]
    fn a_valid_spec_with_one_change_is_parsed_or_refused_with_a_place(
        text in valid_spec(),
        at in any::<prop::sample::Index>(),
        put in prop::option::of(select(vec!['*', ',', '-', '/', '#', 'L', 'W', '0', '9', ' ', 'é', '@', '=', '\u{0}'])),
    ) {
        let mut chars: Vec<char> = text.chars().collect();
        let at = at.index(chars.len());
        match put {
            Some(char) => chars.insert(at, char),
            None => { chars.remove(at); }
        }
        parse_all(&chars.into_iter().collect::<String>());
    }

    #[test]
    fn a_valid_spec_is_parsed_and_read_back_from_its_canonical_text(text in valid_spec()) {
        match Spec::parse(&text) {
            Ok(spec) => {
                let When::Cron(cron) = spec.when() else { panic!("an interval from {text:?}") };
                let stars = cron.stars;
                let written: Vec<bool> = text
                    .split_whitespace()
                    .filter(|word| !word.contains('='))
                    .map(|word| word.contains(['*', '?']))
                    .collect();
                let parsed = [stars.second, stars.minute, stars.hour, stars.day, stars.month, stars.weekday];
                prop_assert_eq!(&parsed[6 - written.len()..], &written[..]);
                round_trip(&spec, &text);
            }
            Err(error) => {
                let message = error.message();
                prop_assert!(message.starts_with("this schedule never fires"), "{}", error.render(&text));
            }
        }
    }

    #[test]
    fn an_interval_is_read_back_from_its_canonical_text(nanos in 10_000_000..i64::MAX as u64) {
        let spec = Spec::every(Duration::from_nanos(nanos)).expect("an interval in range");
        prop_assert_eq!(spec.when(), &When::Every(Duration::from_nanos(nanos)));
        round_trip(&spec, "an interval");
    }

    #[test]
    fn a_duration_is_read_back_from_its_canonical_text(nanos in 1..=i64::MAX as u64, shift in 0..63_u32) {
        let duration = Duration::from_nanos((nanos >> shift).max(1));
        prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
    }

    #[test]
    fn a_backoff_is_two_durations_in_order_and_is_read_back(
        first in valid_duration(),
        longest in valid_duration(),
        around in select(&["", " ", "\t "][..]),
    ) {
        let in_range = |text: &str| parse_duration(text).ok().filter(|wait| *wait >= MIN_BACKOFF);
        let parsed = Backoff::parse(&format!("{around}{first}{around}..{around}{longest}{around}"));
        match (in_range(&first), in_range(&longest)) {
            (Some(first), Some(longest)) if first <= longest => {
                let backoff = parsed.expect("two durations in order");
                prop_assert_eq!((backoff.first(), backoff.longest()), (first, longest));
                prop_assert_eq!(Backoff::parse(&backoff.to_string()), Ok(backoff));
                prop_assert_eq!(Backoff::parse(&format_duration(first)), Ok(Backoff::new(first, first)));
            }
            _ => prop_assert!(parsed.is_err()),
        }
    }

    #[test]
    fn a_rate_is_a_number_and_a_duration_and_is_read_back(
        count in any::<u32>(),
        per in valid_duration(),
        around in select(&["", " ", "\t "][..]),
    ) {
        let parsed = Rate::parse(&format!("{around}{count}{around}/{around}{per}{around}"));
        match (count, parse_duration(&per)) {
            (1.., Ok(per)) => {
                let rate = parsed.expect("a number and a duration");
                prop_assert_eq!((rate.count().get(), rate.per()), (count, per));
                prop_assert_eq!(Rate::parse(&rate.to_string()), Ok(rate));
            }
            _ => prop_assert!(parsed.is_err()),
        }
    }

    #[test]
    fn a_policy_for_missed_slots_takes_any_window(
        word in select(&["skip", "once", "all"][..]),
        window in valid_duration(),
    ) {
        let parsed = Missed::parse(&format!("{word} within {window}"));
        match parse_duration(&window) {
            Ok(window) if word != "skip" => {
                let missed = parsed.expect("a word and a duration");
                prop_assert_eq!(missed.window(), Some(window));
                prop_assert_eq!(Missed::parse(&missed.to_string()), Ok(missed));
            }
            _ => prop_assert!(parsed.is_err()),
        }
    }

    #[test]
    fn a_duration_is_the_sum_of_its_parts(text in valid_duration()) {
        let unit_of = |unit: &str| match unit {
            "ns" => 1_u128,
            "us" | "µs" => 1_000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "m" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            _ => 604_800_000_000_000,
        };
        let mut sum = 0;
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let unit_at = rest.find(char::is_alphabetic).expect("a unit");
            let (number, after) = rest.split_at(unit_at);
            let (unit, after) = after.split_at(after.find(|char: char| char.is_ascii_digit()).unwrap_or(after.len()));
            let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
            let digits: u128 = format!("{whole}{fraction}").parse().expect("digits");
            sum += digits * unit_of(unit) / 10_u128.pow(fraction.len() as u32);
            rest = after;
        }
        match parse_duration(&text) {
            Ok(duration) => prop_assert_eq!(duration.as_nanos(), sum),
            Err(_) => prop_assert!(sum == 0 || sum > MAX_DURATION.as_nanos()),
        }
        prop_assert_eq!(parse_interval(&text).is_ok(), sum >= MIN_INTERVAL.as_nanos() && sum <= MAX_DURATION.as_nanos());
    }

    #[test]
    fn the_nearest_word_does_not_depend_on_the_order(
        word in "[a-z_]{0,8}",
        mut candidates in prop::collection::vec("[a-zA-Z_]{0,8}", 0..8),
    ) {
        let found = nearest(&word, candidates.iter().map(String::as_str)).map(str::to_owned);
        candidates.reverse();
        prop_assert_eq!(nearest(&word, candidates.iter().map(String::as_str)), found.as_deref());
    }
}

#[test]
fn a_text_of_any_length_is_refused() {
    for piece in ["*", ",", "-", "/", "1,", "1 ", "L", "#", "é", " ", "1h", "9", ".", "a.", "@", "TZ=", "\0"]
    {
        let long = piece.repeat(100_000 / piece.len());
        parse_all(&long);
        assert!(PARSERS.iter().all(|parse| parse(&long).is_err()), "{piece:?}");
    }
    let padded = format!("{}@daily", " ".repeat(MAX_TEXT));
    assert!(Spec::parse(&padded).is_err());
}

#[test]
fn no_text_takes_much_longer_than_others() {
    let pieces = [
        "*", "*/2", "0-59", "1", "L", "FRI#5", "31W", "*/31", "é", "X", "@", "TZ=", "1h", "-", "JAN",
        "monday",
    ];
    for piece in pieces {
        for separator in [",", "", ".", "/", "-", "#", " "] {
            for (before, after) in
                [("", ""), ("", " * * * *"), ("0 0 ", " 2 FRI#5"), ("cron.", ""), ("@every ", "")]
            {
                // The longest that is read at all.
                let room = MAX_TEXT - before.len() - after.len() - piece.len();
                let more = format!("{separator}{piece}");
                let text = format!("{before}{piece}{}{after}", more.repeat(room / more.len()));
                parse_all(&text);
                assert!(takes_no_longer_than_others(&text), "{text:?}");
            }
        }
    }
}

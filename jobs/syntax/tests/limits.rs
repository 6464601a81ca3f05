//! Rates and what becomes of missed slots.

use std::num::NonZeroU32;
use std::time::Duration;

use jobs_syntax::{Missed, MissedPolicy, Rate, SyntaxError, check_queue_name};

const HOUR: Duration = Duration::from_secs(3600);

#[test]
fn a_rate_is_a_number_and_a_time() {
    let rate = Rate::parse(" 100 / 1m ").unwrap();
    assert_eq!((rate.count().get(), rate.per()), (100, Duration::from_secs(60)));
    assert_eq!(Rate::new(NonZeroU32::MIN, Duration::ZERO), None);
    for text in ["100/1m", "1/24h", "4294967295/1ms"] {
        let rate = Rate::parse(text).unwrap();
        assert_eq!(Rate::parse(&rate.to_string()), Ok(rate), "{text}");
    }
}

fn told(error: &SyntaxError) -> (String, String) {
    (error.message().to_owned(), error.help().unwrap_or_default().to_owned())
}

#[test]
fn a_rate_that_is_none_is_refused() {
    for (text, message) in [
        ("", "empty rate"),
        ("100", "`100` is not a rate"),
        ("/1m", "`/1m` has no number"),
        ("100/", "`100/` has no time"),
        ("0/1m", "`0` is not a number from 1 to 4294967295"),
        ("-1/1m", "`-1` is not a number from 1 to 4294967295"),
        ("+1/1m", "`+1` is not a number from 1 to 4294967295"),
    ] {
        assert_eq!(told(&Rate::parse(text).unwrap_err()).0, message);
    }
    assert_eq!(told(&Rate::parse("5/s").unwrap_err()).1, "write `5/1s`");
    assert!(Rate::parse("5/0s").is_err());
}

#[test]
fn missed_slots_are_made_up_for_as_the_policy_says() {
    assert_eq!(Missed::parse("skip"), Ok(Missed::SKIP));
    assert_eq!(Missed::parse(" once "), Ok(Missed::ONCE));
    let all = Missed::parse("all  within\t6h").unwrap();
    assert_eq!((all.policy(), all.window()), (MissedPolicy::All, Some(6 * HOUR)));
    assert_eq!(all, Missed::ALL.within(6 * HOUR));
    assert_eq!(Missed::SKIP.within(HOUR), Missed::SKIP);
    for text in ["skip", "once", "all", "once within 90m", "all within 7d"] {
        let missed = Missed::parse(text).unwrap();
        assert_eq!(Missed::parse(&missed.to_string()), Ok(missed), "{text}");
    }
}

#[test]
fn an_unknown_policy_is_refused() {
    for (text, message) in [
        ("", "empty policy for missed slots"),
        ("al", "unknown policy for missed slots `al`"),
        ("all 6h", "`6h` is not `within` and a duration"),
        ("all within", "`within` lacks its duration"),
        ("skip within 6h", "`skip` has no window: no slot is made up for"),
        ("all withinsix", "`withinsix` is not `within` and a duration"),
    ] {
        assert_eq!(told(&Missed::parse(text).unwrap_err()).0, message);
    }
    assert!(told(&Missed::parse("al").unwrap_err()).1.starts_with("did you mean `all`?"));
    assert!(Missed::parse("all within 6").is_err());
}

#[test]
fn the_name_of_a_queue_is_plain() {
    assert_eq!(check_queue_name("mail-2_x"), Ok(()));
    for text in ["", "Mail", "mail.out", "a b"] {
        assert!(check_queue_name(text).is_err(), "{text}");
    }
}

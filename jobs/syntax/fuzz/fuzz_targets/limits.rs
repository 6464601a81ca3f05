//! A rate or a policy that is accepted reads back from its text; a mistake has a place within the text.

#![no_main]

use jobs_syntax::{
    Missed, Overlap, Rate, SyntaxError, check_job_name, check_queue_name, check_schedule_key,
    check_schedule_name, parse_timeout, parse_zone_name,
};
use libfuzzer_sys::fuzz_target;

fn has_a_place(text: &str, error: &SyntaxError) {
    assert!(text.get(error.span()).is_some(), "{:?}", error.span());
    assert!(error.render(text).lines().count() <= 4);
}

fuzz_target!(|text: &str| {
    match Rate::parse(text) {
        Ok(rate) => assert_eq!(Rate::parse(&rate.to_string()), Ok(rate)),
        Err(error) => has_a_place(text, &error),
    }
    match Missed::parse(text) {
        Ok(missed) => assert_eq!(Missed::parse(&missed.to_string()), Ok(missed)),
        Err(error) => has_a_place(text, &error),
    }
    if let Err(error) = Overlap::parse(text) {
        has_a_place(text, &error);
    }
    for check in [check_job_name, check_queue_name, check_schedule_key, check_schedule_name] {
        if let Err(error) = check(text) {
            has_a_place(text, &error);
        }
    }
    if let Err(error) = parse_timeout(text) {
        has_a_place(text, &error);
    }
    if let Err(error) = parse_zone_name(text).map(drop) {
        has_a_place(text, &error);
    }
});

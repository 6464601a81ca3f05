//! A duration or a backoff that is accepted reads back from its canonical text; a mistake has a place within the text.

#![no_main]

use jobs_syntax::{Backoff, MAX_DURATION, format_duration, parse_duration, parse_interval};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse_duration(text) {
        Ok(duration) => {
            assert!(!duration.is_zero() && duration <= MAX_DURATION);
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }
        Err(error) => {
            assert!(text.get(error.span()).is_some(), "{:?}", error.span());
            assert!(error.render(text).lines().count() <= 4);
        }
    }
    match Backoff::parse(text) {
        Ok(backoff) => assert_eq!(Backoff::parse(&backoff.to_string()), Ok(backoff)),
        Err(error) => {
            assert!(text.get(error.span()).is_some(), "{:?}", error.span());
            assert!(error.render(text).lines().count() <= 4);
        }
    }
    if let Err(error) = parse_interval(text) {
        assert!(text.get(error.span()).is_some(), "{:?}", error.span());
    }
});

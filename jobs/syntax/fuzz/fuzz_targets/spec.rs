//! A spec that is accepted reads back from its canonical text; a mistake has a place within the text.

#![no_main]

use jobs_syntax::{ScheduleText, Spec};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match Spec::parse(text) {
        Ok(spec) => {
            let printed = spec.to_string();
            assert_eq!(Spec::parse(&printed).as_ref(), Ok(&spec), "{printed:?}");
        }
        Err(error) => {
            assert!(text.get(error.span()).is_some(), "{:?}", error.span());
            assert!(error.render(text).lines().count() <= 4);
        }
    }
    if let Err(error) = ScheduleText::parse(text) {
        assert!(text.get(error.span()).is_some(), "{:?}", error.span());
    }
});

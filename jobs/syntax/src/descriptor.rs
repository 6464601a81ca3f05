//! `@daily` and its like.

use crate::piece::Piece;
use crate::render::quoted;
use crate::{SyntaxError, SyntaxErrorKind as Kind, nearest};

/// The descriptors that stand for fields.
const FIELDS: [(&str, &str); 7] = [
    ("@yearly", "0 0 0 1 1 *"),
    ("@annually", "0 0 0 1 1 *"),
    ("@monthly", "0 0 0 1 * *"),
    ("@weekly", "0 0 0 * * 0"),
    ("@daily", "0 0 0 * * *"),
    ("@midnight", "0 0 0 * * *"),
    ("@hourly", "0 0 * * * *"),
];

/// The descriptor that a duration follows.
pub(crate) const EVERY: &str = "@every";

/// The six fields that a descriptor stands for, if it is one.
pub(crate) fn fields(word: &str) -> Option<&'static str> {
    FIELDS.iter().find(|(name, _)| *name == word).map(|&(_, fields)| fields)
}

/// The descriptor that `word` stands for without its `@`, if any.
pub(crate) fn without_at(word: &str) -> Option<&'static str> {
    all().find(|name| name[1..].eq_ignore_ascii_case(word))
}

pub(crate) fn unknown(word: Piece<'_>) -> SyntaxError {
    let help = if let Some(help) = known_elsewhere(word.text()) {
        help.to_owned()
    } else if let Some(near) = nearest(word.text(), all()) {
        format!("did you mean `{near}`?")
    } else {
        "the descriptors are `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly` \
         and `@every` with a duration"
            .to_owned()
    };
    word.error(Kind::UnknownDescriptor, format!("unknown descriptor {}", quoted(word.text()))).with_help(help)
}

/// What to write for a descriptor of another scheduler.
fn known_elsewhere(word: &str) -> Option<&'static str> {
    let lower = if word.len() <= 32 { word.to_ascii_lowercase() } else { String::new() };
    let help = match lower.as_str() {
        "@reboot" | "@start" | "@startup" => "a job runs at the start of the program with `#[job(startup)]`",
        "@minutely" | "@every_minute" => "every minute is `0 * * * * *`",
        "@secondly" | "@every_second" => "every second is `* * * * * *`",
        "@quarterly" => "the first day of every quarter is `0 0 0 1 */3 *`",
        "@workdays" | "@weekdays" => "midnight from Monday to Friday is `0 0 0 * * MON-FRI`",
        lower if lower.starts_with(EVERY) && lower.len() > EVERY.len() => {
            "between `@every` and its duration stands a space, as in `@every 90m`"
        }
        _ => return None,
    };
    Some(help)
}

fn all() -> impl Iterator<Item = &'static str> {
    FIELDS.iter().map(|&(name, _)| name).chain([EVERY])
}

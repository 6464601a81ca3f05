//! Whole numbers in a range.

use std::ops::RangeInclusive;

use super::value::{Form, Mistake, Raw, unquoted};

/// What a key takes, and what is said where it is something else.
pub(super) struct Whole {
    pub(super) range: RangeInclusive<i64>,
    /// The help for what is no number.
    pub(super) example: &'static str,
    /// The help for a number outside of the range.
    pub(super) outside: &'static str,
}

/// A whole number; in quotes only where a source has nothing but texts.
pub(super) fn whole(raw: &Raw, form: Form, name: &str, takes: &Whole) -> Result<i64, Mistake> {
    let wrong = |help: String| Mistake::new(format!("must be a whole number, not {}", raw.described()), help);
    let number = match raw {
        Raw::Integer(n) => Some(*n),
        Raw::HugeInteger(_) => None,
        Raw::Text(text) => match digits(text.trim()) {
            Some(_) if form == Form::Toml => {
                return Err(wrong(format!("write the number without quotes: `{name} = {}`", text.trim())));
            }
            Some(n) => n,
            None if form == Form::Conf && digits(unquoted(text)).is_some() => {
                return Err(wrong(format!("write the number without quotes: `{name} = {}`", unquoted(text))));
            }
            None => return Err(wrong(takes.example.to_owned())),
        },
        _ => return Err(wrong(takes.example.to_owned())),
    };
    number.filter(|number| takes.range.contains(number)).ok_or_else(|| {
        let (least, most) = (takes.range.start(), takes.range.end());
        Mistake::new(format!("is outside {least} to {most}"), takes.outside)
    })
}

/// A text that is a whole number; its value where 64 bits hold it.
fn digits(text: &str) -> Option<Option<i64>> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())
}

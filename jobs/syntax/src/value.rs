//! One value of a field: a number or a name.

use crate::field::Field;
use crate::item::interval_hint;
use crate::piece::Piece;
use crate::render::quoted;
use crate::{SyntaxError, SyntaxErrorKind as Kind, nearest, special};

/// The number that a text of nothing but digits stands for; the greatest there is for one of too many digits.
pub(crate) fn digits(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

/// A value as it was written: Sunday is 0 or 7. `alone` tells that it is no end of a range.
pub(crate) fn value(field: Field, text: Piece<'_>, alone: bool) -> Result<u8, SyntaxError> {
    if let Some(number) = digits(text.text()) {
        return match u8::try_from(number) {
            Ok(number) if (field.min()..=field.max_written()).contains(&number) => Ok(number),
            _ => Err(out_of_range(field, text, number, alone)),
        };
    }
    field.named(text.text()).ok_or_else(|| unknown(field, text))
}

fn out_of_range(field: Field, text: Piece<'_>, number: u32, alone: bool) -> SyntaxError {
    let (min, max) = (field.min(), field.max_written());
    let message = format!("{} {} is outside {min}-{max}", field.singular(), quoted(text.text()));
    let mut help = field.values().to_owned();
    if alone {
        match (field, number) {
            (Field::Hour, 24) => help.push_str("; midnight is hour 0"),
            (Field::Minute, 60) => help.push_str("; the full hour is minute 0"),
            (Field::Second, 60) => help.push_str("; the full minute is second 0"),
            (Field::Weekday, 1970..=2999) => help.push_str("; there is no field for years"),
            _ => {}
        }
        if let Some(hint) = interval_hint(field, number).filter(|_| number > u32::from(max)) {
            help.push_str("; ");
            help.push_str(&hint);
        }
    }
    text.error(Kind::OutOfRange, message).with_help(help)
}

fn unknown(field: Field, text: Piece<'_>) -> SyntaxError {
    if let Some(error) = special::in_wrong_field(field, text) {
        return error;
    }
    if let Some(char) = text.find_char(|char| !char.is_ascii_alphanumeric()) {
        return unknown_character(field, char);
    }
    for other in [Field::Month, Field::Weekday] {
        if other != field && other.named(text.text()).is_some() {
            let message = format!(
                "{} is {}, but this is the {} field",
                quoted(text.text()),
                other.with_article(),
                field.singular()
            );
            let help = match other {
                Field::Month => "months stand in the last field but one: `min hour dom month dow`",
                _ => "weekdays stand in the last field: `min hour dom month dow`",
            };
            return text.error(Kind::NameInWrongField, message).with_help(help);
        }
    }
    let message = format!("{} is not {}", quoted(text.text()), field.with_article());
    let error = text.error(Kind::UnknownValue, message);
    match meant(field, text.text()) {
        Some(name) => error.with_help(format!("did you mean `{name}`? {}", field.values())),
        None => error.with_help(field.values()),
    }
}

/// The name that a misspelled or unabbreviated one stands for.
fn meant(field: Field, text: &str) -> Option<String> {
    let names = field.full_names();
    let long = names.iter().position(|name| {
        text.len() >= 3 && name.get(..text.len()).is_some_and(|start| start.eq_ignore_ascii_case(text))
    });
    let place = long.or_else(|| {
        let near = nearest(text, names.iter().map(|name| &name[..3]).chain(names.iter().copied()))?;
        names.iter().position(|name| name.starts_with(near))
    })?;
    field.name(u8::try_from(place).ok()? + field.min())
}

fn unknown_character(field: Field, char: Piece<'_>) -> SyntaxError {
    let help = match char.text() {
        "*" => "`*` stands alone or with a step, as in `*/5`".to_owned(),
        "?" => "`?` stands alone or with a step".to_owned(),
        "/" => "an item has one step at most, as in `9-17/2`".to_owned(),
        "#" => "`#` counts weekdays of a month, as in `FRI#2`".to_owned(),
        "-" => "a range is `first-last`".to_owned(),
        "\"" | "'" | "`" => "take out the quotes".to_owned(),
        ";" | "|" | "&" => "the items of a list are parted by commas".to_owned(),
        // What word processors, web pages and other keyboards make of the characters of a schedule.
        "‐" | "‑" | "‒" | "–" | "—" | "−" | "－" => {
            "a range has the hyphen of the keyboard, `-`".to_owned()
        }
        "，" | "、" | "‚" => {
            "the items of a list are parted by the comma of the keyboard, `,`".to_owned()
        }
        "∗" | "＊" | "×" | "•" => "every value is the asterisk of the keyboard, `*`".to_owned(),
        "∕" | "⁄" | "／" => "a step stands behind the slash of the keyboard, `/`".to_owned(),
        digit if digit.chars().all(char::is_numeric) => {
            format!("numbers are written with the digits 0 to 9; {}", field.values())
        }
        _ => format!("an item is `*`, a value or a range, with or without a step; {}", field.values()),
    };
    let message = format!("unexpected {} in the {} field", quoted(char.text()), field.singular());
    char.error(Kind::UnknownCharacter, message).with_help(help)
}

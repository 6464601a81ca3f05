//! The items that ask for a calendar: `L`, `LW`, `15W` for days, `FRIL`, `FRI#2` for weekdays.

use crate::field::Field;
use crate::item::FieldSet;
use crate::piece::Piece;
use crate::render::quoted;
use crate::value::{digits, value};
use crate::{SyntaxError, SyntaxErrorKind as Kind};

/// Adds such an item to the set, if it is one. The item is without its step.
pub(crate) fn parse(field: Field, item: Piece<'_>, set: &mut FieldSet) -> Result<bool, SyntaxError> {
    match field {
        Field::Day => day(item, set),
        Field::Weekday => weekday(item, set),
        _ => Ok(false),
    }
}

fn day(item: Piece<'_>, set: &mut FieldSet) -> Result<bool, SyntaxError> {
    let text = item.text();
    if text.eq_ignore_ascii_case("L") {
        set.last_day = true;
        return Ok(true);
    }
    if text.eq_ignore_ascii_case("LW") {
        set.last_weekday = true;
        return Ok(true);
    }
    if text.eq_ignore_ascii_case("WL") {
        return Err(invalid(item, "write `LW` for the last weekday (Monday to Friday) of the month"));
    }
    if starts_with_letter(text, 'L') && text[1..].starts_with('-') {
        return Err(invalid(
            item,
            "days cannot be counted from the end of the month; the last is `L`, the last weekday `LW`",
        ));
    }
    if let Some((begin, end)) = item.split_once('-') {
        let is_last =
            |end: Piece<'_>| ["L", "LW"].into_iter().any(|last| end.text().eq_ignore_ascii_case(last));
        if is_last(begin) {
            return Err(invalid(
                item,
                "`LW` stands alone: it is the last weekday of the month, and no days are counted from it",
            ));
        }
        if is_last(end) {
            return Err(invalid(
                item,
                "a range ends with a number; up to the end of every month is up to 31, as in `15-31`",
            ));
        }
    }
    let Some(before) = without_letter(item, 'W') else { return Ok(false) };
    if before.is_empty() {
        return Err(invalid(
            item,
            "`15W` is the weekday nearest to the 15th; for Monday to Friday write `MON-FRI` in the weekday field",
        ));
    }
    if digits(before.text()).is_some() {
        set.nearest_weekdays |= 1 << value(Field::Day, before, false)?;
        return Ok(true);
    }
    if before.text().bytes().all(|byte| byte.is_ascii_digit() || byte == b'-') {
        return Err(invalid(item, "`W` belongs to one day, as in `15W`; several are a list: `1W,15W`"));
    }
    Ok(false)
}

fn weekday(item: Piece<'_>, set: &mut FieldSet) -> Result<bool, SyntaxError> {
    if let Some((weekday, count)) = item.split_once('#') {
        if weekday.is_empty() || count.is_empty() {
            return Err(invalid(item, "`FRI#2` is the second Friday of the month"));
        }
        let day = value(Field::Weekday, weekday, false)?;
        if count.text().eq_ignore_ascii_case("L") {
            return Err(invalid(item, format!("for the last one of the month write `{}L`", weekday.text())));
        }
        let Some(number) = digits(count.text()) else {
            return Err(invalid(item, "behind `#` stands one number from 1 to 5, as in `FRI#2`"));
        };
        let place = usize::try_from(number).ok().and_then(|number| number.checked_sub(1));
        let Some(days) = place.and_then(|place| set.nth_weekdays.get_mut(place)) else {
            let message = format!("{} is outside `#1` to `#5`", quoted(&format!("#{}", count.text())));
            return Err(count.error(Kind::OutOfRange, message).with_help(format!(
                "no month has more than five of a weekday; the last one is `{}L`",
                weekday.text()
            )));
        };
        *days |= 1 << (day % 7);
        return Ok(true);
    }
    let Some(before) = without_letter(item, 'L') else { return Ok(false) };
    if before.is_empty() {
        return Err(invalid(
            item,
            "`FRIL` is the last Friday of the month; Saturday is `SAT`, the last day of the month `L` in its own field",
        ));
    }
    if digits(before.text()).is_some() || Field::Weekday.named(before.text()).is_some() {
        set.last_weekdays |= 1 << (value(Field::Weekday, before, false)? % 7);
        return Ok(true);
    }
    if before.text().contains('-') {
        return Err(invalid(
            item,
            "`L` belongs to one weekday, as in `FRIL`; several are a list: `MONL,FRIL`",
        ));
    }
    Ok(false)
}

/// The error for such an item in a field that has no use for it.
pub(crate) fn in_wrong_field(field: Field, item: Piece<'_>) -> Option<SyntaxError> {
    let text = item.text();
    let (symbol, help) = if let Some((before, _)) = item.split_once('#') {
        if !before.text().bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return None;
        }
        ('#', "`#` counts weekdays of a month, as in `FRI#2`, in the weekday field")
    } else if text.eq_ignore_ascii_case("L") || text.eq_ignore_ascii_case("LW") {
        ('L', "`L`, the last day of the month, and `LW`, its last weekday, belong in the day of month field")
    } else if let Some(before) = without_letter(item, 'L')
        && (digits(before.text()).is_some() || Field::Weekday.named(before.text()).is_some())
    {
        ('L', "`FRIL`, the last Friday of the month, belongs in the weekday field")
    } else if let Some(before) = without_letter(item, 'W')
        && (before.is_empty() || digits(before.text()).is_some())
    {
        ('W', "`15W`, the weekday nearest to the 15th, belongs in the day of month field")
    } else {
        return None;
    };
    let message = if text.len() == 1 {
        format!("`{symbol}` has no meaning in the {} field", field.singular())
    } else {
        format!("`{symbol}` in {} has no meaning in the {} field", quoted(text), field.singular())
    };
    Some(item.error(Kind::SymbolInWrongField, message).with_help(help))
}

fn invalid(item: Piece<'_>, help: impl Into<Box<str>>) -> SyntaxError {
    item.error(Kind::InvalidItem, format!("malformed item {}", quoted(item.text()))).with_help(help)
}

fn starts_with_letter(text: &str, letter: char) -> bool {
    text.starts_with(|char: char| char.eq_ignore_ascii_case(&letter))
}

/// The item without a last letter, if it ends with that.
fn without_letter(item: Piece<'_>, letter: char) -> Option<Piece<'_>> {
    let text = item.text();
    text.ends_with(|char: char| char.eq_ignore_ascii_case(&letter)).then(|| item.split_at(text.len() - 1).0)
}

//! One field of a spec: a list of items.

use crate::field::Field;
use crate::piece::Piece;
use crate::render::quoted;
use crate::value::{digits, value};
use crate::{SyntaxError, SyntaxErrorKind as Kind, special};

/// What a field matches.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct FieldSet {
    pub(crate) values: u64,
    /// An item was `*` or `?`.
    pub(crate) star: bool,
    pub(crate) nearest_weekdays: u32,
    pub(crate) last_day: bool,
    pub(crate) last_weekday: bool,
    pub(crate) last_weekdays: u8,
    pub(crate) nth_weekdays: [u8; 5],
}

impl FieldSet {
    /// Adds the values from `from` to `to`, every `step`th of them.
    fn add(&mut self, field: Field, from: u8, to: u8, step: u8) {
        let mut values = match step {
            // The whole range at once: lists of many ranges are what takes longest.
            0 | 1 => u64::MAX >> (u64::BITS - 1 - u32::from(to - from)) << from,
            step => (from..=to).step_by(usize::from(step)).fold(0, |values, value| values | 1 << value),
        };
        if field == Field::Weekday {
            // Sunday may be written 7.
            values = values & 0b111_1111 | values >> 7;
        }
        self.values |= values;
    }
}

/// Parses a field that has no white space in it and is not empty.
pub(crate) fn parse_field(field: Field, text: Piece<'_>) -> Result<FieldSet, SyntaxError> {
    let mut set = FieldSet::default();
    for item in text.split(',') {
        if item.is_empty() {
            return Err(empty_item(field, text, item));
        }
        parse_item(field, item, &mut set)?;
    }
    Ok(set)
}

fn parse_item(field: Field, item: Piece<'_>, set: &mut FieldSet) -> Result<(), SyntaxError> {
    let (body, step_text) = match item.split_once('/') {
        Some((body, step)) => (body, Some(step)),
        None => (item, None),
    };
    if matches!(body.text(), "*" | "?") {
        let step = step(field, item, step_text)?;
        set.add(field, field.min(), field.max(), step.unwrap_or(1));
        set.star = true;
        return Ok(());
    }
    if special::parse(field, body, set)? {
        return match step_text {
            None => Ok(()),
            Some(_) => Err(item
                .error(Kind::InvalidItem, format!("{} cannot have a step", quoted(body.text())))
                .with_help(format!("write {} alone", quoted(body.text())))),
        };
    }
    if body.is_empty() {
        let message = format!("step {} without anything to step through", quoted(item.text()));
        return Err(item
            .error(Kind::InvalidItem, message)
            .with_help(format!("write {}", quoted(&format!("*{}", item.text())))));
    }
    let (from, to) = match body.split_once('-') {
        Some((from, to)) => range(field, body, from, to)?,
        None => {
            let from = value(field, body, true)?;
            // A value with a step reaches to the end of the field.
            (from, if step_text.is_some() { from.max(field.max()) } else { from })
        }
    };
    if to < from {
        return Err(backward(field, body, from, to, step_text.is_some()));
    }
    let step = step(field, item, step_text)?;
    set.add(field, from, to, step.unwrap_or(1));
    Ok(())
}

fn range(field: Field, body: Piece<'_>, from: Piece<'_>, to: Piece<'_>) -> Result<(u8, u8), SyntaxError> {
    if from.is_empty() || to.is_empty() {
        let missing = if from.is_empty() { "beginning" } else { "end" };
        let message = format!("range {} has no {missing}", quoted(body.text()));
        return Err(body
            .error(Kind::IncompleteRange, message)
            .with_help(format!("a range is `first-last`; {}", field.values())));
    }
    if to.text().contains('-') {
        let message = format!("range {} has more than two ends", quoted(body.text()));
        return Err(body
            .error(Kind::InvalidItem, message)
            .with_help("a range is `first-last`; several are a list: `1-5,10-15`"));
    }
    let first = value(field, from, false)?;
    let mut last = value(field, to, false)?;
    // `FRI-SUN` goes up to the Sunday at the end of the week.
    if field == Field::Weekday && last == 0 && first > 0 && digits(to.text()).is_none() {
        last = field.max_written();
    }
    Ok((first, last))
}

fn step(field: Field, item: Piece<'_>, text: Option<Piece<'_>>) -> Result<Option<u8>, SyntaxError> {
    let Some(text) = text else { return Ok(None) };
    if text.is_empty() {
        return Err(item
            .error(Kind::InvalidStep, format!("{} has no step behind its `/`", quoted(item.text())))
            .with_help("write the step as a number, as in `*/5`, or take out the `/`"));
    }
    let Some(step) = digits(text.text()) else {
        return Err(text
            .error(Kind::InvalidStep, format!("step {} is not a number", quoted(text.text())))
            .with_help("a step is one number, as in `*/5` or `9-17/2`"));
    };
    if step == 0 {
        return Err(text
            .error(Kind::ZeroStep, format!("step {} goes nowhere", quoted(text.text())))
            .with_help("the least step is 1; leave it out for every value"));
    }
    match u8::try_from(step) {
        Ok(step) if step <= field.size() => Ok(Some(step)),
        _ => {
            let size = field.size();
            let message = format!(
                "step {} is larger than the {} field, which has {size} values",
                quoted(text.text()),
                field.singular()
            );
            let mut help = format!("steps run from 1 to {size}, and begin anew with the field");
            if let Some(hint) = interval_hint(field, step) {
                help.push_str("; ");
                help.push_str(&hint);
            }
            Err(text.error(Kind::StepTooLarge, message).with_help(help))
        }
    }
}

/// "for every 25 hours write `every = "25h"`", where somebody may have meant that.
pub(crate) fn interval_hint(field: Field, count: u32) -> Option<String> {
    let (plural, unit) = field.unit()?;
    // Beyond that it is no count of anything.
    (count <= 10_000).then(|| format!("for every {count} {plural} write `every = \"{count}{unit}\"`"))
}

fn backward(field: Field, body: Piece<'_>, from: u8, to: u8, stepped: bool) -> SyntaxError {
    let message = format!("range {} runs backwards", quoted(body.text()));
    let named = body.text().starts_with(|char: char| char.is_ascii_alphabetic());
    let shown = |value: u8| match field.name(value % (field.max() + 1)) {
        Some(name) if named => name,
        _ => value.to_string(),
    };
    let range = |from: u8, to: u8| {
        if from == to { shown(from) } else { format!("{}-{}", shown(from), shown(to)) }
    };
    let help = if stepped {
        format!("a range runs upwards; write two, one up to {} and one from {}", field.max(), field.min())
    } else if field == Field::Weekday {
        // The week may end with Sunday as well as begin with it.
        match (from, to) {
            (7, to) => format!("a week that begins with Sunday is `{}`", range(0, to)),
            (from, 0) => format!("Sunday at the end of a range is 7: `{}`", range(from, 7)),
            (from, to) => format!("write `{},{}`", range(from, 7), range(1, to)),
        }
    } else {
        format!("write `{},{}`", range(from, field.max()), range(field.min(), to))
    };
    body.error(Kind::BackwardRange, message).with_help(help)
}

fn empty_item(field: Field, list: Piece<'_>, item: Piece<'_>) -> SyntaxError {
    // The comma before the gap, or behind it where the gap is at the beginning.
    let gap = item.span().start;
    let comma = if gap > list.span().start { gap - 1..gap } else { gap..gap + 1 };
    let split = gap == list.span().end;
    let items: Vec<&str> = list.text().split(',').filter(|item| !item.is_empty()).collect();
    let help = if items.is_empty() {
        format!("write `*` for every {}", field.singular())
    } else if split {
        format!("write {}, or the whole list without white space in it", quoted(&items.join(",")))
    } else {
        format!("write {}", quoted(&items.join(",")))
    };
    let message = format!("empty item in the list {} of the {} field", quoted(list.text()), field.singular());
    SyntaxError::new(Kind::EmptyItem, comma, message).with_help(help)
}

use std::fmt::Write as _;
use std::time::Duration;

use crate::piece::Piece;
use crate::render::quoted;
use crate::{MAX_TEXT, SyntaxError, SyntaxErrorKind as Kind};

/// The shortest interval.
pub const MIN_INTERVAL: Duration = Duration::from_millis(10);

/// The shortest timeout: what is below it, no attempt could keep.
pub const MIN_TIMEOUT: Duration = Duration::from_millis(1);

/// The longest duration, as in Go: 2⁶³ − 1 nanoseconds, 292 years.
pub const MAX_DURATION: Duration = Duration::from_nanos(i64::MAX as u64);

/// The units and their nanoseconds. Both characters that look like µ are in use.
const UNITS: [(&str, u64); 9] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
];
const WEEK: u64 = 7 * 86_400_000_000_000;
const ALL_UNITS: &str = "the units are `ns`, `us`, `ms`, `s`, `m`, `h`, `d` and `w`";

/// Parses a duration: numbers with units, such as `1h30m`, `1.5s` or `2w`.
///
/// The units are `ns`, `us` (or `µs`), `ms`, `s`, `m`, `h` as in Go, and `d` of 24 hours and `w` of 7 days.
/// They may come in any order. A part of a nanosecond is dropped. White space around the duration is fine,
/// within it it is not.
///
/// # Errors
///
/// The first mistake in the text; zero and negative durations and those above [`MAX_DURATION`] are mistakes too.
pub fn parse_duration(text: &str) -> Result<Duration, SyntaxError> {
    parse(Piece::whole(text))
}

/// [`parse_duration`] for an interval, which is at least [`MIN_INTERVAL`].
///
/// # Errors
///
/// As [`parse_duration`], and for an interval that is too short.
pub fn parse_interval(text: &str) -> Result<Duration, SyntaxError> {
    interval(Piece::whole(text))
}

/// [`parse_duration`] for the time that an attempt may take, which is at least [`MIN_TIMEOUT`].
///
/// # Errors
///
/// As [`parse_duration`], and for a timeout that is too short.
pub fn parse_timeout(text: &str) -> Result<Duration, SyntaxError> {
    let text = Piece::whole(text);
    let duration = parse(text)?;
    if duration < MIN_TIMEOUT {
        let text = text.trim();
        return Err(text
            .error(Kind::DurationTooShort, format!("timeout {} is below 1ms", quoted(text.text())))
            .with_help("the shortest timeout is `1ms`"));
    }
    Ok(duration)
}

pub(crate) fn interval(text: Piece<'_>) -> Result<Duration, SyntaxError> {
    let duration = parse(text)?;
    if duration < MIN_INTERVAL {
        let text = text.trim();
        return Err(text
            .error(Kind::DurationTooShort, format!("interval {} is below 10ms", quoted(text.text())))
            .with_help("the shortest interval is `10ms`"));
    }
    Ok(duration)
}

pub(crate) fn parse(text: Piece<'_>) -> Result<Duration, SyntaxError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(text
            .error(Kind::Empty, "empty duration")
            .with_help("write one such as `90s` or `1h30m`"));
    }
    if text.text().len() > MAX_TEXT {
        let message = format!("a duration of {} bytes is too long", text.text().len());
        return Err(text.error(Kind::TooLong, message).with_help("write one such as `90s` or `1h30m`"));
    }
    let mut rest = match text.text().as_bytes()[0] {
        b'-' => {
            let message = format!("duration {} is negative", quoted(text.text()));
            return Err(text.error(Kind::NegativeDuration, message).with_help("a duration is above zero"));
        }
        b'+' => text.skip(1),
        _ => text,
    };
    if rest.is_empty() {
        return Err(no_number(text, text, rest));
    }
    let mut total: u128 = 0;
    while !rest.is_empty() {
        let (number, after) = split_while(rest, |char| char.is_ascii_digit() || char == '.');
        let (unit, after) = split_while(after, char::is_alphabetic);
        total = total.saturating_add(part(text, rest, number, unit)?);
        rest = after;
    }
    let Some(nanos) = u64::try_from(total).ok().filter(|&nanos| u128::from(nanos) <= MAX_DURATION.as_nanos())
    else {
        let message = format!("duration {} is too long", quoted(text.text()));
        return Err(text
            .error(Kind::DurationTooLong, message)
            .with_help("the longest is 292 years, `106751d`"));
    };
    if nanos == 0 {
        return Err(zero(text));
    }
    Ok(Duration::from_nanos(nanos))
}

/// One number with its unit, in nanoseconds.
fn part(whole: Piece<'_>, rest: Piece<'_>, number: Piece<'_>, unit: Piece<'_>) -> Result<u128, SyntaxError> {
    if number.is_empty() {
        return Err(no_number(whole, rest, unit));
    }
    let (before, after) = number.text().split_once('.').unwrap_or((number.text(), ""));
    if before.is_empty() && after.is_empty() || after.contains('.') {
        return Err(number
            .error(Kind::InvalidNumber, format!("{} is not a number", quoted(number.text())))
            .with_help("a number has digits and at most one point, as in `1.5h`"));
    }
    if unit.is_empty() && number.span() == whole.span() && number.text().bytes().all(|digit| digit == b'0') {
        return Err(zero(whole));
    }
    if unit.is_empty() {
        return Err(missing_unit(rest, number));
    }
    let Some(nanos) = nanos_of(unit.text()) else { return Err(unknown_unit(number, unit)) };
    // So many digits are beyond the longest duration or below a nanosecond, and these products cannot overflow.
    let integer = before.trim_start_matches('0');
    let integer = if integer.len() > 20 { u128::from(u64::MAX) } else { parse_digits(integer) };
    let fraction = &after[..after.len().min(18)];
    let scale = (0..fraction.len()).fold(1_u128, |scale, _| scale * 10);
    Ok(integer * u128::from(nanos) + parse_digits(fraction) * u128::from(nanos) / scale)
}

fn parse_digits(digits: &str) -> u128 {
    digits.bytes().fold(0, |number, digit| number * 10 + u128::from(digit - b'0'))
}

fn nanos_of(unit: &str) -> Option<u64> {
    if unit == "w" {
        return Some(WEEK);
    }
    UNITS.iter().find(|(name, _)| *name == unit).map(|&(_, nanos)| nanos)
}

fn split_while(text: Piece<'_>, wanted: impl Fn(char) -> bool) -> (Piece<'_>, Piece<'_>) {
    let end = text.text().find(|char| !wanted(char)).unwrap_or(text.text().len());
    text.split_at(end)
}

fn no_number(whole: Piece<'_>, rest: Piece<'_>, unit: Piece<'_>) -> SyntaxError {
    if rest.text().starts_with(char::is_whitespace) {
        let (gap, behind) = split_while(rest, char::is_whitespace);
        let help = match joined(whole, char::is_whitespace) {
            Some(joined) => format!("write {}", quoted(&joined)),
            None => format!("take out what follows, {}", quoted(behind.text())),
        };
        return gap
            .error(Kind::UnknownCharacter, format!("white space within duration {}", quoted(whole.text())))
            .with_help(help);
    }
    if unit.is_empty() {
        let (char, _) = rest.split_at(rest.text().chars().next().map_or(0, char::len_utf8));
        let message = format!("unexpected {} in duration {}", quoted(char.text()), quoted(whole.text()));
        let help = match joined(whole, |char| matches!(char, ',' | ';' | ':' | '+') || char.is_whitespace()) {
            Some(joined) => format!("write {}", quoted(&joined)),
            None => "a duration is numbers with units, such as `90s` or `1h30m`".to_owned(),
        };
        return char.error(Kind::UnknownCharacter, message).with_help(help);
    }
    let iso = rest.span() == whole.span() && unit.text().starts_with(['P', 'p']);
    let help = if iso {
        "durations are written as in Go, `1h30m`, not as in ISO 8601".to_owned()
    } else if nanos_of(unit.text()).is_some() {
        format!("write {}", quoted(&format!("1{}", unit.text())))
    } else {
        format!("write one such as `90s` or `1h30m`; {ALL_UNITS}")
    };
    unit.error(Kind::InvalidNumber, format!("no number before {}", quoted(unit.text()))).with_help(help)
}

/// The text without what stands between its parts, where that makes a duration.
fn joined(whole: Piece<'_>, between: impl Fn(char) -> bool) -> Option<String> {
    let joined: String = whole.text().chars().filter(|&char| !between(char)).collect();
    (joined != whole.text() && parse_duration(&joined).is_ok()).then_some(joined)
}

fn zero(whole: Piece<'_>) -> SyntaxError {
    whole
        .error(Kind::ZeroDuration, format!("duration {} is zero", quoted(whole.text())))
        .with_help("a duration is above zero")
}

fn missing_unit(rest: Piece<'_>, number: Piece<'_>) -> SyntaxError {
    let message = format!("number {} has no unit", quoted(number.text()));
    let shown = |unit: &str| quoted(&format!("{}{unit}", number.text()));
    // `1:30` and `5 m` have something behind the number that is no unit.
    let after = rest.skip(number.text().len());
    let (gap, unit) = split_while(after, char::is_whitespace);
    let (unit, _) = split_while(unit, char::is_alphabetic);
    let help = if let Some(unit) = meant_unit(unit.text()).filter(|_| !gap.is_empty()) {
        format!("write {}, without white space", shown(unit))
    } else if after.text().starts_with(',') {
        "a fraction has a point, as in `1.5h`".to_owned()
    } else if after.text().starts_with(':') {
        "hours and minutes are written `1h30m`".to_owned()
    } else {
        format!("write {} for seconds or {} for minutes; {ALL_UNITS}", shown("s"), shown("m"))
    };
    number.error(Kind::MissingUnit, message).with_help(help)
}

/// The unit that another spelling stands for.
fn meant_unit(unit: &str) -> Option<&'static str> {
    let lower = unit.to_lowercase();
    if let Some((name, _)) = UNITS.iter().find(|(name, _)| *name == lower) {
        return Some(name);
    }
    match lower.trim_end_matches('s') {
        "n" | "nano" | "nanosec" | "nanosecond" => Some("ns"),
        "u" | "µ" | "μ" | "micro" | "microsec" | "microsecond" => Some("us"),
        "msec" | "milli" | "millisec" | "millisecond" => Some("ms"),
        "sec" | "second" => Some("s"),
        "min" | "minute" => Some("m"),
        "hr" | "hour" => Some("h"),
        "day" => Some("d"),
        "w" | "wk" | "week" => Some("w"),
        _ => None,
    }
}

fn unknown_unit(number: Piece<'_>, unit: Piece<'_>) -> SyntaxError {
    let message = format!("unknown unit {}", quoted(unit.text()));
    let meant = meant_unit(unit.text());
    let lower = unit.text().to_lowercase();
    let help = match (meant, lower.as_str()) {
        (Some(meant), _) => format!("write {}; {ALL_UNITS}", quoted(&format!("{}{meant}", number.text()))),
        (None, "mo" | "month" | "months" | "y" | "yr" | "year" | "years") => {
            "months and years differ in length; use a schedule such as `@monthly` or `@yearly`, or days"
                .to_owned()
        }
        (None, _) => ALL_UNITS.to_owned(),
    };
    unit.error(Kind::UnknownUnit, message).with_help(help)
}

/// The canonical text of a duration: whole numbers from the greatest unit down, such as `1h30m` or `1s500ms`.
///
/// Days are used from 48 hours on, so that the common `24h` stays what it is; weeks are not used.
/// [`parse_duration`] reads the same duration from it, if it is one that can be written at all:
/// above zero and up to [`MAX_DURATION`].
#[must_use]
pub fn format_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let nanos = duration.subsec_nanos();
    let (days, hours) = match seconds / 3600 {
        hours if hours < 48 => (0, hours),
        hours => (hours / 24, hours % 24),
    };
    let parts = [
        (days, "d"),
        (hours, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
        (u64::from(nanos / 1_000_000), "ms"),
        (u64::from(nanos / 1_000 % 1_000), "us"),
        (u64::from(nanos % 1_000), "ns"),
    ];
    let mut text = String::new();
    for (number, unit) in parts {
        if number > 0 {
            // Writing to a string does not fail.
            let _ = write!(text, "{number}{unit}");
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}

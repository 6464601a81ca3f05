use crate::field::Field;
use crate::piece::Piece;
use crate::render::quoted;
use crate::{SyntaxError, SyntaxErrorKind as Kind};

/// The longest name of a zone; the database has none above 32.
const LONGEST: usize = 64;

/// Checks that a text can be the name of a time zone, and returns it without white space around it.
///
/// It can be a name of the tz database (letters, digits, `_`, `+`, `-` in parts between slashes), `UTC`, `local`,
/// or a fixed offset such as `+05:30`. Whether a zone of that name exists only a database can tell.
///
/// # Errors
///
/// A text that no database could know.
pub fn parse_zone_name(text: &str) -> Result<&str, SyntaxError> {
    let zone = Piece::whole(text).trim();
    check(zone)?;
    Ok(zone.text())
}

pub(crate) fn check(zone: Piece<'_>) -> Result<(), SyntaxError> {
    let text = zone.text();
    if zone.is_empty() {
        return Err(zone
            .error(Kind::MissingZone, "empty time zone")
            .with_help("write a zone such as `Europe/Oslo`, `UTC` or `local`"));
    }
    if text.starts_with(['+', '-']) {
        return check_offset(zone);
    }
    if text.len() > LONGEST {
        let message = format!("a time zone of {} bytes is too long", text.len());
        return Err(zone.error(Kind::TooLong, message).with_help("write a zone such as `Europe/Oslo`"));
    }
    if let Some(offset) = relative_to_utc(text) {
        let message = format!("{} is not the name of a time zone", quoted(text));
        return Err(zone.error(Kind::InvalidZone, message).with_help(format!("write `{offset}`")));
    }
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '+' | '-' | '/');
    if let Some(char) = zone.find_char(|char| !allowed(char)) {
        let message = format!("unexpected {} in time zone {}", quoted(char.text()), quoted(text));
        let help = match char.text() {
            "\"" | "'" => "take out the quotes".to_owned(),
            "\\" => format!("write {}", quoted(&text.replace('\\', "/"))),
            " " => format!("write {}", quoted(&text.replace(' ', "_"))),
            _ => "write a zone such as `Europe/Oslo`, or an offset such as `+05:30`".to_owned(),
        };
        return Err(char.error(Kind::InvalidZone, message).with_help(help));
    }
    if text.split('/').any(str::is_empty) || !text.starts_with(|char: char| char.is_ascii_alphabetic()) {
        let message = format!("{} is not the name of a time zone", quoted(text));
        return Err(zone
            .error(Kind::InvalidZone, message)
            .with_help("write a zone such as `Europe/Oslo`, or an offset such as `+05:30`"));
    }
    Ok(())
}

/// Whether a word of a schedule can only be a zone, such as `Europe/Oslo`; `MON/2` and `MON/TUE` are none.
pub(crate) fn looks_like_name(word: &str) -> bool {
    let is_name = |field: Field, area| field.named(area).is_some();
    word.split_once('/').is_some_and(|(area, place)| {
        !is_name(Field::Month, area)
            && !is_name(Field::Weekday, area)
            && [area, place]
                .into_iter()
                .all(|part| part.len() > 1 && part.starts_with(|char: char| char.is_ascii_alphabetic()))
            && check(Piece::whole(word)).is_ok()
    })
}

fn check_offset(zone: Piece<'_>) -> Result<(), SyntaxError> {
    let (sign, rest) = zone.text().split_at(1);
    if let [h1, h2, b':', m1, m2] = *rest.as_bytes()
        && [h1, h2, m1, m2].iter().all(u8::is_ascii_digit)
        && (h1 - b'0') * 10 + (h2 - b'0') <= 23
        && m1 <= b'5'
    {
        return Ok(());
    }
    let message = format!("{} is not an offset from UTC", quoted(zone.text()));
    let help = match offset(sign, rest) {
        Some(offset) => format!("write `{offset}`"),
        None => "an offset is a sign, hours up to 23 and minutes up to 59, such as `+05:30`".to_owned(),
    };
    Err(zone.error(Kind::InvalidZone, message).with_help(help))
}

/// The proper writing of `5`, `05`, `530`, `0530` or `5:30`.
fn offset(sign: &str, text: &str) -> Option<String> {
    if text.len() > 5 || !text.bytes().all(|byte| byte.is_ascii_digit() || byte == b':') {
        return None;
    }
    let (hours, minutes) = match text.split_once(':') {
        Some(parts) => parts,
        None if text.len() > 2 => text.split_at(text.len() - 2),
        None => (text, "0"),
    };
    let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours <= 23 && minutes <= 59).then(|| format!("{sign}{hours:02}:{minutes:02}"))
}

/// `UTC+2` and `GMT-3` read as offsets, but no database has them (`GMT+0` it has).
fn relative_to_utc(text: &str) -> Option<String> {
    let (start, rest) = text.split_at_checked(3)?;
    let (sign, number) = rest.split_at_checked(1)?;
    let is_utc = start.eq_ignore_ascii_case("UTC") || start.eq_ignore_ascii_case("GMT");
    if !is_utc || !matches!(sign, "+" | "-") || matches!(number, "0") {
        return None;
    }
    offset(sign, number)
}

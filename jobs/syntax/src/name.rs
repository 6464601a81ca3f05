use crate::piece::Piece;
use crate::render::quoted;
use crate::{SyntaxError, SyntaxErrorKind as Kind, nearest};

/// The longest name of a job, name of a schedule, or key.
pub const MAX_NAME: usize = 128;

/// The queue of jobs that name none.
pub const DEFAULT_QUEUE: &str = "default";

/// What the name of a schedule begins with.
pub(crate) const PREFIX: &str = "cron.";

/// Checks the name of a job: `a` to `z`, digits, `_` and `-`, up to [`MAX_NAME`] bytes.
///
/// # Errors
///
/// Any other text, with a name that is near it.
pub fn check_job_name(text: &str) -> Result<(), SyntaxError> {
    let allowed =
        |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '_' | '-');
    let rule = "the name of a job has `a` to `z`, digits, `_` and `-`";
    let name = Piece::whole(text);
    check_length(name, "job name", rule)?;
    let Some(char) = name.find_char(|char| !allowed(char)) else { return Ok(()) };
    let fixed = fixed(&text.to_ascii_lowercase(), allowed);
    Err(unexpected(char, "job name", text, rule, &fixed))
}

/// Checks the name of a schedule: `cron.` and parts of letters, digits, `_` and `-` with single dots between them,
/// up to [`MAX_NAME`] bytes.
///
/// # Errors
///
/// Any other text, with a name that is near it.
pub fn check_schedule_name(text: &str) -> Result<(), SyntaxError> {
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-');
    let rule = "the name of a schedule is `cron.` and letters, digits, `_` and `-`";
    let name = Piece::whole(text);
    check_length(name, "schedule name", rule)?;
    if !text.starts_with(PREFIX) {
        let message = format!("schedule name {} does not begin with `cron.`", quoted(text));
        let own = match text.split_once('.') {
            Some((start, own)) if is_like_cron(start) => own,
            _ if is_like_cron(text) => "",
            _ => text,
        };
        let fixed = fixed(own, |char| allowed(char) || char == '.');
        let span = match text.find('.') {
            Some(dot) if is_like_cron(&text[..dot]) => name.split_at(dot + 1).0,
            _ => name,
        };
        let error = span.error(Kind::MissingNamePrefix, message);
        return Err(if fixed.is_empty() {
            error.with_help(rule)
        } else {
            error.with_help(format!("write {}", quoted(&format!("{PREFIX}{fixed}"))))
        });
    }
    let own = name.skip(PREFIX.len());
    if let Some(char) = own.find_char(|char| !allowed(char) && char != '.') {
        let fixed = fixed(own.text(), |char| allowed(char) || char == '.');
        let fixed = if fixed.is_empty() { fixed } else { format!("{PREFIX}{fixed}") };
        return Err(unexpected(char, "schedule name", text, rule, &fixed));
    }
    if own.text().split('.').any(str::is_empty) {
        let parts: Vec<&str> = own.text().split('.').filter(|part| !part.is_empty()).collect();
        let (message, help) = if parts.is_empty() {
            (
                format!("schedule name {} has nothing behind `cron.`", quoted(text)),
                "write one such as `cron.nightly`".to_owned(),
            )
        } else {
            (
                format!("schedule name {} has an empty part between dots", quoted(text)),
                format!("write {}", quoted(&format!("{PREFIX}{}", parts.join(".")))),
            )
        };
        return Err(name.error(Kind::InvalidName, message).with_help(help));
    }
    Ok(())
}

/// Checks the key of a schedule: letters, digits, `_`, `-`, `.` and `:`, up to [`MAX_NAME`] bytes.
///
/// # Errors
///
/// Any other text, with a key that is near it.
pub fn check_schedule_key(text: &str) -> Result<(), SyntaxError> {
    let allowed = |char: char| char.is_ascii_alphanumeric() || matches!(char, '_' | '-' | '.' | ':');
    let rule = "the key of a schedule has letters, digits, `_`, `-`, `.` and `:`";
    let key = Piece::whole(text);
    check_length(key, "schedule key", rule)?;
    let Some(char) = key.find_char(|char| !allowed(char)) else { return Ok(()) };
    Err(unexpected(char, "schedule key", text, rule, &fixed(text, allowed)))
}

/// Checks the name of a queue: `a` to `z`, digits, `_` and `-`, up to [`MAX_NAME`] bytes.
///
/// # Errors
///
/// Any other text, with a name that is near it.
pub fn check_queue_name(text: &str) -> Result<(), SyntaxError> {
    let allowed =
        |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || matches!(char, '_' | '-');
    let rule = "the name of a queue has `a` to `z`, digits, `_` and `-`";
    let name = Piece::whole(text);
    check_length(name, "queue name", rule)?;
    let Some(char) = name.find_char(|char| !allowed(char)) else { return Ok(()) };
    Err(unexpected(char, "queue name", text, rule, &fixed(&text.to_ascii_lowercase(), allowed)))
}

/// Whether a text is `cron` in another case, or a slip away from it.
pub(crate) fn is_like_cron(text: &str) -> bool {
    nearest(text, ["cron"]).is_some()
}

fn check_length(name: Piece<'_>, what: &str, rule: &str) -> Result<(), SyntaxError> {
    if name.is_empty() {
        return Err(name.error(Kind::Empty, format!("empty {what}")).with_help(rule));
    }
    let length = name.text().len();
    if length > MAX_NAME {
        let message = format!("a {what} of {length} bytes is longer than {MAX_NAME}");
        return Err(name.error(Kind::TooLong, message).with_help("shorten it"));
    }
    Ok(())
}

fn unexpected(char: Piece<'_>, what: &str, text: &str, rule: &str, fixed: &str) -> SyntaxError {
    let message = format!("unexpected {} in {what} {}", quoted(char.text()), quoted(text));
    let error = char.error(Kind::InvalidName, message);
    if fixed.is_empty() {
        error.with_help(rule)
    } else {
        error.with_help(format!("{rule}; write {}", quoted(fixed)))
    }
}

/// The text with every run of characters that are not allowed as one `_`, and none of these around it.
fn fixed(text: &str, allowed: impl Fn(char) -> bool) -> String {
    text.split(|char| !allowed(char)).filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_")
}

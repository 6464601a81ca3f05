//! What a deployment says about the attempts of a job: the values of `timeout`, `retries` and `backoff`.

use std::time::Duration;

use jobs_syntax::{Backoff, MAX_RETRIES};

use super::value::{Form, Mistake, Raw, unquoted};

/// Takes away what the attribute of a job says.
pub(super) const OFF: &str = "off";

/// How long an attempt may take; none where it is `off`.
pub(super) fn timeout(raw: &Raw, name: &str) -> Result<Option<Duration>, Mistake> {
    needs_unit(raw, "a duration", name)?;
    if let Raw::Boolean(false) = raw {
        return Err(Mistake::new(
            "must be a duration, not `false`",
            format!("to take the timeout away write `{name} = \"off\"`"),
        ));
    }
    let text = raw.text("a duration", "30s")?;
    if text.trim().eq_ignore_ascii_case(OFF) {
        return Ok(None);
    }
    jobs_syntax::parse_timeout(text).map(Some).map_err(|e| Mistake::syntax(text, &e))
}

/// The waits before retries.
pub(super) fn backoff(raw: &Raw, name: &str) -> Result<Backoff, Mistake> {
    needs_unit(raw, "a backoff", name)?;
    let text = raw.text("a backoff", "1s..10m")?;
    Backoff::parse(text).map_err(|e| Mistake::syntax(text, &e))
}

fn needs_unit(raw: &Raw, what: &str, name: &str) -> Result<(), Mistake> {
    match raw {
        Raw::Integer(n) => Err(Mistake::new(
            format!("must be {what}, not {}", raw.described()),
            format!("say the unit: `{name} = \"{n}s\"`"),
        )),
        _ => Ok(()),
    }
}

/// How often a run is tried again.
pub(super) fn retries(raw: &Raw, form: Form, name: &str) -> Result<u32, Mistake> {
    let wrong = |help: String| Mistake::new(format!("must be a whole number, not {}", raw.described()), help);
    let number = match raw {
        Raw::Integer(n) => Some(*n),
        Raw::HugeInteger(_) => None,
        Raw::Text(text) => match whole_number(text.trim()) {
            Some(_) if form == Form::Toml => {
                return Err(wrong(format!("write the number without quotes: `{name} = {}`", text.trim())));
            }
            Some(n) => n,
            None if form == Form::Conf && whole_number(unquoted(text)).is_some() => {
                return Err(wrong(format!("write the number without quotes: `{name} = {}`", unquoted(text))));
            }
            None => return Err(wrong("write a number such as `5`; 0 is no retries".to_owned())),
        },
        _ => return Err(wrong("write a number such as `5`; 0 is no retries".to_owned())),
    };
    number.and_then(|n| u32::try_from(n).ok()).filter(|&n| n <= MAX_RETRIES).ok_or_else(|| {
        Mistake::new(
            format!("is outside 0 to {MAX_RETRIES}"),
            "it counts the attempts after the first; what is to go on for ever is a schedule",
        )
    })
}

/// A text that is a whole number; its value where 64 bits hold it.
fn whole_number(text: &str) -> Option<Option<i64>> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())
}

//! What a deployment says about the attempts of a job: the values of `timeout`, `retries` and `backoff`.

use std::time::Duration;

use jobs_syntax::{Backoff, MAX_RETRIES};

use super::number::{Whole, whole};
use super::value::{Form, Mistake, Raw};

/// Takes away what the attribute of a job says.
pub(super) const OFF: &str = "off";

/// Whether a value takes away what the attribute of a job says; `false` was meant to.
pub(super) fn is_off(raw: &Raw, what: &str, name: &str) -> Result<bool, Mistake> {
    match raw {
        Raw::Text(text) => Ok(text.trim().eq_ignore_ascii_case(OFF)),
        Raw::Boolean(false) => Err(Mistake::new(
            format!("must be {what}, not `false`"),
            format!("to take away what the attribute says write `{name} = \"off\"`"),
        )),
        _ => Ok(false),
    }
}

/// How long an attempt may take; none where it is `off`.
pub(super) fn timeout(raw: &Raw, name: &str) -> Result<Option<Duration>, Mistake> {
    needs_unit(raw, "a duration", name)?;
    if is_off(raw, "a duration", name)? {
        return Ok(None);
    }
    let text = raw.text("a duration", "30s")?;
    jobs_syntax::parse_timeout(text).map(Some).map_err(|e| Mistake::syntax(text, &e))
}

/// The waits before retries.
pub(super) fn backoff(raw: &Raw, name: &str) -> Result<Backoff, Mistake> {
    needs_unit(raw, "a backoff", name)?;
    let text = raw.text("a backoff", "1s..10m")?;
    Backoff::parse(text).map_err(|e| Mistake::syntax(text, &e))
}

/// A number alone does not say of what.
pub(super) fn needs_unit(raw: &Raw, what: &str, name: &str) -> Result<(), Mistake> {
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
    let retries = Whole {
        range: 0..=MAX_RETRIES.into(),
        example: "write a number such as `5`; 0 is no retries",
        outside: "it counts the attempts after the first; what is to go on for ever is a schedule",
    };
    Ok(u32::try_from(whole(raw, form, name, &retries)?).unwrap_or(MAX_RETRIES))
}

//! The values about limits: queues, priorities, how many and how often, and what is kept.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use jobs_syntax::{Missed, Rate};

use super::attempts::{is_off, needs_unit};
use super::number::{Whole, whole};
use super::value::{Form, Mistake, Raw, boolean_word};
use crate::job::options::{MAX_PRIORITY, Unique};

/// The queue of a job.
pub(super) fn queue(raw: &Raw) -> Result<String, Mistake> {
    let text = raw.text("the name of a queue", "mail")?.trim();
    jobs_syntax::check_queue_name(text).map_err(|e| Mistake::syntax(text, &e))?;
    Ok(text.to_owned())
}

/// `jobs.queues.<name>`: how many runs of the queue execute at the same time.
pub(super) fn queue_size(raw: &Raw, form: Form, name: &str) -> Result<NonZeroUsize, Mistake> {
    let size = Whole {
        range: 1..=u32::MAX.into(),
        example: "write a number such as `5`",
        outside: "a queue without a number has the whole pool: leave the key out",
    };
    if let Raw::Table = raw {
        return Err(Mistake::new(
            "must be a whole number, not a table",
            "write the number alone: a queue has no other settings",
        ));
    }
    let number = whole(raw, form, name, &size)?;
    Ok(usize::try_from(number).ok().and_then(NonZeroUsize::new).unwrap_or(NonZeroUsize::MAX))
}

/// The priority of a job.
pub(super) fn priority(raw: &Raw, form: Form, name: &str) -> Result<i8, Mistake> {
    let priority = Whole {
        range: (-i64::from(MAX_PRIORITY))..=MAX_PRIORITY.into(),
        example: "write a number such as `10`; a higher one goes first",
        outside: "a higher one goes first; it is 0 where nothing is said",
    };
    let number = whole(raw, form, name, &priority)?;
    Ok(i8::try_from(number).unwrap_or(0))
}

/// How many runs of a job execute at the same time; none where it is `off`.
pub(super) fn concurrency(raw: &Raw, form: Form, name: &str) -> Result<Option<NonZeroU32>, Mistake> {
    if is_off(raw, "a whole number", name)? {
        return Ok(None);
    }
    let concurrency = Whole {
        range: 1..=u32::MAX.into(),
        example: "write a number such as `2`, or `\"off\"` to take the limit away",
        outside: "to take the limit away write `\"off\"`; to switch the job off write `enabled = false`",
    };
    let number = whole(raw, form, name, &concurrency)?;
    Ok(u32::try_from(number).ok().and_then(NonZeroU32::new))
}

/// How many attempts of a job start in how much time; none where it is `off`.
pub(super) fn rate(raw: &Raw, name: &str) -> Result<Option<Rate>, Mistake> {
    if is_off(raw, "a rate", name)? {
        return Ok(None);
    }
    let text = raw.text("a rate", "100/1m")?;
    Rate::parse(text).map(Some).map_err(|e| Mistake::syntax(text, &e))
}

/// Which submissions of a job are one: those with the same arguments, always or in a window; none where it is `false`.
pub(super) fn unique(raw: &Raw, form: Form, name: &str) -> Result<Option<Unique>, Mistake> {
    needs_unit(raw, "`true`, `false` or a window of time", name)?;
    let word = match raw {
        Raw::Boolean(word) => Some(*word),
        Raw::Text(text) => boolean_word(text.trim()),
        _ => None,
    };
    match (word, raw) {
        // `off` takes away what the attribute says, as elsewhere.
        (Some(word), Raw::Text(text)) if form == Form::Toml && text.trim() != "off" => Err(Mistake::new(
            format!("must be `true`, `false` or a window of time, not {}", raw.described()),
            format!("write it without quotes: `{name} = {word}`"),
        )),
        (Some(true), _) => Ok(Some(Unique::Args)),
        (Some(false), _) => Ok(None),
        (None, Raw::Array(_)) => Err(Mistake::new(
            "must be `true`, `false` or a window of time, not a list",
            "which arguments are compared is for the attribute to say: `unique(to, order)`",
        )),
        (None, _) => {
            let text = raw.text("`true`, `false` or a window of time", "10m")?;
            let window = jobs_syntax::parse_duration(text).map_err(|e| Mistake::syntax(text, &e))?;
            Ok(Some(Unique::Per(window)))
        }
    }
}

/// By how much a slot may be late on purpose; none where it is `off`.
pub(super) fn jitter(raw: &Raw, name: &str) -> Result<Option<Duration>, Mistake> {
    needs_unit(raw, "a duration", name)?;
    if is_off(raw, "a duration", name)? {
        return Ok(None);
    }
    let text = raw.text("a duration", "30s")?;
    jobs_syntax::parse_duration(text).map(Some).map_err(|e| Mistake::syntax(text, &e))
}

/// Which of the missed slots are made up for.
pub(super) fn missed(raw: &Raw) -> Result<Missed, Mistake> {
    let text = raw.text("a policy for missed slots", "once")?;
    Missed::parse(text).map_err(|e| Mistake::syntax(text, &e))
}

/// How long the runs that have ended are kept.
pub(super) fn retention(raw: &Raw, name: &str) -> Result<Duration, Mistake> {
    needs_unit(raw, "a duration", name)?;
    let text = raw.text("a duration", "7d")?;
    jobs_syntax::parse_duration(text).map_err(|e| Mistake::syntax(text, &e))
}

/// How many runs that have ended are kept of each job.
pub(super) fn retention_count(raw: &Raw, form: Form, name: &str) -> Result<usize, Mistake> {
    let count = Whole {
        range: 1..=10_000_000,
        example: "write a number such as `10000`",
        outside: "it is the number of runs that are kept of each job",
    };
    Ok(usize::try_from(whole(raw, form, name, &count)?).unwrap_or(usize::MAX))
}

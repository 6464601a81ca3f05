//! The user's texts, read by the parser that the runtime has. Every mistake shows the place in the text, which
//! the compiler cannot point at.

use std::time::Duration;

use jobs_syntax::{Missed, Overlap, ScheduleText, Spec, SyntaxError, When as SyntaxWhen};
use syn::LitStr;

use crate::ctxt::Ctxt;

/// When a schedule fires, as the attribute says it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// By the wall clock; `zoned` where the text itself names a zone.
    Cron { zoned: bool },
    /// Whenever a time has passed.
    Every,
    /// Whenever a time has passed since the end of the last run.
    Delay,
    /// As a schedule in the config says.
    Named,
}

/// `schedule = "…"`.
pub(crate) fn schedule(cx: &Ctxt, literal: &LitStr) -> Option<When> {
    let text = literal.value();
    match ScheduleText::parse(&text) {
        Ok(ScheduleText::Spec(spec)) => Some(match spec.when() {
            SyntaxWhen::Every(_) => When::Every,
            _ => When::Cron { zoned: spec.zone().is_some() },
        }),
        Ok(_) => Some(When::Named),
        Err(_) if jobs_syntax::parse_interval(&text).is_ok() => {
            cx.error(literal, format_args!("`{text}` is an interval\nhelp: write `every = \"{text}\"`"));
            None
        }
        Err(error) => {
            let what =
                if text.trim_start().starts_with("cron.") { "name of a schedule" } else { "cron spec" };
            report(cx, literal, what, &error);
            None
        }
    }
}

/// `every = "…"`.
pub(crate) fn every(cx: &Ctxt, literal: &LitStr) -> Option<When> {
    interval(cx, literal, "every").map(|_| When::Every)
}

/// `fixed_delay = "…"`.
pub(crate) fn fixed_delay(cx: &Ctxt, literal: &LitStr) -> Option<When> {
    interval(cx, literal, "fixed_delay").map(|_| When::Delay)
}

fn interval(cx: &Ctxt, literal: &LitStr, key: &str) -> Option<Duration> {
    let text = literal.value();
    let error = match jobs_syntax::parse_interval(&text) {
        Ok(interval) => return Some(interval),
        Err(error) => error,
    };
    match (ScheduleText::parse(&text), text.trim().strip_prefix("@every ")) {
        (Ok(_), Some(interval)) => {
            let interval = interval.trim();
            cx.error(
                literal,
                format_args!("`@every` stands in a `schedule` only\nhelp: write `{key} = \"{interval}\"`"),
            );
        }
        (Ok(schedule), None) => {
            let what = match schedule {
                ScheduleText::Named(_) => "the name of a schedule",
                ScheduleText::Spec(_) => "a cron spec",
            };
            cx.error(
                literal,
                format_args!("`{text}` is {what}, not an interval\nhelp: write `schedule = \"{text}\"`"),
            );
        }
        (Err(_), _) if key == "every" => report(cx, literal, "interval", &error),
        (Err(_), _) => report(cx, literal, "delay", &error),
    }
    None
}

/// `jitter = "…"`.
pub(crate) fn jitter(cx: &Ctxt, literal: &LitStr) -> Option<Duration> {
    parsed(cx, literal, "jitter", jobs_syntax::parse_duration(&literal.value()))
}

/// `missed = "…"`.
pub(crate) fn missed(cx: &Ctxt, literal: &LitStr) -> Option<Missed> {
    let parsed = Missed::parse(&literal.value());
    parsed.map_err(|error| cx.error(literal, error.render(&literal.value()))).ok()
}

/// `tz = "…"`.
pub(crate) fn zone(cx: &Ctxt, literal: &LitStr) -> Option<()> {
    accept(cx, literal, "time zone", jobs_syntax::parse_zone_name(&literal.value()))
}

/// `key = "…"`.
pub(crate) fn schedule_key(cx: &Ctxt, literal: &LitStr) -> Option<()> {
    accept(cx, literal, "key of a schedule", jobs_syntax::check_schedule_key(&literal.value()))
}

/// `name = "…"` and `aliases = ["…"]`.
pub(crate) fn job_name(cx: &Ctxt, literal: &LitStr) -> Option<()> {
    accept(cx, literal, "name of a job", jobs_syntax::check_job_name(&literal.value()))
}

/// `queue = "…"`.
pub(crate) fn queue_name(cx: &Ctxt, literal: &LitStr) -> Option<()> {
    accept(cx, literal, "name of a queue", jobs_syntax::check_queue_name(&literal.value()))
}

/// `overlap = "…"`.
pub(crate) fn overlap(cx: &Ctxt, literal: &LitStr) -> Option<Overlap> {
    let parsed = Overlap::parse(&literal.value());
    parsed.map_err(|error| cx.error(literal, error.render(&literal.value()))).ok()
}

/// What to write for a text that stands in the attribute without a key.
pub(crate) fn without_key(literal: &LitStr) -> String {
    let text = literal.value();
    let key = if jobs_syntax::parse_interval(&text).is_ok() {
        "every"
    } else if Spec::parse(&text).is_ok() || text.contains(' ') || text.starts_with(['@', 'c']) {
        "schedule"
    } else if text.contains('/') {
        "tz"
    } else {
        "name"
    };
    format!("a text needs its key\nhelp: write `{key} = {}`", literal.token())
}

fn accept<T>(cx: &Ctxt, literal: &LitStr, what: &str, parsed: Result<T, SyntaxError>) -> Option<()> {
    self::parsed(cx, literal, what, parsed).map(drop)
}

/// What a text was parsed to; a mistake is reported.
pub(crate) fn parsed<T>(
    cx: &Ctxt,
    literal: &LitStr,
    what: &str,
    parsed: Result<T, SyntaxError>,
) -> Option<T> {
    parsed.map_err(|error| report(cx, literal, what, &error)).ok()
}

fn report(cx: &Ctxt, literal: &LitStr, what: &str, error: &SyntaxError) {
    cx.error(literal, format_args!("invalid {what}: {}", error.render(&literal.value())));
}

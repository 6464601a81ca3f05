//! The span of an attempt.

use std::fmt::Display;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use tracing::Span;
use tracing::field::Empty;
use tracing::level_filters::LevelFilter;

/// The attempt that a span is of.
pub(crate) struct Of<'a> {
    pub(crate) job: &'a str,
    pub(crate) queue: &'a str,
    pub(crate) run: &'a dyn Display,
    pub(crate) attempt: u32,
    pub(crate) of: u32,
}

/// Whether anybody may be interested in spans: one atomic load.
pub(crate) fn is_wanted() -> bool {
    LevelFilter::current() >= LevelFilter::INFO
}

/// The span of an attempt, with the nominal time of its slot, how long after it the attempt started, and how long the
/// run could have started and did not. Those are asked for only where somebody is interested in the span; else it
/// costs next to nothing.
pub(crate) fn attempt(
    Of { job, queue, run, attempt, of }: Of<'_>,
    slot: impl Fn() -> Option<(DateTime<Utc>, Duration)>,
    waited: impl Fn() -> Duration,
) -> Span {
    tracing::info_span!(
        target: "jobs",
        "job",
        job,
        queue,
        %run,
        attempt,
        of,
        slot = slot().map(|(slot, _)| display(slot.to_rfc3339_opts(SecondsFormat::AutoSi, true))),
        late_ms = slot().map(|(_, late)| millis(late)),
        waited_ms = millis(waited()),
        outcome = Empty,
    )
}

/// The attempt is over.
pub(crate) fn ended(span: Span, outcome: &str) {
    span.record("outcome", outcome);
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

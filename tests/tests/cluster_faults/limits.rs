//! How many attempts there were at once, and how long after another, by what the jobs wrote. An attempt that was taken from a
//! process which was hit counts until that: it may have been stopped in the middle, and go on when somebody else has the run.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgPool;

use super::diary::{Attempt, Written};
use super::program::BACKOFF;
use super::verdict::Taken;

/// The least from the end of a run of the job to its next slot: its delay, less the half second for which a transaction that arms
/// the slot may have waited for the job before it saw the end. It counts from its own beginning.
const FIXED_DELAY: TimeDelta = TimeDelta::milliseconds(500);

pub(crate) async fn check(pool: &PgPool, written: &Written, taken: &Taken<'_>) {
    let at_once = [("queued", 1), ("delayed", 1), ("three", 3)]
        .map(|(job, most)| (job, at_once(job, &spans(job, written, taken), most)));
    // Without this nothing was tried.
    assert_eq!(at_once[2].1, 3, "there were never three at once");
    let backoff = backoffs_pass(written, taken);
    let delay = delays_pass(pool, written, taken).await;
    let of_hit = |(job, _)| {
        let attempts = written.of(job);
        attempts.filter(|(run, number, by)| taken.by_hit(run, *number, by.process).is_some()).count()
    };
    let of_hit = at_once.map(of_hit);
    println!(
        "at once: {at_once:?}; taken from those that were hit: {of_hit:?}; least waits of a second attempt {} ms, of a delay {} ms",
        backoff.num_milliseconds(),
        delay.num_milliseconds()
    );
}

/// An attempt, for as long as nobody else may count it out.
#[derive(Debug)]
#[allow(dead_code, reason = "a message tells the rest")]
struct Span<'a> {
    run: &'a str,
    attempt: i32,
    process: u32,
    begun: DateTime<Utc>,
    until: DateTime<Utc>,
}

fn spans<'a>(job: &str, written: &'a Written, taken: &Taken<'_>) -> Vec<Span<'a>> {
    let span = |(run, number, attempt): (&'a str, i32, &Attempt)| {
        let hit = taken.by_hit(run, number, attempt.process);
        let until = match (attempt.ended, hit) {
            (Some(ended), Some(hit)) => ended.min(hit),
            (ended, hit) => ended.or(hit).unwrap_or_else(|| {
                panic!(
                    "attempt {number} of {job} {run} has not ended, and its process was not hit: {attempt:?}"
                )
            }),
        };
        Span { run, attempt: number, process: attempt.process, begun: attempt.begun, until }
    };
    let mut spans: Vec<_> = written.of(job).map(span).filter(|span| span.begun < span.until).collect();
    spans.sort_by_key(|span| span.begun);
    spans
}

/// The most that there were at once, which are not more than `most`.
fn at_once(job: &str, spans: &[Span<'_>], most: usize) -> usize {
    let (mut live, mut found) = (Vec::<&Span<'_>>::new(), 0);
    for span in spans {
        live.retain(|other| other.until > span.begun);
        live.push(span);
        assert!(live.len() <= most, "of {job} there were at once: {live:#?}");
        found = found.max(live.len());
    }
    found
}

/// What has failed is tried again, and not before its backoff has passed. The least wait.
fn backoffs_pass(written: &Written, taken: &Taken<'_>) -> TimeDelta {
    let mut waits = Vec::new();
    for (run, number, attempt) in written.of("flaky").filter(|(.., attempt)| attempt.has_failed) {
        // It may have failed after somebody else had it.
        if taken.by_hit(run, number, attempt.process).is_some() {
            continue;
        }
        // Some are claimed, and not begun, by a process that is hit.
        let next = written.runs[run].range(number + 1..).next();
        let (_, next) =
            next.unwrap_or_else(|| panic!("attempt {number} of {run} has failed, and no other came"));
        let wait = next.begun - attempt.ended.expect("it has failed");
        assert!(wait >= BACKOFF, "{run} was tried again after {wait}: {attempt:?}, {next:?}");
        waits.push(wait);
    }
    assert!(waits.len() > 10, "only {} have failed", waits.len());
    waits.into_iter().min().expect("there are some")
}

/// The next slot of a fixed delay is so long after the end of the run before. The least wait.
async fn delays_pass(pool: &PgPool, written: &Written, taken: &Taken<'_>) -> TimeDelta {
    let slots: Vec<(String, DateTime<Utc>)> =
        sqlx::query_as("select id::text, slot from jobs.run where job = 'delayed' order by slot")
            .fetch_all(pool)
            .await
            .unwrap();
    let mut least = TimeDelta::MAX;
    for pair in slots.windows(2) {
        let [(run, _), (next, slot)] = pair else { unreachable!("they are two") };
        let (number, last) = written.runs[run].last_key_value().expect("it was begun");
        if taken.by_hit(run, *number, last.process).is_some() {
            continue;
        }
        let wait = *slot - last.ended.expect("it has ended");
        assert!(wait >= FIXED_DELAY, "the slot of {next} is {wait} after the end of {run}: {last:?}");
        least = least.min(wait);
    }
    least
}

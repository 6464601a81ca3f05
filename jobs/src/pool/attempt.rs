//! One attempt of a run: polled with its panics caught, and dropped when it is to be stopped.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use tokio::task::coop;
use tracing::Span;

use crate::clock::Timestamp;
use crate::hooks::{self, AttemptHooks, Next};
use crate::job::attempt::{MESSAGE, Trace};
use crate::job::body::{Attempt, Body};
use crate::job::context::{JobContext, Surroundings};
use crate::job::name::JobName;
use crate::job::run::{Outcome, RunId};
use crate::job::signals::{Cancellation, Signals};
use crate::job::text::cut;
use crate::store::memory::{Claim, RunKey};
use crate::telemetry::panics::Panic;
use crate::telemetry::{self, panics};
use crate::{BoxError, JobResult};

/// An attempt that is over.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) key: RunKey,
    pub(super) outcome: Outcome,
    pub(super) failure: Option<Box<Failure>>,
    /// The work, where it was kept and does not lie on the desk.
    pub(super) body: Option<Body>,
}

/// What there is to say and to do about an attempt that failed.
#[derive(Debug)]
pub(super) struct Failure {
    job: JobName,
    id: RunId,
    slot: Option<Timestamp>,
    started: Timestamp,
    attempt: u32,
    of: u32,
    what: What,
    /// What is kept of it, with what the job said is to follow.
    pub(super) trace: Option<Box<Trace>>,
}

/// What follows a failure.
pub(super) enum Follows {
    Retry(Duration),
    Discarded(String),
    Nothing,
}

impl Follows {
    /// As the program is told of it.
    fn told(&self, now: Timestamp) -> hooks::Follows {
        match self {
            Self::Retry(wait) => hooks::Follows::Retry { at: now.saturating_add(*wait).to_chrono() },
            Self::Discarded(reason) => hooks::Follows::Discarded { reason: reason.clone() },
            Self::Nothing => hooks::Follows::Dead,
        }
    }
}

#[derive(Debug)]
enum What {
    /// The error itself only where somebody is to be told of it.
    Error(String, Option<BoxError>),
    Panic(Panic),
    TimedOut(Duration),
}

impl Failure {
    /// Writes the failure to the log.
    pub(super) fn log(&self, follows: &Follows) {
        let Self { job, id, attempt, of, what, .. } = self;
        let retry_in = if let Follows::Retry(wait) = follows { Some(*wait) } else { None };
        let attempt = telemetry::Attempt { job, run: id, attempt: *attempt, of: *of, retry_in };
        match what {
            What::Error(message, _) if matches!(follows, Follows::Discarded(_)) => {
                telemetry::discarded(&attempt, message)
            }
            What::Error(message, _) => telemetry::failed(&attempt, message),
            What::Panic(panic) => telemetry::panicked(&attempt, panic),
            What::TimedOut(after) => telemetry::timed_out(&attempt, *after),
        }
    }

    #[cfg(feature = "metrics")]
    pub(super) fn count(&self, follows: &Follows, now: Timestamp) {
        hooks::metrics::failed(&self.job, &follows.told(now));
    }

    /// Tells the program of the failure.
    pub(super) fn report(self, hooks: &AttemptHooks, follows: &Follows, now: Timestamp) {
        let Self { job, id, slot, started, attempt, of, what, .. } = self;
        let (outcome, error, panic) = match what {
            What::Error(message, error) => (Outcome::Failed(message), error, None),
            What::Panic(panic) => (Outcome::Panicked(panic.message.clone()), None, Some(panic)),
            What::TimedOut(after) => (Outcome::TimedOut(after), None, None),
        };
        let follows = follows.told(now);
        let run = id;
        let failure = hooks::Failure {
            job,
            run,
            slot,
            attempt,
            of,
            started,
            failed: now,
            outcome,
            error,
            panic,
            follows,
        };
        for on_failure in hooks.on_failure.iter() {
            if let Err(panic) = panics::catch(|| on_failure(&failure)) {
                let _ = panics::catch(|| telemetry::hook_panicked("on_failure", &failure.job, &panic));
            }
        }
        // The error is a value of the user's.
        let _ = panics::catch(|| drop(failure));
    }
}

/// Makes one attempt of the run that was claimed, if one was. What it is kept by for another is in `kept` meanwhile, or on
/// the worker's desk: should the worker die, it is there.
pub(super) async fn execute(
    claim: &mut Option<Claim>,
    surroundings: &Arc<Surroundings>,
    hooks: &AttemptHooks,
    kept: &mut Option<Body>,
) -> Option<Over> {
    let Claim { key, id, job, queue, slot, started, available, body, blocking, attempt, retries, timeout } =
        claim.take()?;
    let of = retries.saturating_add(1);
    let span = span_of(&job, &queue, id, attempt, of, slot.map(|slot| slot.at), started, available);
    #[cfg(feature = "metrics")]
    {
        let late = slot.filter(|_| attempt == 1).map(|slot| started.since(slot.at));
        hooks::metrics::started(&job, &queue, started.since(available), late);
    }
    let cx = JobContext {
        id,
        job: job.clone(),
        queue: queue.clone(),
        attempt,
        slot,
        started,
        turn: surroundings.signals.turn(),
        surroundings: Arc::clone(surroundings),
    };
    // Also where it is not tried again: should the worker die, that is no attempt.
    let body = kept.insert(body);
    let begun = catch_in(&span, || match &hooks.middleware {
        none if none.is_empty() => body.start_keeping(cx),
        layers => Next::new(layers, body.copy()).start(cx),
    });
    #[cfg(feature = "testing")]
    let begun = begun.map(|attempt| with_fault(attempt, &job, surroundings));
    let end = match begun {
        Ok(attempt) => drive(attempt, &span, &surroundings.signals, blocking, timeout, kept).await,
        Err(panic) => End::Panicked(Box::new(panic)),
    };
    let (outcome, fault) = match end {
        End::Returned(Ok(())) => (Outcome::Succeeded, None),
        end => fault_of(end, surroundings, hooks),
    };
    #[cfg(feature = "metrics")]
    hooks::metrics::ended(&job, &outcome, surroundings.clock.now().wall.since(started));
    if !span.is_disabled() {
        // Whoever is interested in it is code of the program's.
        let _ = panics::catch(|| telemetry::span::ended(span, outcome.as_str()));
    }
    let failure = fault.map(|fault| {
        let Fault { what, trace } = *fault;
        let slot = slot.map(|slot| slot.at);
        Box::new(Failure { job, id, slot, started, attempt, of, what, trace: Some(trace) })
    });
    Some(Over { key, outcome, failure, body: kept.take() })
}

/// What there is to say of an attempt that failed.
struct Fault {
    what: What,
    trace: Box<Trace>,
}

/// What an attempt has come to that did not succeed.
#[cold]
fn fault_of(end: End, surroundings: &Surroundings, hooks: &AttemptHooks) -> (Outcome, Option<Box<Fault>>) {
    let fault = |what, trace: Trace| Some(Box::new(Fault { what, trace: Box::new(trace) }));
    match end {
        End::Returned(Ok(())) => (Outcome::Succeeded, None),
        End::Returned(Err(error)) => {
            let (message, errors, error) = chain(error, !hooks.on_failure.is_empty());
            let mut trace = Trace::of_errors(errors);
            trace.said = surroundings.signals.steering.take(surroundings.signals.turn());
            (Outcome::Failed(message.clone()), fault(What::Error(message, error), trace))
        }
        End::Panicked(panic) => {
            let mut panic = *panic;
            panic.message = cut(panic.message, MESSAGE);
            let backtrace = panic.backtrace.as_ref().map(ToString::to_string);
            let trace = Trace::of_panic(panic.location.clone(), backtrace);
            (Outcome::Panicked(panic.message.clone()), fault(What::Panic(panic), trace))
        }
        End::TimedOut(after) => (Outcome::TimedOut(after), fault(What::TimedOut(after), Trace::default())),
        End::Stopped(Cancellation::Interrupted) => (Outcome::Interrupted, None),
        End::Stopped(_) => (Outcome::Cancelled, None),
    }
}

/// The attempt with the fault that a test has ordered for it.
#[cfg(feature = "testing")]
fn with_fault(attempt: Attempt, job: &JobName, surroundings: &Surroundings) -> Attempt {
    match surroundings.probe.as_ref().and_then(|probe| probe.fault_of(job)) {
        Some(fault) => fault.strike(attempt),
        None => attempt,
    }
}

#[expect(clippy::too_many_arguments, reason = "they are the attempt")]
fn span_of(
    job: &str,
    queue: &str,
    run: RunId,
    attempt: u32,
    of: u32,
    slot: Option<Timestamp>,
    started: Timestamp,
    available: Timestamp,
) -> Span {
    if !telemetry::span::is_wanted() {
        return Span::none();
    }
    let late = || slot.map(|slot| (slot.to_chrono(), started.since(slot)));
    let waited = || started.since(available);
    let of = telemetry::span::Of { job, queue, run: &run, attempt, of };
    // Whoever is interested in it is code of the program's.
    panics::catch(|| telemetry::span::attempt(of, late, waited)).unwrap_or_else(|_| Span::none())
}

/// Calls code of the user inside the span of the attempt.
fn catch_in<R>(span: &Span, f: impl FnOnce() -> R) -> Result<R, Panic> {
    // Most programs have none, and to enter and leave it would cost each attempt three times.
    if span.is_disabled() { panics::catch(f) } else { panics::catch(|| span.in_scope(f)) }
}

enum End {
    Returned(JobResult),
    Panicked(Box<Panic>),
    TimedOut(Duration),
    Stopped(Cancellation),
}

async fn drive(
    attempt: Attempt,
    span: &Span,
    signals: &Signals,
    blocking: bool,
    timeout: Option<Duration>,
    kept: &mut Option<Body>,
) -> End {
    let turn = signals.turn();
    let mut attempt = Some(attempt);
    // Most attempts have no timer, and none of its size. It asks for no share of what tokio lets a task do at a time: a
    // job that always finds something to do leaves nothing of that.
    let mut timer =
        timeout.map(|timeout| (timeout, Box::pin(coop::unconstrained(tokio::time::sleep(timeout)))));
    let mut timed_out = None;
    let end = poll_fn(|cx| {
        // A plain function that has begun goes on whatever happens to the future that waits for it. One that has not, and
        // waits for a thread, will not when it was told to stop.
        if let Some(why) = signals.cancellation().filter(|_| !blocking || !signals.has_begun()) {
            return Poll::Ready(End::Stopped(why));
        }
        let mut returned = None;
        let polled = catch_in(span, || {
            let future = attempt.as_mut().expect("invariant: not polled after its end");
            if let Poll::Ready(result) = future.as_mut().poll(cx) {
                returned = Some(result);
                // What the job holds is dropped, which is code of its own, and a panic in that is one of the job.
                attempt = None;
            }
        });
        let returned = match (polled, returned) {
            // Most end so.
            (Ok(()), Some(Ok(()))) if timed_out.is_none() => return Poll::Ready(End::Returned(Ok(()))),
            (Ok(()), result) => result.map(End::Returned),
            (Err(panic), result) => {
                let _ = panics::catch(|| drop(result));
                match signals.cancellation() {
                    Some(why) if panic.not_begun => Some(End::Stopped(why)),
                    _ => Some(End::Panicked(Box::new(panic))),
                }
            }
        };
        if let Some(end) = returned {
            let Some(after) = timed_out else { return Poll::Ready(end) };
            // What it came to after its time does not count; dropping it is code of the user.
            let _ = panics::catch(|| drop(end));
            return Poll::Ready(End::TimedOut(after));
        }
        if let Some((timeout, sleep)) = &mut timer
            && sleep.as_mut().poll(cx).is_ready()
        {
            // An async job learns of it as well: what it holds may ask while it is dropped.
            if signals.stop(Cancellation::TimedOut) {
                signals.tell();
            }
            if !blocking || !signals.has_begun() {
                return Poll::Ready(End::TimedOut(*timeout));
            }
            timed_out = Some(*timeout);
            timer = None;
        }
        if let Some(body) = kept.take() {
            // It takes its time, and somebody may want to know what it was given.
            signals.lay(turn, |laid| laid.body = Some(body));
        }
        Poll::Pending
    })
    .await;
    if attempt.is_some() {
        // It was stopped, or has panicked. That is what happened to it, whatever its drop does.
        let _ = catch_in(span, || drop(attempt.take()));
    }
    end
}

/// The message of an error and of its sources, together and one by one. The error is used up unless it is to be kept,
/// for its drop is code of the user as well.
fn chain(error: BoxError, keep: bool) -> (String, Vec<String>, Option<BoxError>) {
    // An endless chain is somebody's bug, and so is one that nobody reads.
    const MOST: usize = 100;
    // An error type's own code may panic too; it must not take the worker with it.
    let texts = panics::catch(move || {
        let mut text = cut(error.to_string(), MESSAGE);
        let mut errors = vec![text.clone()];
        let mut source = error.source();
        while let Some(cause) = source.filter(|_| errors.len() < MOST) {
            let cause_text = cut(cause.to_string(), MESSAGE);
            // Many errors already end with the text of their source.
            if !text.ends_with(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            errors.push(cause_text);
            source = cause.source();
        }
        (cut(text, MESSAGE), errors, keep.then_some(error))
    });
    texts.unwrap_or_else(|_| {
        let text = "an error that panics when it is shown or dropped".to_owned();
        (text.clone(), vec![text], None)
    })
}

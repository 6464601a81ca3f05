//! One attempt of a run: polled with its panics caught, and dropped when it is to be stopped.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::coop;
use tracing::Span;

use super::failure::{Failure, What};
#[cfg(feature = "metrics")]
use crate::hooks;
use crate::hooks::{AttemptHooks, Next};
use crate::job::attempt::{MESSAGE, Trace};
use crate::job::body::{Attempt, Body};
#[cfg(feature = "postgres")]
use crate::job::call::Returning;
use crate::job::context::{JobContext, Surroundings};
use crate::job::run::Outcome;
use crate::job::signals::Cancellation;
use crate::job::text::cut;
use crate::store::memory::{Claim, RunKey};
use crate::telemetry::panics::Panic;
use crate::telemetry::{self, panics};
use crate::{BoxError, JobResult};

/// An attempt that is over.
#[derive(Debug)]
pub(super) struct Over {
    pub(super) key: RunKey,
    /// None when it has succeeded, as most do: every attempt hands this on from step to step.
    pub(super) fault: Option<Box<Fault>>,
    /// The work, where it was kept and does not lie on the desk.
    pub(super) body: Option<Body>,
}

impl Over {
    /// An attempt that was cut off.
    pub(super) fn cut_off(key: RunKey, body: Option<Body>) -> Self {
        let fault = Fault { outcome: Outcome::Interrupted, failure: None };
        Self { key, fault: Some(Box::new(fault)), body }
    }

    /// Whether there is a failure to tell of.
    pub(super) fn has_failed(&self) -> bool {
        self.fault.as_ref().is_some_and(|fault| fault.failure.is_some())
    }
}

/// What an attempt has come to that did not succeed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) outcome: Outcome,
    /// Where it was the attempt that failed, and not somebody who has stopped it.
    pub(super) failure: Option<Box<Failure>>,
}

/// Makes one attempt of the run that was claimed, if one was. What it is kept by for another is in `kept` meanwhile, or on
/// the worker's desk: should the worker die, it is there.
// The claim stays where it is, and what is needed of it is read there: moved into the future, it would be copied twice.
pub(super) async fn execute(
    claim: &mut Option<Claim>,
    surroundings: &Arc<Surroundings>,
    hooks: &AttemptHooks,
    kept: &mut Option<Body>,
) -> Option<Over> {
    let claim = claim.as_mut()?;
    *kept = claim.body.take();
    let span = span_of(claim);
    #[cfg(feature = "metrics")]
    {
        let late = claim.slot.filter(|_| claim.attempt == 1).map(|slot| claim.started.since(slot.at));
        hooks::metrics::started(&claim.job, &claim.queue, claim.started.since(claim.available), late);
    }
    let end = Trying { claim, surroundings, hooks, span: &span, kept, stage: Stage::Claimed }.run().await;
    let fault = ended(end, claim, surroundings, hooks, span);
    Some(Over { key: claim.key, fault, body: kept.take() })
}

/// Tells what an attempt has come to, and answers it where it did not succeed.
#[inline]
fn ended(
    end: End,
    claim: &Claim,
    surroundings: &Surroundings,
    hooks: &AttemptHooks,
    span: Span,
) -> Option<Box<Fault>> {
    let fault = match end {
        End::Returned(Ok(())) => None,
        end => Some(fault_of(end, claim, surroundings, hooks)),
    };
    #[cfg(feature = "metrics")]
    {
        let outcome = fault.as_ref().map_or(&Outcome::Succeeded, |fault| &fault.outcome);
        hooks::metrics::ended(&claim.job, outcome, surroundings.clock.now().wall.since(claim.started));
    }
    if !span.is_disabled() {
        let outcome = fault.as_ref().map_or(Outcome::Succeeded.as_str(), |fault| fault.outcome.as_str());
        // Whoever is interested in it is code of the program's.
        let _ = panics::catch(|| telemetry::span::ended(span, outcome));
    }
    fault
}

/// What a plain function has come to whose attempt was dropped. Layers around it were dropped as well, and nobody knows what
/// they would have made of it: then it was cut off.
#[cfg(feature = "postgres")]
pub(super) fn returned_late(
    returning: Returning,
    claim: &Claim,
    surroundings: &Surroundings,
    hooks: &AttemptHooks,
    was_late: bool,
    span: Span,
) -> Over {
    let end = match (claim.timeout.filter(|_| was_late), returning) {
        (None, Ok(result)) if hooks.middleware.is_empty() => End::Returned(result),
        (None, Err(panic)) if hooks.middleware.is_empty() => End::Panicked(panic),
        (timed_out, returning) => {
            // What the user's is drops as it likes.
            let _ = panics::catch(|| drop(returning));
            timed_out.map_or(End::Stopped(Cancellation::Interrupted), End::TimedOut)
        }
    };
    let fault = ended(end, claim, surroundings, hooks, span);
    Over { key: claim.key, fault, body: None }
}

/// What an attempt has come to that did not succeed.
#[cold]
fn fault_of(end: End, claim: &Claim, surroundings: &Surroundings, hooks: &AttemptHooks) -> Box<Fault> {
    let (outcome, what, trace) = match end {
        End::Returned(Ok(())) => return Box::new(Fault { outcome: Outcome::Succeeded, failure: None }),
        End::Returned(Err(error)) => {
            let (message, errors, error) = chain(error, !hooks.on_failure.is_empty());
            let mut trace = Trace::of_errors(errors);
            trace.said = surroundings.signals.steering.take(surroundings.signals.turn());
            (Outcome::Failed(message.clone()), What::Error(message, error), trace)
        }
        End::Panicked(panic) => {
            let mut panic = *panic;
            panic.message = cut(panic.message, MESSAGE);
            let backtrace = panic.backtrace.as_ref().map(ToString::to_string);
            let trace = Trace::of_panic(panic.location.clone(), backtrace);
            (Outcome::Panicked(panic.message.clone()), What::Panic(panic), trace)
        }
        End::TimedOut(after) => (Outcome::TimedOut(after), What::TimedOut(after), Trace::default()),
        End::Stopped(why) => {
            let outcome = match why {
                Cancellation::Interrupted => Outcome::Interrupted,
                Cancellation::Cancelled | Cancellation::TimedOut => Outcome::Cancelled,
            };
            return Box::new(Fault { outcome, failure: None });
        }
    };
    let failure = Failure {
        job: claim.job.clone(),
        id: claim.id,
        slot: claim.slot.map(|slot| slot.at),
        started: claim.started,
        attempt: claim.attempt,
        of: claim.of(),
        what,
        trace: Some(Box::new(trace)),
    };
    Box::new(Fault { outcome, failure: Some(Box::new(failure)) })
}

fn span_of(claim: &Claim) -> Span {
    if !telemetry::span::is_wanted() {
        return Span::none();
    }
    let Claim { id, job, queue, slot, started, available, attempt, .. } = claim;
    let late = || slot.map(|slot| (slot.at.to_chrono(), started.since(slot.at)));
    let waited = || started.since(*available);
    let of = telemetry::span::Of { job, queue, run: id, attempt: *attempt, of: claim.of() };
    // Whoever is interested in it is code of the program's.
    panics::catch(|| telemetry::span::attempt(of, late, waited)).unwrap_or_else(|_| Span::none())
}

/// Calls code of the user inside the span of the attempt.
#[inline]
fn catch_in<R>(span: &Span, f: impl FnOnce() -> R) -> Result<R, Box<Panic>> {
    // Most programs have none, and to enter and leave it would cost each attempt three times.
    if span.is_disabled() { panics::catch(f) } else { panics::catch(|| span.in_scope(f)) }
}

enum End {
    Returned(JobResult),
    Panicked(Box<Panic>),
    TimedOut(Duration),
    Stopped(Cancellation),
}

/// An attempt that is made.
struct Trying<'a> {
    /// Nobody else reads it meanwhile, as the work that it may hold is not to be shared between threads.
    claim: &'a mut Claim,
    surroundings: &'a Arc<Surroundings>,
    hooks: &'a AttemptHooks,
    span: &'a Span,
    kept: &'a mut Option<Body>,
    stage: Stage,
}

/// How far it is.
enum Stage {
    /// No code of the job was called.
    Claimed,
    Begun(Attempt),
    Over,
}

impl Trying<'_> {
    async fn run(mut self) -> End {
        // Most attempts have no timer, and none of its size. It asks for no share of what tokio lets a task do at a time: a
        // job that always finds something to do leaves nothing of that.
        let mut timer = self
            .claim
            .timeout
            .map(|timeout| (timeout, Box::pin(coop::unconstrained(tokio::time::sleep(timeout)))));
        let mut timed_out = None;
        let end = poll_fn(|cx| self.poll(cx, &mut timer, &mut timed_out)).await;
        if let Stage::Begun(attempt) = std::mem::replace(&mut self.stage, Stage::Over) {
            // It was stopped, or has panicked. That is what happened to it, whatever its drop does.
            let _ = catch_in(self.span, || drop(attempt));
        }
        end
    }

    #[inline]
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        timer: &mut Option<(Duration, Timer)>,
        timed_out: &mut Option<Duration>,
    ) -> Poll<End> {
        let signals = &self.surroundings.signals;
        let blocking = self.claim.blocking;
        // A plain function that has begun goes on whatever happens to the future that waits for it. One that has not, and
        // waits for a thread, will not when it was told to stop.
        if let Some(why) = signals.cancellation().filter(|_| !blocking || !signals.has_begun()) {
            return Poll::Ready(End::Stopped(why));
        }
        #[cfg(feature = "testing")]
        if matches!(self.stage, Stage::Claimed)
            && let Err(panic) = self.begin_with_fault()
        {
            return Poll::Ready(End::Panicked(panic));
        }
        let mut returned = None;
        // It begins and goes on under one guard against panics, for most attempts are over when they are first polled.
        let polled = catch_in(self.span, || {
            if matches!(self.stage, Stage::Claimed) {
                self.stage = Stage::Begun(begin(self.claim, self.surroundings, self.hooks, self.kept));
            }
            let Stage::Begun(future) = &mut self.stage else { unreachable!("not polled after its end") };
            if let Poll::Ready(result) = future.as_mut().poll(cx) {
                returned = Some(result);
                // What the job holds is dropped, which is code of its own, and a panic in that is one of the job.
                self.stage = Stage::Over;
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
                    _ => Some(End::Panicked(panic)),
                }
            }
        };
        if let Some(end) = returned {
            let Some(after) = *timed_out else { return Poll::Ready(end) };
            // What it came to after its time does not count; dropping it is code of the user.
            let _ = panics::catch(|| drop(end));
            return Poll::Ready(End::TimedOut(after));
        }
        if let Some((timeout, sleep)) = timer
            && sleep.as_mut().poll(cx).is_ready()
        {
            // An async job learns of it as well: what it holds may ask while it is dropped.
            if signals.stop(Cancellation::TimedOut) {
                signals.tell();
            }
            if !blocking || !signals.has_begun() {
                return Poll::Ready(End::TimedOut(*timeout));
            }
            *timed_out = Some(*timeout);
            *timer = None;
        }
        if let Some(body) = self.kept.take() {
            // It takes its time, and somebody may want to know what it was given.
            signals.lay(signals.turn(), |laid| laid.body = Some(body));
        }
        Poll::Pending
    }
}

#[cfg(feature = "testing")]
impl Trying<'_> {
    /// Begins the attempt where a test has ordered a fault for it. That may be the death of the worker, so it strikes
    /// outside of the guard.
    fn begin_with_fault(&mut self) -> Result<(), Box<Panic>> {
        let probe = self.surroundings.probe.as_ref();
        if let Some(fault) = probe.and_then(|probe| probe.fault_of(&self.claim.job)) {
            let attempt =
                catch_in(self.span, || begin(self.claim, self.surroundings, self.hooks, self.kept))?;
            self.stage = Stage::Begun(fault.strike(attempt));
        }
        Ok(())
    }
}

/// The time that an attempt may take.
type Timer = Pin<Box<coop::Unconstrained<tokio::time::Sleep>>>;

/// Begins the work, which is kept also where it is not tried again: should the worker die, that is no attempt. This calls code
/// of the user, which may panic.
#[inline]
fn begin(
    claim: &Claim,
    surroundings: &Arc<Surroundings>,
    hooks: &AttemptHooks,
    kept: &Option<Body>,
) -> Attempt {
    let cx = JobContext {
        id: claim.id,
        job: claim.job.clone(),
        queue: claim.queue.clone(),
        attempt: claim.attempt,
        slot: claim.slot,
        started: claim.started,
        turn: surroundings.signals.turn(),
        surroundings: Arc::clone(surroundings),
    };
    let body = kept.as_ref().expect("invariant: what was claimed has its work");
    match &hooks.middleware {
        none if none.is_empty() => body.start_keeping(cx),
        layers => Next::new(layers, body.copy()).start(cx),
    }
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

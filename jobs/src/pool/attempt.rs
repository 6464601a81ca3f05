//! One attempt of a run: polled with its panics caught, and dropped when it is to be stopped.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::worker::{Cancellation, Signals};
use crate::job::body::Attempt;
use crate::job::context::{JobContext, Surroundings};
use crate::job::run::Outcome;
use crate::store::memory::Claim;
use crate::telemetry::{self, panics};
use crate::{BoxError, JobResult};

/// Executes a claimed run to its end.
pub(super) async fn execute(claim: Claim, signals: &Signals, surroundings: &Arc<Surroundings>) -> Outcome {
    let Claim { id, job, slot, started, body, blocking, .. } = claim;
    let cx = JobContext {
        id,
        job: job.clone(),
        attempt: 1,
        slot,
        started,
        surroundings: Arc::clone(surroundings),
    };
    let outcome = match panics::catch(|| body.start(cx)) {
        Ok(attempt) => drive(attempt, signals, blocking).await,
        Err(panic) => End::Panicked(panic),
    };
    match outcome {
        End::Returned(Ok(())) => Outcome::Succeeded,
        End::Returned(Err(error)) => {
            let message = chain(error);
            telemetry::failed(&job, &id, &message);
            Outcome::Failed(message)
        }
        End::Panicked(panic) => {
            telemetry::panicked(&job, &id, &panic);
            Outcome::Panicked(panic.message)
        }
        End::Stopped(Cancellation::Cancelled) => Outcome::Cancelled,
        End::Stopped(Cancellation::Interrupted) => Outcome::Interrupted,
    }
}

enum End {
    Returned(JobResult),
    Panicked(panics::Panic),
    Stopped(Cancellation),
}

async fn drive(attempt: Attempt, signals: &Signals, blocking: bool) -> End {
    let mut attempt = Some(attempt);
    let end = poll_fn(|cx| {
        let Some(future) = attempt.as_mut() else { unreachable!("invariant: not polled after its end") };
        // A plain function goes on whatever happens to the future that waits for it.
        if !blocking && let Some(why) = signals.cancellation() {
            return Poll::Ready(End::Stopped(why));
        }
        match panics::catch(|| future.as_mut().poll(cx)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(result)) => Poll::Ready(End::Returned(result)),
            Err(panic) => Poll::Ready(End::Panicked(panic)),
        }
    })
    .await;
    // Dropping what the job holds runs its code once more.
    match panics::catch(|| drop(attempt.take())) {
        Ok(()) => end,
        Err(panic) => End::Panicked(panic),
    }
}

/// The message of an error and of its sources. Uses the error up, for its drop is code of the user as well.
fn chain(error: BoxError) -> String {
    // An error type's own code may panic too; it must not take the worker with it.
    let text = panics::catch(move || {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            // Many errors already end with the text of their source.
            if !text.ends_with(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    });
    text.unwrap_or_else(|_| "an error that panics when it is shown or dropped".to_owned())
}

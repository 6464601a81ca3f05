//! What is counted and measured, by the facade `metrics`. The names stand in `telemetry.md`.
//!
//! A recorder is code of the program's: it is called outside of every lock, and its panic is caught.

use std::time::Duration;

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::event::Follows;
use crate::job::fate::Fate;
use crate::job::name::JobName;
use crate::job::run::Outcome;
use crate::telemetry::panics;

/// Tells the recorder what there will be.
pub(crate) fn describe() {
    #[cfg(feature = "prometheus")]
    super::prometheus::install();
    quietly(|| {
        describe_counter!("jobs_attempts_started_total", "attempts that have begun");
        describe_counter!("jobs_attempts_ended_total", "attempts that are over, by outcome");
        describe_counter!("jobs_failures_total", "attempts that failed, by what follows");
        describe_counter!("jobs_slots_total", "slots of schedules, by what became of them");
        describe_counter!("jobs_task_deaths_total", "tasks of jobs itself that died");
        describe_histogram!("jobs_attempt_duration_seconds", Unit::Seconds, "how long attempts took");
        describe_histogram!(
            "jobs_wait_seconds",
            Unit::Seconds,
            "how long runs could have started and did not"
        );
        describe_histogram!(
            "jobs_lateness_seconds",
            Unit::Seconds,
            "from the time of a slot to its first attempt"
        );
        describe_gauge!("jobs_pool_running", "runs that execute");
        describe_gauge!("jobs_pool_queued", "runs that could start and find no room");
    });
}

/// An attempt begins. `late` is that of the first attempt for a slot.
pub(crate) fn started(job: &JobName, queue: &JobName, waited: Duration, late: Option<Duration>) {
    quietly(|| {
        counter!("jobs_attempts_started_total", "job" => label(job)).increment(1);
        histogram!("jobs_wait_seconds", "job" => label(job), "queue" => label(queue)).record(waited);
        if let Some(late) = late {
            histogram!("jobs_lateness_seconds", "job" => label(job)).record(late);
        }
    });
}

/// An attempt is over.
pub(crate) fn ended(job: &JobName, outcome: &Outcome, took: Duration) {
    quietly(|| {
        let outcome = outcome.as_str();
        counter!("jobs_attempts_ended_total", "job" => label(job), "outcome" => outcome).increment(1);
        histogram!("jobs_attempt_duration_seconds", "job" => label(job)).record(took);
        #[cfg(feature = "prometheus")]
        super::prometheus::attempt_ended();
    });
}

/// An attempt has failed.
pub(crate) fn failed(job: &JobName, follows: &Follows) {
    let follows = match follows {
        Follows::Retry { .. } => "retry",
        Follows::Dead => "dead",
        Follows::Discarded { .. } => "discarded",
    };
    quietly(|| counter!("jobs_failures_total", "job" => label(job), "follows" => follows).increment(1));
}

/// Slots have come or passed.
pub(crate) fn slots(job: &str, fate: Fate, count: u64) {
    quietly(|| {
        counter!("jobs_slots_total", "job" => job.to_owned(), "fate" => fate.as_str()).increment(count);
    });
}

/// So full is the pool.
pub(crate) fn pool(running: usize, queued: usize) {
    quietly(|| {
        gauge!("jobs_pool_running").set(running as f64);
        gauge!("jobs_pool_queued").set(queued as f64);
    });
}

/// A task of ours has died.
pub(crate) fn task_died(task: &'static str) {
    quietly(|| counter!("jobs_task_deaths_total", "task" => task).increment(1));
}

fn label(job: &JobName) -> metrics::SharedString {
    match job {
        JobName::Static(name) => metrics::SharedString::const_str(name),
        JobName::Shared(name) => metrics::SharedString::from(std::sync::Arc::clone(name)),
    }
}

fn quietly(record: impl FnOnce()) {
    // Nobody's attempt is to fail for it.
    let _ = panics::catch(record);
}

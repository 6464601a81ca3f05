//! What the program says about itself while it runs.

pub(crate) mod panics;

use std::fmt::Display;

use panics::Panic;

/// A run came back with an error.
pub(crate) fn failed(job: &str, run: &dyn Display, error: &str) {
    tracing::error!(job, run = %run, error, "job failed");
}

/// A run panicked.
pub(crate) fn panicked(job: &str, run: &dyn Display, panic: &Panic) {
    let location = panic.location.as_deref().unwrap_or("unknown");
    let backtrace = panic.backtrace.as_ref().map(ToString::to_string).unwrap_or_default();
    tracing::error!(job, run = %run, panic = panic.message, location, backtrace, "job panicked");
}

/// The wall clock moved on its own.
pub(crate) fn clock_moved(nanos: i64, suspended: bool) {
    let seconds = nanos as f64 / 1e9;
    if suspended {
        tracing::warn!(seconds, "the machine was suspended");
    } else {
        tracing::warn!(seconds, "the clock was set; schedules follow it");
    }
}

/// Slots were noticed too late to fire.
pub(crate) fn missed(schedules: usize, slots: u64) {
    tracing::warn!(schedules, slots, "slots were missed: the machine slept, or the clock was set forward");
}

/// A task of ours panicked: a bug of `jobs`.
pub(crate) fn task_died(task: &str, panic: &Panic) {
    let location = panic.location.as_deref().unwrap_or("unknown");
    tracing::error!(task, panic = panic.message, location, "a task of jobs died and is started again");
}

/// Shutdown left something undone.
pub(crate) fn shut_down(interrupted: usize, still_running: usize, lost: usize) {
    if interrupted + still_running + lost > 0 {
        tracing::warn!(interrupted, still_running, lost, "shut down before everything was done");
    } else {
        tracing::info!("shut down");
    }
}

/// The runtime ended, and the instance with it.
pub(crate) fn runtime_gone() {
    tracing::warn!(
        "the tokio runtime ended before jobs was shut down; call `jobs.shutdown().await` at the end of `main`"
    );
}

/// The system does not let us listen for signals.
pub(crate) fn no_signals(error: &std::io::Error) {
    tracing::error!(%error, "cannot listen for signals: the program will not shut down by Ctrl-C or SIGTERM");
}

/// The config speaks of the status page, which this program does not serve.
pub(crate) fn no_page_yet(place: &dyn Display) {
    tracing::warn!(%place, "`jobs.acceptproxyaddress` is for the status page, which this version does not serve yet");
}

#![doc = include_str!("telemetry.md")]

pub(crate) mod panics;
pub(crate) mod span;

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::time::Duration;

use panics::Panic;

/// An attempt of a run that failed, in whatever way.
pub(crate) struct Attempt<'a> {
    pub(crate) job: &'a str,
    pub(crate) run: &'a dyn Display,
    /// Which attempt it was, from 1, and of how many.
    pub(crate) attempt: u32,
    pub(crate) of: u32,
    /// How long until the next; none after the last.
    pub(crate) retry_in: Option<Duration>,
}

/// An attempt came back with an error.
pub(crate) fn failed(attempt: &Attempt<'_>, error: &str) {
    let Attempt { job, run, attempt, of, retry_in } = attempt;
    match retry_in {
        Some(wait) => {
            tracing::warn!(job, %run, attempt, of, retry_in = ?wait, error, "job failed and is tried again");
        }
        None => tracing::error!(job, %run, attempt, of, error, "job failed"),
    }
}

/// An attempt panicked.
pub(crate) fn panicked(attempt: &Attempt<'_>, panic: &Panic) {
    let Attempt { job, run, attempt, of, retry_in } = attempt;
    let location = panic.location.as_deref().unwrap_or("unknown");
    let backtrace = panic.backtrace.as_ref().map(ToString::to_string).unwrap_or_default();
    let panic = panic.message.as_str();
    match retry_in {
        Some(wait) => tracing::warn!(
            job, %run, attempt, of, retry_in = ?wait, panic, location, backtrace, "job panicked and is tried again"
        ),
        None => tracing::error!(job, %run, attempt, of, panic, location, backtrace, "job panicked"),
    }
}

/// An attempt took longer than it may.
pub(crate) fn timed_out(attempt: &Attempt<'_>, after: Duration) {
    let Attempt { job, run, attempt, of, retry_in } = attempt;
    match retry_in {
        Some(wait) => {
            tracing::warn!(job, %run, attempt, of, retry_in = ?wait, ?after, "job timed out and is tried again");
        }
        None => tracing::error!(job, %run, attempt, of, ?after, "job timed out"),
    }
}

/// An attempt came back with an error, and said that the run is to be given up.
pub(crate) fn discarded(attempt: &Attempt<'_>, error: &str) {
    let Attempt { job, run, attempt, of, .. } = attempt;
    tracing::warn!(job, %run, attempt, of, error, "job failed and is discarded");
}

/// A function that the program has given panicked.
pub(crate) fn hook_panicked(hook: &str, job: &str, panic: &Panic) {
    let location = panic.location.as_deref().unwrap_or("unknown");
    tracing::error!(hook, job, panic = panic.message, location, "a function given to the config panicked");
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
pub(crate) fn missed(schedules: usize, slots: u64, made_up: u64) {
    tracing::warn!(
        schedules,
        slots,
        made_up,
        "slots were missed: the machine slept, or the clock was set forward"
    );
}

/// A task of ours panicked: a bug of `jobs`.
pub(crate) fn task_died(task: &str, panic: &Panic, restart_in: Duration) {
    let location = panic.location.as_deref().unwrap_or("unknown");
    tracing::error!(
        task,
        panic = panic.message,
        location,
        ?restart_in,
        "a task of jobs died and is replaced"
    );
}

/// Somebody has done something on the status page.
#[cfg(feature = "web")]
pub(crate) fn steered(who: &dyn Display, action: &str, what: &str) {
    tracing::info!(%who, action, what, "done from the status page");
}

/// Somebody has given so many wrong passwords that they have to wait.
#[cfg(feature = "web")]
pub(crate) fn guesses(address: std::net::IpAddr, wait: std::time::Duration) {
    tracing::warn!(%address, wait = wait.as_secs(), "wrong passwords for the status page");
}

/// A server of ours gave up.
#[cfg(feature = "web")]
pub(crate) fn server_ended(server: &str, error: &std::io::Error) {
    tracing::error!(server, %error, "a server of jobs ended");
}

/// Shutdown left something undone.
pub(crate) fn shut_down(interrupted: usize, still_running: usize, lost: usize, kept: usize) {
    if interrupted + still_running + lost > 0 {
        tracing::warn!(interrupted, still_running, lost, kept, "shut down before everything was done");
    } else if kept > 0 {
        tracing::info!(kept, "shut down; what waits goes on at the next start");
    } else {
        tracing::info!("shut down");
    }
}

/// A durable store has given back what the process before has left.
#[cfg(feature = "sqlite")]
pub(crate) fn resumed(path: &std::path::Path, live: usize, unknown: usize, clean: bool) {
    let path = path.display();
    if !clean {
        tracing::warn!(%path, live, "the process before has ended without a shutdown; what it had begun is begun again");
    } else if live > 0 {
        tracing::info!(%path, live, "goes on with the runs that the process before has left");
    }
    if unknown > 0 {
        tracing::warn!(%path, unknown, "runs of jobs that this program does not have wait for one that does");
    }
}

/// The server of a cluster was asked something, and did not answer.
#[cfg(feature = "postgres")]
pub(crate) fn not_answered(error: &str) {
    tracing::warn!(%error, "the store on PostgreSQL does not answer");
}

/// How the store on PostgreSQL fares, which several processes share.
#[cfg(feature = "postgres")]
#[derive(Debug, Clone, Copy)]
pub(crate) enum ClusterNews<'a> {
    Trouble(&'a str),
    Works,
    /// This node was taken for lost.
    TakenForLost,
    /// So many runs of a node that is lost.
    TookOver(usize),
    /// So many ends do not count.
    Fenced(usize),
    Unwritten(&'a str),
    /// A task of ours has panicked.
    Panicked(&'a str),
}

/// The log is code of the program's, and its panic is not to end the node.
#[cfg(feature = "postgres")]
pub(crate) fn cluster(news: ClusterNews<'_>) {
    let _ = panics::catch(|| match news {
        ClusterNews::Trouble(error) => {
            tracing::warn!(target: "jobs::store", %error, "the store on PostgreSQL has trouble");
        }
        ClusterNews::Works => tracing::info!(target: "jobs::store", "the store on PostgreSQL works again"),
        ClusterNews::TakenForLost => {
            tracing::warn!(target: "jobs::store", "this node was taken for lost, and others have its runs");
        }
        ClusterNews::TookOver(runs) => {
            tracing::warn!(target: "jobs::store", runs, "took over the runs of a node that is lost");
        }
        ClusterNews::Fenced(lost) => {
            tracing::debug!(target: "jobs::store", lost, "ends do not count: the runs were given to other nodes, or these ends were written before");
        }
        ClusterNews::Unwritten(error) => {
            tracing::error!(target: "jobs::store", %error, "what a run came to cannot be written as it is: without its message and record");
        }
        ClusterNews::Panicked(panic) => {
            tracing::error!(target: "jobs::store", %panic, "the task of the store has panicked, and begins anew");
        }
    });
}

/// What a durable store has of a schedule makes no sense.
#[cfg(feature = "sqlite")]
pub(crate) fn unreadable_schedule(job: &str, schedule: &str, error: &serde_json::Error) {
    tracing::warn!(job, schedule, %error, "what the store has of a schedule cannot be read; it begins anew");
}

/// A durable store could not be written.
#[cfg(feature = "sqlite")]
pub(crate) fn not_written(path: &std::path::Path, error: &str) {
    let path = path.display();
    // Who listens to the log is code of the program's, and the writer must outlive it.
    let _ = panics::catch(|| tracing::error!(%path, error, "cannot write the store; it is tried again"));
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

/// The config says the size of a queue that no job is in.
pub(crate) fn unused_queue(queue: &str, place: &dyn Display, near: Option<&str>) {
    match near {
        Some(near) => {
            tracing::warn!(queue, %place, near, "no job is in a queue of the config; another has nearly its name")
        }
        None => tracing::warn!(queue, %place, "no job is in a queue of the config"),
    }
}

/// More plain functions may be claimed than there are threads for.
pub(crate) fn few_threads(size: Option<NonZeroUsize>, threads: usize) {
    let size = size.map_or_else(|| "unlimited".to_owned(), |size| size.to_string());
    tracing::info!(
        pool = size,
        "plain functions of the pool execute on tokio's blocking threads, {threads} unless the runtime is built with others; \
         those beyond wait for one, shown as running"
    );
}

/// A schedule has the key of another of its job.
pub(crate) fn key_repeated(job: &str, key: &str) {
    tracing::warn!(
        job,
        key,
        "the same schedule stands on the job more than once; each fires, and gets a number behind its key: \
         give it a `key` of its own to tell it from the others for good"
    );
}

/// The process ends at once.
pub(crate) fn last_signal() {
    tracing::error!("a third signal: the process ends without waiting for anything");
}

/// The config speaks of the status page, which this program does not serve.
#[cfg(not(feature = "web"))]
pub(crate) fn no_page(place: &dyn Display) {
    tracing::warn!(%place, "`jobs.acceptproxyaddress` is for the status page, which is the cargo feature `web`");
}

//! The end: stop firing, stop claiming, let what runs finish, then cut it off.

use std::fmt;
use std::time::Duration;

use tokio::sync::watch;

use super::{Jobs, Phase, instances, signals};
use crate::hooks::{Event, ShutdownPhase};
use crate::telemetry::{self, panics};

/// How long runs that were told to stop may take to notice. Async ones notice where they await, plain functions where
/// they ask; one that never does cannot be stopped.
const TO_NOTICE: Duration = Duration::from_secs(1);

/// What a shutdown left undone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ShutdownReport {
    /// Async runs that did not finish in time and were dropped where they awaited.
    pub interrupted: usize,
    /// Runs of plain functions (or of async ones that never await) that did not finish in time; they go on until
    /// the process ends.
    pub still_running: usize,
    /// Runs that were queued or delayed, or waited to be tried again, and are lost: on memory all of them, on a durable store
    /// those of closures.
    pub lost: usize,
    /// Those that a durable store keeps: they go on at the next start, like what was interrupted. In a cluster they are counted by
    /// the process that leaves it last.
    pub kept: usize,
}

impl ShutdownReport {
    /// Whether everything that was accepted has been done, or is kept for the next start.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let Self { interrupted, still_running, lost, kept: _ } = *self;
        interrupted + still_running + lost == 0
    }
}

/// `everything was done`, or what was not.
impl fmt::Display for ShutdownReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { interrupted, still_running, lost, kept } = self;
        match (self.is_clean(), kept) {
            (true, 0) => return f.write_str("everything was done"),
            (true, kept) => return write!(f, "everything was done but {kept} kept for the next start"),
            _ => {}
        }
        write!(f, "{interrupted} interrupted, {still_running} still running, {lost} lost while they waited")?;
        if *kept > 0 { write!(f, ", {kept} kept for the next start") } else { Ok(()) }
    }
}

impl Jobs {
    /// Ends the instance: fires nothing more, starts nothing more, lets what runs finish for as long as
    /// `jobs.shutdown_timeout` says (30 s by default), then drops async runs where they await, lets plain functions know
    /// by [`JobContext::is_cancelled`](crate::JobContext::is_cancelled), and gives both another second to notice. What
    /// was left undone is in the report and in the log.
    ///
    /// Submissions are refused from the first moment on. A second call waits for the first and gives the same
    /// report. Not for calling inside a job: it would wait for itself until the timeout.
    ///
    /// # Cancel safety
    ///
    /// The shutdown goes on when the future is dropped.
    pub async fn shutdown(&self) -> ShutdownReport {
        self.begin_shutdown();
        self.ended().await
    }

    /// Waits for Ctrl-C or SIGTERM and then for the [`shutdown`](Self::shutdown).
    ///
    /// A second signal waits no longer: async runs that still go on are dropped at once. Plain functions cannot be stopped:
    /// those that do not return within a second are counted as still running, and a tokio runtime waits for them when it is
    /// dropped. A third signal ends the process on the spot, with the status that a shell gives for the signal (130 or
    /// 143), whatever still runs.
    pub async fn run_until_signal(&self) -> ShutdownReport {
        self.shutdown_signal().await;
        self.begin_shutdown();
        self.ended().await
    }

    /// Completes on Ctrl-C or SIGTERM, or when the [`shutdown`](Self::shutdown) has begun: for
    /// `axum::serve(…).with_graceful_shutdown(…)` and the like. It ends nothing itself; call `shutdown` after.
    ///
    /// It listens from the call on, for the second and the third signal as well, which do what they do in
    /// [`run_until_signal`](Self::run_until_signal).
    pub fn shutdown_signal(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut phase = self.inner.phase.subscribe();
        let mut signals = self.signals();
        #[cfg(feature = "web")]
        let leaving = self.inner.leaving.clone();
        async move {
            let signal = async {
                match &mut signals {
                    Some(signals) => drop(signals.wait_for(|count| *count > 0).await),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = signal => {}
                _ = phase.wait_for(|phase| matches!(phase, Phase::ShuttingDown | Phase::Ended(_))) => {}
            }
            #[cfg(feature = "web")]
            leaving.send_replace(true);
        }
    }

    /// The count of signals since this instance was first asked for it. From then on it heeds them.
    fn signals(&self) -> Option<watch::Receiver<u32>> {
        let listen = || {
            let signals = signals::listen()?;
            let (jobs, counted) = (self.clone(), signals.clone());
            self.inner.runtime.spawn(async move { jobs.heed(counted).await });
            Some(signals)
        };
        self.inner.signals.get_or_init(listen).clone()
    }

    /// Waits no longer for what runs when a signal is not the first, or comes during a shutdown.
    async fn heed(&self, mut signals: watch::Receiver<u32>) {
        let mut phase = self.inner.phase.subscribe();
        loop {
            let ending = match &*phase.borrow_and_update() {
                Phase::Starting | Phase::Running => false,
                Phase::ShuttingDown => true,
                Phase::Ended(_) => return,
            };
            // Looked at after the phase: the task that a signal wakes first may begin the shutdown before this one is woken,
            // and that signal is none of those that come during it.
            if *signals.borrow_and_update() > 1 {
                self.inner.cut_off.notify_one();
            }
            tokio::select! {
                biased;
                Ok(()) = signals.changed() => {
                    if ending {
                        self.inner.cut_off.notify_one();
                    }
                }
                _ = phase.changed() => {}
            }
        }
    }

    pub(super) fn begin_shutdown(&self) {
        let _ = self.inner.shut_down_at.set(self.inner.clock.now().wall);
        let first = self.inner.phase.send_if_modified(|phase| {
            let first = matches!(phase, Phase::Starting | Phase::Running);
            if first {
                *phase = Phase::ShuttingDown;
            }
            first
        });
        if first {
            self.tell(ShutdownPhase::Begun);
            self.close();
            let jobs = self.clone();
            // A task of its own, so that it goes on when the caller stops waiting.
            self.inner.runtime.spawn(async move { jobs.wind_down().await });
        }
    }

    fn tell(&self, phase: ShutdownPhase) {
        let now = || self.inner.clock.now().wall.to_chrono();
        self.inner.hooks.bus.tell(|| Event::Shutdown { at: now(), phase });
    }

    async fn ended(&self) -> ShutdownReport {
        let mut phase = self.inner.phase.subscribe();
        match phase.wait_for(|phase| matches!(phase, Phase::Ended(_))).await.as_deref() {
            Ok(Phase::Ended(report)) => *report,
            _ => ShutdownReport::default(),
        }
    }

    async fn wind_down(&self) {
        let inner = &self.inner;
        let mut report = ShutdownReport::default();
        let patience = inner.settings().shutdown_timeout.value;
        let done = tokio::select! {
            biased;
            () = inner.pool.drained(false) => true,
            () = tokio::time::sleep(patience) => false,
            () = inner.cut_off.notified() => false,
        };
        if !done {
            self.tell(ShutdownPhase::CutOff);
            report.interrupted = inner.pool.interrupt();
            if tokio::time::timeout(TO_NOTICE, inner.pool.drained(false)).await.is_err() {
                report.interrupted -= inner.pool.executing(true).min(report.interrupted);
            }
        }
        report.still_running = inner.pool.executing(false);
        // What is to be tried again by others is no run that waits here.
        #[cfg(feature = "postgres")]
        if let Some(cluster) = inner.cluster.get() {
            cluster.flush();
        }
        self.close_store().await;
        (report.lost, report.kept) = inner.pool.drain();
        #[cfg(feature = "postgres")]
        if let Some(cluster) = inner.cluster.get() {
            let left = cluster.close(report.still_running == 0).await;
            report.kept = report.kept.max(left.saturating_sub(report.interrupted));
        }
        self.end(report);
        #[cfg(feature = "postgres")]
        if report.still_running > 0 {
            self.leave_when_emptied().await;
        }
    }

    /// The process leaves the cluster when the plain functions have returned that its shutdown has left running.
    #[cfg(feature = "postgres")]
    async fn leave_when_emptied(&self) {
        /// Is dropped with the runtime. Functions that go on then leave by themselves.
        struct Leaves<'a>(&'a Jobs);
        impl Drop for Leaves<'_> {
            fn drop(&mut self) {
                let inner = &self.0.inner;
                inner.pool.ends_with_runtime();
                if let Some(cluster) = inner.cluster.get()
                    && !inner.pool.is_busy()
                {
                    cluster.close_blocking(true);
                }
            }
        }
        let Some(cluster) = self.inner.cluster.get() else { return };
        let leaves = Leaves(self);
        self.inner.pool.drained(false).await;
        cluster.close(true).await;
        std::mem::forget(leaves);
    }

    /// Writes down what has become of the runs so far, and lets the store go: what is ended after that goes on at the next
    /// start.
    async fn close_store(&self) {
        #[cfg(feature = "sqlite")]
        if let Some(durable) = self.inner.durable.clone() {
            // It blocks its thread.
            let closed = self.inner.runtime.spawn_blocking(move || durable.close()).await;
            debug_assert!(closed.is_ok(), "closing does not panic");
        }
    }

    /// Fires and starts nothing any more.
    fn close(&self) {
        self.inner.scheduler.close();
        if let Some(task) = self.inner.scheduler_task.get() {
            task.abort();
        }
        self.inner.pool.close();
    }

    fn end(&self, report: ShutdownReport) {
        // The log is code of the program's, and its panic is not to leave those waiting who wait for the end.
        let ShutdownReport { interrupted, still_running, lost, kept } = report;
        let _ = panics::catch(|| telemetry::shut_down(interrupted, still_running, lost, kept));
        self.tell(ShutdownPhase::Ended);
        self.inner.hooks.bus.end();
        instances::unregister(self);
        self.inner.phase.send_replace(Phase::Ended(report));
    }

    /// Ends the instance when its tokio runtime ends without a shutdown, as at the end of a test: what the free
    /// functions mean must not be an instance that runs nothing, and whoever waits for its end must not wait for
    /// ever.
    pub(super) fn end_with_runtime(&self) {
        let keeper = Keeper(self.clone());
        let mut phase = self.inner.phase.subscribe();
        self.inner.runtime.spawn(async move {
            let keeper = keeper;
            // The sender lives as long as the keeper.
            let _ = phase.wait_for(|phase| matches!(phase, Phase::Ended(_))).await;
            drop(keeper);
        });
    }
}

/// Is dropped with the runtime, or after the end.
struct Keeper(Jobs);

impl Drop for Keeper {
    fn drop(&mut self) {
        let jobs = &self.0;
        if matches!(*jobs.inner.phase.borrow(), Phase::Ended(_)) {
            return;
        }
        let _ = panics::catch(telemetry::runtime_gone);
        let _ = jobs.inner.shut_down_at.set(jobs.inner.clock.now().wall);
        jobs.close();
        let pool = &jobs.inner.pool;
        #[cfg(feature = "postgres")]
        pool.ends_with_runtime();
        // Of its workers some may be gone already, and their runs are not counted; those that are not will be. No plain function
        // begins any more, and those that have begun are told.
        let interrupted = pool.interrupt();
        let still_running = pool.executing_for_good();
        #[cfg(feature = "sqlite")]
        if let Some(durable) = &jobs.inner.durable {
            durable.close();
        }
        #[cfg(feature = "postgres")]
        if let Some(cluster) = jobs.inner.cluster.get() {
            cluster.flush();
        }
        #[cfg_attr(not(feature = "postgres"), allow(unused_mut, reason = "a server may keep more"))]
        let (lost, mut kept) = pool.drain();
        #[cfg(feature = "postgres")]
        if let Some(cluster) = jobs.inner.cluster.get() {
            // As long as a worker has not gone, its run is here.
            let left = cluster.close_blocking(!pool.is_busy());
            kept = kept.max(left.saturating_sub(interrupted));
        }
        jobs.end(ShutdownReport { interrupted, still_running, lost, kept });
    }
}

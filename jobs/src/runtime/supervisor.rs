//! No task of ours dies silently: one that panics is logged, counted and started again.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::AbortHandle;

use crate::clock::{Clock, Elapsed, Timestamp};
use crate::hooks::{Event, Hooks};
use crate::telemetry;
use crate::telemetry::panics::{self, Panic};

/// How long the first restart waits. Each that follows soon waits twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest wait.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A task that was alive for so long since it was last started begins with the first pause again.
const STABLE: Duration = Duration::from_secs(60);

/// How long the death of a task is told by [`Tasks::died_lately`].
const LATELY: Duration = Duration::from_secs(300);

/// Watches over the tasks of one instance.
#[derive(Debug)]
pub(super) struct Tasks {
    clock: Arc<Clock>,
    hooks: Arc<Hooks>,
    deaths: Mutex<Vec<Deaths>>,
}

/// How often a task, or one of several of its kind, has died.
#[derive(Debug, Clone)]
pub(super) struct Deaths {
    pub(super) task: &'static str,
    /// How often in all.
    pub(super) times: u32,
    /// When for the first time in the present row, in which none came long after the one before.
    pub(super) since: Timestamp,
    last: Elapsed,
    /// How often in the present row.
    in_a_row: u32,
}

impl Tasks {
    pub(super) fn new(clock: Arc<Clock>, hooks: Arc<Hooks>) -> Self {
        Self { clock, hooks, deaths: Mutex::default() }
    }

    /// Those that have died in the last minutes.
    pub(super) fn died_lately(&self) -> Vec<Deaths> {
        let now = self.clock.now().elapsed;
        let deaths = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
        deaths.iter().filter(|deaths| now.since(deaths.last) <= LATELY).cloned().collect()
    }

    /// A task has panicked: tells everybody, and answers how long to wait until it is started again. One that is not
    /// leaves its work to others of its kind.
    fn died(&self, task: &'static str, panic: &Panic, restarts: bool) -> Duration {
        let now = self.clock.now();
        let pause = {
            let mut all = self.deaths.lock().unwrap_or_else(PoisonError::into_inner);
            let at = all.iter().position(|deaths| deaths.task == task).unwrap_or_else(|| {
                all.push(Deaths { task, times: 0, since: now.wall, last: now.elapsed, in_a_row: 0 });
                all.len() - 1
            });
            let deaths = &mut all[at];
            let alive = now.elapsed.since(deaths.last).saturating_sub(pause(deaths.in_a_row));
            if alive >= STABLE {
                deaths.in_a_row = 0;
                deaths.since = now.wall;
            }
            deaths.times = deaths.times.saturating_add(1);
            deaths.in_a_row = deaths.in_a_row.saturating_add(1);
            deaths.last = now.elapsed;
            if restarts { pause(deaths.in_a_row) } else { Duration::ZERO }
        };
        #[cfg(feature = "metrics")]
        crate::hooks::metrics::task_died(task);
        // The log is code of the program's, and what it does is not to end the supervision.
        let _ = panics::catch(|| telemetry::task_died(task, panic, pause));
        self.hooks.bus.tell(|| Event::TaskDied { at: now.wall.to_chrono(), task, restart_in: pause });
        pause
    }

    /// Runs a task that is to be started again when it panics. Answers whether it did, when it is time.
    async fn restarting(&self, name: &'static str, task: impl Future<Output = ()>) -> bool {
        match caught(task).await {
            Ok(()) => false,
            Err(panic) => {
                tokio::time::sleep(self.died(name, &panic, true)).await;
                true
            }
        }
    }

    /// Runs a task of which there are several.
    pub(super) async fn watch(&self, name: &'static str, task: impl Future<Output = ()>) {
        if let Err(panic) = caught(task).await {
            self.died(name, &panic, false);
        }
    }
}

/// The wait after so many deaths in a row.
fn pause(in_a_row: u32) -> Duration {
    let doubled = in_a_row.saturating_sub(1).min(16);
    if in_a_row == 0 { Duration::ZERO } else { (FIRST_PAUSE * (1 << doubled)).min(LONGEST_PAUSE) }
}

/// A task that is started again until it is aborted.
#[derive(Debug)]
pub(super) struct Supervised(AbortHandle);

impl Supervised {
    pub(super) fn abort(&self) {
        self.0.abort();
    }
}

/// Runs `task` until it completes, again after every panic.
pub(super) fn supervise<F>(
    runtime: &Handle,
    tasks: &Arc<Tasks>,
    name: &'static str,
    task: impl Fn() -> F + Send + 'static,
) -> Supervised
where
    F: Future<Output = ()> + Send + 'static,
{
    let tasks = Arc::clone(tasks);
    let task = runtime.spawn(async move { while tasks.restarting(name, task()).await {} });
    Supervised(task.abort_handle())
}

/// Runs a future to its end, or to its panic.
async fn caught(future: impl Future<Output = ()>) -> Result<(), Box<Panic>> {
    let mut future = std::pin::pin!(future);
    poll_fn(|cx| match panics::catch(|| future.as_mut().poll(cx)) {
        Ok(Poll::Pending) => Poll::Pending,
        Ok(Poll::Ready(())) => Poll::Ready(Ok(())),
        Err(panic) => Poll::Ready(Err(panic)),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_doubles_up_to_its_longest() {
        let waits = [1, 2, 3, 9, 10, 1000].map(|row| pause(row).as_millis());
        assert_eq!(waits, [100, 200, 400, 25_600, 30_000, 30_000]);
        assert_eq!(pause(0), Duration::ZERO);
    }

    #[cfg(feature = "testing")]
    #[tokio::test(start_paused = true)]
    async fn a_task_that_dies_at_once_waits_longer_and_one_that_lived_begins_anew() {
        let tasks = Tasks::new(Arc::new(Clock::system()), Arc::default());
        let mut events = tasks.hooks.bus.listen();
        let mut waits = || match events.try_next() {
            Some(Event::TaskDied { task: "task", restart_in, .. }) => restart_in.as_millis(),
            other => panic!("{other:?}"),
        };
        for expected in [100, 200, 400] {
            assert!(tasks.restarting("task", async { panic!("on purpose") }).await);
            assert_eq!(waits(), expected);
        }
        let lives = async {
            tokio::time::sleep(STABLE).await;
            panic!("on purpose");
        };
        assert!(tasks.restarting("task", lives).await);
        assert_eq!(waits(), 100);
        assert_eq!(tasks.died_lately().iter().map(|deaths| deaths.times).collect::<Vec<_>>(), [4]);
        assert!(!tasks.restarting("task", tokio::time::sleep(LATELY)).await, "it has come to its end");
        assert!(tasks.died_lately().is_empty());
    }
}

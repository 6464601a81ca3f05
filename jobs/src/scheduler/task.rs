//! The task that sleeps until the plan wants to be looked at.

use std::collections::HashSet;
#[cfg(feature = "postgres")]
use std::sync::OnceLock;
#[cfg(feature = "testing")]
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::Notify;

use super::ledger::{Cause, Keep};
use super::marks::{AllLeft, ScheduleChanges};
use super::planned::{Planned, ScheduleKey};
use super::timers::{Added, Come, Delay, Timers};
use crate::clock::{Clock, Elapsed, Reading, Shift, Timestamp};
use crate::hooks::{Event, Hooks, ScheduleChange, ScheduleEvent, SlotEvent};
use crate::pool::{Pool, SlotFate};
use crate::registry::Resolved;
use crate::store::journal::Commits;
use crate::store::memory::{JobIx, RunKey};
use crate::telemetry::{self, panics};

/// The plan and the means to wake the task that follows it.
pub(crate) struct Scheduler {
    timers: Mutex<Timers>,
    /// Something was armed for earlier than the task sleeps.
    pub(super) earlier: Notify,
    pub(super) clock: Arc<Clock>,
    pub(super) pool: Arc<Pool>,
    pub(super) hooks: Arc<Hooks>,
    /// What the task has in its hands: it may die, and the next goes on with it.
    hands: Mutex<Hands>,
    /// When runs that are too old are to be looked for.
    sweep_at: Mutex<Elapsed>,
    /// What it shares with those of other processes, where it does.
    #[cfg(feature = "postgres")]
    pub(super) sharing: OnceLock<super::shared::Sharing>,
    /// A test wants the task to panic.
    #[cfg(feature = "testing")]
    killed: AtomicBool,
}

/// What has come, and what the pool has made of it.
#[derive(Default)]
struct Hands {
    come: Come,
    fates: Vec<SlotFate>,
    /// Why slots may have passed unseen, until those are planned that have.
    cause: Option<Cause>,
}

impl Scheduler {
    pub(crate) fn new(clock: Arc<Clock>, pool: Arc<Pool>, hooks: Arc<Hooks>, keep: Keep) -> Self {
        let timers = Mutex::new(Timers::new(clock.now(), clock.entropy(), keep));
        Self {
            timers,
            earlier: Notify::new(),
            clock,
            pool,
            hooks,
            hands: Mutex::default(),
            sweep_at: Mutex::new(Elapsed::ZERO),
            #[cfg(feature = "postgres")]
            sharing: OnceLock::new(),
            #[cfg(feature = "testing")]
            killed: AtomicBool::new(false),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Timers> {
        // Nothing under the lock calls code of the user.
        self.timers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The time for what is counted from now on. Where the clock has moved unseen, the task looks at it.
    pub(crate) fn present(&self) -> Reading {
        let (now, has_moved) = self.clock.present();
        if has_moved {
            self.earlier.notify_one();
        }
        now
    }

    /// Adds a schedule, which fires from now on where its job is enabled; none when the instance is shutting down.
    pub(crate) fn add(&self, job: JobIx, schedule: Resolved) -> Option<ScheduleKey> {
        let now = self.present();
        // That does not change while the program runs.
        let enabled = self.pool.read(|memory| memory.job(job).info.enabled);
        let bus = &self.hooks.bus;
        let name = (bus.is_heard() || self.pool.is_durable()).then(|| self.name_of(job));
        let mut timers = self.lock();
        if timers.is_closed() {
            // What is dropped then is a value of the user's, and that not under the lock.
            drop(timers);
            return None;
        }
        if let Some(name) = &name {
            timers.know(job, name);
        }
        let Added { key, wake, awaits } = timers.add(job, schedule, enabled, now)?;
        if let Some(job) = name
            && let Some(planned) = timers.get(key)
        {
            let at = now.wall.to_chrono();
            let schedule = planned.identity.key(&planned.timing);
            bus.put(|| Event::Schedule(ScheduleEvent { at, job, schedule, what: ScheduleChange::Added }));
        }
        self.sweep_if_crowded(timers);
        bus.wake();
        if wake {
            self.earlier.notify_one();
        }
        if let Some(run) = awaits
            && !self.pool.await_end(run, key)
        {
            // It has ended meanwhile.
            self.run_ended(key);
        }
        Some(key)
    }

    /// Marks what changes from now on, for a store to write down, and goes on with what the process before has left of the
    /// schedules that are added from now on.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only a durable store asks"))]
    pub(crate) fn record_to(&self, commits: Arc<Commits>, left: AllLeft) {
        self.lock().record_to(commits, left);
    }

    /// The schedules of the source have been added.
    pub(crate) fn begun(&self) {
        self.lock().begun();
    }

    /// Every schedule that has changed since the last call.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only a durable store asks"))]
    pub(crate) fn take_changes(&self) -> ScheduleChanges {
        let now = self.clock.now();
        self.lock().take_changes(now)
    }

    /// Counts the first slot of a fixed delay from the end of a run that was there before it.
    pub(crate) fn count_from(&self, key: ScheduleKey, end: Timestamp) {
        let now = self.present();
        if self.lock().count_from(key, end, now) {
            self.earlier.notify_one();
        }
    }

    /// Gives schedules another meaning under their keys.
    pub(crate) async fn redefine(&self, schedules: Vec<(ScheduleKey, Resolved)>) {
        let jobs = self.pool.read(|memory| {
            memory.jobs().filter(|(_, job)| job.info.enabled).map(|(ix, _)| ix).collect::<HashSet<_>>()
        });
        let redefined = loop {
            {
                let mut timers = self.lock();
                if !timers.is_in_hands() {
                    let keys: Vec<_> = schedules.iter().map(|(key, _)| *key).collect();
                    let now = self.present();
                    if timers.redefine(schedules, |job| jobs.contains(&job), now) {
                        self.earlier.notify_one();
                    }
                    let named = |planned: &Planned| (planned.job, planned.identity.key(&planned.timing));
                    let redefined = keys.iter().filter_map(|key| timers.get(*key).map(named));
                    break redefined.collect::<Vec<_>>();
                }
            }
            // Not for long, unless the task has died.
            tokio::time::sleep(Duration::from_millis(1)).await;
        };
        let at = self.clock.now().wall.to_chrono();
        for (job, schedule) in redefined {
            let event =
                || ScheduleEvent { at, job: self.name_of(job), schedule, what: ScheduleChange::Redefined };
            self.hooks.bus.tell(|| Event::Schedule(event()));
        }
    }

    /// Releases a delayed run to the pool when it is due.
    pub(crate) fn delay(&self, run: RunKey, delay: Delay) {
        let now = self.present();
        let mut timers = self.lock();
        let wake = timers.delay(run, delay, now);
        self.sweep_if_crowded(timers);
        if wake {
            self.earlier.notify_one();
        }
    }

    /// A run has ended that a schedule waits for, whose next slot is counted from there.
    pub(crate) fn run_ended(&self, key: ScheduleKey) {
        let now = self.present();
        if self.lock().run_ended(key, now) {
            self.earlier.notify_one();
        }
    }

    fn sweep_if_crowded(&self, mut timers: MutexGuard<'_, Timers>) {
        if timers.is_crowded() {
            self.pool
                .read_inside(|memory| timers.sweep(|run| memory.is_ticket(run) || memory.due(run).is_some()));
        }
    }

    /// Takes schedules out; their slots do not come any more.
    pub(crate) fn remove(&self, keys: &[ScheduleKey]) -> usize {
        let removed: Vec<_> = {
            let mut timers = self.lock();
            keys.iter().filter_map(|key| timers.remove(*key)).collect()
        };
        let bus = &self.hooks.bus;
        if bus.is_heard() {
            let at = self.clock.now().wall.to_chrono();
            for planned in &removed {
                let (job, schedule) = (self.name_of(planned.job), planned.identity.key(&planned.timing));
                bus.tell(|| {
                    Event::Schedule(ScheduleEvent { at, job, schedule, what: ScheduleChange::Removed })
                });
            }
        }
        removed.len()
    }

    fn name_of(&self, job: JobIx) -> String {
        self.pool.read(|memory| memory.job(job).info.name.to_string())
    }

    /// Sets how much of what became of slots is kept. What the pool is not to keep any more is swept out soon.
    pub(crate) fn keep(&self, keep: Keep) {
        self.lock().keep(keep);
        self.sweep_soon();
        self.earlier.notify_one();
    }

    fn sweep_soon(&self) {
        *self.sweep_at.lock().unwrap_or_else(PoisonError::into_inner) = Elapsed::ZERO;
    }

    /// Lets the pool forget the runs that are too old, when it is time for that. Answers how long it is not.
    fn sweep(&self) -> Duration {
        /// Where many become too old one after another.
        const BETWEEN: Duration = Duration::from_secs(1);
        /// As long as there is none, on the clock of a test that goes through years.
        const IDLE: Duration = Duration::from_secs(60);
        let now = self.clock.now();
        let mut sweep_at = self.sweep_at.lock().unwrap_or_else(PoisonError::into_inner);
        if *sweep_at > now.elapsed {
            return sweep_at.since(now.elapsed);
        }
        let (next, kept_for) = self.pool.sweep(now.wall);
        // What ends while this sleeps is looked at before it is too old.
        let unknown = kept_for.max(IDLE);
        let nap = next.map_or(unknown, |next| next.since(now.wall).clamp(BETWEEN, unknown));
        let nap = nap.min(self.clock.longest_sleep());
        *sweep_at = now.elapsed.saturating_add(nap);
        nap
    }

    /// Fires nothing any more.
    pub(crate) fn close(&self) {
        self.lock().close();
        self.earlier.notify_one();
    }

    /// Lets the task panic when it next fires or releases something, in the middle of that.
    #[cfg(feature = "testing")]
    pub(crate) fn kill(&self) {
        self.killed.store(true, Ordering::SeqCst);
    }

    #[cfg(feature = "testing")]
    pub(super) fn die_if_killed(&self, works: bool) {
        if works && self.killed.swap(false, Ordering::SeqCst) {
            panic!("a test has killed the scheduler");
        }
    }

    /// Reads the plan. Keep it short.
    pub(crate) fn read<R>(&self, f: impl FnOnce(&Timers) -> R) -> R {
        f(&self.lock())
    }

    /// Fires what comes, until the task is dropped.
    pub(crate) async fn run(&self) {
        #[cfg(feature = "postgres")]
        if let Some(sharing) = self.sharing.get() {
            return self.run_shared(sharing).await;
        }
        self.take_over();
        loop {
            self.look();
            self.sleep().await;
        }
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Goes on with what a task that has died had in its hands, and arms the rest anew.
    fn take_over(&self) {
        let now = self.present();
        let mut hands = self.hands();
        let Hands { come, fates, .. } = &mut *hands;
        // The pool may have died over one slot, after it has made its run or before.
        let begun = Timers::given(come).zip(fates.iter_mut()).filter(|(_, fate)| **fate == SlotFate::Begun);
        for ((schedule, slot), fate) in begun {
            if self.pool.read(|memory| memory.has_run_of(schedule, slot)) {
                *fate = SlotFate::Ran;
            }
        }
        self.fire(now, come, fates);
        self.lock().tally(now, come, fates);
        self.tell_slots(come);
        self.pool.release(&mut come.releases);
        come.start_over();
        self.lock().rearm(now);
    }

    /// The time, and why slots may have passed unseen where the clock has moved.
    pub(super) fn look_at_clock(&self) -> (Reading, Option<Cause>) {
        let (now, shift) = self.clock.look();
        if let Some(shift) = shift {
            // The log is code of the program's.
            let _ = panics::catch(|| telemetry::clock_moved(shift.nanos, shift.suspended));
            self.hooks.bus.tell(|| Event::ClockMoved {
                at: now.wall.to_chrono(),
                by: TimeDelta::nanoseconds(shift.nanos),
                suspended: shift.suspended,
            });
        }
        let cause = |shift: Shift| if shift.suspended { Cause::Suspended } else { Cause::ClockSet };
        if shift.is_some() {
            self.sweep_soon();
        }
        (now, shift.map(cause))
    }

    /// Fires what has come.
    fn look(&self) {
        let mut hands = self.hands();
        let Hands { come, fates, cause } = &mut *hands;
        let (now, moved) = self.look_at_clock();
        *cause = moved.or(*cause);
        come.heard = cfg!(feature = "metrics") || self.hooks.bus.is_heard();
        self.lock().take_due(now, come);
        #[cfg(feature = "testing")]
        let releases = !come.releases.is_empty();
        // What is delayed first: a slot would only be late, if the task were to die in between.
        self.pool.release(&mut come.releases);
        self.fire(now, come, fates);
        #[cfg(feature = "testing")]
        self.die_if_killed(releases);
        let is_paused = |job| self.pool.read_inside(|memory| memory.job(job).paused_since.is_some());
        let missed = self.lock().plan(now, cause.unwrap_or(Cause::Stalled), is_paused, come);
        *cause = None;
        self.tell_slots(come);
        // Those that are made up for.
        self.fire(now, come, fates);
        if missed.slots + missed.made_up > 0 {
            let _ = panics::catch(|| telemetry::missed(missed.schedules, missed.slots, missed.made_up));
        }
    }

    fn fire(&self, now: Reading, come: &mut Come, fates: &mut Vec<SlotFate>) {
        if !come.firings.is_empty() {
            self.pool.fire(&mut come.firings, now, fates);
            #[cfg(feature = "testing")]
            self.die_if_killed(true);
            self.lock().tally(now, come, fates);
            self.tell_slots(come);
        }
    }

    pub(super) fn tell_slots(&self, come: &mut Come) {
        for (job, schedule, entry) in come.told.drain(..) {
            let event = SlotEvent {
                at: entry.noted.to_chrono(),
                job: self.name_of(job),
                schedule,
                from: entry.from.to_chrono(),
                to: entry.to.to_chrono(),
                count: entry.count,
                fate: entry.fate,
            };
            #[cfg(feature = "metrics")]
            crate::hooks::metrics::slots(&event.job, event.fate, event.count);
            self.hooks.bus.tell(|| Event::Slot(event));
        }
    }

    pub(super) async fn sleep(&self) {
        let longest = self.clock.longest_sleep().min(self.sweep());
        let until = {
            let mut timers = self.lock();
            let now = self.clock.now();
            let nap = timers.next_wake(now).map_or(longest, |nap| nap.min(longest));
            let until = now.elapsed.saturating_add(nap);
            timers.sleep_until(until);
            until
        };
        tokio::select! {
            biased;
            () = self.earlier.notified() => {}
            () = self.clock.moved() => {}
            () = tokio::time::sleep_until(self.clock.instant_at(until)) => self.clock.let_others_go_first().await,
        }
    }
}

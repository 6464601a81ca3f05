//! Schedules that several processes fire, each slot once.
//!
//! The row of a schedule in the store is the truth: the definition in force, and the slot that fires next. Every process
//! plans all of its schedules as if it were alone, and when a slot has come it asks to replace it in the row by the one
//! after. Only one finds it there. The others learn on that occasion what became of the slot, and go on from the row:
//!
//! ```text
//!            the row says          the slot comes         it was ours
//!  waiting ──────────────▶ armed ───────────────▶ asked ──────────────▶ a run, or why there is none
//!     ▲                      ▲                      │
//!     │ not our definition   └──────────────────────┘ it was another's: the row says what is next
//!     └─────────────────────────────────────────────┘
//! ```
//!
//! While the server does not answer, nothing fires. What has passed when it does is missed or late as after any other
//! standstill, by the policy of the schedule.

use std::collections::HashSet;
use std::collections::hash_map::{self, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::ledger::{Cause, Entry, Fate};
use super::planned::{Planned, ScheduleKey};
use super::task::Scheduler;
use super::timers::shared::{Firing, Passed};
use super::timers::{Come, Timers};
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::slot::Slot;
use crate::pool::MOST_ARGUMENTS;
use crate::registry::Timing;
use crate::schedule::Schedule;
use crate::store::memory::JobIx;
use crate::store::postgres::{self, InForce, Node, Registered, Registration, Trouble};
use crate::telemetry::{self, panics};

/// How long it waits before it asks a server again that has trouble.
const AFTER_TROUBLE: Duration = Duration::from_millis(250);

/// What a scheduler shares with those of other processes.
pub(crate) struct Sharing {
    node: Weak<Node>,
    schedules: Mutex<Schedules>,
}

/// What is to be known of schedules beside their plan.
#[derive(Default)]
struct Schedules {
    by_key: HashMap<ScheduleKey, (JobIx, Shared)>,
    /// By their jobs and keys.
    by_name: HashMap<JobIx, HashMap<String, ScheduleKey>>,
}

impl Schedules {
    fn insert(&mut self, key: ScheduleKey, ix: JobIx, shared: Shared) {
        self.remove(key);
        self.by_name.entry(ix).or_default().insert(shared.key.clone(), key);
        self.by_key.insert(key, (ix, shared));
    }

    fn remove(&mut self, key: ScheduleKey) -> Option<Shared> {
        let (ix, shared) = self.by_key.remove(&key)?;
        if let hash_map::Entry::Occupied(mut of_job) = self.by_name.entry(ix) {
            of_job.get_mut().remove(&shared.key);
            if of_job.get().is_empty() {
                of_job.remove();
            }
        }
        Some(shared)
    }
}

/// A schedule as the other processes know it.
#[derive(Debug, Clone)]
struct Shared {
    job: String,
    key: String,
    timing: Timing,
    definition: String,
    /// As JSON; none where they cannot be written, and every run will say so.
    args: Option<String>,
}

impl Sharing {
    pub(crate) fn new(node: Weak<Node>) -> Self {
        Self { node, schedules: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Schedules> {
        // Each step leaves it whole.
        self.schedules.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self) -> Result<std::sync::Arc<Node>, Trouble> {
        self.node.upgrade().ok_or(Trouble::Closed)
    }

    /// The place of a schedule by the name of its job there and its key.
    fn find(&self, job: JobIx, key: &str) -> Option<ScheduleKey> {
        self.lock().by_name.get(&job)?.get(key).copied()
    }

    fn get(&self, key: ScheduleKey) -> Option<Shared> {
        self.lock().by_key.get(&key).map(|(_, shared)| shared.clone())
    }
}

/// All that decides when a schedule fires, and with what. Behind a tab, which no text or JSON has, comes what the data of its zone
/// is here: whoever has other data would name other slots.
fn definition_of(timing: &Timing, args: Option<&str>) -> String {
    let mut definition = match args {
        None | Some("{}") => timing.to_string(),
        Some(args) => format!("{timing} {args}"),
    };
    if let Some(digest) = timing.schedule().and_then(Schedule::zone_digest) {
        definition += &format!("\t{digest:016x}");
    }
    definition
}

/// A name in the ledger that all processes understand.
fn word_of(fate: Fate, cause: Option<Cause>) -> String {
    match (fate, cause) {
        (Fate::Skipped, _) => "overlap".to_owned(),
        (Fate::Missed, Some(cause)) => {
            format!(
                "missed: {}",
                match cause {
                    Cause::Suspended => "suspended",
                    Cause::ClockSet => "clock set",
                    Cause::Stalled => "stalled",
                    Cause::Down => "down",
                    Cause::Closed => "closed",
                }
            )
        }
        (fate, _) => fate.as_str().to_owned(),
    }
}

/// None of a word that says no more than that the schedule was changed or closed.
fn fate_of(word: &str) -> Option<(Fate, Option<Cause>)> {
    Some(match word {
        "ran" => (Fate::Ran, None),
        "shifted" => (Fate::Shifted, None),
        "caught up" => (Fate::CaughtUp, None),
        "overlap" => (Fate::Skipped, None),
        "paused" => (Fate::Paused, None),
        "missed" => (Fate::Missed, None),
        "missed: suspended" => (Fate::Missed, Some(Cause::Suspended)),
        "missed: clock set" => (Fate::Missed, Some(Cause::ClockSet)),
        "missed: stalled" => (Fate::Missed, Some(Cause::Stalled)),
        "missed: down" => (Fate::Missed, Some(Cause::Down)),
        "missed: closed" => (Fate::Missed, Some(Cause::Closed)),
        _ => return None,
    })
}

fn entry_of(entry: &postgres::Entry) -> Option<Entry> {
    let (fate, cause) = fate_of(&entry.reason)?;
    let (from, to) = (Timestamp::from_chrono(entry.first), Timestamp::from_chrono(entry.last));
    Some(Entry { from, to, count: u64::try_from(entry.count).unwrap_or(0), fate, noted: to, cause })
}

// What the node asks and says.
impl Scheduler {
    /// Fires for several processes from now on.
    pub(crate) fn share(&self, sharing: Sharing) {
        self.lock().share();
        let first = self.sharing.set(sharing).is_ok();
        debug_assert!(first, "a scheduler is shared once");
    }

    /// All schedules that fire, each with the slot that would be its next if it were new.
    pub(crate) fn registrations(&self) -> Vec<Registration> {
        let keys: Vec<_> = self.lock().schedules().map(|(key, _)| key).collect();
        self.registrations_of(&keys)
    }

    /// Those of some schedules. Their arguments are written down where that was not done before, by code of the user.
    pub(crate) fn registrations_of(&self, keys: &[ScheduleKey]) -> Vec<Registration> {
        let Some(sharing) = self.sharing.get() else { return Vec::new() };
        let now = self.clock.now();
        let mut registrations = Vec::new();
        for key in keys {
            let planned = self.read(|timers| {
                let planned = timers.get(*key)?;
                let first = planned.first_if_new(now)?;
                Some((planned.job, planned.key(), planned.timing.clone(), planned.template.clone(), first))
            });
            let Some((ix, name, timing, template, first)) = planned else { continue };
            let enabled = self.pool.read(|memory| memory.job(ix).info.enabled);
            if !enabled {
                continue;
            }
            let known = sharing.get(*key).filter(|known| known.timing == timing);
            let shared = known.unwrap_or_else(|| {
                let written = panics::catch(|| Body::Template(template).write_down(MOST_ARGUMENTS));
                let args = match written {
                    Ok(Ok(body)) => Some(body.into_parts().1.map_or_else(|| "{}".to_owned(), String::from)),
                    _ => None,
                };
                let definition = definition_of(&timing, args.as_deref());
                let job = self.pool.read(|memory| memory.job(ix).info.name.to_string());
                let shared = Shared { job, key: name.clone(), timing: timing.clone(), definition, args };
                sharing.lock().insert(*key, ix, shared.clone());
                shared
            });
            registrations.push(Registration {
                job: shared.job,
                key: shared.key,
                definition: shared.definition,
                first: Some(first.to_chrono()),
                delay: timing.delay(),
            });
        }
        registrations
    }

    /// Registers schedules that were added or have another meaning, and goes on with what is known of them. After a trouble
    /// the node does so when it can.
    pub(crate) async fn register(&self, keys: &[ScheduleKey]) -> Result<(), Trouble> {
        let Some(sharing) = self.sharing.get() else { return Ok(()) };
        let registrations = self.registrations_of(keys);
        if registrations.is_empty() {
            return Ok(());
        }
        let most = self.read(Timers::most_entries);
        for Registered { in_force, ledger } in sharing.node()?.register(registrations, most).await? {
            let key = self.pool.read(|memory| memory.job_named(&in_force.job));
            let Some(key) = key.and_then(|ix| sharing.find(ix, &in_force.key)) else { continue };
            let entries = ledger.iter().filter_map(entry_of).collect();
            let now = self.clock.now();
            let mut timers = self.lock();
            timers.remember(key, entries, if in_force.was_closed { Cause::Closed } else { Cause::Down });
            let wake = timers.go_to(key, next_of(&in_force), now);
            drop(timers);
            if wake {
                self.earlier.notify_one();
            }
        }
        Ok(())
    }

    /// Schedules that are not here any more, for the store: by the names of their jobs and their keys.
    pub(crate) fn unregistered(&self, keys: &[ScheduleKey]) -> Vec<(String, String)> {
        let Some(sharing) = self.sharing.get() else { return Vec::new() };
        let mut schedules = sharing.lock();
        let gone = keys.iter().filter_map(|key| schedules.remove(*key));
        gone.map(|shared| (shared.job, shared.key)).collect()
    }

    /// Whether the job of that name has schedules here.
    pub(crate) fn shares(&self, job: &str) -> bool {
        let Some(ix) = self.pool.read(|memory| memory.job_named(job)) else { return false };
        self.sharing.get().is_some_and(|sharing| sharing.lock().by_name.contains_key(&ix))
    }

    /// The place of a schedule of a job, by its key.
    pub(crate) fn shared_key(&self, job: JobIx, key: &str) -> Option<ScheduleKey> {
        self.sharing.get()?.find(job, key)
    }

    /// Which schedules are this process's to fire may have changed.
    pub(crate) fn put_in_force(&self, rows: Vec<(JobIx, InForce)>) {
        let Some(sharing) = self.sharing.get() else { return };
        for (ix, row) in rows {
            if let Some(key) = sharing.find(ix, &row.key) {
                self.go_to(key, next_of(&row));
            }
        }
    }

    /// Runs have ended from which schedules count.
    pub(crate) fn count_delays(&self, delays: Vec<(JobIx, String, Timestamp)>) {
        let Some(sharing) = self.sharing.get() else { return };
        for (ix, key, next) in delays {
            let key = sharing.find(ix, &key);
            // Not of another definition, which is not awaited.
            if let Some(key) = key.filter(|key| self.read(|timers| timers.is_delay(*key))) {
                self.go_to(key, Some(next));
            }
        }
    }

    fn go_to(&self, key: ScheduleKey, next: Option<Timestamp>) {
        let now = self.clock.now();
        if self.lock().go_to(key, next, now) {
            self.earlier.notify_one();
        }
    }
}

/// The clock here is ahead of the server's, which it follows from its next answer on.
fn too_early() -> Trouble {
    Trouble::Passing("a slot has not come by the clock of the server".to_owned())
}

fn next_of(row: &InForce) -> Option<Timestamp> {
    row.next_slot.filter(|_| row.is_ours).map(Timestamp::from_chrono)
}

// What the task does.
impl Scheduler {
    /// Fires what comes, until the task is dropped.
    pub(super) async fn run_shared(&self, sharing: &Sharing) {
        // A task that has died may have had some in its hands.
        if self.resync(sharing, None).await.is_err() {
            tokio::time::sleep(AFTER_TROUBLE).await;
        }
        loop {
            if self.look_shared(sharing).await.is_err() {
                tokio::time::sleep(AFTER_TROUBLE).await;
            }
            self.sleep().await;
        }
    }

    /// Fires what has come. Where the server does not answer, or others hold what is wanted, it has come still at the next look.
    async fn look_shared(&self, sharing: &Sharing) -> Result<(), Trouble> {
        let mut come = Come::default();
        let (now, moved) = self.look_at_clock();
        come.heard = cfg!(feature = "metrics") || self.hooks.bus.is_heard();
        let due = self.lock().take_shared(now, &mut come);
        self.pool.release(&mut come.releases);
        #[cfg(feature = "testing")]
        self.die_if_killed(!due.is_empty());
        let (on_time, late): (Vec<_>, Vec<_>) = {
            let timers = self.lock();
            due.into_iter().partition(|key| !timers.is_missed(*key, now))
        };
        let firings = {
            let timers = self.lock();
            on_time.iter().filter_map(|key| timers.firing(*key)).collect::<Vec<_>>()
        };
        let mut result = self.fire_shared(sharing, firings, &mut come).await;
        if matches!(result, Ok(()) | Err(Trouble::Held)) && !late.is_empty() {
            let passed = self.pass_late(sharing, &late, moved.unwrap_or(Cause::Stalled), &mut come).await;
            result = passed.and(result);
        }
        if result.is_err() {
            let now = self.clock.now();
            // Those that have not gone on are due at once, and asked for again.
            self.lock().arm_again(on_time.iter().chain(&late), now);
        }
        self.tell_slots(&mut come);
        result
    }

    /// Asks for slots, and enters what became of them.
    async fn fire_shared(
        &self,
        sharing: &Sharing,
        firings: Vec<Firing>,
        come: &mut Come,
    ) -> Result<(), Trouble> {
        if firings.is_empty() {
            return Ok(());
        }
        let mut by_run = HashMap::new();
        let slots: Vec<_> = firings
            .into_iter()
            .filter_map(|firing| {
                let slot = self.slot_of(sharing, firing)?;
                by_run.insert(slot.run, firing);
                Some(slot)
            })
            .collect();
        let fired = sharing.node()?.ask(move |db| async move { db.fire(&slots).await }).await?;
        let now = self.clock.now();
        let (mut wake, mut held, mut early) = (false, false, Ok(()));
        for answer in fired {
            let Some(Firing { schedule, slot, .. }) = by_run.remove(&answer.run) else { continue };
            if answer.is_held {
                held = true;
                continue;
            }
            let mut timers = self.lock();
            if answer.became.is_none() && answer.is_ours && answer.next_slot == Some(slot.at.to_chrono()) {
                early = Err(too_early());
                continue;
            }
            let fate = match answer.became.as_deref() {
                Some("overlap") => Some(Fate::Skipped),
                Some("paused") => Some(Fate::Paused),
                Some(_) => timers.fate_of(schedule, slot),
                // Another process was faster, and knows.
                None if answer.is_ours => {
                    answer.before.as_deref().and_then(fate_of).map(|(fate, _)| fate).or(Some(Fate::Ran))
                }
                None => None,
            };
            if let Some(fate) = fate {
                timers.enter_fate(schedule, slot.at, fate, now, come);
            }
            let next = answer.next_slot.filter(|_| answer.is_ours).map(Timestamp::from_chrono);
            wake |= timers.go_to(schedule, next, now);
        }
        // Nothing is known there of those that are left: another version has taken their rows away.
        for Firing { schedule, .. } in by_run.into_values() {
            self.lock().go_to(schedule, None, now);
        }
        if wake {
            self.earlier.notify_one();
        }
        self.wake_node(sharing);
        if held { Err(Trouble::Held) } else { early }
    }

    fn wake_node(&self, sharing: &Sharing) {
        if let Some(node) = sharing.node.upgrade() {
            node.tell();
        }
    }

    fn slot_of(&self, sharing: &Sharing, firing: Firing) -> Option<postgres::Slot> {
        let Firing { schedule, slot, next } = firing;
        let shared = sharing.get(schedule)?;
        let (ix, fate) =
            self.read(|timers| Some((timers.get(schedule)?.job, timers.fate_of(schedule, slot)?)))?;
        let (queue, priority, retries, overlap) = self.pool.read(|memory| {
            let info = &memory.job(ix).info;
            let retries = info.attempts.retries(crate::job::options::Origin::Slot);
            (info.limits.queue.to_string(), info.limits.priority, retries, info.overlap)
        });
        Some(postgres::Slot {
            job: shared.job,
            key: shared.key,
            definition: shared.definition,
            slot: slot.at.to_chrono(),
            next: next.map(Timestamp::to_chrono),
            reason: match fate {
                Fate::CaughtUp => "caught up",
                Fate::Shifted => "shifted",
                _ => "ran",
            },
            run: self.pool.next_id().into(),
            queue,
            priority: priority.into(),
            retries: i32::try_from(retries).unwrap_or(i32::MAX),
            // What cannot be read fails when it runs.
            args: shared.args.unwrap_or_default(),
            overlap,
        })
    }

    /// Slots were noticed too late. Others may have fired them meanwhile; of those that nobody has, the policy says which are
    /// made up for.
    async fn pass_late(
        &self,
        sharing: &Sharing,
        late: &[ScheduleKey],
        cause: Cause,
        come: &mut Come,
    ) -> Result<(), Trouble> {
        self.resync(sharing, Some(late)).await?;
        let (mut schedules, mut slots, mut made_up) = (0, 0, 0);
        let mut held = false;
        for key in late {
            let now = self.clock.now();
            let is_paused = |job| self.pool.read_inside(|memory| memory.job(job).paused_since.is_some());
            let passed = self.lock().pass_shared(*key, now, cause, is_paused, come);
            let Some(passed) = passed else { continue };
            match self.pass_one(sharing, *key, &passed, come).await {
                Ok(true) => {
                    let missed = passed.entry.filter(|entry| entry.fate == Fate::Missed);
                    schedules += usize::from(missed.is_some());
                    slots += missed.map_or(0, |entry| entry.count);
                    made_up += passed.slots.iter().filter(|slot| slot.caught_up).count();
                }
                // Another process had the same to say.
                Ok(false) => {
                    self.resync(sharing, Some(&[*key])).await?;
                    if self.read(|timers| timers.get(*key)?.next_by_wall()) == Some(passed.from) {
                        return Err(too_early());
                    }
                }
                Err(trouble) => {
                    // It has come still, and is looked at anew.
                    self.go_to(*key, Some(passed.from));
                    if !matches!(trouble, Trouble::Held) {
                        return Err(trouble);
                    }
                    held = true;
                }
            }
        }
        if slots > 0 || made_up > 0 {
            let _ = panics::catch(|| telemetry::missed(schedules, slots, made_up as u64));
        }
        if held { Err(Trouble::Held) } else { Ok(()) }
    }

    /// Lets the row of a schedule pass over what was missed, and fires what is made up for. `false` when another process was
    /// faster.
    async fn pass_one(
        &self,
        sharing: &Sharing,
        key: ScheduleKey,
        passed: &Passed,
        come: &mut Come,
    ) -> Result<bool, Trouble> {
        let Some(shared) = sharing.get(key) else { return Ok(false) };
        if let Some(entry) = passed.entry {
            let row = postgres::Entry {
                first: entry.from.to_chrono(),
                last: entry.to.to_chrono(),
                count: i64::try_from(entry.count).unwrap_or(i64::MAX),
                reason: word_of(entry.fate, entry.cause),
            };
            let next = passed.slots.first().map_or(passed.next, |slot| Some(slot.at));
            let (from, next) = (passed.from.to_chrono(), next.map(Timestamp::to_chrono));
            let Shared { job, key, definition, .. } = shared;
            let of = Registration { job, key, definition, first: None, delay: None };
            let node = sharing.node()?;
            if !node.ask(move |db| async move { db.pass(&of, from, next, &row).await }).await? {
                return Ok(false);
            }
        }
        let followed = passed.slots.iter().skip(1).map(|slot| Some(slot.at)).chain([passed.next]);
        let firing = |(slot, next): (&Slot, _)| Firing { schedule: key, slot: *slot, next };
        let firings: Vec<_> = passed.slots.iter().zip(followed).map(firing).collect();
        match firings.is_empty() {
            true => self.go_to(key, passed.next),
            false => self.fire_shared(sharing, firings, come).await?,
        }
        Ok(true)
    }

    /// Takes over from the rows how things stand with schedules, or with all, and from the ledger what others have made of the
    /// slots of those that have moved.
    async fn resync(&self, sharing: &Sharing, keys: Option<&[ScheduleKey]>) -> Result<(), Trouble> {
        let registrations = match keys {
            Some(keys) => self.registrations_of(keys),
            None => self.registrations(),
        };
        if registrations.is_empty() {
            return Ok(());
        }
        let rows = sharing.node()?.ask(move |db| async move { db.in_force(&registrations).await }).await?;
        let (mut there, mut moved) = (HashSet::new(), HashMap::new());
        for row in rows {
            let ix = self.pool.read(|memory| memory.job_named(&row.job));
            if let Some(key) = ix.and_then(|ix| sharing.find(ix, &row.key)) {
                there.insert(key);
                let next = next_of(&row);
                let known = self.read(|timers| timers.get(key).and_then(Planned::next_by_wall));
                if next.is_some() && known != next {
                    moved.insert((row.job, row.key), key);
                }
                self.go_to(key, next);
            }
        }
        for key in keys.unwrap_or_default().iter().filter(|key| !there.contains(key)) {
            self.go_to(*key, None);
        }
        self.learn(sharing, moved).await
    }

    async fn learn(
        &self,
        sharing: &Sharing,
        moved: HashMap<(String, String), ScheduleKey>,
    ) -> Result<(), Trouble> {
        if moved.is_empty() {
            return Ok(());
        }
        let most = self.read(Timers::most_entries);
        let names: Vec<_> = moved.keys().cloned().collect();
        let node = sharing.node()?;
        let ledgers = node.ask(move |db| async move {
            let names: Vec<_> = names.iter().map(|(job, key)| (job.as_str(), key.as_str())).collect();
            db.ledgers(&names, most).await
        });
        let mut entries = HashMap::<ScheduleKey, Vec<Entry>>::new();
        for (job, key, entry) in ledgers.await? {
            if let (Some(key), Some(entry)) = (moved.get(&(job, key)), entry_of(&entry)) {
                entries.entry(*key).or_default().push(entry);
            }
        }
        let mut timers = self.lock();
        moved.into_values().for_each(|key| timers.learn(key, entries.remove(&key).unwrap_or_default()));
        Ok(())
    }
}

//! One walk: a program that does everything at random, and what is checked after every step.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::testing::{self, Fault, TestClock, TestJobs};
use jobs::{Config, JobSnapshot, MadeBy, Outcome, RunHandle, RunSnapshot, RunState, ScheduleHandle};

use crate::book::{Book, End, Limits};
use crate::limits;
use crate::program::{
    How, JOBS, RETRIES, Script, TIMEOUT, allow, buffer_all, buffer_one, cancel_other, skip,
};
use crate::support::seeds::Rng;
use crate::support::utc;

/// How often runs came to what, over all walks.
pub(crate) static SEEN: Mutex<BTreeMap<&str, usize>> = Mutex::new(BTreeMap::new());

/// What may happen around the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Surroundings {
    Kind,
    /// Kind, and with queues, priorities, `concurrency` and `rate`.
    Limited,
    Hostile,
}

/// A run that the walk has submitted.
struct Submitted {
    job: &'static str,
    handle: RunHandle,
    /// None where it has the arguments of some schedule.
    script: Option<Script>,
    /// When it may start, by the clock that nobody sets; none where it follows the one on the wall.
    not_before: Option<DateTime<Utc>>,
    at_once: bool,
    cancelled: bool,
}

struct Walk {
    rng: Rng,
    test: TestJobs,
    book: Book,
    elapsed: TestClock,
    suspended: Duration,
    submitted: Vec<Submitted>,
    schedules: Vec<(&'static str, ScheduleHandle)>,
    /// How many slots ran of schedules that were removed.
    slots: HashMap<&'static str, u64>,
    tags: u64,
    pool: usize,
    limits: HashMap<&'static str, Limits>,
    surroundings: Surroundings,
    durable: bool,
    /// What is delayed follows the clock on the wall, which is that of a server.
    by_wall: bool,
    workers_died: bool,
}

pub(crate) async fn walk(seed: u64, surroundings: Surroundings, store: &str) {
    let mut rng = Rng::new(seed);
    let pool = 1 + rng.below(4) as usize;
    let elapsed = TestClock::at(utc("2000-01-01 00:00:00"));
    let limits =
        if surroundings == Surroundings::Limited { limits::random(&mut rng) } else { HashMap::new() };
    let book = Book::new(pool, limits.clone(), elapsed.clone());
    let shutdown_timeout = rng.up_to(Duration::from_secs(20));
    let config = Config::default().store(store).pool(pool as i64).state(book.clone());
    let config = limits::limited(config.shutdown_timeout(shutdown_timeout), &limits);
    let test = testing::start(config).at(utc("2026-03-02 12:00:00")).seed(seed).await;
    let mut walk = Walk {
        rng,
        test,
        book,
        elapsed,
        suspended: Duration::ZERO,
        submitted: Vec::new(),
        schedules: Vec::new(),
        slots: HashMap::new(),
        tags: 0,
        pool,
        limits,
        surroundings,
        durable: store != "memory",
        by_wall: store.starts_with("postgres"),
        workers_died: false,
    };
    for _ in 0..80 {
        walk.step().await;
        walk.check().await;
    }
    walk.end().await;
}

/// The outcome of a run that has ended; a server may have to be asked for it.
async fn outcome_of(handle: &RunHandle) -> Option<Outcome> {
    tokio::time::timeout(Duration::from_millis(1), handle.wait()).await.ok()
}

impl Walk {
    async fn step(&mut self) {
        match self.rng.below(20) {
            0..6 => self.submit(0).await,
            6..8 => {
                let delay = self.rng.up_to(Duration::from_secs(30));
                self.submit(delay.as_millis() as i64).await;
            }
            8 if self.rng.one_in(2) => self.submit(-1).await,
            8 => self.submit_twice().await,
            9 => {
                let job = *self.rng.pick(&JOBS);
                let handle = self.test.run_now(job).await.unwrap();
                self.keep(job, handle, None, None, true);
            }
            10..12 => self.schedule().await,
            12 => self.unschedule().await,
            13 => self.cancel().await,
            14 => {
                let job = *self.rng.pick(&JOBS);
                if self.rng.one_in(2) {
                    self.test.pause(job).await.unwrap();
                } else {
                    self.test.resume(job).await.unwrap();
                }
            }
            15 if self.surroundings == Surroundings::Hostile => self.break_something().await,
            _ => {
                let by = self.rng.up_to(Duration::from_secs(12));
                self.test.advance(by).await;
            }
        }
    }

    fn script(&mut self) -> Script {
        let fails = if self.rng.one_in(2) { 0 } else { self.rng.below(u64::from(RETRIES) + 3) as u32 };
        let how =
            *self.rng.pick(&[How::Error, How::Error, How::RetryIn, How::RetryIn, How::Panic, How::Discard]);
        let takes = match self.rng.below(6) {
            0 => Duration::ZERO,
            1 => self.rng.up_to(Duration::from_secs(20)),
            _ => self.rng.up_to(Duration::from_secs(3)),
        };
        Script { fails, how, takes, cron: None }
    }

    fn keep(
        &mut self,
        job: &'static str,
        handle: RunHandle,
        script: Option<Script>,
        not_before: Option<DateTime<Utc>>,
        at_once: bool,
    ) {
        self.submitted.push(Submitted { job, handle, script, not_before, at_once, cancelled: false });
    }

    /// At once, after so many milliseconds, or, where that is negative, at an instant.
    async fn submit(&mut self, millis: i64) {
        let script = self.script();
        let delay = Duration::from_millis(millis.unsigned_abs());
        let at = (millis < 0).then(|| self.test.now_utc() + TimeDelta::seconds(self.rng.within(-5, 30)));
        // What was suspended before does not count.
        let not_before = at.is_none().then(|| self.elapsed.now() + delay + self.suspended);
        macro_rules! submit {
            ($job:ident) => {{
                let value = $job { script: script.clone() };
                match at {
                    Some(at) => self.test.jobs().at(at, value).await,
                    None if millis == 0 => self.test.jobs().now(value).await,
                    None => self.test.jobs().after(delay, value).await,
                }
            }};
        }
        let job = *self.rng.pick(&JOBS);
        let handle = match job {
            "allow" => submit!(allow),
            "buffer_all" => submit!(buffer_all),
            "buffer_one" => submit!(buffer_one),
            "cancel_other" => submit!(cancel_other),
            _ => submit!(skip),
        };
        self.keep(job, handle.unwrap(), Some(script), not_before, millis == 0);
    }

    /// Two submissions with the same arguments, which say that they are one.
    async fn submit_twice(&mut self) {
        let script = self.script();
        let job = skip { script: script.clone() };
        let not_before = self.elapsed.now() + self.suspended;
        let first = self.test.jobs().now(job.clone()).unique().await.unwrap();
        let again = self.test.jobs().now(job).unique().await.unwrap();
        let ended = outcome_of(&first).await.is_some();
        assert!(again.is_duplicate() && again.id() == first.id() || ended, "two runs are live that are one");
        if !first.is_duplicate() {
            self.keep("skip", first, Some(script), Some(not_before), true);
        }
    }

    async fn schedule(&mut self) {
        let mut script = self.script();
        let cron = self.rng.one_in(2);
        if cron {
            self.tags += 1;
            script.cron = Some(self.tags);
        }
        let seconds = self.rng.within(1, 9);
        macro_rules! schedule {
            ($job:ident) => {{
                let value = $job { script };
                match cron {
                    true => self.test.schedule(&format!("*/{seconds} * * * * *"), value).await,
                    false => self.test.every(Duration::from_millis(seconds as u64 * 700), value).await,
                }
            }};
        }
        let job = *self.rng.pick(&JOBS);
        let schedule = match job {
            "allow" => schedule!(allow),
            "buffer_all" => schedule!(buffer_all),
            "buffer_one" => schedule!(buffer_one),
            "cancel_other" => schedule!(cancel_other),
            _ => schedule!(skip),
        };
        self.schedules.push((job, schedule.unwrap()));
        // More than a few and nothing but slots would run.
        if self.schedules.len() > 3 {
            self.remove(0).await;
        }
    }

    /// Takes a schedule out, and its ledger with it.
    async fn remove(&mut self, index: usize) {
        let (job, schedule) = self.schedules.swap_remove(index);
        let key = schedule.key().expect("it is there");
        *self.slots.entry(job).or_default() += self.test.ledger(job).unwrap().schedule(key).tally().ran;
        assert!(schedule.remove().await);
    }

    async fn unschedule(&mut self) {
        if !self.schedules.is_empty() {
            let index = self.rng.below(self.schedules.len() as u64) as usize;
            self.remove(index).await;
        }
    }

    async fn cancel(&mut self) {
        if self.submitted.is_empty() {
            return;
        }
        // Those of late: others have ended.
        let recent = (self.submitted.len() as u64).min(8);
        let index = self.submitted.len() - 1 - self.rng.below(recent) as usize;
        let told = self.submitted[index].handle.cancel().await;
        self.submitted[index].cancelled |= told;
        // Cancelled twice is cancelled once, and a run that has ended is told to have.
        if !told {
            let outcome = outcome_of(&self.submitted[index].handle).await;
            assert!(outcome.is_some(), "a run that cannot be cancelled has no outcome");
        }
    }

    async fn break_something(&mut self) {
        match self.rng.below(5) {
            0 => {
                let by = TimeDelta::milliseconds(self.rng.within(-90_000, 90_000));
                self.test.step(by).await;
            }
            1 => {
                let by = self.rng.up_to(Duration::from_secs(100));
                self.suspended += by;
                self.test.suspend(by).await;
            }
            2 => self.test.kill_scheduler(),
            3 => {
                let job = *self.rng.pick(&JOBS);
                self.workers_died = true;
                self.test.inject(job, Fault::WorkerDies);
            }
            _ => {
                let job = *self.rng.pick(&JOBS);
                let fault =
                    self.rng.pick(&[Fault::Hang, Fault::Slow(TIMEOUT / 2), Fault::Slow(TIMEOUT)]).clone();
                self.test.inject(job, fault);
            }
        }
    }

    /// What must hold at every moment.
    async fn check(&mut self) {
        self.test.settle().await;
        let wrong = self.book.wrong();
        assert!(wrong.is_empty(), "{wrong:#?}; limits: {:?}", self.limits);
        let snapshot = self.test.snapshot();
        let mut sums = (0, 0);
        for job in JOBS.iter().map(|name| snapshot.job(name).expect("every job is there")) {
            let name = job.name.as_str();
            sums.0 += job.running;
            sums.1 += job.queued;
            if self.surroundings != Surroundings::Hostile {
                assert_eq!(job.running, self.book.running(name), "running of {name}:\n{snapshot}");
            } else {
                // An attempt that hangs by a fault is not in the book.
                assert!(job.running >= self.book.running(name), "running of {name}:\n{snapshot}");
            }
            let most = match name {
                "allow" | "skip" => 0,
                "buffer_one" => 1,
                // The newest waits for the end of the one before.
                "cancel_other" => 1,
                _ => usize::MAX,
            };
            assert!(job.waiting <= most, "{} of {name} wait:\n{snapshot}", job.waiting);
        }
        assert_eq!((snapshot.pool.running, snapshot.pool.queued), sums, "{snapshot}");
        assert!(snapshot.pool.running <= self.pool, "{snapshot}");
        // Where a place is free, limits hold back whatever is queued.
        let free = snapshot.pool.running < self.pool;
        for job in snapshot.jobs.iter().filter(|job| free && job.queued > 0) {
            let limits = self.limits.get(job.name.as_str()).cloned().unwrap_or_default();
            let in_queue = |other: &JobSnapshot| {
                self.limits.get(other.name.as_str()).is_some_and(|other| other.queue == limits.queue)
            };
            let queue: usize = snapshot.jobs.iter().filter(|job| in_queue(job)).map(|job| job.running).sum();
            let held = limits.rate.is_some()
                || limits.concurrency.is_some_and(|most| job.running >= most)
                || limits.queue.is_some_and(|(_, most)| queue >= most);
            assert!(held, "a place is free for {}, of which runs are queued:\n{snapshot}", job.name);
        }
    }

    async fn end(mut self) {
        let settles = self.rng.one_in(2);
        if settles {
            // Everything comes to its end by itself.
            while !self.schedules.is_empty() {
                self.remove(0).await;
            }
            self.test.advance(Duration::from_secs(6 * 3600)).await;
            self.test.idle().await;
            self.check().await;
            let snapshot = self.test.snapshot();
            for job in &snapshot.jobs {
                let counts = (job.running, job.queued, job.waiting, job.delayed);
                // An instant may have been set out of reach.
                let at_rest = counts == (0, 0, 0, 0) || self.surroundings == Surroundings::Hostile;
                assert!(at_rest, "does not come to rest:\n{snapshot}");
            }
            self.outcomes(true).await;
            self.records().await;
        }
        let report = self.test.shutdown().await;
        self.outcomes(false).await;
        assert_eq!(report.still_running, 0);
        assert!(!settles || report.is_clean() || self.surroundings == Surroundings::Hostile, "{report}");
        self.test.settle().await;
        for name in JOBS {
            assert_eq!(self.book.running(name), 0, "executes after the shutdown");
        }
        let wrong = self.book.wrong();
        assert!(wrong.is_empty(), "{wrong:#?}");
        self.order();
    }

    /// Every run has an outcome, which fits what its attempts did.
    async fn outcomes(&mut self, alive: bool) {
        for submitted in &self.submitted {
            let Submitted { handle, script, not_before, cancelled, .. } = submitted;
            let outcome = outcome_of(handle).await;
            if alive && self.surroundings == Surroundings::Hostile && outcome.is_none() {
                continue;
            }
            let outcome = outcome.unwrap_or_else(|| panic!("{} has no outcome: {script:?}", handle.id()));
            let tries = self.book.tries(handle.id());
            let of = || format!("{outcome} of {} with {script:?}, after {tries:?}", handle.id());
            self.book.ended(handle.id());
            let last = tries.last().and_then(|last| last.end);
            let fits = match &outcome {
                Outcome::Succeeded => last == Some(End::Ok),
                // The third worker that dies over a run ends it.
                Outcome::Failed(why) => {
                    last == Some(End::Err) || self.workers_died && why.contains("workers")
                }
                Outcome::Panicked(_) => last == Some(End::Panic),
                Outcome::Discarded(_) => {
                    last == Some(End::Err) && script.as_ref().is_none_or(|script| script.how == How::Discard)
                }
                Outcome::TimedOut(after) => {
                    *after == TIMEOUT
                        && (last == Some(End::Dropped) || self.surroundings == Surroundings::Hostile)
                }
                Outcome::Cancelled => *cancelled && last != Some(End::Ok),
                Outcome::Interrupted => {
                    let dropped = last == Some(End::Dropped) || self.surroundings == Surroundings::Hostile;
                    // On a durable store it goes on with the next process.
                    !alive && (dropped || self.durable && last != Some(End::Ok)) || self.workers_died
                }
                Outcome::Lost => !alive && last != Some(End::Ok),
                _ => false,
            };
            assert!(fits, "{}", of());
            *SEEN.lock().unwrap().entry(outcome.as_str()).or_default() += 1;
            if self.surroundings != Surroundings::Hostile {
                let numbers = tries.iter().map(|attempt| attempt.attempt);
                assert!(numbers.eq(1..=tries.len() as u32), "{}", of());
                let gave_up =
                    matches!(outcome, Outcome::Failed(_) | Outcome::Panicked(_) | Outcome::TimedOut(_));
                // One that was cancelled when its attempt had failed already is not tried again.
                assert!(!gave_up || *cancelled || tries.len() as u32 == RETRIES + 1, "{}", of());
                let told: Vec<_> = handle.attempts().iter().map(|attempt| attempt.number).collect();
                assert!(told.len() == tries.len(), "{told:?} were told, {}", of());
            }
            let may_jump = self.by_wall && self.surroundings == Surroundings::Hostile;
            if let (Some(not_before), Some(first), false) = (not_before, tries.first(), may_jump) {
                let began = first.began + self.suspended;
                assert!(began >= *not_before, "too early, {began} and not {not_before}: {}", of());
            }
        }
    }

    /// Every run is on record, once: those that were submitted, and one for each slot that ran.
    async fn records(&self) {
        for name in JOBS {
            let runs = self.test.runs().job(name).limit(100_000).list().await;
            let ids: HashSet<_> = runs.iter().map(|run| run.id).collect();
            assert_eq!(ids.len(), runs.len(), "a run of {name} is on record twice");
            let of_job = self.submitted.iter().filter(|submitted| submitted.job == name);
            for submitted in of_job {
                let state = runs.iter().find(|run| run.id == submitted.handle.id()).map(|run| run.state);
                let ended = state.is_some_and(RunState::is_final);
                assert!(ended || self.surroundings == Surroundings::Hostile, "{name} is {state:?}");
            }
            let tally = self.slots.get(name).copied().unwrap_or_default();
            let of_slot = |run: &&RunSnapshot| matches!(run.made_by, MadeBy::Slot { .. });
            let of_slots = runs.iter().filter(of_slot).count() as u64;
            assert!(
                of_slots == tally || self.surroundings == Surroundings::Hostile,
                "{of_slots} runs for {tally} slots of {name}"
            );
        }
    }

    /// What is submitted first starts first: of all jobs, and where they have limits of each.
    fn order(&self) {
        if self.surroundings == Surroundings::Hostile {
            return;
        }
        let place: HashMap<_, _> =
            self.book.order().into_iter().enumerate().map(|(place, id)| (id, place)).collect();
        let mut groups: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for submitted in self.submitted.iter().filter(|submitted| submitted.at_once) {
            let group = if self.limits.is_empty() { "all" } else { submitted.job };
            if let Some(place) = place.get(&submitted.handle.id()) {
                groups.entry(group).or_default().push(*place);
            }
        }
        for (group, places) in groups {
            assert!(places.is_sorted(), "{group}: {places:?}");
        }
    }
}

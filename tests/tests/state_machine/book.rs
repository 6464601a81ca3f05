//! What jobs write down about their attempts, checked as it is written.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::testing::TestClock;
use jobs::{JobContext, RunId};

/// How an attempt came to its end, as the job itself saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Ok,
    Err,
    Panic,
    /// The future was dropped: cancelled, timed out, or interrupted.
    Dropped,
}

#[derive(Debug, Clone)]
pub(crate) struct Try {
    pub attempt: u32,
    /// By a clock that nobody sets.
    pub began: DateTime<Utc>,
    pub end: Option<End>,
}

/// What limits the runs of a job beside the pool.
#[derive(Debug, Clone, Default)]
pub(crate) struct Limits {
    /// With how many of its runs may execute.
    pub(crate) queue: Option<(&'static str, usize)>,
    pub(crate) priority: i8,
    pub(crate) concurrency: Option<usize>,
    /// So many attempts may start in so much time.
    pub(crate) rate: Option<(u32, Duration)>,
}

#[derive(Debug)]
struct Pages {
    pool: usize,
    limits: HashMap<&'static str, Limits>,
    /// When attempts of a job began.
    starts: HashMap<String, Vec<DateTime<Utc>>>,
    running: HashMap<RunId, String>,
    /// Of a job with a policy other than `allow`, the run of a slot that executes.
    slot_of: HashMap<String, RunId>,
    tries: BTreeMap<RunId, Vec<Try>>,
    /// Cron slots by the tag of their schedule.
    slots: HashMap<(u64, DateTime<Utc>), RunId>,
    /// The order in which first attempts of runs began.
    order: Vec<RunId>,
    ended_ids: HashSet<RunId>,
    wrong: Vec<String>,
}

impl Pages {
    /// The limits that an attempt of a job exceeds which begins now.
    fn exceeded(&mut self, job: &str, now: DateTime<Utc>) -> Vec<String> {
        let starts = self.starts.entry(job.to_owned()).or_default();
        starts.push(now);
        let Some(limits) = self.limits.get(job) else { return Vec::new() };
        let mut wrong = Vec::new();
        let of = |counts: &dyn Fn(&str) -> bool| self.running.values().filter(|job| counts(job)).count();
        if let Some(most) = limits.concurrency {
            let running = of(&|other| other == job);
            if running > most {
                wrong.push(format!("{running} of {job} execute, of which {most} may"));
            }
        }
        if let Some((queue, most)) = limits.queue {
            let in_queue = |job: &str| self.limits.get(job).is_some_and(|other| other.queue == limits.queue);
            let running = of(&in_queue);
            if running > most {
                let running = &self.running;
                wrong.push(format!("of the queue {queue} execute {running:?}, of which {most} may"));
            }
        }
        if let Some((most, per)) = limits.rate {
            for (before, first) in starts.iter().rev().enumerate() {
                // A bucket that was full at the first of them, and what has flown in since.
                let since = (now - *first).as_seconds_f64();
                let may = f64::from(most) * (1.0 + since / per.as_secs_f64());
                if (before + 1) as f64 > may + 1e-6 {
                    wrong.push(format!("{} attempts of {job} in {since} s, of which {may} may", before + 1));
                }
            }
        }
        wrong
    }
}

/// What jobs write down about their attempts.
#[derive(Debug, Clone)]
pub(crate) struct Book {
    pages: Arc<Mutex<Pages>>,
    /// Elapsed time.
    clock: TestClock,
}

impl Book {
    pub(crate) fn new(pool: usize, limits: HashMap<&'static str, Limits>, clock: TestClock) -> Self {
        let pages = Pages {
            pool,
            limits,
            starts: HashMap::new(),
            running: HashMap::new(),
            slot_of: HashMap::new(),
            tries: BTreeMap::new(),
            slots: HashMap::new(),
            order: Vec::new(),
            ended_ids: HashSet::new(),
            wrong: Vec::new(),
        };
        Self { pages: Arc::new(Mutex::new(pages)), clock }
    }

    fn pages<R>(&self, f: impl FnOnce(&mut Pages) -> R) -> R {
        f(&mut self.pages.lock().unwrap())
    }

    /// An attempt begins. `cron` is the tag of the cron schedule that made its run.
    pub(crate) fn begin(&self, cx: &JobContext, cron: Option<u64>) -> Page {
        let (id, job, attempt, now) = (cx.id(), cx.job().to_owned(), cx.attempt(), self.clock.now());
        self.pages(|pages| {
            let mut wrong = Vec::new();
            if pages.running.insert(id, job.clone()).is_some() {
                wrong.push(format!("{id} of {job} executes twice at once"));
            }
            if pages.running.len() > pages.pool {
                wrong.push(format!("{} execute in a pool of {}", pages.running.len(), pages.pool));
            }
            wrong.extend(pages.exceeded(&job, now));
            if pages.ended_ids.contains(&id) {
                wrong.push(format!("{id} of {job} executes after its end"));
            }
            if cx.slot().is_some()
                && job != "allow"
                && let Some(other) = pages.slot_of.insert(job.clone(), id)
            {
                wrong.push(format!("{id} and {other} are of slots of {job}, and execute side by side"));
            }
            if let (Some(tag), Some(slot)) = (cron, cx.slot())
                && let Some(other) = pages.slots.insert((tag, slot), id)
                && other != id
            {
                wrong.push(format!("the slot {slot} of schedule {tag} has two runs, {other} and {id}"));
            }
            let tries = pages.tries.entry(id).or_default();
            if tries.last().is_some_and(|last| last.end.is_none() || last.attempt >= attempt) {
                wrong.push(format!("attempt {attempt} of {id} follows {tries:?}"));
            }
            if tries.is_empty() {
                pages.order.push(id);
            }
            tries.push(Try { attempt, began: now, end: None });
            pages.wrong.append(&mut wrong);
        });
        Page { book: self.clone(), id, job, ended: false }
    }

    /// The run has been told to have ended.
    pub(crate) fn ended(&self, id: RunId) {
        self.pages(|pages| {
            pages.ended_ids.insert(id);
            if pages.running.contains_key(&id) {
                pages.wrong.push(format!("{id} has ended, and executes"));
            }
        });
    }

    pub(crate) fn tries(&self, id: RunId) -> Vec<Try> {
        self.pages(|pages| pages.tries.get(&id).cloned().unwrap_or_default())
    }

    /// In the order of their first attempts.
    pub(crate) fn order(&self) -> Vec<RunId> {
        self.pages(|pages| pages.order.clone())
    }

    pub(crate) fn running(&self, job: &str) -> usize {
        self.pages(|pages| pages.running.values().filter(|running| *running == job).count())
    }

    /// What was found wrong.
    pub(crate) fn wrong(&self) -> Vec<String> {
        self.pages(|pages| pages.wrong.clone())
    }
}

/// An attempt that goes on.
#[derive(Debug)]
pub(crate) struct Page {
    book: Book,
    id: RunId,
    job: String,
    ended: bool,
}

impl Page {
    pub(crate) fn end(mut self, end: End) {
        self.close(end);
    }

    fn close(&mut self, end: End) {
        self.ended = true;
        self.book.pages(|pages| {
            pages.running.remove(&self.id);
            if pages.slot_of.get(&self.job) == Some(&self.id) {
                pages.slot_of.remove(&self.job);
            }
            if let Some(last) = pages.tries.get_mut(&self.id).and_then(|tries| tries.last_mut()) {
                last.end = Some(end);
            }
        });
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        if !self.ended {
            self.close(End::Dropped);
        }
    }
}

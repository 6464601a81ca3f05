//! Claims against a naive model: a list of runs, searched from its beginning for the one whose turn it is.

use std::num::NonZeroU32;

use jobs_syntax::{Overlap, Rate};

use super::super::tests::{Random, body, info, now, settle};
use super::super::{Arrival, Cancel, HeldBack, Memory, RunOptions};
use super::*;
use crate::job::info::JobInfo;
use crate::job::options::{Limits, Origin};
use crate::job::run::Outcome;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Is {
    /// With its place in the order of those that became available.
    Available(u64),
    Running,
    Delayed,
    Ended,
}

#[derive(Debug)]
struct ModelRun {
    key: RunKey,
    job: usize,
    queue: usize,
    priority: i8,
    is: Is,
}

/// Tokens, by the definition: so many at first, and one more each time that its share of the period has passed, up to so many.
#[derive(Debug)]
struct ModelBucket {
    rate: Rate,
    /// In nanoseconds of the period, of which a token is one whole.
    level: u128,
    at: u128,
}

impl ModelBucket {
    fn look(&mut self, at: u128) -> bool {
        let (count, per) = (u128::from(self.rate.count().get()), self.rate.per().as_nanos());
        self.level = (self.level + (at - self.at) * count).min(count * per);
        self.at = at;
        self.level >= per
    }

    fn take(&mut self) {
        self.level -= self.rate.per().as_nanos();
    }
}

struct Walk {
    random: Random,
    memory: Memory,
    jobs: Vec<JobIx>,
    concurrency: Vec<Option<usize>>,
    buckets: Vec<Option<ModelBucket>>,
    /// Which jobs are plain functions, and how many of these may run.
    threaded: Vec<bool>,
    threads: usize,
    priorities: Vec<i8>,
    queues: Vec<QueueIx>,
    sizes: Vec<Option<usize>>,
    paused: Vec<bool>,
    runs: Vec<ModelRun>,
    order: u64,
    claims: u64,
    elapsed: u128,
    timers: Vec<(u128, RunKey)>,
}

fn limited(name: &'static str, limits: Limits) -> JobInfo {
    JobInfo { limits, ..info(name, Overlap::Allow) }
}

fn reading(elapsed: u128) -> Reading {
    let nanos = u64::try_from(elapsed).unwrap();
    Reading { elapsed: Elapsed::ZERO.saturating_add(Duration::from_nanos(nanos)), wall: now() }
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut random = Random(seed);
        let mut memory = Memory::new(seed);
        let names = ["default", "mail", "slow", "bulk"];
        let sizes: Vec<_> =
            names.iter().map(|_| random.of(&[None, None, Some(1), Some(3)]).unwrap()).collect();
        let queues: Vec<_> = names.iter().map(|name| memory.queue_named(name).unwrap()).collect();
        for (queue, size) in queues.iter().zip(&sizes) {
            memory.limit_queue(*queue, size.and_then(NonZeroUsize::new));
        }
        let threads = random.of(&[1000, 3, 1]).unwrap();
        memory.queues.limit_threads(threads);
        let mut walk = Self {
            threaded: Vec::new(),
            threads,
            random,
            memory,
            jobs: Vec::new(),
            concurrency: Vec::new(),
            buckets: Vec::new(),
            priorities: Vec::new(),
            paused: vec![false; names.len()],
            queues,
            sizes,
            runs: Vec::new(),
            order: 0,
            claims: 0,
            elapsed: 0,
            timers: Vec::new(),
        };
        for name in ["a", "b", "c", "d", "e"] {
            let concurrency = walk.random.of(&[None, None, Some(1), Some(2)]).unwrap();
            let rate = walk.random.of(&[None, None, Some((1, 70)), Some((3, 1000)), Some((7, 100))]).unwrap();
            let rate = rate.map(|(count, millis)| {
                Rate::new(NonZeroU32::new(count).unwrap(), Duration::from_millis(millis)).unwrap()
            });
            let priority = walk.random.of(&[0, 0, 0, -100, 7, 100]).unwrap();
            let queue = names[if walk.random.below(2) == 0 { 0 } else { walk.random.below(4) }];
            let limits = Limits {
                queue: queue.into(),
                priority,
                concurrency: concurrency.and_then(NonZeroU32::new),
                rate,
                unique: None,
            };
            walk.jobs.push(walk.memory.bind_job(limited(name, limits)).unwrap());
            let threaded = walk.random.below(3) == 0;
            let account = walk.memory.job_mut(walk.jobs[walk.threaded.len()]);
            account.lane = account.lane.threaded(threaded);
            walk.threaded.push(threaded);
            walk.concurrency.push(concurrency.map(|limit| limit as usize));
            walk.priorities.push(priority);
            walk.buckets.push(rate.map(|rate| ModelBucket {
                rate,
                level: u128::from(rate.count().get()) * rate.per().as_nanos(),
                at: 0,
            }));
        }
        walk
    }

    fn count(&self, is: impl Fn(&ModelRun) -> bool) -> usize {
        self.runs.iter().filter(|run| is(run)).count()
    }

    fn queue_of(&self, job: usize) -> usize {
        let lane = self.memory.job(self.jobs[job]).lane;
        self.queues.iter().position(|queue| *queue == lane.queue()).unwrap()
    }

    fn next(&mut self) -> Is {
        self.order += 1;
        Is::Available(self.order)
    }

    fn submit(&mut self) {
        let job = self.random.below(self.jobs.len());
        let queue = (self.random.below(4) == 0).then(|| self.random.below(self.queues.len()));
        let priority = (self.random.below(4) == 0).then(|| self.random.of(&[-100, -1, 0, 7, 100]).unwrap());
        let options =
            RunOptions { queue: queue.map(|queue| self.queues[queue]), priority, retries: Some(1000) };
        let (ix, at) = (self.jobs[job], now());
        let queue = queue.unwrap_or_else(|| self.queue_of(job));
        let priority = priority.unwrap_or(self.priorities[job]);
        let (key, is) = if self.random.below(6) == 0 {
            (self.memory.delay(ix, body(), options, at, at).1, Is::Delayed)
        } else {
            let (id, key) = (self.memory.ids().next(at), self.memory.reserve());
            let origin = Origin::Submission;
            self.memory.accept(Arrival { id, key, job: ix, body: body(), origin, options, now: at });
            (key, self.next())
        };
        self.runs.push(ModelRun { key, job, queue, priority, is });
    }

    /// The run that is to be claimed, by the rules and nothing else.
    fn wanted(&mut self) -> Option<usize> {
        let running = |is: &dyn Fn(&ModelRun) -> bool| self.count(|run| run.is == Is::Running && is(run));
        let queues: Vec<_> = (0..self.queues.len())
            .map(|at| {
                !self.paused[at] && self.sizes[at].is_none_or(|size| running(&|run| run.queue == at) < size)
            })
            .collect();
        let free: Vec<_> = (0..self.jobs.len())
            .map(|at| self.concurrency[at].is_none_or(|most| running(&|run| run.job == at) < most))
            .collect();
        let has_thread = running(&|run| self.threaded[run.job]) < self.threads;
        let elapsed = self.elapsed;
        let has_token: Vec<_> = self
            .buckets
            .iter_mut()
            .map(|bucket| bucket.as_mut().is_none_or(|bucket| bucket.look(elapsed)))
            .collect();
        let threaded = &self.threaded;
        let candidates = self.runs.iter().enumerate().filter_map(|(at, run)| match run.is {
            Is::Available(order)
                if queues[run.queue]
                    && free[run.job]
                    && has_token[run.job]
                    && (has_thread || !threaded[run.job]) =>
            {
                Some((at, run.priority, order))
            }
            _ => None,
        });
        let chosen = if self.claims % 8 == 7 {
            candidates.min_by_key(|(_, _, order)| *order)
        } else {
            candidates.min_by_key(|(_, priority, order)| (-i16::from(*priority), *order))
        };
        chosen.map(|(at, ..)| at)
    }

    fn claim(&mut self, at: &str) {
        let wanted = self.wanted();
        let claimable = self.memory.claimable();
        let claim = self.memory.claim(0, reading(self.elapsed));
        assert_eq!(claim.as_ref().map(|claim| claim.key), wanted.map(|at| self.runs[at].key), "{at}");
        for Refill { ticket, after } in self.memory.take_refills() {
            self.timers.push((self.elapsed + after.as_nanos(), ticket));
        }
        // Else those who find nothing would call each other without end.
        assert_eq!(wanted.is_some(), claimable > 0, "{at}");
        let Some(run) = wanted else { return };
        assert!(claimable > 0, "{at}: nobody would have been called");
        self.claims += 1;
        self.runs[run].is = Is::Running;
        if let Some(bucket) = &mut self.buckets[self.runs[run].job] {
            bucket.take();
        }
    }

    fn any(&mut self, is: impl Fn(&ModelRun) -> bool) -> Option<usize> {
        let of: Vec<_> = (0..self.runs.len()).filter(|at| is(&self.runs[*at])).collect();
        self.random.of(&of)
    }

    fn end(&mut self) {
        let Some(run) = self.any(|run| run.is == Is::Running) else { return };
        let key = self.runs[run].key;
        if self.random.below(4) == 0 {
            let failed = Outcome::Failed("no".into());
            self.memory.retry(key, failed, None, body(), Duration::from_secs(1), now());
            self.runs[run].is = Is::Delayed;
        } else {
            settle(self.memory.finish(key, Outcome::Succeeded, None, None, now()));
            self.runs[run].is = Is::Ended;
        }
    }

    /// Lets time pass, and the timers go off when it has: perhaps a little late, as they do.
    fn pass(&mut self) {
        let by = self.random.below(40_000_000) as u128;
        self.elapsed += by;
        for (due, ticket) in std::mem::take(&mut self.timers) {
            if due > self.elapsed {
                self.timers.push((due, ticket));
                continue;
            }
            self.memory.refill(ticket, reading(self.elapsed).elapsed);
            assert!(self.memory.take_refills().is_empty(), "a timer that is not early finds a token");
        }
    }

    fn step(&mut self, at: &str) {
        match self.random.below(16) {
            0..5 => self.submit(),
            5..9 => self.claim(at),
            9..12 => self.end(),
            12 => {
                if let Some(run) = self.any(|run| run.is == Is::Delayed) {
                    assert!(self.memory.release(self.runs[run].key), "{at}");
                    self.runs[run].is = self.next();
                }
            }
            13 => {
                let waits = |run: &ModelRun| matches!(run.is, Is::Available(_) | Is::Delayed);
                if let Some(run) = self.any(waits) {
                    assert!(
                        matches!(self.memory.cancel(self.runs[run].key, now()), Cancel::Ended(_)),
                        "{at}"
                    );
                    self.runs[run].is = Is::Ended;
                }
            }
            14 => {
                let queue = self.random.below(self.queues.len());
                let paused = self.random.below(3) == 0;
                assert_eq!(self.memory.pause_queue(self.queues[queue], paused), self.paused[queue], "{at}");
                self.paused[queue] = paused;
            }
            _ => self.pass(),
        }
        self.check(at);
    }

    fn check(&self, at: &str) {
        let states: Vec<_> = self.memory.queues().collect();
        for (ix, state) in states.iter().enumerate() {
            let queue = state.queue;
            let of = |is: &dyn Fn(Is) -> bool| self.count(|run| run.queue == ix && is(run.is));
            let waiting = of(&|is| matches!(is, Is::Available(_)));
            assert_eq!((queue.waiting, queue.running), (waiting, of(&|is| is == Is::Running)), "{at}");
            assert_eq!(state.oldest.is_some(), waiting > 0, "{at}");
            assert!(self.sizes[ix].is_none_or(|size| queue.running <= size), "{at}");
            assert!(queue.shown <= queue.waiting, "{at}");
        }
        let on_threads = self.count(|run| run.is == Is::Running && self.threaded[run.job]);
        assert!(on_threads <= self.threads, "{at}");
        for (job, ix) in self.jobs.iter().enumerate() {
            let state = self.memory.job(*ix);
            let running = state.running as usize;
            assert_eq!(running, self.count(|run| run.job == job && run.is == Is::Running), "{at}");
            assert!(self.concurrency[job].is_none_or(|limit| running <= limit), "{at}");
        }
    }
}

#[test]
fn claims_agree_with_a_naive_model() {
    let mut claims = 0;
    for seed in 0..60 {
        let mut walk = Walk::new(seed);
        for step in 0..1000 {
            walk.step(&format!("seed {seed}, step {step}"));
            if walk.runs.len() > 60 {
                walk.runs.retain(|run| run.is != Is::Ended);
            }
        }
        claims += walk.claims;
        settle(walk.memory.drain(now()));
        assert_eq!((walk.memory.queued(), walk.memory.claimable()), (0, 0), "seed {seed}");
    }
    assert!(claims > 6_000, "{claims} claims");
}

/// Ten thousand runs of a job that may not start hold nobody up, and cost a claim nothing.
#[test]
fn what_is_held_back_is_not_looked_at() {
    let mut memory = Memory::new(0);
    let one = Limits { concurrency: NonZeroU32::new(1), ..Limits::DEFAULT };
    let slow = memory.bind_job(limited("slow", one)).unwrap();
    let fast = memory.bind_job(info("fast", Overlap::Allow)).unwrap();
    let submit = |memory: &mut Memory, job| memory.submit(job, body(), Origin::Submission, now()).1;
    let first = submit(&mut memory, slow);
    for _ in 0..10_000 {
        submit(&mut memory, slow);
    }
    let other = submit(&mut memory, fast);
    assert_eq!(memory.claim(0, reading(0)).map(|claim| claim.key), Some(first));
    assert_eq!((memory.claimable(), memory.queued()), (1, 10_001));
    assert_eq!(memory.claim(1, reading(0)).map(|claim| claim.key), Some(other));
    assert!(memory.claim(2, reading(0)).is_none());
}

/// Plain functions for which there is no thread hold up no others, and are called when there is one.
#[test]
fn plain_functions_without_a_thread_wait_in_the_queue() {
    let mut memory = Memory::new(0);
    memory.queues.limit_threads(2);
    let plain = memory.bind_job(info("plain", Overlap::Allow)).unwrap();
    memory.job_mut(plain).lane = memory.job(plain).lane.threaded(true);
    let other = memory.bind_job(info("other", Overlap::Allow)).unwrap();
    let submit = |memory: &mut Memory, job| memory.submit(job, body(), Origin::Submission, now()).1;
    let plains: Vec<_> = (0..5).map(|_| submit(&mut memory, plain)).collect();
    assert_eq!(memory.claimable(), 2);
    let claim = |memory: &mut Memory, worker| memory.claim(worker, reading(0)).map(|claim| claim.key);
    assert_eq!((claim(&mut memory, 0), claim(&mut memory, 1)), (Some(plains[0]), Some(plains[1])));
    assert_eq!((claim(&mut memory, 2), memory.claimable()), (None, 0));
    assert_eq!(memory.held_back(plain), Some(HeldBack::Threads(2)));
    let last = submit(&mut memory, other);
    assert_eq!((memory.held_back(other), memory.claimable()), (None, 1));
    assert_eq!(claim(&mut memory, 2), Some(last));
    assert!(memory.is_restricted(), "an end makes room for one that another worker is called for");
    memory.finish(plains[0], Outcome::Succeeded, None, None, now());
    assert_eq!((memory.claimable(), claim(&mut memory, 0)), (1, Some(plains[2])));
}

#[test]
fn what_is_cancelled_while_its_queue_is_paused_is_not_kept() {
    let mut memory = Memory::new(0);
    let job = memory.bind_job(info("a", Overlap::Allow)).unwrap();
    memory.pause_queue(QueueIx::DEFAULT, true);
    let mut kept = Vec::new();
    for number in 0..10_000 {
        let run = memory.submit(job, body(), Origin::Submission, now()).1;
        if number % 100 == 0 {
            kept.push(run);
        } else {
            let Cancel::Ended(ended) = memory.cancel(run, now()) else { panic!("it has not started") };
            ended.settle();
        }
    }
    assert!(memory.lanes.len() < 300, "{} places for {} runs", memory.lanes.len(), kept.len());
    memory.pause_queue(QueueIx::DEFAULT, false);
    let claimed = std::iter::from_fn(|| memory.claim(0, reading(0)).map(|claim| claim.key));
    assert_eq!(claimed.collect::<Vec<_>>(), kept);
}

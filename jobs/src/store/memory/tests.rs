//! The state machine of the store: single cases, and a model of all of it.

mod model;

use std::time::Duration;

use super::details::KEPT_ATTEMPTS;
use super::*;
use crate::clock::{Elapsed, Reading};
use crate::job::body::{Erased, Template};
use crate::job::options::AttemptOptions;
use crate::job::slot::Slot;

const RETRIES: u32 = 2;

/// A small generator of our own: the same numbers on every machine.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % bound as u64) as usize
    }

    pub(super) fn of<T: Copy>(&mut self, list: &[T]) -> Option<T> {
        if list.is_empty() { None } else { Some(list[self.below(list.len())]) }
    }
}

pub(super) fn body() -> Body {
    fn never() -> Erased {
        unreachable!("nothing is executed here")
    }
    Body::Template(Template::Make(never))
}

pub(super) fn info(name: &'static str, overlap: Overlap) -> JobInfo {
    JobInfo {
        name: JobName::Static(name),
        descriptor: None,
        overlap,
        limits: crate::job::options::Limits::DEFAULT,
        attempts: AttemptOptions { retries: Some(RETRIES), ..AttemptOptions::DEFAULT },
        enabled: true,
        is_func: true,
    }
}

pub(super) fn now() -> Timestamp {
    Timestamp::from_nanos(1_800_000_000_000_000_000)
}

pub(super) fn reading(wall: Timestamp) -> Reading {
    Reading { elapsed: Elapsed::ZERO, wall }
}

pub(super) fn settle(ended: impl IntoIterator<Item = Ended>) {
    ended.into_iter().for_each(Ended::settle);
}

fn occasion(at: Timestamp) -> Occasion {
    Occasion { slot: Slot::at(at), schedule: None, is_awaited: false }
}

/// Runs a job once, to its end at an instant.
fn run_once(memory: &mut Memory, job: JobIx, outcome: Outcome, at: Timestamp) -> RunKey {
    let (_, key) = memory.submit(job, body(), Origin::Submission, at);
    assert_eq!(memory.claim(0, reading(at)).unwrap().key, key);
    memory.finish(key, outcome, None, None, at);
    key
}

fn outcome(memory: &mut Memory, key: RunKey) -> Option<Outcome> {
    match memory.watch(key) {
        Watch::Ended(outcome) => Some(outcome),
        Watch::Gone => None,
        Watch::Pending(_) => panic!("the run has ended"),
    }
}

#[test]
fn the_last_runs_of_every_job_are_kept() {
    let mut memory = Memory::new(0);
    let count = 50;
    memory.retain(Retention { count, ..Retention::default() });
    let busy = memory.bind_job(info("a", Overlap::Skip)).unwrap();
    let quiet = memory.bind_job(info("b", Overlap::Skip)).unwrap();
    let only = run_once(&mut memory, quiet, Outcome::Succeeded, now());
    let failed = |i: usize| Outcome::Failed(i.to_string());
    let keys: Vec<_> = (0..count + 10).map(|i| run_once(&mut memory, busy, failed(i), now())).collect();
    assert_eq!(outcome(&mut memory, keys[9]), None);
    for at in [10, 11, count / 2, count + 9] {
        assert_eq!(outcome(&mut memory, keys[at]), Some(failed(at)));
    }
    assert_eq!(outcome(&mut memory, only), Some(Outcome::Succeeded), "one job does not push out another's");
    assert_eq!(memory.live(), 0);
}

#[test]
fn old_runs_are_forgotten_but_for_the_last_of_a_job() {
    let mut memory = Memory::new(0);
    let age = Duration::from_secs(3600);
    memory.retain(Retention { age, ..Retention::default() });
    let job = memory.bind_job(info("a", Overlap::Skip)).unwrap();
    let minute = |minute: u64| now().saturating_add(Duration::from_secs(60 * minute));
    let mut keys: Vec<_> =
        (0..=60).map(|at| run_once(&mut memory, job, Outcome::Succeeded, minute(at))).collect();
    assert!(keys.iter().all(|key| outcome(&mut memory, *key).is_some()), "of one hour");
    keys.push(run_once(&mut memory, job, Outcome::Succeeded, minute(62)));
    let kept: Vec<_> = keys.iter().map(|key| outcome(&mut memory, *key).is_some()).collect();
    assert_eq!(kept.iter().filter(|kept| !**kept).count(), 2, "{kept:?}");
    assert!(!kept[0] && !kept[1]);
    // Long after, every run that ends takes a few of them with it.
    let late = run_once(&mut memory, job, Outcome::Succeeded, minute(1000));
    assert!(keys.iter().any(|key| outcome(&mut memory, *key).is_some()), "not all at once");
    for _ in 0..10 {
        run_once(&mut memory, job, Outcome::Succeeded, minute(1000));
    }
    assert!(keys.iter().all(|key| outcome(&mut memory, *key).is_none()));
    assert!(outcome(&mut memory, late).is_some());
    let rare = memory.bind_job(info("rare", Overlap::Skip)).unwrap();
    let last = run_once(&mut memory, rare, Outcome::Succeeded, minute(0));
    memory.forget(rare, minute(1_000_000), &mut Litter::default());
    assert_eq!(outcome(&mut memory, last), Some(Outcome::Succeeded));
}

#[test]
fn old_runs_are_forgotten_where_nothing_ends_any_more() {
    let mut memory = Memory::new(0);
    let age = Duration::from_secs(3600);
    memory.retain(Retention { age, ..Retention::default() });
    let minute = |minute: u64| now().saturating_add(Duration::from_secs(60 * minute));
    let mut keys: Vec<Vec<RunKey>> = Vec::new();
    for job in ["a", "b", "c"] {
        let job = memory.bind_job(info(job, Overlap::Skip)).unwrap();
        keys.push((0..30).map(|at| run_once(&mut memory, job, Outcome::Succeeded, minute(at))).collect());
    }
    let sweep = |memory: &mut Memory, at| while memory.sweep(at, &mut Litter::default()) {};
    let kept = |memory: &mut Memory, keys: &[Vec<RunKey>]| -> Vec<usize> {
        let mut kept = |key: &RunKey| outcome(memory, *key).is_some();
        keys.iter().map(|keys| keys.iter().filter(|key| kept(key)).count()).collect()
    };
    let due = memory.next_sweep().unwrap();
    assert!(minute(60) < due && due < minute(61), "{due:?}");
    sweep(&mut memory, minute(60));
    assert_eq!(kept(&mut memory, &keys), [30, 30, 30]);
    sweep(&mut memory, due);
    assert_eq!(kept(&mut memory, &keys), [29, 29, 29]);
    sweep(&mut memory, minute(75).saturating_add(Duration::from_secs(1)));
    assert_eq!(kept(&mut memory, &keys), [14, 14, 14]);
    // In between, one of them is busy.
    let b = memory.job_named("b").unwrap();
    run_once(&mut memory, b, Outcome::Succeeded, minute(80));
    sweep(&mut memory, minute(10_000));
    assert_eq!(kept(&mut memory, &keys), [1, 0, 1], "the last of each");
    assert_eq!(memory.next_sweep(), None);
    assert_eq!(memory.runs.len(), 3);
}

#[test]
fn a_shorter_retention_holds_for_what_is_there() {
    let mut memory = Memory::new(0);
    let job = memory.bind_job(info("a", Overlap::Skip)).unwrap();
    let keys: Vec<_> = (0..30).map(|_| run_once(&mut memory, job, Outcome::Succeeded, now())).collect();
    memory.retain(Retention { count: 5, ..Retention::default() });
    while memory.sweep(now(), &mut Litter::default()) {}
    assert_eq!(keys.iter().filter(|key| outcome(&mut memory, **key).is_some()).count(), 5);
    assert!(memory.next_sweep().is_some_and(|next| next > now()), "those become old as well");
}

#[test]
fn what_runs_have_to_tell_is_bounded() {
    let mut memory = Memory::new(0);
    let job = memory.bind_job(info("a", Overlap::Skip)).unwrap();
    let text = "x".repeat(history::TEXT_OF_JOB / 20);
    let keys: Vec<_> =
        (0..30).map(|_| run_once(&mut memory, job, Outcome::Failed(text.clone()), now())).collect();
    let kept = keys.iter().filter(|key| outcome(&mut memory, **key).is_some()).count();
    // Each has it twice, of the run and of the attempt.
    assert_eq!(kept, 10);
    assert!(memory.text <= history::TEXT_OF_JOB);
    memory.retain(Retention { count: 1, ..Retention::default() });
    let last = run_once(&mut memory, job, Outcome::Failed("last".into()), now());
    while memory.runs.len() > 1 {
        memory.forget(job, now(), &mut Litter::default());
    }
    assert!(outcome(&mut memory, last).is_some());
    assert_eq!(memory.text, 8, "what is forgotten is not counted");
}

#[test]
fn a_name_belongs_to_one_job() {
    let mut memory = Memory::new(0);
    let func = memory.bind_job(info("a", Overlap::Skip)).unwrap();
    assert_eq!(memory.bind_job(info("a", Overlap::Skip)).unwrap(), func);
    let by_hand = JobInfo { is_func: false, ..info("a", Overlap::Skip) };
    assert!(memory.bind_job(by_hand).is_err());
    let other = memory.bind_job(info("b", Overlap::Skip)).unwrap();
    assert_ne!(func, other);
    assert_eq!((memory.job_named("a"), memory.job_named("c")), (Some(func), None));
}

#[test]
fn a_run_that_waits_to_be_tried_again_holds_back_its_successor_until_it_is_cancelled() {
    let mut memory = Memory::new(0);
    let job = memory.bind_job(info("a", Overlap::BufferOne)).unwrap();
    assert!(matches!(memory.fire(job, occasion(now()), body(), now()), Fired::Queued));
    let claim = memory.claim(0, reading(now())).unwrap();
    memory.retry(claim.key, Outcome::Failed("no".into()), None, body(), Duration::from_secs(1), now());
    assert!(matches!(memory.fire(job, occasion(now()), body(), now()), Fired::Waiting));
    assert!(matches!(memory.fire(job, occasion(now()), body(), now()), Fired::Skipped(_)));
    assert!(memory.claim(0, reading(now())).is_none());
    let Cancel::Ended(ended) = memory.cancel(claim.key, now()) else { panic!("it does not run") };
    assert_eq!(ended.outcome, Outcome::Cancelled);
    let previous = memory.job(job).previous.as_ref().unwrap();
    assert_eq!((previous.id, &previous.outcome), (claim.id, &Outcome::Cancelled), "it had started");
    assert_eq!(memory.attempts(claim.key).len(), 1);
    assert!(memory.claim(0, reading(now())).is_some(), "the successor's turn");
}

#[test]
fn of_many_attempts_the_last_are_kept() {
    let mut memory = Memory::new(0);
    let attempts = AttemptOptions { retries: Some(u32::MAX), ..AttemptOptions::DEFAULT };
    let job = memory.bind_job(JobInfo { attempts, ..info("a", Overlap::Skip) }).unwrap();
    let (_, key) = memory.submit(job, body(), Origin::BlockingStart, now());
    for _ in 0..KEPT_ATTEMPTS + 5 {
        assert!(memory.claim(0, reading(now())).is_some());
        memory.retry(key, Outcome::Failed(String::new()), None, body(), Duration::ZERO, now());
        assert!(memory.release(key));
    }
    let numbers: Vec<_> = memory.attempts(key).iter().map(|attempt| attempt.number).collect();
    assert!(numbers.into_iter().eq(6..=KEPT_ATTEMPTS as u32 + 5));
}

#[test]
fn retries_where_nothing_is_said() {
    let retries = |origin| AttemptOptions::DEFAULT.retries(origin);
    assert_eq!(
        (retries(Origin::Slot), retries(Origin::Submission), retries(Origin::BlockingStart)),
        (0, 20, 0)
    );
    let said = AttemptOptions { retries: Some(3), ..AttemptOptions::DEFAULT };
    assert_eq!((said.retries(Origin::Slot), said.retries(Origin::BlockingStart)), (3, 3));
}

#[test]
fn those_who_stop_waiting_do_not_pile_up() {
    let mut memory = Memory::new(0);
    let job = memory.bind_job(info("a", Overlap::Skip)).unwrap();
    let (_, key) = memory.submit(job, body(), Origin::Submission, now());
    let Watch::Pending(mut patient) = memory.watch(key) else { panic!("it has not ended") };
    for _ in 0..10_000 {
        drop(memory.watch(key));
    }
    let waiting = memory.waiters[&key].len();
    assert!(waiting < 10, "{waiting} are kept");
    memory.claim(0, reading(now())).unwrap();
    settle(memory.finish(key, Outcome::Succeeded, None, None, now()));
    assert_eq!(patient.try_recv(), Ok(Outcome::Succeeded));
}

#[test]
fn set_back_meanwhile_the_clock_ends_nothing_before_it_has_begun() {
    let mut memory = Memory::new(0);
    let job = memory.bind_job(info("a", Overlap::Skip)).unwrap();
    let hour = Duration::from_secs(3600);
    let (_, key) = memory.submit(job, body(), Origin::Submission, now());
    memory.claim(0, reading(now())).unwrap();
    memory.retry(key, Outcome::Failed("no".into()), None, body(), hour, now().saturating_sub(hour));
    assert!(memory.release(key));
    memory.claim(0, reading(now())).unwrap();
    settle(memory.finish(key, Outcome::Succeeded, None, None, now().saturating_sub(hour)));
    let times: Vec<_> =
        memory.attempts(key).iter().map(|attempt| (attempt.started, attempt.finished)).collect();
    assert_eq!(times, [(now(), now()); 2]);
}

/// Ten thousand of every job are kept.
#[test]
fn a_run_is_small() {
    assert!(size_of::<Run>() <= 176, "{}", size_of::<Run>());
}

//! A delay from the end of one run to the start of the next.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use jobs::testing::TestClock;
use jobs::{Jobs, Outcome, func};
use support::{HOUR, Log, MINUTE, SECOND, clock, config, note};

async fn started(clock: &TestClock) -> (Jobs, Log) {
    let log = Log::default();
    (jobs::start(config(clock).state(log.clone())).await.unwrap(), log)
}

/// When runs began and ended, in seconds after the start, each taking as long as is written.
#[derive(Clone)]
struct Diary {
    clock: TestClock,
    start: chrono::DateTime<chrono::Utc>,
    entries: Arc<Mutex<Vec<(char, i64)>>>,
}

impl Diary {
    fn new(clock: &TestClock) -> Self {
        Self { clock: clock.clone(), start: clock.now(), entries: Arc::default() }
    }

    fn note(&self, what: char) {
        let at = (self.clock.now() - self.start).num_seconds();
        self.entries.lock().unwrap().push((what, at));
    }

    fn take(&self) -> Vec<(char, i64)> {
        std::mem::take(&mut self.entries.lock().unwrap())
    }

    fn job(&self, takes: Duration) -> jobs::Func {
        let diary = self.clone();
        func("slow", move || {
            let diary = diary.clone();
            async move {
                diary.note('b');
                tokio::time::sleep(takes).await;
                diary.note('e');
            }
        })
    }
}

/// ```text
/// 0        10      13       23      26       36
/// |─ delay ─|─ run ─|─ delay ─|─ run ─|─ delay ─|
/// ```
#[tokio::test(start_paused = true)]
async fn the_next_slot_is_the_end_of_the_run_plus_the_delay() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    let diary = Diary::new(&clock);
    let handle = jobs.fixed_delay(SECOND * 10, diary.job(SECOND * 3)).await.unwrap();
    assert_eq!(handle.key().as_deref(), Some("@after 10s"));
    let schedule = |jobs: &Jobs| jobs.snapshot().job("slow").unwrap().schedules[0].clone();
    assert_eq!(schedule(&jobs).words, "10s after the end of the last run");
    assert_eq!(schedule(&jobs).next, Some(support::utc("2026-03-02 12:00:10")));
    clock.advance(SECOND * 9).await;
    assert_eq!(diary.take(), []);
    clock.advance(SECOND * 2).await;
    assert_eq!(diary.take(), [('b', 10)]);
    assert_eq!(schedule(&jobs).next, None, "it is not known while the run goes on");
    clock.advance(SECOND * 25).await;
    assert_eq!(diary.take(), [('e', 13), ('b', 23), ('e', 26), ('b', 36)]);
    assert_eq!(schedule(&jobs).ran, 3);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_delay_begins_however_the_run_ends() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    let diary = Diary::new(&clock);
    let count = Arc::new(Mutex::new(0));
    let (told, seen) = (diary.clone(), Arc::clone(&count));
    let job = func("moody", move || {
        let (diary, count) = (told.clone(), Arc::clone(&seen));
        async move {
            diary.note('b');
            let turn = {
                let mut count = count.lock().unwrap();
                *count += 1;
                *count
            };
            match turn {
                1 => return Err("an error".to_owned()),
                2 => panic!("a panic"),
                3 => tokio::time::sleep(HOUR).await,
                _ => {}
            }
            Ok(())
        }
    });
    jobs.fixed_delay(SECOND * 10, job).await.unwrap();
    clock.advance(SECOND * 25).await;
    assert_eq!(diary.take(), [('b', 10), ('b', 20)]);
    clock.advance(SECOND * 10).await;
    assert_eq!(diary.take(), [('b', 30)]);
    assert_eq!(jobs.snapshot().job("moody").unwrap().running, 1);
    // Nothing comes while it runs, and the clock on the wall is no concern of it.
    clock.step(TimeDelta::hours(5)).await;
    clock.advance(MINUTE * 20).await;
    assert_eq!(diary.take(), []);
    clock.advance(MINUTE * 40 + SECOND * 20).await;
    assert_eq!(diary.take().len(), 2, "it ended at an hour and 30 s, and others came at 40 and 50");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_for_the_pool_and_is_cancelled_is_followed_by_the_next() {
    let clock = clock("2026-03-02 12:00:00");
    let log = Log::default();
    let jobs = jobs::start(config(&clock).state(log.clone()).pool(1)).await.unwrap();
    let full = jobs.now(func("full", std::future::pending::<()>)).await.unwrap();
    jobs.fixed_delay(SECOND * 10, note("a")).await.unwrap();
    clock.advance(MINUTE).await;
    let snapshot = jobs.snapshot();
    let job = snapshot.job("note").unwrap();
    assert_eq!((job.queued, job.schedules[0].next, log.len()), (1, None, 0), "one run, and it waits");
    assert!(full.cancel().await);
    assert_eq!(full.wait().await, Outcome::Cancelled);
    clock.advance(SECOND * 25).await;
    assert_eq!(log.len(), 3);
    jobs.shutdown().await;
}

/// ```text
/// 0    10    20    30    40    50
///      r  p  p     p   r       r      p: paused
/// ```
#[tokio::test(start_paused = true)]
async fn while_it_is_paused_slots_pass_every_delay() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.fixed_delay(SECOND * 10, note("a")).await.unwrap();
    clock.advance(SECOND * 15).await;
    jobs.pause("note").await.unwrap();
    clock.advance(SECOND * 20).await;
    jobs.resume("note").await.unwrap();
    clock.advance(SECOND * 10).await;
    assert_eq!(log.slots(), ["12:00:10", "12:00:40"]);
    let snapshot = jobs.snapshot();
    let schedule = &snapshot.job("note").unwrap().schedules[0];
    assert_eq!((schedule.ran, schedule.paused, schedule.missed), (2, 2, 0));
    jobs.shutdown().await;
}

/// It has one slot at a time, which fires after the sleep however late it is.
#[tokio::test(start_paused = true)]
async fn a_suspended_machine_misses_nothing() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.fixed_delay(MINUTE, note("a")).await.unwrap();
    clock.suspend(HOUR * 3).await;
    assert_eq!(log.len(), 1);
    log.take();
    clock.advance(MINUTE).await;
    assert_eq!(log.slots(), ["15:01:00"]);
    assert_eq!(jobs.snapshot().job("note").unwrap().schedules[0].missed, 0);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn removed_while_it_runs_it_does_not_come_back() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    let diary = Diary::new(&clock);
    let handle = jobs.fixed_delay(SECOND, diary.job(SECOND * 5)).await.unwrap();
    clock.advance(SECOND * 2).await;
    assert!(handle.remove().await);
    clock.advance(HOUR).await;
    assert_eq!(diary.take(), [('b', 1), ('e', 6)]);
    assert!(jobs.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn what_a_fixed_delay_does_not_take_is_refused() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    let zone = jobs.fixed_delay(SECOND, note("a")).tz("Europe/Oslo").await.unwrap_err();
    assert!(zone.is_schedule() && zone.to_string().contains("has no effect"), "{zone}");
    let missed = jobs.fixed_delay(SECOND * 90, note("a")).missed("all").await.unwrap_err();
    assert!(missed.is_schedule(), "{missed}");
    let text = missed.to_string();
    assert!(text.starts_with("the policy `all` for missed slots has no effect"), "{text}");
    assert!(text.contains("a fixed delay of `1m30s` has one slot at a time"), "{text}");
    let short = jobs.fixed_delay(Duration::from_millis(1), note("a")).await.unwrap_err();
    assert!(short.is_schedule(), "{short}");
    jobs.shutdown().await;
}

//! How many runs execute at the same time, and in which order they start.

mod support;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use chrono::TimeDelta;
use jobs::{JobStatus, Jobs, Outcome, func, job};
use support::{Log, MINUTE, SECOND, clock, config, note};

/// How many runs execute at once, now and at most.
#[derive(Clone, Default)]
struct Crowd(Arc<(AtomicUsize, AtomicUsize)>);

impl Crowd {
    fn enter(&self) -> Inside {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Inside(self.clone())
    }

    fn now(&self) -> usize {
        self.0.0.load(Ordering::SeqCst)
    }

    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

struct Inside(Crowd);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

/// Holds threads until it is opened.
#[derive(Clone, Default)]
struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    fn pass(&self) {
        let shut = self.0.0.lock().unwrap();
        drop(self.0.1.wait_while(shut, |open| !*open).unwrap());
    }
}

#[job]
async fn visit(#[state] crowd: &Crowd, millis: u64) {
    let _inside = crowd.enter();
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

#[job]
fn stand(#[state] crowd: &Crowd, #[state] gate: &Gate) {
    let _inside = crowd.enter();
    gate.pass();
}

async fn started(pool: i64) -> (Jobs, Log, Crowd, Gate, jobs::testing::TestClock) {
    let (clock, log, crowd, gate) =
        (clock("2026-03-02 12:00:00"), Log::default(), Crowd::default(), Gate::default());
    let config = config(&clock).pool(pool).state(log.clone()).state(crowd.clone()).state(gate.clone());
    (jobs::start(config).await.unwrap(), log, crowd, gate, clock)
}

/// A worker that parks and a submission that comes at the same moment must find each other, and so must one with a priority
/// that a busy worker has to look for. Each submitter waits for its run before it submits the next, so that one that is
/// overlooked would wait for ever.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::disallowed_methods, reason = "the submitters are no jobs")]
async fn no_submission_is_overlooked() {
    const EACH: usize = 2000;
    for pool in [1, 2, 3, 0] {
        let log = Log::default();
        let config = jobs::Config::default().without_environment().pool(pool).state(log.clone());
        let jobs = jobs::start(config.state(Crowd::default()).state(Gate::default())).await.unwrap();
        let submitters: Vec<_> = (0..4)
            .map(|submitter| {
                let jobs = jobs.clone();
                tokio::spawn(async move {
                    for i in 0..EACH {
                        let mut submission = jobs.now(note(""));
                        if (i + submitter) % 5 == 0 {
                            submission = submission.priority(1);
                        }
                        let run = submission.submit().unwrap();
                        assert_eq!(run.wait().await, Outcome::Succeeded);
                    }
                })
            })
            .collect();
        let all = async {
            for submitter in submitters {
                submitter.await.unwrap();
            }
        };
        tokio::time::timeout(MINUTE, all).await.expect("a run was overlooked");
        assert_eq!(log.len(), 4 * EACH);
        jobs.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_through_a_pool_of_one_start_in_the_order_of_submission() {
    let (jobs, log, ..) = started(1).await;
    for i in 0..10_000 {
        jobs.now(note(i.to_string())).await.unwrap();
    }
    jobs.now(note("last")).await.unwrap().wait().await;
    let mut wanted: Vec<_> = (0..10_000).map(|i| i.to_string()).collect();
    wanted.push("last".to_owned());
    assert_eq!(log.tags(), wanted);
    jobs.shutdown().await;
}

/// Whatever the mix of submitters and threads, each submitter's runs start in its order; and with all of them
/// submitted before the first can start, the order is that of the queue.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::disallowed_methods, reason = "the submitters are no jobs")]
async fn many_submitters_each_keep_their_order() {
    const SUBMITTERS: usize = 8;
    const EACH: usize = 1250;
    let log = Log::default();
    let config = jobs::Config::default().without_environment().pool(1).state(log.clone());
    let jobs = jobs::start(config.state(Crowd::default()).state(Gate::default())).await.unwrap();
    let submitters: Vec<_> = (0..SUBMITTERS)
        .map(|submitter| {
            let jobs = jobs.clone();
            tokio::spawn(async move {
                for i in 0..EACH {
                    let note = note(format!("{submitter} {i}"));
                    if i % 3 == 0 {
                        jobs.now(note).submit().unwrap();
                    } else {
                        jobs.now(note).await.unwrap();
                    }
                }
            })
        })
        .collect();
    for submitter in submitters {
        submitter.await.unwrap();
    }
    jobs.now(note("last")).await.unwrap().wait().await;
    let mut next = [0; SUBMITTERS];
    let tags = log.tags();
    assert_eq!(tags.len(), SUBMITTERS * EACH + 1);
    for tag in &tags[..tags.len() - 1] {
        let (submitter, i) = tag.split_once(' ').unwrap();
        let next = &mut next[submitter.parse::<usize>().unwrap()];
        assert_eq!(i.parse::<usize>().unwrap(), *next, "of submitter {submitter}");
        *next += 1;
    }
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn never_more_than_the_pool_at_once() {
    let (jobs, _, crowd, ..) = started(3).await;
    let mut handles = Vec::new();
    for i in 0..100 {
        handles.push(jobs.now(visit { millis: i * 7 % 50 + 1 }).await.unwrap());
    }
    for handle in handles {
        assert_eq!(handle.wait().await, Outcome::Succeeded);
    }
    assert_eq!((crowd.now(), crowd.most()), (0, 3));
    jobs.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn never_more_than_the_pool_at_once_on_many_threads() {
    let (crowd, gate) = (Crowd::default(), Gate::default());
    gate.open();
    let config = jobs::Config::default().without_environment().pool(3);
    let jobs = jobs::start(config.state(Log::default()).state(crowd.clone()).state(gate)).await.unwrap();
    let mut handles = Vec::new();
    for i in 0..2000 {
        handles.push(match i % 2 {
            0 => jobs.now(visit { millis: 0 }).await.unwrap(),
            _ => jobs.now(stand {}).await.unwrap(),
        });
    }
    for handle in handles {
        assert_eq!(handle.wait().await, Outcome::Succeeded);
    }
    assert!(crowd.most() <= 3, "{}", crowd.most());
    jobs.shutdown().await;
}

/// A plain `fn` keeps its place in the pool as long as its thread runs.
#[tokio::test(start_paused = true)]
async fn sync_jobs_count_in_the_pool_and_the_counts_are_told() {
    let (jobs, _, crowd, gate, clock) = started(2).await;
    let mut handles = Vec::new();
    for _ in 0..5 {
        handles.push(jobs.now(stand {}).await.unwrap());
    }
    handles.push(jobs.now(visit { millis: 1 }).await.unwrap());
    while crowd.now() < 2 {
        tokio::task::yield_now().await;
    }
    let snapshot = jobs.snapshot();
    assert_eq!((snapshot.pool.size.unwrap().get(), snapshot.pool.running, snapshot.pool.queued), (2, 2, 4));
    let stand = snapshot.job("stand").unwrap();
    assert_eq!((stand.status, stand.running, stand.queued), (JobStatus::Running, 2, 3));
    let visit = snapshot.job("visit").unwrap();
    assert_eq!((visit.status, visit.running, visit.queued), (JobStatus::Queued, 0, 1));
    gate.open();
    for handle in handles {
        assert_eq!(handle.wait().await, Outcome::Succeeded);
    }
    assert_eq!(crowd.most(), 2);
    clock.advance(SECOND).await;
    let snapshot = jobs.snapshot();
    assert_eq!((snapshot.pool.running, snapshot.pool.queued), (0, 0));
    assert!(snapshot.jobs.iter().all(|job| job.status == JobStatus::Idle));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn zero_or_less_is_unlimited() {
    for pool in [0, -1] {
        let (jobs, _, crowd, _, clock) = started(pool).await;
        for _ in 0..500 {
            jobs.now(visit { millis: 1000 }).await.unwrap();
        }
        clock.advance(Duration::from_millis(500)).await;
        let pool = jobs.snapshot().pool;
        assert_eq!((pool.size, pool.running, pool.queued), (None, 500, 0));
        clock.advance(SECOND).await;
        // Most of the workers have ended; the others are used again.
        for _ in 0..500 {
            jobs.now(visit { millis: 1000 }).await.unwrap();
        }
        clock.advance(SECOND * 2).await;
        assert_eq!((crowd.now(), crowd.most()), (0, 500));
        assert!(jobs.shutdown().await.is_clean());
    }
}

#[tokio::test(start_paused = true)]
async fn the_pool_is_ten_by_default() {
    let clock = clock("2026-03-02 12:00:00");
    let crowd = Crowd::default();
    let config = config(&clock).state(Log::default()).state(crowd.clone()).state(Gate::default());
    let jobs = jobs::start(config).await.unwrap();
    for _ in 0..30 {
        jobs.now(visit { millis: 10 }).await.unwrap();
    }
    clock.advance(SECOND).await;
    assert_eq!(crowd.most(), 10);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn delayed_runs_start_when_they_are_due_and_in_that_order() {
    let (jobs, log, _, _, clock) = started(1).await;
    let start = clock.now();
    for seconds in [30, 10, 20, 25, 10] {
        jobs.after(SECOND * seconds, note(seconds.to_string())).await.unwrap();
    }
    jobs.at(start + TimeDelta::seconds(15), note("at 15")).await.unwrap();
    jobs.at(start + TimeDelta::seconds(10), note("at 10")).await.unwrap();
    assert_eq!(jobs.snapshot().job("note").unwrap().delayed, 7);
    assert_eq!(jobs.snapshot().job("note").unwrap().status, JobStatus::Idle);
    clock.advance(MINUTE).await;
    let entries = log.take();
    for entry in &entries {
        let due: i64 = entry.tag.trim_start_matches("at ").parse().unwrap();
        let late = entry.started - start - TimeDelta::seconds(due);
        assert!((0..=1).contains(&late.num_milliseconds()), "{late} {entry:?}");
        assert_eq!(entry.slot, None);
    }
    let tags: Vec<_> = entries.into_iter().map(|entry| entry.tag).collect();
    assert_eq!(tags, ["10", "10", "at 10", "at 15", "20", "25", "30"]);
    jobs.shutdown().await;
}

/// All due while the scheduler could not look: still in the order in which they were due.
#[tokio::test(start_paused = true)]
async fn runs_that_come_due_together_start_in_the_order_of_their_times() {
    let (jobs, log, _, _, clock) = started(1).await;
    for millis in [900_u64, 300, 600, 100, 500] {
        let due = clock.now() + TimeDelta::milliseconds(millis as i64);
        jobs.at(due, note(millis.to_string())).await.unwrap();
    }
    clock.step(TimeDelta::seconds(1)).await;
    assert_eq!(log.tags(), ["100", "300", "500", "600", "900"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_instant_in_the_past_is_now() {
    let (jobs, log, _, _, clock) = started(1).await;
    for at in ["2026-03-02 11:00:00", "1969-01-01 00:00:00", "1500-01-01 00:00:00"] {
        let handle = jobs.at(support::utc(at), note(at)).await.unwrap();
        assert_eq!(handle.wait().await, Outcome::Succeeded);
    }
    jobs.after(Duration::ZERO, note("zero")).await.unwrap().wait().await;
    assert_eq!(log.len(), 4);
    assert!(clock.now() - support::utc("2026-03-02 12:00:00") < TimeDelta::milliseconds(10));
    // Too far away for anybody to see, and no mistake.
    let far = jobs.after(Duration::from_secs(200 * 365 * 86_400), note("far")).await.unwrap();
    clock.advance(MINUTE).await;
    assert_eq!(log.len(), 4);
    assert!(far.cancel().await);
    jobs.shutdown().await;
}

/// A time that no clock will show is a unit mistaken, or a "never" that says so nowhere.
#[tokio::test(start_paused = true)]
async fn a_time_past_the_end_of_the_clock_is_refused() {
    let (jobs, ..) = started(1).await;
    let after = jobs.after(Duration::MAX, note("after")).await;
    let at = jobs.at(chrono::DateTime::<chrono::Utc>::MAX_UTC, note("at")).await;
    let of_a_job = jobs.after(Duration::from_secs(u64::from(u32::MAX) * 1000), note("far")).blocking();
    for refused in [after, at, of_a_job] {
        let error = refused.unwrap_err();
        assert!(error.is_bad_option(), "{error}");
        assert_eq!(
            error.to_string(),
            "the run would start past the end of the clock, 2262-04-11\n\
             help: give a nearer time; what no time is known for yet, submit when it is"
        );
    }
    assert!(jobs.shutdown().await.is_clean());
}

/// In a rush not every submission calls a worker. Those that come call others, until all are there that the pool has room
/// for.
#[tokio::test(start_paused = true)]
async fn in_a_rush_every_worker_comes() {
    let (jobs, log, crowd, _, _) = started(10).await;
    for _ in 0..5 {
        let mut last = None;
        for _ in 0..300 {
            last = Some(jobs.now(note("")).await.unwrap());
        }
        assert_eq!(last.unwrap().wait().await, Outcome::Succeeded);
        // The time stands still, so these are of the same rush, and all workers are parked.
        let mut slow = Vec::new();
        for _ in 0..10 {
            slow.push(jobs.now(visit { millis: 60_000 }).await.unwrap());
        }
        for run in &slow {
            assert_eq!(run.wait().await, Outcome::Succeeded);
        }
    }
    assert_eq!((log.len(), crowd.most()), (1500, 10));
    jobs.shutdown().await;
}

/// A run that waits holds up no other.
#[tokio::test(start_paused = true)]
async fn a_slow_job_delays_others_only_when_the_pool_is_full() {
    let (jobs, log, _, _, clock) = started(2).await;
    jobs.now(visit { millis: 60_000 }).await.unwrap();
    jobs.schedule("* * * * * *", note("a")).await.unwrap();
    clock.advance(SECOND * 10).await;
    assert_eq!(log.slots().len(), 10);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_may_submit_more_than_the_pool_holds() {
    let (jobs, log, ..) = started(1).await;
    let (handle, count) = (jobs.clone(), 100);
    let fan_out = func("fan_out", move || {
        let jobs = handle.clone();
        async move {
            for i in 0..count {
                jobs.now(note(i.to_string())).await?;
            }
            Ok::<_, jobs::SubmitError>(())
        }
    });
    assert_eq!(jobs.now(fan_out).await.unwrap().wait().await, Outcome::Succeeded);
    jobs.now(note("last")).await.unwrap().wait().await;
    assert_eq!(log.len(), 101);
    jobs.shutdown().await;
}

/// A worker that looks for work must not be waited for when something else has taken its thread.
#[test]
#[expect(clippy::disallowed_methods, reason = "what takes the thread is no job")]
fn a_thread_that_is_kept_busy_keeps_no_run_waiting() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let config = jobs::Config::default().without_environment().state(Log::default());
        let jobs = jobs::start(config.state(Crowd::default()).state(Gate::default())).await.unwrap();
        for _ in 0..20 {
            let (free, busy) = std::sync::mpsc::channel::<()>();
            let (taken, is_taken) = tokio::sync::oneshot::channel();
            // From within a job, so that it stands in the queue of a worker's thread.
            let hog = Mutex::new(Some((busy, taken)));
            let run = jobs.now(func("hog", move || {
                let hog = hog.lock().unwrap().take();
                async move {
                    let Some((busy, taken)) = hog else { return };
                    tokio::spawn(async move {
                        taken.send(()).unwrap();
                        // A bound, not a wait: the run below lets go.
                        assert!(busy.recv_timeout(MINUTE).is_ok(), "no run let go of the thread");
                    });
                }
            }));
            run.await.unwrap().wait().await;
            is_taken.await.unwrap();
            let let_go = move || {
                let free = free.clone();
                async move { free.send(()).unwrap() }
            };
            let probe = jobs.now(func("probe", let_go)).await.unwrap();
            assert_eq!(probe.wait().await, Outcome::Succeeded);
        }
        jobs.shutdown().await;
    });
}

/// A hand-written job becomes known when it is first submitted, also when many do it at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::disallowed_methods, reason = "the submitters are no jobs")]
async fn many_may_be_the_first_to_submit_a_job() {
    for _ in 0..50 {
        let config = jobs::Config::default().without_environment().state(Log::default());
        let jobs = jobs::start(config.state(Crowd::default()).state(Gate::default())).await.unwrap();
        let barrier = Arc::new(tokio::sync::Barrier::new(4));
        let submitters: Vec<_> = (0..4)
            .map(|_| {
                let (jobs, barrier) = (jobs.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    jobs.now(note("a")).await.map(drop)
                })
            })
            .collect();
        for submitter in submitters {
            submitter.await.unwrap().unwrap();
        }
        jobs.shutdown().await;
    }
}

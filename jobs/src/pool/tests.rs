//! Attempts under a pool, on virtual time, with options that are set by hand.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::task::Waker;

use tokio::runtime::Handle;

use super::*;
use crate::JobResult;
use crate::clock::Timestamp;
use crate::job::body::{Attempt, Body, SharedJob, Template};
use crate::job::context::JobContext;
use crate::job::descriptor::Descriptor;
use crate::job::name::JobName;
use crate::job::options::{AttemptOptions, Origin};
use crate::job::run::Outcome;
use crate::job::slot::Slot;
use crate::job::state::StateMap;
use crate::store::memory::{Occasion, RunOptions, Watch};

const SECOND: Duration = Duration::from_secs(1);

struct Closure<F>(F);

impl<F, R> SharedJob for Closure<F>
where
    F: Fn(JobContext) -> R + Send + Sync,
    R: Future<Output = JobResult> + Send + 'static,
{
    fn start(&self, cx: JobContext) -> Attempt {
        Box::pin((self.0)(cx))
    }
}

/// A closure as a template, so that every attempt calls it.
fn body<F, R>(run: F) -> Body
where
    F: Fn(JobContext) -> R + Send + Sync + 'static,
    R: Future<Output = JobResult> + Send + 'static,
{
    Body::Template(Template::Shared(Arc::new(Closure(run))))
}

static BLOCKING: Descriptor = Descriptor {
    name: "blocking",
    aliases: &[],
    description: "",
    module: "",
    file: "",
    line: 0,
    blocking: true,
    enabled: true,
    startup: None,
    overlap: None,
    attempts: AttemptOptions::DEFAULT,
    limits: crate::job::options::LimitOptions::DEFAULT,
    arguments: &[],
    schedules: &[],
    states: &[],
    default: None,
    read: |_| unreachable!("nothing is read here"),
};

/// A pool of one, whose timers are tokio's.
fn opened() -> Arc<Pool> {
    let pool = closed();
    open(&pool);
    pool
}

fn closed() -> Arc<Pool> {
    Arc::new(Pool::new(NonZeroUsize::new(1), Arc::new(Clock::system()), Arc::default()))
}

fn open(pool: &Arc<Pool>) {
    let clock = Arc::clone(&pool.clock);
    let host: std::sync::Weak<()> = std::sync::Weak::new();
    let state = Arc::new(StateMap::default());
    let surroundings = Surroundings { host, state, signals: Arc::default(), clock, probe: None };
    let (releasing, working) = (Arc::downgrade(pool), Arc::downgrade(pool));
    let release_after = move |run, wait| {
        let pool = releasing.clone();
        Handle::current().spawn(async move {
            tokio::time::sleep(wait).await;
            if let Some(pool) = pool.upgrade() {
                pool.release(&mut vec![run]);
            }
        });
    };
    let spawn = move |worker: Worker| {
        let pool = working.upgrade().expect("the test holds it");
        Handle::current().spawn(async move { worker.run(&pool).await });
    };
    pool.open(surroundings, Box::new(release_after), Box::new(|_| {}), Box::new(spawn));
}

fn job(pool: &Pool, attempts: AttemptOptions, descriptor: Option<&'static Descriptor>) -> JobIx {
    named("a", pool, attempts, descriptor)
}

fn named(
    name: &'static str,
    pool: &Pool,
    attempts: AttemptOptions,
    descriptor: Option<&'static Descriptor>,
) -> JobIx {
    let info = JobInfo {
        name: JobName::Static(name),
        descriptor,
        overlap: jobs_syntax::Overlap::BufferOne,
        limits: crate::job::options::Limits::DEFAULT,
        attempts,
        enabled: true,
        is_func: false,
    };
    pool.bind_job(info, None).expect("the name is free")
}

fn submit(pool: &Pool, job: JobIx, body: Body) -> RunKey {
    pool.submit(|_| Some(job), body, Origin::Submission, RunOptions::default())
        .expect("open")
        .expect("known")
        .1
}

async fn outcome(pool: &Pool, run: RunKey) -> Outcome {
    match pool.watch(run) {
        Watch::Ended(outcome) => outcome,
        Watch::Pending(outcome) => outcome.await.expect("told"),
        Watch::Gone => Outcome::Unknown,
    }
}

fn options(timeout: Option<Duration>, retries: u32) -> AttemptOptions {
    AttemptOptions { timeout, retries: Some(retries), ..AttemptOptions::DEFAULT }
}

fn failure(text: &str) -> JobResult {
    Err(text.to_owned().into())
}

/// Counts those that are alive.
struct Alive(Arc<AtomicU32>);

impl Alive {
    fn new(count: &Arc<AtomicU32>) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(count))
    }
}

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[tokio::test(start_paused = true)]
async fn an_attempt_whose_time_is_up_is_dropped_and_the_run_tried_again() {
    let pool = opened();
    let job = job(&pool, options(Some(SECOND * 5), 2), None);
    let alive = Arc::new(AtomicU32::new(0));
    let count = Arc::clone(&alive);
    let run = submit(
        &pool,
        job,
        body(move |cx| {
            let alive = Alive::new(&count);
            async move {
                if cx.attempt() == 2 {
                    return failure("not yet");
                }
                if cx.attempt() == 1 {
                    pending::<()>().await;
                }
                // Just in time.
                tokio::time::sleep(SECOND * 5 - Duration::from_millis(2)).await;
                drop(alive);
                Ok(())
            }
        }),
    );
    tokio::time::sleep(SECOND * 4).await;
    assert_eq!(alive.load(Ordering::SeqCst), 1);
    tokio::time::sleep(SECOND + Duration::from_millis(2)).await;
    assert_eq!(alive.load(Ordering::SeqCst), 0, "dropped where it awaited");
    assert_eq!((pool.gauge().running, pool.gauge().live), (0, 1));
    assert_eq!(outcome(&pool, run).await, Outcome::Succeeded);
    let outcomes: Vec<_> = pool.attempts(run).into_iter().map(|attempt| attempt.outcome).collect();
    let failed = Outcome::Failed("not yet".into());
    assert_eq!(outcomes, [Outcome::TimedOut(SECOND * 5), failed, Outcome::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn a_run_whose_last_attempt_timed_out_has_timed_out() {
    let pool = opened();
    let job = job(&pool, options(Some(SECOND * 90), 1), None);
    let run = submit(&pool, job, body(|_| pending()));
    let outcome = outcome(&pool, run).await;
    assert_eq!(outcome, Outcome::TimedOut(SECOND * 90));
    assert_eq!((outcome.as_str(), outcome.message(), outcome.is_success()), ("timed out", None, false));
    assert_eq!(outcome.to_string(), "timed out after 1m30s");
    assert_eq!(pool.attempts(run).len(), 2);
}

/// A plain function cannot be stopped: it keeps its place in the pool until it returns, and what it returns then does
/// not count.
#[tokio::test(start_paused = true)]
async fn a_plain_function_whose_time_is_up_keeps_its_place() {
    let pool = opened();
    let job = job(&pool, options(Some(SECOND * 5), 1), Some(&BLOCKING));
    let (begun, let_go) = (Arc::new(Notify::new()), Arc::new(AtomicBool::new(false)));
    let (begins, wait) = (Arc::clone(&begun), Arc::clone(&let_go));
    let run = submit(
        &pool,
        job,
        body(move |cx| {
            let (begins, wait) = (Arc::clone(&begins), Arc::clone(&wait));
            cx.__blocking(move |cx| {
                begins.notify_one();
                while cx.attempt() == 1 && !wait.load(Ordering::SeqCst) {
                    std::thread::yield_now();
                }
                Ok(())
            })
        }),
    );
    let next = submit(&pool, job, body(|_| async { Ok(()) }));
    begun.notified().await;
    // A blocking thread keeps virtual time still: let it pass by hand.
    for _ in 0..60 {
        tokio::time::advance(SECOND).await;
        tokio::task::yield_now().await;
    }
    assert_eq!((pool.gauge().running, pool.gauge().queued), (1, 1));
    assert_eq!(pool.attempts(run).len(), 0);
    let_go.store(true, Ordering::SeqCst);
    assert_eq!(outcome(&pool, next).await, Outcome::Succeeded);
    assert_eq!(outcome(&pool, run).await, Outcome::Succeeded);
    let attempts = pool.attempts(run);
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.clone()).collect();
    assert_eq!(outcomes, [Outcome::TimedOut(SECOND * 5), Outcome::Succeeded]);
    assert!(attempts[0].finished.since(attempts[0].started) >= SECOND * 60);
}

/// Nobody would ever release it.
#[tokio::test(start_paused = true)]
async fn what_fails_after_the_end_is_not_tried_again() {
    let pool = opened();
    let job = job(&pool, options(None, 5), None);
    let run = submit(
        &pool,
        job,
        body(|_| async {
            tokio::time::sleep(SECOND).await;
            failure("too late")
        }),
    );
    tokio::task::yield_now().await;
    pool.close();
    assert_eq!(pool.drain(), (0, 0));
    assert_eq!(outcome(&pool, run).await, Outcome::Failed("too late".into()));
}

/// Also a failure that comes after the cancellation, since a plain function goes on, or a drop panics.
#[tokio::test(start_paused = true)]
async fn what_was_cancelled_is_not_tried_again() {
    let pool = opened();
    let job = job(&pool, options(None, 5), Some(&BLOCKING));
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let run = submit(
        &pool,
        job,
        body(move |cx| {
            let begins = Arc::clone(&begins);
            cx.__blocking(move |cx| {
                begins.notify_one();
                while !cx.is_cancelled() {
                    std::thread::yield_now();
                }
                failure("after all")
            })
        }),
    );
    begun.notified().await;
    assert!(pool.cancel(run));
    assert_eq!(outcome(&pool, run).await, Outcome::Failed("after all".into()));
    assert_eq!(pool.attempts(run).len(), 1);
    // The cancellation was of that run.
    let next =
        submit(&pool, job, body(|cx| async move { if cx.attempt() < 3 { failure("") } else { Ok(()) } }));
    assert_eq!(outcome(&pool, next).await, Outcome::Succeeded);
}

/// Each way in which an attempt is told that nobody wants it any more, as a plain function sees it.
#[tokio::test(start_paused = true)]
async fn a_plain_function_sees_that_it_is_cancelled() {
    let pool = opened();
    let job = job(&pool, options(Some(SECOND * 5), 0), Some(&BLOCKING));
    let (begun, seen) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let waits = |by_future: bool| {
        let (begun, seen) = (Arc::clone(&begun), Arc::clone(&seen));
        body(move |cx| {
            let (begun, seen) = (Arc::clone(&begun), Arc::clone(&seen));
            cx.__blocking(move |cx| {
                assert!(!cx.is_cancelled(), "what was said to the run before is not for this one");
                begun.fetch_add(1, Ordering::SeqCst);
                if by_future {
                    Handle::current().block_on(cx.cancelled());
                }
                while !cx.is_cancelled() {
                    std::thread::yield_now();
                }
                seen.fetch_add(1, Ordering::SeqCst);
                Ok(())
            })
        })
    };
    let mut wanted = 0;
    for by_future in [false, true] {
        for why in [Cancellation::Cancelled, Cancellation::TimedOut, Cancellation::Interrupted] {
            let run = submit(&pool, job, waits(by_future));
            while begun.load(Ordering::SeqCst) == wanted {
                tokio::task::yield_now().await;
            }
            assert_eq!(seen.load(Ordering::SeqCst), wanted, "{why:?}: not yet");
            match why {
                Cancellation::Cancelled => assert!(pool.cancel(run)),
                Cancellation::TimedOut => tokio::time::advance(SECOND * 6).await,
                Cancellation::Interrupted => assert_eq!(pool.interrupt(), 0, "it cannot be stopped"),
            }
            let outcome = outcome(&pool, run).await;
            wanted += 1;
            assert_eq!(seen.load(Ordering::SeqCst), wanted);
            let timed_out = why == Cancellation::TimedOut;
            let own = if timed_out { Outcome::TimedOut(SECOND * 5) } else { Outcome::Succeeded };
            assert_eq!(outcome, own, "{why:?}");
        }
    }
}

/// A task that a job has spawned is told when the job is dropped, and when it has ended.
#[tokio::test(start_paused = true)]
async fn what_outlives_an_attempt_is_told_of_its_end() {
    let pool = opened();
    let job = job(&pool, options(Some(SECOND * 5), 0), None);
    for seconds in [1, 60] {
        let (sender, mut told) = tokio::sync::mpsc::unbounded_channel();
        let spawns = body(move |cx| {
            let sender = sender.clone();
            async move {
                Handle::current().spawn(async move {
                    cx.cancelled().await;
                    assert!(cx.is_cancelled());
                    sender.send(()).expect("the test listens");
                });
                tokio::time::sleep(SECOND * seconds).await;
                Ok(())
            }
        });
        let run = submit(&pool, job, spawns);
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(told.try_recv().is_err());
        told.recv().await.unwrap();
        let wanted = if seconds == 1 { Outcome::Succeeded } else { Outcome::TimedOut(SECOND * 5) };
        assert_eq!(outcome(&pool, run).await, wanted);
    }
}

/// A job that always finds something to do uses up what the scheduler of tokio lets a task do at a time, and leaves
/// nothing of it to the timer.
#[tokio::test(start_paused = true)]
async fn a_job_that_never_rests_runs_out_of_time() {
    let pool = opened();
    let job = job(&pool, options(Some(SECOND), 0), None);
    let run = submit(
        &pool,
        job,
        body(|_| async {
            loop {
                tokio::task::consume_budget().await;
            }
        }),
    );
    while pool.gauge().running == 0 {
        tokio::task::yield_now().await;
    }
    tokio::time::advance(SECOND * 2).await;
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(pool.gauge().running, 0);
    assert_eq!(outcome(&pool, run).await, Outcome::TimedOut(SECOND));
}

/// A subscriber that hands the level of each of our events on.
struct Log<F>(F);

impl<F: Fn(tracing::Level) + Send + Sync + 'static> tracing::Subscriber for Log<F> {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }

    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}

    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}

    fn event(&self, event: &tracing::Event<'_>) {
        if event.metadata().target().starts_with("jobs") {
            (self.0)(*event.metadata().level());
        }
    }

    fn enter(&self, _: &tracing::span::Id) {}

    fn exit(&self, _: &tracing::span::Id) {}
}

/// The run that the worker has claimed in the same step, and the one that waits for its retry, are not lost.
#[tokio::test(start_paused = true)]
async fn a_log_that_panics_loses_no_run() {
    let _log = tracing::subscriber::set_default(Log(|_| panic!("the log is full")));
    let pool = opened();
    let job = job(&pool, options(None, 1), None);
    let fails_once = || body(|cx| async move { if cx.attempt() == 1 { failure("") } else { Ok(()) } });
    let runs = [submit(&pool, job, fails_once()), submit(&pool, job, fails_once())];
    for run in runs {
        let outcome = tokio::time::timeout(SECOND * 60, outcome(&pool, run)).await;
        assert_eq!(outcome, Ok(Outcome::Succeeded));
    }
    assert_eq!(pool.gauge().live, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_during_the_shutdown_is_logged_as_the_last() {
    let levels = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&levels);
    // With one subscriber alone another thread may be the one that is asked whether anybody listens.
    let _another = tracing::Dispatch::new(Log(|_| {}));
    let _log = tracing::subscriber::set_default(Log(move |level| seen.lock().unwrap().push(level)));
    let pool = opened();
    let job = job(&pool, options(None, 5), None);
    let fails_later = || {
        body(|_| async {
            tokio::time::sleep(SECOND).await;
            failure("")
        })
    };
    let first = submit(&pool, job, fails_later());
    tokio::time::sleep(SECOND * 3 / 2).await;
    assert_eq!(*levels.lock().unwrap(), [tracing::Level::WARN], "it is tried again");
    assert!(pool.cancel(first));
    let second = submit(&pool, job, fails_later());
    tokio::time::sleep(SECOND / 2).await;
    pool.close();
    pool.drained(false).await;
    assert_eq!(pool.drain(), (1, 0));
    assert_eq!(outcome(&pool, second).await, Outcome::Lost);
    assert_eq!(*levels.lock().unwrap(), [tracing::Level::WARN, tracing::Level::ERROR]);
}

#[tokio::test(start_paused = true)]
async fn an_endless_wait_for_a_retry_can_be_cancelled() {
    let pool = opened();
    let job = job(&pool, options(Some(Duration::MAX), 1), None);
    let run = submit(&pool, job, body(|cx| async move { Err(cx.retry_in(Duration::MAX).into()) }));
    tokio::time::sleep(SECOND).await;
    assert_eq!((pool.gauge().running, pool.gauge().live), (0, 1));
    assert!(pool.cancel(run));
    assert_eq!(outcome(&pool, run).await, Outcome::Cancelled);
}

/// Why it is dropped is the same to what an async job holds: nobody wants the attempt any more.
#[tokio::test(start_paused = true)]
async fn what_a_job_holds_sees_that_it_is_dropped_too_early() {
    struct Asks(JobContext, Arc<AtomicU32>);

    impl Drop for Asks {
        fn drop(&mut self) {
            self.1.fetch_add(if self.0.is_cancelled() { 1 } else { 100 }, Ordering::SeqCst);
        }
    }

    let pool = opened();
    let job = job(&pool, options(Some(SECOND * 5), 0), None);
    let seen = Arc::new(AtomicU32::new(0));
    for (wanted, outcome_wanted) in [(1, Outcome::Cancelled), (2, Outcome::TimedOut(SECOND * 5))] {
        let of_job = Arc::clone(&seen);
        let run = submit(
            &pool,
            job,
            body(move |cx| {
                let held = Asks(cx, Arc::clone(&of_job));
                async move {
                    let _held = held;
                    pending().await
                }
            }),
        );
        tokio::time::sleep(SECOND).await;
        if outcome_wanted == Outcome::Cancelled {
            assert!(pool.cancel(run));
        }
        assert_eq!(outcome(&pool, run).await, outcome_wanted);
        assert_eq!(seen.load(Ordering::SeqCst), wanted);
    }
}

/// What has been fired has its fate, what has not is still there, and nothing is fired twice or lost.
#[tokio::test(start_paused = true)]
async fn a_panic_in_the_middle_of_a_burst_leaves_every_slot_as_it_is() {
    let (pool, other) = (opened(), opened());
    let known = job(&pool, options(None, 0), None);
    // Of another pool, which has more jobs: there is no such one here.
    job(&other, options(None, 0), None);
    let unknown = named("b", &other, options(None, 0), None);
    let now = Clock::system().now();
    let firing = |n: i64, job| Firing {
        job,
        occasion: Occasion {
            slot: Slot::at(Timestamp::from_nanos(n * 1_000_000_000)),
            schedule: None,
            is_awaited: false,
        },
        body: body(|_| async { Ok(()) }),
    };
    let mut firings: VecDeque<_> =
        [firing(1, known), firing(2, unknown), firing(3, known), firing(4, known)].into();
    let mut fates = Vec::new();
    let fire = |firings: &mut VecDeque<_>, fates: &mut Vec<_>| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| pool.fire(firings, now, fates)))
    };
    assert!(fire(&mut firings, &mut fates).is_err());
    assert_eq!((&fates[..], firings.len()), (&[SlotFate::Ran, SlotFate::Begun][..], 2));
    tokio::time::sleep(SECOND).await;
    assert_eq!(pool.gauge().live, 0, "the first has run");
    assert!(fire(&mut firings, &mut fates).is_ok());
    // The third waits for nobody, the fourth for the third.
    assert_eq!(fates, [SlotFate::Ran, SlotFate::Begun, SlotFate::Ran, SlotFate::Ran]);
    tokio::time::sleep(SECOND).await;
    assert_eq!(pool.gauge().live, 0);
}

/// The next slot waits for it, and both end with the pool.
#[tokio::test(start_paused = true)]
async fn a_slot_that_waits_for_its_retry_is_live() {
    for closes in [false, true] {
        let pool = opened();
        let job = job(&pool, options(None, 1), None);
        let clock = Clock::system();
        let fails = || body(|cx| async move { Err(cx.retry_in(SECOND * 10).into()) });
        let succeeds = || body(|_| async { Ok(()) });
        let mut fates = Vec::new();
        let occasion = |n: i64| Occasion {
            slot: Slot::at(Timestamp::from_nanos(n * 1_000_000_000)),
            schedule: None,
            is_awaited: false,
        };
        let now = clock.now();
        pool.fire(
            &mut VecDeque::from([Firing { job, occasion: occasion(1), body: fails() }]),
            now,
            &mut fates,
        );
        tokio::time::sleep(SECOND).await;
        pool.fire(
            &mut VecDeque::from([Firing { job, occasion: occasion(2), body: succeeds() }]),
            now,
            &mut fates,
        );
        pool.fire(
            &mut VecDeque::from([Firing { job, occasion: occasion(3), body: succeeds() }]),
            now,
            &mut fates,
        );
        assert_eq!(fates, [SlotFate::Ran, SlotFate::Ran, SlotFate::Skipped]);
        let counts = |pool: &Pool| {
            pool.read(|m| {
                let j = m.job(job);
                (j.running, j.available, j.scheduled, j.waiting())
            })
        };
        assert_eq!(counts(&pool), (0, 0, 1, 1));
        assert_eq!(pool.gauge().running, 0);
        if closes {
            tokio::time::sleep(SECOND).await;
        } else {
            tokio::time::sleep(SECOND * 20).await;
            assert_eq!(counts(&pool), (0, 0, 0, 0));
            assert_eq!(pool.gauge().live, 0);
        }
        pool.close();
        let (lost, _) = pool.drain();
        assert_eq!(lost, if closes { 2 } else { 0 });
        assert_eq!(counts(&pool), (0, 0, 0, 0));
        assert_eq!((pool.gauge().queued, pool.gauge().live), (0, 0));
        tokio::time::sleep(SECOND * 20).await;
        assert_eq!(counts(&pool), (0, 0, 0, 0));
    }
}

/// Whatever it does when it is dropped, an attempt that was stopped was stopped.
#[tokio::test(start_paused = true)]
async fn a_panic_in_a_drop_does_not_hide_why_an_attempt_was_stopped() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("dropped");
        }
    }
    let pool = opened();
    let job = job(&pool, options(Some(SECOND * 5), 0), None);
    let holds = |returns: bool| {
        body(move |_| async move {
            let _bomb = Bomb;
            if returns { Ok(()) } else { pending().await }
        })
    };
    let run = submit(&pool, job, holds(false));
    assert_eq!(outcome(&pool, run).await, Outcome::TimedOut(SECOND * 5));
    let run = submit(&pool, job, holds(false));
    tokio::task::yield_now().await;
    assert!(pool.cancel(run));
    assert_eq!(outcome(&pool, run).await, Outcome::Cancelled);
    let run = submit(&pool, job, holds(true));
    assert_eq!(outcome(&pool, run).await, Outcome::Panicked("dropped".into()));
}

/// Whoever waits brings a waker, which is code of the program's.
#[tokio::test(start_paused = true)]
async fn a_waker_that_panics_takes_no_worker_with_it() {
    struct Bad;
    impl std::task::Wake for Bad {
        fn wake(self: Arc<Self>) {
            panic!("woken");
        }
    }
    let pool = opened();
    let job = job(&pool, options(None, 0), None);
    let run = submit(&pool, job, body(|_| async { Ok(()) }));
    let Watch::Pending(mut told) = pool.watch(run) else { panic!("it has not begun") };
    let waker = Waker::from(Arc::new(Bad));
    let mut cx = std::task::Context::from_waker(&waker);
    assert!(std::pin::Pin::new(&mut told).poll(&mut cx).is_pending());
    let next = submit(&pool, job, body(|_| async { Ok(()) }));
    assert_eq!(outcome(&pool, next).await, Outcome::Succeeded);
    assert_eq!(told.await, Ok(Outcome::Succeeded));
}

#[cfg(feature = "postgres")]
#[tokio::test(start_paused = true)]
async fn what_was_cut_off_or_had_no_place_goes_back() {
    let pool = closed();
    pool.share(crate::store::journal::Journal::shared(Arc::default()));
    open(&pool);
    let job = job(&pool, options(None, 3), None);
    let claimed = |number: u128, attempt| crate::store::memory::ClaimedRun {
        id: crate::job::run::RunId::from_u128(number),
        job,
        origin: Origin::Submission,
        slot: None,
        schedule: None,
        attempt,
        retries: 3,
        queue: "default".into(),
        priority: 0,
        body: Ok(body(|_| std::future::pending())),
        details: None,
        since: pool.clock.now().wall,
    };
    assert!(pool.take_claimed(vec![claimed(1, 0), claimed(2, 0), claimed(3, 2)]).is_empty());
    tokio::task::yield_now().await;
    pool.close();
    pool.interrupt();
    pool.drained(false).await;
    pool.drain();
    let mut back: Vec<_> = pool.take_results();
    assert!(back.iter().all(|back| matches!(back.became, crate::store::memory::Became::Back)), "{back:?}");
    back.sort_by_key(|back| back.id);
    assert_eq!(back.iter().map(|back| back.id.as_u128()).collect::<Vec<_>>(), [1, 2, 3]);
}

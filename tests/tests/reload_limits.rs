//! Sizes and limits of an instance that runs: another config holds at once, for what waits as well.

mod support;

use std::time::Duration;

use jobs::testing::TestClock;
use jobs::{Config, JobContext, Jobs, Outcome, RunHandle, RunState, func, job};
use support::{HOUR, Log, MINUTE, SECOND, clock};

/// Takes a minute.
#[job(queue = "work")]
async fn work(#[state] log: &Log, cx: &JobContext) {
    log.add("work", cx);
    tokio::time::sleep(MINUTE).await;
}

/// Nothing is said about it at first.
#[job]
async fn free(#[state] log: &Log, cx: &JobContext) {
    log.add("free", cx);
    tokio::time::sleep(MINUTE).await;
}

#[job(enabled = false)]
async fn off(#[state] log: &Log, cx: &JobContext) {
    log.add("off", cx);
    tokio::time::sleep(MINUTE * 5).await;
}

fn config(text: &str) -> Config {
    Config::from_toml(text).unwrap().without_environment()
}

async fn started(text: &str) -> (Jobs, TestClock, Log) {
    let (clock, log) = (clock("2026-03-02 12:00:00"), Log::default());
    let jobs = jobs::start(config(text).state(log.clone()).clock(&clock)).await.unwrap();
    (jobs, clock, log)
}

fn running(jobs: &Jobs) -> usize {
    jobs.snapshot().pool.running
}

/// What the reload says, and how many runs execute then.
async fn reloaded(jobs: &Jobs, clock: &TestClock, text: &str) -> (String, usize) {
    let changes = jobs.reload(config(text)).await.unwrap();
    clock.advance(Duration::ZERO).await;
    (changes.to_string(), running(jobs))
}

#[tokio::test(start_paused = true)]
async fn the_pool_grows_and_shrinks() {
    let (jobs, clock, log) = started("jobs.pool = 2").await;
    for _ in 0..30 {
        jobs.now(free {}).await.unwrap();
    }
    clock.advance(SECOND).await;
    assert_eq!(running(&jobs), 2);
    let grown = reloaded(&jobs, &clock, "jobs.pool = 8").await;
    assert_eq!(grown, ("jobs.pool: 2 → 8".to_owned(), 8));
    assert_eq!(jobs.snapshot().pool.size.unwrap().get(), 8);
    // What runs goes on.
    let shrunk = reloaded(&jobs, &clock, "jobs.pool = 3").await;
    assert_eq!(shrunk, ("jobs.pool: 8 → 3".to_owned(), 8));
    clock.advance(MINUTE).await;
    assert_eq!(running(&jobs), 3);
    let all = reloaded(&jobs, &clock, "jobs.pool = 0").await;
    assert_eq!(all, ("jobs.pool: 3 → unlimited".to_owned(), 22));
    clock.advance(MINUTE * 2).await;
    assert_eq!((running(&jobs), log.take().len()), (0, 30));
    // Those that are parked are too many now, and one is left for what comes.
    reloaded(&jobs, &clock, "jobs.pool = 1").await;
    for _ in 0..3 {
        jobs.now(free {}).await.unwrap();
    }
    for left in [1, 1, 1, 0] {
        clock.advance(SECOND).await;
        assert_eq!(running(&jobs), left);
        clock.advance(MINUTE).await;
    }
    assert!(jobs.shutdown().await.is_clean());
}

#[tokio::test(start_paused = true)]
async fn a_queue_takes_another_size() {
    let (jobs, clock, log) = started("jobs.queues.work = 1").await;
    for _ in 0..10 {
        jobs.now(work {}).await.unwrap();
    }
    clock.advance(SECOND).await;
    assert_eq!(running(&jobs), 1);
    let grown = reloaded(&jobs, &clock, "jobs.queues.work = 4").await;
    assert_eq!(grown, ("jobs.queues.work: 1 → 4".to_owned(), 4));
    let gone = reloaded(&jobs, &clock, "").await;
    assert_eq!(gone, ("jobs.queues.work: 4 → the pool's".to_owned(), 10));
    clock.advance(MINUTE).await;
    assert_eq!(log.take().len(), 10);
    jobs.shutdown().await;
}

/// They wait already when it gets a limit, and keep their order.
#[tokio::test(start_paused = true)]
async fn a_job_takes_a_concurrency_and_a_rate() {
    let (jobs, clock, log) = started("jobs.pool = 2").await;
    let mut runs = Vec::new();
    for n in 0..12 {
        runs.push(jobs.now(free {}).await.unwrap());
        jobs.now(func("other", || async {})).priority(if n == 0 { 1 } else { 0 }).await.unwrap();
    }
    clock.advance(SECOND).await;
    let limited = reloaded(&jobs, &clock, "jobs.pool = 5\njob.free.concurrency = 3").await;
    assert_eq!(limited, ("jobs.pool: 2 → 5\njob.free.concurrency: none → 3".to_owned(), 3));
    assert_eq!(jobs.snapshot().job("other").unwrap().queued, 0, "it holds nothing else up");
    assert_eq!(
        jobs.explain("free").unwrap().to_string(),
        "a run of `free` waits since 2026-03-02 12:00:00 UTC: `concurrency = 3` lets no more run at the same time"
    );
    let more = reloaded(&jobs, &clock, "jobs.pool = 5\njob.free.concurrency = 4").await;
    assert_eq!(more, ("job.free.concurrency: 3 → 4".to_owned(), 4));
    let none = reloaded(&jobs, &clock, "jobs.pool = 5").await;
    assert_eq!(none, ("job.free.concurrency: 4 → none".to_owned(), 5));
    log.take();
    let rate = reloaded(&jobs, &clock, "jobs.pool = 50\njob.free.rate = \"2/10m\"").await;
    assert_eq!(rate, ("jobs.pool: 5 → 50\njob.free.rate: none → 2/10m".to_owned(), 7));
    clock.advance(MINUTE * 6).await;
    assert_eq!(log.take().len(), 3, "two at once, and one for five minutes");
    let off = reloaded(&jobs, &clock, "jobs.pool = 50").await;
    assert_eq!(off.1, 4, "{}", off.0);
    clock.advance(MINUTE * 2).await;
    let mut ends = Vec::new();
    for run in &runs {
        assert_eq!(run.wait().await, Outcome::Succeeded);
        ends.push(run.attempts()[0].started_at);
    }
    assert!(ends.is_sorted(), "{ends:?}");
    assert!(jobs.shutdown().await.is_clean());
}

/// Who changes a rate does not get round it.
#[tokio::test(start_paused = true)]
async fn what_has_started_counts_for_another_rate() {
    let (jobs, clock, log) = started("jobs.pool = 0\njob.free.rate = \"10/10m\"").await;
    for _ in 0..200 {
        jobs.now(free {}).await.unwrap();
    }
    clock.advance(Duration::ZERO).await;
    assert_eq!(log.take().len(), 10);
    for _ in 0..20 {
        for rate in ["10/20m", "30/10m", "10/10m"] {
            reloaded(&jobs, &clock, &format!("jobs.pool = 0\njob.free.rate = \"{rate}\"")).await;
        }
    }
    assert_eq!(log.take().len(), 0);
    clock.advance(MINUTE * 5).await;
    assert_eq!(log.take().len(), 5, "the timers of all these rates let nothing start early");
    // A wait that is shorter than the one that was set.
    reloaded(&jobs, &clock, "jobs.pool = 0\njob.free.rate = \"30/30s\"").await;
    clock.advance(SECOND * 10).await;
    assert_eq!(log.take().len(), 10);
    reloaded(&jobs, &clock, "jobs.pool = 0\njob.free.rate = \"2/10m\"").await;
    assert_eq!(log.take().len(), 0);
    clock.advance(MINUTE * 10).await;
    assert_eq!(log.take().len(), 2);
    // A part that is left stays as large a part.
    reloaded(&jobs, &clock, "jobs.pool = 0\njob.free.rate = \"off\"").await;
    clock.advance(MINUTE).await;
    log.take();
    reloaded(&jobs, &clock, "jobs.pool = 0\njob.free.rate = \"4/1h\"").await;
    jobs.now(free {}).await.unwrap();
    clock.advance(Duration::ZERO).await;
    reloaded(&jobs, &clock, "jobs.pool = 0\njob.free.rate = \"40/1h\"").await;
    for _ in 0..100 {
        jobs.now(free {}).await.unwrap();
    }
    clock.advance(Duration::ZERO).await;
    assert_eq!(log.take().len(), 1 + 30);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_shorter_retention_forgets() {
    let (jobs, clock, _) = started("").await;
    let quick = || func("quick", || async {});
    for _ in 0..20 {
        jobs.now(quick()).await.unwrap().wait().await;
    }
    let said = reloaded(&jobs, &clock, "jobs.retention_count = 5\njobs.retention = \"1h\"").await.0;
    assert_eq!(said, "jobs.retention: 7d → 1h\njobs.retention_count: 10000 → 5");
    // A few go with each that ends.
    for _ in 0..20 {
        jobs.now(quick()).await.unwrap().wait().await;
    }
    assert_eq!(jobs.runs().job("quick").limit(100).list().await.len(), 5);
    jobs.shutdown().await;
}

/// It means what it did, and is armed or not.
#[tokio::test(start_paused = true)]
async fn what_the_program_has_scheduled_follows_when_its_job_is_switched_on_and_off() {
    let (jobs, clock, log) = started("").await;
    jobs.schedule("0 0 * * * *", off {}).await.unwrap();
    jobs.fixed_delay(MINUTE * 30, off {}).await.unwrap();
    clock.advance(HOUR * 2).await;
    assert_eq!(log.len(), 0);
    let changes = jobs.reload(config("job.off.enabled = true")).await.unwrap().to_string();
    assert!(changes.contains("0 0 * * * * → 0 0 * * * * (next 2026-03-02 15:00:00 UTC)"), "{changes}");
    assert!(changes.contains("job.off.enabled: false → true"), "{changes}");
    clock.advance(HOUR).await;
    // The delay from 14:00, and the hour; a run takes five minutes.
    assert_eq!(log.take().len(), 2);
    clock.advance(MINUTE * 2).await;
    jobs.reload(config("")).await.unwrap();
    clock.advance(HOUR * 3).await;
    assert!(log.take().len() <= 1);
    assert_eq!(jobs.snapshot().job("off").unwrap().running, 0);
    jobs.shutdown().await;
}

/// ```text
/// 12:00        12:30 ran            13:10 reload   13:30
///   └── 30m ──────┴───────────── 60m ──────────────────┘
/// ```
#[tokio::test(start_paused = true)]
async fn a_delay_that_is_another_is_counted_from_the_last_run() {
    let (jobs, clock, log) = started("job.free.fixed_delay = \"29m\"").await;
    clock.advance(MINUTE * 40).await;
    assert_eq!(log.slots(), ["12:29:00"]);
    // The run has ended at 12:30.
    jobs.reload(config("job.free.fixed_delay = \"60m\"")).await.unwrap();
    clock.advance(MINUTE * 49).await;
    assert_eq!(log.len(), 0);
    clock.advance(MINUTE * 2).await;
    assert_eq!(log.take().len(), 1);
    // It is over already.
    clock.advance(MINUTE * 40).await;
    jobs.reload(config("job.free.fixed_delay = \"10m\"")).await.unwrap();
    clock.advance(SECOND).await;
    assert_eq!(log.take().len(), 1);
    jobs.shutdown().await;
}

/// A reload that has begun takes all of the config, whether anybody waits for it or not.
#[tokio::test(start_paused = true)]
async fn a_reload_that_is_dropped_is_not_left_half_way() {
    let (jobs, clock, _) = started("[cron]\na = \"@daily\"").await;
    jobs.schedule("cron.a", func("named", || async {})).await.unwrap();
    {
        let mut reload = std::pin::pin!(jobs.reload(config("jobs.pool = 4\n[cron]\na = \"@hourly\"")));
        std::future::poll_fn(|cx| {
            assert!(reload.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
    }
    clock.advance(SECOND).await;
    let snapshot = jobs.snapshot();
    assert_eq!(snapshot.pool.size.unwrap().get(), 4);
    assert_eq!(snapshot.job("named").unwrap().schedules[0].words, "every hour (UTC)");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_submitted_goes_to_another_queue_and_waits_with_another_priority() {
    let (jobs, clock, log) = started("jobs.pool = 1\njobs.queues.bulk = 1").await;
    jobs.now(func("first", || tokio::time::sleep(MINUTE))).await.unwrap();
    clock.advance(SECOND).await;
    let before = jobs.now(free {}).await.unwrap();
    let text = "jobs.pool = 1\njobs.queues.bulk = 1\n[job.free]\nqueue = \"bulk\"\npriority = 5";
    let (changes, _) = reloaded(&jobs, &clock, text).await;
    assert_eq!(changes, "job.free.queue: default → bulk\njob.free.priority: 0 → 5");
    let after = jobs.now(free {}).await.unwrap();
    let place = |run: &RunHandle| {
        let run = run.snapshot().unwrap();
        (run.queue, run.priority)
    };
    assert_eq!(place(&before), ("default".to_owned(), 0), "it keeps its place");
    assert_eq!(place(&after), ("bulk".to_owned(), 5));
    clock.advance(MINUTE).await;
    assert_eq!(after.snapshot().unwrap().state, RunState::Running, "the higher priority goes first");
    assert_eq!(before.snapshot().unwrap().state, RunState::Available);
    jobs.pause_queue("bulk").await.unwrap();
    clock.advance(MINUTE * 5).await;
    assert_eq!(log.len(), 2);
    let held = jobs.now(free {}).await.unwrap();
    clock.advance(MINUTE).await;
    assert_eq!(held.snapshot().unwrap().state, RunState::Available);
    let (changes, _) = reloaded(&jobs, &clock, "jobs.pool = 1").await;
    assert!(changes.contains("job.free.queue: bulk → default\njob.free.priority: 5 → 0"), "{changes}");
    let free = jobs.now(free {}).await.unwrap();
    clock.advance(SECOND).await;
    assert_eq!(free.snapshot().unwrap().state, RunState::Running);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn submissions_are_compared_from_a_reload_on_and_no_more_after_another() {
    let (jobs, clock, _log) = started("").await;
    let plain = jobs.now(free {}).await.unwrap();
    let (changes, _) = reloaded(&jobs, &clock, "job.free.unique = true").await;
    assert_eq!(changes, "job.free.unique: false → true");
    let first = jobs.now(free {}).await.unwrap();
    assert!(!first.is_duplicate(), "what was submitted before stands for none");
    let second = jobs.now(free {}).await.unwrap();
    assert!(second.is_duplicate() && second.id() == first.id() && first.id() != plain.id());
    let (changes, _) = reloaded(&jobs, &clock, "job.free.unique = \"10m\"").await;
    assert_eq!(changes, "job.free.unique: true → 10m");
    let windowed = jobs.now(free {}).await.unwrap();
    assert!(!windowed.is_duplicate());
    clock.advance(MINUTE * 2).await;
    assert!(jobs.now(free {}).await.unwrap().is_duplicate(), "it has succeeded within the window");
    reloaded(&jobs, &clock, "").await;
    assert!(!jobs.now(free {}).await.unwrap().is_duplicate());
    jobs.shutdown().await;
}

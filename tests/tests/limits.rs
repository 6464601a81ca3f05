//! Queues, priorities, `concurrency` and `rate`: what they hold back, and that they hold back nothing else.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jobs::{Config, JobContext, JobStatus, Jobs, Outcome, job};
use support::{Log, SECOND, clock, config, note};
use tokio::sync::Semaphore;
use tokio::time::sleep;

/// Those that have not been let go.
#[derive(Debug, Clone)]
struct Held(Arc<Semaphore>);

impl Held {
    fn let_go(&self, runs: usize) {
        self.0.add_permits(runs);
    }
}

#[job(rate = "3/1m")]
async fn call(cx: &JobContext, #[state] log: &Log, tag: String) {
    log.add(tag, cx);
}

#[job(concurrency = 2)]
async fn pair(cx: &JobContext, #[state] log: &Log, #[state] held: &Held, tag: String) {
    log.add(tag, cx);
    held.0.acquire().await.unwrap().forget();
}

#[job(queue = "mail")]
async fn mail(cx: &JobContext, #[state] log: &Log, tag: String) {
    log.add(tag, cx);
}

/// Holds a pool of one until it is let go.
#[job]
async fn hold(#[state] held: &Held) {
    held.0.acquire().await.unwrap().forget();
}

#[job(concurrency = 1, rate = "2/1h")]
async fn both(cx: &JobContext, #[state] log: &Log, tag: String) {
    log.add(tag, cx);
    sleep(SECOND).await;
}

#[job(backoff = "1m")]
async fn fails(#[state] tries: &Tries) -> Result<(), String> {
    tries.0.fetch_add(1, Ordering::SeqCst);
    Err("no".into())
}

#[derive(Debug, Clone, Default)]
struct Tries(Arc<AtomicUsize>);

async fn started(with: impl FnOnce(Config) -> Config) -> (Jobs, Log, Held) {
    let (log, held) = (Log::default(), Held(Arc::new(Semaphore::new(0))));
    let config = config(&clock("2026-03-02 12:00:00")).state(log.clone()).state(held.clone());
    (jobs::start(with(config.state(Tries::default()))).await.unwrap(), log, held)
}

/// Lets everything happen that needs no time.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

/// Tag and seconds after noon.
fn starts(log: &Log) -> Vec<(String, i64)> {
    let noon = support::utc("2026-03-02 12:00:00");
    log.take().into_iter().map(|entry| (entry.tag, (entry.started - noon).num_seconds())).collect()
}

/// ```text
/// tokens   3 2 1 0         1         1         1
/// starts   0 1 2           3         4         5
/// seconds  0              20        40        60
/// ```
#[tokio::test(start_paused = true)]
async fn a_rate_starts_as_many_as_there_are_tokens() {
    let (jobs, log, _) = started(|config| config).await;
    for tag in 0..6 {
        jobs.now(call { tag: tag.to_string() }).await.unwrap();
    }
    jobs.now(note("other")).await.unwrap();
    settle().await;
    assert_eq!(log.tags(), ["0", "1", "2", "other"], "it holds up no other job");
    assert_eq!(jobs.snapshot().job("call").unwrap().queued, 3);
    sleep(Duration::from_millis(19_999)).await;
    assert_eq!(log.len(), 0);
    sleep(Duration::from_secs(45)).await;
    let wanted = [("3", 20), ("4", 40), ("5", 60)].map(|(tag, at)| (tag.to_owned(), at));
    assert_eq!(starts(&log), wanted);
    // After a rest the bucket is full, and no fuller.
    sleep(Duration::from_secs(3600)).await;
    for tag in 6..12 {
        jobs.now(call { tag: tag.to_string() }).await.unwrap();
    }
    settle().await;
    assert_eq!(log.tags(), ["6", "7", "8"]);
    jobs.shutdown().await;
}

/// Submitted one by one over two days, faster than the rate and slower: in no window are more starts than tokens.
#[tokio::test(start_paused = true)]
async fn a_rate_holds_in_every_window() {
    let (jobs, log, _) = started(|config| config).await;
    let mut wait = 7_u64;
    for tag in 0..500 {
        jobs.now(call { tag: tag.to_string() }).await.unwrap();
        wait = wait * 37 % 101;
        sleep(Duration::from_millis(wait * 400)).await;
    }
    sleep(Duration::from_secs(86_400)).await;
    let starts: Vec<_> = log.take().into_iter().map(|entry| entry.started).collect();
    assert_eq!(starts.len(), 500);
    let mut waited = 0;
    for (at, start) in starts.iter().enumerate() {
        // Three at once and one each twenty seconds: any n + 3 starts take n times as long at least.
        for (later, end) in starts.iter().enumerate().skip(at + 3) {
            let least = chrono::TimeDelta::seconds(20 * (later - at - 2) as i64);
            let took = *end - *start;
            assert!(took >= least, "{} starts in {took}", later - at + 1);
            waited += usize::from(took < least + chrono::TimeDelta::milliseconds(5));
        }
    }
    assert!(waited > 100, "the rate was reached {waited} times, and by a few milliseconds");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn concurrency_holds_back_its_own_job_only() {
    let (jobs, log, held) = started(|config| config.pool(10)).await;
    for tag in 0..5 {
        jobs.now(pair { tag: tag.to_string() }).await.unwrap();
    }
    jobs.now(note("other")).await.unwrap();
    settle().await;
    assert_eq!(log.tags(), ["0", "1", "other"]);
    let pair = jobs.snapshot().job("pair").unwrap().clone();
    assert_eq!((pair.status, pair.running, pair.queued), (JobStatus::Running, 2, 3));
    held.let_go(1);
    settle().await;
    assert_eq!(log.tags(), ["2"]);
    held.let_go(10);
    settle().await;
    assert_eq!(log.tags(), ["3", "4"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_with_both_limits_keeps_both() {
    let (jobs, log, _) = started(|config| config).await;
    for tag in 0..4 {
        jobs.now(both { tag: tag.to_string() }).await.unwrap();
    }
    sleep(Duration::from_secs(3 * 3600)).await;
    let wanted = [("0", 0), ("1", 1), ("2", 1800), ("3", 3600)].map(|(tag, at)| (tag.to_owned(), at));
    assert_eq!(starts(&log), wanted);
    jobs.shutdown().await;
}

/// Every eighth claim takes the oldest: the first was of `hold`, so the eighth is the seventh after it.
#[tokio::test(start_paused = true)]
async fn the_highest_priority_is_first_and_nothing_starves() {
    let (jobs, log, held) = started(|config| config.pool(1)).await;
    jobs.now(hold {}).await.unwrap();
    settle().await;
    jobs.now(note("low 0")).priority(-100).await.unwrap();
    jobs.now(note("low 1")).priority(-100).await.unwrap();
    for i in 0..9 {
        jobs.now(note(format!("plain {i}"))).await.unwrap();
    }
    jobs.now(note("high 0")).priority(100).await.unwrap();
    jobs.now(note("high 1")).priority(100).await.unwrap();
    held.let_go(1);
    settle().await;
    let wanted = "high 0, high 1, plain 0, plain 1, plain 2, plain 3, low 0, plain 4, plain 5, plain 6, plain 7, \
                  plain 8, low 1";
    assert_eq!(log.tags().join(", "), wanted);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_higher_priority_overtakes_what_was_submitted_a_moment_before() {
    let (jobs, log, held) = started(|config| config.pool(1)).await;
    jobs.now(hold {}).await.unwrap();
    settle().await;
    for i in 0..3 {
        jobs.now(note(i.to_string())).await.unwrap();
    }
    // The first of them is claimed, and only then something more important comes.
    held.let_go(1);
    jobs.now(hold {}).priority(1).await.unwrap();
    settle().await;
    assert_eq!(log.len(), 0);
    jobs.now(note("urgent")).priority(2).await.unwrap();
    held.let_go(1);
    settle().await;
    assert_eq!(log.tags(), ["urgent", "0", "1", "2"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_queue_keeps_its_runs_and_holds_up_no_other() {
    let (jobs, log, _) = started(|config| config.pool(1)).await;
    let mut events = jobs.events();
    jobs.pause_queue("mail").await.unwrap();
    jobs.pause_queue("mail").await.unwrap();
    jobs.resume_queue("mail").await.unwrap();
    jobs.pause_queue("mail").await.unwrap();
    let told: Vec<_> = std::iter::from_fn(|| events.try_next()).map(|event| event.to_string()).collect();
    assert_eq!(
        told,
        ["queue mail paused", "queue mail resumed", "queue mail paused"],
        "once for each change"
    );
    jobs.now(mail { tag: "first".into() }).await.unwrap();
    sleep(SECOND).await;
    jobs.now(mail { tag: "second".into() }).await.unwrap();
    jobs.now(mail { tag: "elsewhere".into() }).queue("default").await.unwrap();
    jobs.now(note("other")).await.unwrap();
    jobs.now(note("in it")).queue("mail").await.unwrap();
    settle().await;
    assert_eq!(log.tags(), ["elsewhere", "other"]);
    let snapshot = jobs.snapshot();
    let queue = snapshot.queues.iter().find(|queue| queue.name == "mail").unwrap();
    assert_eq!((queue.paused, queue.running, queue.queued, queue.size), (true, 0, 3, None));
    assert_eq!(queue.queued_since, Some(support::utc("2026-03-02 12:00:00")));
    assert_eq!(snapshot.job("mail").unwrap().status, JobStatus::Queued);
    let text = snapshot.to_string();
    assert!(
        text.ends_with("\nqueue default: 0 running, 0 queued\nqueue mail: 0 running, 3 queued, paused"),
        "{text}"
    );
    jobs.resume_queue("mail").await.unwrap();
    settle().await;
    assert_eq!(log.tags(), ["first", "second", "in it"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_holds_up_no_other() {
    let (jobs, log, held) = started(|config| config.pool(5).queue("mail", 2)).await;
    for _ in 0..3 {
        jobs.now(hold {}).queue("mail").await.unwrap();
    }
    settle().await;
    jobs.now(mail { tag: "mail".into() }).priority(100).await.unwrap();
    jobs.now(note("other")).await.unwrap();
    settle().await;
    assert_eq!(log.tags(), ["other"]);
    let snapshot = jobs.snapshot();
    let queue = snapshot.queues.iter().find(|queue| queue.name == "mail").unwrap();
    assert_eq!((queue.size.map(usize::from), queue.running, queue.queued), (Some(2), 2, 2));
    assert_eq!((snapshot.pool.running, snapshot.pool.queued), (2, 2));
    held.let_go(1);
    settle().await;
    assert_eq!(log.tags(), ["mail"], "it is the more important of the two");
    held.let_go(2);
    settle().await;
    assert_eq!(jobs.snapshot().pool.running, 0);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_config_goes_before_the_attribute() {
    let (jobs, log, held) = started(|config| {
        let config = config.queue("slow", 1).job("mail", |job| job.queue("slow"));
        config.job("pair", |job| job.concurrency(1))
    })
    .await;
    for tag in ["0", "1"] {
        jobs.now(pair { tag: tag.into() }).await.unwrap();
    }
    jobs.now(hold {}).queue("slow").await.unwrap();
    jobs.now(mail { tag: "mail".into() }).await.unwrap();
    settle().await;
    assert_eq!(log.tags(), ["0"]);
    held.let_go(3);
    settle().await;
    let mut tags = log.tags();
    tags.sort();
    assert_eq!(tags, ["1", "mail"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_submission_says_goes_before_what_the_job_says() {
    let (jobs, ..) = started(|config| config).await;
    let once = jobs.now(fails {}).retries(0).await.unwrap();
    assert_eq!(once.wait().await, Outcome::Failed("no".into()));
    assert_eq!(once.attempts().len(), 1);
    let thrice = jobs.after(SECOND, fails {}).retries(2).await.unwrap();
    thrice.wait().await;
    assert_eq!(thrice.attempts().len(), 3);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_whose_run_waits_to_be_tried_again_is_not_idle() {
    let (jobs, ..) = started(|config| config).await;
    let run = jobs.now(fails {}).retries(1).await.unwrap();
    settle().await;
    let job = jobs.snapshot().job("fails").unwrap().clone();
    assert_eq!((job.status, job.delayed, job.retrying), (JobStatus::Retrying, 1, 1));
    assert_eq!(job.status.to_string(), "RETRYING");
    // What waits for its time only is.
    run.cancel().await;
    jobs.after(SECOND, fails {}).await.unwrap();
    let job = jobs.snapshot().job("fails").unwrap().clone();
    assert_eq!((job.status, job.delayed, job.retrying), (JobStatus::Idle, 1, 0));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn mistakes_are_told() {
    let (jobs, ..) = started(|config| config).await;
    let error = jobs.now(note("")).queue("Mail").await.unwrap_err();
    assert!(error.is_bad_option());
    assert!(error.to_string().starts_with("unexpected `M` in queue name `Mail`"), "{error}");
    let error = jobs.now(note("")).priority(101).await.unwrap_err();
    assert_eq!(error.to_string(), "the priority 101 is outside -100 to 100");
    let error = jobs.pause_queue("mial").await.unwrap_err();
    assert!(error.is_unknown_queue());
    assert_eq!(error.to_string(), "no queue is named `mial`; did you mean `mail`?");
    let error = jobs.resume_queue("elsewhere").await.unwrap_err();
    assert_eq!(error.to_string(), "no queue is named `elsewhere`; there are `default`, `mail`");
    jobs.shutdown().await;
    assert!(jobs.pause_queue("mail").await.unwrap_err().is_shut_down());
}

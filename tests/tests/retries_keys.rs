//! `timeout`, `retries` and `backoff` take effect, said by the attribute or by the config of a deployment.

mod support;

use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::testing::TestClock;
use jobs::{Attempt, Config, Job, JobContext, JobResult, Jobs, Outcome, RunHandle, job};
use serde::{Deserialize, Serialize};
use support::{HOUR, MINUTE, SECOND, clock};

/// The attempts of the job with a schedule.
type Seen = Arc<Mutex<Vec<u32>>>;

/// Fails, or never comes to an end.
#[job(aliases = ["send"], timeout = "5s", retries = 2, backoff = "10s..15s")]
async fn deliver(hangs: bool) -> Result<(), String> {
    if hangs {
        pending::<()>().await;
    }
    Err("nobody at home".into())
}

#[job(retries = 0)]
async fn once() -> Result<(), String> {
    Err("no".into())
}

/// One wait for all.
#[job(retries = 4, backoff = "30s")]
async fn steady() -> Result<(), String> {
    Err("no".into())
}

/// Nothing is said.
#[job]
async fn plain(hangs: bool) -> Result<(), String> {
    if hangs {
        pending::<()>().await;
    }
    Err("no".into())
}

#[job(schedule = "0 0 * * * *", tz = "UTC", retries = 1, backoff = "1m")]
async fn stock(#[state] seen: &Seen, cx: &JobContext) -> Result<(), String> {
    seen.lock().unwrap().push(cx.attempt());
    Err("no".into())
}

/// A job without an attribute: the config alone speaks of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct ByHand;

impl Job for ByHand {
    const NAME: &'static str = "by_hand";

    async fn run(self, _cx: JobContext) -> JobResult {
        Err("no".into())
    }
}

struct Started {
    jobs: Jobs,
    seen: Seen,
    clock: TestClock,
}

async fn started(config: Config) -> Started {
    let (clock, seen) = (clock("2026-03-02 12:30:00"), Seen::default());
    let config = config.clock(&clock).state(Arc::clone(&seen)).register::<ByHand>();
    Started { jobs: jobs::start(config).await.unwrap(), seen, clock }
}

fn nothing_said() -> Config {
    Config::default().without_environment()
}

/// The attempts of a run that comes to nothing, when it is over.
async fn over(run: RunHandle) -> Vec<Attempt> {
    let outcome = run.wait().await;
    let attempts = run.attempts();
    assert_eq!(attempts.last().map(|last| &last.outcome), Some(&outcome));
    assert!(attempts.iter().zip(1..).all(|(attempt, number)| attempt.number == number), "{attempts:?}");
    attempts
}

/// Each wait is the one that was said, a tenth more or less, and a millisecond of the timer.
#[track_caller]
fn assert_waits(attempts: &[Attempt], expected: &[Duration]) {
    let waits = attempts.windows(2).map(|pair| (pair[1].started_at - pair[0].finished_at).num_milliseconds());
    let waits: Vec<i64> = waits.collect();
    assert_eq!(waits.len(), expected.len(), "{waits:?} for {expected:?}");
    for (wait, expected) in waits.iter().zip(expected) {
        let expected = expected.as_millis() as i64;
        assert!(
            (expected * 9 / 10..=expected * 11 / 10 + 1).contains(wait),
            "{waits:?}: {wait} of {expected}"
        );
    }
}

#[track_caller]
fn assert_timed_out(attempts: &[Attempt], after: Duration) {
    assert!(!attempts.is_empty());
    for attempt in attempts {
        assert_eq!(attempt.outcome, Outcome::TimedOut(after));
        let took = (attempt.finished_at - attempt.started_at).num_milliseconds();
        let after = after.as_millis() as i64;
        assert!((after..=after + 1).contains(&took), "{took} of {after}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_attribute_s_retries_and_backoff_take_effect() {
    let Started { jobs, .. } = started(nothing_said()).await;
    let attempts = over(jobs.now(deliver { hangs: false }).await.unwrap()).await;
    // The second wait would be 20 s, were 15 s not the longest.
    assert_waits(&attempts, &[SECOND * 10, SECOND * 15]);
    assert!(attempts.iter().all(|attempt| attempt.outcome == Outcome::Failed("nobody at home".into())));

    assert_waits(&over(jobs.now(once {}).await.unwrap()).await, &[]);
    assert_waits(&over(jobs.now(steady {}).await.unwrap()).await, &[SECOND * 30; 4]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_attribute_s_timeout_takes_effect_on_every_attempt() {
    let Started { jobs, .. } = started(nothing_said()).await;
    let attempts = over(jobs.now(deliver { hangs: true }).await.unwrap()).await;
    assert_timed_out(&attempts, SECOND * 5);
    assert_waits(&attempts, &[SECOND * 10, SECOND * 15]);
    jobs.shutdown().await;
}

/// A slot has no retries but those that are said.
#[tokio::test(start_paused = true)]
async fn a_slot_is_tried_again_where_the_attribute_says_so() {
    let Started { jobs, seen, clock } = started(nothing_said()).await;
    clock.advance(MINUTE * 30 + SECOND * 50).await;
    assert_eq!(*seen.lock().unwrap(), [1]);
    clock.advance(SECOND * 20).await;
    assert_eq!(*seen.lock().unwrap(), [1, 2]);
    clock.advance(HOUR).await;
    assert_eq!(*seen.lock().unwrap(), [1, 2, 1, 2]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_is_tried_again_as_the_deployment_says() {
    let config = nothing_said().job("stock", |job| job.retries(2).backoff(SECOND, SECOND));
    let Started { jobs, seen, clock } = started(config).await;
    clock.advance(MINUTE * 31).await;
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
    jobs.shutdown().await;

    let Started { jobs, seen, clock } = started(nothing_said().job("stock", |job| job.retries(0))).await;
    clock.advance(MINUTE * 40).await;
    assert_eq!(*seen.lock().unwrap(), [1]);
    jobs.shutdown().await;
}

/// The file over the attribute, the environment over the file, code over all; each key alone.
#[tokio::test(start_paused = true)]
async fn every_source_overrides_those_below_it_key_by_key() {
    let file = "[job.deliver]\nretries = 1\nbackoff = \"1m..2m\"\ntimeout = \"1s\"";
    let conf = "job.deliver.retries = 1\njob.deliver.backoff = 1m..2m\njob.deliver.timeout = 1s";
    let env = [("JOBS__JOB__DELIVER__RETRIES", "3"), ("JOBS__JOB__DELIVER__TIMEOUT", "2s")];
    let none: [(&str, &str); 0] = [];
    let toml = || Config::from_toml(file).unwrap();
    for (config, timeout, waits) in [
        // One key leaves the attribute's others.
        (nothing_said().job("deliver", |job| job.retries(1)), SECOND * 5, vec![SECOND * 10]),
        (nothing_said().job("deliver", |job| job.timeout(SECOND)), SECOND, vec![SECOND * 10, SECOND * 15]),
        (
            nothing_said().job("deliver", |job| job.backoff(MINUTE, HOUR)),
            SECOND * 5,
            vec![MINUTE, MINUTE * 2],
        ),
        (toml().environment(none), SECOND, vec![MINUTE]),
        (Config::from_conf(conf).unwrap().environment(none), SECOND, vec![MINUTE]),
        // Under a former name.
        (nothing_said().job("send", |job| job.retries(1).timeout(SECOND)), SECOND, vec![SECOND * 10]),
        (nothing_said().job("send", |job| job.backoff(MINUTE, HOUR)), SECOND * 5, vec![MINUTE, MINUTE * 2]),
        (toml().environment(env), SECOND * 2, vec![MINUTE, MINUTE * 2, MINUTE * 2]),
        (
            toml().environment(env).job("deliver", |job| job.retries(2).backoff(SECOND, HOUR)),
            SECOND * 2,
            vec![SECOND, SECOND * 2],
        ),
        (toml().environment(env).job("deliver", |job| job.retries(0)), SECOND * 2, vec![]),
    ] {
        let Started { jobs, .. } = started(config).await;
        let attempts = over(jobs.now(deliver { hangs: true }).await.unwrap()).await;
        assert_timed_out(&attempts, timeout);
        assert_waits(&attempts, &waits);
        jobs.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_deployment_speaks_of_jobs_that_say_nothing() {
    let config = nothing_said()
        .job("plain", |job| job.retries(1).timeout(MINUTE))
        .job("by_hand", |job| job.retries(2).backoff(SECOND * 3, SECOND * 3));
    let Started { jobs, .. } = started(config).await;
    let attempts = over(jobs.now(plain { hangs: true }).await.unwrap()).await;
    assert_timed_out(&attempts, MINUTE);
    assert_waits(&attempts, &[SECOND]);
    assert_waits(&over(jobs.now(ByHand).await.unwrap()).await, &[SECOND * 3; 2]);
    jobs.shutdown().await;
}

/// The longest that can be said is as good as for ever, and the shortest is over at once.
#[tokio::test(start_paused = true)]
async fn the_limits_of_each_key_do_no_harm() {
    const SHORTEST: Duration = Duration::from_millis(1);
    let longest = Duration::from_nanos(i64::MAX as u64);
    let config = nothing_said()
        .job("plain", |job| job.timeout(longest).backoff(longest, longest))
        .job("deliver", |job| job.timeout(SHORTEST).retries(1));
    let Started { jobs, clock, .. } = started(config).await;
    let waits = jobs.now(plain { hangs: false }).await.unwrap();
    let hangs = jobs.now(plain { hangs: true }).await.unwrap();
    clock.advance(HOUR).await;
    assert_eq!((waits.attempts().len(), hangs.attempts().len()), (1, 0));
    let plain = jobs.snapshot().job("plain").cloned().unwrap();
    assert_eq!((plain.running, plain.delayed), (1, 1));

    let attempts = over(jobs.now(deliver { hangs: true }).await.unwrap()).await;
    assert_timed_out(&attempts, SHORTEST);
    assert_waits(&attempts, &[SECOND * 10]);
    hangs.cancel().await;
    jobs.shutdown().await;
}

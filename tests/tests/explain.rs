//! "Why has it not run?": one call, one sentence.

mod support;

use std::future::pending;

use chrono::TimeDelta;
use jobs::testing::TestClock;
use jobs::{Config, Jobs, Why, func, job};
use support::{DAY, HOUR, Log, MINUTE, SECOND, clock, config, note};

async fn started(clock: &TestClock, with: impl FnOnce(Config) -> Config) -> Jobs {
    jobs::start(with(config(clock).state(Log::default()))).await.unwrap()
}

#[track_caller]
fn says(jobs: &Jobs, job: &str, why: Why, text: &str) {
    let explanation = jobs.explain(job).unwrap();
    assert_eq!((explanation.to_string().as_str(), explanation.why), (text, why));
}

/// On demand only.
#[job]
async fn by_hand() {}

#[job]
async fn asked_for(n: u32) {
    let _ = n;
}

#[job(schedule = "@hourly", enabled = false)]
async fn resting() {}

#[job(schedule = "cron.off")]
async fn switched() {}

#[job(overlap = "skip")]
async fn slow() {
    tokio::time::sleep(MINUTE * 100).await;
}

#[job(retries = 3, backoff = "10m")]
async fn tries() -> Result<(), &'static str> {
    Err("busy")
}

#[job(queue = "mail")]
async fn mails() {
    tokio::time::sleep(MINUTE).await;
}

#[job(concurrency = 1)]
async fn alone() {
    tokio::time::sleep(MINUTE).await;
}

#[job(rate = "2/1h")]
async fn seldom() {}

/// The jobs above are linked into every test of this file.
fn plain(config: Config) -> Config {
    config.named("cron.off", "off")
}

#[tokio::test(start_paused = true)]
async fn what_is_not_scheduled_not_enabled_or_off() {
    let clock = clock("2026-03-02 12:30:00");
    let jobs = started(&clock, plain).await;
    says(
        &jobs,
        "by_hand",
        Why::NotScheduled,
        "`by_hand` has no schedule: it runs when it is submitted, with `jobs::now` or `jobs.run_now(\"by_hand\")`",
    );
    let asked = "`asked_for` has no schedule: it runs when it is submitted, with `jobs::now`";
    says(&jobs, "asked_for", Why::NotScheduled, asked);
    let resting = jobs.explain("resting").unwrap();
    assert_eq!(resting.why, Why::Disabled);
    assert!(
        resting.text.starts_with("`resting` does not fire here: it is not enabled (tests/tests/explain.rs:"),
        "{resting}"
    );
    assert!(resting.text.ends_with("; `jobs.run_now(\"resting\")` runs it all the same"), "{resting}");
    let switched = jobs.explain("switched").unwrap();
    assert_eq!(switched.why, Why::Off);
    assert!(
        switched
            .text
            .starts_with("`switched` does not fire: `cron.off` is switched off (tests/tests/explain.rs:"),
        "{switched}"
    );
    assert!(jobs.explain("by_hands").unwrap_err().is_unknown_job());
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_to_come_and_what_did_run() {
    let clock = clock("2026-03-02 12:30:00");
    let jobs = started(&clock, plain).await;
    jobs.schedule("@hourly", note("a")).await.unwrap();
    says(
        &jobs,
        "note",
        Why::NotDue,
        "`note` has had no slot yet: the first is at 2026-03-02 13:00:00 UTC (in 30m)",
    );
    clock.advance(MINUTE * 40).await;
    says(
        &jobs,
        "note",
        Why::Ran,
        "`note` did run for its slot 2026-03-02 13:00:00 UTC, at 2026-03-02 13:00:00 UTC, and succeeded; \
         the next slot is at 2026-03-02 14:00:00 UTC (in 49m59s)",
    );
    let fails = func("fails", || async { Err::<(), _>("no route to host") });
    jobs.schedule("@hourly", fails).await.unwrap();
    clock.advance(HOUR).await;
    says(
        &jobs,
        "fails",
        Why::Failed,
        "`fails` did run for its slot 2026-03-02 14:00:00 UTC, at 2026-03-02 14:00:00 UTC, but failed: no route to host; \
         the next slot is at 2026-03-02 15:00:00 UTC (in 49m59s)",
    );
    jobs.run_now("by_hand").await.unwrap().wait().await;
    says(&jobs, "by_hand", Why::Ran, "`by_hand` did run, at 2026-03-02 14:10:00 UTC, and succeeded");
    jobs.shutdown().await;
    says(&jobs, "note", Why::ShutDown, "`note` runs no more: this instance of jobs has been shut down");
}

#[tokio::test(start_paused = true)]
async fn what_its_jitter_holds_back() {
    let clock = clock("2026-03-02 12:30:00");
    let jobs = started(&clock, plain).await;
    jobs.schedule("@hourly", note("a")).jitter(HOUR).await.unwrap();
    // Of an hour the first ten seconds are none that it falls into as a rule, and here it does not.
    clock.advance(MINUTE * 30 + SECOND * 10).await;
    says(
        &jobs,
        "note",
        Why::NotDue,
        "the slot of `note` of 2026-03-02 13:00:00 UTC fires later by a part of its jitter",
    );
    clock.advance(HOUR).await;
    let text = jobs.explain("note").unwrap().text;
    assert!(
        text.starts_with("`note` did run for its slot 2026-03-02 13:00:00 UTC, at 2026-03-02 13:"),
        "{text}"
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_paused_and_was() {
    let clock = clock("2026-03-02 12:30:00");
    let jobs = started(&clock, plain).await;
    jobs.schedule("@hourly", note("a")).await.unwrap();
    jobs.pause("note").await.unwrap();
    clock.advance(HOUR).await;
    says(
        &jobs,
        "note",
        Why::Paused,
        "`note` is paused since 2026-03-02 12:30:00 UTC; `jobs.resume(\"note\")` lets it fire again",
    );
    jobs.resume("note").await.unwrap();
    says(
        &jobs,
        "note",
        Why::WasPaused,
        "`note` was paused at its last slot, 2026-03-02 13:00:00 UTC, and is not any more; \
         the next slot is at 2026-03-02 14:00:00 UTC (in 29m59s)",
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_missed() {
    let clock = clock("2026-03-02 12:30:00");
    let jobs = started(&clock, plain).await;
    jobs.schedule("@hourly", note("a")).await.unwrap();
    clock.suspend(HOUR * 3).await;
    says(
        &jobs,
        "note",
        Why::Missed,
        "`note` missed its last slot, 2026-03-02 15:00:00 UTC, since the machine slept, which was noticed at \
         2026-03-02 15:30:00 UTC; the next slot is at 2026-03-02 16:00:00 UTC (in 29m59s); \
         `missed = \"once\"` makes up for it",
    );
    jobs.remove("note").await.unwrap();
    jobs.schedule("@hourly", note("a")).missed("all within 10m").await.unwrap();
    clock.step(TimeDelta::hours(2)).await;
    let text = jobs.explain("note").unwrap().text;
    assert!(text.contains("the clock was set forward") && !text.contains("makes up"), "{text}");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_held_up_by_its_own_run() {
    let clock = clock("2026-03-02 12:30:00");
    let jobs = started(&clock, plain).await;
    jobs.schedule("0,30 * * * *", slow {}).await.unwrap();
    clock.advance(MINUTE * 31).await;
    says(&jobs, "slow", Why::Running, "`slow` runs now, since 2026-03-02 13:00:00 UTC");
    clock.advance(HOUR).await;
    says(
        &jobs,
        "slow",
        Why::Skipped,
        "`slow` skipped its last 2 slots, up to 2026-03-02 14:00:00 UTC, since its run of 2026-03-02 13:00:00 UTC has not \
         ended (`overlap = \"skip\"`): that runs since 2026-03-02 13:00:00 UTC",
    );
    clock.advance(MINUTE * 50).await;
    says(
        &jobs,
        "slow",
        Why::Skipped,
        "`slow` skipped its last slot, 2026-03-02 14:30:00 UTC, since the run of a slot before had not ended \
         (`overlap = \"skip\"`); the next slot is at 2026-03-02 15:00:00 UTC (in 8m59s)",
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_waits() {
    let clock = clock("2026-03-02 12:59:00");
    let jobs = started(&clock, |config| plain(config).pool(1)).await;
    let full = jobs.now(func("full", pending::<()>)).await.unwrap();
    jobs.schedule("@hourly", note("a")).await.unwrap();
    clock.advance(MINUTE * 2).await;
    says(
        &jobs,
        "note",
        Why::Queued,
        "a run of 2026-03-02 13:00:00 UTC of `note` waits for the pool since 2026-03-02 13:00:00 UTC, \
         in which 1 of 1 places are taken; \
         `jobs.pool` makes it larger",
    );
    jobs.now(note("b")).await.unwrap();
    clock.advance(SECOND).await;
    let text = jobs.explain("note").unwrap().text;
    assert!(text.contains("places are taken, and 2 runs wait; "), "{text}");
    full.cancel().await;
    clock.advance(SECOND).await;
    jobs.schedule("*/30 * * * *", tries {}).await.unwrap();
    clock.advance(MINUTE * 29).await;
    let retrying = jobs.explain("tries").unwrap();
    assert_eq!(retrying.why, Why::Retrying);
    let (start, end) = (
        "the run of 2026-03-02 13:30:00 UTC of `tries` has failed and is tried again at 2026-03-02 13:",
        ", as attempt 2",
    );
    assert!(retrying.text.starts_with(start) && retrying.text.ends_with(end), "{retrying}");
    jobs.after(DAY, func("later", || async {})).await.unwrap();
    let text = "a run of `later` waits for its time, 2026-03-03 13:30:02 UTC";
    says(&jobs, "later", Why::Delayed, text);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_holds_back() {
    let clock = clock("2026-03-02 12:30:00");
    let jobs = started(&clock, plain).await;
    jobs.pause_queue("mail").await.unwrap();
    for _ in 0..3 {
        jobs.now(mails {}).await.unwrap();
        jobs.now(seldom {}).await.unwrap();
    }
    jobs.now(alone {}).await.unwrap();
    jobs.now(alone {}).await.unwrap();
    clock.advance(SECOND).await;
    says(
        &jobs,
        "alone",
        Why::HeldBack,
        "a run of `alone` waits since 2026-03-02 12:30:00 UTC: `concurrency = 1` lets no more run at the same time",
    );
    says(
        &jobs,
        "seldom",
        Why::HeldBack,
        "a run of `seldom` waits since 2026-03-02 12:30:00 UTC: `rate = \"2/1h\"` lets no other start yet",
    );
    let paused = jobs.explain("mails").unwrap().text;
    assert!(
        paused.ends_with(": its queue `mail` is paused; `jobs.resume_queue(\"mail\")` lets it go on"),
        "{paused}"
    );
    jobs.resume_queue("mail").await.unwrap();
    clock.advance(SECOND).await;
    assert_eq!(jobs.explain("mails").unwrap().why, Why::Running);
    clock.advance(MINUTE * 30).await;
    assert_eq!(jobs.explain("seldom").unwrap().why, Why::Ran);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_full_queue_holds_back() {
    let clock = clock("2026-03-02 12:30:00");
    let jobs = started(&clock, |config| plain(config).queue("mail", 2)).await;
    for _ in 0..3 {
        jobs.now(mails {}).await.unwrap();
    }
    clock.advance(SECOND).await;
    says(
        &jobs,
        "mails",
        Why::HeldBack,
        "a run of `mails` waits since 2026-03-02 12:30:00 UTC: its queue `mail` is full, with 2 running; \
         `jobs.queues.mail` makes it larger",
    );
    clock.advance(MINUTE).await;
    assert_eq!(jobs.explain("mails").unwrap().why, Why::Running);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_explanation_is_json() {
    let clock = clock("2026-03-02 12:30:00");
    let jobs = started(&clock, plain).await;
    jobs.pause("by_hand").await.unwrap();
    let json = serde_json::to_value(jobs.explain("by_hand").unwrap()).unwrap();
    assert_eq!((&json["job"], &json["why"]), (&"by_hand".into(), &"paused".into()));
    assert!(json["text"].as_str().unwrap().starts_with("`by_hand` is paused since"));
    jobs.shutdown().await;
}

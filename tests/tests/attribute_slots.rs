//! What `#[job]` says of the slots of a schedule: `fixed_delay`, `jitter` and `missed`.

mod support;

use chrono::TimeDelta;
use jobs::{Fate, JobContext, job};
use support::{DAY, HOUR, Log, MINUTE, SECOND, clock, config};

#[job(fixed_delay = "10m")]
async fn rests(#[state] log: &Log, cx: &JobContext) {
    log.add("rests", cx);
    tokio::time::sleep(MINUTE * 5).await;
}

#[job(schedule = "@hourly", jitter = "10m", key = "spread")]
async fn spread(#[state] log: &Log, cx: &JobContext) {
    log.add("spread", cx);
}

#[job(schedule = "@hourly", missed = "all within 3h", overlap = "buffer_all")]
fn made_up(#[state] log: &Log, cx: &JobContext) {
    log.add(if cx.is_catch_up() { "afterwards" } else { "in time" }, cx);
}

#[tokio::test(start_paused = true)]
async fn the_keys_hold() {
    let (clock, log) = (clock("2026-03-02 12:30:00"), Log::default());
    let jobs = jobs::start(config(&clock).state(log.clone())).await.unwrap();
    let snapshot = jobs.snapshot();
    let schedule = |job: &str| &snapshot.job(job).unwrap().schedules[0];
    assert_eq!(
        (schedule("rests").text.as_str(), schedule("rests").missed_policy.as_str()),
        ("@after 10m", "skip")
    );
    assert_eq!(schedule("spread").jitter, Some(MINUTE * 10));
    assert_eq!(schedule("made_up").missed_policy, "all within 3h");

    clock.advance(HOUR).await;
    let entries = log.take();
    let starts = |tag: &str| {
        let own = entries.iter().filter(|entry| entry.tag == tag);
        own.map(|entry| entry.started.format("%H:%M").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(starts("rests"), ["12:40", "12:55", "13:10", "13:25"]);
    assert_eq!(starts("in time"), ["13:00"]);
    let spread = entries.iter().find(|entry| entry.tag == "spread").unwrap();
    let delay = spread.started - spread.slot.unwrap();
    assert!(TimeDelta::zero() < delay && delay < TimeDelta::minutes(10), "{delay}");

    clock.advance(MINUTE * 8).await;
    clock.suspend(HOUR * 5).await;
    clock.advance(SECOND).await;
    let made_up: Vec<_> = log.take().into_iter().filter(|entry| entry.tag == "afterwards").collect();
    let slots: Vec<_> = made_up.iter().map(|entry| entry.slot.unwrap().format("%H").to_string()).collect();
    assert_eq!(slots, ["16", "17", "18"]);
    let fates: Vec<_> =
        jobs.ledger("made_up").unwrap().entries().iter().map(|entry| (entry.fate, entry.count)).collect();
    assert_eq!(fates, [(Fate::Ran, 1), (Fate::Missed, 2), (Fate::CaughtUp, 3)]);
    assert_eq!(jobs.ledger("rests").unwrap().tally().missed, 0);
    clock.advance(DAY).await;
    assert_eq!(jobs.ledger("spread").unwrap().schedule("spread").tally().ran, 1 + 24);
    jobs.shutdown().await;
}

//! What became of every slot, and why.

mod support;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::testing::TestClock;
use jobs::{Fate, Jobs, LedgerEntry, func};
use support::{DAY, HOUR, Log, MINUTE, SECOND, clock, config, note, utc};

async fn started(clock: &TestClock) -> (Jobs, Log) {
    let log = Log::default();
    (jobs::start(config(clock).state(log.clone())).await.unwrap(), log)
}

fn texts(jobs: &Jobs, job: &str) -> Vec<String> {
    jobs.ledger(job).unwrap().entries().iter().map(ToString::to_string).collect()
}

/// From, to, count and fate, the times as hours and minutes.
fn rows(entries: &[LedgerEntry]) -> Vec<String> {
    let time = |at: DateTime<Utc>| at.format("%H:%M").to_string();
    let row = |e: &LedgerEntry| format!("{}-{} {} {}", time(e.from), time(e.to), e.count, e.fate.as_str());
    entries.iter().map(row).collect()
}

#[tokio::test(start_paused = true)]
async fn a_schedule_that_always_runs_has_one_entry() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    jobs.schedule("* * * * *", note("a")).await.unwrap();
    assert!(jobs.ledger("note").unwrap().entries().is_empty(), "nothing has come");
    clock.advance(DAY).await;
    let entries = jobs.ledger("note").unwrap().entries();
    let [only] = entries.as_slice() else { panic!("{entries:?}") };
    assert_eq!((only.from, only.to), (utc("2026-03-02 12:01:00"), utc("2026-03-03 12:00:00")));
    assert_eq!((only.count, only.fate, only.schedule.as_str()), (1440, Fate::Ran, "TZ=UTC 0 * * * * *"));
    assert!(only.fate.has_run());
    let text = "2026-03-02 12:01:00 to 2026-03-03 12:00:00 UTC, 1440 slots: ran";
    assert_eq!(texts(&jobs, "note"), [text]);
    jobs.shutdown().await;
}

/// ```text
/// 12:00  10   20   30   40   50  13:00  10
///         r    w    s    s    r    s      s         every run takes 35 minutes
///         ├──────35──────┼──────35──────┤           r: runs  w: waits  s: skipped
/// ```
#[tokio::test(start_paused = true)]
async fn what_overlaps_is_skipped_and_the_policy_is_named() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    let slow = func("slow", || tokio::time::sleep(MINUTE * 35));
    jobs.schedule("*/10 * * * *", slow).await.unwrap();
    clock.advance(MINUTE * 59).await;
    assert_eq!(
        rows(&jobs.ledger("slow").unwrap().entries()),
        ["12:10-12:20 2 ran", "12:30-12:40 2 skipped", "12:50-12:50 1 ran"]
    );
    assert_eq!(
        texts(&jobs, "slow")[1],
        "2026-03-02 12:30:00 to 2026-03-02 12:40:00 UTC, 2 slots: \
         skipped, since the run of a slot before had not ended (`overlap = \"buffer_one\"`)"
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_passes_while_a_job_is_paused_is_there_as_paused() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    jobs.schedule("@hourly", note("a")).await.unwrap();
    clock.advance(HOUR * 2).await;
    jobs.pause("note").await.unwrap();
    assert_eq!(jobs.snapshot().job("note").unwrap().paused_since, Some(utc("2026-03-02 14:00:00.001")));
    clock.advance(MINUTE).await;
    // A job that is paused already stays so since the first time.
    jobs.pause("note").await.unwrap();
    clock.advance(HOUR * 3).await;
    assert_eq!(jobs.snapshot().job("note").unwrap().paused_since, Some(utc("2026-03-02 14:00:00.001")));
    jobs.resume("note").await.unwrap();
    assert_eq!(jobs.snapshot().job("note").unwrap().paused_since, None);
    clock.advance(HOUR).await;
    assert_eq!(
        texts(&jobs, "note"),
        [
            "2026-03-02 13:00:00 to 2026-03-02 14:00:00 UTC, 2 slots: ran",
            "2026-03-02 15:00:00 to 2026-03-02 17:00:00 UTC, 3 slots: passed while the job was paused",
            "2026-03-02 18:00:00 UTC: ran",
        ]
    );
    jobs.shutdown().await;
}

/// New York, 8 March 2026: 02:00 to 03:00 does not exist, and what was to come in it comes at 03:00, which is 07:00 UTC.
#[tokio::test(start_paused = true)]
async fn a_slot_that_a_clock_change_shifts_says_so() {
    let clock = clock("2026-03-06 12:00:00");
    let jobs = jobs::start(config(&clock).state(Log::default()).self_concurrent(true)).await.unwrap();
    jobs.schedule("0 30 2 * * *", note("gap")).tz("America/New_York").key("gap").await.unwrap();
    // At three it is three: nothing is shifted.
    jobs.schedule("0 0 3 * * *", note("after")).tz("America/New_York").key("after").await.unwrap();
    jobs.schedule("0 0 * * * *", note("wild")).tz("America/New_York").key("wild").await.unwrap();
    clock.advance(DAY * 3).await;
    let of = |key: &str| rows(&jobs.ledger("note").unwrap().schedule(key).entries());
    assert_eq!(of("gap"), ["07:30-07:30 1 ran", "07:00-07:00 1 shifted", "06:30-06:30 1 ran"]);
    assert_eq!(of("after"), ["08:00-07:00 3 ran"]);
    assert_eq!(of("wild"), ["13:00-12:00 72 ran"]);
    let tally = jobs.ledger("note").unwrap().schedule("gap").tally();
    assert_eq!((tally.ran, tally.total()), (3, 3));
    let shifted = &jobs.ledger("note").unwrap().schedule("gap").entries()[1];
    assert_eq!(
        shifted.to_string(),
        "2026-03-08 07:00:00 UTC: ran at the first instant after its time, which the clocks were set forward over"
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn after_the_shutdown_it_tells_what_has_passed_since() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, _) = started(&clock).await;
    jobs.schedule("@hourly", note("a")).key("hourly").await.unwrap();
    jobs.every(MINUTE * 40, note("b")).key("interval").await.unwrap();
    jobs.every(MINUTE * 40, note("b")).jitter(MINUTE * 5).key("spread").await.unwrap();
    jobs.fixed_delay(MINUTE * 50, note("c")).key("delay").await.unwrap();
    clock.advance(HOUR).await;
    jobs.shutdown().await;
    let of = |key: &str| rows(&jobs.ledger("note").unwrap().schedule(key).entries());
    assert_eq!(of("hourly"), ["13:00-13:00 1 ran"]);
    clock.advance(HOUR * 3).await;
    assert_eq!(of("hourly"), ["13:00-13:00 1 ran", "14:00-16:00 3 shut down"]);
    assert_eq!(of("interval"), ["13:10-13:10 1 ran", "13:50-16:30 5 shut down"]);
    assert_eq!(of("spread"), of("interval"), "by their names, whenever they were to fire");
    assert_eq!(of("delay"), ["13:20-13:20 1 ran", "14:10-14:10 1 shut down"]);
    assert_eq!(jobs.ledger("note").unwrap().tally().shut_down, 14);
    assert!(texts(&jobs, "note").contains(
        &"2026-03-02 14:00:00 to 2026-03-02 16:00:00 UTC, 3 slots: passed after the shutdown".to_owned()
    ));
}

#[tokio::test(start_paused = true)]
async fn it_is_asked_by_time_and_schedule() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, _) = started(&clock).await;
    jobs.schedule("@hourly", note("a")).key("full").await.unwrap();
    jobs.schedule("30 * * * *", note("b")).key("half").await.unwrap();
    for _ in 0..2 {
        clock.advance(HOUR).await;
        jobs.pause("note").await.unwrap();
        clock.advance(HOUR).await;
        jobs.resume("note").await.unwrap();
    }
    let all = jobs.ledger("note").unwrap();
    let ordered = ["13:00", "13:30", "14:00", "14:30", "15:00", "15:30", "16:00", "16:30"];
    let from: Vec<_> = all.entries().iter().map(|entry| entry.from.format("%H:%M").to_string()).collect();
    assert_eq!(from, ordered);
    let half = jobs
        .ledger("note")
        .unwrap()
        .schedule("half")
        .between(utc("2026-03-02 14:00:00"), utc("2026-03-02 15:30:00"));
    assert_eq!(rows(&half.entries()), ["14:30-14:30 1 paused", "15:30-15:30 1 ran"]);
    assert_eq!(half.tally().total(), 4, "of the schedule, whenever");
    assert!(jobs.ledger("note").unwrap().schedule("none").entries().is_empty());
    let early = jobs.ledger("note").unwrap().between(utc("2026-03-01 00:00:00"), utc("2026-03-02 12:59:59"));
    assert!(early.entries().is_empty());
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn an_unknown_job_is_the_error_of_steering() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, _) = started(&clock).await;
    jobs.schedule("@hourly", note("a")).await.unwrap();
    let error = jobs.ledger("not").unwrap_err();
    assert!(error.is_unknown_job());
    assert_eq!(error.to_string(), jobs.run_now("not").await.unwrap_err().to_string());
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn entries_are_json() {
    let clock = clock("2026-03-02 12:30:00");
    let (jobs, _) = started(&clock).await;
    jobs.schedule("@hourly", note("a")).key("hourly").missed("once").await.unwrap();
    clock.suspend(HOUR * 2).await;
    let entries = jobs.ledger("note").unwrap().entries();
    assert_eq!(
        serde_json::to_value(&entries).unwrap(),
        serde_json::json!([
            {
                "schedule": "hourly",
                "from": "2026-03-02T13:00:00Z",
                "to": "2026-03-02T13:00:00Z",
                "count": 1,
                "fate": "missed",
                "reason": "missed, since the machine slept",
                "noticed_at": "2026-03-02T14:30:00Z",
            },
            {
                "schedule": "hourly",
                "from": "2026-03-02T14:00:00Z",
                "to": "2026-03-02T14:00:00Z",
                "count": 1,
                "fate": "caught_up",
                "reason": "ran afterwards, since it was missed",
                "noticed_at": "2026-03-02T14:30:00Z",
            },
        ])
    );
    let tally = serde_json::to_value(jobs.ledger("note").unwrap().tally()).unwrap();
    assert_eq!((&tally["caught_up"], &tally["missed"], &tally["ran"]), (&1.into(), &1.into(), &0.into()));
    jobs.shutdown().await;
}

/// Fates that alternate make an entry each, and only so many are kept; the tally has them all.
#[tokio::test(start_paused = true)]
async fn too_many_entries_are_folded_into_the_tally() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    jobs.schedule("* * * * *", note("a")).await.unwrap();
    for _ in 0..200 {
        clock.advance(MINUTE).await;
        jobs.pause("note").await.unwrap();
        clock.advance(MINUTE).await;
        jobs.resume("note").await.unwrap();
    }
    let query = jobs.ledger("note").unwrap();
    assert_eq!(query.entries().len(), 256);
    assert_eq!((query.tally().ran, query.tally().paused), (200, 200));
    // A week later they are too old, but for the last.
    jobs.pause("note").await.unwrap();
    clock.advance(DAY * 9).await;
    assert_eq!(query.entries().len(), 1);
    assert_eq!(query.tally().total(), 400 + 9 * 1440);
    jobs.shutdown().await;
}

/// Whatever happens on the way, every slot is counted once.
#[tokio::test(start_paused = true)]
async fn the_totals_agree_with_the_snapshot_and_the_runs() {
    let clock = clock("2026-03-02 12:00:00.250");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("*/7 * * * * *", note("a")).jitter(SECOND * 2).await.unwrap();
    jobs.every(Duration::from_millis(700), note("b")).await.unwrap();
    clock.advance(MINUTE * 3).await;
    clock.step(TimeDelta::seconds(-20)).await;
    clock.advance(MINUTE * 3).await;
    let tally = jobs.ledger("note").unwrap().tally();
    assert_eq!(tally.ran + tally.skipped, tally.total());
    assert_eq!(tally.ran, log.len() as u64);
    let snapshot = jobs.snapshot();
    let ran: u64 = snapshot.job("note").unwrap().schedules.iter().map(|schedule| schedule.ran).sum();
    assert_eq!(ran, tally.ran);
    jobs.shutdown().await;
}

//! What `snapshot` tells of every job, and the table that it writes.

mod support;

use std::time::Duration;

use chrono::TimeDelta;
use jobs::{Config, JobStatus, Jobs, func, job};
use support::{HOUR, MINUTE, SECOND, clock, config, utc};

/// Mails everybody whose trial ends today.
///
/// And tomorrow.
#[job(schedule = "0 0 9 * * MON-FRI", tz = "Europe/Oslo")]
#[job(schedule = "cron.nightly", key = "night", args(what = "all"))]
async fn remind(#[default = "some"] what: String) -> Result<(), String> {
    if what == "all" { Err("no mailer".into()) } else { Ok(()) }
}

#[job(every = "90m", overlap = "skip")]
async fn sweep() {
    tokio::time::sleep(MINUTE * 100).await;
}

#[job(schedule = "0 0 0 * * *", enabled = false)]
async fn resting() {}

#[job]
async fn nap(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

async fn started(say: impl FnOnce(Config) -> Config) -> (Jobs, jobs::testing::TestClock) {
    let clock = clock("2026-03-02 00:00:00"); // a Monday
    let config = config(&clock).pool(2).named("cron.nightly", "0 30 2 * * *");
    (jobs::start(say(config)).await.unwrap(), clock)
}

#[tokio::test(start_paused = true)]
async fn every_field_of_a_job() {
    let (jobs, clock) = started(|config| config).await;
    clock.advance(HOUR * 3).await;
    let snapshot = jobs.snapshot();
    assert_eq!(snapshot.taken_at, utc("2026-03-02 03:00:00.001"));
    let names: Vec<_> = snapshot.jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["nap", "remind", "resting", "sweep"]);
    assert!(snapshot.job("nope").is_none());

    let remind = snapshot.job("remind").unwrap();
    assert_eq!(remind.description, "Mails everybody whose trial ends today.\n\nAnd tomorrow.");
    let place = remind.place.unwrap();
    assert_eq!((place.module, place.file), ("snapshot", file!()));
    assert_eq!(place.to_string(), format!("{}:{}", file!(), place.line));
    assert!(remind.enabled && !remind.paused);
    assert_eq!(remind.status, JobStatus::Idle);
    assert_eq!((remind.running, remind.queued, remind.waiting, remind.delayed), (0, 0, 0, 0));
    assert_eq!(remind.next, Some(utc("2026-03-02 08:00:00")));
    let [day, night] = remind.schedules.as_slice() else { panic!("{:?}", remind.schedules) };
    assert_eq!((day.key.as_str(), day.name.as_deref()), ("TZ=Europe/Oslo 0 0 9 * * 1-5", None));
    assert_eq!(day.text, "0 0 9 * * 1-5");
    assert_eq!(day.words, "at 9:00, Monday to Friday (Europe/Oslo)");
    assert_eq!(day.zone.as_deref(), Some("Europe/Oslo"));
    assert_eq!((day.previous, day.next), (None, Some(utc("2026-03-02 08:00:00"))));
    assert_eq!((day.ran, day.skipped, day.missed, day.paused), (0, 0, 0, 0));
    assert_eq!((night.key.as_str(), night.name.as_deref()), ("night", Some("cron.nightly")));
    assert_eq!((night.text.as_str(), night.zone.as_deref()), ("0 30 2 * * *", Some("UTC")));
    assert_eq!(night.previous, Some(utc("2026-03-02 02:30:00")));
    assert_eq!(night.next, Some(utc("2026-03-03 02:30:00")));
    assert_eq!(night.ran, 1);
    let previous = remind.previous.as_ref().unwrap();
    assert_eq!(previous.outcome.to_string(), "failed: no mailer");
    assert_eq!(previous.slot, night.previous);
    assert!(previous.started_at >= utc("2026-03-02 02:30:00") && previous.finished_at >= previous.started_at);

    let sweep = snapshot.job("sweep").unwrap();
    let [every] = sweep.schedules.as_slice() else { panic!("{:?}", sweep.schedules) };
    assert_eq!((every.key.as_str(), every.text.as_str()), ("@every 1h30m", "@every 1h30m"));
    assert_eq!((every.words.as_str(), &every.zone), ("every 90 minutes", &None));
    assert_eq!((every.ran, every.skipped), (1, 1));
    assert_eq!(
        (every.previous, every.next),
        (Some(utc("2026-03-02 03:00:00")), Some(utc("2026-03-02 04:30:00")))
    );
    assert_eq!((sweep.status, sweep.running), (JobStatus::Running, 1));

    let resting = snapshot.job("resting").unwrap();
    assert!(!resting.enabled && resting.schedules.is_empty() && resting.next.is_none());
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn idle_queued_and_running() {
    let (jobs, clock) = started(|config| config).await;
    let look = |jobs: &Jobs| {
        let snapshot = jobs.snapshot();
        let nap = snapshot.job("nap").unwrap();
        (nap.status, nap.running, nap.queued, nap.delayed, snapshot.pool.running, snapshot.pool.queued)
    };
    assert_eq!(look(&jobs), (JobStatus::Idle, 0, 0, 0, 0, 0));
    jobs.after(MINUTE, nap { seconds: 10 }).await.unwrap();
    assert_eq!(look(&jobs), (JobStatus::Idle, 0, 0, 1, 0, 0));
    let blockers = [
        jobs.now(func("blocker", || tokio::time::sleep(SECOND * 5))).await.unwrap(),
        jobs.now(func("blocker", || tokio::time::sleep(SECOND * 5))).await.unwrap(),
    ];
    for _ in 0..3 {
        jobs.now(nap { seconds: 10 }).await.unwrap();
    }
    clock.advance(SECOND).await;
    assert_eq!(look(&jobs), (JobStatus::Queued, 0, 3, 1, 2, 3));
    for blocker in blockers {
        blocker.wait().await;
    }
    clock.advance(SECOND).await;
    assert_eq!(look(&jobs), (JobStatus::Running, 2, 1, 1, 2, 1));
    clock.advance(SECOND * 30).await;
    assert_eq!(look(&jobs), (JobStatus::Idle, 0, 0, 1, 0, 0));
    clock.advance(SECOND * 25).await;
    assert_eq!(look(&jobs), (JobStatus::Running, 1, 0, 0, 1, 0));
    jobs.shutdown().await;
}

/// A run that waits for its predecessor alone is queued as well: the predecessor may itself be.
#[tokio::test(start_paused = true)]
async fn what_waits_for_its_predecessor_is_shown() {
    let (jobs, clock) = started(|config| config.pool(1)).await;
    jobs.now(nap { seconds: 10_000 }).await.unwrap();
    jobs.schedule("0 * * * * *", func("slot", || async {})).await.unwrap();
    clock.advance(MINUTE * 3).await;
    let snapshot = jobs.snapshot();
    let slot = snapshot.job("slot").unwrap();
    assert_eq!((slot.status, slot.running, slot.queued, slot.waiting), (JobStatus::Queued, 0, 1, 1));
    assert_eq!((slot.schedules[0].ran, slot.schedules[0].skipped), (2, 1));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_table() {
    let (jobs, clock) = started(|config| config).await;
    clock.advance(HOUR * 3 + SECOND).await;
    for _ in 0..3 {
        jobs.now(nap { seconds: 10 }).await.unwrap();
    }
    jobs.schedule("* * * * * *", func("fast", || async {})).await.unwrap();
    jobs.pause("fast").await.unwrap();
    clock.advance(Duration::from_millis(1500)).await;
    assert_eq!(
        jobs.snapshot().to_string(),
        "\
JOB      STATUS               SCHEDULE                                            PREVIOUS          NEXT (UTC)
fast     PAUSED               every second (UTC)                                  -                 -
nap      RUNNING 1, 2 queued  -                                                   -                 -
remind   IDLE                 at 9:00, Monday to Friday (Europe/Oslo) and 1 more  failed 30m2s ago  08:00:00 (in 4h59m57s)
resting  DISABLED             -                                                   -                 -
sweep    RUNNING              every 90 minutes                                    -                 04:30:00 (in 1h29m57s)
pool: 2 of 2 running, 2 queued"
    );
    // What comes on another day has its date, and what comes within the millisecond comes now.
    jobs.resume("fast").await.unwrap();
    clock.advance(HOUR * 12).await;
    clock.step(TimeDelta::milliseconds(494)).await;
    clock.step(TimeDelta::microseconds(500)).await;
    let table = jobs.snapshot().to_string();
    let row = |name: &str| table.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned();
    assert!(row("remind").ends_with("  2026-03-03 02:30:00 (in 11h29m57s)"), "{table}");
    assert!(row("sweep").ends_with("  16:30:00 (in 1h29m57s)"), "{table}");
    assert!(row("fast").ends_with("  15:00:03 (now)"), "{table}");
    jobs.shutdown().await;

    let (jobs, _) = started(|config| config.pool(0)).await;
    assert!(jobs.snapshot().to_string().ends_with("\npool: 0 running, unlimited, 0 queued"));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_next_slot_of_an_interval_is_told_by_the_clock_on_the_wall() {
    let (jobs, clock) = started(|config| config).await;
    clock.advance(HOUR).await;
    clock.step(TimeDelta::hours(5)).await;
    let next = jobs.snapshot().job("sweep").unwrap().next.unwrap();
    assert_eq!(next, utc("2026-03-02 06:30:00"));
    jobs.shutdown().await;
}

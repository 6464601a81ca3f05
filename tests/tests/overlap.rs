//! What becomes of a slot whose job still runs.
//!
//! ```text
//! slots          0    10   20   30   40   50        (seconds; every run takes 24)
//! buffer_one     ├─0─────────┤├─10───────┤├─30──    one waits, others are skipped: here 20 and 40
//! buffer_all     ├─0─────────┤├─10───────┤├─20──    all wait
//! skip           ├─0─────────┤  ├─30───────┤        none waits
//! allow          ├─0, ├─10, ├─20, …                 side by side
//! cancel_other   ├─0─┤├─10┤├─20┤├─30┤├─40┤├─50──    each ends the one before
//! ```

mod support;

use chrono::TimeDelta;
use jobs::{Config, JobContext, JobStatus, Jobs, Outcome, func, job};
use std::time::Duration;
use support::{Log, MINUTE, SECOND, clock, config};

const WORK: Duration = Duration::from_secs(24);

/// Twenty-four seconds of work, each ten seconds.
#[job(schedule = "*/10 * * * * *")]
async fn work(#[state] log: &Log, cx: &JobContext) {
    log.add("begun", cx);
    tokio::time::sleep(WORK).await;
    log.add("done", cx);
}

async fn started(say: impl FnOnce(Config) -> Config) -> (Jobs, Log, jobs::testing::TestClock) {
    let (clock, log) = (clock("2026-03-02 11:59:55"), Log::default());
    let jobs = jobs::start(say(config(&clock).state(log.clone()))).await.unwrap();
    (jobs, log, clock)
}

fn policy(overlap: &str) -> impl FnOnce(Config) -> Config {
    move |config| config.job("work", |job| job.overlap(overlap))
}

/// `begun` or `done`, with the second of its slot and of its start.
fn lines(log: &Log) -> Vec<String> {
    let line = |entry: support::Entry| {
        let slot = entry.slot.map_or("-".to_owned(), |slot| slot.format("%M:%S").to_string());
        format!("{} {slot} {}", entry.tag, entry.started.format("%M:%S"))
    };
    log.take().into_iter().map(line).collect()
}

fn tally(jobs: &Jobs) -> (u64, u64) {
    let schedule = &jobs.snapshot().job("work").unwrap().schedules[0].clone();
    (schedule.ran, schedule.skipped)
}

#[tokio::test(start_paused = true)]
async fn by_default_one_waits_and_the_others_are_skipped() {
    let (jobs, log, clock) = started(|config| config).await;
    clock.advance(SECOND * 60).await;
    assert_eq!(
        lines(&log),
        [
            "begun 00:00 00:00",
            "done 00:00 00:00",
            "begun 00:10 00:24",
            "done 00:10 00:24",
            "begun 00:30 00:48",
        ]
    );
    let snapshot = jobs.snapshot();
    let job = snapshot.job("work").unwrap();
    assert_eq!((job.status, job.running, job.queued, job.waiting), (JobStatus::Running, 1, 0, 1));
    assert_eq!(tally(&jobs), (4, 2));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn selfconcurrent_lets_all_run_at_once() {
    let (jobs, log, clock) = started(|config| config.self_concurrent(true)).await;
    clock.advance(SECOND * 30).await;
    assert_eq!(
        lines(&log),
        ["begun 00:00 00:00", "begun 00:10 00:10", "begun 00:20 00:20", "done 00:00 00:00"]
    );
    assert_eq!(jobs.snapshot().job("work").unwrap().running, 2);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn allow_is_for_one_job_what_selfconcurrent_is_for_all() {
    let (jobs, _, clock) = started(policy("allow")).await;
    clock.advance(SECOND * 30).await;
    assert_eq!((jobs.snapshot().job("work").unwrap().running, tally(&jobs)), (2, (3, 0)));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn skip_drops_every_slot_of_a_job_that_runs() {
    let (jobs, log, clock) = started(policy("skip")).await;
    clock.advance(SECOND * 50).await;
    assert_eq!(lines(&log), ["begun 00:00 00:00", "done 00:00 00:00", "begun 00:30 00:30"]);
    assert_eq!(tally(&jobs), (2, 3));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn buffer_all_drops_none() {
    let (jobs, log, clock) = started(policy("buffer_all")).await;
    clock.advance(SECOND * 50).await;
    assert_eq!(lines(&log), ["begun 00:00 00:00", "done 00:00 00:00", "begun 00:10 00:24"],);
    let job = jobs.snapshot().job("work").cloned().unwrap();
    assert_eq!((job.running, job.waiting, tally(&jobs)), (1, 3, (5, 0)));
    jobs.remove("work").await.unwrap();
    clock.advance(MINUTE * 3).await;
    let begun: Vec<_> = lines(&log).into_iter().filter(|line| line.starts_with("begun")).collect();
    assert_eq!(begun, ["begun 00:20 00:48", "begun 00:30 01:12", "begun 00:40 01:36"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn cancel_other_ends_the_run_before() {
    let (jobs, log, clock) = started(policy("cancel_other")).await;
    clock.advance(SECOND * 30).await;
    assert_eq!(lines(&log), ["begun 00:00 00:00", "begun 00:10 00:10", "begun 00:20 00:20"]);
    let job = jobs.snapshot().job("work").cloned().unwrap();
    assert_eq!((job.running, job.waiting, tally(&jobs)), (1, 0, (3, 0)));
    assert_eq!(job.previous.unwrap().outcome, Outcome::Cancelled);
    jobs.remove("work").await.unwrap();
    clock.advance(MINUTE).await;
    assert_eq!(lines(&log), ["done 00:20 00:20"]);
    jobs.shutdown().await;
}

/// The run that is replaced waits for room in the pool: it never starts.
#[tokio::test(start_paused = true)]
async fn cancel_other_ends_a_run_that_has_not_started() {
    let (jobs, log, clock) = started(|config| policy("cancel_other")(config.pool(1))).await;
    let blocker = jobs.now(func("blocker", || tokio::time::sleep(SECOND * 32))).await.unwrap();
    clock.advance(SECOND * 26).await;
    assert_eq!(jobs.snapshot().job("work").unwrap().queued, 1);
    blocker.wait().await;
    clock.advance(SECOND * 2).await;
    assert_eq!(lines(&log), ["begun 00:20 00:27"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_policy_is_per_job_over_all_its_schedules() {
    let (jobs, log, clock) = started(policy("skip")).await;
    jobs.remove("work").await.unwrap();
    jobs.schedule("0 * * * * *", work {}).await.unwrap();
    jobs.schedule("5 * * * * *", work {}).await.unwrap();
    jobs.schedule("0 * * * * *", func("other", || async {})).await.unwrap();
    clock.advance(MINUTE).await;
    assert_eq!(lines(&log), ["begun 00:00 00:00", "done 00:00 00:00"]);
    let snapshot = jobs.snapshot();
    let mut skipped: Vec<_> =
        snapshot.job("work").unwrap().schedules.iter().map(|s| (s.text.clone(), s.ran, s.skipped)).collect();
    skipped.sort();
    assert_eq!(skipped, [("0 * * * * *".into(), 1, 0), ("5 * * * * *".into(), 0, 1)]);
    assert_eq!(snapshot.job("other").unwrap().schedules[0].ran, 1);
    jobs.shutdown().await;
}

/// Submissions are limited by the pool alone: none is skipped, merged or made to wait, and no slot waits for them.
#[tokio::test(start_paused = true)]
async fn submissions_are_never_skipped_or_merged() {
    for overlap in ["buffer_one", "buffer_all", "skip", "allow", "cancel_other"] {
        let (jobs, log, clock) = started(policy(overlap)).await;
        for _ in 0..3 {
            jobs.now(work {}).await.unwrap();
        }
        jobs.run_now("work").await.unwrap();
        clock.advance(SECOND * 6).await;
        let begun = lines(&log);
        assert_eq!(begun.len(), 5, "{overlap}: {begun:?}");
        assert!(begun[4].starts_with("begun 00:00 00:00"), "{overlap}: {begun:?}");
        assert_eq!(jobs.snapshot().job("work").unwrap().running, 5, "{overlap}");
        clock.advance(SECOND * 20).await;
        let done = lines(&log).into_iter().filter(|line| line.starts_with("done -")).count();
        assert_eq!(done, 4, "{overlap}: a slot cancels no submission");
        jobs.shutdown().await;
    }
}

/// However many slots come late at once, what the policy promises holds.
#[tokio::test(start_paused = true)]
async fn a_burst_of_late_slots_keeps_the_policy() {
    for (overlap, ran, skipped) in
        [("buffer_one", 2, 3), ("skip", 1, 4), ("buffer_all", 5, 0), ("allow", 5, 0)]
    {
        let (jobs, _, clock) = started(policy(overlap)).await;
        clock.step(TimeDelta::seconds(50)).await;
        assert_eq!(tally(&jobs), (ran, skipped), "{overlap}");
        jobs.shutdown().await;
    }
}

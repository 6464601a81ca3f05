//! Slots, and what becomes of one whose job still runs.
//!
//! ```text
//! slots          0    10   20   30   40   50        (seconds; every run takes 24)
//! buffer_one     ├─0─────────┤├─10───────┤├─30──    one waits, others are skipped: here 20 and 40
//! buffer_all     ├─0─────────┤├─10───────┤├─20──    all wait
//! skip           ├─0─────────┤  ├─30───────┤        none waits
//! allow          ├─0, ├─10, ├─20, …                 side by side
//! cancel_other   ├─0─┤├─10┤├─20┤├─30┤├─40┤├─50──    each ends the one before
//! ```

use jobs::testing::TestJobs;

use crate::fixture::{Fixture, SECOND};
use crate::jobs_of_the_suite::{flaky, note, work};

pub(crate) async fn a_slot_fires_once_at_its_time(fx: Fixture) {
    let test = fx.start().await;
    test.schedule("*/20 * * * * *", work { tag: String::new(), takes: SECOND }).await.unwrap();
    test.advance(45 * SECOND).await;
    assert_eq!(fx.diary.take(), ["begin 00:20 00:20", "end 00:20", "begin 00:40 00:40", "end 00:40"]);
    test.finish().await;
}

pub(crate) async fn an_interval_fires_from_start_to_start(fx: Fixture) {
    let test = fx.start().await;
    test.every(20 * SECOND, work { tag: String::new(), takes: 5 * SECOND }).await.unwrap();
    test.advance(50 * SECOND).await;
    assert_eq!(fx.diary.take(), ["begin 00:20 00:20", "end 00:20", "begin 00:40 00:40", "end 00:40"]);
    test.finish().await;
}

pub(crate) async fn a_removed_schedule_fires_no_more(fx: Fixture) {
    let test = fx.start().await;
    let schedule = test.schedule("*/20 * * * * *", note { tag: "slot".into() }).await.unwrap();
    test.advance(25 * SECOND).await;
    assert!(schedule.remove().await && !schedule.remove().await);
    test.advance(60 * SECOND).await;
    assert_eq!(fx.diary.take(), ["slot"]);
    test.finish().await;
}

/// A minute of slots, each ten seconds, of runs that take twenty-four.
async fn a_minute(fx: &Fixture, overlap: &str) -> TestJobs {
    let config = fx.config().job("work", |job| job.overlap(overlap));
    let test = fx.starting(config).await;
    test.schedule("*/10 * * * * *", work { tag: String::new(), takes: 24 * SECOND }).await.unwrap();
    // From the slot of 00:10 to that of 01:00.
    test.advance(65 * SECOND).await;
    test
}

async fn timeline(fx: Fixture, overlap: &str, wanted: &[&str], ran_and_skipped: (u64, u64)) {
    let test = a_minute(&fx, overlap).await;
    assert_eq!(fx.diary.take(), wanted, "{overlap}");
    let schedule = test.job("work").schedules[0].clone();
    #[allow(clippy::useless_conversion, reason = "the counts grow")]
    let counts = (u64::from(schedule.ran), u64::from(schedule.skipped));
    assert_eq!(counts, ran_and_skipped, "{overlap}");
    test.remove("work").await.unwrap();
    test.advance(600 * SECOND).await;
    test.finish().await;
}

pub(crate) async fn buffer_one_lets_one_wait(fx: Fixture) {
    let wanted = ["begin 00:10 00:10", "end 00:10", "begin 00:20 00:34", "end 00:20", "begin 00:40 00:58"];
    timeline(fx, "buffer_one", &wanted, (4, 2)).await;
}

pub(crate) async fn buffer_all_lets_all_wait(fx: Fixture) {
    let wanted = ["begin 00:10 00:10", "end 00:10", "begin 00:20 00:34", "end 00:20", "begin 00:30 00:58"];
    timeline(fx, "buffer_all", &wanted, (6, 0)).await;
}

pub(crate) async fn skip_lets_none_wait(fx: Fixture) {
    let wanted = ["begin 00:10 00:10", "end 00:10", "begin 00:40 00:40", "end 00:40"];
    timeline(fx, "skip", &wanted, (2, 4)).await;
}

pub(crate) async fn allow_runs_side_by_side(fx: Fixture) {
    let wanted = [
        "begin 00:10 00:10",
        "begin 00:20 00:20",
        "begin 00:30 00:30",
        "end 00:10",
        "begin 00:40 00:40",
        "end 00:20",
        "begin 00:50 00:50",
        "end 00:30",
        "begin 01:00 01:00",
        "end 00:40",
    ];
    timeline(fx, "allow", &wanted, (6, 0)).await;
}

pub(crate) async fn cancel_other_ends_the_one_before(fx: Fixture) {
    let wanted = [
        "begin 00:10 00:10",
        "dropped 00:10",
        "begin 00:20 00:20",
        "dropped 00:20",
        "begin 00:30 00:30",
        "dropped 00:30",
        "begin 00:40 00:40",
        "dropped 00:40",
        "begin 00:50 00:50",
        "dropped 00:50",
        "begin 01:00 01:00",
    ];
    timeline(fx, "cancel_other", &wanted, (6, 0)).await;
}

pub(crate) async fn submissions_do_not_count_for_the_overlap(fx: Fixture) {
    let config = fx.config().job("work", |job| job.overlap("skip"));
    let test = fx.starting(config).await;
    test.schedule("*/10 * * * * *", work { tag: String::new(), takes: SECOND }).await.unwrap();
    test.jobs().now(work { tag: "one".into(), takes: 15 * SECOND }).await.unwrap();
    test.jobs().now(work { tag: "two".into(), takes: 15 * SECOND }).await.unwrap();
    test.advance(12 * SECOND).await;
    let wanted = ["begin one 00:00", "begin two 00:00", "begin 00:10 00:10", "end 00:10"];
    assert_eq!(fx.diary.take(), wanted);
    test.remove("work").await.unwrap();
    test.idle().await;
    test.finish().await;
}

pub(crate) async fn a_retry_counts_for_the_overlap(fx: Fixture) {
    let config = fx.config().job("flaky", |job| job.overlap("skip"));
    let test = fx.starting(config).await;
    let schedule = test.every(20 * SECOND, flaky { how: "retry_in".into(), succeeds: 2 }).await.unwrap();
    // The second attempt comes 77 seconds after the first, at 00:97; the slots of 00:40, 00:60 and 00:80 find the run alive.
    test.advance(105 * SECOND).await;
    assert_eq!(fx.diary.take(), ["retry_in 1", "retry_in 2", "retry_in 1"]);
    let counts = test.job("flaky").schedules[0].clone();
    assert_eq!((counts.ran, counts.skipped), (2, 3));
    schedule.remove().await;
    test.advance(200 * SECOND).await;
    test.finish().await;
}

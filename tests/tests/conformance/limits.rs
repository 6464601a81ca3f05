//! Queues, priorities, `concurrency` and `rate`: what they hold back, and that they hold back nothing else.

use crate::fixture::{Fixture, SECOND};
use crate::jobs_of_the_suite::{note, work};

fn work_for(tag: &str, seconds: u32) -> work {
    work { tag: tag.to_owned(), takes: SECOND * seconds }
}

pub(crate) async fn a_queue_has_its_size_and_others_pass(fx: Fixture) {
    let test = fx.starting(fx.config().queue("mail", 1)).await;
    for tag in ["mail 1", "mail 2"] {
        test.jobs().now(work_for(tag, 10)).queue("mail").await.unwrap();
    }
    test.jobs().now(work_for("other", 10)).await.unwrap();
    test.advance(25 * SECOND).await;
    let wanted = [
        "begin mail 1 00:00",
        "begin other 00:00",
        "end mail 1",
        "end other",
        "begin mail 2 00:10",
        "end mail 2",
    ];
    let (mut told, mut wanted) = (fx.diary.take(), wanted.map(str::to_owned));
    // What ends and begins at one time does so in any order.
    told.sort();
    wanted.sort();
    assert_eq!(told, wanted);
    test.finish().await;
}

pub(crate) async fn concurrency_holds_back_its_job_alone(fx: Fixture) {
    let test = fx.starting(fx.config().job("work", |job| job.concurrency(2))).await;
    for tag in ["1", "2", "3"] {
        test.jobs().now(work_for(tag, 10)).await.unwrap();
    }
    test.jobs().now(note { tag: "other".into() }).await.unwrap();
    test.advance(5 * SECOND).await;
    assert_eq!(fx.diary.take(), ["begin 1 00:00", "begin 2 00:00", "other"]);
    let job = test.job("work");
    assert_eq!((job.running, job.queued), (2, 1));
    test.advance(6 * SECOND).await;
    assert!(fx.diary.take().contains(&"begin 3 00:10".to_owned()));
    test.idle().await;
    test.finish().await;
}

pub(crate) async fn a_rate_lets_so_many_start(fx: Fixture) {
    let test = fx.starting(fx.config().job("work", |job| job.rate(2, 60 * SECOND))).await;
    for tag in ["1", "2", "3", "4"] {
        test.jobs().now(work_for(tag, 0)).await.unwrap();
    }
    test.jobs().now(note { tag: "other".into() }).await.unwrap();
    test.advance(120 * SECOND).await;
    let told = fx.diary.take();
    let begins: Vec<_> = told.iter().filter(|line| !line.starts_with("end")).collect();
    // A bucket of two, into which one flows every thirty seconds.
    assert_eq!(begins, ["begin 1 00:00", "begin 2 00:00", "other", "begin 3 00:30", "begin 4 01:00"]);
    test.finish().await;
}

pub(crate) async fn a_higher_priority_goes_first_and_nothing_starves(fx: Fixture) {
    let test = fx.start_one_at_a_time().await;
    test.jobs().now(work_for("busy", 1)).await.unwrap();
    test.settle().await;
    test.jobs().now(note { tag: "low".into() }).priority(-10).await.unwrap();
    for number in 0..12 {
        test.jobs().now(note { tag: format!("high {number}") }).priority(10).await.unwrap();
    }
    test.advance(2 * SECOND).await;
    let told = fx.diary.take();
    let high: Vec<_> = told.iter().filter(|line| line.starts_with("high")).cloned().collect();
    assert_eq!(high, (0..12).map(|number| format!("high {number}")).collect::<Vec<_>>());
    let low = told.iter().position(|line| line == "low").unwrap() - 2;
    assert!((1..8).contains(&low), "not first, and by the eighth claim at the latest: {told:?}");
    test.finish().await;
}

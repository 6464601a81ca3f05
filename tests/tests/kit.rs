//! The testing kit, used as a user's test uses it.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::testing::{self, Fault, TestClock, instant};
use jobs::{BoxError, Config, Fate, JobContext, Outcome, func, job};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

#[derive(Default)]
struct Outbox(Mutex<Vec<String>>);

#[job(schedule = "0 0 12 * * MON-FRI", tz = "Europe/Oslo")]
async fn lunch() -> Result<(), BoxError> {
    jobs::after(HOUR, mail { to: "ada".into(), copies: 2 }).await?;
    Ok(())
}

#[job(retries = 3, timeout = "30s")]
async fn mail(#[state] outbox: &Outbox, to: String, copies: u32) {
    outbox.0.lock().unwrap().push(format!("{to} {copies}"));
}

#[job(aliases = ["nothing"])]
async fn never() {}

/// Needs a state that most tests here do not give.
#[job(startup)]
async fn needy(#[state] count: &AtomicU32) {
    count.fetch_add(1, Ordering::SeqCst);
}

#[job(timeout = "1m")]
async fn steering(cx: &JobContext, how: String) -> Result<(), BoxError> {
    cx.log(format!("how: {how}"));
    match how.as_str() {
        "retry" => Err(cx.retry_in(SECOND * 90).into()),
        "discard" => Err(cx.discard("no use").into()),
        "panic" => panic!("attempt {}", cx.attempt()),
        "slow" => {
            tokio::time::sleep(HOUR).await;
            Ok(())
        }
        "slot" => Err(format!("{:?} {}", cx.slot(), cx.started_at()).into()),
        _ => Ok(()),
    }
}

/// A plain function.
#[job]
fn plain(cx: &JobContext) -> Result<(), String> {
    Err(format!("attempt {}", cx.attempt()))
}

fn config() -> Config {
    Config::default().state(Outbox::default())
}

const ALL: [&str; 5] = ["lunch", "mail", "never", "steering", "plain"];

/// What a failed assertion says.
fn message(f: impl FnOnce()) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)).expect_err("it fails");
    panic
        .downcast_ref::<String>()
        .cloned()
        .unwrap_or_else(|| (*panic.downcast_ref::<&str>().unwrap()).to_owned())
}

#[tokio::test]
async fn a_week_passes_in_no_time() {
    let test = testing::start(config()).only(ALL).at(instant("2026-03-27 09:00 Europe/Oslo")).await;
    test.advance(7 * DAY).await;
    test.submissions().assert_count_of::<mail>(5);
    let slots: Vec<_> = test.submitted::<mail>().iter().map(|mail| mail.submitted_at).collect();
    // Over the clock change of the 29th.
    let days =
        ["2026-03-27 11:00", "2026-03-30 10:00", "2026-03-31 10:00", "2026-04-01 10:00", "2026-04-02 10:00"];
    assert_eq!(slots, days.map(instant));
    assert_eq!(test.submitted::<mail>()[0].due_at, instant("2026-03-27 13:00 Europe/Oslo"));
    test.finish().await;
}

#[tokio::test]
async fn what_was_submitted_can_be_asserted_by_its_arguments() {
    let test = testing::start(config()).only(ALL).await;
    assert!(test.submissions().is_empty());
    assert!(message(|| test.assert_submitted(&never {})).ends_with("nothing was submitted"));
    jobs::now(mail { to: "ada".into(), copies: 1 }).await.unwrap();
    jobs::after(HOUR, mail { to: "grace".into(), copies: 2 }).await.unwrap();
    jobs::now(func("closure", || async {})).await.unwrap();
    test.assert_submitted(&mail { to: "grace".into(), copies: 2 });
    test.assert_not_submitted::<never>();
    assert_eq!(test.submissions().names(), ["mail", "mail", "closure"]);
    assert_eq!(
        message(|| test.assert_submitted(&mail { to: "grace".into(), copies: 3 })),
        "`mail` was not submitted with {\"copies\":3,\"to\":\"grace\"}; submitted was:\n  \
         mail {\"copies\":1,\"to\":\"ada\"} at 2026-01-05 00:00:00\n  \
         mail {\"copies\":2,\"to\":\"grace\"} at 2026-01-05 00:00:00, due 1h later\n  \
         closure at 2026-01-05 00:00:00"
    );
    assert!(
        message(|| test.assert_not_submitted::<mail>()).starts_with("`mail` was submitted; submitted was:")
    );
    assert!(
        message(|| test.submissions().assert_count_of::<mail>(1))
            .starts_with("`mail` was submitted 2 times, not 1; submitted was:")
    );
    test.submissions().clear();
    test.assert_not_submitted::<mail>();
    let one = || jobs::after(HOUR, never {}).unique();
    assert_eq!(one().await.unwrap().id(), one().await.unwrap().id());
    let duplicates: Vec<_> = test.submitted::<never>().iter().map(|never| never.is_duplicate).collect();
    assert_eq!(duplicates, [false, true]);
    assert!(test.submissions().to_string().ends_with(", due 1h later, a duplicate"));
    test.advance(2 * HOUR).await;
    test.finish().await;
}

#[tokio::test]
async fn what_is_held_runs_when_it_is_released() {
    let outbox = Arc::new(Mutex::new(Vec::new()));
    let note = {
        let outbox = Arc::clone(&outbox);
        move |what: &'static str| {
            let outbox = Arc::clone(&outbox);
            func("note", move || {
                outbox.lock().unwrap().push(what);
                async {}
            })
        }
    };
    let test = testing::start(config()).only(ALL).hold().await;
    let first = test.jobs().now(note("first")).await.unwrap();
    let second = test.jobs().now(note("second")).await.unwrap();
    let third = test.jobs().now(note("third")).await.unwrap();
    test.jobs().after(HOUR, note("later")).await.unwrap();
    test.advance(30 * 60 * SECOND).await;
    assert!(outbox.lock().unwrap().is_empty());
    assert!(second.cancel().await);
    assert_eq!(test.release().await, 4);
    assert_eq!(*outbox.lock().unwrap(), ["first", "third"]);
    assert_eq!((first.wait().await, second.wait().await), (Outcome::Succeeded, Outcome::Cancelled));
    test.jobs().now(note("held again")).await.unwrap();
    test.advance(HOUR).await;
    assert_eq!(*outbox.lock().unwrap(), ["first", "third", "later"]);
    assert_eq!(third.wait().await, Outcome::Succeeded);
    assert_eq!(test.release().await, 1);
    test.finish().await;
}

#[tokio::test]
async fn faults_strike_one_attempt_after_another() {
    let test = testing::start(config()).only(ALL).await;
    test.inject("mail", Fault::error("503"));
    test.inject("mail", Fault::panic("boom"));
    test.inject("mail", Fault::Hang);
    test.inject("mail", Fault::Slow(SECOND * 29));
    let run = test.jobs().now(mail { to: "ada".into(), copies: 1 }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    let attempts = run.attempts();
    let outcomes: Vec<_> = attempts.iter().map(|attempt| attempt.outcome.to_string()).collect();
    assert_eq!(outcomes, ["failed: 503", "panicked: boom", "timed out after 30s", "succeeded"]);
    assert_eq!(attempts[3].finished_at - attempts[3].started_at, TimeDelta::seconds(29));
    test.finish().await;
}

#[tokio::test]
async fn a_worker_that_dies_is_replaced() {
    let test = testing::start(config().pool(1)).only(ALL).await;
    test.inject("mail", Fault::WorkerDies);
    let first = test.jobs().now(mail { to: "ada".into(), copies: 1 }).await.unwrap();
    let second = test.jobs().now(mail { to: "ada".into(), copies: 2 }).await.unwrap();
    assert_eq!(second.wait().await, Outcome::Succeeded);
    assert_eq!(first.wait().await, Outcome::Succeeded, "it is tried again");
    let attempts: Vec<_> =
        first.attempts().iter().map(|attempt| (attempt.number, attempt.outcome.to_string())).collect();
    assert_eq!(attempts, [(1, "interrupted".to_owned()), (1, "succeeded".to_owned())]);
    test.finish().await;
}

#[tokio::test]
async fn a_scheduler_that_dies_is_started_again_and_no_slot_is_lost() {
    let test = testing::start(config()).only(ALL).at(instant("2026-01-05 10:30")).await;
    test.kill_scheduler();
    test.advance(DAY).await;
    assert_eq!(test.submissions().len(), 1);
    assert!(test.health().is_ok(), "{:?}", test.health());
    test.advance(DAY).await;
    assert_eq!(test.submissions().len(), 2);
}

#[tokio::test]
async fn a_job_goes_by_its_aliases_too() {
    let test = testing::start(config()).only(ALL).await;
    test.inject("nothing", Fault::error("struck"));
    let run = test.now(never {}).retries(0).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Failed("struck".into()));
    assert_eq!(test.job("nothing").name, "never");
    test.assert_ran("nothing", 0);
}

#[tokio::test]
async fn an_unknown_job_is_told_with_those_there_are() {
    let test = testing::start(config()).only(ALL).await;
    let said = message(|| test.inject("mial", Fault::Hang));
    assert!(said.starts_with("no job is named `mial`; there are [\"lunch\", \"mail\""), "{said}");
}

#[tokio::test]
async fn what_became_of_slots_can_be_asserted() {
    let test = testing::start(config()).only(ALL).at(instant("2026-01-05 10:30")).await;
    let said = message(|| test.assert_ran("lunch", 1));
    assert!(said.starts_with("`lunch`: 0 slots ran, not 1\n  no slot has come\n`lunch` "), "{said}");
    test.advance(DAY).await;
    test.pause("lunch").await.unwrap();
    test.advance(DAY).await;
    test.resume("lunch").await.unwrap();
    test.suspend(DAY).await;
    test.assert_ran("lunch", 1);
    test.assert_slots("lunch", Fate::Paused, 1);
    test.assert_slots("lunch", Fate::Missed, 1);
    assert_eq!(test.slots("lunch").total(), 3);
    assert_eq!(
        message(|| test.assert_slots("lunch", Fate::Skipped, 2)),
        format!(
            "`lunch`: 0 slots skipped, not 2\n  2026-01-05 11:00:00 UTC: ran\n  \
             2026-01-06 11:00:00 UTC: passed while the job was paused\n  \
             2026-01-07 11:00:00 UTC: missed, since the machine slept; noticed at 2026-01-08 10:30:00.002\n{}",
            test.explain("lunch").unwrap()
        )
    );
}

#[tokio::test]
async fn seeds_are_replayed() {
    let waits = async |seed| {
        let test = testing::start(config()).only(ALL).seed(seed).await;
        for _ in 0..3 {
            test.inject("mail", Fault::error("no"));
        }
        let run = test.jobs().now(mail { to: "ada".into(), copies: 1 }).await.unwrap();
        run.wait().await;
        let starts: Vec<_> = run.attempts().iter().map(|attempt| attempt.started_at).collect();
        test.finish().await;
        (run.id(), starts)
    };
    let (one, again, other) = (waits(1).await, waits(1).await, waits(2).await);
    assert_eq!(one, again);
    assert_ne!(one, other);
}

#[tokio::test]
async fn clocks_are_stepped_and_laptops_suspended() {
    let test = testing::start(config()).only(ALL).at(instant("2026-01-05 10:30")).await;
    test.step(TimeDelta::hours(1)).await;
    assert_eq!(test.submissions().len(), 0, "noon in Oslo is half an hour past, and missed");
    assert_eq!(test.job("lunch").schedules[0].missed, 1);
    test.suspend(DAY).await;
    assert_eq!(test.now_utc(), instant("2026-01-06 11:30:00.002"));
    test.advance_to(instant("2026-01-07 11:00")).await;
    assert_eq!(test.now_utc(), instant("2026-01-07 11:00:00.001"));
    test.advance_to(instant("2026-01-01 00:00")).await;
    assert_eq!(test.now_utc(), instant("2026-01-07 11:00:00.002"));
}

#[tokio::test]
async fn two_schedulers_on_one_clock_are_told_apart() {
    let clock = TestClock::at(instant("2026-01-05 00:00"));
    let one = testing::start(config()).only(ALL).clock(&clock).await;
    jobs::now(never {}).await.unwrap();
    {
        let other = testing::start(config()).only(ALL).clock(&clock).await;
        assert!(jobs::now(never {}).await.unwrap_err().is_ambiguous());
        other.scope(async { jobs::now(never {}).await.unwrap() }).await;
        other.submissions().assert_count_of::<never>(1);
        other.idle().await;
        other.finish().await;
    }
    jobs::now(never {}).await.unwrap();
    one.submissions().assert_count_of::<never>(2);
    one.idle().await;
    one.finish().await;
}

#[tokio::test]
async fn quiet_and_only_leave_out_what_is_not_tested() {
    let test = testing::start(config()).only(ALL).quiet().await;
    test.advance(7 * DAY).await;
    assert!(test.submissions().is_empty());
    assert!(test.job("lunch").schedules.is_empty());
    test.finish().await;
    let test = testing::start(Config::default().state(AtomicU32::new(0))).only(["needy"]).await;
    test.idle().await;
    assert!(test.job("needy").previous.is_some());
    test.finish().await;
}

#[tokio::test]
#[should_panic(expected = "the job `needy` needs a state of type `core::sync::atomic::AtomicU32`")]
async fn a_start_that_fails_says_why() {
    testing::start(config()).await;
}

#[tokio::test]
#[should_panic(expected = "no job is named `lunhc`, which ")]
async fn only_of_an_unknown_job_is_refused() {
    testing::start(config()).only(["lunhc"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[should_panic(expected = "virtual time needs a tokio runtime with one thread: `#[tokio::test]`")]
async fn several_threads_are_refused() {
    testing::start(config()).await;
}

#[tokio::test]
#[should_panic(expected = "the test leaves something undone: 0 interrupted, 0 still running, 1 lost")]
async fn finish_tells_what_is_undone() {
    let test = testing::start(config()).only(ALL).await;
    test.jobs().after(HOUR, never {}).await.unwrap();
    test.finish().await;
}

// One attempt.

#[tokio::test]
async fn one_attempt_tells_what_it_came_to() {
    let how = |how: &str| steering { how: how.to_owned() };
    let done = testing::run(how("")).await;
    done.assert_succeeded();
    assert_eq!((done.retry_in(), done.took()), (None, Duration::ZERO));
    assert_eq!(done.handle().log()[0].text, "how: ");
    let done = testing::run(how("retry")).await;
    assert_eq!((done.outcome().as_str(), done.retry_in()), ("failed", Some(SECOND * 90)));
    let done = testing::run(how("discard")).await;
    assert_eq!((done.outcome(), done.retry_in()), (&Outcome::Discarded("no use".into()), None));
    let done = testing::run(how("panic")).attempt(7).await;
    assert_eq!(done.outcome(), &Outcome::Panicked("attempt 7".into()));
    assert!(done.retry_in().is_some());
    assert_eq!(message(|| done.assert_succeeded()), "the attempt panicked: attempt 7");
    let done = testing::run(how("panic")).attempt(21).await;
    assert_eq!(done.retry_in(), None, "the last of 21");
    let done = testing::run(how("slow")).await;
    assert_eq!((done.outcome(), done.took()), (&Outcome::TimedOut(SECOND * 60), SECOND * 60));
    let at: DateTime<Utc> = instant("2026-03-02 12:00");
    let done = testing::run(how("slot")).slot(at).at(at + HOUR).await;
    assert_eq!(done.outcome().message(), Some("Some(2026-03-02T12:00:00Z) 2026-03-02 13:00:00 UTC"));
    let done = testing::run(plain {}).attempt(2).await;
    assert_eq!(done.outcome().message(), Some("attempt 2"));
}

#[tokio::test]
async fn what_one_attempt_submits_is_recorded_and_not_run() {
    let done = testing::run(lunch {}).await;
    done.assert_succeeded();
    done.submissions().assert_has(&mail { to: "ada".into(), copies: 2 });
    let sent = Arc::new(Outbox::default());
    let done = testing::run(mail { to: "ada".into(), copies: 2 }).state(Outbox::default()).await;
    done.assert_succeeded();
    assert!(done.submissions().is_empty());
    drop(sent);
}

#[tokio::test]
#[should_panic(expected = "the job `mail` needs a state of type")]
async fn one_attempt_without_its_state_is_refused() {
    testing::run(mail { to: "ada".into(), copies: 2 }).await;
}

//! Three ways to test a job: call it, make one attempt of it, run the whole scheduler.

use std::time::Duration;

use jobs::testing::{self, Fault, TestJobs, instant};
use jobs::{Fate, Outcome};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(86_400);

fn subscriptions() -> Subscriptions {
    Subscriptions(vec![("ada".to_owned(), 990), ("grace".to_owned(), 1_500)])
}

fn charge_ada() -> charge {
    charge { customer: "ada".to_owned(), cents: 990 }
}

/// 1. The function is a function.
#[tokio::test]
async fn a_receipt_says_what_was_paid() {
    let outside = Outside::default();
    receipt(&outside, "ada".to_owned(), 990).await.unwrap();
    assert_eq!(*outside.mailed.lock().unwrap(), ["ada has paid 9.90"]);
}

/// 2. One attempt: what it submits is recorded, and not run.
#[tokio::test]
async fn a_renewal_charges_everybody() {
    let attempt = testing::run(renew {}).state(subscriptions()).await;
    attempt.assert_succeeded();
    attempt.submissions().assert_count_of::<charge>(2);
    attempt.submissions().assert_has(&charge_ada());
}

#[tokio::test]
async fn who_has_no_money_is_not_asked_again() {
    let attempt =
        testing::run(charge { customer: "bob".to_owned(), cents: 1_000_000 }).config(config(subscriptions()));
    let attempt = attempt.await;
    assert_eq!(attempt.outcome(), &Outcome::Discarded("bob has no 1000000 cents".to_owned()));
    assert_eq!(attempt.retry_in(), None);
}

/// 3. The whole scheduler, on virtual time.
async fn started() -> TestJobs {
    testing::start(config(subscriptions())).at(instant("2026-03-27 12:00 Europe/Oslo")).await
}

#[tokio::test]
async fn subscriptions_are_renewed_every_morning_in_summer_and_in_winter() {
    let test = started().await;
    test.advance(7 * DAY).await;
    test.assert_ran("renew", 7);
    let charged = test.submitted::<charge>();
    assert_eq!(charged.len(), 14);
    // Clocks have been set forward on the 29th.
    assert_eq!(charged[0].submitted_at, instant("2026-03-28 05:00:00"));
    assert_eq!(charged[13].submitted_at, instant("2026-04-03 04:00:00"));
    test.finish().await;
}

#[tokio::test]
async fn a_bank_that_is_away_is_asked_again() {
    let test = started().await;
    test.inject("charge", Fault::error("503"));
    test.inject("charge", Fault::Hang);
    let run = test.jobs().now(charge_ada()).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    let outcomes: Vec<_> = run.attempts().iter().map(|attempt| attempt.outcome.to_string()).collect();
    assert_eq!(outcomes, ["failed: 503", "timed out after 30s", "succeeded"]);
    test.assert_submitted(&receipt { customer: "ada".to_owned(), cents: 990 });
}

#[tokio::test]
async fn a_morning_that_was_slept_through_is_made_up_for_once() {
    let test = started().await;
    test.suspend(3 * DAY).await;
    test.idle().await;
    test.assert_slots("renew", Fate::Missed, 2);
    test.assert_slots("renew", Fate::CaughtUp, 1);
    test.submissions().assert_count_of::<charge>(2);
    test.advance(HOUR).await;
    test.finish().await;
}

/// Of the code that submits alone: nothing that is submitted runs.
#[tokio::test]
async fn a_renewal_by_hand_is_a_renewal() {
    let test = testing::start(config(subscriptions())).quiet().hold().await;
    test.run_now("renew").await.unwrap().wait().await;
    test.assert_submitted(&charge_ada());
    test.assert_not_submitted::<receipt>();
    assert_eq!(test.release().await, 2);
    test.assert_submitted(&receipt { customer: "grace".to_owned(), cents: 1_500 });
}

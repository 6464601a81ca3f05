//! What an attribute says about timeouts and retries arrives in the program as it was meant.

use std::time::Duration;

use jobs::__private::{AttemptOptions, Backoff};
use jobs::{Job, job};

#[job(timeout = "1m30s", retries = 5, backoff = "500ms..10m")]
async fn all() {}

// The keys belong to the job, so they may stand in any of its attributes.
#[job(every = "1h", retries = 0)]
#[job(every = "2h", timeout = "1500us")]
fn parted() {}

#[job(backoff = "30s")]
async fn constant() {}

#[job(retries = 10_000)]
async fn most() {}

#[job]
async fn nothing() {}

fn attempts<J: Job>() -> AttemptOptions {
    J::__descriptor().expect("made by the attribute").attempts
}

#[test]
fn accepted() {
    let seconds = Duration::from_secs;
    assert_eq!(
        attempts::<all>(),
        AttemptOptions {
            timeout: Some(seconds(90)),
            retries: Some(5),
            backoff: Some(Backoff::new(Duration::from_millis(500), seconds(600))),
        }
    );
    assert_eq!(
        attempts::<parted>(),
        AttemptOptions { timeout: Some(Duration::from_micros(1500)), retries: Some(0), backoff: None }
    );
    assert_eq!(
        attempts::<constant>(),
        AttemptOptions { backoff: Some(Backoff::new(seconds(30), seconds(30))), ..AttemptOptions::DEFAULT }
    );
    assert_eq!(attempts::<most>(), AttemptOptions { retries: Some(10_000), ..AttemptOptions::DEFAULT });
    assert_eq!(attempts::<nothing>(), AttemptOptions::DEFAULT);
}

//! Subscriptions that are renewed every morning: a small program, and in `tests.rs` how its background work is tested, on
//! virtual time and without a server.
//!
//! Run with `cargo run -p renewals`, and test with `cargo test -p renewals`.
#![forbid(unsafe_code)]

use std::error::Error;
use std::sync::Mutex;
use std::time::Duration;

use jobs::{BoxError, Config, JobContext, job};

/// Who has subscribed, and what it costs in cents.
struct Subscriptions(Vec<(String, u64)>);

/// What has been paid and mailed, where a real program has a bank and a mail server.
#[derive(Default)]
struct Outside {
    charged: Mutex<Vec<(String, u64)>>,
    mailed: Mutex<Vec<String>>,
}

/// Every morning at six on the clock of Oslo. A morning that the server has slept through is made up for, once.
#[job(schedule = "0 0 6 * * *", tz = "Europe/Oslo", missed = "once")]
async fn renew(#[state] subscriptions: &Subscriptions) -> Result<(), BoxError> {
    for (customer, cents) in &subscriptions.0 {
        jobs::now(charge { customer: customer.clone(), cents: *cents }).await?;
    }
    Ok(())
}

/// The bank is away now and then: up to six attempts, a minute apart and then more. Who has no money is not asked again.
#[job(retries = 5, backoff = "1m..1h", timeout = "30s")]
async fn charge(
    #[state] outside: &Outside,
    cx: &JobContext,
    customer: String,
    cents: u64,
) -> Result<(), BoxError> {
    if cents > 100_000 {
        return Err(cx.discard(format!("{customer} has no {cents} cents")).into());
    }
    outside.charged.lock().map_err(|_| "the bank is gone")?.push((customer.clone(), cents));
    jobs::after(Duration::from_secs(60), receipt { customer, cents }).await?;
    Ok(())
}

#[job]
async fn receipt(#[state] outside: &Outside, customer: String, cents: u64) -> Result<(), BoxError> {
    let text = format!("{customer} has paid {}.{:02}", cents / 100, cents % 100);
    outside.mailed.lock().map_err(|_| "the mail server is gone")?.push(text);
    Ok(())
}

fn config(subscriptions: Subscriptions) -> Config {
    Config::default().state(subscriptions).state(Outside::default())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_target(false).init();
    let jobs = jobs::start(config(Subscriptions(vec![("ada".to_owned(), 990)]))).await?;
    println!("{}", jobs.snapshot());
    jobs.run_now("renew").await?;
    jobs.run_until_signal().await;
    Ok(())
}

#[cfg(test)]
mod tests;

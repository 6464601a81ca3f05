//! A small shop that does every kind of background work: a tour of `jobs` in one file.
//!
//! Run with `cargo run -p quickstart`, and end it with Ctrl-C.
#![forbid(unsafe_code)]

use std::error::Error;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jobs::{Config, JobContext, Jobs, job};
use tracing::{Level, info};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::time::uptime;
use tracing_subscriber::prelude::*;

/// What jobs share: whatever is given to `Config::state` can be a `#[state]` parameter.
#[derive(Default)]
struct Shop {
    mails: AtomicU64,
}

/// Runs before `start` returns; an error here would stop the program.
#[job(startup = "blocking")]
async fn open_shop() -> Result<(), Box<dyn Error + Send + Sync>> {
    info!("open_shop: the start-up job");
    jobs::now(confirm_order { to: "ada@example.org".into(), order: 1 }).await?;
    Ok(())
}

/// When it fires is said in `jobs.toml`, under `[cron]`.
#[job(schedule = "cron.rush")]
async fn serve_queue(cx: &JobContext) {
    info!(slot = ?cx.slot(), "serve_queue: a cron job");
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

/// An interval. `jobs.toml` makes it shorter for this deployment.
#[job(every = "1h")]
async fn take_stock() {
    info!("take_stock: an interval job");
}

/// Two schedules, read on the clock of a zone: 8:00 in New York, in summer and in winter.
#[job(schedule = ["0 0 8 * * MON-FRI", "cron.workhours_15m"], tz = "America/New_York")]
async fn order_supplies() {
    info!("order_supplies: a cron job by the clock of New York");
}

/// A one-off job: its parameters are the fields of `confirm_order { to, order }`.
#[job]
async fn confirm_order(#[state] shop: &Shop, to: String, order: u64) {
    let sent = shop.mails.fetch_add(1, Ordering::Relaxed) + 1;
    info!("confirm_order: a one-off job mails {to} about order {order}; {sent} sent");
}

/// A plain function runs on a thread that it may keep busy. Schedules give its argument.
#[job(every = "4s", args(below = 200_000))]
fn count_primes(below: u32) {
    let primes = (2..below).filter(|n| (2..).take_while(|d| d * d <= *n).all(|d| n % d != 0)).count();
    info!("count_primes: a plain function found {primes}");
}

/// An error is a failed run: logged, kept in the snapshot, and no trouble for anybody else.
#[job(schedule = "*/10 * * * * *", overlap = "skip")]
async fn ask_supplier() -> Result<(), String> {
    Err("the supplier does not answer".into())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // Short lines, for a tour: without the spans of `jobs`, which name the job and the run that a line is of.
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_timer(uptime());
    let short = filter_fn(|entry| entry.is_event() && *entry.level() <= Level::INFO);
    tracing_subscriber::registry().with(lines.with_filter(short)).init();

    let config = std::env::args().nth(1).unwrap_or(concat!(env!("CARGO_MANIFEST_DIR"), "/jobs.toml").into());
    let jobs = jobs::start(Config::from_file(config)?.state(Shop::default())).await?;

    // Any free port, where another program has this one.
    let page = match jobs.serve_status("127.0.0.1:9090").await {
        Ok(address) => address,
        Err(_) => jobs.serve_status("127.0.0.1:0").await?,
    };
    println!("\nstatus page: http://{page}/@jobs\n");

    jobs::now(confirm_order { to: "grace@example.org".into(), order: 2 }).await?;
    jobs::after(Duration::from_secs(4), confirm_order { to: "alan@example.org".into(), order: 3 }).await?;

    let report = tokio::select! {
        report = jobs.run_until_signal() => report,
        never = show(&jobs) => never,
    };
    println!("\n{}\n\nshut down: {report}", jobs.snapshot());
    Ok(())
}

/// Prints the table of jobs when it has changed, every two seconds at most.
async fn show<T>(jobs: &Jobs) -> T {
    let mut shown = Vec::new();
    let mut turns = tokio::time::interval(Duration::from_secs(2));
    loop {
        turns.tick().await;
        let snapshot = jobs.snapshot();
        let now =
            snapshot.jobs.iter().map(|job| (job.status, job.previous.as_ref().map(|run| run.id))).collect();
        if shown != now {
            println!("\n{snapshot}\n");
            shown = now;
        }
    }
}

//! How late 1 000 schedules fire each second beside 100 000 idle ones, and what a schedule weighs.
//!
//! Run with `cargo run --release --bin lateness` in `benches/memory`.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use chrono::Utc;
use jobs::{Config, JobContext, job};

const IDLE: usize = 100_000;
const FIRING: usize = 1_000;
const SECONDS: u64 = 10;

static LATE: Mutex<Vec<Duration>> = Mutex::new(Vec::new());

#[job]
async fn fires(cx: &JobContext, _number: u32) {
    let late = Utc::now() - cx.slot().expect("a slot");
    LATE.lock().expect("no panic").push(late.to_std().unwrap_or_default());
}

#[job]
async fn idles(_number: u32) {}

/// Resident memory of the process in bytes, as Linux tells it.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: f64 = status.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("pages");
    pages * 4096.0
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let config = || Config::default().pool(10).self_concurrent(true);
    let jobs = jobs::start(config()).await.expect("starts");
    for number in 0..IDLE as u32 {
        let text = format!("{} {} 0 1 1 *", number % 60, number / 60 % 60);
        jobs.schedule(&text, idles { _number: number }).await.expect("scheduled");
    }
    for number in 0..FIRING as u32 {
        jobs.schedule("* * * * * *", fires { _number: number }).await.expect("scheduled");
    }
    let warm = Duration::from_secs(2);
    tokio::time::sleep(warm).await;
    LATE.lock().expect("no panic").clear();
    tokio::time::sleep(Duration::from_secs(SECONDS)).await;
    let mut late = std::mem::take(&mut *LATE.lock().expect("no panic"));
    late.sort();
    let at = |share: f64| late[((late.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    println!(
        "{FIRING} firing each second, {IDLE} idle: {} runs in {SECONDS} s, late by p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms (goals: 1.5, 3)",
        late.len(), at(0.5), at(0.99), at(1.0)
    );
    jobs.shutdown().await;

    let million = 1_000_000_u32;
    let texts: Vec<String> = (0..1_000).map(|n| format!("{} {} 3 * * *", n % 60, n / 60)).collect();
    let jobs = jobs::start(config()).await.expect("starts");
    let (before, start) = (resident(), Instant::now());
    for number in 0..million {
        let text = &texts[number as usize % texts.len()];
        jobs.schedule(text, idles { _number: number }).await.expect("scheduled");
    }
    println!(
        "{million} schedules of {} texts: {:.2} s (goal: 2), {:.0} B each (goal: 300)",
        texts.len(), start.elapsed().as_secs_f64(), (resident() - before) / f64::from(million)
    );
    jobs.shutdown().await;

    let jobs = jobs::start(config()).await.expect("starts");
    let (before, start) = (resident(), Instant::now());
    for number in 0..million {
        let text = &texts[number as usize % texts.len()];
        let job = jobs::func(format!("job-{number}"), || async {});
        jobs.schedule(text, job).await.expect("scheduled");
    }
    println!(
        "{million} schedules of as many jobs: {:.2} s, {:.0} B each, the job included (memory of before is reused)",
        start.elapsed().as_secs_f64(), (resident() - before) / f64::from(million)
    );
}

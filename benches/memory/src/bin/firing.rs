//! What a slot costs in processor time, from its timer to the entry in the ledger, with a run that does nothing.
//!
//! Run with `cargo run --release --bin firing` in `benches/memory`.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jobs::{Config, job};

const FIRING: u32 = 50_000;
const SECONDS: u64 = 8;

static RUNS: AtomicU64 = AtomicU64::new(0);

#[job]
async fn fires(_number: u32) {
    RUNS.fetch_add(1, Ordering::Relaxed);
}

/// Processor time of the process in seconds, as Linux tells it: in hundredths.
fn used() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<&str> = stat.rsplit(')').next().expect("fields").split_ascii_whitespace().collect();
    let ticks = |at: usize| fields[at].parse::<f64>().expect("ticks");
    (ticks(11) + ticks(12)) / 100.0
}

#[tokio::main(worker_threads = 2)]
async fn main() {
    let jobs = jobs::start(Config::default().pool(10).self_concurrent(true)).await.expect("starts");
    for number in 0..FIRING {
        jobs.schedule("* * * * * *", fires { _number: number }).await.expect("scheduled");
    }
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (before, runs) = (used(), RUNS.load(Ordering::Relaxed));
        tokio::time::sleep(Duration::from_secs(SECONDS)).await;
        let (took, ran) = (used() - before, RUNS.load(Ordering::Relaxed) - runs);
        println!("{ran} slots fired and run: {:.0} ns of processor time each", took * 1e9 / ran as f64);
    }
    jobs.shutdown().await;
}

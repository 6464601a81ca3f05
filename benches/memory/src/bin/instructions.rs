//! No-op one-offs and nothing else, on one thread or several, to be counted by callgrind, cachegrind or `perf stat`: they
//! give the same numbers again on a machine that does something else.
//!
//! Two runs of different length tell what one job costs, without the start:
//!
//! ```text
//! cargo build --release --bin instructions
//! for jobs in 50000 150000; do valgrind --tool=callgrind target/release/instructions $jobs; done
//! perf stat -e task-clock,context-switches target/release/instructions 2000000 2
//! ```

use std::sync::atomic::{AtomicUsize, Ordering};

use jobs::{Config, job};
use tokio::sync::Notify;

static LEFT: AtomicUsize = AtomicUsize::new(0);
static ALL: Notify = Notify::const_new();

#[job]
async fn no_op() {
    if LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        ALL.notify_one();
    }
}

fn main() {
    let numbers: Vec<usize> =
        std::env::args().skip(1).map(|number| number.parse().expect("a number of jobs, and of threads")).collect();
    let (jobs, threads) = (numbers[0], numbers.get(1).copied().unwrap_or(1));
    let mut runtime = match threads {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    runtime.worker_threads(threads).enable_all().build().expect("a runtime").block_on(run(jobs));
}

async fn run(jobs: usize) {
    LEFT.store(jobs, Ordering::Relaxed);
    tokio::spawn(async move {
        let instance = jobs::start(Config::default().pool(10)).await.expect("starts");
        for _ in 0..jobs {
            instance.now(no_op {}).await.expect("accepted");
        }
        ALL.notified().await;
        instance.shutdown().await;
    })
    .await
    .expect("no panic");
}

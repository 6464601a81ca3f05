//! One million no-op one-offs through a pool of 10, against `tokio::spawn` with a semaphore taken inside the task.
//!
//! Run with `cargo run --release --bin oneoff` in `benches/memory`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use jobs::{Config, job};
use tokio::sync::{Notify, Semaphore};

const RUNS: usize = 1_000_000;
const POOL: usize = 10;
const ROUNDS: usize = 7;

static DONE: AtomicUsize = AtomicUsize::new(0);
static ALL: Notify = Notify::const_new();

fn done() {
    if DONE.fetch_add(1, Ordering::Relaxed) + 1 == RUNS {
        ALL.notify_one();
    }
}

#[job]
async fn no_op() {
    done();
}

async fn peer() -> Duration {
    DONE.store(0, Ordering::Relaxed);
    let pool = Arc::new(Semaphore::new(POOL));
    let start = Instant::now();
    for _ in 0..RUNS {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move {
            let _permit = pool.acquire_owned().await.expect("never closed");
            done();
        });
    }
    ALL.notified().await;
    start.elapsed()
}

async fn ours(jobs: &jobs::Jobs) -> Duration {
    DONE.store(0, Ordering::Relaxed);
    let start = Instant::now();
    for _ in 0..RUNS {
        jobs.now(no_op {}).await.expect("accepted");
    }
    ALL.notified().await;
    start.elapsed()
}

fn main() {
    let threads = std::env::args().nth(1).map(|n| n.parse().expect("a number of threads"));
    for threads in threads.map_or(vec![1, 2], |n: usize| vec![n]) {
        println!("{threads} threads");
        let mut runtime = match threads {
            1 => tokio::runtime::Builder::new_current_thread(),
            _ => tokio::runtime::Builder::new_multi_thread(),
        };
        let runtime = runtime.worker_threads(threads).enable_all().build().expect("a runtime");
        runtime.block_on(compare());
    }
}

async fn compare() {
    let bench = tokio::spawn(async {
        let jobs = jobs::start(Config::default().pool(POOL as i64)).await.expect("starts");
        let mut ratios = Vec::new();
        for round in 0..ROUNDS {
            let (peer, ours) = (peer().await, ours(&jobs).await);
            let each = |time: Duration| time.as_nanos() as f64 / RUNS as f64;
            let ratio = each(ours) / each(peer);
            println!("round {round}: spawn + semaphore {:4.0} ns, jobs {:4.0} ns, ratio {ratio:.2}", each(peer), each(ours));
            ratios.push(ratio);
        }
        ratios.sort_by(f64::total_cmp);
        println!("median ratio {:.2} (goal: 0.50 or less)", ratios[ROUNDS / 2]);
        jobs.shutdown().await;
    });
    bench.await.expect("no panic");
}

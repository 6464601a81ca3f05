//! No-op one-offs and nothing else, on one thread, to be counted by callgrind or cachegrind: they give the same numbers
//! again on a machine that does something else.
//!
//! Two runs of different length tell what one job costs, without the start:
//!
//! ```text
//! cargo build --release --bin instructions
//! for jobs in 50000 150000; do valgrind --tool=callgrind target/release/instructions $jobs; done
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

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let jobs: usize = std::env::args().nth(1).and_then(|jobs| jobs.parse().ok()).expect("a number of jobs");
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

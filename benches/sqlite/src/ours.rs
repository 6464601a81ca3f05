//! A program as its users write it.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};

use jobs::{Config, job};
use tokio::sync::Notify;

use super::{Seen, runtime, submit};

static LEFT: AtomicUsize = AtomicUsize::new(0);
static ALL: Notify = Notify::const_new();

#[job]
async fn note(number: u64) {
    if number < u64::MAX && LEFT.fetch_sub(1, Ordering::Relaxed) == 1 {
        ALL.notify_one();
    }
}

pub(crate) fn measure(path: &Path, runs: usize, callers: usize) -> Seen {
    LEFT.store(runs, Ordering::Relaxed);
    let runtime = runtime();
    let seen = runtime.block_on(async {
        // All are kept, as in the bare loop.
        let config = Config::default()
            .without_environment()
            .retention_count(10_000_000)
            .store(format!("sqlite:{}", path.display()));
        let jobs = jobs::start(config).await.expect("starts");
        let own = jobs.clone();
        let (start, told) = submit(runs, callers, move |number| {
            let jobs = own.clone();
            async move {
                jobs.now(note { number: number as u64 }).await.expect("is committed");
            }
        })
        .await;
        ALL.notified().await;
        // Which writes what has ended, and waits for that.
        let report = jobs.shutdown().await;
        let done = start.elapsed();
        assert!(report.is_clean() && report.kept == 0, "{report}");
        Seen { told, done }
    });
    drop(runtime);
    let connection = rusqlite::Connection::open(path).expect("opens");
    let count = "SELECT count(*) FROM jobs_run WHERE state = 'ended'";
    let ended: i64 = connection.query_row(count, [], |row| row.get(0)).expect("is read");
    assert_eq!(ended as usize, runs, "every run is in the file, and has ended");
    seen
}

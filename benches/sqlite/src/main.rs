//! Submitted, claimed, done and committed: a program on `jobs.store = "sqlite:…"` beside a bare loop on SQLite with group commit.
//!
//! Run with `cargo run --release` in `benches/sqlite`; behind `--` the number of jobs, and the folder of the files.

mod bare;
mod ours;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// So many callers submit at once, each the next when the one before is committed.
const CALLERS: [usize; 3] = [1, 10, 100];
const ROUNDS: usize = 3;

/// Both run on what a program has: as many threads as there are cores.
fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime")
}

/// A file of its own for each measurement.
fn fresh(folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    for end in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(format!("{}{end}", path.display()));
    }
    path
}

/// What a measurement has seen.
struct Seen {
    /// Until every submission was told that it is committed.
    told: Duration,
    /// Until the end of every job was committed too.
    done: Duration,
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let most: usize = arguments.next().map_or(200_000, |n| n.parse().expect("a number of jobs"));
    let folder = arguments.next().map_or_else(std::env::temp_dir, PathBuf::from);
    println!("synchronous=FULL; in {}", folder.display());
    for callers in CALLERS {
        // A single caller waits for the disk each time, so it gets fewer.
        let jobs = most.min(callers * most / 100).max(1);
        let mut ratios = Vec::new();
        for round in 0..ROUNDS {
            let path = fresh(&folder, "bench-bare.db");
            let bare = bare::measure(&path, jobs, callers);
            fresh(&folder, "bench-bare.db");
            let path = fresh(&folder, "bench-jobs.db");
            let ours = ours::measure(&path, jobs, callers);
            fresh(&folder, "bench-jobs.db");
            let each = |time: Duration| jobs as f64 / time.as_secs_f64();
            let ratio = each(ours.done) / each(bare.done);
            println!(
                "{callers:3} callers, round {round}, jobs/s told and done: bare {:6.0} {:6.0}, jobs {:6.0} {:6.0}, ratio {ratio:.2}",
                each(bare.told),
                each(bare.done),
                each(ours.told),
                each(ours.done),
            );
            ratios.push(ratio);
        }
        ratios.sort_by(f64::total_cmp);
        println!("{callers:3} callers: median ratio {:.2} (goal: 0.50 or more)", ratios[ROUNDS / 2]);
    }
}

/// Submits `jobs` times from so many callers at once.
async fn submit<F: Future<Output = ()> + Send>(
    jobs: usize,
    callers: usize,
    one: impl Fn(usize) -> F + Clone + Send + 'static,
) -> (Instant, Duration)
where
    F: 'static,
{
    let start = Instant::now();
    let mut all = tokio::task::JoinSet::new();
    for caller in 0..callers {
        let one = one.clone();
        all.spawn(async move {
            for number in (caller..jobs).step_by(callers) {
                one(number).await;
            }
        });
    }
    while let Some(caller) = all.join_next().await {
        caller.expect("no panic");
    }
    (start, start.elapsed())
}

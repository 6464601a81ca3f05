//! Many threads at once: whoever submits, cancels, pauses and fails meanwhile, every run comes to its end and no limit is
//! passed. What is held back must start when its limit frees, with nobody else about to call a worker.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jobs::{BoxError, Config, JobContext, Jobs, Outcome, RunHandle, job};

/// How many run at the same time, and the most that did.
#[derive(Debug, Default)]
struct Count {
    now: AtomicUsize,
    most: AtomicUsize,
}

impl Count {
    async fn during(&self, turns: u8) {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        let leaves = Leaves(self);
        for _ in 0..turns {
            tokio::task::yield_now().await;
        }
        drop(leaves);
    }
}

/// Also of one that is dropped.
struct Leaves<'a>(&'a Count);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.now.fetch_sub(1, Ordering::SeqCst);
    }
}

#[derive(Debug, Default)]
struct Counts {
    narrow: Count,
    mail: Count,
    told: AtomicUsize,
}

#[job(concurrency = 2, retries = 2, backoff = "10ms..20ms")]
async fn narrow(#[state] counts: &Arc<Counts>, cx: &JobContext, turns: u8) -> Result<(), BoxError> {
    counts.narrow.during(turns).await;
    if turns == 7 && cx.attempt() < 3 { Err("seven".into()) } else { Ok(()) }
}

#[job(rate = "20/5ms", priority = 3)]
async fn metered() {}

#[job(queue = "mail", retries = 0)]
async fn mail(#[state] counts: &Arc<Counts>, turns: u8) -> Result<(), BoxError> {
    counts.mail.during(turns).await;
    if turns == 5 { Err("five".into()) } else { Ok(()) }
}

#[job(unique, concurrency = 1)]
async fn once(number: u8) {
    for _ in 0..number {
        tokio::task::yield_now().await;
    }
}

#[job]
async fn plain() {}

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

async fn submits(jobs: Jobs, seed: u64) -> Vec<RunHandle> {
    let mut random = Random(seed);
    let mut runs: Vec<RunHandle> = Vec::new();
    for _ in 0..400 {
        let turns = random.below(8) as u8;
        let run = match random.below(10) {
            0 | 1 => jobs.now(narrow { turns }).await,
            2 => jobs.now(metered {}).await,
            3 | 4 => jobs.now(mail { turns }).await,
            5 => jobs.now(once { number: turns }).await,
            6 => jobs.after(Duration::from_millis(random.below(3)), mail { turns }).await,
            7 => jobs.now(plain {}).priority(turns as i8 - 4).await,
            _ => jobs.now(plain {}).await,
        };
        runs.push(run.unwrap());
        match random.below(24) {
            0..3 => {
                let at = random.below(runs.len() as u64) as usize;
                runs[at].cancel().await;
            }
            3 => jobs.pause_queue("mail").await.unwrap(),
            4 | 5 => jobs.resume_queue("mail").await.unwrap(),
            6..9 => tokio::task::yield_now().await,
            _ => {}
        }
    }
    runs
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
#[expect(clippy::disallowed_methods, reason = "the submitters are no jobs")]
async fn every_run_comes_to_its_end_and_no_limit_is_passed() {
    for seed in 0..12 {
        let counts = Arc::<Counts>::default();
        let told = Arc::clone(&counts);
        let config = Config::default()
            .without_environment()
            .pool([1, 2, 4, 7][seed as usize % 4])
            .queue("mail", 3)
            .state(Arc::clone(&counts))
            .on_failure(move |_| {
                told.told.fetch_add(1, Ordering::SeqCst);
            });
        let jobs = jobs::start(config).await.unwrap();
        let submitters: Vec<_> =
            (0..4).map(|number| tokio::spawn(submits(jobs.clone(), seed * 10 + number + 1))).collect();
        let mut runs = Vec::new();
        for submitter in submitters {
            runs.extend(submitter.await.unwrap());
        }
        jobs.resume_queue("mail").await.unwrap();
        let all = async {
            for run in &runs {
                let outcome = run.wait().await;
                let ended = matches!(outcome, Outcome::Succeeded | Outcome::Failed(_) | Outcome::Cancelled);
                assert!(ended, "seed {seed}: {outcome:?}");
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(60), all).await;
        assert!(ended.is_ok(), "seed {seed}: some run waits for ever\n{}", jobs.snapshot());
        let most = |count: &Count| count.most.load(Ordering::SeqCst);
        assert!(most(&counts.narrow) <= 2 && most(&counts.mail) <= 3, "seed {seed}: {counts:?}");
        assert!(jobs.shutdown().await.is_clean(), "seed {seed}");
        let snapshot = jobs.snapshot();
        assert_eq!((snapshot.pool.running, snapshot.pool.queued), (0, 0), "seed {seed}");
        assert!(counts.told.load(Ordering::SeqCst) > 0);
    }
}

//! A node of the cluster. Its jobs write what they begin and what they are done with.

use std::env;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::TimeDelta;
use jobs::{BoxError, Config, JobContext, Jobs, job};
use tokio::task::JoinSet;
use tracing_subscriber::prelude::*;

use super::diary::Diary;
use super::support::seeds::Rng;

pub(crate) const ADDRESS: &str = "JOBS_TESTS_FAULTS_ADDRESS";
pub(crate) const FOLDER: &str = "JOBS_TESTS_FAULTS_FOLDER";
pub(crate) const SCHEDULES: &str = "JOBS_TESTS_FAULTS_SCHEDULES";
/// The seed of how wrong its clock is.
pub(crate) const SKEW: &str = "JOBS_TESTS_FAULTS_SKEW";

/// How long some submissions wait.
pub(crate) const DELAY: Duration = Duration::from_secs(2);

/// How many schedules [`three`] has: more than can execute at once.
pub(crate) const THREES: u64 = 4;

/// It gives the process that has done it.
#[job]
pub(crate) async fn note(#[state] diary: &Diary, cx: &JobContext, number: u64) -> Result<u32, BoxError> {
    let process = diary.begun(cx);
    // Now and then one takes longer, to be hit in the middle.
    tokio::time::sleep(Duration::from_millis(if number.is_multiple_of(50) { 2_000 } else { 5 })).await;
    Ok(process)
}

#[job(overlap = "allow")]
async fn tick(#[state] diary: &Diary, cx: &JobContext, number: u64) -> Result<u32, BoxError> {
    assert!(number < u64::MAX);
    Ok(diary.begun(cx))
}

/// Takes longer than it is from one of its slots to the next.
#[job(every = "1s", overlap = "buffer_one")]
async fn queued(#[state] diary: &Diary, cx: &JobContext) -> Result<u32, BoxError> {
    takes(diary, cx, Duration::from_millis(1_300)).await
}

#[job(fixed_delay = "1s")]
async fn delayed(#[state] diary: &Diary, cx: &JobContext) -> Result<u32, BoxError> {
    takes(diary, cx, Duration::from_millis(300)).await
}

#[job(concurrency = 3, overlap = "allow")]
async fn three(#[state] diary: &Diary, cx: &JobContext, number: u64) -> Result<u32, BoxError> {
    assert!(number < THREES);
    takes(diary, cx, Duration::from_millis(150)).await
}

async fn takes(diary: &Diary, cx: &JobContext, long: Duration) -> Result<u32, BoxError> {
    let process = diary.begun(cx);
    tokio::time::sleep(long).await;
    diary.ended(cx);
    Ok(process)
}

/// Its first attempt fails.
#[job(retries = 1, backoff = "1s..2s")]
pub(crate) async fn flaky(#[state] diary: &Diary, cx: &JobContext, number: u64) -> Result<u32, BoxError> {
    let process = diary.begun(cx);
    if cx.attempt() == 1 {
        diary.failed(cx);
        return Err(format!("{number} fails").into());
    }
    Ok(process)
}

/// The least wait before the second attempt of [`flaky`]: a backoff is moved by up to a tenth either way, and what a node takes
/// for the time of the server is as exact as answers are quick.
pub(crate) const BACKOFF: TimeDelta = TimeDelta::milliseconds(400);

/// All that nodes execute.
pub(crate) const JOBS: [&str; 6] = ["note", "flaky", "tick", "queued", "delayed", "three"];

pub(crate) fn config(address: &str, folder: &Path) -> Config {
    let config = Config::default().store(address).state(Diary::open(folder)).pool(100);
    // All of it is looked at afterwards.
    config.retention_count(10_000_000)
}

pub(crate) fn run(address: &str) {
    std::thread::spawn(|| {
        // Who has started it is gone.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let folder = PathBuf::from(env::var(FOLDER).unwrap());
    let schedules: u64 = env::var(SCHEDULES).unwrap().parse().unwrap();
    let mut skew = Rng::new(env::var(SKEW).unwrap().parse().unwrap());
    set_clock(&mut skew);
    // It is shown where the test fails.
    let store = tracing_subscriber::filter::Targets::new().with_target("jobs::store", tracing::Level::WARN);
    let shown = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(std::io::stderr);
    tracing_subscriber::registry().with(shown.with_filter(store)).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // A server that is not there at the start is an error, after which a program is started again.
        let jobs = loop {
            if let Ok(jobs) = jobs::start(config(address, &folder)).await {
                break jobs;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        };
        schedule(&jobs, schedules).await;
        // Every second one has a clock that jumps.
        let mut jumping = JoinSet::new();
        if skew.one_in(2) {
            jumping.spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_secs(1 + skew.below(10))).await;
                    set_clock(&mut skew);
                }
            });
        }
        jobs.run_until_signal().await;
    });
}

/// Sets the clock of this machine wrong by up to ten minutes.
pub(crate) fn set_clock(skew: &mut Rng) {
    jobs::testing::set_system_clock(TimeDelta::seconds(skew.within(-600, 600)));
}

async fn schedule(jobs: &Jobs, count: u64) {
    let mut registering = JoinSet::new();
    for number in 0..count {
        let jobs = jobs.clone();
        registering.spawn(async move {
            let scheduling = jobs.every(Duration::from_secs(1), tick { number });
            scheduling.key(format!("second_{number}")).await.unwrap();
        });
    }
    for number in 0..THREES {
        let jobs = jobs.clone();
        registering.spawn(async move {
            let scheduling = jobs.every(Duration::from_secs(1), three { number });
            scheduling.key(format!("three_{number}")).await.unwrap();
        });
    }
    registering.join_all().await;
}

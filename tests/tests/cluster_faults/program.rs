//! A node of the cluster. Its jobs write what they begin, a line at a time.

use std::env;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use jobs::{BoxError, Config, JobContext, Jobs, job};
use tokio::task::JoinSet;

use super::support::seeds::Rng;

pub(crate) const ADDRESS: &str = "JOBS_TESTS_FAULTS_ADDRESS";
pub(crate) const FOLDER: &str = "JOBS_TESTS_FAULTS_FOLDER";
pub(crate) const SCHEDULES: &str = "JOBS_TESTS_FAULTS_SCHEDULES";
/// The seed of how wrong its clock is.
pub(crate) const SKEW: &str = "JOBS_TESTS_FAULTS_SKEW";

/// How long some submissions wait.
pub(crate) const DELAY: Duration = Duration::from_secs(2);

/// Where jobs write that they have begun: `JOB RUN ATTEMPT PROCESS`.
#[derive(Debug, Clone)]
pub(crate) struct Diary(Arc<File>);

impl Diary {
    fn begun(&self, cx: &JobContext) -> u32 {
        let process = std::process::id();
        let line = format!("{} {} {} {process}\n", cx.job(), cx.id(), cx.attempt());
        (&*self.0).write_all(line.as_bytes()).unwrap();
        process
    }
}

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

pub(crate) fn config(address: &str, folder: PathBuf) -> Config {
    let name = format!("diary-{}", std::process::id());
    let file = OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap();
    let config = Config::default().store(address).state(Diary(Arc::new(file))).pool(100);
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
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        // A server that is not there at the start is an error, after which a program is started again.
        let jobs = loop {
            if let Ok(jobs) = jobs::start(config(address, folder.clone())).await {
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
    registering.join_all().await;
}

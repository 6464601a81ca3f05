//! What the versions of the program have in common: where their jobs write, and how they submit.
//!
//! Jobs write what they begin and programs what was accepted of them, a line at a time, into files that
//! `tests/rolling.rs` reads when all is over.

use std::env;
use std::fs::{File, OpenOptions};
use std::future::Future;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jobs::{Config, JobContext, Jobs, RunHandle, SubmitError};
use tokio::task::JoinSet;

/// The database.
pub const ADDRESS: &str = "JOBS_TESTS_DEPLOY_ADDRESS";
/// Where the files go.
pub const FOLDER: &str = "JOBS_TESTS_DEPLOY_FOLDER";

/// A file of this process.
#[derive(Debug, Clone)]
pub struct Diary(Arc<File>);

impl Diary {
    fn open(name: &str) -> std::io::Result<Self> {
        let folder = PathBuf::from(env::var_os(FOLDER).unwrap_or_default());
        let path = folder.join(format!("{name}-{}", process::id()));
        Ok(Self(Arc::new(OpenOptions::new().create(true).append(true).open(path)?)))
    }

    /// Writes `JOB RUN ATTEMPT VERSION`, by the name that the job has in this version.
    ///
    /// # Panics
    ///
    /// Where the file cannot be written.
    pub fn begun(&self, cx: &JobContext, version: u32) {
        self.write(&format!("{} {} {} {version}", cx.job(), cx.id(), cx.attempt()));
    }

    fn write(&self, line: &str) {
        // In one piece: the process may be killed at any moment.
        (&*self.0).write_all(format!("{line}\n").as_bytes()).expect("the folder can be written");
    }
}

/// A submission under way.
pub type Submitting = Pin<Box<dyn Future<Output = Result<RunHandle, SubmitError>> + Send>>;

/// Runs a version of the program until it is told to end. `submit` makes submissions of a number, each with its name.
///
/// # Errors
///
/// Those of the start.
pub fn run(
    submit: fn(&Jobs, u64) -> Vec<(&'static str, Submitting)>,
) -> Result<(), Box<dyn std::error::Error>> {
    let enough = Arc::<AtomicBool>::default();
    std::thread::spawn({
        let enough = Arc::clone(&enough);
        move || {
            while std::io::stdin().read(&mut [0]).is_ok_and(|bytes| bytes > 0) {
                enough.store(true, Ordering::SeqCst);
            }
            // Who has started it is gone.
            process::exit(0);
        }
    });
    let (begun, accepted) = (Diary::open("begun")?, Diary::open("accepted")?);
    let config = Config::default().store(env::var(ADDRESS)?).state(begun).pool(20);
    // All of it is looked at afterwards.
    let config = config.retention_count(10_000_000);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let jobs = jobs::start(config).await?;
        let mut submitting = JoinSet::new();
        submitting.spawn(keep_submitting(jobs.clone(), accepted, submit, enough));
        jobs.run_until_signal().await;
        Ok(())
    })
}

/// Numbers are of one process each, and count up. Whoever has started it says when it is enough.
async fn keep_submitting(
    jobs: Jobs,
    accepted: Diary,
    submit: fn(&Jobs, u64) -> Vec<(&'static str, Submitting)>,
    enough: Arc<AtomicBool>,
) {
    for count in 0.. {
        if enough.load(Ordering::SeqCst) {
            return;
        }
        let number = u64::from(process::id()) * 1_000_000 + count;
        for (name, submitting) in submit(&jobs, number) {
            // What was refused, since the program ends, was not accepted.
            if let Ok(run) = submitting.await {
                accepted.write(&format!("{name} {} {number}", run.id()));
            }
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

//! An instance on some store, on virtual time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jobs::testing::{self, Starting, TestJobs};
use jobs::{Config, Outcome};

use crate::server::Server;
use crate::support::folder::Folder;
use crate::support::utc;

/// Where a case begins: a store that has nothing in it yet.
#[derive(Debug)]
pub(crate) struct Fixture {
    store: String,
    pub(crate) diary: Diary,
    /// Runs outlive the process.
    pub(crate) durable: bool,
    /// Where stores differ: what was delayed lines up when it is due, and on PostgreSQL where its submission stands, since the
    /// line there is the order of identities, which every process knows without a word from the others.
    pub(crate) lines_up_by_submission: bool,
    _folder: Option<Folder>,
}

impl Fixture {
    pub(crate) fn memory() -> Self {
        Self {
            store: "memory".to_owned(),
            diary: Diary::default(),
            durable: false,
            lines_up_by_submission: false,
            _folder: None,
        }
    }

    pub(crate) fn sqlite() -> Self {
        let folder = Folder::new();
        Self { store: folder.sqlite(), durable: true, _folder: Some(folder), ..Self::memory() }
    }

    /// A schema of the case's own, on a server that the cases share.
    pub(crate) fn postgres() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let schema = COUNT.fetch_add(1, Ordering::Relaxed);
        let store = format!("{}?schema=case_{schema}", Server::shared().address("postgres"));
        Self { store, durable: true, lines_up_by_submission: true, ..Self::memory() }
    }

    /// The config of a case.
    pub(crate) fn config(&self) -> Config {
        Config::default().store(&self.store).state(self.diary.clone())
    }

    /// An instance in which no start-up job runs.
    pub(crate) fn starting(&self, config: Config) -> Starting {
        testing::start(config).at(utc("2026-03-02 12:00:00")).quiet()
    }

    pub(crate) async fn start(&self) -> TestJobs {
        self.starting(self.config()).await
    }

    /// One in which a single run executes at a time.
    pub(crate) async fn start_one_at_a_time(&self) -> TestJobs {
        self.starting(self.config().pool(1)).await
    }
}

/// What jobs write down, with the seconds since the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Diary(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Diary {
    pub(crate) fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    /// What was written, taken out.
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// The outcome of a run that must have ended, without waiting for it.
pub(crate) async fn ended(run: &jobs::RunHandle) -> Outcome {
    let outcome = tokio::time::timeout(Duration::from_millis(1), run.wait()).await;
    outcome.unwrap_or_else(|_| panic!("run {} has not ended", run.id()))
}

pub(crate) async fn has_ended(run: &jobs::RunHandle) -> bool {
    tokio::time::timeout(Duration::from_millis(1), run.wait()).await.is_ok()
}

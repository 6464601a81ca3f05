//! The thread that writes.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;

use super::{Batch, Database, shown};
use crate::clock::Timestamp;
use crate::store::journal::Commits;
use crate::telemetry;

/// How long the writer waits after a failure, at first and at most.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The thread that writes what is marked, until it is closed.
#[derive(Debug)]
pub(crate) struct Writer {
    closing: Arc<Notify>,
    thread: JoinHandle<()>,
}

impl Writer {
    /// Starts the thread, which writes `first` to begin with. `take` gives everything that was marked since it was last
    /// called.
    pub(crate) fn start(
        database: Database,
        commits: Arc<Commits>,
        first: Batch,
        take: impl FnMut() -> Batch + Send + 'static,
        now: impl Fn() -> Timestamp + Send + 'static,
    ) -> std::io::Result<Self> {
        let closing = Arc::new(Notify::new());
        let closed = Arc::clone(&closing);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = std::thread::Builder::new().name("jobs-sqlite".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let mut writing = Writing { database, commits, take, now, batch: first };
                writing.until_closed(&closed).await;
                writing.end().await;
            });
        })?;
        Ok(Self { closing, thread })
    }

    /// Writes what is marked still, and lets the file go. It blocks the thread until then.
    pub(crate) fn close(self) {
        self.closing.notify_one();
        // A panic of the writer was told in the log by the hook for panics.
        let _ = self.thread.join();
    }
}

struct Writing<T, N> {
    database: Database,
    commits: Arc<Commits>,
    take: T,
    now: N,
    /// What could not be written yet.
    batch: Batch,
}

impl<T: FnMut() -> Batch, N: Fn() -> Timestamp> Writing<T, N> {
    async fn until_closed(&mut self, closing: &Notify) {
        let closed = closing.notified();
        let mut closed = std::pin::pin!(closed);
        let mut wait = BACKOFF.0;
        loop {
            let failed = self.commit().await.is_err();
            tokio::select! {
                biased;
                () = &mut closed => return,
                () = self.commits.called(), if !failed => wait = BACKOFF.0,
                () = tokio::time::sleep(wait), if failed => wait = (wait * 2).min(BACKOFF.1),
            }
        }
    }

    /// Writes everything that is marked by now.
    async fn commit(&mut self) -> Result<(), ()> {
        // In this order: what was marked before a request is in what is taken after.
        let request = self.commits.requested();
        let marked = (self.take)();
        self.batch.add(marked);
        if !self.batch.is_empty()
            && let Err(error) = self.database.write(&self.batch).await
        {
            let why = shown(&error);
            telemetry::not_written(self.database.path(), &why);
            self.commits.fail(why, (self.now)());
            return Err(());
        }
        self.batch = Batch::default();
        self.commits.tell(request);
        Ok(())
    }

    async fn end(mut self) {
        // As often as a hiccup may take.
        for _ in 0..3 {
            if self.commit().await.is_ok() {
                break;
            }
            tokio::time::sleep(BACKOFF.0).await;
        }
        self.commits.close();
        self.database.close().await;
    }
}

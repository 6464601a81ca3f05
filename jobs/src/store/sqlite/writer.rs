//! The thread that writes.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::Notify;

use super::outside::{LOOK, Outside, Written};
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
    /// called; `settle` is told of what is from `outside`, whether it is there.
    pub(crate) fn start(
        database: Database,
        commits: Arc<Commits>,
        first: Batch,
        take: impl FnMut() -> Batch + Send + 'static,
        now: impl Fn() -> Timestamp + Send + 'static,
        outside: Arc<Outside>,
        settle: impl FnMut(Written, bool) + Send + 'static,
    ) -> std::io::Result<Self> {
        let closing = Arc::new(Notify::new());
        let closed = Arc::clone(&closing);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        let thread = std::thread::Builder::new().name("jobs-sqlite".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let mut writing = Writing { database, commits, take, now, outside, settle, batch: first };
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

struct Writing<T, N, S> {
    database: Database,
    commits: Arc<Commits>,
    take: T,
    now: N,
    outside: Arc<Outside>,
    settle: S,
    /// What could not be written yet.
    batch: Batch,
}

impl<T: FnMut() -> Batch, N: Fn() -> Timestamp, S: FnMut(Written, bool)> Writing<T, N, S> {
    async fn until_closed(&mut self, closing: &Notify) {
        let closed = closing.notified();
        let mut closed = std::pin::pin!(closed);
        let (mut wait, mut looks) = (BACKOFF.0, false);
        let mut look = std::pin::pin!(tokio::time::sleep(LOOK));
        loop {
            let looks_now = std::mem::take(&mut looks) || self.outside.take_woken();
            let failed = self.commit(looks_now).await.is_err();
            // Else it goes on, however often there is a call meanwhile.
            if looks_now || self.outside.is_empty() {
                look.set(tokio::time::sleep(LOOK));
            }
            tokio::select! {
                biased;
                () = &mut closed => return,
                _ = self.commits.called(), if !failed => wait = BACKOFF.0,
                () = &mut look, if !failed && !self.outside.is_empty() => looks = true,
                () = tokio::time::sleep(wait), if failed => wait = (wait * 2).min(BACKOFF.1),
            }
        }
    }

    /// Writes everything that is marked by now; where that is nothing, it may look what has come from outside all the same.
    async fn commit(&mut self, looks: bool) -> Result<(), ()> {
        // In this order: what was marked before a request is in what is taken after.
        let request = self.commits.requested();
        let marked = (self.take)();
        self.batch.add(marked);
        let outside = self.outside.all();
        if !self.batch.is_empty() || looks && !outside.is_empty() {
            self.write(&outside).await?;
        }
        self.batch = Batch::default();
        self.commits.tell(request);
        Ok(())
    }

    async fn write(&mut self, outside: &[Written]) -> Result<(), ()> {
        let there = self.database.write(&self.batch, outside).await;
        let there = match there {
            Ok(there) => there,
            // A transaction of the program's goes on.
            Err(error) if self.batch.is_empty() && is_busy(&error) => return Ok(()),
            Err(error) => {
                let why = shown(&error);
                telemetry::not_written(self.database.path(), &why);
                self.commits.fail(why, (self.now)());
                return Err(());
            }
        };
        // Before they are not waited for any more.
        outside.iter().for_each(|written| (self.settle)(*written, there.contains(&written.ticket)));
        self.outside.settle(outside);
        Ok(())
    }

    async fn end(mut self) {
        // As often as a hiccup may take.
        for _ in 0..3 {
            if self.commit(false).await.is_ok() {
                break;
            }
            tokio::time::sleep(BACKOFF.0).await;
        }
        self.commits.close();
        self.database.close().await;
    }
}

/// Whether another transaction holds the file.
fn is_busy(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    // SQLITE_BUSY, and its extended codes.
    code.and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
}

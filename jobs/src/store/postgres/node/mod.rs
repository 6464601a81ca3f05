//! A process of the cluster: what it asks of the server, on a thread of its own, so that heartbeats and ends go on also
//! while the program keeps its own runtime busy.
//!
//! ```text
//!            submit ──► submitter ──┐                        ┌──► Host::take
//!                                   ├──► the server ──► feeder
//!      end, return ──► finisher ────┘         ▲              └──► Host::cancel
//!                                             │
//!                          pulse: heartbeat, rescue, housekeeping
//! ```
//!
//! Each part asks one thing at a time, and what comes in while it waits for the answer goes together with the next question:
//! that is the group commit. What fails in passing is asked again, after pauses that grow; every question may be asked twice.

mod claims;
mod feeder;
mod finisher;
mod listener;
mod pulse;
mod questions;
mod submitter;
mod time;
mod waiting;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use sqlx::postgres::PgPoolOptions;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::address::Address;
use super::claim::{Claimed, Limited};
use super::db::Db;
use super::end::{End, Ended, Fence};
use super::id::Id;
use super::migrations::{MigrationError, migrate};
use super::schedules::Registration;
use super::submit::{NewRun, Submitted};
use super::trouble::{Pause, Trouble, ask};
use crate::clock::{Clock, Timestamp};
use claims::Claims;
use finisher::Finish;
use questions::Question;
use submitter::Submission;
use time::ServerTime;
use waiting::Waiting;

/// What a node is asked by, and tells: the pool of the program.
pub(crate) trait Host: Send + Sync + 'static {
    /// How many runs it has places for at this moment, and the queues that are full.
    fn room(&self) -> Room;
    /// Runs that are its to try, in the order in which they are to start.
    fn take(&self, runs: Vec<Claimed>);
    /// Somebody wants these ended.
    fn cancel(&self, runs: Vec<Id>);
    /// Its claims are not its own any more: the node was taken for lost. What it ends from now on does not count.
    fn lost_claims(&self);
}

/// What a host has places for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room {
    pub(crate) count: usize,
    pub(crate) full_queues: Vec<String>,
}

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: Id,
    /// The host and the process, for people.
    pub(crate) name: String,
    /// Jobs that it knows and that have no limits of their own.
    pub(crate) jobs: Vec<String>,
    pub(crate) limited: Vec<Limited>,
    pub(crate) schedules: Vec<Registration>,
    /// How long runs that have ended are kept, and how many of each job.
    pub(crate) retention: (Duration, usize),
}

/// For claims, ends, submissions of three kinds, news, and listening.
const CONNECTIONS: u32 = 7;

/// How things stand with the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Well,
    /// What it said last.
    Troubled(String),
}

/// A node of the cluster. It leaves when it is dropped, or at [`leave`](Self::leave).
pub(crate) struct Node {
    shared: Arc<Shared>,
    submissions: mpsc::UnboundedSender<Submission>,
    finishes: mpsc::UnboundedSender<Finish>,
    questions: mpsc::UnboundedSender<Question>,
    ended: watch::Receiver<bool>,
}

/// What the parts of a node share.
struct Shared {
    db: Db,
    /// Connections for the pulse alone, so that a full pool never makes a living node look dead.
    vital: Db,
    identity: Identity,
    host: Arc<dyn Host>,
    claims: Claims,
    waiting: Waiting,
    clock: Arc<Clock>,
    time: ServerTime,
    /// There may be something to claim.
    wake: Notify,
    /// There is something new to claim, perhaps before where the feeder is.
    arrived: AtomicBool,
    /// Something was submitted that other nodes are to be told.
    news: Notify,
    standing: watch::Sender<Standing>,
    closing: AtomicBool,
}

/// A node could not join the cluster.
#[derive(Debug)]
pub(crate) enum JoinError {
    Trouble(Trouble),
    /// A newer version has changed the schema, and only those that know this much get on with it.
    TooOld {
        needed: i32,
    },
    Thread(std::io::Error),
}

impl fmt::Display for JoinError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trouble(trouble) => f.write_str(trouble.message()),
            Self::TooOld { needed } => write!(
                f,
                "a newer version of the program has brought the schema to a state that only nodes work with that \
                 know version {needed} of it"
            ),
            Self::Thread(error) => write!(f, "its thread could not be started: {error}"),
        }
    }
}

impl Node {
    /// Joins the cluster: migrates where it is needed, says that it is there, and begins to claim.
    pub(crate) async fn join(
        address: Address,
        identity: Identity,
        clock: Arc<Clock>,
        host: Arc<dyn Host>,
    ) -> Result<Self, JoinError> {
        let (submissions, submitted) = mpsc::unbounded_channel();
        let (finishes, finished) = mpsc::unbounded_channel();
        let (questions, asked) = mpsc::unbounded_channel();
        let (joined, answer) = oneshot::channel();
        let (has_ended, ended) = watch::channel(false);
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(joined.send(Err(JoinError::Thread(error)))),
            };
            runtime.block_on(async move {
                match Shared::join(address, identity, clock, host).await {
                    Ok(shared) => {
                        let shared = Arc::new(shared);
                        if joined.send(Ok(Arc::clone(&shared))).is_ok() {
                            shared.run(submitted, finished, asked).await;
                        }
                        // Who cannot be told finds out.
                        let _ = ask(shared.vital.leave(shared.identity.id)).await;
                    }
                    Err(error) => drop(joined.send(Err(error))),
                }
            });
            has_ended.send_replace(true);
        };
        thread::Builder::new().name("jobs-postgres".to_owned()).spawn(work).map_err(JoinError::Thread)?;
        let gone = || JoinError::Trouble(Trouble::Passing("the thread of the store has ended".to_owned()));
        let shared = answer.await.map_err(|_| gone())??;
        Ok(Self { shared, submissions, finishes, questions, ended })
    }

    /// Submits a run, and returns when it is committed. A server that cannot be reached is waited for.
    ///
    /// # Cancel safety
    ///
    /// What is dropped may have been submitted, or may yet be.
    pub(crate) async fn submit(&self, run: NewRun) -> Result<Submitted, Trouble> {
        let (told, answer) = oneshot::channel();
        let gone = || Trouble::Lasting("the store is closed".to_owned());
        self.submissions.send(Submission { run, told }).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Waits for the end of a run, whoever executes it.
    pub(crate) async fn ended(&self, run: Id) -> Result<Ended, Trouble> {
        let answer = self.shared.waiting.add(run).await;
        answer.map_err(|_| Trouble::Lasting("the store is closed".to_owned()))
    }

    /// An attempt has ended. It is written with others, and as often as it takes.
    pub(crate) fn end(&self, end: End) {
        // After the node has left, what was not written is rescued by others.
        let _ = self.finishes.send(Finish::End(Box::new(end)));
    }

    /// Gives back a run that was claimed, with whether its attempt had begun.
    pub(crate) fn give_back(&self, fence: Fence, begun: bool) {
        let _ = self.finishes.send(Finish::Return(fence, begun));
    }

    /// The host has more room.
    pub(crate) fn wake(&self) {
        self.shared.wake.notify_one();
    }

    /// How things stand with the server.
    pub(crate) fn standing(&self) -> Standing {
        self.shared.standing.borrow().clone()
    }

    /// The server's time, by this machine's monotonic clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.shared.time.at(self.shared.clock.now())
    }

    /// Returns when things stand with the server as wanted.
    #[cfg(test)]
    pub(crate) async fn until(&self, wanted: impl FnMut(&Standing) -> bool) {
        // The sender is as old as the node.
        let _ = self.shared.standing.subscribe().wait_for(wanted).await;
    }

    /// Writes what has ended, and leaves the cluster.
    pub(crate) async fn leave(mut self) {
        self.close();
        // An error is the end too.
        let _ = self.ended.wait_for(|ended| *ended).await;
    }

    fn close(&self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.wake.notify_one();
        let _ = self.finishes.send(Finish::Close);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    async fn join(
        address: Address,
        identity: Identity,
        clock: Arc<Clock>,
        host: Arc<dyn Host>,
    ) -> Result<Self, JoinError> {
        let pool = |connections| {
            PgPoolOptions::new().max_connections(connections).acquire_timeout(Duration::from_secs(5))
        };
        let trouble = |error: sqlx::Error| JoinError::Trouble(error.into());
        let (main, options) = match pool(CONNECTIONS).connect_with(address.planned()).await {
            Ok(main) => (main, address.planned()),
            // Poolers let no settings through that they do not know.
            Err(error) if error.to_string().contains("startup parameter") => (
                pool(CONNECTIONS).connect_with(address.options.clone()).await.map_err(trouble)?,
                address.options,
            ),
            Err(error) => return Err(trouble(error)),
        };
        let schema = address.schema;
        let vital = pool(1).connect_lazy_with(options);
        migrate(&main, &schema).await.map_err(|error| match error {
            MigrationError::Database(error) => trouble(error),
            MigrationError::TooOld { needed } => JoinError::TooOld { needed },
        })?;
        let shared = Self {
            db: Db::new(main, schema.clone()),
            vital: Db::new(vital, schema),
            identity,
            host,
            claims: Claims::default(),
            waiting: Waiting::default(),
            time: ServerTime::new(clock.now()),
            clock,
            wake: Notify::new(),
            arrived: AtomicBool::new(true),
            news: Notify::new(),
            standing: watch::Sender::new(Standing::Well),
            closing: AtomicBool::new(false),
        };
        shared.enter().await.map_err(JoinError::Trouble)?;
        Ok(shared)
    }

    /// Says who it is, the first time and after it was taken for lost.
    pub(super) async fn enter(&self) -> Result<(), Trouble> {
        let Identity { id, name, jobs, limited, schedules, .. } = &self.identity;
        let names: Vec<String> =
            jobs.iter().cloned().chain(limited.iter().map(|limited| limited.job.clone())).collect();
        ask(self.vital.join(*id, name)).await?;
        ask(self.vital.know_jobs(&names)).await?;
        ask(self.vital.register(*id, schedules)).await
    }

    async fn run(
        &self,
        submitted: mpsc::UnboundedReceiver<Submission>,
        finished: mpsc::UnboundedReceiver<Finish>,
        asked: mpsc::UnboundedReceiver<Question>,
    ) {
        // Ends are written when nothing is claimed any more.
        let others = async {
            tokio::join!(
                self.feed(),
                self.pulse(),
                self.listen(),
                self.tell_news(),
                self.watch_ends(),
                self.take_submissions(submitted),
                self.take_questions(asked),
                std::future::pending::<()>(),
            );
        };
        tokio::select! {
            biased;
            () = self.finish(finished) => {}
            () = others => {}
        }
    }

    /// There is something new to claim.
    pub(super) fn has_arrived(&self) {
        self.arrived.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Keeps what the server said, for whoever asks how things stand.
    pub(super) fn stands<T>(&self, answer: &Result<T, Trouble>) {
        let standing = match answer {
            Ok(_) => Standing::Well,
            Err(trouble) => Standing::Troubled(trouble.message().to_owned()),
        };
        self.standing.send_if_modified(|before| {
            let changed = *before != standing;
            if changed && let Standing::Troubled(message) = &standing {
                tracing::warn!(target: "jobs::store", error = %message, "the store on PostgreSQL has trouble");
            }
            *before = standing;
            changed
        });
    }

    /// Waits for the next try.
    pub(super) async fn rest(&self, pause: &mut Pause) {
        tokio::time::sleep(pause.next()).await;
    }
}

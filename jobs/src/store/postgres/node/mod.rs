//! A process of the cluster: what it asks of the server, on a thread of its own, so that heartbeats and ends go on also
//! while the program keeps its own runtime busy.
//!
//! ```text
//!            submit ──► submitter ──┐                        ┌──► Host::take
//!                                   ├──► the server ──► feeder
//!      end, return ──► finisher ────┘         ▲              └──► Host::cancel
//!                                             │
//!                          pulse, housekeeping: the heartbeat, rescue, what is forgotten
//! ```
//!
//! Each part asks one thing at a time, and what comes in while it waits for the answer goes together with the next question:
//! that is the group commit. What fails in passing is asked again, after pauses that grow; every question may be asked twice.

mod ahead;
mod claims;
mod feeder;
mod finisher;
mod host;
mod housekeeping;
mod joining;
mod listener;
mod looking;
mod pace;
mod pulse;
mod questions;
mod schedules;
mod standing;
mod submitter;
#[cfg(feature = "testing")]
mod virtual_time;
mod waiting;

pub(crate) use host::{ClusterView, Host, Room};
pub(crate) use joining::JoinError;
pub(crate) use schedules::Registered;
pub(crate) use standing::Standing;

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex, OnceLock, PoisonError};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use tokio::sync::{Mutex, Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use super::address::Address;
use super::db::Db;
use super::end::{End, Ended, Fence, Finished, GivenBack};
use super::home::Home;
use super::id::Id;
use super::steer::Cancelled;
use super::submit::{NewRun, Submitted};
use super::succession::Succeeded;
use super::trouble::{Pause, Trouble, ask};
use crate::clock::{Call, Clock, Hold, Told};
use crate::telemetry::{self, ClusterNews, panics};
use claims::Claims;
use finisher::Finish;
use pace::Beats;
use questions::Question;
use standing::{Part, Standings};
use submitter::Submission;
use waiting::Waiting;

/// What a node is.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) id: Id,
    /// The host and the process, for people.
    pub(crate) name: String,
    /// The names that the jobs have had, each with the one that the job has now.
    pub(crate) names: Vec<(String, String)>,
    /// The names of those whose schedules fire here.
    pub(crate) fires: Vec<String>,
}

/// A node of the cluster. It leaves when it is dropped, or at [`leave`](Self::leave).
pub(crate) struct Node {
    shared: Arc<Shared>,
    submissions: mpsc::UnboundedSender<Submission>,
    finishes: mpsc::UnboundedSender<(Finish, Hold)>,
    questions: mpsc::UnboundedSender<Question>,
    ended: watch::Receiver<Option<usize>>,
}

/// What the parts of a node share.
struct Shared {
    db: Db,
    /// Connections for the pulse and what goes with it, so that a full pool never makes a living node look dead.
    vital: Db,
    identity: Identity,
    home: Home,
    host: Arc<dyn Host>,
    claims: Claims,
    waiting: Waiting,
    /// How many attempts have ended.
    ended: AtomicU64,
    /// How many ends and returns are not written yet, but for those that a transaction of their job's has locked, and whether
    /// nothing is claimed for that.
    unwritten: AtomicUsize,
    is_behind: AtomicBool,
    /// It goes by the server's time.
    clock: Arc<Clock>,
    /// Which nodes there are, said with every heartbeat.
    nodes: watch::Sender<Vec<Id>>,
    /// The server may not know of all schedules of the host's.
    unregistered: AtomicBool,
    /// The schedules that the program has declared, once it has.
    declared: OnceLock<Vec<(String, String)>>,
    /// When it joined, by the server's clock.
    started: OnceLock<DateTime<Utc>>,
    /// There may be runs whose predecessors have ended and that do not know it.
    undone: AtomicBool,
    /// A node may be lost.
    late: AtomicBool,
    /// There may be something to claim.
    wake: Call,
    /// The heart is to beat before its time.
    beat: Call,
    /// It has beaten, and it is to be looked after what others have left.
    house: Call,
    /// There is something new to claim, perhaps before where the feeder is.
    arrived: AtomicBool,
    /// There is more to claim than this node has room for, or than limits let start.
    backlog: AtomicBool,
    /// Something was submitted that other nodes are to be told.
    news: Notify,
    /// How soon the server answers.
    beats: Beats,
    /// As far as it knows there is no other node.
    alone: AtomicBool,
    /// Queues that it claims nothing from, as far as it knows.
    paused: StdMutex<Vec<String>>,
    standings: Standings,
    /// Whose turn it is to submit many at once.
    turn: Mutex<()>,
    closing: AtomicBool,
}

/// How often a node that stays for what cannot be stopped looks whether it has ended.
const STAYING: Duration = Duration::from_millis(250);

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
        let (has_ended, ended) = watch::channel(None);
        let hold = clock.hold();
        let work = move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let runtime = match runtime {
                Ok(runtime) => runtime,
                Err(error) => return drop(joined.send(Err(JoinError::Thread(error)))),
            };
            let left = runtime.block_on(async move {
                let mut left = 0;
                match Shared::join(address, identity, clock, host).await {
                    Ok(shared) => {
                        let shared = Arc::new(shared);
                        #[cfg(feature = "testing")]
                        virtual_time::enter(&shared);
                        if joined.send(Ok(Arc::clone(&shared))).is_ok() {
                            hold.let_go();
                            shared.run(submitted, finished, asked).await;
                        }
                        // What the host has taken and not ended may still execute. Who cannot be told finds out.
                        let begun = shared.claims.known();
                        if let Ok(ended) = ask(shared.vital.leave(shared.identity.id, &begun)).await {
                            shared.follow(ended).await;
                        }
                        left = ask(shared.vital.left())
                            .await
                            .ok()
                            .and_then(|left| left.try_into().ok())
                            .unwrap_or(0);
                        #[cfg(feature = "testing")]
                        virtual_time::leave(&shared);
                        for call in [&shared.wake, &shared.beat, &shared.house, &shared.waiting.changed] {
                            call.close();
                        }
                    }
                    Err(error) => drop(joined.send(Err(error))),
                }
                left
            });
            has_ended.send_replace(Some(left));
        };
        thread::Builder::new().name("jobs-postgres".to_owned()).spawn(work).map_err(JoinError::Thread)?;
        let gone = || JoinError::Trouble(Trouble::Passing("the thread of the store has ended".to_owned()));
        let shared = answer.await.map_err(|_| gone())??;
        Ok(Self { shared, submissions, finishes, questions, ended })
    }

    /// Submits a run, and answers when it is committed; with nothing when the node has left before it knew. A server that cannot
    /// be reached is waited for.
    ///
    /// # Cancel safety
    ///
    /// The run is on its way when this returns: when the answer is dropped, it may have been submitted, or may yet be.
    pub(crate) fn submit(&self, run: NewRun) -> oneshot::Receiver<Result<Submitted, Trouble>> {
        let (told, answer) = oneshot::channel();
        let told = Told::new(told, &self.shared.clock);
        if let Err(unsent) = self.submissions.send(Submission { run, told }) {
            unsent.0.told.tell(Err(Trouble::Closed));
        }
        answer
    }

    /// Submits all of these or none. [`submit`](Self::submit) otherwise.
    pub(crate) fn submit_all(&self, runs: Vec<NewRun>) -> oneshot::Receiver<Result<Vec<Submitted>, Trouble>> {
        let (told, answer) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        let told = Told::new(told, &shared.clock);
        self.spawn(async move { told.tell(shared.commit_all(&runs).await) });
        answer
    }

    /// The statements, for a connection of somebody else's.
    pub(crate) fn db(&self) -> &Db {
        &self.shared.db
    }

    /// Whether a connection of somebody else's is one to the database of the cluster. One that has not the tables fails.
    pub(crate) async fn is_home(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        self.shared.db.is_home(&self.shared.home, connection).await
    }

    /// Waits for the end of a run, whoever executes it.
    pub(crate) async fn ended(&self, run: Id) -> Result<Ended, Trouble> {
        let answer = self.shared.waiting.add(run, &self.shared.clock).await;
        answer.map_err(|_| Trouble::Closed)
    }

    /// A transaction of its job's is about to end a run: until that is over, the end of the attempt waits for it, and holds up
    /// no other.
    pub(crate) fn completes(&self, fence: Fence) {
        self.shared.claims.complete(fence);
    }

    /// Where what becomes of claims is said.
    pub(crate) fn ends(&self) -> Ends {
        Ends { finishes: self.finishes.clone(), shared: Arc::clone(&self.shared) }
    }

    /// Does something on the thread of the node, until it leaves.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let _ = self.questions.send(Box::new(|_| Box::pin(work)));
    }

    /// The host has more room, or there is something new to claim.
    pub(crate) fn wake(&self) {
        self.shared.has_arrived();
    }

    /// Something new was made that others may claim as well.
    pub(crate) fn tell(&self) {
        self.shared.tell_all();
    }

    /// Lets a test's time stand still.
    pub(crate) fn hold(&self) -> Hold {
        self.shared.clock.hold()
    }

    /// What the host executes, with which limits, or how long it keeps what has ended is another now.
    pub(crate) async fn changed(&self) -> Result<(), Trouble> {
        let _hold = self.hold();
        let shared = Arc::clone(&self.shared);
        let (told, answer) = oneshot::channel();
        let told = Told::new(told, &shared.clock);
        self.spawn(async move {
            let known = ask(shared.vital.know_jobs(&shared.known_jobs())).await;
            shared.has_arrived();
            told.tell(known);
            shared.forget_first().await;
        });
        answer.await.map_err(|_| Trouble::Closed)?
    }

    /// Which node it is.
    pub(crate) fn id(&self) -> Id {
        self.shared.identity.id
    }

    /// How things stand with the server.
    pub(crate) fn standing(&self) -> Standing {
        self.shared.standings.whole.borrow().clone()
    }

    /// Why the server does not answer, as the heartbeat heard last. Another part may have trouble of its own, such as a right that it
    /// lacks.
    pub(crate) fn silence(&self) -> Option<String> {
        self.shared.standings.of(standing::Part::Pulse)
    }

    /// Returns when things stand with the server as wanted.
    #[cfg(test)]
    pub(crate) async fn until(&self, wanted: impl FnMut(&Standing) -> bool) {
        // The sender is as old as the node.
        let _ = self.shared.standings.whole.subscribe().wait_for(wanted).await;
    }

    /// Whether nothing is claimed until ends are written.
    #[cfg(test)]
    pub(crate) fn is_behind(&self) -> bool {
        self.shared.is_behind.load(Ordering::SeqCst)
    }

    /// Writes what has ended, gives back what the host has not taken, and leaves the cluster. Answers how many runs wait, where
    /// nobody is left who could execute them.
    pub(crate) async fn leave(&self) -> usize {
        let _hold = self.hold();
        self.close();
        // An error is the end too.
        self.ended.clone().wait_for(Option::is_some).await.ok().and_then(|left| *left).unwrap_or(0)
    }

    /// The program has shut down, and runs that cannot be stopped go on. The node stays until they have ended, also when nobody has
    /// it any more; that the end of the process cuts them off does not count against them.
    pub(crate) async fn stay(self: &Arc<Self>) {
        let node = Arc::clone(self);
        self.spawn(async move {
            while !node.shared.claims.known().is_empty() {
                tokio::time::sleep(STAYING).await;
            }
        });
        let node = self.shared.identity.id;
        // Where the server does not answer it counts as any other loss.
        let _ = self.ask(move |db| async move { db.close(node).await }).await;
    }

    /// Cancels a run. Where that has ended the run of a slot, the next one may start, whether the caller waits for it or not.
    pub(crate) async fn cancel(&self, run: Id) -> Result<Cancelled, Trouble> {
        let (told, answer) = oneshot::channel();
        let (shared, told) = (Arc::clone(&self.shared), Told::new(told, &self.shared.clock));
        self.spawn(async move {
            let answer = ask(shared.db.cancel(run)).await;
            if let Ok(Cancelled::Ended { slot_of: Some(job) }) = &answer {
                shared.follow(vec![job.clone()]).await;
            }
            shared.stir();
            told.tell(answer);
        });
        answer.await.unwrap_or_else(|_| Err(questions::left()))
    }

    fn close(&self) {
        self.shared.closing.store(true, Ordering::SeqCst);
        self.shared.wake.call(Some(&self.shared.clock));
        let _ = self.finishes.send((Finish::Close, self.hold()));
    }
}

/// Where what becomes of claims is said.
pub(crate) struct Ends {
    finishes: mpsc::UnboundedSender<(Finish, Hold)>,
    shared: Arc<Shared>,
}

impl Ends {
    /// An attempt has ended. It is written with others, and as often as it takes.
    pub(crate) fn end(&self, end: End) {
        self.shared.ended.fetch_add(1, Ordering::Relaxed);
        self.send(Finished::End(Box::new(end)));
    }

    /// Gives back a run that was claimed.
    pub(crate) fn give_back(&self, fence: Fence) {
        self.send(Finished::Return(fence));
    }

    fn send(&self, finished: Finished) {
        let finish = Finish::Claim(finished, Unwritten::new(&self.shared));
        // After the node has left, what was not written is rescued by others.
        let _ = self.finishes.send((finish, self.shared.clock.hold()));
    }

    /// The host has more room.
    pub(crate) fn wake(&self) {
        if self.shared.backlog.load(Ordering::SeqCst) {
            self.shared.wake.call(Some(&self.shared.clock));
        }
    }
}

/// What has become of a claim and is not written yet: it counts against what is claimed.
struct Unwritten(Arc<Shared>);

impl Unwritten {
    fn new(shared: &Arc<Shared>) -> Self {
        shared.unwritten.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(shared))
    }
}

impl Drop for Unwritten {
    fn drop(&mut self) {
        self.0.unwritten.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    /// All jobs of the host's.
    pub(super) fn known_jobs(&self) -> Vec<String> {
        let (jobs, limited) = (self.host.jobs(), self.host.limited());
        let limited = limited.iter().map(|limited| limited.job.clone());
        jobs.iter().cloned().chain(limited).collect()
    }

    /// Does all parts, until the node leaves. After a panic, which is a fault of ours, it begins anew.
    async fn run(
        &self,
        mut submitted: mpsc::UnboundedReceiver<Submission>,
        mut finished: mpsc::UnboundedReceiver<(Finish, Hold)>,
        mut asked: mpsc::UnboundedReceiver<Question>,
    ) {
        let (mut pause, mut tasks) = (Pause::new(self.identity.id.0), JoinSet::new());
        while let Err(panic) =
            caught(self.do_parts(&mut submitted, &mut finished, &mut asked, &mut tasks)).await
        {
            telemetry::cluster(ClusterNews::Panicked(&panic));
            let trouble = Err::<(), _>(Trouble::Passing(format!("its task has panicked: {panic}")));
            self.stands(Part::Claims, &trouble);
            if self.is_closing() {
                return;
            }
            // An end may have been in its hands, so the server is asked what is this node's; what executes is not any more.
            self.claims.clear();
            let _ = panics::catch(|| self.host.lost_claims());
            self.wake.call(Some(&self.clock));
            self.beat.call(Some(&self.clock));
            self.rest(&mut pause).await;
        }
    }

    async fn do_parts(
        &self,
        submitted: &mut mpsc::UnboundedReceiver<Submission>,
        finished: &mut mpsc::UnboundedReceiver<(Finish, Hold)>,
        asked: &mut mpsc::UnboundedReceiver<Question>,
        tasks: &mut JoinSet<()>,
    ) {
        // A claim on its way is answered before the node leaves, so that it can be given back.
        let claims = async { tokio::join!(self.finish(finished), self.feed()) };
        let others = async {
            tokio::join!(
                self.pulse(),
                self.keep_house(),
                self.forget(),
                self.listen(),
                self.tell_news(),
                self.watch_ends(),
                self.take_submissions(submitted),
                self.take_questions(asked, tasks),
                std::future::pending::<()>(),
            );
        };
        tokio::select! {
            biased;
            _ = claims => {}
            () = others => {}
        }
    }

    /// There is something new to claim.
    pub(super) fn has_arrived(&self) {
        self.arrived.store(true, Ordering::SeqCst);
        self.wake.call(Some(&self.clock));
    }

    /// Something was made or changed that concerns other nodes.
    pub(super) fn tell_others(&self) {
        if self.clock.is_virtual() {
            self.stir();
        } else {
            self.news.notify_one();
        }
    }

    /// On a test's clock nobody polls, since a week of it would be a million polls: after whatever may have changed something,
    /// all nodes of the test look.
    pub(super) fn stir(&self) {
        #[cfg(feature = "testing")]
        if self.clock.is_virtual() {
            virtual_time::stir(self);
        }
    }

    /// What has ended was told to who waited for it.
    pub(super) fn has_succeeded(&self, succeeded: Succeeded) {
        if succeeded.is_held {
            self.leave_undone();
        }
        if succeeded.started > 0 {
            self.has_arrived();
        }
    }

    /// Of so many runs these went back, for others to claim.
    pub(super) async fn have_gone_back(&self, back: GivenBack, of: usize) {
        if back.count < of {
            // They may have gone the first time that it was asked, and the answer was lost.
            self.leave_undone();
        }
        self.follow(back.ended).await;
        self.tell_others();
    }

    /// Lets start what waited for ends of these jobs' runs.
    pub(super) async fn follow(&self, mut jobs: Vec<String>) {
        if jobs.is_empty() {
            return;
        }
        jobs.sort();
        jobs.dedup();
        match ask(self.db.succeed(&jobs)).await {
            Ok(succeeded) => self.has_succeeded(succeeded),
            Err(_) => self.leave_undone(),
        }
    }

    /// What follows from ends is done with the housekeeping.
    pub(super) fn leave_undone(&self) {
        self.undone.store(true, Ordering::SeqCst);
        if self.clock.is_virtual() {
            // There is no next heartbeat to speak of.
            self.house.call(Some(&self.clock));
        }
    }

    /// Runs were submitted, which others may claim as well.
    pub(super) fn were_submitted(&self, runs: &[NewRun]) {
        let is_paused = {
            let paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
            !paused.is_empty() && runs.iter().all(|run| paused.contains(&run.queue) && run.due.is_none())
        };
        // Whoever lets a queue go on tells all.
        if !is_paused {
            self.tell_all();
        }
    }

    /// The same, also to the other nodes.
    pub(super) fn tell_all(&self) {
        self.has_arrived();
        self.tell_others();
    }

    pub(super) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::SeqCst)
    }

    /// Keeps what the server said to a part, for whoever asks how things stand.
    pub(super) fn stands<T>(&self, part: Part, answer: &Result<T, Trouble>) {
        let is_well_again = self.standings.hear(part, answer, || self.clock.now().wall);
        if is_well_again {
            // What was asked for in vain meanwhile is there now.
            self.stir();
        }
    }

    /// Waits for the next try. The server's troubles do not pass by a test's time, which goes on meanwhile.
    pub(super) async fn rest(&self, pause: &mut Pause) {
        let _excuse = self.clock.excuse();
        tokio::time::sleep(pause.next()).await;
    }
}

/// A future whose panic is its answer.
async fn caught<T>(future: impl Future<Output = T>) -> Result<T, String> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match panics::catch(|| future.as_mut().poll(cx)) {
        Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
        Ok(Poll::Pending) => Poll::Pending,
        Err(panic) => Poll::Ready(Err(panic.message.clone())),
    })
    .await
}

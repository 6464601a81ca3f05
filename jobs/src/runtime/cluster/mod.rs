//! One process among several that share a store on PostgreSQL.
//!
//! The server decides which process tries which run, and this one executes what it has claimed in a pool like any other:
//!
//! ```text
//!  submit ─────────▶ the node ◀──── slots that have come
//!                    │      ▲
//!              take  ▼      │ ends, retries, what is given back
//!                   Host ─▶ pool ─▶ Recorder
//! ```
//!
//! Closures and start-up jobs belong to their process: they are submitted to its pool as on memory, and the server knows
//! nothing of them.

mod census;
mod complete;
mod host;
mod look;
mod outcome;
mod recorder;
mod submit;
#[cfg(feature = "testing")]
mod trial;
mod view;
#[cfg(any(feature = "testing", feature = "web"))]
#[cfg_attr(not(feature = "web"), allow(dead_code, reason = "pages show more than tests ask for"))]
pub(super) mod whole;

use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};

use super::Jobs;
use super::error::{StartError, SubmitError};
use super::known::Known;
use crate::config::{Settings, Store};
use crate::error::{Place, Problem};
use crate::registry::Registered;
use crate::scheduler::shared::Sharing;
use crate::store::journal::{Commits, Journal};
use crate::store::memory::{JobIx, Memory};
use crate::store::postgres::{Address, AddressError, Id, Identity, JoinError, Node, PARAMETERS, Standing};
use crate::telemetry::{self, panics};
use census::{LastCensus, LastRuns};
use host::Host;
use recorder::Recorder;
pub(super) use submit::Answer;
pub use view::postgres_schema;

/// What a process has that is one of a cluster.
pub(super) struct Cluster {
    /// None when it has left.
    node: Mutex<Option<Arc<Node>>>,
    recorder: Arc<Recorder>,
    known: Arc<Known>,
    /// However many people look, there are connections left for the work.
    readers: Arc<tokio::sync::Semaphore>,
    #[cfg_attr(not(feature = "web"), allow(dead_code, reason = "only pages are looked at by many at once"))]
    last_census: LastCensus,
    #[cfg_attr(not(feature = "web"), allow(dead_code, reason = "only the status page shows them"))]
    last_runs: Mutex<LastRuns>,
}

/// Reads the address of the config, where that is one of PostgreSQL.
pub(super) fn address(settings: &Settings, problems: &mut Vec<Problem>) -> Option<Address> {
    let Store::Postgres(address) = &settings.store.value else { return None };
    let wrong =
        |message: String, help: String| Problem::new(message).at(settings.store.place.clone()).help(help);
    match Address::parse(address.as_str()) {
        Ok(address) => Some(address),
        Err(AddressError::Schema(name)) => {
            problems.push(wrong(
                format!("`jobs.store` names the schema `{}`, which cannot be one", name.escape_debug()),
                "a schema has 1 to 58 of a-z, 0-9 and `_`, does not begin with a digit, nor with `pg_`"
                    .to_owned(),
            ));
            None
        }
        Err(AddressError::Parameter { name, nearest }) => {
            let name =
                name.map_or_else(|| "a parameter".to_owned(), |name| format!("the parameter `{name}`"));
            let near = nearest.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let known = PARAMETERS.map(|name| format!("`{name}`")).join(", ");
            problems.push(wrong(
                format!("`jobs.store` has {name} that an address of PostgreSQL does not have here"),
                format!("{near}there are {known} and `options[NAME]`; a `?` or `&` in a password is written `%3F` or `%26`"),
            ));
            None
        }
        Err(AddressError::Driver(why)) => {
            problems.push(wrong(
                format!("`jobs.store` has an address of PostgreSQL that cannot be used: {why}"),
                "write `postgres://user:password@host:5432/database?sslmode=require&schema=jobs`; what has a special \
                 meaning in an address is written in its place: `%40` for `@` in a password"
                    .to_owned(),
            ));
            None
        }
    }
}

/// The journal of a pool that is to be part of a cluster. To be given to it before it knows jobs.
pub(super) fn journal() -> (Arc<Commits>, Journal) {
    let commits = Arc::<Commits>::default();
    (Arc::clone(&commits), Journal::shared(commits))
}

impl Jobs {
    /// Becomes one of the cluster.
    pub(super) async fn join(
        &self,
        address: Address,
        commits: Arc<Commits>,
        registered: &[(JobIx, Registered)],
    ) -> Result<(), StartError> {
        let inner = &self.inner;
        let known = Arc::new(Known::new(self, registered));
        let host = Arc::new(Host::new(self, Arc::clone(&known)));
        let (names, fires) = inner.pool.read(|memory| {
            let info = |job: JobIx| &memory.job(job).info;
            let names = known.iter().map(|(name, job)| (name.to_owned(), info(job.ix).name.to_string()));
            let fires = known.iter().filter(|(_, job)| info(job.ix).enabled).map(|(name, _)| name.to_owned());
            (names.collect(), fires.collect())
        });
        let (id, name) = (Id::from(inner.pool.own_id()), name_of_process());
        let identity = Identity { id, name, names, fires };
        let clock = Arc::clone(&inner.clock);
        commits.hold(&clock);
        let joining = Node::join(address, identity, clock, Arc::clone(&host) as Arc<_>);
        let node = joining.await.map_err(|error| refused(&error, &inner.settings().store.place))?;
        let recorder = Arc::new(Recorder::new(host, node.ends()));
        node.spawn({
            let recorder = Arc::clone(&recorder);
            async move { recorder.run(&commits).await }
        });
        let node = Arc::new(node);
        inner.scheduler.share(Sharing::new(Arc::downgrade(&node)));
        let node = Mutex::new(Some(node));
        let first = inner
            .cluster
            .set(Arc::new(Cluster {
                node,
                recorder,
                known,
                readers: Arc::new(tokio::sync::Semaphore::new(READERS)),
                last_census: LastCensus::default(),
                last_runs: Mutex::default(),
            }))
            .is_ok();
        debug_assert!(first, "an instance joins once");
        Ok(())
    }

    /// Lets the config that was taken hold for what is claimed and kept here.
    pub(super) async fn share_config(&self) {
        let Some(cluster) = self.inner.cluster.get() else { return };
        cluster.recorder.host.take_terms(self);
        let Some(node) = cluster.node() else { return };
        if let Err(trouble) = node.changed().await {
            let _ = panics::catch(|| telemetry::not_answered(trouble.message()));
        }
    }
}

/// `web-7:4711`.
fn name_of_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let host = host.map(|host| host.trim().to_owned()).filter(|host| !host.is_empty());
    let host = host.or_else(|| std::env::var("HOSTNAME").ok()).unwrap_or_else(|| "localhost".to_owned());
    format!("{host}:{}", std::process::id())
}

fn refused(why: &JoinError, place: &Place) -> StartError {
    let problem =
        Problem::new(format!("the cluster on PostgreSQL cannot be joined: {why}")).at(place.clone());
    let help = match why {
        JoinError::Unreachable(why) => why.help(),
        JoinError::Trouble(_) => {
            "the user of `jobs.store` may make a schema in the database, or one who may has made it before: \
             `jobs::postgres_schema` prints it, and what one of an earlier version lacks"
        }
        JoinError::TooOld { .. } => {
            "run the newer version, or give this one a schema of its own: `?schema=NAME`"
        }
        JoinError::OtherClock { is_virtual: true, .. } => {
            "give this program a schema of its own by `?schema=NAME`, or drop the one of the tests: `drop schema NAME cascade`"
        }
        JoinError::OtherClock { is_virtual: false, .. } => {
            "give the tests a schema of their own: `?schema=NAME`, which is made where it is not there"
        }
        JoinError::Held { .. } => {
            "let it end or end it, `select pid, xact_start, query from pg_stat_activity order by xact_start` shows the oldest first, \
             and start again"
        }
        JoinError::Thread(_) => "the process has reached a limit of the system",
    };
    StartError::new(vec![problem.help(help)])
}

/// How many questions of those who look at runs are asked at the same time.
const READERS: usize = 4;

impl Cluster {
    /// None when the process has left the cluster.
    pub(super) fn node(&self) -> Option<Arc<Node>> {
        self.node.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether runs of a job are for the cluster. Those of a closure are not; a job that only this process could tell from its
    /// type is refused.
    pub(super) fn executes(&self, jobs: &Jobs, job: JobIx) -> Result<bool, SubmitError> {
        let of_job = |memory: &Memory| {
            let info = &memory.job(job).info;
            (!info.is_func && self.known.get(&info.name).is_none()).then(|| info.name.to_string())
        };
        let (is_func, unknown) =
            jobs.inner.pool.read(|memory| (memory.job(job).info.is_func, of_job(memory)));
        match unknown {
            Some(name) => Err(SubmitError::bad_option(format!(
                "`{name}` is a job by hand that the other processes cannot know\n\
                 help: register it in every process that is to execute it: `Config::register::<…>()`"
            ))),
            None => Ok(!is_func),
        }
    }

    /// Since when and why the server does not do what it is asked.
    pub(super) fn troubled(&self) -> Option<(crate::clock::Timestamp, String)> {
        match self.node()?.standing() {
            Standing::Well => None,
            Standing::Troubled(since, why) => Some((since, why)),
        }
    }

    /// Why nobody is to ask the server now, which does not answer: only to hear that once more.
    pub(super) fn silence(&self) -> Option<SubmitError> {
        let Some(node) = self.node() else { return Some(SubmitError::shut_down()) };
        node.silence().map(|why| SubmitError::not_answered(&why))
    }

    /// Writes what has become of runs.
    pub(super) fn flush(&self) {
        self.recorder.flush();
    }

    /// The same. Where everything has ended the process leaves the cluster; as long as something still executes it stays, so
    /// that nobody else tries it. Answers how many runs wait, where nobody is left in it.
    pub(super) async fn close(&self, leaves: bool) -> usize {
        self.flush();
        if !leaves && self.stay().await {
            return 0;
        }
        let Some(node) = self.node() else { return 0 };
        // Whoever says so as well waits for the same.
        let left = node.leave().await;
        self.node.lock().unwrap_or_else(PoisonError::into_inner).take();
        left
    }

    /// Stays for what still executes. Plain functions that outlive the runtime keep the process until they have returned, and
    /// the last of them until that is written, or was given up. `false` where all is over already.
    async fn stay(&self) -> bool {
        let Some(node) = self.node() else { return true };
        let pool = &self.recorder.host.pool;
        let (recorder, left) = (Arc::downgrade(&self.recorder), Arc::downgrade(&node));
        pool.when_emptied(Box::new(move || {
            if let (Some(recorder), Some(node)) = (recorder.upgrade(), left.upgrade()) {
                recorder.flush();
                block_on(node.leave());
            }
        }));
        if !pool.is_busy() {
            self.flush();
            return false;
        }
        node.stay().await;
        true
    }

    /// The same as [`close`](Self::close) for code that is not async. It blocks its thread.
    pub(super) fn close_blocking(&self, leaves: bool) -> usize {
        block_on(self.close(leaves))
    }
}

/// Waits for a future on a thread that may belong to a runtime: what it waits for goes on on the node's own.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    // A task of the caller's may have used up its turn.
    let mut future = std::pin::pin!(tokio::task::coop::unconstrained(future));
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut cx = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

//! From a config to a running instance.

use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};

use super::accepted::Accepted;
use super::error::{StartError, SubmitError};
use super::supervisor::{Tasks, supervise};
use super::{Inner, Jobs, Phase, instances};
#[cfg(any(feature = "sqlite", all(feature = "testing", feature = "postgres")))]
use crate::config::Store;
use crate::config::{ByHand, Config, Settings};
use crate::error::{Place, Problem};
use crate::hooks::Hooks;
use crate::job::ambient;
use crate::job::body::{Body, Template};
use crate::job::context::Surroundings;
use crate::job::descriptor::Startup;
use crate::job::name::JobName;
use crate::job::options::Origin;
use crate::job::run::Outcome;
use crate::pool::{Pool, Worker};
use crate::registry::{self, Registered};
use crate::scheduler::ledger::Keep;
use crate::scheduler::task::Scheduler;
use crate::scheduler::timers::Delay;
use crate::store::memory::{JobIx, Retention};
use crate::telemetry::{self, panics};

/// The blocking threads of a runtime that is built without a word about them.
const THREADS: usize = 512;

/// Starts everything that `#[job]` has registered: runs the start-up jobs, then lets the schedules fire.
///
/// Call it once, in `main`, inside a tokio runtime. It returns when the blocking start-up jobs
/// (`#[job(startup = "blocking")]`) are done, one after another, by `order` and then by name. Schedules fire from
/// then on; an interval fires for the first time one full interval later.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let jobs = jobs::start(jobs::Config::from_file("jobs.toml")?).await?;
/// jobs.run_until_signal().await;
/// # Ok(())
/// # }
/// ```
///
/// # Errors
///
/// Every mistake of the config and of the registered jobs at once, each with its place: unknown and unusable keys,
/// schedule names that the config does not have, zones that do not exist, two jobs of one name, a `#[state]` that
/// was not given, an expected job that is not linked. A tokio runtime without timers. A durable store that cannot be opened: a file
/// of SQLite that another process has, a PostgreSQL server that is not reached within 5 s or refuses, tables that are newer than
/// the program gets on with. Or the error of a blocking start-up job, which ends the instance again.
///
/// # Cancel safety
///
/// Dropping the future while a start-up job runs shuts the instance down.
pub async fn start(config: Config) -> Result<Jobs, StartError> {
    let runtime = Handle::try_current().map_err(|_| {
        StartError::new(vec![
            Problem::new("`jobs::start` was called outside a tokio runtime")
                .help("call it inside `#[tokio::main] async fn main()`, or inside `Runtime::block_on`"),
        ])
    })?;
    panics::install_hook();
    // The runtime tells it in no other way.
    if panics::would_panic(|| drop(tokio::time::sleep(Duration::ZERO))) {
        return Err(StartError::new(vec![
            Problem::new("the tokio runtime has no timers, and schedules, delays and shutdown need them").help(
                "build it with `Builder::enable_all()`; `enable_time()` is enough for a program without signals",
            ),
        ]));
    }
    let Prepared {
        settings,
        registered,
        #[cfg(feature = "postgres")]
        address,
    } = prepare(config)?;
    #[cfg(not(feature = "web"))]
    if settings.accept_proxy_address.value {
        crate::telemetry::no_page(&settings.accept_proxy_address.place);
    }
    #[cfg(feature = "sqlite")]
    let opened = super::durable::open(&settings).await?;
    #[cfg(feature = "postgres")]
    let (commits, journal) = address.as_ref().map(|_| super::cluster::journal()).unzip();
    let (jobs, registered) = assemble(
        settings,
        registered,
        runtime,
        #[cfg(feature = "postgres")]
        journal,
    );
    #[cfg(feature = "sqlite")]
    if let Some(opened) = opened {
        jobs.restore(opened, &registered)?;
    }
    #[cfg(feature = "postgres")]
    if let Some((address, commits)) = address.zip(commits) {
        jobs.join(address, commits, &registered).await?;
    }
    instances::register(&jobs);
    jobs.end_with_runtime();
    jobs.open();
    let unfinished = Unfinished(&jobs);
    if let Err(error) = jobs.run_blocking_startup(&registered).await {
        jobs.shutdown().await;
        return Err(error);
    }
    std::mem::forget(unfinished);
    jobs.begin(registered).await;
    Ok(jobs)
}

/// Ends an instance whose start was given up.
struct Unfinished<'a>(&'a Jobs);

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        self.0.begin_shutdown();
    }
}

/// How long runs and slots are kept.
pub(super) fn retention(settings: &Settings) -> Retention {
    Retention { age: settings.retention.value, count: settings.retention_count.value }
}

/// What a start begins with.
pub(super) struct Prepared {
    pub(super) settings: Settings,
    pub(super) registered: Vec<Registered>,
    #[cfg(feature = "postgres")]
    address: Option<crate::store::postgres::Address>,
}

/// Everything that can be wrong with a start, found without starting.
pub(super) fn prepare(config: Config) -> Result<Prepared, StartError> {
    let (mut settings, mut problems) = config.resolve();
    let registered = registry::resolve(&registry::linked(), &mut settings, &mut problems);
    #[cfg(all(feature = "testing", feature = "postgres"))]
    if settings.trial.as_ref().is_some_and(|trial| trial.isolated)
        && matches!(settings.store.value, Store::Postgres(_))
    {
        settings.store.value = Store::Memory;
    }
    #[cfg(feature = "postgres")]
    let address = super::cluster::address(&settings, &mut problems);
    if !problems.is_empty() {
        return Err(StartError::new(problems));
    }
    Ok(Prepared {
        settings,
        registered,
        #[cfg(feature = "postgres")]
        address,
    })
}

fn assemble(
    settings: Settings,
    registered: Vec<Registered>,
    runtime: Handle,
    #[cfg(feature = "postgres")] shared: Option<crate::store::journal::Journal>,
) -> (Jobs, Vec<(JobIx, Registered)>) {
    #[cfg(feature = "metrics")]
    crate::hooks::metrics::describe();
    let clock = Arc::new(settings.clock());
    let hooks = Arc::new(Hooks::new(settings.hooks.clone()));
    #[cfg(feature = "sqlite")]
    let durable = match &settings.store.value {
        Store::Sqlite { .. } => Some(Arc::new(super::durable::Durable::new(clock.is_virtual()))),
        _ => None,
    };
    let pool = Arc::new(Pool::new(settings.pool.value, Arc::clone(&clock), Arc::clone(&hooks)));
    pool.retain(retention(&settings));
    #[cfg(feature = "postgres")]
    if let Some(journal) = shared {
        pool.share(journal);
    }
    for (queue, size) in &settings.queues {
        let queue =
            pool.queue(queue).expect("invariant: a config with 65 000 queues is longer than a config can be");
        pool.limit_queue(queue, Some(size.value));
    }
    let keep = Keep::like(retention(&settings));
    let scheduler = Scheduler::new(Arc::clone(&clock), Arc::clone(&pool), Arc::clone(&hooks), keep);
    let scheduler = Arc::new(scheduler);
    let has_plain = registered.iter().any(|job| job.descriptor.blocking);
    if has_plain && settings.pool.value.is_none_or(|size| size.get() > THREADS) {
        telemetry::few_threads(settings.pool.value, THREADS);
    }
    let add = |job: Registered| {
        let ix = pool.bind_job(job.info.clone(), None);
        (ix.expect("invariant: the registry has refused names that are not unique"), job)
    };
    let registered = registered.into_iter().map(add).collect();
    for by_hand in &settings.registered {
        let ByHand { name, type_id, .. } = by_hand.value;
        let info = registry::info(JobName::Static(name), None, false, &settings);
        pool.bind_job(info, Some(type_id))
            .expect("invariant: the registry has refused names that are not unique");
    }
    let tasks = Arc::new(Tasks::new(Arc::clone(&clock), Arc::clone(&hooks)));
    let inner = Inner {
        settings: Mutex::new(Arc::new(settings)),
        declared: tokio::sync::Mutex::default(),
        zones: Mutex::default(),
        clock,
        hooks,
        tasks,
        pool,
        scheduler,
        #[cfg(feature = "sqlite")]
        durable,
        #[cfg(feature = "postgres")]
        cluster: OnceLock::new(),
        runtime,
        phase: watch::Sender::new(Phase::Starting),
        #[cfg(feature = "web")]
        leaving: watch::Sender::new(false),
        shut_down_at: OnceLock::new(),
        scheduler_task: OnceLock::new(),
        signals: OnceLock::new(),
        cut_off: Notify::new(),
        #[cfg(feature = "testing")]
        held: std::sync::Mutex::default(),
    };
    (Jobs { inner: Arc::new(inner) }, registered)
}

impl Jobs {
    /// Lets the pool execute what is submitted, and delayed runs come due.
    fn open(&self) {
        let inner = &self.inner;
        let state = Arc::new(inner.settings().state.clone());
        // Every worker gets signals of its own.
        let surroundings = Surroundings {
            host: self.host(),
            state,
            signals: Arc::default(),
            clock: Arc::clone(&inner.clock),
            #[cfg(feature = "testing")]
            probe: self.probe(),
        };
        let (pool, runtime) = (Arc::clone(&inner.pool), inner.runtime.clone());
        let host = self.host();
        let pool = Arc::downgrade(&pool);
        let tasks = Arc::clone(&inner.tasks);
        let spawn = move |worker: Worker| {
            let Some(pool) = pool.upgrade() else { return };
            let tasks = Arc::clone(&tasks);
            let work = async move { tasks.watch("worker", worker.run(&pool)).await };
            runtime.spawn(ambient::scope(host.clone(), work));
        };
        // The scheduler holds the pool.
        let scheduler = Arc::downgrade(&inner.scheduler);
        let release_after = move |run, wait| {
            if let Some(scheduler) = scheduler.upgrade() {
                scheduler.delay(run, Delay::For(wait));
            }
        };
        let scheduler = Arc::downgrade(&inner.scheduler);
        let run_ended = move |schedule| {
            if let Some(scheduler) = scheduler.upgrade() {
                scheduler.run_ended(schedule);
            }
        };
        inner.pool.open(surroundings, Box::new(release_after), Box::new(run_ended), Box::new(spawn));
        #[cfg(feature = "postgres")]
        if let Some(node) = inner.cluster.get().and_then(|cluster| cluster.node()) {
            node.wake();
        }
        let scheduler = Arc::clone(&inner.scheduler);
        let task = supervise(&inner.runtime, &inner.tasks, "scheduler", move || {
            let scheduler = Arc::clone(&scheduler);
            async move { scheduler.run().await }
        });
        let first = inner.scheduler_task.set(task).is_ok();
        debug_assert!(first, "an instance is opened once");
    }

    async fn run_blocking_startup(&self, registered: &[(JobIx, Registered)]) -> Result<(), StartError> {
        let blocking = |(_, job): &&(JobIx, Registered)| job.startup.is_some_and(|startup| startup.blocking);
        let mut jobs: Vec<_> = registered.iter().filter(blocking).collect();
        jobs.sort_by_key(|(_, job)| (job.startup.map_or(0, |startup| startup.order), job.descriptor.name));
        for (ix, job) in jobs {
            let descriptor = job.descriptor;
            let what = match self.submit_startup(*ix, job, Origin::BlockingStart) {
                Ok(accepted) => match accepted.handle.wait().await {
                    outcome if outcome.is_success() => continue,
                    Outcome::Lost => "was lost: jobs was shut down before it was done".to_owned(),
                    outcome => outcome.to_string(),
                },
                Err(error) => format!("was refused: {error}"),
            };
            let place = Place::Code { file: descriptor.file, line: descriptor.line };
            let problem = Problem::new(format!("the start-up job `{}` {what}", descriptor.name)).at(place);
            return Err(StartError::startup(descriptor.name, problem));
        }
        Ok(())
    }

    fn submit_startup(&self, ix: JobIx, job: &Registered, origin: Origin) -> Result<Accepted, SubmitError> {
        let make = job.descriptor.default.ok_or_else(|| SubmitError::no_default(job.descriptor.name))?;
        self.clone().submit_known(ix, Body::Template(Template::Make(make)), origin, None)
    }

    /// Lets the schedules fire and the start-up jobs that block nothing begin.
    async fn begin(&self, registered: Vec<(JobIx, Registered)>) {
        let mut begun = Vec::new();
        let mut declared = self.inner.declared.lock().await;
        for (ix, mut job) in registered {
            let schedules = std::mem::take(&mut job.schedules).into_iter();
            let keys: Vec<_> = schedules.map(|schedule| self.inner.scheduler.add(ix, schedule)).collect();
            if !keys.is_empty() {
                declared.insert(ix, keys);
            }
            if let Some(Startup { blocking: false, order }) = job.startup {
                begun.push((order, job.descriptor.name, ix, job));
            }
        }
        #[cfg(feature = "postgres")]
        self.share_declared(&declared.values().flatten().copied().flatten().collect::<Vec<_>>()).await;
        drop(declared);
        self.inner.scheduler.begun();
        self.inner.phase.send_if_modified(|phase| {
            // A start-up job may have shut the instance down.
            let starting = *phase == Phase::Starting;
            if starting {
                *phase = Phase::Running;
            }
            starting
        });
        begun.sort_by_key(|(order, name, ..)| (*order, *name));
        for (_, _, ix, job) in begun {
            // Refused only when the program is shutting down already.
            let _ = self.submit_startup(ix, &job, Origin::Startup);
        }
    }
}

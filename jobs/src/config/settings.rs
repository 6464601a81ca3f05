//! What a configuration comes to: one value for every key, each with the place that said it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use super::ByHand;
use super::auth::Page;
use super::keys::Setting;
use super::meant::nearest_of;
use super::overrides::JobOverrides;
use super::proxies::Network;
use crate::clock::Clock;
use crate::error::{Place, Problem};
use crate::hooks::AttemptHooks;
use crate::job::state::StateMap;

/// A value and where it was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    pub(crate) value: T,
    pub(crate) place: Place,
}

/// What a name in the section `cron` stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NamedSchedule {
    /// A spec, as it was written; it parses.
    Spec(String),
    /// The word `off`: schedules that use the name do not fire.
    Off,
}

/// Which store an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    Memory,
    Sqlite {
        path: PathBuf,
        /// Whether the last commits may be lost with the power.
        relaxed: bool,
    },
    Postgres(PostgresUrl),
}

/// The address of a server. It is not shown, since there may be a password in it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct PostgresUrl(String);

impl PostgresUrl {
    pub(super) fn new(address: &str) -> Self {
        Self(address.to_owned())
    }

    #[cfg(feature = "postgres")]
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("postgres://…")
    }
}

/// The store of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Store {
    /// Nothing outlives the process.
    Memory,
    /// What is in a file outlives the process.
    #[cfg(feature = "sqlite")]
    Sqlite {
        path: PathBuf,
        /// Whether the last commits may be lost with the power.
        relaxed: bool,
    },
    /// Any number of processes share what is on a server.
    #[cfg(feature = "postgres")]
    Postgres(PostgresUrl),
}

#[cfg(feature = "web")]
impl Store {
    /// Whether other processes work on what is in it.
    pub(crate) fn is_shared(&self) -> bool {
        #[cfg(feature = "sqlite")]
        let alone = matches!(self, Self::Memory | Self::Sqlite { .. });
        #[cfg(not(feature = "sqlite"))]
        let alone = matches!(self, Self::Memory);
        !alone
    }
}

/// What the runtime runs on.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// How many runs execute at the same time; none is unlimited.
    pub(crate) pool: Sourced<Option<NonZeroUsize>>,
    /// Whether runs of one job overlap where the job says nothing.
    pub(crate) self_concurrent: Sourced<bool>,
    /// The zone of schedules that name none: a name that can be a zone, or `local`.
    pub(crate) timezone: Sourced<String>,
    pub(crate) store: Sourced<Store>,
    /// How long running jobs may finish at shutdown.
    pub(crate) shutdown_timeout: Sourced<Duration>,
    /// How many runs of a queue execute at the same time, by its name.
    pub(crate) queues: BTreeMap<String, Sourced<NonZeroUsize>>,
    /// How long the runs that have ended are kept.
    pub(crate) retention: Sourced<Duration>,
    /// How many of them are kept of each job.
    pub(crate) retention_count: Sourced<usize>,
    pub(crate) accept_proxy_address: Sourced<bool>,
    pub(crate) trusted_proxies: Sourced<Vec<Network>>,
    /// What the status page asks of its visitors and lets them do.
    #[cfg_attr(not(feature = "web"), expect(dead_code, reason = "the status page asks"))]
    pub(crate) page: Page,
    /// By name with `cron.`.
    pub(crate) named: BTreeMap<String, Sourced<NamedSchedule>>,
    /// By name of the job.
    pub(crate) overrides: BTreeMap<String, JobOverrides>,
    pub(crate) expected_jobs: Vec<Sourced<String>>,
    pub(crate) state: StateMap,
    pub(crate) hooks: AttemptHooks,
    /// Jobs implemented by hand.
    pub(crate) registered: Vec<Sourced<ByHand>>,
    #[cfg(feature = "testing")]
    pub(crate) clock: Option<std::sync::Arc<crate::clock::VirtualClock>>,
    #[cfg(feature = "testing")]
    pub(crate) trial: Option<super::Trial>,
}

impl Settings {
    /// Whether a job takes part: all do, but where a test has chosen some.
    pub(crate) fn takes_part(&self, job: &str) -> bool {
        #[cfg(feature = "testing")]
        if let Some(trial) = &self.trial {
            return trial.takes_part(job);
        }
        let _ = job;
        true
    }

    /// Whether the schedules and the start-up of a job count.
    pub(crate) fn fires(&self, job: &str) -> bool {
        #[cfg(feature = "testing")]
        if self.trial.as_ref().is_some_and(|trial| trial.quiet) {
            return false;
        }
        self.takes_part(job)
    }

    /// The clock to run on.
    pub(crate) fn clock(&self) -> Clock {
        #[cfg(feature = "testing")]
        if let Some(clock) = &self.clock {
            return Clock::virtual_(std::sync::Arc::clone(clock));
        }
        Clock::system()
    }

    /// Gives names that only the environment says the spelling that the program has, since a variable cannot tell
    /// `_` from `-` or upper from lower case. `jobs` are the registered jobs, `schedules` the names with `cron.`
    /// and `queues` those that they use. To be called once, before names are looked up.
    pub(crate) fn adopt_spelling<'a>(
        &mut self,
        jobs: impl IntoIterator<Item = &'a str>,
        schedules: impl IntoIterator<Item = &'a str>,
        queues: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        let jobs: Vec<&str> = jobs.into_iter().collect();
        let schedules: Vec<&str> = schedules.into_iter().collect();
        let queues: Vec<&str> = queues.into_iter().collect();
        adopt(&mut self.overrides, &jobs, "job", |o| &o.place, &mut problems);
        adopt(&mut self.named, &schedules, "schedule", |s| &s.place, &mut problems);
        adopt(&mut self.queues, &queues, "queue", |size| &size.place, &mut problems);
        problems
    }
}

fn adopt<V>(
    map: &mut BTreeMap<String, V>,
    spellings: &[&str],
    what: &str,
    place: impl Fn(&V) -> &Place,
    problems: &mut Vec<Problem>,
) {
    let from_env: Vec<String> =
        map.iter().filter(|(_, v)| matches!(place(v), Place::Env(_))).map(|(name, _)| name.clone()).collect();
    for name in from_env {
        let mut same: Vec<&str> = spellings.iter().copied().filter(|s| folded(s) == folded(&name)).collect();
        same.sort_unstable();
        same.dedup();
        match same.as_slice() {
            [] => {}
            [one] => {
                if let Some(value) = map.remove(&name) {
                    map.insert((*one).to_owned(), value);
                }
            }
            [one, two, ..] => {
                problems.push(ambiguous(what, one, two).at(place(&map[&name]).clone()));
            }
        }
    }
}

/// A name as the environment can tell it from others.
pub(crate) fn folded(name: &str) -> String {
    name.to_ascii_lowercase().replace('-', "_").replace('.', "__")
}

pub(super) fn ambiguous(what: &str, one: &str, two: &str) -> Problem {
    Problem::new(format!("the variable fits two {what}s, `{one}` and `{two}`")).help(
        "a variable cannot tell `-` from `_` or upper from lower case; rename one, or say it in the file",
    )
}

impl Setting {
    /// The key with its section.
    pub(super) fn key(self) -> String {
        format!("jobs.{}", self.name())
    }
}

/// The registered name nearest to one of the configuration, as the end of a message.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    nearest_of(name, known).map(|near| format!("did you mean `{near}`?"))
}

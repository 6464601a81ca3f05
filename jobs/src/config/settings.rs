//! What a configuration comes to: one value for every key, each with the place that said it.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use jobs_syntax::{Backoff, Overlap};

use super::ByHand;
use super::auth::Page;
use super::keys::Setting;
use super::meant::nearest_of;
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
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreUrl {
    Memory,
    Sqlite,
    Postgres,
}

/// The store of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Store {
    /// Nothing outlives the process.
    Memory,
}

/// What a deployment says about one job; it takes the place of what the attribute says.
///
/// At most one of `schedule` and `every` is there, and it replaces all schedules of the attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct JobOverrides {
    /// Where the job is named first, for the message when no job has the name.
    pub(crate) place: Place,
    /// Specs, or names with `cron.`; they parse.
    pub(crate) schedule: Option<Sourced<Vec<String>>>,
    pub(crate) every: Option<Sourced<Duration>>,
    /// A name that can be a zone, or `local`.
    pub(crate) tz: Option<Sourced<String>>,
    pub(crate) enabled: Option<Sourced<bool>>,
    pub(crate) overlap: Option<Sourced<Overlap>>,
    /// None inside takes the timeout of the attribute away.
    pub(crate) timeout: Option<Sourced<Option<Duration>>>,
    pub(crate) retries: Option<Sourced<u32>>,
    pub(crate) backoff: Option<Sourced<Backoff>>,
}

impl JobOverrides {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            schedule: None,
            every: None,
            tz: None,
            enabled: None,
            overlap: None,
            timeout: None,
            retries: None,
            backoff: None,
        }
    }

    /// Takes what the other says where it says something.
    pub(super) fn overlay(&mut self, upper: Self) {
        if upper.schedule.is_some() || upper.every.is_some() {
            self.schedule = upper.schedule;
            self.every = upper.every;
        }
        self.tz = upper.tz.or(self.tz.take());
        self.enabled = upper.enabled.or(self.enabled.take());
        self.overlap = upper.overlap.or(self.overlap.take());
        self.timeout = upper.timeout.or(self.timeout.take());
        self.retries = upper.retries.or(self.retries.take());
        self.backoff = upper.backoff.or(self.backoff.take());
    }

    /// Takes what is said about the same job under an alias, and tells what is said under both names.
    pub(crate) fn adopt(&mut self, alias: Self) -> Vec<Collision> {
        // A schedule and an interval replace each other.
        type When<'a> = Option<(&'static str, &'a Place)>;
        fn when(overrides: &JobOverrides) -> When<'_> {
            let schedule = overrides.schedule.as_ref().map(|said| ("schedule", &said.place));
            schedule.or(overrides.every.as_ref().map(|said| ("every", &said.place)))
        }
        fn take<T>(
            key: &'static str,
            own: &mut Option<Sourced<T>>,
            alias: Option<Sourced<T>>,
        ) -> Option<Collision> {
            match (&*own, alias) {
                (Some(own), Some(alias)) => {
                    Some(Collision { own: (key, own.place.clone()), alias: (key, alias.place) })
                }
                (None, alias) => {
                    *own = alias;
                    None
                }
                (Some(_), None) => None,
            }
        }
        let owned = |(key, place): (&'static str, &Place)| (key, place.clone());
        let mut collisions = Vec::new();
        match (when(self), when(&alias)) {
            (Some(own), Some(alias)) => collisions.push(Collision { own: owned(own), alias: owned(alias) }),
            (None, Some(_)) => (self.schedule, self.every) = (alias.schedule, alias.every),
            (_, None) => {}
        }
        let Self { place: _, schedule: _, every: _, tz, enabled, overlap, timeout, retries, backoff } = alias;
        collisions.extend(take("tz", &mut self.tz, tz));
        collisions.extend(take("enabled", &mut self.enabled, enabled));
        collisions.extend(take("overlap", &mut self.overlap, overlap));
        collisions.extend(take("timeout", &mut self.timeout, timeout));
        collisions.extend(take("retries", &mut self.retries, retries));
        collisions.extend(take("backoff", &mut self.backoff, backoff));
        collisions
    }
}

/// A key of a job that is said under its name and under an alias, each with its place.
#[derive(Debug)]
pub(crate) struct Collision {
    pub(crate) own: (&'static str, Place),
    pub(crate) alias: (&'static str, Place),
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
    pub(crate) accept_proxy_address: Sourced<bool>,
    #[cfg_attr(not(any(test, feature = "web")), expect(dead_code, reason = "the status page asks"))]
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
    /// that they use. To be called once, before names are looked up.
    pub(crate) fn adopt_spelling<'a>(
        &mut self,
        jobs: impl IntoIterator<Item = &'a str>,
        schedules: impl IntoIterator<Item = &'a str>,
    ) -> Vec<Problem> {
        let mut problems = Vec::new();
        let jobs: Vec<&str> = jobs.into_iter().collect();
        let schedules: Vec<&str> = schedules.into_iter().collect();
        adopt(&mut self.overrides, &jobs, "job", |o| &o.place, &mut problems);
        adopt(&mut self.named, &schedules, "schedule", |s| &s.place, &mut problems);
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

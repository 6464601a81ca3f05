//! The configuration: its keys, its sources, and which of them wins.

mod attempts;
mod auth;
mod conf_file;
mod conf_variables;
mod environment;
mod error;
mod hooks;
mod job_config;
mod keys;
mod layer;
mod limits;
mod load;
mod meant;
mod number;
mod overrides;
mod proxies;
mod resolve;
mod settings;
mod shown;
mod source;
mod toml_file;
mod toml_notation;
#[cfg(feature = "testing")]
mod trial;
mod value;
mod zones;

use std::any::TypeId;
use std::path::Path;
use std::time::Duration;

use crate::hooks::AttemptHooks;
use crate::job::Job;
use crate::job::descriptor::{Descriptor, Read};
use crate::job::state::StateMap;
#[cfg(feature = "web")]
use auth::AuthKey;
#[cfg(feature = "web")]
pub(crate) use auth::{Auth, Page, Password};
use environment::Environment;
pub use error::ConfigError;
pub use job_config::JobConfig;
use keys::{Key, Setting};
use layer::Layer;
use load::{File, Format};
pub(crate) use overrides::{Collision, JobOverrides};
#[cfg(feature = "web")]
pub(crate) use proxies::Network;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use settings::Store;
pub(crate) use settings::{NamedSchedule, Settings, Sourced, did_you_mean, folded};
use source::Source;
#[cfg(feature = "testing")]
pub(crate) use trial::Trial;
use value::{Form, Raw};

use crate::error::{Place, Problem};

#[doc = include_str!("reference.md")]
#[derive(Debug, Clone, Default)]
#[must_use = "a configuration does nothing until it is given to `jobs::start`"]
pub struct Config {
    file: File,
    mode: Option<Sourced<String>>,
    environment: Environment,
    /// What the methods below said.
    code: Layer,
    /// What was wrong with it.
    problems: Vec<Problem>,
    expected_jobs: Vec<Sourced<String>>,
    state: StateMap,
    /// Functions around and after attempts.
    hooks: AttemptHooks,
    /// Jobs implemented by hand.
    registered: Vec<Sourced<ByHand>>,
    #[cfg(feature = "testing")]
    clock: Option<std::sync::Arc<crate::clock::VirtualClock>>,
    #[cfg(feature = "testing")]
    trial: Option<Trial>,
}

/// A job that implements [`Job`] by hand, as the registry needs it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ByHand {
    pub(crate) name: &'static str,
    pub(crate) type_id: TypeId,
    /// Makes a value of it of arguments in JSON.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "what comes out of a store is read"))]
    pub(crate) read: Read,
    /// There is one where `#[job]` has made the type, which then is not implemented by hand.
    pub(crate) descriptor: Option<&'static Descriptor>,
}

impl Config {
    /// Reads a file: `.toml` as TOML, `.conf` and `.ini` as Revel's `app.conf`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, and all mistakes in one that can. What the file leaves to the run mode or to
    /// the environment is checked at start.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        Ok(Self { file: load::load(path.as_ref())?, ..Self::default() })
    }

    /// Reads a text in TOML. Messages call it `<text>`.
    ///
    /// # Errors
    ///
    /// All mistakes in the text.
    pub fn from_toml(text: &str) -> Result<Self, ConfigError> {
        Self::from_text(text, Format::Toml)
    }

    /// Reads a text in the notation of Revel's `app.conf`. Messages call it `<text>`.
    ///
    /// # Errors
    ///
    /// All mistakes in the text. What it leaves to the run mode or to the environment is checked at start.
    pub fn from_conf(text: &str) -> Result<Self, ConfigError> {
        Self::from_text(text, Format::Conf)
    }

    fn from_text(text: &str, format: Format) -> Result<Self, ConfigError> {
        let file = load::parse(text.as_bytes(), format, Source::text("<text>")).map_err(ConfigError::new)?;
        Ok(Self { file, ..Self::default() })
    }

    /// The run mode: the section of an `app.conf` whose lines hold over those above all sections. `dev` where
    /// none is chosen, as in Revel. TOML has no run modes, and choosing one for it is an error at start.
    #[track_caller]
    pub fn mode(mut self, mode: impl Into<String>) -> Self {
        self.mode = Some(Sourced { value: mode.into(), place: Place::caller() });
        self
    }

    /// Takes these variables for those of the process, which are then not looked at. For tests.
    pub fn environment<K: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.environment =
            Environment::Given(variables.into_iter().map(|(k, v)| (k.into(), v.into())).collect());
        self
    }

    /// Looks at no environment variables, as in a test that must not depend on where it runs.
    pub fn without_environment(mut self) -> Self {
        self.environment = Environment::Given(Vec::new());
        self
    }

    /// `jobs.pool`: how many runs execute at the same time; 0 or less is unlimited. Plain functions execute on the blocking
    /// threads of tokio, of which there are 512 where the runtime says nothing else: what is beyond them waits for a thread.
    #[track_caller]
    pub fn pool(self, size: i64) -> Self {
        self.set(Setting::Pool, &Raw::Integer(size))
    }

    /// `jobs.selfconcurrent`: whether a run may start while its predecessor runs, where the job says nothing
    /// about it.
    #[track_caller]
    pub fn self_concurrent(self, allowed: bool) -> Self {
        self.set(Setting::SelfConcurrent, &Raw::Boolean(allowed))
    }

    /// `jobs.timezone`: the zone of schedules that name none, or `local`.
    #[track_caller]
    pub fn timezone(self, zone: impl Into<String>) -> Self {
        self.set(Setting::Timezone, &Raw::Text(zone.into()))
    }

    /// `jobs.store`: where runs are kept. `memory`, or with the feature `sqlite` the path of a file, `sqlite:jobs.db`: what is
    /// in it outlives the process; or with the feature `postgres` the address of a server, `postgres://user@host/database`,
    /// which makes one cluster of all processes that name it.
    #[track_caller]
    pub fn store(self, address: impl Into<String>) -> Self {
        self.set(Setting::Store, &Raw::Text(address.into()))
    }

    /// `jobs.shutdown_timeout`: how long running jobs may finish. Zero waits for nobody.
    #[track_caller]
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.code.shutdown_timeout = Some(Sourced { value: timeout, place: Place::caller() });
        self
    }

    /// `jobs.queues.<name>`: how many runs of a queue execute at the same time, 1 at least. A queue without a number has
    /// the whole pool.
    #[track_caller]
    pub fn queue(mut self, name: impl AsRef<str>, size: usize) -> Self {
        let name = name.as_ref();
        match jobs_syntax::check_queue_name(name) {
            Ok(()) => {
                let size = Raw::Integer(i64::try_from(size).unwrap_or(i64::MAX).min(u32::MAX.into()));
                let key = Key::Queue(name.to_owned());
                self.code.set(key, &size, Form::Code, Place::caller(), &mut self.problems);
            }
            Err(error) => self.problems.push(name_problem(&error)),
        }
        self
    }

    /// `jobs.retention`: how long the runs that have ended are kept.
    #[track_caller]
    pub fn retention(self, retention: Duration) -> Self {
        self.set(Setting::Retention, &Raw::Text(jobs_syntax::format_duration(retention)))
    }

    /// `jobs.retention_count`: how many of the runs that have ended are kept of each job.
    #[track_caller]
    pub fn retention_count(self, count: u32) -> Self {
        self.set(Setting::RetentionCount, &Raw::Integer(count.into()))
    }

    /// `jobs.acceptproxyaddress`: whether `X-Forwarded-For` is believed from trusted proxies.
    #[track_caller]
    pub fn accept_proxy_address(self, accept: bool) -> Self {
        self.set(Setting::AcceptProxyAddress, &Raw::Boolean(accept))
    }

    /// `jobs.trusted_proxies`: the addresses and networks of the proxies, or `loopback`.
    #[track_caller]
    pub fn trusted_proxies<S: Into<String>>(self, peers: impl IntoIterator<Item = S>) -> Self {
        let peers = peers.into_iter().map(|peer| Raw::Text(peer.into())).collect();
        self.set(Setting::TrustedProxies, &Raw::Array(peers))
    }

    /// `jobs.auth.user` and `jobs.auth.pass`: who may see the status page, from anywhere. The password is itself,
    /// `sha256:` with 64 hexadecimal digits, or a PHC string of argon2.
    #[cfg(feature = "web")]
    #[track_caller]
    pub fn auth(self, user: impl Into<String>, pass: impl Into<String>) -> Self {
        self.set(Setting::Auth(AuthKey::User), &Raw::Text(user.into()))
            .set(Setting::Auth(AuthKey::Pass), &Raw::Text(pass.into()))
    }

    /// `jobs.page_readonly`: whether the status page shows and does not steer.
    #[cfg(feature = "web")]
    #[track_caller]
    pub fn page_readonly(self, readonly: bool) -> Self {
        self.set(Setting::PageReadonly, &Raw::Boolean(readonly))
    }

    /// `jobs.metrics_public`: whether `/@jobs/metrics` is open to everybody, as `/@jobs/health` is. It is there with the
    /// feature `prometheus`.
    #[cfg(feature = "web")]
    #[track_caller]
    pub fn metrics_public(self, public: bool) -> Self {
        self.set(Setting::MetricsPublic, &Raw::Boolean(public))
    }

    /// `cron.<name>`: a named schedule; the name begins with `cron.`. `off` switches off all schedules that use it.
    #[track_caller]
    pub fn named(mut self, name: impl AsRef<str>, spec: impl Into<String>) -> Self {
        let name = name.as_ref();
        match jobs_syntax::check_schedule_name(name) {
            Ok(()) => {
                let key = Key::Named(name.to_owned());
                self.code.set(key, &Raw::Text(spec.into()), Form::Code, Place::caller(), &mut self.problems);
            }
            Err(error) => self.problems.push(name_problem(&error)),
        }
        self
    }

    /// `job.<name>`: what is to differ from the attribute of one job.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use jobs::Config;
    /// let config = Config::default()
    ///     .job("sweep", |j| j.every(Duration::from_secs(3600)).overlap("skip"))
    ///     .job("reminder_emails", |j| j.enabled(false));
    /// ```
    #[track_caller]
    pub fn job(mut self, name: impl Into<String>, say: impl FnOnce(JobConfig) -> JobConfig) -> Self {
        let name = name.into();
        match jobs_syntax::check_job_name(&name) {
            Ok(()) => {
                let (layer, problems) = say(JobConfig::new(name, Place::caller())).finish();
                self.code.overlay(layer);
                self.problems.extend(problems);
            }
            Err(error) => self.problems.push(name_problem(&error)),
        }
        self
    }

    /// Jobs that must be registered, by name; start fails without them. It catches a crate of jobs that nobody
    /// links.
    #[track_caller]
    pub fn expect_jobs<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        let place = Place::caller();
        for name in names {
            let name = name.into();
            match jobs_syntax::check_job_name(&name) {
                Ok(()) => self.expected_jobs.push(Sourced { value: name, place: place.clone() }),
                Err(error) => self.problems.push(name_problem(&error)),
            }
        }
        self
    }

    /// A value that jobs take as a `#[state]` parameter, found by its type. A second value of one type is an
    /// error at start.
    #[track_caller]
    pub fn state<T: Send + Sync + 'static>(mut self, value: T) -> Self {
        self.state.insert(value, Place::caller());
        self
    }

    /// Makes a job known that implements [`Job`] by hand, so that the config may speak of it, except of its schedules,
    /// since only code can make a value of it; and the snapshot shows it from the start. What `#[job]` makes is known anyhow; a hand-written job that is not registered here becomes
    /// known when it is first submitted or scheduled.
    #[track_caller]
    pub fn register<J: Job>(mut self) -> Self {
        let by_hand = ByHand {
            name: J::NAME,
            type_id: TypeId::of::<J>(),
            read: crate::job::registered::read::<J>,
            descriptor: J::__descriptor(),
        };
        self.registered.push(Sourced { value: by_hand, place: Place::caller() });
        self
    }

    /// With what code alone can give, that of an instance which runs.
    pub(crate) fn for_reload(self, running: &Settings) -> Self {
        Self {
            expected_jobs: running.expected_jobs.clone(),
            state: running.state.clone(),
            hooks: running.hooks.clone(),
            registered: running.registered.clone(),
            #[cfg(feature = "testing")]
            clock: running.clock.clone(),
            #[cfg(feature = "testing")]
            trial: running.trial.clone(),
            ..self
        }
    }

    /// Runs on the clock of a test; see [`testing`](crate::testing).
    #[cfg(feature = "testing")]
    pub fn clock(mut self, clock: &crate::clock::TestClock) -> Self {
        self.clock = Some(clock.shared());
        self
    }

    /// Checks all that `jobs::start` checks but for the jobs of the program: the file, the environment,
    /// the methods, the zones that they name, and how they go together. Useful where a deployment is tested before it is rolled out.
    ///
    /// # Errors
    ///
    /// All mistakes.
    ///
    /// ```
    /// # use jobs::Config;
    /// let error = Config::default().timezone("Europe/").environment([("JOBS__POL", "5")]).check().unwrap_err();
    /// assert_eq!(error.problems().len(), 2);
    /// ```
    pub fn check(&self) -> Result<(), ConfigError> {
        let (mut settings, mut problems) = self.clone().resolve();
        problems.extend(settings.check_zones());
        if problems.is_empty() { Ok(()) } else { Err(ConfigError::new(problems)) }
    }

    /// Runs for a test. The environment of the process is that of nobody's choice, and is not looked at.
    #[cfg(feature = "testing")]
    pub(crate) fn trial(mut self, trial: Trial) -> Self {
        self.trial = Some(trial);
        if matches!(self.environment, Environment::Process) {
            self.environment = Environment::Given(Vec::new());
        }
        self
    }

    #[cfg(feature = "testing")]
    pub(crate) fn is_registered(&self, job: &str) -> bool {
        self.registered.iter().any(|by_hand| by_hand.value.name == job)
    }

    #[track_caller]
    fn set(mut self, setting: Setting, raw: &Raw) -> Self {
        self.code.set(Key::Setting(setting), raw, Form::Code, Place::caller(), &mut self.problems);
        self
    }
}

#[track_caller]
fn name_problem(error: &jobs_syntax::SyntaxError) -> Problem {
    let problem = Problem::new(error.message()).at(Place::caller());
    match error.help() {
        Some(help) => problem.help(help),
        None => problem,
    }
}

#[cfg(test)]
mod tests;

//! What the status page asks of an instance beside what everybody may ask.

use chrono::{DateTime, Utc};

use super::{JobSnapshot, Jobs, Phase};
use crate::clock::Elapsed;
use crate::config::{NamedSchedule, Network, Page, Sourced};
use crate::error::Place;
use crate::schedule::Schedule;
use crate::telemetry::{self, panics};

/// Whom the config lets see the page.
#[derive(Debug, Clone)]
pub(crate) struct PageAccess {
    pub(crate) page: Page,
    /// The peers whose `X-Forwarded-For` is believed; none where nobody's is.
    pub(crate) proxies: Vec<Network>,
}

/// An argument of a job.
#[derive(Debug, Clone)]
pub(crate) struct ArgumentField {
    pub(crate) name: &'static str,
    pub(crate) type_name: &'static str,
    pub(crate) has_default: bool,
    pub(crate) redacted: bool,
    /// What it is where nothing is said.
    pub(crate) value: Option<serde_json::Value>,
}

/// A named schedule of the config.
#[derive(Debug, Clone)]
pub(crate) struct NamedSnapshot {
    /// As it was written; none where it is `off`.
    pub(crate) spec: Option<String>,
    /// In words.
    pub(crate) words: Option<String>,
    /// Where it is written.
    pub(crate) place: Place,
}

impl NamedSnapshot {
    fn of(said: &Sourced<NamedSchedule>) -> Self {
        let spec = match &said.value {
            NamedSchedule::Spec(spec) => Some(spec.clone()),
            NamedSchedule::Off => None,
        };
        let words =
            spec.as_deref().and_then(|spec| Schedule::parse(spec).ok()).map(|parsed| parsed.describe());
        Self { spec, words, place: said.place.clone() }
    }
}

impl Jobs {
    pub(crate) fn page_access(&self) -> PageAccess {
        let settings = self.inner.settings();
        let proxies = match settings.accept_proxy_address.value {
            true => settings.trusted_proxies.value.clone(),
            false => Vec::new(),
        };
        PageAccess { page: settings.page.clone(), proxies }
    }

    /// The named schedules of the config, by name with `cron.`.
    pub(crate) fn named_schedules(&self) -> Vec<(String, NamedSnapshot)> {
        let settings = self.inner.settings();
        settings.named.iter().map(|(name, said)| (name.clone(), NamedSnapshot::of(said))).collect()
    }

    /// The arguments of a job that its attribute tells of, and what they are where nothing is said.
    pub(crate) fn argument_fields(&self, job: &str) -> Vec<ArgumentField> {
        let Ok(ix) = self.find_job(job) else { return Vec::new() };
        let Some(descriptor) = self.inner.pool.read(|memory| memory.job(ix).info.descriptor) else {
            return Vec::new();
        };
        // What it is made of is code of the user.
        let template = self.template_of(ix);
        let written =
            panics::catch(|| template.and_then(|template| template.arguments())).unwrap_or_default();
        let values: serde_json::Map<String, serde_json::Value> = written
            .and_then(|written| serde_json::from_str(&written.shown().to_string()).ok())
            .unwrap_or_default();
        let fields = descriptor.arguments.iter().map(|argument| ArgumentField {
            name: argument.name,
            type_name: (argument.type_name)(),
            has_default: argument.has_default,
            redacted: argument.redacted,
            value: values.get(argument.name).filter(|_| !argument.redacted).cloned(),
        });
        fields.collect()
    }

    /// Whether a job can be run without saying anything, as [`run_now`](Self::run_now) does.
    pub(crate) fn has_values(&self, job: &JobSnapshot) -> bool {
        let declares = |ix| {
            let descriptor = self.inner.pool.read(|memory| memory.job(ix).info.descriptor);
            descriptor.is_some_and(|it| !it.schedules.is_empty() || it.default.is_some())
        };
        !job.schedules.is_empty() || self.find_job(&job.name).is_ok_and(declares)
    }

    /// Whether other processes work on the same runs, and change what is seen here.
    pub(crate) fn is_shared(&self) -> bool {
        self.inner.settings().store.value.is_shared()
    }

    /// Whether nothing is found since the store does not answer.
    pub(crate) async fn is_store_silent(&self) -> bool {
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.inner.cluster.get() {
            return cluster.silence().is_some() || self.cluster().await.is_err();
        }
        false
    }

    /// The time that waits are counted by.
    pub(crate) fn elapsed(&self) -> Elapsed {
        self.inner.clock.now().elapsed
    }

    /// What the clock on the wall shows.
    pub(crate) fn wall_time(&self) -> DateTime<Utc> {
        self.inner.clock.now().wall.to_chrono()
    }

    /// Completes when the program has been told to end, by a signal that somebody waits for or by a shutdown that is
    /// done: a server that waits for its connections must not wait for ours.
    pub(crate) async fn leaving(&self) {
        let mut leaving = self.inner.leaving.subscribe();
        let mut phase = self.inner.phase.subscribe();
        tokio::select! {
            _ = leaving.wait_for(|leaving| *leaving) => {}
            _ = phase.wait_for(|phase| matches!(phase, Phase::Ended(_))) => {}
        }
    }

    /// Runs a server until the shutdown is done.
    pub(crate) fn serve_until_end(
        &self,
        name: &'static str,
        server: impl Future<Output = std::io::Result<()>> + Send + 'static,
    ) {
        let mut phase = self.inner.phase.subscribe();
        let _runs_until_the_end = self.inner.runtime.spawn(async move {
            tokio::select! {
                result = server => if let Err(error) = result { telemetry::server_ended(name, &error) },
                _ = phase.wait_for(|phase| matches!(phase, Phase::Ended(_))) => {}
            }
        });
    }
}

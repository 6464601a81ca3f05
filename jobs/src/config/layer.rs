//! What one source says, with types; and one source laid over another.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::time::Duration;

use super::attempts;
use super::auth::PageLayer;
use super::keys::{JobKey, Key, Setting};
use super::limits;
use super::overrides::JobOverrides;
use super::proxies::Network;
use super::settings::{NamedSchedule, Sourced, StoreUrl};
use super::value::{self, Form, Raw};
use crate::error::{Place, Problem};

/// What one source says.
#[derive(Debug, Clone, Default)]
pub(super) struct Layer {
    pub(super) pool: Option<Sourced<i64>>,
    pub(super) self_concurrent: Option<Sourced<bool>>,
    pub(super) timezone: Option<Sourced<String>>,
    pub(super) store: Option<Sourced<StoreUrl>>,
    pub(super) shutdown_timeout: Option<Sourced<Duration>>,
    pub(super) queues: BTreeMap<String, Sourced<NonZeroUsize>>,
    pub(super) retention: Option<Sourced<Duration>>,
    pub(super) retention_count: Option<Sourced<usize>>,
    pub(super) accept_proxy_address: Option<Sourced<bool>>,
    pub(super) trusted_proxies: Option<Sourced<Vec<Network>>>,
    pub(super) page: PageLayer,
    pub(super) named: BTreeMap<String, Sourced<NamedSchedule>>,
    pub(super) jobs: BTreeMap<String, JobOverrides>,
}

impl Layer {
    /// Sets a key to what its source has; every mistake becomes a problem and leaves the key unset.
    pub(super) fn set(&mut self, key: Key, raw: &Raw, form: Form, place: Place, problems: &mut Vec<Problem>) {
        let written = key.to_string();
        let result = match key {
            Key::Setting(setting) => self.set_setting(setting, raw, form, &place),
            Key::Named(name) => value::named(raw, form, &name)
                .map(|value| {
                    self.named.insert(name, Sourced { value, place: place.clone() });
                })
                .map_err(Vec::from),
            Key::Queue(queue) => {
                let name = if form == Form::Toml { &queue } else { &written };
                limits::queue_size(raw, form, name)
                    .map(|value| {
                        self.queues.insert(queue, Sourced { value, place: place.clone() });
                    })
                    .map_err(Vec::from)
            }
            Key::Job(job, key) => self.set_job(&job, key, raw, form, &written, &place).map_err(Vec::from),
        };
        for mistake in result.err().unwrap_or_default() {
            problems.push(mistake.of(&written).at(place.clone()));
        }
    }

    fn set_setting(
        &mut self,
        setting: Setting,
        raw: &Raw,
        form: Form,
        place: &Place,
    ) -> Result<(), Vec<value::Mistake>> {
        // Inside `[jobs]` a TOML file has the bare name; everywhere else the whole key is written.
        let key = setting.key();
        let name = if form == Form::Toml { setting.name() } else { &key };
        match setting {
            Setting::Pool => put(&mut self.pool, value::integer(raw, form, name)?, place),
            Setting::SelfConcurrent => {
                put(&mut self.self_concurrent, value::boolean(raw, form, name)?, place)
            }
            Setting::Timezone => put(&mut self.timezone, value::zone(raw)?, place),
            Setting::Store => put(&mut self.store, value::store(raw)?, place),
            Setting::ShutdownTimeout => put(&mut self.shutdown_timeout, value::timeout(raw, name)?, place),
            Setting::Retention => put(&mut self.retention, limits::retention(raw, name)?, place),
            Setting::RetentionCount => {
                put(&mut self.retention_count, limits::retention_count(raw, form, name)?, place);
            }
            Setting::AcceptProxyAddress => {
                put(&mut self.accept_proxy_address, value::boolean(raw, form, name)?, place);
            }
            Setting::TrustedProxies => put(&mut self.trusted_proxies, value::networks(raw, form)?, place),
            Setting::PageReadonly => self.page.set_readonly(raw, form, name, place)?,
            Setting::MetricsPublic => self.page.set_metrics_public(raw, form, name, place)?,
            Setting::Auth(auth) => {
                // The table of it may be `[jobs.auth]` or part of `[jobs]`.
                self.page.set_auth(auth, raw, form, &key, place)?;
            }
        }
        Ok(())
    }

    fn set_job(
        &mut self,
        job: &str,
        key: JobKey,
        raw: &Raw,
        form: Form,
        written: &str,
        place: &Place,
    ) -> Result<(), value::Mistake> {
        let name = if form == Form::Toml { key.name() } else { written };
        let job = self.mention(job, place);
        match key {
            JobKey::Schedule => put(&mut job.schedule, value::schedules(raw, form, name)?, place),
            JobKey::Every => put(&mut job.every, value::interval(raw, name)?, place),
            JobKey::FixedDelay => put(&mut job.fixed_delay, value::interval(raw, name)?, place),
            JobKey::Jitter => put(&mut job.jitter, limits::jitter(raw, name)?, place),
            JobKey::Missed => put(&mut job.missed, limits::missed(raw)?, place),
            JobKey::Tz => put(&mut job.tz, value::zone(raw)?, place),
            JobKey::Enabled => put(&mut job.enabled, value::boolean(raw, form, name)?, place),
            JobKey::Overlap => put(&mut job.overlap, value::overlap(raw)?, place),
            JobKey::Timeout => put(&mut job.timeout, attempts::timeout(raw, name)?, place),
            JobKey::Retries => put(&mut job.retries, attempts::retries(raw, form, name)?, place),
            JobKey::Backoff => put(&mut job.backoff, attempts::backoff(raw, name)?, place),
            JobKey::Queue => put(&mut job.queue, limits::queue(raw)?, place),
            JobKey::Priority => put(&mut job.priority, limits::priority(raw, form, name)?, place),
            JobKey::Concurrency => put(&mut job.concurrency, limits::concurrency(raw, form, name)?, place),
            JobKey::Rate => put(&mut job.rate, limits::rate(raw, name)?, place),
            JobKey::Unique => put(&mut job.unique, limits::unique(raw, form, name)?, place),
        }
        Ok(())
    }

    /// The overrides of a job, also of one that is only named.
    pub(super) fn mention(&mut self, job: &str, place: &Place) -> &mut JobOverrides {
        self.jobs.entry(job.to_owned()).or_insert_with(|| JobOverrides::new(place.clone()))
    }

    /// The mistakes that no single key makes.
    pub(super) fn check(&self, problems: &mut Vec<Problem>) {
        for (name, job) in &self.jobs {
            let whens = [
                ("schedule", job.schedule.as_ref().map(|said| &said.place)),
                ("every", job.every.as_ref().map(|said| &said.place)),
                ("fixed_delay", job.fixed_delay.as_ref().map(|said| &said.place)),
            ];
            let mut whens = whens.into_iter().filter_map(|(key, place)| Some((key, place?)));
            if let Some((first, at)) = whens.next() {
                for (second, also_at) in whens {
                    problems.push(
                        Problem::new(format!("`job.{name}` has both `{first}` and `{second}`"))
                            .at(at.clone().max(also_at.clone()))
                            .help("keep one of them; it replaces all schedules of the job's attribute"),
                    );
                }
            }
            let beside_delay = [
                ("missed", job.missed.as_ref().map(|said| &said.place)),
                ("overlap", job.overlap.as_ref().map(|said| &said.place)),
            ];
            for (key, place) in beside_delay {
                let (Some(place), Some(_), None, None) = (place, &job.fixed_delay, &job.schedule, &job.every)
                else {
                    continue;
                };
                problems.push(
                    Problem::new(format!("`job.{name}.{key}` has no effect beside `fixed_delay`"))
                        .at(place.clone())
                        .help(
                            "the next slot is counted from the end of the last run: none is missed, and none meets \
                             a run; remove it",
                        ),
                );
            }
            if let (Some(backoff), Some(Sourced { value: 0, .. })) = (&job.backoff, &job.retries) {
                problems.push(
                    Problem::new(format!("`job.{name}.backoff` has no effect beside `retries = 0`"))
                        .at(backoff.place.clone())
                        .help("it is the wait before a retry: remove it, or allow retries: `retries = 5`"),
                );
            }
        }
    }

    /// Lays another over this one: where the other says something, it wins.
    pub(super) fn overlay(&mut self, upper: Self) {
        fn over<T>(lower: &mut Option<T>, upper: Option<T>) {
            if upper.is_some() {
                *lower = upper;
            }
        }
        over(&mut self.pool, upper.pool);
        over(&mut self.self_concurrent, upper.self_concurrent);
        over(&mut self.timezone, upper.timezone);
        over(&mut self.store, upper.store);
        over(&mut self.shutdown_timeout, upper.shutdown_timeout);
        over(&mut self.retention, upper.retention);
        over(&mut self.retention_count, upper.retention_count);
        self.queues.extend(upper.queues);
        over(&mut self.accept_proxy_address, upper.accept_proxy_address);
        over(&mut self.trusted_proxies, upper.trusted_proxies);
        self.page.overlay(upper.page);
        self.named.extend(upper.named);
        for (name, job) in upper.jobs {
            match self.jobs.get_mut(&name) {
                Some(lower) => lower.overlay(job),
                None => {
                    self.jobs.insert(name, job);
                }
            }
        }
    }
}

fn put<T>(slot: &mut Option<Sourced<T>>, value: T, place: &Place) {
    *slot = Some(Sourced { value, place: place.clone() });
}

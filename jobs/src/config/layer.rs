//! What one source says, with types; and one source laid over another.

use std::collections::BTreeMap;
use std::time::Duration;

use super::attempts;
use super::auth::PageLayer;
use super::keys::{JobKey, Key, Setting};
use super::proxies::Network;
use super::settings::{JobOverrides, NamedSchedule, Sourced, StoreUrl};
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
            Setting::AcceptProxyAddress => {
                put(&mut self.accept_proxy_address, value::boolean(raw, form, name)?, place);
            }
            Setting::TrustedProxies => put(&mut self.trusted_proxies, value::networks(raw, form)?, place),
            Setting::PageReadonly => self.page.set_readonly(raw, form, name, place)?,
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
            JobKey::Tz => put(&mut job.tz, value::zone(raw)?, place),
            JobKey::Enabled => put(&mut job.enabled, value::boolean(raw, form, name)?, place),
            JobKey::Overlap => put(&mut job.overlap, value::overlap(raw)?, place),
            JobKey::Timeout => put(&mut job.timeout, attempts::timeout(raw, name)?, place),
            JobKey::Retries => put(&mut job.retries, attempts::retries(raw, form, name)?, place),
            JobKey::Backoff => put(&mut job.backoff, attempts::backoff(raw, name)?, place),
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
            if let (Some(schedule), Some(every)) = (&job.schedule, &job.every) {
                problems.push(
                    Problem::new(format!("`job.{name}` has both `schedule` and `every`"))
                        .at(schedule.place.clone().max(every.place.clone()))
                        .help("keep one of them; it replaces all schedules of the job's attribute"),
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

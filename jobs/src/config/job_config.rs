//! What code says about one job.

use std::time::Duration;

use super::attempts;
use super::keys::{JobKey, Key};
use super::layer::Layer;
use super::value::{Form, Raw};
use crate::error::{Place, Problem};

/// What a deployment says about one job, in the closure of [`Config::job`](super::Config::job).
///
/// Every method takes the place of what the job's attribute, the file and the environment say about the same thing.
#[derive(Debug)]
#[must_use = "the closure of `Config::job` returns what it was given"]
pub struct JobConfig {
    name: String,
    place: Place,
    /// Where the schedules of this job are collected until all are known.
    schedules: Vec<Raw>,
    layer: Layer,
    problems: Vec<Problem>,
}

impl JobConfig {
    pub(super) fn new(name: String, place: Place) -> Self {
        let mut layer = Layer::default();
        layer.mention(&name, &place);
        Self { name, place, schedules: Vec::new(), layer, problems: Vec::new() }
    }

    /// The schedule of the job, a spec or a name with `cron.`, in place of all those of its attribute.
    /// Called again, it adds another.
    pub fn schedule(mut self, text: impl Into<String>) -> Self {
        self.schedules.push(Raw::Text(text.into()));
        self
    }

    /// The interval of the job, start to start and 10 ms at least, in place of all schedules of its attribute.
    pub fn every(self, interval: Duration) -> Self {
        let text = jobs_syntax::format_duration(interval);
        self.set(JobKey::Every, &Raw::Text(text))
    }

    /// The time from the end of a run to the next slot, 10 ms at least, in place of all schedules of its attribute.
    pub fn fixed_delay(self, delay: Duration) -> Self {
        let text = jobs_syntax::format_duration(delay);
        self.set(JobKey::FixedDelay, &Raw::Text(text))
    }

    /// By how much each slot may be late, at random: less than this, and never past the next slot.
    pub fn jitter(self, jitter: Duration) -> Self {
        let text = jobs_syntax::format_duration(jitter);
        self.set(JobKey::Jitter, &Raw::Text(text))
    }

    /// Takes the jitter of the attribute away.
    pub fn without_jitter(self) -> Self {
        self.set(JobKey::Jitter, &Raw::Text(attempts::OFF.to_owned()))
    }

    /// Which of the slots that passed while nothing could run are made up for: `skip`, `once`, `all`, or one of the
    /// latter two with a window, `all within 6h`.
    pub fn missed(self, policy: impl Into<String>) -> Self {
        self.set(JobKey::Missed, &Raw::Text(policy.into()))
    }

    /// The zone of the schedules that name none, or `local`.
    pub fn tz(self, zone: impl Into<String>) -> Self {
        self.set(JobKey::Tz, &Raw::Text(zone.into()))
    }

    /// Whether the schedules and the start-up of the job fire here. In a cluster a process in which they do not executes no runs
    /// of the job either: these are left to others.
    pub fn enabled(self, enabled: bool) -> Self {
        self.set(JobKey::Enabled, &Raw::Boolean(enabled))
    }

    /// What becomes of a slot while a run of the job is live: `buffer_one`, `buffer_all`, `skip`, `allow` or
    /// `cancel_other`.
    pub fn overlap(self, policy: impl Into<String>) -> Self {
        self.set(JobKey::Overlap, &Raw::Text(policy.into()))
    }

    /// How long one attempt may take, 1 ms at least; longer, and it has failed.
    pub fn timeout(self, timeout: Duration) -> Self {
        let text = jobs_syntax::format_duration(timeout);
        self.set(JobKey::Timeout, &Raw::Text(text))
    }

    /// Takes the timeout of the attribute away: an attempt may take as long as it does.
    pub fn without_timeout(self) -> Self {
        self.set(JobKey::Timeout, &Raw::Text(attempts::OFF.to_owned()))
    }

    /// How often a run is tried again after an attempt that failed, up to 10 000; 0 is never.
    pub fn retries(self, retries: u32) -> Self {
        self.set(JobKey::Retries, &Raw::Integer(retries.into()))
    }

    /// The wait before a retry: the first, which doubles for each further one up to the longest. Both are 10 ms at
    /// least.
    pub fn backoff(self, first: Duration, longest: Duration) -> Self {
        let [first, longest] = [first, longest].map(jobs_syntax::format_duration);
        self.set(JobKey::Backoff, &Raw::Text(format!("{first}..{longest}")))
    }

    /// The queue of the job's runs: `a` to `z`, digits, `_` and `-`.
    pub fn queue(self, queue: impl Into<String>) -> Self {
        self.set(JobKey::Queue, &Raw::Text(queue.into()))
    }

    /// The priority of the job's runs in their queue, from -100 to 100; a higher one goes first.
    pub fn priority(self, priority: i8) -> Self {
        self.set(JobKey::Priority, &Raw::Integer(priority.into()))
    }

    /// How many attempts of the job execute at the same time, 1 at least.
    pub fn concurrency(self, attempts: u32) -> Self {
        self.set(JobKey::Concurrency, &Raw::Integer(attempts.into()))
    }

    /// Takes the limit of the attribute away: the pool and the queue alone limit the job.
    pub fn without_concurrency(self) -> Self {
        self.set(JobKey::Concurrency, &Raw::Text(attempts::OFF.to_owned()))
    }

    /// How many attempts of the job may start in how much time; both are above zero.
    pub fn rate(self, attempts: u32, per: Duration) -> Self {
        let per = jobs_syntax::format_duration(per);
        self.set(JobKey::Rate, &Raw::Text(format!("{attempts}/{per}")))
    }

    /// Takes the rate of the attribute away.
    pub fn without_rate(self) -> Self {
        self.set(JobKey::Rate, &Raw::Text(attempts::OFF.to_owned()))
    }

    /// Whether submissions with the same arguments are one, as long as the run of the first is live.
    pub fn unique(self, unique: bool) -> Self {
        self.set(JobKey::Unique, &Raw::Boolean(unique))
    }

    /// Makes submissions with the same arguments in one window of time one.
    pub fn unique_per(self, window: Duration) -> Self {
        let text = jobs_syntax::format_duration(window);
        self.set(JobKey::Unique, &Raw::Text(text))
    }

    fn set(mut self, key: JobKey, raw: &Raw) -> Self {
        let key = Key::Job(self.name.clone(), key);
        self.layer.set(key, raw, Form::Code, self.place.clone(), &mut self.problems);
        self
    }

    pub(super) fn finish(mut self) -> (Layer, Vec<Problem>) {
        if !self.schedules.is_empty() {
            let schedules = Raw::Array(std::mem::take(&mut self.schedules));
            self = self.set(JobKey::Schedule, &schedules);
        }
        self.layer.check(&mut self.problems);
        (self.layer, self.problems)
    }
}

//! What holds for one job, and who says so: for the status page.

use std::time::Duration;

use jobs_syntax::format_duration;

use super::Jobs;
use crate::config::{JobOverrides, Sourced};
use crate::error::Place;
use crate::job::info::JobInfo;
use crate::job::options::{RETRIES_OF_SUBMISSIONS, Unique};

/// A setting of a job that is in force.
#[derive(Debug, Clone)]
pub(crate) struct SettingInForce {
    /// Its key in the attribute and in the config.
    pub(crate) key: &'static str,
    pub(crate) value: String,
    pub(crate) said_by: SaidBy,
}

/// Who says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SaidBy {
    /// Nobody: it is the default.
    Default,
    /// The attribute.
    Attribute,
    /// The config, here.
    Config(Place),
}

impl Jobs {
    /// The settings of a job that are in force, by its name.
    pub(crate) fn in_force(&self, job: &str) -> Vec<SettingInForce> {
        let Ok(ix) = self.find_job(job) else { return Vec::new() };
        let info = self.inner.pool.read(|memory| memory.job(ix).info.clone());
        let settings = self.inner.settings();
        of(&info, settings.overrides.get(&*info.name), &settings.self_concurrent.place)
    }
}

fn of(info: &JobInfo, said: Option<&JobOverrides>, self_concurrent: &Place) -> Vec<SettingInForce> {
    let declared = info.descriptor;
    let attempts = declared.map(|declared| declared.attempts);
    let limits = declared.map(|declared| declared.limits);
    let by = |config: Option<Place>, attribute: bool| match config {
        Some(place) => SaidBy::Config(place),
        None if attribute => SaidBy::Attribute,
        None => SaidBy::Default,
    };
    let none = || "none".to_owned();
    let mut all = Vec::new();
    let mut add = |key, value: String, said_by| all.push(SettingInForce { key, value, said_by });

    let enabled = said.and_then(|said| place(&said.enabled));
    add("enabled", info.enabled.to_string(), by(enabled, declared.is_some_and(|declared| !declared.enabled)));
    let overlap =
        match (said.and_then(|said| place(&said.overlap)), declared.and_then(|declared| declared.overlap)) {
            (Some(place), _) => SaidBy::Config(place),
            (None, Some(_)) => SaidBy::Attribute,
            // `jobs.selfconcurrent` is about all jobs that say nothing themselves.
            (None, None) => match self_concurrent {
                Place::Default => SaidBy::Default,
                place => SaidBy::Config(place.clone()),
            },
        };
    add("overlap", info.overlap.as_str().to_owned(), overlap);
    let timeout = info.attempts.timeout.map_or_else(none, format_duration);
    let by_attribute = attempts.is_some_and(|attempts| attempts.timeout.is_some());
    add("timeout", timeout, by(said.and_then(|said| place(&said.timeout)), by_attribute));
    let retries = match info.attempts.retries {
        Some(retries) => retries.to_string(),
        None => format!("{RETRIES_OF_SUBMISSIONS}, none for slots"),
    };
    let by_attribute = attempts.is_some_and(|attempts| attempts.retries.is_some());
    add("retries", retries, by(said.and_then(|said| place(&said.retries)), by_attribute));
    let by_attribute = attempts.is_some_and(|attempts| attempts.backoff.is_some());
    add(
        "backoff",
        info.attempts.backoff().to_string(),
        by(said.and_then(|said| place(&said.backoff)), by_attribute),
    );
    let by_attribute = limits.is_some_and(|limits| limits.queue.is_some());
    add("queue", info.limits.queue.to_string(), by(said.and_then(|said| place(&said.queue)), by_attribute));
    let by_attribute = limits.is_some_and(|limits| limits.priority.is_some());
    add(
        "priority",
        info.limits.priority.to_string(),
        by(said.and_then(|said| place(&said.priority)), by_attribute),
    );
    let concurrency = info.limits.concurrency.map_or_else(none, |limit| limit.to_string());
    let by_attribute = limits.is_some_and(|limits| limits.concurrency.is_some());
    add("concurrency", concurrency, by(said.and_then(|said| place(&said.concurrency)), by_attribute));
    let rate = info.limits.rate.map_or_else(none, |rate| rate.to_string());
    let by_attribute = limits.is_some_and(|limits| limits.rate.is_some());
    add("rate", rate, by(said.and_then(|said| place(&said.rate)), by_attribute));
    let by_attribute = limits.is_some_and(|limits| limits.unique.is_some());
    add("unique", unique(info.limits.unique), by(said.and_then(|said| place(&said.unique)), by_attribute));
    all
}

fn place<T>(said: &Option<Sourced<T>>) -> Option<Place> {
    said.as_ref().map(|said| said.place.clone())
}

fn unique(unique: Option<Unique>) -> String {
    let window = |window: Duration| format!("by arguments, within {}", format_duration(window));
    match unique {
        None => "no".to_owned(),
        Some(Unique::Args) => "by arguments".to_owned(),
        Some(Unique::Per(per)) => window(per),
        Some(Unique::Fields(fields)) => format!("by {}", fields.join(", ")),
    }
}

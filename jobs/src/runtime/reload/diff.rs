//! What differs between two configs, as plain functions of both.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::num::NonZeroUsize;
use std::time::Duration;

use jobs_syntax::format_duration;

use super::{Reloaded, ReloadedSetting};
use crate::config::Settings;
use crate::job::info::JobInfo;
use crate::job::options::{Limits, Unique};
use crate::registry::Resolved;

/// What becomes of a schedule. The numbers are places among those of the job before.
pub(super) enum Step {
    Keep(usize),
    Redefine(usize, Resolved),
    Add(Resolved),
    Remove(usize),
}

/// What becomes of the schedules of a job: first of those there are now, in their order, then of those that are gone. Of
/// several with one key, the first is still the first.
pub(super) fn schedules(before: Vec<Resolved>, after: Vec<Resolved>) -> Vec<Step> {
    let mut before: Vec<Option<Resolved>> = before.into_iter().map(Some).collect();
    let mut steps: Vec<_> = after
        .into_iter()
        .map(|is| {
            let base = is.identity.base(&is.timing);
            let same = |was: &Option<Resolved>| {
                was.as_ref().is_some_and(|was| was.identity.base(&was.timing) == base)
            };
            let Some(at) = before.iter().position(same) else { return Step::Add(is) };
            match before[at].take() {
                Some(was) if was.timing == is.timing && was.options == is.options => Step::Keep(at),
                _ => Step::Redefine(at, is),
            }
        })
        .collect();
    steps.extend((0..before.len()).filter(|at| before[*at].is_some()).map(Step::Remove));
    steps
}

/// What differs about a job.
pub(super) fn settings(was: &JobInfo, is: &JobInfo, reloaded: &mut Reloaded) {
    let job = &*is.name;
    let mut applied = |key: &str, before: String, after: String| {
        if before != after {
            reloaded.settings.push(ReloadedSetting { key: format!("job.{job}.{key}"), before, after });
        }
    };
    let duration = |timeout: Option<Duration>| timeout.map_or("none".to_owned(), format_duration);
    let retries =
        |retries: Option<u32>| retries.map_or("the default".to_owned(), |retries| retries.to_string());
    applied("enabled", was.enabled.to_string(), is.enabled.to_string());
    applied("overlap", was.overlap.to_string(), is.overlap.to_string());
    applied("timeout", duration(was.attempts.timeout), duration(is.attempts.timeout));
    applied("retries", retries(was.attempts.retries), retries(is.attempts.retries));
    applied("backoff", was.attempts.backoff().to_string(), is.attempts.backoff().to_string());

    let limit = |limit: Option<String>| limit.unwrap_or_else(|| "none".to_owned());
    let (was, is) = (&was.limits, &is.limits);
    let concurrency = |limits: &Limits| limit(limits.concurrency.map(|limit| limit.to_string()));
    let rate = |limits: &Limits| limit(limits.rate.map(|rate| rate.to_string()));
    applied("concurrency", concurrency(was), concurrency(is));
    applied("rate", rate(was), rate(is));
    applied("queue", was.queue.to_string(), is.queue.to_string());
    applied("priority", was.priority.to_string(), is.priority.to_string());
    applied("unique", unique(was.unique), unique(is.unique));
}

/// As an attribute and the config say it.
fn unique(unique: Option<Unique>) -> String {
    match unique {
        None => "false".to_owned(),
        Some(Unique::Args) => "true".to_owned(),
        Some(Unique::Fields(fields)) => format!("unique({})", fields.join(", ")),
        Some(Unique::Per(window)) => format_duration(window),
    }
}

/// What differs about the instance and takes effect at once.
pub(super) fn instance(was: &Settings, is: &Settings, reloaded: &mut Reloaded) {
    let mut applied = |key: String, before: String, after: String| {
        if before != after {
            reloaded.settings.push(ReloadedSetting { key, before, after });
        }
    };
    let pool = |settings: &Settings| size(settings.pool.value, "unlimited");
    applied("jobs.pool".to_owned(), pool(was), pool(is));
    let queues: BTreeSet<_> = was.queues.keys().chain(is.queues.keys()).collect();
    for queue in queues {
        let limit =
            |settings: &Settings| size(settings.queues.get(queue).map(|size| size.value), "the pool's");
        applied(format!("jobs.queues.{queue}"), limit(was), limit(is));
    }
    let patience = |settings: &Settings| format_duration(settings.shutdown_timeout.value);
    applied("jobs.shutdown_timeout".to_owned(), patience(was), patience(is));
    let age = |settings: &Settings| format_duration(settings.retention.value);
    applied("jobs.retention".to_owned(), age(was), age(is));
    let count = |settings: &Settings| settings.retention_count.value.to_string();
    applied("jobs.retention_count".to_owned(), count(was), count(is));
}

fn size(limit: Option<NonZeroUsize>, none: &str) -> String {
    limit.map_or_else(|| none.to_owned(), |limit| limit.to_string())
}

/// Keys of the instance that differ and cannot take effect while it runs.
pub(super) fn needs_restart(was: &Settings, is: &Settings, keys: &mut Vec<String>) {
    let mut later = |key: &str, was: &dyn Debug, is: &dyn Debug| {
        if format!("{was:?}") != format!("{is:?}") {
            keys.push(key.to_owned());
        }
    };
    later("jobs.store", &was.store.value, &is.store.value);
    later("jobs.acceptproxyaddress", &was.accept_proxy_address.value, &is.accept_proxy_address.value);
    later("jobs.trusted_proxies", &was.trusted_proxies.value, &is.trusted_proxies.value);
    #[cfg(feature = "web")]
    if is.page.auth.as_ref().map(|auth| (&auth.user, &auth.pass))
        != was.page.auth.as_ref().map(|auth| (&auth.user, &auth.pass))
        || is.page.readonly != was.page.readonly
        || is.page.metrics_public != was.page.metrics_public
    {
        keys.push("jobs.auth".to_owned());
    }
}

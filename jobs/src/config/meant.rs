//! What a wrong key was probably meant to be.

use super::auth::AuthKey;
use super::keys::{JobKey, Key, Setting};

/// What other systems call our settings, where the spelling is too far off to guess from.
const OTHER_WORDS_FOR_SETTINGS: [(&str, Setting); 23] = [
    ("workers", Setting::Pool),
    ("threads", Setting::Pool),
    ("pool_size", Setting::Pool),
    ("poolsize", Setting::Pool),
    ("size", Setting::Pool),
    ("max", Setting::Pool),
    ("concurrency", Setting::Pool),
    ("tz", Setting::Timezone),
    ("zone", Setting::Timezone),
    ("time_zone", Setting::Timezone),
    ("database", Setting::Store),
    ("database_url", Setting::Store),
    ("db", Setting::Store),
    ("url", Setting::Store),
    ("storage", Setting::Store),
    ("backend", Setting::Store),
    ("timeout", Setting::ShutdownTimeout),
    ("grace_period", Setting::ShutdownTimeout),
    ("ttl", Setting::Retention),
    ("keep", Setting::Retention),
    ("history", Setting::Retention),
    ("max_history", Setting::RetentionCount),
    ("keep_count", Setting::RetentionCount),
];

/// What other systems call our keys of a job.
const OTHER_WORDS_FOR_JOB_KEYS: [(&str, JobKey); 21] = [
    ("cron", JobKey::Schedule),
    ("spec", JobKey::Schedule),
    ("when", JobKey::Schedule),
    ("at", JobKey::Schedule),
    ("interval", JobKey::Every),
    ("timezone", JobKey::Tz),
    ("zone", JobKey::Tz),
    ("disabled", JobKey::Enabled),
    ("active", JobKey::Enabled),
    ("selfconcurrent", JobKey::Overlap),
    ("retry", JobKey::Retries),
    ("max_retries", JobKey::Retries),
    ("time_limit", JobKey::Timeout),
    ("deadline", JobKey::Timeout),
    ("delay", JobKey::FixedDelay),
    ("misfire", JobKey::Missed),
    ("catch_up", JobKey::Missed),
    ("prio", JobKey::Priority),
    ("max_concurrency", JobKey::Concurrency),
    ("rate_limit", JobKey::Rate),
    ("throttle", JobKey::Rate),
];

/// The key that the user probably meant.
pub(super) fn meant(key: &str) -> Option<String> {
    let lower = key.to_lowercase().replace('-', "_");
    let parts: Vec<&str> = lower.split('.').collect();
    match parts.as_slice() {
        ["job", name, key] => {
            let meant = other_word(&OTHER_WORDS_FOR_JOB_KEYS, key).map(JobKey::name);
            let meant = meant.or_else(|| nearest_of(key, JobKey::ALL.map(JobKey::name)))?;
            Some(format!("job.{name}.{meant}"))
        }
        ["jobs", section, name] | [section, name] if nearest_of(section, ["queues"]).is_some() => {
            Some(format!("jobs.queues.{name}"))
        }
        // A setting, perhaps without its section or with its words parted: `pool`, `jobs.poll`, `jobs.trusted.proxies`.
        _ => {
            let bare = lower.strip_prefix("jobs.").unwrap_or(&lower).replace('.', "_");
            let meant = other_word(&OTHER_WORDS_FOR_SETTINGS, &bare).map(|s| s.name()).or_else(|| {
                let settings = Setting::ALL.map(Setting::name).into_iter();
                nearest_of(&bare, settings.chain(AuthKey::ALL.map(AuthKey::name)))
            });
            match meant {
                Some(meant) => Some(format!("jobs.{meant}")),
                None => section(&parts),
            }
        }
    }
}

/// Mends the first part: `crons.nightly`, `Job.x.enabled`, `module.jobs.pool`.
fn section(parts: &[&str]) -> Option<String> {
    let (first, rest) = parts.split_first()?;
    let section = nearest_of(first, ["cron", "jobs", "job"])?;
    if rest.is_empty() || section == *first {
        return None;
    }
    let mended: Vec<&str> = std::iter::once(section).chain(rest.iter().copied()).collect();
    Key::parse(&mended).ok().map(|key| key.to_string())
}

fn other_word<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours)
}

/// The candidate nearest to a word.
pub(super) fn nearest_of<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    jobs_syntax::nearest(word, candidates)
}

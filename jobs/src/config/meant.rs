//! What a wrong key was probably meant to be.

use super::auth::AuthKey;
use super::keys::{JobKey, Key, LATER_JOB_KEYS, LATER_SETTINGS, Setting};

/// What other systems call our settings, where the spelling is too far off to guess from.
const OTHER_WORDS_FOR_SETTINGS: [(&str, Setting); 18] = [
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
];

/// What other systems call our keys of a job.
const OTHER_WORDS_FOR_JOB_KEYS: [(&str, JobKey); 14] = [
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
];

/// What a wrong key was probably meant to be.
pub(super) enum Guess {
    Key(String),
    /// A key that this version does not have yet.
    Later(String),
}

/// The key that the user probably meant.
pub(super) fn meant(key: &str) -> Option<Guess> {
    let lower = key.to_lowercase().replace('-', "_");
    let parts: Vec<&str> = lower.split('.').collect();
    match parts.as_slice() {
        ["job", name, key] => {
            let meant = other_word(&OTHER_WORDS_FOR_JOB_KEYS, key).map(|k| k.name()).or_else(|| {
                nearest_of(key, JobKey::ALL.map(JobKey::name).into_iter().chain(LATER_JOB_KEYS))
            })?;
            Some(guess(format!("job.{name}.{meant}"), LATER_JOB_KEYS.contains(&meant)))
        }
        // A setting, perhaps without its section or with its words parted: `pool`, `jobs.poll`, `jobs.trusted.proxies`.
        _ => {
            let bare = lower.strip_prefix("jobs.").unwrap_or(&lower).replace('.', "_");
            let meant = other_word(&OTHER_WORDS_FOR_SETTINGS, &bare).map(|s| s.name()).or_else(|| {
                let settings = Setting::ALL.map(Setting::name).into_iter();
                nearest_of(&bare, settings.chain(AuthKey::ALL.map(AuthKey::name)).chain(LATER_SETTINGS))
            });
            match meant {
                Some(meant) => Some(guess(format!("jobs.{meant}"), LATER_SETTINGS.contains(&meant))),
                None => section(&parts),
            }
        }
    }
}

fn guess(key: String, later: bool) -> Guess {
    if later { Guess::Later(key) } else { Guess::Key(key) }
}

/// Mends the first part: `crons.nightly`, `Job.x.enabled`, `module.jobs.pool`.
fn section(parts: &[&str]) -> Option<Guess> {
    let (first, rest) = parts.split_first()?;
    let section = nearest_of(first, ["cron", "jobs", "job"])?;
    if rest.is_empty() || section == *first {
        return None;
    }
    let mended: Vec<&str> = std::iter::once(section).chain(rest.iter().copied()).collect();
    Key::parse(&mended).ok().map(|key| Guess::Key(key.to_string()))
}

fn other_word<T: Copy>(words: &[(&str, T)], word: &str) -> Option<T> {
    words.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours)
}

/// The candidate nearest to a word.
pub(super) fn nearest_of<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let candidates: Vec<&str> = candidates.into_iter().collect();
    jobs_syntax::nearest(word, candidates)
}

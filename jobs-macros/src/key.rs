//! The keys of `#[job(…)]`.

use jobs_syntax::nearest;

/// Every key, in the order of the documentation, with how it is written.
pub(crate) const KEYS: [(&str, &str); 24] = [
    ("schedule", "schedule = \"0 0 3 * * *\""),
    ("every", "every = \"24h\""),
    ("fixed_delay", "fixed_delay = \"5m\""),
    ("tz", "tz = \"Europe/Oslo\""),
    ("jitter", "jitter = \"30s\""),
    ("missed", "missed = \"once\""),
    ("args", "args(to = \"ops\")"),
    ("key", "key = \"nightly\""),
    ("startup", "startup"),
    ("order", "order = 10"),
    ("overlap", "overlap = \"skip\""),
    ("timeout", "timeout = \"30s\""),
    ("retries", "retries = 5"),
    ("backoff", "backoff = \"1s..10m\""),
    ("queue", "queue = \"mail\""),
    ("priority", "priority = 10"),
    ("concurrency", "concurrency = 2"),
    ("rate", "rate = \"100/1m\""),
    ("unique", "unique"),
    ("name", "name = \"mail_reminders\""),
    ("aliases", "aliases = [\"old_name\"]"),
    ("enabled", "enabled = false"),
    ("struct_name", "struct_name = SweepJob"),
    ("crate", "crate = background"),
];

/// What others call it, where the nearest spelling would not find it.
const ELSEWHERE: [(&str, &str); 32] = [
    ("cron", "schedule"),
    ("spec", "schedule"),
    ("at", "schedule"),
    ("interval", "every"),
    ("timezone", "tz"),
    ("time_zone", "tz"),
    ("zone", "tz"),
    ("on_start", "startup"),
    ("alias", "aliases"),
    ("arguments", "args"),
    ("disabled", "enabled"),
    ("retry", "retries"),
    ("max_retries", "retries"),
    ("time_limit", "timeout"),
    ("deadline", "timeout"),
    ("delay", "fixed_delay"),
    ("fixed_rate", "every"),
    ("splay", "jitter"),
    ("misfire", "missed"),
    ("catch_up", "missed"),
    ("catchup", "missed"),
    ("queue_name", "queue"),
    ("prio", "priority"),
    ("max_concurrency", "concurrency"),
    ("max_running", "concurrency"),
    ("throttle", "rate"),
    ("rate_limit", "rate"),
    ("dedup", "unique"),
    ("singleton", "unique"),
    ("selfconcurrent", "overlap"),
    ("self_concurrent", "overlap"),
    ("concurrent", "overlap"),
];

/// How a key is written.
pub(crate) fn example(key: &str) -> &'static str {
    KEYS.iter().find(|(name, _)| *name == key).map_or("", |(_, example)| example)
}

/// Whether a key stands alone as well, without a value.
pub(crate) fn is_flag(key: &str) -> bool {
    !key.is_empty() && example(key) == key
}

/// Why `word` is no key, and what was meant.
pub(crate) fn unknown(word: &str) -> String {
    if word == "redact" {
        return "`redact` is no key\nhelp: it stands on a parameter: `#[redact] token: String`".to_owned();
    }
    if ["description", "desc", "doc", "about"].contains(&word) {
        return format!(
            "`{word}` is no key\nhelp: the doc comment of the function is the description of the job"
        );
    }
    let names = || KEYS.iter().map(|(name, _)| *name);
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours);
    match elsewhere.or_else(|| nearest(word, names())) {
        Some(near) => {
            format!("unknown key `{word}`\nhelp: did you mean `{near}`? it is written `{}`", example(near))
        }
        None => format!("unknown key `{word}`\n{}", all()),
    }
}

/// What to write for a key with a path before it.
pub(crate) fn qualified(word: &str) -> String {
    match example(word) {
        "" => format!("a key stands without a path\n{}", all()),
        _ => format!("a key stands without a path\nhelp: write `{word}` alone"),
    }
}

/// The keys there are, as a line of help.
fn all() -> String {
    let names: Vec<String> = KEYS.iter().map(|(name, _)| format!("`{name}`")).collect();
    format!("help: the keys are {}", names.join(", "))
}

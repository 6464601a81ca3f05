//! The keys of `#[job(…)]`.

use jobs_syntax::nearest;

/// Every key, in the order of the documentation, with how it is written.
pub(crate) const KEYS: [(&str, &str); 16] = [
    ("schedule", "schedule = \"0 0 3 * * *\""),
    ("every", "every = \"24h\""),
    ("tz", "tz = \"Europe/Oslo\""),
    ("args", "args(to = \"ops\")"),
    ("key", "key = \"nightly\""),
    ("startup", "startup"),
    ("order", "order = 10"),
    ("overlap", "overlap = \"skip\""),
    ("timeout", "timeout = \"30s\""),
    ("retries", "retries = 5"),
    ("backoff", "backoff = \"1s..10m\""),
    ("name", "name = \"mail_reminders\""),
    ("aliases", "aliases = [\"old_name\"]"),
    ("enabled", "enabled = false"),
    ("struct_name", "struct_name = SweepJob"),
    ("crate", "crate = background"),
];

/// Keys that the design has and this version does not.
pub(crate) const LATER: [&str; 9] =
    ["queue", "priority", "concurrency", "rate", "unique", "missed", "jitter", "fixed_delay", "redact"];

/// What others call it, where the nearest spelling would not find it.
const ELSEWHERE: [(&str, &str); 15] = [
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
];

/// How a key is written.
pub(crate) fn example(key: &str) -> &'static str {
    KEYS.iter().find(|(name, _)| *name == key).map_or("", |(_, example)| example)
}

/// Why `word` is no key, and what was meant.
pub(crate) fn unknown(word: &str) -> String {
    if LATER.contains(&word) {
        return format!(
            "the key `{word}` is not supported yet: this version of `jobs` does not have it\n{}",
            all()
        );
    }
    let names = || KEYS.iter().map(|(name, _)| *name);
    let elsewhere = ELSEWHERE.iter().find(|(other, _)| *other == word).map(|(_, ours)| *ours);
    match elsewhere.or_else(|| nearest(word, names())) {
        Some(near) => {
            format!("unknown key `{word}`\nhelp: did you mean `{near}`? it is written `{}`", example(near))
        }
        None => match nearest(word, LATER) {
            Some(later) => format!(
                "unknown key `{word}`\nhelp: `{later}` is near, but this version of `jobs` does not support it yet\n{}",
                all()
            ),
            None => format!("unknown key `{word}`\n{}", all()),
        },
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

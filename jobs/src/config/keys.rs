//! The keys: which there are, which come later, and what a wrong one was probably meant to be.

use std::fmt;

use super::auth::AuthKey;
use super::meant::meant;
use super::shown::shown;
use crate::error::Problem;

/// A key, as its text is understood.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Key {
    /// `cron.<name>`, kept with the `cron.`.
    Named(String),
    /// `jobs.<setting>`.
    Setting(Setting),
    /// `jobs.queues.<name>`, without the `jobs.queues.`.
    Queue(String),
    /// `job.<name>.<key>`.
    Job(String, JobKey),
}

/// The settings of the section `jobs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Setting {
    Pool,
    SelfConcurrent,
    Timezone,
    Store,
    ShutdownTimeout,
    AcceptProxyAddress,
    Retention,
    RetentionCount,
    TrustedProxies,
    PageReadonly,
    MetricsPublic,
    Auth(AuthKey),
}

/// The keys of a job that a deployment may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum JobKey {
    Schedule,
    Every,
    FixedDelay,
    Tz,
    Jitter,
    Missed,
    Enabled,
    Overlap,
    Timeout,
    Retries,
    Backoff,
    Queue,
    Priority,
    Concurrency,
    Rate,
    Unique,
}

impl Setting {
    /// All but those of `jobs.auth`.
    pub(super) const ALL: [Self; 11] = [
        Self::Pool,
        Self::SelfConcurrent,
        Self::Timezone,
        Self::Store,
        Self::ShutdownTimeout,
        Self::Retention,
        Self::RetentionCount,
        Self::AcceptProxyAddress,
        Self::TrustedProxies,
        Self::PageReadonly,
        Self::MetricsPublic,
    ];

    /// The name without `jobs.`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::SelfConcurrent => "selfconcurrent",
            Self::Timezone => "timezone",
            Self::Store => "store",
            Self::ShutdownTimeout => "shutdown_timeout",
            Self::AcceptProxyAddress => "acceptproxyaddress",
            Self::Retention => "retention",
            Self::RetentionCount => "retention_count",
            Self::TrustedProxies => "trusted_proxies",
            Self::PageReadonly => "page_readonly",
            Self::MetricsPublic => "metrics_public",
            Self::Auth(key) => key.name(),
        }
    }
}

impl JobKey {
    pub(super) const ALL: [Self; 16] = [
        Self::Schedule,
        Self::Every,
        Self::FixedDelay,
        Self::Tz,
        Self::Jitter,
        Self::Missed,
        Self::Enabled,
        Self::Overlap,
        Self::Timeout,
        Self::Retries,
        Self::Backoff,
        Self::Queue,
        Self::Priority,
        Self::Concurrency,
        Self::Rate,
        Self::Unique,
    ];

    /// The name behind `job.<name>.`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Schedule => "schedule",
            Self::Every => "every",
            Self::FixedDelay => "fixed_delay",
            Self::Tz => "tz",
            Self::Jitter => "jitter",
            Self::Missed => "missed",
            Self::Enabled => "enabled",
            Self::Overlap => "overlap",
            Self::Timeout => "timeout",
            Self::Retries => "retries",
            Self::Backoff => "backoff",
            Self::Queue => "queue",
            Self::Priority => "priority",
            Self::Concurrency => "concurrency",
            Self::Rate => "rate",
            Self::Unique => "unique",
        }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Setting(setting) => write!(f, "jobs.{}", setting.name()),
            Self::Queue(queue) => write!(f, "jobs.queues.{queue}"),
            Self::Job(job, key) => write!(f, "job.{job}.{}", key.name()),
        }
    }
}

/// Keys of a job that only its attribute can say: they are part of what the program is.
const CODE_JOB_KEYS: [&str; 11] = [
    "startup",
    "order",
    "args",
    "key",
    "name",
    "aliases",
    "struct_name",
    "crate",
    "default",
    "redact",
    "state",
];

/// Why a text is not a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct KeyError {
    pub(super) message: String,
    pub(super) help: Option<String>,
}

impl KeyError {
    /// The problem, without its place.
    pub(super) fn problem(self) -> Problem {
        let problem = Problem::new(self.message);
        match self.help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }

    fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: message.into(), help: Some(help.into()) }
    }
}

/// How the format of a source writes a key, so that messages show what the user can type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spelling {
    /// `jobs.pool`
    Dotted,
    /// `JOBS__POOL`
    Env,
}

impl Spelling {
    /// A key in this spelling.
    pub(super) fn write(self, key: &str) -> String {
        match self {
            Self::Dotted => key.to_owned(),
            Self::Env => {
                let key = key.strip_prefix("jobs.").unwrap_or(key);
                format!("JOBS__{}", key.replace('.', "__").replace('-', "_").to_uppercase())
            }
        }
    }
}

impl Key {
    /// Whether the value is a text, rather than a number or a boolean.
    pub(super) fn is_text(&self) -> bool {
        !matches!(
            self,
            Self::Setting(
                Setting::Pool
                    | Setting::SelfConcurrent
                    | Setting::AcceptProxyAddress
                    | Setting::RetentionCount
                    | Setting::PageReadonly
                    | Setting::Auth(AuthKey::Enabled)
            ) | Self::Queue(_)
                | Self::Job(_, JobKey::Enabled | JobKey::Retries | JobKey::Priority | JobKey::Concurrency)
        )
    }

    /// Understands the parts of a dotted key.
    pub(super) fn parse(parts: &[&str]) -> Result<Self, KeyError> {
        Self::parse_spelled(parts, &parts.join("."), Spelling::Dotted)
    }

    /// Understands the parts of a key that the user wrote as `written`.
    pub(super) fn parse_spelled(parts: &[&str], written: &str, spelling: Spelling) -> Result<Self, KeyError> {
        match parts {
            ["cron"] => Err(KeyError::new(
                format!("{} lacks the name of a schedule", shown(written)),
                format!("named schedules are written `{}`", spelling.write("cron.NAME")),
            )),
            ["cron", name @ ..] => Self::named(&name.join("."), written),
            ["jobs"] => Err(KeyError::new(
                format!("{} lacks the name of a setting", shown(written)),
                format!("settings are {}", settings(spelling)),
            )),
            ["jobs", rest @ ..] => Self::setting(rest, written, spelling),
            ["job"] => Err(KeyError::new(
                format!("{} lacks the name of a job", shown(written)),
                format!("what is said about one job is written `{}`", spelling.write("job.NAME.KEY")),
            )),
            ["job", key] if JobKey::ALL.iter().any(|k| k.name() == *key) => Err(KeyError::new(
                format!("{} lacks the name of a job", shown(written)),
                format!("write `{}`", spelling.write(&format!("job.NAME.{key}"))),
            )),
            ["job", name] => Err(KeyError::new(
                format!("{} lacks a key of the job", shown(written)),
                format!(
                    "write `{}`, where the key is one of {}",
                    spelling.write(&format!("job.{name}.KEY")),
                    list(JobKey::ALL.map(|k| k.name().to_owned()))
                ),
            )),
            ["job", name @ .., key] => Self::job(&name.join("."), key, written, spelling),
            other => Err(unknown(written, &other.join("."), spelling)),
        }
    }

    fn named(name: &str, written: &str) -> Result<Self, KeyError> {
        if let Some(bare) = name.strip_prefix("cron.") {
            return Err(KeyError::new(
                format!("{} says `cron.` twice", shown(written)),
                format!("the section adds it: write `cron.{bare}`"),
            ));
        }
        let name = format!("cron.{name}");
        jobs_syntax::check_schedule_name(&name).map_err(bad_name)?;
        Ok(Self::Named(name))
    }

    fn setting(rest: &[&str], written: &str, spelling: Spelling) -> Result<Self, KeyError> {
        if let [name] = rest
            && let Some(setting) = Setting::ALL.into_iter().find(|s| s.name() == *name)
        {
            return Ok(Self::Setting(setting));
        }
        if let ["auth", rest @ ..] = rest {
            return AuthKey::parse(rest, written, spelling).map(|key| Self::Setting(Setting::Auth(key)));
        }
        if let ["queues", name @ ..] = rest {
            if name.is_empty() {
                return Err(KeyError::new(
                    format!("{} lacks the name of a queue", shown(written)),
                    format!("the size of a queue is written `{}`", spelling.write("jobs.queues.NAME")),
                ));
            }
            let name = name.join(".");
            jobs_syntax::check_queue_name(&name).map_err(bad_name)?;
            return Ok(Self::Queue(name));
        }
        Err(unknown(written, &format!("jobs.{}", rest.join(".")), spelling))
    }

    /// Whether the name can be that of a job.
    pub(super) fn check_job(name: &str) -> Result<(), KeyError> {
        jobs_syntax::check_job_name(name).map_err(bad_name)
    }

    fn job(name: &str, key: &str, written: &str, spelling: Spelling) -> Result<Self, KeyError> {
        Self::check_job(name)?;
        if let Some(key) = JobKey::ALL.into_iter().find(|k| k.name() == key) {
            return Ok(Self::Job(name.to_owned(), key));
        }
        if CODE_JOB_KEYS.contains(&key) {
            return Err(KeyError::new(
                format!("{} cannot be configured", shown(written)),
                format!(
                    "`{key}` belongs to the `#[job]` attribute; a deployment may change {}",
                    list(JobKey::ALL.map(|k| k.name().to_owned()))
                ),
            ));
        }
        Err(unknown(written, &format!("job.{name}.{key}"), spelling))
    }
}

fn bad_name(error: jobs_syntax::SyntaxError) -> KeyError {
    KeyError { message: error.message().to_owned(), help: error.help().map(str::to_owned) }
}

/// Says what an unknown key was probably meant to be; `key` is the dotted form of what was `written`.
fn unknown(written: &str, key: &str, spelling: Spelling) -> KeyError {
    let message = match spelling {
        Spelling::Dotted => format!("unknown key {}", shown(written)),
        Spelling::Env => format!("unknown variable {}", shown(written)),
    };
    let help = match meant(key) {
        Some(near) => {
            let near = format!("did you mean `{}`?", spelling.write(&near));
            // A key of a job that is also near to a setting: it may be either.
            match key
                .strip_prefix("jobs.")
                .and_then(|bare| JobKey::ALL.into_iter().find(|k| k.name() == bare))
            {
                Some(of_a_job) => {
                    let written = spelling.write(&format!("job.NAME.{}", of_a_job.name()));
                    format!("{near} of a single job it is `{written}`")
                }
                None => near,
            }
        }
        None => match key.split_once('.') {
            Some(("job", _)) => {
                format!("a job has the keys {}", list(JobKey::ALL.map(|k| k.name().to_owned())))
            }
            Some(("jobs", key)) if JobKey::ALL.iter().any(|known| known.name() == key) => {
                format!("it is said of a single job: write `{}`", spelling.write(&format!("job.NAME.{key}")))
            }
            Some(("jobs", _)) => format!("the settings are {}", settings(spelling)),
            _ => format!(
                "there are `{}`, `{}` and {}",
                spelling.write("cron.NAME"),
                spelling.write("job.NAME.KEY"),
                settings(spelling)
            ),
        },
    };
    KeyError { message, help: Some(help) }
}

/// All that stands in the section `jobs`.
fn settings(spelling: Spelling) -> String {
    let names = Setting::ALL.map(Setting::name).into_iter().chain(["queues.NAME", "auth.user", "auth.pass"]);
    list(names.map(|name| spelling.write(&format!("jobs.{name}"))).collect::<Vec<_>>())
}

/// `a`, `b` and `c`, each in backticks.
pub(super) fn list(words: impl AsRef<[String]>) -> String {
    let words = words.as_ref();
    let mut text = String::new();
    for (i, word) in words.iter().enumerate() {
        let link = match i {
            0 => "",
            _ if i + 1 == words.len() => " and ",
            _ => ", ",
        };
        text.push_str(link);
        text.push('`');
        text.push_str(word);
        text.push('`');
    }
    text
}

//! Values as the sources have them, and what each setting makes of them.

use std::time::Duration;

use jobs_syntax::{Overlap, ScheduleText, Spec, SyntaxError, SyntaxErrorKind};

use super::proxies::Network;
use super::settings::{NamedSchedule, PostgresUrl, StoreUrl};
use super::shown::{hide_secrets, shown};
use crate::error::Problem;

/// A value before anybody asked what it means.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Raw {
    /// A text; the only kind that environment and `app.conf` have.
    Text(String),
    Integer(i64),
    /// An integer that 64 bits do not hold, as it was written.
    HugeInteger(String),
    Float(String),
    Boolean(bool),
    Datetime(String),
    Array(Vec<Raw>),
    Table,
}

/// What kind of source a value comes from: it decides how literal a text is taken, and how a fix is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Toml,
    Conf,
    Env,
    Code,
}

/// A mistake in a value: the message goes on from the key, as in `` `jobs.pool` must be … ``.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    message: String,
    help: Option<String>,
}

impl Mistake {
    pub(super) fn new(message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { message: format!(" {}", message.into()), help: Some(help.into()) }
    }

    /// A mistake inside the text, shown with a caret.
    pub(super) fn syntax(text: &str, error: &SyntaxError) -> Self {
        let help = error.help().map(str::to_owned);
        let mut message = format!(": {}", error.render(text));
        if let Some(help) = &help
            && let Some(without) = message.strip_suffix(&format!("\nhelp: {help}"))
        {
            message.truncate(without.len());
        }
        Self { message, help }
    }

    /// An interval is written into the spec, where there is no key `every` beside it.
    fn of_a_spec(mut self) -> Self {
        let rewritten = self.help.as_deref().and_then(|help| {
            let (before, rest) = help.split_once("`every = \"")?;
            let (interval, after) = rest.split_once("\"`")?;
            Some(format!("{before}`@every {interval}`{after}"))
        });
        self.help = rewritten.or(self.help);
        self
    }

    /// The problem of the key that has the value; the place is the caller's to add.
    pub(super) fn of(self, key: &str) -> Problem {
        let problem = Problem::new(format!("`{key}`{}", self.message));
        match self.help {
            Some(help) => problem.help(help),
            None => problem,
        }
    }
}

/// Most values have one mistake at most, and a list one for each item.
impl From<Mistake> for Vec<Mistake> {
    fn from(mistake: Mistake) -> Self {
        vec![mistake]
    }
}

impl Raw {
    /// The value as a message calls it.
    pub(super) fn described(&self) -> String {
        match self {
            Self::Text(text) if text.is_empty() => "an empty text".to_owned(),
            Self::Text(text) => format!("the text {}", shown(text)),
            Self::Integer(n) => format!("the number `{n}`"),
            Self::HugeInteger(n) | Self::Float(n) => format!("the number {}", shown(n)),
            Self::Boolean(b) => format!("`{b}`"),
            Self::Datetime(d) => format!("the date {}", shown(d)),
            Self::Array(_) => "a list".to_owned(),
            Self::Table => "a table".to_owned(),
        }
    }

    pub(super) fn text(&self, what: &str, example: &str) -> Result<&str, Mistake> {
        match self {
            Self::Text(text) => Ok(text),
            other => Err(Mistake::new(
                format!("must be {what}, not {}", other.described()),
                format!("write a text in quotes, such as `\"{example}\"`"),
            )),
        }
    }
}

/// A whole number.
pub(super) fn integer(raw: &Raw, form: Form, name: &str) -> Result<i64, Mistake> {
    let wrong = |help: &str| Mistake::new(format!("must be a whole number, not {}", raw.described()), help);
    match raw {
        Raw::Integer(n) => Ok(*n),
        Raw::HugeInteger(_) => {
            Err(wrong(&format!("numbers go up to {}; 0 or less means unlimited", i64::MAX)))
        }
        Raw::Text(text) => match (form, text.trim().parse::<i64>()) {
            (Form::Conf | Form::Env | Form::Code, Ok(n)) => Ok(n),
            (Form::Toml, Ok(n)) => Err(wrong(&format!("write the number without quotes: `{name} = {n}`"))),
            (Form::Conf, Err(_)) if unquoted(text).parse::<i64>().is_ok() => {
                Err(wrong(&format!("write the number without quotes: `{name} = {}`", unquoted(text))))
            }
            _ => Err(wrong("write a number such as `10`; 0 or less means unlimited")),
        },
        _ => Err(wrong("write a number such as `10`; 0 or less means unlimited")),
    }
}

/// `true` or `false`; where there is only text, also the other words that Revel reads.
pub(super) fn boolean(raw: &Raw, form: Form, name: &str) -> Result<bool, Mistake> {
    let wrong =
        |help: String| Mistake::new(format!("must be `true` or `false`, not {}", raw.described()), help);
    match raw {
        Raw::Boolean(b) => Ok(*b),
        Raw::Text(text) => match (form, boolean_word(text.trim())) {
            (Form::Toml, Some(b)) => Err(wrong(format!("write it without quotes: `{name} = {b}`"))),
            (_, Some(b)) => Ok(b),
            (Form::Toml, None) => Err(wrong(format!("write `{name} = true` or `{name} = false`"))),
            (_, None) if boolean_word(unquoted(text)).is_some() => {
                Err(wrong(format!("write it without quotes: `{name} = {}`", unquoted(text))))
            }
            (_, None) => {
                Err(wrong("`true`, `yes`, `on`, `1`, `false`, `no`, `off` and `0` are understood".to_owned()))
            }
        },
        Raw::Integer(n @ (0 | 1)) => Err(wrong(format!("write `{name} = {}`", *n == 1))),
        _ => Err(wrong(format!("write `{name} = true` or `{name} = false`"))),
    }
}

pub(super) fn boolean_word(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "t" | "true" | "y" | "yes" | "on" | "1" => Some(true),
        "f" | "false" | "n" | "no" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// The text without the one pair of double quotes that Revel takes off texts, and only off texts.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    text.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(text)
}

/// How long running jobs may finish at shutdown; zero is allowed, unlike elsewhere: it means that nobody waits.
pub(super) fn timeout(raw: &Raw, name: &str) -> Result<Duration, Mistake> {
    if let Raw::Integer(n) = raw {
        return Err(Mistake::new(
            format!("must be a duration, not {}", raw.described()),
            format!("say the unit: `{name} = \"{n}s\"`"),
        ));
    }
    let text = raw.text("a duration", "30s")?;
    match jobs_syntax::parse_duration(text) {
        Ok(duration) => Ok(duration),
        Err(e) if e.kind() == SyntaxErrorKind::ZeroDuration => Ok(Duration::ZERO),
        Err(e) => Err(Mistake::syntax(text, &e)),
    }
}

/// An interval.
pub(super) fn interval(raw: &Raw, name: &str) -> Result<Duration, Mistake> {
    if let Raw::Integer(n) = raw {
        return Err(Mistake::new(
            format!("must be an interval, not {}", raw.described()),
            format!("say the unit: `{name} = \"{n}s\"`"),
        ));
    }
    let text = raw.text("an interval", "15m")?;
    if let Some(duration) = text.trim().strip_prefix("@every") {
        return Err(Mistake::new(
            "is an interval already and needs no `@every`",
            format!("write `{name} = \"{}\"`", duration.trim()),
        ));
    }
    jobs_syntax::parse_interval(text).map_err(|e| Mistake::syntax(text, &e))
}

/// A zone of schedules by name, or `local`. Whether there is such a zone is for the zone database to say.
pub(super) fn zone(raw: &Raw) -> Result<String, Mistake> {
    let text = raw.text("the name of a time zone", "Europe/Oslo")?.trim();
    if text.eq_ignore_ascii_case("local") {
        return Ok("local".to_owned());
    }
    let shown = hide_secrets(text);
    jobs_syntax::parse_zone_name(&shown).map_err(|e| Mistake::syntax(&shown, &e))?;
    Ok(text.to_owned())
}

/// The overlap policy of a job.
pub(super) fn overlap(raw: &Raw) -> Result<Overlap, Mistake> {
    if let Raw::Boolean(b) = raw {
        return Err(Mistake::new(
            format!("must be an overlap policy, not `{b}`"),
            "`allow` lets runs of the job overlap, `buffer_one` lets one wait",
        ));
    }
    let text = raw.text("an overlap policy", "skip")?;
    Overlap::parse(text).map_err(|e| Mistake::syntax(text, &e))
}

/// A named schedule: a spec, or `off`.
pub(super) fn named(raw: &Raw, form: Form, name: &str) -> Result<NamedSchedule, Mistake> {
    match raw {
        Raw::Boolean(false) => {
            return Err(Mistake::new(
                "must be a schedule, not `false`",
                "to switch off every schedule of that name write `\"off\"`",
            ));
        }
        Raw::Array(_) => {
            return Err(Mistake::new(
                "must be one schedule, not a list",
                "give each schedule a name; a job may use several",
            ));
        }
        Raw::Table => {
            return Err(Mistake::new(
                "must be a schedule, not a table",
                "write the spec as a text, with its zone in front: `\"TZ=Europe/Oslo 0 0 3 * * *\"`",
            ));
        }
        _ => {}
    }
    let text = raw.text("a schedule", "0 */15 9-17 ? * MON-FRI")?.trim();
    if text.is_empty() {
        return Err(Mistake::new(
            "is empty",
            "to switch off every schedule of that name write `off`; else write a spec such as `@midnight`",
        ));
    }
    if text.eq_ignore_ascii_case("off") {
        return Ok(NamedSchedule::Off);
    }
    if let Some(other) = reference(text) {
        return Err(Mistake::new(
            format!("refers to another named schedule, {}", shown(other)),
            "a name stands for a spec; repeat the spec, or let the job use the other name",
        ));
    }
    refuse_five_fields(text, form, name)?;
    let shown = hide_secrets(text);
    match Spec::parse(&shown) {
        Ok(_) => Ok(NamedSchedule::Spec(text.to_owned())),
        Err(e) => Err(Mistake::syntax(&shown, &e).of_a_spec()),
    }
}

fn reference(text: &str) -> Option<&str> {
    let named = text.get(..5)?.eq_ignore_ascii_case("cron.");
    named.then_some(text)
}

/// The schedules that replace those of a job's attribute.
pub(super) fn schedules(raw: &Raw, form: Form, name: &str) -> Result<Vec<String>, Mistake> {
    match raw {
        Raw::Array(items) if items.is_empty() => {
            Err(Mistake::new("is an empty list", "to switch the job off write `enabled = false`"))
        }
        Raw::Array(items) => items.iter().map(|item| schedule(item, form, name)).collect(),
        _ => Ok(vec![schedule(raw, form, name)?]),
    }
}

fn schedule(raw: &Raw, form: Form, name: &str) -> Result<String, Mistake> {
    let text = raw.text("a schedule", "0 0 3 * * *")?.trim();
    if text.is_empty() || text.eq_ignore_ascii_case("off") {
        return Err(Mistake::new(
            if text.is_empty() { "is empty" } else { "cannot be `off`" },
            format!("to switch the job off write `{}`", name.replace("schedule", "enabled = false")),
        ));
    }
    refuse_five_fields(text, form, name)?;
    let shown = hide_secrets(text);
    match ScheduleText::parse(&shown) {
        Ok(_) => Ok(text.to_owned()),
        Err(e) => Err(Mistake::syntax(&shown, &e)),
    }
}

/// Revel reads five fields as seconds first, crontab and we as minutes first: a file made for the one must not be
/// taken for the other.
fn refuse_five_fields(text: &str, form: Form, name: &str) -> Result<(), Mistake> {
    let (zone, fields) = match text.split_once(char::is_whitespace) {
        Some((first, rest)) if first.contains('=') => (format!("{first} "), rest),
        _ => (String::new(), text),
    };
    let fields: Vec<&str> = fields.split_whitespace().collect();
    if form != Form::Conf || fields.len() != 5 || fields[0].starts_with('@') {
        return Ok(());
    }
    let fields = fields.join(" ");
    let readings = [
        ("minutes first, as in a crontab", format!("{zone}0 {fields}")),
        ("seconds first, as Revel reads it", format!("{zone}{fields} *")),
    ];
    if readings.iter().all(|(_, text)| Spec::parse(text).is_err()) {
        // The mistakes of the fields themselves are the news.
        return Ok(());
    }
    let fixes = readings.map(|(reading, text)| match Spec::parse(&text) {
        Ok(_) => format!("{reading}: `{name} = {text}`"),
        Err(_) => format!("{reading}: not valid"),
    });
    Err(Mistake::new(
        format!("has five fields, which crontab and Revel read differently: {}", shown(text)),
        fixes.join("\n"),
    ))
}

/// Where runs are kept.
pub(super) fn store(raw: &Raw) -> Result<StoreUrl, Mistake> {
    let text = raw.text("the address of a store", "memory")?.trim();
    let known = "the stores are `memory`, `sqlite:PATH` and `postgres://…`";
    if text.is_empty() {
        return Err(Mistake::new("is empty", known));
    }
    // What stands behind the scheme is never repeated: it may hold a password.
    let scheme = text.split(':').next().unwrap_or(text);
    match scheme {
        "memory" if text == "memory" => Ok(StoreUrl::Memory),
        "memory" => Err(Mistake::new("has something behind `memory`", "write `memory` alone")),
        "sqlite" if text.len() > "sqlite:".len() => sqlite(&text["sqlite:".len()..]),
        "sqlite" => Err(Mistake::new("lacks the path of the database", "write `sqlite:jobs.db`")),
        "postgres" | "postgresql" if text.starts_with(&format!("{scheme}://")) => {
            Ok(StoreUrl::Postgres(PostgresUrl::new(text)))
        }
        "postgres" | "postgresql" => {
            Err(Mistake::new("lacks the address of the server", "write `postgres://user@host/database`"))
        }
        _ => {
            let near = super::meant::nearest_of(scheme, ["memory", "sqlite", "postgres", "postgresql"]);
            let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
            let message = if text == scheme || scheme.len() < 16 && text.contains("://") {
                format!("names an unknown store, {}", shown(scheme))
            } else {
                "names an unknown store".to_owned()
            };
            Err(Mistake::new(message, format!("{near}{known}")))
        }
    }
}

/// What stands behind `sqlite:`.
fn sqlite(address: &str) -> Result<StoreUrl, Mistake> {
    let address = address.strip_prefix("//").unwrap_or(address);
    let (path, options) = address.split_once('?').unwrap_or((address, ""));
    if path.is_empty() {
        return Err(Mistake::new("lacks the path of the database", "write `sqlite:jobs.db`"));
    }
    if path == ":memory:" {
        return Err(Mistake::new(
            "names a database of SQLite that does not outlive the process",
            "write `memory`, or the path of a file: `sqlite:jobs.db`",
        ));
    }
    let relaxed = match options {
        "" | "synchronous=full" => false,
        "synchronous=normal" => true,
        other => {
            return Err(Mistake::new(
                format!("has an unknown option, {}", shown(other)),
                "there is `?synchronous=normal`, with which the last commits may be lost with the power",
            ));
        }
    };
    Ok(StoreUrl::Sqlite { path: path.into(), relaxed })
}

/// Addresses and networks: a list, or a text with commas between them where there are only texts.
pub(super) fn networks(raw: &Raw, form: Form) -> Result<Vec<Network>, Vec<Mistake>> {
    let mut mistakes = Vec::new();
    let mut items = Vec::new();
    match (raw, form) {
        (Raw::Array(raws), _) => {
            for item in raws {
                match item {
                    Raw::Text(text) => items.push(text.trim()),
                    other => mistakes.push(Mistake::new(
                        format!("must list texts, not {}", other.described()),
                        "write each address in quotes, such as `\"10.0.0.7\"`",
                    )),
                }
            }
        }
        (Raw::Text(text), Form::Conf | Form::Env) => {
            items.extend(text.split([',', ' ', '\t', '\n']).map(str::trim).filter(|item| !item.is_empty()));
        }
        (other, _) => mistakes.push(Mistake::new(
            format!("must be a list of addresses, not {}", other.described()),
            "write a list such as `[\"10.0.0.7\", \"192.168.0.0/16\"]`",
        )),
    }
    let mut networks = Vec::with_capacity(items.len());
    for item in items {
        match Network::parse(item) {
            _ if item == "loopback" => networks.extend(Network::LOOPBACK),
            Ok(network) => networks.push(network),
            Err((message, help)) => {
                mistakes.push(Mistake { message: format!(": {message}"), help: Some(help) });
            }
        }
    }
    if mistakes.is_empty() { Ok(networks) } else { Err(mistakes) }
}

use std::fmt;
use std::sync::Arc;

use jobs_syntax::SyntaxError;

use super::database;
use crate::error::Problem;

/// Why a text is no schedule, or a name no time zone.
///
/// `Display` writes the mistake, the text with carets under its place, and how to mend it, over several lines
/// where there is a text to show:
///
/// ```text
/// hour `25` is outside 0-23
///   0 25 * * *
///     ^^
/// help: hours run from 0 to 23; for every 25 hours write `every = "25h"`
/// ```
#[derive(Debug, Clone)]
pub struct ScheduleError {
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    Syntax {
        error: SyntaxError,
        source: Box<str>,
    },
    UnknownZone {
        name: Box<str>,
        nearest: Vec<String>,
        source: Option<Box<str>>,
    },
    /// The machine's zone cannot be told.
    LocalZone {
        cause: Arc<jiff::Error>,
    },
}

impl ScheduleError {
    pub(crate) fn syntax(error: SyntaxError, source: &str) -> Self {
        Self { kind: Kind::Syntax { error, source: source.into() } }
    }

    pub(super) fn unknown_zone(name: &str) -> Self {
        Self { kind: Kind::UnknownZone { name: name.into(), nearest: nearest_zones(name), source: None } }
    }

    pub(super) fn local_zone(cause: jiff::Error) -> Self {
        Self { kind: Kind::LocalZone { cause: Arc::new(cause) } }
    }

    /// The text in which the unknown zone stands.
    pub(super) fn in_text(mut self, text: &str) -> Self {
        if let Kind::UnknownZone { source, .. } = &mut self.kind {
            *source = Some(text.into());
        }
        self
    }

    /// The mistake and its fix apart, for a list of problems.
    pub(crate) fn problem(&self) -> Problem {
        let text = self.to_string();
        match text.rsplit_once("\nhelp: ") {
            Some((message, help)) => Problem::new(message).help(help),
            None => Problem::new(text),
        }
    }

    /// Whether the text is not in the schedule language.
    #[must_use]
    pub fn is_syntax(&self) -> bool {
        matches!(self.kind, Kind::Syntax { .. })
    }

    /// Whether a time zone is not in the database.
    #[must_use]
    pub fn is_unknown_zone(&self) -> bool {
        matches!(self.kind, Kind::UnknownZone { .. })
    }

    /// Whether the time zone is `local` and the machine's cannot be found out.
    #[must_use]
    pub fn is_local_zone(&self) -> bool {
        matches!(self.kind, Kind::LocalZone { .. })
    }
}

impl fmt::Display for ScheduleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            Kind::Syntax { error, source } => f.write_str(&error.render(source)),
            Kind::UnknownZone { name, nearest, source } => {
                write!(f, "unknown time zone `{}`", name.escape_debug())?;
                if let Some(source) = source {
                    write_carets(f, source, name)?;
                }
                f.write_str("\nhelp: ")?;
                match nearest.split_last() {
                    None => f.write_str("zones are named like `Europe/Oslo`, `UTC`, `local` or `+05:30`"),
                    Some((only, [])) => write!(f, "did you mean `{only}`?"),
                    Some((last, others)) => {
                        write!(f, "did you mean `{}` or `{last}`?", others.join("`, `"))
                    }
                }
            }
            Kind::LocalZone { .. } => f.write_str(
                "the time zone of this machine is unknown\n\
                 help: set the environment variable TZ to a zone such as `Europe/Oslo`, \
                 or name one in place of `local`",
            ),
        }
    }
}

impl std::error::Error for ScheduleError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.kind {
            // Its message is part of ours, and a chain would print it twice.
            Kind::Syntax { .. } | Kind::UnknownZone { .. } => None,
            Kind::LocalZone { cause } => Some(&**cause),
        }
    }
}

fn write_carets(f: &mut fmt::Formatter<'_>, source: &str, name: &str) -> fmt::Result {
    let Some(at) = source.find(name) else { return Ok(()) };
    let indent = source[..at].chars().count();
    let carets = "^".repeat(name.chars().count());
    write!(f, "\n  {source}\n  {:indent$}{carets}", "")
}

/// Up to three names of the database: those of the same city, else the nearest spelling, else those of the city
/// with the nearest spelling.
fn nearest_zones(name: &str) -> Vec<String> {
    const MOST: usize = 3;
    let names = database::names();
    let cities: Vec<String> = names.iter().map(|name| city(name)).collect();
    let of_city = |wanted: &str| -> Vec<String> {
        let of_city = names.iter().zip(&cities).filter(|(_, city)| *city == wanted);
        of_city.map(|(name, _)| name.clone()).take(MOST).collect()
    };
    let wanted = city(name);
    let same = of_city(&wanted);
    if !same.is_empty() {
        return same;
    }
    if let Some(nearest) = jobs_syntax::nearest(name, names.iter().map(String::as_str)) {
        return vec![nearest.to_owned()];
    }
    jobs_syntax::nearest(&wanted, cities.iter().map(String::as_str)).map(of_city).unwrap_or_default()
}

/// What most people know of a zone's name: `oslo`, `new_york`.
fn city(zone: &str) -> String {
    zone.rsplit('/').next().unwrap_or_default().replace([' ', '-'], "_").to_ascii_lowercase()
}

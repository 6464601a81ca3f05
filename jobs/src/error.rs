//! Errors that name the mistake, its place and the fix.

use std::fmt;
use std::path::PathBuf;

/// Any error a job may return.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Where a value came from, or where a [`Problem`] was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Place {
    /// Nobody said anything else.
    Default,
    /// A line of a file of configuration.
    File {
        /// The file, as it was given to [`Config::from_file`](crate::Config::from_file).
        path: PathBuf,
        /// The line, from 1; none where the format gives none.
        line: Option<u32>,
    },
    /// An environment variable, by its name.
    Env(String),
    /// A function with `#[job]`, or a call in code.
    Code {
        /// The source file as the compiler named it.
        file: &'static str,
        /// The line, from 1.
        line: u32,
    },
}

impl Place {
    /// The caller's line of code; the callers of this must all be `#[track_caller]`.
    #[track_caller]
    pub(crate) fn caller() -> Self {
        let at = std::panic::Location::caller();
        Self::Code { file: at.file(), line: at.line() }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("the default"),
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Code { file, line } => write!(f, "{file}:{line}"),
        }
    }
}

/// One mistake of a configuration or of a registered job: what is wrong, where, and how to mend it.
///
/// It is displayed as
///
/// ```text
/// unknown key `jobs.pol`
///   --> jobs.toml:3
///   help: did you mean `jobs.pool`?
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    message: String,
    place: Option<Place>,
    help: Option<String>,
}

impl Problem {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, help: None }
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Says in front of the message what it is about.
    pub(crate) fn about(mut self, what: &str) -> Self {
        self.message = format!("{what}: {}", self.message);
        self
    }

    /// What is wrong; it may go over several lines where it shows a text with a caret.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// Where it was found.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        self.place.as_ref()
    }

    /// How to mend it, where there is something to say beyond the message.
    #[must_use]
    pub fn fix(&self) -> Option<&str> {
        self.help.as_deref()
    }

    /// Writes the problem with every line but the first behind `indent`.
    fn write(&self, f: &mut fmt::Formatter<'_>, indent: &str) -> fmt::Result {
        for (i, line) in self.message.lines().enumerate() {
            match i {
                0 => f.write_str(line)?,
                _ => write!(f, "\n{indent}{line}")?,
            }
        }
        if let Some(place) = &self.place {
            write!(f, "\n{indent}  --> {place}")?;
        }
        if let Some(help) = &self.help {
            for (i, line) in help.lines().enumerate() {
                let label = if i == 0 { "help: " } else { "      " };
                write!(f, "\n{indent}  {label}{line}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, "")
    }
}

/// Problems as one text: a lone one behind the heading, several numbered below it.
pub(crate) struct ProblemList<'a> {
    /// What the problems are about, such as `invalid configuration`.
    pub(crate) heading: &'a str,
    pub(crate) problems: &'a [Problem],
}

impl fmt::Display for ProblemList<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems {
            [] => f.write_str(self.heading),
            [only] => {
                write!(f, "{}: ", self.heading)?;
                only.write(f, "")
            }
            several => {
                write!(f, "{}: {} mistakes", self.heading, several.len())?;
                for (i, problem) in several.iter().enumerate() {
                    let number = format!("{}. ", i + 1);
                    write!(f, "\n\n{number}")?;
                    problem.write(f, &" ".repeat(number.len()))?;
                }
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_message_place_help() {
        let problem = Problem::new("unknown key `jobs.pol`")
            .at(Place::File { path: "jobs.toml".into(), line: Some(3) })
            .help("did you mean `jobs.pool`?");
        assert_eq!(
            problem.to_string(),
            "unknown key `jobs.pol`\n  --> jobs.toml:3\n  help: did you mean `jobs.pool`?"
        );
    }

    #[test]
    fn one_problem_stands_behind_the_heading_and_several_are_numbered() {
        let a = Problem::new("a\n  caret").at(Place::Env("JOBS__A".into()));
        let b = Problem::new("b").help("one\ntwo");
        let one = ProblemList { heading: "bad", problems: std::slice::from_ref(&a) };
        assert_eq!(one.to_string(), "bad: a\n  caret\n  --> environment variable JOBS__A");
        let two = ProblemList { heading: "bad", problems: &[a, b] };
        assert_eq!(
            two.to_string(),
            "bad: 2 mistakes\n\n1. a\n     caret\n     --> environment variable JOBS__A\n\n2. b\n     help: one\n           two"
        );
    }
}

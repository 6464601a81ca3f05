//! Errors that name the mistake, its place and the fix.

use std::fmt;
use std::path::PathBuf;

/// Any error a job may return.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Where a [`Problem`] was found.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Place {
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

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, line: Some(line) } => write!(f, "{}:{line}", path.display()),
            Self::File { path, line: None } => write!(f, "{}", path.display()),
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::Code { file, line } => write!(f, "{file}:{line}"),
        }
    }
}

/// One mistake of a configuration or of a registered job: what is wrong, where, and how to mend it.
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
}

//! Why a configuration cannot be used.

use std::fmt;
use std::io;

use crate::error::{Problem, ProblemList};

/// Why a configuration cannot be used: all its mistakes, each with its place and its fix.
///
/// `Display` and `Debug` both write the whole text, so that a `main` that returns the error prints it readably.
pub struct ConfigError {
    problems: Vec<Problem>,
    io: Option<io::Error>,
}

impl ConfigError {
    pub(super) fn new(problems: Vec<Problem>) -> Self {
        Self { problems, io: None }
    }

    pub(super) fn io(problem: Problem, error: io::Error) -> Self {
        Self { problems: vec![problem], io: Some(error) }
    }

    /// The mistakes, those of a file in the order of its lines; there is one at least.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Whether the file of configuration does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.io.as_ref().is_some_and(|e| e.kind() == io::ErrorKind::NotFound)
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        ProblemList { heading: "invalid configuration", problems: &self.problems }.fmt(f)
    }
}

impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The text has the error of the operating system in it already, so it is no source.
impl std::error::Error for ConfigError {}

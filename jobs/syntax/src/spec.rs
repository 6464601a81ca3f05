use std::fmt;
use std::time::Duration;

use crate::{CronSpec, SyntaxError};

/// A parsed schedule: what to do when, and in which zone when the text names one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Spec {
    zone: Option<Box<str>>,
    when: When,
}

/// When a schedule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum When {
    /// Whenever the wall clock matches.
    Cron(CronSpec),
    /// Whenever this much time has passed.
    Every(Duration),
}

impl Spec {
    /// Parses a schedule: five or six fields, a descriptor such as `@daily`, or `@every 90m`,
    /// each with an optional prefix `TZ=Zone `.
    ///
    /// # Errors
    ///
    /// The first mistake in the text, with its place and its fix.
    pub fn parse(_text: &str) -> Result<Self, SyntaxError> {
        unimplemented!()
    }

    /// The zone of a `TZ=` or `CRON_TZ=` prefix. It is not looked up in a zone database here.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    /// When the schedule fires.
    #[must_use]
    pub fn when(&self) -> &When {
        &self.when
    }
}

/// The canonical text: six fields, or `@every …`, behind `TZ=Zone ` where there is a zone.
impl fmt::Display for Spec {
    fn fmt(&self, _f: &mut fmt::Formatter<'_>) -> fmt::Result {
        unimplemented!()
    }
}

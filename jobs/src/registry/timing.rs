//! When a schedule fires, if at all.

use std::fmt;
use std::time::Duration;

use jobs_syntax::format_duration;

use crate::error::Place;
use crate::schedule::Schedule;

/// When a schedule fires, if at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Timing {
    At(Schedule),
    /// When so much time has passed since the end of its last run.
    Delay(Duration),
    /// Never: its name is switched off in the config, in this place.
    Off(Box<Place>),
}

/// The canonical text with its zone; `off` where it is switched off.
impl fmt::Display for Timing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(schedule) => schedule.fmt(f),
            Self::Delay(delay) => write!(f, "@after {}", format_duration(*delay)),
            Self::Off(_) => f.write_str("off"),
        }
    }
}

impl Timing {
    pub(crate) fn off(place: &Place) -> Self {
        Self::Off(Box::new(place.clone()))
    }

    pub(crate) fn schedule(&self) -> Option<&Schedule> {
        match self {
            Self::At(schedule) => Some(schedule),
            Self::Delay(_) | Self::Off(_) => None,
        }
    }

    /// How long after the end of its last run it fires.
    pub(crate) fn delay(&self) -> Option<Duration> {
        match self {
            Self::Delay(delay) => Some(*delay),
            Self::At(_) | Self::Off(_) => None,
        }
    }
}

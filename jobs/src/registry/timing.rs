//! When a schedule fires, if at all.

use std::time::Duration;

use crate::error::Place;
use crate::schedule::Schedule;

/// When a schedule fires, if at all.
#[derive(Debug, Clone)]
pub(crate) enum Timing {
    At(Schedule),
    /// When so much time has passed since the end of its last run.
    Delay(Duration),
    /// Never: its name is switched off in the config, in this place.
    Off(Box<Place>),
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

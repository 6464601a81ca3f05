//! When a schedule fires, if at all.

use crate::error::Place;
use crate::schedule::Schedule;

/// When a schedule fires, if at all.
#[derive(Debug, Clone)]
pub(crate) enum Timing {
    At(Schedule),
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
            Self::Off(_) => None,
        }
    }
}

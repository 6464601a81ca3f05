//! What became of a slot.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What became of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Fate {
    /// It made a run, at its time or up to a minute after.
    Ran,
    /// It made a run at the first instant after its time: the clocks were set forward over that, as for daylight saving.
    Shifted,
    /// It was missed, and made a run afterwards, as `missed` of its schedule says.
    CaughtUp,
    /// The overlap policy of its job dropped it, since the run of a slot before had not ended.
    Skipped,
    /// It passed while the machine slept, the clock was set forward or the program stalled, and was not made up for.
    Missed,
    /// It passed while its job was paused.
    Paused,
    /// It passed after the shutdown of the instance.
    ShutDown,
}

impl Fate {
    /// The fate in a word or two, `skipped`, as it also is in JSON but for the underscore.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ran => "ran",
            Self::Shifted => "shifted",
            Self::CaughtUp => "caught up",
            Self::Skipped => "skipped",
            Self::Missed => "missed",
            Self::Paused => "paused",
            Self::ShutDown => "shut down",
        }
    }

    /// Whether the slot has made a run.
    #[must_use]
    pub fn has_run(self) -> bool {
        matches!(self, Self::Ran | Self::Shifted | Self::CaughtUp)
    }
}

/// The fate with its reason, as far as the fate alone tells it: `skipped, since the run of a slot before had not ended`.
impl fmt::Display for Fate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ran => "ran",
            Self::Shifted => {
                "ran at the first instant after its time, which the clocks were set forward over"
            }
            Self::CaughtUp => "ran afterwards, since it was missed",
            Self::Skipped => "skipped, since the run of a slot before had not ended",
            Self::Missed => "missed, since the program could not see it come",
            Self::Paused => "passed while the job was paused",
            Self::ShutDown => "passed after the shutdown",
        })
    }
}

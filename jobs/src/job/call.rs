//! One call of a plain function: it returns on a thread of its own, and whoever waits for it may have gone by then.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::JobResult;
use crate::telemetry::panics::Panic;

/// What a plain function has come to: its panic is caught.
pub(crate) type Returning = Result<JobResult, Box<Panic>>;

/// Is told what a plain function has come to, on its thread.
pub(crate) type Heir = Box<dyn FnOnce(Returning) + Send>;

/// One call of a plain function.
#[derive(Debug, Default)]
pub(crate) struct Call(Mutex<State>);

#[derive(Default)]
enum State {
    #[default]
    GoesOn,
    Returned(Returning),
    /// The worker has gone, and this one waits for it.
    #[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "of what several processes share alone"))]
    LeftTo(Heir),
    Over,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::GoesOn => "GoesOn",
            Self::Returned(_) => "Returned",
            Self::LeftTo(_) => "LeftTo",
            Self::Over => "Over",
        })
    }
}

/// What becomes of a plain function whose worker goes.
#[cfg(feature = "postgres")]
#[derive(Debug)]
pub(crate) enum Left {
    /// It was not called, or what it came to was taken.
    Nothing,
    GoesOn,
    Returned(Returning),
}

impl Call {
    fn state(&self) -> MutexGuard<'_, State> {
        // Each step leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The function has returned. Answers who is to be told of it, where its worker has gone.
    pub(crate) fn returned(&self, with: Returning) -> Option<(Heir, Returning)> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Over) {
            State::LeftTo(heir) => Some((heir, with)),
            _ => {
                *state = State::Returned(with);
                None
            }
        }
    }

    /// Takes what it has come to, for the worker.
    pub(crate) fn take(&self) -> Option<Returning> {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Over) {
            State::Returned(with) => Some(with),
            before => {
                *state = before;
                None
            }
        }
    }

    #[cfg(feature = "postgres")]
    pub(super) fn leave_to(&self, heir: impl FnOnce() -> Heir) -> Left {
        let mut state = self.state();
        match std::mem::replace(&mut *state, State::Over) {
            State::GoesOn => {
                *state = State::LeftTo(heir());
                Left::GoesOn
            }
            State::Returned(with) => Left::Returned(with),
            State::LeftTo(_) | State::Over => Left::Nothing,
        }
    }
}

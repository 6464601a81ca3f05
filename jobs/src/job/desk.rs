//! Where an attempt lays out what others may read while it runs, and what it leaves when it is over.
//!
//! A worker has one desk for all of its attempts. An attempt that lays nothing out does not touch it.

use std::sync::{Mutex, PoisonError};

use super::body::Body;
use super::notes::Notes;
use super::signals::Turn;

/// The desk of a worker.
#[derive(Debug, Default)]
pub(crate) struct Desk(Mutex<Laid>);

#[derive(Debug, Default)]
pub(crate) struct Laid {
    /// Whose the notes are.
    turn: Option<Turn>,
    pub(crate) notes: Notes,
    /// The work, kept for another attempt and for those who want to read its arguments.
    pub(crate) body: Option<Body>,
}

impl Desk {
    /// Lays something out in a turn. One that has outlived its turn lays nothing on the next one's desk.
    pub(crate) fn lay(&self, turn: Turn, f: impl FnOnce(&mut Laid)) {
        let mut laid = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if laid.turn.is_none_or(|of| of <= turn) {
            laid.begin(turn);
            f(&mut laid);
        }
    }

    /// Reads or takes what was laid out in the turn that it is.
    pub(crate) fn look<R>(&self, turn: Turn, f: impl FnOnce(&mut Laid) -> R) -> R {
        let mut laid = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        laid.begin(turn);
        f(&mut laid)
    }
}

impl Laid {
    fn begin(&mut self, turn: Turn) {
        if self.turn != Some(turn) {
            // A body is taken back by the worker that has laid it out, so none is dropped here.
            self.notes = Notes::default();
            self.turn = Some(turn);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::notes::Progress;
    use crate::job::signals::Signals;

    #[test]
    fn what_is_laid_out_late_is_nobodys() {
        let signals = Signals::default();
        let first = signals.turn();
        let says = |done| move |laid: &mut Laid| laid.notes.progress = Some(Progress { done, total: 9 });
        let progress = |signals: &Signals| signals.laid(|laid| laid.notes.progress.map(|at| at.done));
        assert_eq!(progress(&signals), None);
        signals.lay(first, says(1));
        assert_eq!(progress(&signals), Some(Some(1)));
        let _ = signals.end_turn();
        assert_eq!(progress(&signals), None);
        signals.lay(first, says(2));
        assert_eq!(progress(&signals).flatten(), None);
        let second = signals.turn();
        signals.lay(second, says(3));
        signals.desk().lay(first, says(4));
        assert_eq!(progress(&signals), Some(Some(3)));
    }
}

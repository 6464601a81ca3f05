//! How things stand with the server, by each part of a node: what one is told is no news of the others.

use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::clock::Timestamp;
use crate::store::postgres::trouble::Trouble;
use crate::telemetry::{self, ClusterNews};

/// How things stand with the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    Well,
    /// Since when, and what it said last.
    Troubled(Timestamp, String),
}

/// What asks the server by itself, and goes on asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Pulse,
    Housekeeping,
    Forgetting,
    Claims,
    Ends,
    Submissions,
}

const PARTS: usize = Part::Submissions as usize + 1;

/// The trouble of each part, with its beginning.
#[derive(Debug)]
pub(super) struct Standings {
    troubles: Mutex<[Option<(Timestamp, String)>; PARTS]>,
    /// The trouble that is the oldest.
    pub(super) whole: watch::Sender<Standing>,
}

impl Standings {
    pub(super) fn new() -> Self {
        Self { troubles: Mutex::default(), whole: watch::Sender::new(Standing::Well) }
    }

    /// What a part was told last, where it is in trouble.
    pub(super) fn of(&self, part: Part) -> Option<String> {
        let troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        troubles[part as usize].as_ref().map(|(_, message)| message.clone())
    }

    /// Keeps what the server said to a part, for whoever asks how things stand. Answers whether all is well again.
    pub(super) fn hear<T>(
        &self,
        part: Part,
        answer: &Result<T, Trouble>,
        now: impl FnOnce() -> Timestamp,
    ) -> bool {
        let trouble = match answer {
            // What somebody else holds or has submitted says nothing of the server.
            Err(Trouble::Held | Trouble::Closed) => return false,
            Err(Trouble::Lasting(_)) if part == Part::Submissions => None,
            Err(trouble) => Some(trouble.message()),
            Ok(_) => None,
        };
        // Each step leaves it whole.
        let mut troubles = self.troubles.lock().unwrap_or_else(PoisonError::into_inner);
        let own = &mut troubles[part as usize];
        match trouble {
            None if own.is_none() => return false,
            None => *own = None,
            Some(message) => {
                let since = own.as_ref().map_or_else(now, |(since, _)| *since);
                *own = Some((since, message.to_owned()));
            }
        }
        let oldest = troubles.iter().flatten().min_by_key(|(since, _)| *since).cloned();
        let whole = oldest.map_or(Standing::Well, |(since, message)| Standing::Troubled(since, message));
        self.whole.send_if_modified(|before| {
            match (&*before, &whole) {
                (Standing::Troubled(_, said), Standing::Troubled(_, says)) if said == says => {}
                (Standing::Well, Standing::Well) => {}
                (_, Standing::Well) => telemetry::cluster(ClusterNews::Works),
                (_, Standing::Troubled(_, says)) => telemetry::cluster(ClusterNews::Trouble(says)),
            }
            let changed = *before != whole;
            *before = whole;
            changed
        }) && *self.whole.borrow() == Standing::Well
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_lasts_until_its_own_part_is_answered() {
        let standings = Standings::new();
        let at = |second| Timestamp::from_chrono(chrono::DateTime::from_timestamp(second, 0).unwrap());
        let fails = |what: &str| Err::<(), _>(Trouble::Passing(what.to_owned()));
        let whole = || standings.whole.borrow().clone();
        let troubled = |second, what: &str| Standing::Troubled(at(second), what.to_owned());
        standings.hear(Part::Pulse, &fails("refused"), || at(1));
        standings.hear(Part::Claims, &Ok(()), || at(2));
        assert_eq!(whole(), troubled(1, "refused"));
        standings.hear(Part::Ends, &fails("silent"), || at(3));
        standings.hear(Part::Pulse, &fails("reset"), || at(4));
        assert_eq!(whole(), troubled(1, "reset"));
        assert_eq!(standings.of(Part::Pulse).as_deref(), Some("reset"));
        standings.hear(Part::Pulse, &Ok(()), || at(5));
        assert_eq!(whole(), troubled(3, "silent"));
        assert_eq!(standings.of(Part::Pulse), None);
        standings.hear(Part::Ends, &Ok(()), || at(6));
        assert_eq!(whole(), Standing::Well);
    }

    #[test]
    fn what_is_wrong_with_a_submission_is_no_trouble_with_the_server() {
        let standings = Standings::new();
        let refused = Err::<(), _>(Trouble::Lasting("invalid byte sequence".to_owned()));
        standings.hear(Part::Submissions, &refused, || unreachable!("nothing begins"));
        standings.hear(Part::Ends, &Err::<(), _>(Trouble::Held), || unreachable!("nothing begins"));
        assert_eq!(*standings.whole.borrow(), Standing::Well);
    }
}

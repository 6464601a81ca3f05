//! What only few runs have, apart from those that have it: a run without costs 8 bytes.

use std::sync::Arc;

use super::unique::UniqueKey;
use crate::job::attempt::AttemptRecord;
use crate::job::notes::Notes;
use crate::job::run::{Outcome, RunId};
use crate::store::journal;

/// Of how many attempts of a run the account is kept: the last.
pub(super) const KEPT_ATTEMPTS: usize = 100;

/// What the attempts of a run may have to tell, in bytes.
const TEXT_OF_RUN: usize = 64 << 10;

/// What only few runs have.
#[derive(Debug, Default)]
pub(super) struct Details(Option<Box<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// The attempts that did not succeed.
    failures: Vec<AttemptRecord>,
    /// What a run that has ended came to, unless it succeeded.
    outcome: Option<Outcome>,
    /// How many workers have died over it.
    deaths: u32,
    /// What its attempts have left.
    notes: Notes,
    /// The run that this one was made again from.
    retry_of: Option<RunId>,
    /// Who asked for it on the status page.
    requested_by: Option<Box<str>>,
    /// What it stands for others by.
    unique: Option<Arc<UniqueKey>>,
    /// The arguments as JSON, until they are written down elsewhere.
    arguments: Option<Box<str>>,
    /// How often the process has ended while the run executed.
    rescued: u32,
}

impl Details {
    fn get(&self) -> Option<&Inner> {
        self.0.as_deref()
    }

    pub(super) fn add_failure(&mut self, record: AttemptRecord) {
        let failures = &mut self.0.get_or_insert_default().failures;
        if failures.len() == KEPT_ATTEMPTS {
            failures.remove(0);
        }
        failures.push(record);
        let mut text: usize = failures.iter().map(AttemptRecord::text).sum();
        // The new one is kept whole.
        for at in 0..failures.len() - 1 {
            if text <= TEXT_OF_RUN {
                return;
            }
            let before = failures[at].text();
            failures[at].forget_backtrace();
            text = text - before + failures[at].text();
        }
        while text > TEXT_OF_RUN && failures.len() > 1 {
            text -= failures.remove(0).text();
        }
    }

    pub(super) fn add_death(&mut self) -> u32 {
        let deaths = &mut self.0.get_or_insert_default().deaths;
        *deaths += 1;
        *deaths
    }

    pub(super) fn failures(&self) -> &[AttemptRecord] {
        self.get().map_or(&[], |details| &details.failures)
    }

    /// Adds what an attempt has left.
    pub(super) fn add_notes(&mut self, notes: Notes, attempt: u32) {
        self.0.get_or_insert_default().notes.append(notes, attempt);
    }

    pub(super) fn notes(&self) -> Option<&Notes> {
        self.get().map(|details| &details.notes)
    }

    pub(super) fn set_unique(&mut self, key: Arc<UniqueKey>) {
        self.0.get_or_insert_default().unique = Some(key);
    }

    /// Takes what it stands for others by, as it has ended.
    #[inline]
    pub(super) fn take_unique(&mut self) -> Option<Arc<UniqueKey>> {
        self.0.as_mut()?.unique.take()
    }

    pub(super) fn set_arguments(&mut self, arguments: Box<str>) {
        self.0.get_or_insert_default().arguments = Some(arguments);
    }

    /// What is to be written down of it, and the arguments where that is the first time.
    pub(super) fn record(&mut self) -> (Option<journal::Details>, Option<Box<str>>) {
        let Some(inner) = self.0.as_deref_mut() else { return (None, None) };
        let arguments = inner.arguments.take();
        let Inner { failures, outcome, notes, retry_of, requested_by, unique, rescued, .. } = inner;
        let told = !failures.is_empty()
            || outcome.is_some()
            || !notes.is_empty()
            || retry_of.is_some()
            || requested_by.is_some()
            || unique.is_some()
            || *rescued > 0;
        let details = told.then(|| journal::Details {
            failures: failures.clone(),
            outcome: outcome.clone(),
            notes: notes.clone(),
            retry_of: *retry_of,
            requested_by: requested_by.clone(),
            unique: unique.as_deref().map(UniqueKey::record),
            rescued: *rescued,
        });
        if !told {
            self.0 = None;
        }
        (details, arguments)
    }

    /// As it was written down, but for what it stands for others by.
    pub(super) fn restored(record: journal::Details) -> Self {
        let journal::Details { failures, outcome, notes, retry_of, requested_by, unique: _, rescued } =
            record;
        let inner = Inner {
            failures,
            outcome,
            // Those were workers of a process that has ended.
            deaths: 0,
            notes,
            retry_of,
            requested_by,
            unique: None,
            arguments: None,
            rescued,
        };
        Self(Some(Box::new(inner)))
    }

    /// It is short, and not counted as text of the run.
    #[cfg(feature = "web")]
    pub(super) fn set_requested_by(&mut self, who: Box<str>) {
        self.0.get_or_insert_default().requested_by = Some(who);
    }

    pub(super) fn requested_by(&self) -> Option<&str> {
        self.get()?.requested_by.as_deref()
    }

    pub(super) fn set_retry_of(&mut self, run: RunId) {
        self.0.get_or_insert_default().retry_of = Some(run);
    }

    pub(super) fn retry_of(&self) -> Option<RunId> {
        self.get()?.retry_of
    }

    /// Keeps what a run has come to that has not succeeded.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.0.get_or_insert_default().outcome = Some(outcome);
    }

    #[inline]
    pub(super) fn has_succeeded(&self) -> bool {
        self.get().is_none_or(|details| details.outcome.is_none())
    }

    /// What the run came to, when it has ended.
    pub(super) fn outcome(&self) -> Outcome {
        self.get().and_then(|details| details.outcome.clone()).unwrap_or(Outcome::Succeeded)
    }

    /// How many bytes of text are in it.
    #[inline]
    pub(super) fn text(&self) -> usize {
        self.get().map_or(0, Inner::text)
    }
}

impl Inner {
    fn text(&self) -> usize {
        let details = self;
        let of = |outcome: &Outcome| outcome.message().map_or(0, str::len);
        let failures = details.failures.iter().map(AttemptRecord::text);
        failures.sum::<usize>() + details.notes.text() + details.outcome.as_ref().map_or(0, of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::job::attempt::Trace;

    fn panicked(number: u32) -> AttemptRecord {
        let at = Timestamp::from_nanos(0);
        let trace = Trace::of_panic(Some("a.rs:1:1".into()), Some("x".repeat(12 << 10)));
        let outcome = Outcome::Panicked("no".into());
        AttemptRecord { number, started: at, finished: at, outcome, trace: Some(Box::new(trace)) }
    }

    #[test]
    fn the_oldest_backtraces_go_first() {
        let mut details = Details::default();
        for number in 1..=50 {
            details.add_failure(panicked(number));
            assert!(details.text() <= TEXT_OF_RUN, "{number}");
        }
        let has_backtrace = |record: &AttemptRecord| record.trace.as_ref().unwrap().backtrace.is_some();
        let kept: Vec<_> = details.failures().iter().map(has_backtrace).collect();
        assert!(kept[..45].iter().all(|kept| !kept) && kept[45..].iter().all(|kept| *kept), "{kept:?}");
    }

    #[test]
    fn of_messages_without_end_the_oldest_attempts_go() {
        let mut details = Details::default();
        for number in 1..=50 {
            let outcome = Outcome::Failed("x".repeat(20 << 10));
            details.add_failure(AttemptRecord { outcome, ..panicked(number) });
        }
        let numbers: Vec<_> = details.failures().iter().map(|record| record.number).collect();
        assert_eq!(numbers, [49, 50]);
    }
}

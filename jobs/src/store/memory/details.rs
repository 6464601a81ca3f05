//! What only few runs have, apart from those that have it: a run without costs 8 bytes.

use crate::job::run::{AttemptRecord, Outcome};

/// Of how many attempts of a run the account is kept: the last.
pub(super) const KEPT_ATTEMPTS: usize = 100;

/// What only few runs have.
#[derive(Debug, Default)]
pub(super) struct Details(Option<Box<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    /// The attempts that did not succeed.
    failures: Vec<AttemptRecord>,
    /// What a run that has ended came to, unless it succeeded.
    outcome: Option<Outcome>,
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
    }

    pub(super) fn failures(&self) -> &[AttemptRecord] {
        self.get().map_or(&[], |details| &details.failures)
    }

    pub(super) fn end(&mut self, outcome: Outcome) {
        if !outcome.is_success() {
            self.0.get_or_insert_default().outcome = Some(outcome);
        }
    }

    /// What the run came to, when it has ended.
    pub(super) fn outcome(&self) -> Outcome {
        self.get().and_then(|details| details.outcome.clone()).unwrap_or(Outcome::Succeeded)
    }

    /// How many bytes of text are in it.
    pub(super) fn text(&self) -> usize {
        let Some(details) = self.get() else { return 0 };
        let of = |outcome: &Outcome| outcome.message().map_or(0, str::len);
        let failures = details.failures.iter().map(|failure| of(&failure.outcome));
        failures.sum::<usize>() + details.outcome.as_ref().map_or(0, of)
    }
}

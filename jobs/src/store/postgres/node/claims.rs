//! What a node has claimed and not ended, by its own account.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::postgres::claim::Claimed;
use crate::store::postgres::end::Fence;
use crate::store::postgres::id::Id;

/// The claims that stand, as far as the node knows.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<HashMap<Id, i32>>);

impl Claims {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, i32>> {
        // Each step leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, claimed: &[Claimed]) {
        self.lock().extend(claimed.iter().map(|claimed| (claimed.id, claimed.claim_no)));
    }

    /// These have ended, or were given back. One that was claimed again meanwhile stays.
    pub(super) fn remove(&self, fences: impl Iterator<Item = Fence>) {
        let mut claims = self.lock();
        for fence in fences {
            if claims.get(&fence.id) == Some(&fence.claim_no) {
                claims.remove(&fence.id);
            }
        }
    }

    pub(super) fn clear(&self) {
        self.lock().clear();
    }

    /// All of them.
    pub(super) fn known(&self) -> Vec<Id> {
        self.lock().keys().copied().collect()
    }

    /// Of these, the ones that the node knows nothing of.
    pub(super) fn unknown(&self, mut ids: Vec<Id>) -> Vec<Id> {
        let claims = self.lock();
        ids.retain(|id| !claims.contains_key(id));
        ids
    }
}

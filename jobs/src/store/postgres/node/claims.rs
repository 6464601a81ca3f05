//! What a node has claimed and not ended, by its own account.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::store::postgres::claim::Claimed;
use crate::store::postgres::end::Fence;
use crate::store::postgres::id::Id;

/// The claims that stand, as far as the node knows.
#[derive(Debug, Default)]
pub(super) struct Claims(Mutex<HashMap<Id, Claim>>);

#[derive(Debug, Clone, Copy)]
struct Claim {
    no: i32,
    /// A transaction of its job's has perhaps ended it, and locks its row until that is over.
    completes: bool,
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, HashMap<Id, Claim>> {
        // Each step leaves it whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, claimed: &[Claimed]) {
        let claim = |claimed: &Claimed| (claimed.id, Claim { no: claimed.claim_no, completes: false });
        self.lock().extend(claimed.iter().map(claim));
    }

    /// A transaction of its job's is about to end it.
    pub(super) fn complete(&self, fence: Fence) {
        if let Some(claim) = self.lock().get_mut(&fence.id).filter(|claim| claim.no == fence.claim_no) {
            claim.completes = true;
        }
    }

    /// Whether one of its job's transactions may lock it.
    pub(super) fn completes(&self, fence: Fence) -> bool {
        self.lock().get(&fence.id).is_some_and(|claim| claim.no == fence.claim_no && claim.completes)
    }

    /// These have ended, or were given back. One that was claimed again meanwhile stays.
    pub(super) fn remove(&self, fences: impl Iterator<Item = Fence>) {
        let mut claims = self.lock();
        for fence in fences {
            if claims.get(&fence.id).is_some_and(|claim| claim.no == fence.claim_no) {
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
    pub(super) fn unknown(&self, mut fences: Vec<Fence>) -> Vec<Fence> {
        let claims = self.lock();
        fences.retain(|fence| !claims.contains_key(&fence.id));
        fences
    }
}

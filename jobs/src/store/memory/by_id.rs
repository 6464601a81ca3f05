//! Finds runs by their identity, which is what a page, a log or a request knows of them.
//!
//! Identities grow with every run, so the list of all of them is nearly sorted as it is written (a submission has its
//! identity some moments before it is taken in), and a look-up is a binary search. What is forgotten stays in the list until its turn: at the front, or when more than half of the list is stale.
//! Then the list is written anew, a few entries with every run that is added, so that nobody ever waits for all of it.

use std::collections::VecDeque;

use super::RunKey;
use crate::job::run::RunId;

#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The halves of the identity: in one piece it would make the entry a third larger.
    high: u64,
    low: u64,
    key: RunKey,
}

impl Entry {
    fn id(&self) -> RunId {
        RunId::from_u128(u128::from(self.high) << 64 | u128::from(self.low))
    }
}

/// The runs that are known, by their identity.
#[derive(Debug, Default)]
pub(super) struct ById {
    /// Entries that were looked through; all before those of `rest`.
    swept: VecDeque<Entry>,
    rest: VecDeque<Entry>,
    sweeping: bool,
}

impl ById {
    /// So many stale entries are not worth a sweep.
    const SLACK: usize = 1024;

    /// Adds a run, later than nearly all before it, or one that was there before, at another place. `is_known` answers for runs added earlier, of which `known` are.
    pub(super) fn push(&mut self, id: RunId, key: RunKey, known: usize, is_known: impl Fn(RunKey) -> bool) {
        let entry = Entry { high: (id.as_u128() >> 64) as u64, low: id.as_u128() as u64, key };
        match self.rest.back() {
            Some(last) if last.id() < id => self.rest.push_back(entry),
            _ => self.insert(entry),
        }
        let front = if self.swept.is_empty() { &mut self.rest } else { &mut self.swept };
        if front.front().is_some_and(|first| !is_known(first.key)) {
            front.pop_front();
        }
        if self.sweeping {
            // More than one, so that it comes to an end.
            for _ in 0..4 {
                match self.rest.pop_front() {
                    Some(entry) if is_known(entry.key) => self.swept.push_back(entry),
                    Some(_) => {}
                    None => {
                        std::mem::swap(&mut self.swept, &mut self.rest);
                        self.sweeping = false;
                        break;
                    }
                }
            }
        } else {
            self.sweeping = self.rest.len() > 2 * known + Self::SLACK;
        }
    }

    /// Adds one that may be earlier than some.
    #[cold]
    fn insert(&mut self, entry: Entry) {
        let id = entry.id();
        let later = |entries: &VecDeque<Entry>| entries.iter().rev().take_while(|one| one.id() > id).count();
        let at = self.rest.len() - later(&self.rest);
        let swept = if at == 0 { later(&self.swept) } else { 0 };
        let before = match at.checked_sub(1) {
            Some(before) => self.rest.get_mut(before),
            None => (self.swept.len() - swept).checked_sub(1).and_then(|before| self.swept.get_mut(before)),
        };
        if let Some(before) = before.filter(|before| before.id() == id) {
            before.key = entry.key;
        } else if swept == 0 {
            self.rest.insert(at, entry);
        } else {
            self.swept.insert(self.swept.len() - swept, entry);
        }
    }

    /// The key of a run; it may have been forgotten.
    pub(super) fn get(&self, id: RunId) -> Option<RunKey> {
        let find = |entries: &VecDeque<Entry>| {
            entries.binary_search_by_key(&id, Entry::id).ok().map(|at| entries[at].key)
        };
        find(&self.rest).or_else(|| find(&self.swept))
    }

    /// The keys of at most `count` runs before one, or the last, the youngest first; some may have been forgotten. With them
    /// comes where to go on.
    pub(super) fn before(&self, id: Option<RunId>, count: usize) -> (Vec<RunKey>, Option<RunId>) {
        let end = |entries: &VecDeque<Entry>| match id {
            Some(id) => entries.partition_point(|entry| entry.id() < id),
            None => entries.len(),
        };
        let rest = self.rest.range(..end(&self.rest)).rev();
        let entries = rest.chain(self.swept.range(..end(&self.swept)).rev()).take(count);
        let mut last = None;
        let keys: Vec<_> = entries
            .map(|entry| {
                last = Some(entry.id());
                entry.key
            })
            .collect();
        let more = keys.len() == count;
        (keys, last.filter(|_| more))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use super::*;
    use crate::clock::Timestamp;
    use crate::job::run::RunIds;
    use crate::store::slab::Slab;

    /// Adds and forgets at random, in the patterns that matter: the oldest first, the youngest first, anyhow.
    #[test]
    fn agrees_with_a_map() {
        for seed in 0..30_u64 {
            let mut random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
            let mut below = |bound: usize| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                ((random >> 33) % bound as u64) as usize
            };
            let (mut index, ids, mut runs) = (ById::default(), RunIds::new(seed), Slab::new());
            let mut model: BTreeMap<RunId, RunKey> = BTreeMap::new();
            let mut gone = HashSet::new();
            let most = [3, 300, 2500][below(3)];
            // Some have their identity before others that are added first, and some come again.
            let mut made = Vec::new();
            for step in 0..6000 {
                made.push(ids.next(Timestamp::from_nanos(step * 100_000)));
                if made.len() < 8 && below(4) == 0 {
                    continue;
                }
                let id = made.swap_remove(below(made.len()));
                let known = runs.len();
                let key = runs.insert(());
                index.push(id, key, known, |key| runs.get(key).is_some());
                model.insert(id, key);
                while model.len() > most {
                    let id = match below(8) {
                        0 => *model.keys().next_back().unwrap(),
                        1 => *model.keys().nth(below(model.len())).unwrap(),
                        _ => *model.keys().next().unwrap(),
                    };
                    runs.remove(model.remove(&id).unwrap());
                    if below(4) == 0 {
                        made.push(id);
                    } else {
                        gone.insert(id);
                    }
                }
            }
            for (id, key) in &model {
                assert_eq!(index.get(*id), Some(*key), "seed {seed}");
            }
            let found = |id: &&RunId| index.get(**id).is_some_and(|key| runs.get(key).is_some());
            assert_eq!(gone.iter().filter(found).count(), 0, "seed {seed}");
            let mut walked = Vec::new();
            let mut from = None;
            loop {
                let (keys, next) = index.before(from, 7);
                walked.extend(keys.into_iter().filter(|key| runs.get(*key).is_some()));
                from = next;
                if from.is_none() {
                    break;
                }
            }
            assert!(walked.into_iter().eq(model.values().rev().copied()), "seed {seed}");
            let entries = index.swept.len() + index.rest.len();
            assert!(entries < 4 * (most + ById::SLACK), "seed {seed}: {entries} entries for {most} runs");
        }
    }
}

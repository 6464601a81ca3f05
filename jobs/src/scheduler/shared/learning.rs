//! What other processes have made of slots, learned from the ledger in the store.

use std::collections::HashMap;

use super::{Sharing, entry_of};
use crate::clock::Timestamp;
use crate::scheduler::ledger::Entry;
use crate::scheduler::planned::ScheduleKey;
use crate::scheduler::task::Scheduler;
use crate::scheduler::timers::Timers;
use crate::store::postgres::Trouble;

impl Scheduler {
    pub(super) fn next_known(&self, key: ScheduleKey) -> Option<Timestamp> {
        self.read(|timers| timers.get(key)?.next_by_wall())
    }

    /// Takes over from the ledger what others have made of slots.
    pub(super) async fn learn(&self, sharing: &Sharing) -> Result<(), Trouble> {
        let moved = std::mem::take(&mut sharing.lock().unlearned);
        if moved.is_empty() {
            return Ok(());
        }
        let most = self.read(Timers::most_entries);
        let names: Vec<_> = moved.keys().cloned().collect();
        let node = sharing.node()?;
        let ledgers = node.ask(move |db| async move {
            let names: Vec<_> = names.iter().map(|(job, key)| (job.as_str(), key.as_str())).collect();
            db.ledgers(&names, most).await
        });
        let ledgers = match ledgers.await {
            Ok(ledgers) => ledgers,
            Err(trouble) => {
                sharing.lock().unlearned.extend(moved);
                return Err(trouble);
            }
        };
        let mut entries = HashMap::<ScheduleKey, Vec<Entry>>::new();
        for (job, key, entry) in ledgers {
            if let (Some(key), Some(entry)) = (moved.get(&(job, key)), entry_of(&entry)) {
                entries.entry(*key).or_default().push(entry);
            }
        }
        let mut timers = self.lock();
        moved.into_values().for_each(|key| timers.learn(key, entries.remove(&key).unwrap_or_default()));
        Ok(())
    }
}

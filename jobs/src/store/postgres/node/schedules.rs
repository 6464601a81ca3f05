//! The schedules that a node registers.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::{Node, Shared};
use crate::clock::Told;
use crate::store::postgres::fire::Entry;
use crate::store::postgres::schedules::{InForce, Registration};
use crate::store::postgres::trouble::{Trouble, ask};

/// How things stand with a schedule, and what became of its slots, the earliest first.
#[derive(Debug)]
pub(crate) struct Registered {
    pub(crate) in_force: InForce,
    pub(crate) ledger: Vec<Entry>,
}

impl Node {
    /// The program has these schedules declared, by their jobs and keys, and begins to register them. Others that were declared for
    /// its jobs are gone. After a trouble it is said at the next heartbeat.
    pub(crate) async fn declare(&self, declared: Vec<(String, String)>) -> Result<(), Trouble> {
        let shared = Arc::clone(&self.shared);
        // Once for each program.
        let _ = shared.declared.set(declared);
        let (told, answer) = oneshot::channel();
        let told = Told::new(told, &shared.clock);
        self.spawn(async move {
            let answer = shared.disown().await;
            if answer.is_err() {
                shared.unregistered.store(true, Ordering::SeqCst);
            }
            told.tell(answer);
        });
        answer.await.unwrap_or(Err(Trouble::Closed))
    }

    /// Registers schedules of the host's, of each with its last so many entries of the ledger. After a trouble it is tried
    /// again at the next heartbeat.
    pub(crate) async fn register(
        &self,
        schedules: Vec<Registration>,
        most: usize,
    ) -> Result<Vec<Registered>, Trouble> {
        let node = self.shared.identity.id;
        let registered = self.ask(move |db| async move {
            let mut jobs: Vec<_> = schedules.iter().map(|schedule| schedule.job.clone()).collect();
            jobs.sort_unstable();
            jobs.dedup();
            // Closures and jobs by hand become known here.
            db.know_jobs(&jobs).await?;
            db.register(node, &schedules).await?;
            let rows = db.in_force(&schedules).await?;
            let keys: Vec<_> = rows.iter().map(|row| (row.job.as_str(), row.key.as_str())).collect();
            let entries = db.ledgers(&keys, most).await?;
            Ok((rows, entries))
        });
        let (rows, entries) = match registered.await {
            Ok(registered) => registered,
            Err(trouble) => {
                self.shared.unregistered.store(true, Ordering::SeqCst);
                return Err(trouble);
            }
        };
        let mut registered: Vec<_> =
            rows.into_iter().map(|in_force| Registered { in_force, ledger: Vec::new() }).collect();
        registered.sort_by(|one, other| one.name().cmp(&other.name()));
        // They come in the order of their schedules.
        let mut of = registered.iter_mut().peekable();
        for (job, key, entry) in entries {
            while of.next_if(|one| one.name() < (job.as_str(), key.as_str())).is_some() {}
            if let Some(one) = of.peek_mut().filter(|one| one.name() == (job.as_str(), key.as_str())) {
                one.ledger.push(entry);
            }
        }
        Ok(registered)
    }

    /// Registers a schedule no more. The other nodes that do go on.
    pub(crate) async fn unregister(&self, job: String, key: String) -> Result<(), Trouble> {
        let node = self.shared.identity.id;
        self.ask(move |db| async move { db.unregister(node, &job, &key).await }).await
    }
}

impl Registered {
    fn name(&self) -> (&str, &str) {
        (&self.in_force.job, &self.in_force.key)
    }
}

impl Shared {
    /// Registers what the host has, as after the node was taken for lost.
    pub(super) async fn register_all(&self) -> Result<(), Trouble> {
        self.disown().await?;
        let all = self.host.schedules();
        if all.is_empty() {
            return Ok(());
        }
        ask(self.vital.register(self.identity.id, &all)).await?;
        self.tell_in_force(&all).await
    }

    /// Says which schedules of its jobs it does not have, once it has said which it has.
    async fn disown(&self) -> Result<(), Trouble> {
        let Some(declared) = self.declared.get() else { return Ok(()) };
        ask(self.vital.disown(self.identity.id, &self.identity.fires, declared)).await
    }

    /// Says the definitions of the host again, since the node that had the say may be gone.
    pub(super) async fn adopt_all(&self) -> Result<(), Trouble> {
        let all = self.host.schedules();
        if all.is_empty() { Ok(()) } else { ask(self.vital.adopt(self.identity.id, &all)).await }
    }

    /// Lets the host know which of them are its to fire.
    pub(super) async fn tell_in_force(&self, all: &[Registration]) -> Result<(), Trouble> {
        if !all.is_empty() {
            self.host.in_force(ask(self.vital.in_force(all)).await?);
        }
        Ok(())
    }
}

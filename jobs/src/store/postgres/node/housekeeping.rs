//! What some node has to do for all: the rescue of runs, whose definition holds, and what is forgotten. Every node does it.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::standing::Part;
use crate::clock::monotonic_now;
use crate::store::postgres::id::Id;
use crate::store::postgres::trouble::{Pause, Trouble, ask};
use crate::telemetry::{self, ClusterNews};

/// Every so many heartbeats schedules are looked after, though no node has come or gone.
const SCHEDULES_EVERY: u32 = 12;

/// How long between two looks for runs that are to be forgotten.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// How many are forgotten in one statement.
const PRUNED: usize = 1000;

impl Shared {
    /// Looks after what others have left, after every heartbeat.
    pub(super) async fn keep_house(&self) {
        let mut beats = self.nodes.subscribe();
        beats.mark_changed();
        let (mut since, mut known) = (SCHEDULES_EVERY, Vec::new());
        // The sender is as old as the node.
        while beats.changed().await.is_ok() {
            let nodes = beats.borrow_and_update().clone();
            let all = since >= SCHEDULES_EVERY;
            let answer = self.look_after(nodes, &mut known, all).await;
            self.stands(Part::Housekeeping, &answer);
            since = if all && answer.is_ok() { 1 } else { since.saturating_add(1) };
        }
    }

    async fn look_after(&self, nodes: Vec<Id>, known: &mut Vec<Id>, all: bool) -> Result<(), Trouble> {
        // Who is alone finds what others have left when it comes, and now and then.
        let rescued = match nodes.len() > 1 || all {
            true => ask(self.vital.rescue(self.identity.id)).await?,
            false => Vec::new(),
        };
        if !rescued.is_empty() {
            telemetry::cluster(ClusterNews::TookOver(rescued.len()));
            self.has_arrived();
            self.news.notify_one();
        }
        // Whoever is lost may have left it undone, and so has this node where others held what it wanted.
        if self.undone.swap(false, Ordering::SeqCst) || all || !rescued.is_empty() {
            self.has_succeeded(ask(self.vital.succeed_undone()).await?);
        }
        let changed = *known != nodes;
        if self.unregistered.swap(false, Ordering::SeqCst) {
            self.register_all().await.inspect_err(|_| self.unregistered.store(true, Ordering::SeqCst))?;
        } else if all || changed {
            self.adopt_all().await?;
        }
        if changed {
            self.tell_in_force(&self.host.schedules()).await?;
        }
        if all {
            ask(self.vital.close_schedules(self.identity.id)).await?;
        }
        *known = nodes;
        Ok(())
    }

    /// Forgets what has ended, when it is its time.
    pub(super) async fn forget(&self) {
        let mut pause = Pause::new(self.identity.id.0 >> 96);
        loop {
            let answer = self.forget_all().await;
            self.stands(Part::Forgetting, &answer);
            if answer.is_ok() {
                pause.reset();
                tokio::time::sleep(PRUNE_EVERY).await;
            } else {
                self.rest(&mut pause).await;
            }
        }
    }

    pub(super) async fn forget_all(&self) -> Result<(), Trouble> {
        let (age, count) = self.host.retention();
        for stale in ask(self.db.stale(age, count)).await? {
            loop {
                let began = monotonic_now();
                if ask(self.db.prune(&stale, PRUNED)).await? < PRUNED as u64 {
                    break;
                }
                // There is no hurry: at most half of the time is for it.
                tokio::time::sleep(began.elapsed()).await;
            }
        }
        Ok(())
    }
}

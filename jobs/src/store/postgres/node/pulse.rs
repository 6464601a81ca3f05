//! The heartbeat, and what goes with it: the rescue of runs, whose definition holds, and what is forgotten.

use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Shared;
use crate::clock::Timestamp;
use crate::store::postgres::trouble::{Trouble, ask};

/// How often a node says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// Every so many heartbeats schedules are looked after, and runs that have ended are forgotten.
const HOUSEKEEPING_EVERY: u32 = 12;

/// How many runs are forgotten in one statement.
const PRUNED: usize = 1000;

impl Shared {
    /// Beats until the node leaves.
    pub(super) async fn pulse(&self) {
        let mut interval = tokio::time::interval(HEARTBEAT);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut beats = 0_u32;
        loop {
            interval.tick().await;
            let answer = self.beat_once(beats).await;
            self.stands(&answer);
            beats = beats.wrapping_add(1);
        }
    }

    async fn beat_once(&self, beats: u32) -> Result<(), Trouble> {
        let node = self.identity.id;
        let before = self.clock.now();
        if let Some(server) = ask(self.vital.beat(node)).await? {
            self.time.heard(before, Timestamp::from_chrono(server), self.clock.now());
        } else {
            tracing::warn!(target: "jobs::store", "this node was taken for lost, and others have its runs");
            self.claims.clear();
            self.host.lost_claims();
            self.enter().await?;
        }
        let rescued = ask(self.vital.rescue(node)).await?;
        if !rescued.is_empty() {
            tracing::warn!(target: "jobs::store", runs = rescued.len(), "took over the runs of a node that is lost");
            self.has_arrived();
            self.news.notify_one();
        }
        let housekeeping = beats.is_multiple_of(HOUSEKEEPING_EVERY);
        // Whoever is lost may have left it undone.
        if (housekeeping || !rescued.is_empty()) && ask(self.vital.succeed_undone()).await? > 0 {
            self.has_arrived();
        }
        if housekeeping {
            ask(self.vital.adopt(node, &self.identity.schedules)).await?;
            ask(self.vital.close_schedules()).await?;
            let (age, count) = self.identity.retention;
            while ask(self.vital.prune(age, count, PRUNED)).await? == PRUNED as u64 {}
        }
        Ok(())
    }
}

//! The heartbeat, and what goes with it: the rescue of runs, whose definition holds, and what is forgotten.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Shared;
use crate::clock::Timestamp;
use crate::store::postgres::trouble::{Trouble, ask};
use crate::telemetry::{self, ClusterNews};

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
        let (mut beats, mut nodes) = (0_u32, 0);
        loop {
            interval.tick().await;
            let answer = self.beat_once(beats, &mut nodes).await;
            self.stands(&answer);
            beats = beats.wrapping_add(1);
        }
    }

    /// Says that the node is there, and answers how many are; none when it was taken for lost.
    pub(super) async fn beat(&self) -> Result<Option<i64>, Trouble> {
        let before = self.clock.now();
        let Some((server, nodes)) = ask(self.vital.beat(self.identity.id)).await? else { return Ok(None) };
        self.clock.follow(before, Timestamp::from_chrono(server), self.clock.now());
        Ok(Some(nodes))
    }

    async fn beat_once(&self, beats: u32, nodes: &mut i64) -> Result<(), Trouble> {
        let node = self.identity.id;
        let there = self.beat().await?;
        if there.is_none() {
            telemetry::cluster(ClusterNews::TakenForLost);
            self.claims.clear();
            self.host.lost_claims();
            self.enter().await?;
        }
        let there = there.unwrap_or_default();
        self.alone.store(there == 1, Ordering::SeqCst);
        let housekeeping = beats.is_multiple_of(HOUSEKEEPING_EVERY);
        // Who is alone finds what others have left when it comes, and now and then.
        let rescued = match there > 1 || housekeeping {
            true => ask(self.vital.rescue(node)).await?,
            false => Vec::new(),
        };
        if !rescued.is_empty() {
            telemetry::cluster(ClusterNews::TookOver(rescued.len()));
            self.tell_all();
        }
        // Whoever is lost may have left it undone.
        if (housekeeping || !rescued.is_empty()) && ask(self.vital.succeed_undone()).await? > 0 {
            self.has_arrived();
        }
        let changed = std::mem::replace(nodes, there) != there;
        if self.unregistered.swap(false, Ordering::SeqCst) {
            self.register_all().await.inspect_err(|_| self.unregistered.store(true, Ordering::SeqCst))?;
        } else if housekeeping || changed {
            self.adopt_all().await?;
        }
        if changed {
            self.tell_in_force(&self.host.schedules()).await?;
        }
        if housekeeping {
            ask(self.vital.close_schedules()).await?;
            self.prune().await?;
        }
        Ok(())
    }

    /// Forgets the runs that are not to be kept any more.
    pub(super) async fn prune(&self) -> Result<(), Trouble> {
        loop {
            let (age, count) = self.host.retention();
            if ask(self.vital.prune(age, count, PRUNED)).await? < PRUNED as u64 {
                return Ok(());
            }
        }
    }
}

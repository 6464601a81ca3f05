//! The heartbeat. Nothing else is asked on its way, so that it is late only when the server is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::MissedTickBehavior;

use super::Shared;
use super::standing::Part;
use crate::clock::Timestamp;
use crate::store::postgres::trouble::{Trouble, ask};
use crate::telemetry::{self, ClusterNews};

/// How often a node says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(5);

impl Shared {
    /// Beats until the node leaves.
    pub(super) async fn pulse(&self) {
        let mut interval = tokio::time::interval(HEARTBEAT);
        interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            interval.tick().await;
            let answer = self.beat_on().await;
            self.stands(Part::Pulse, &answer);
        }
    }

    /// Says that the node is there, and answers how many are; none when it was taken for lost.
    async fn beat(&self) -> Result<Option<i64>, Trouble> {
        let before = self.clock.now();
        let Some((server, nodes)) = ask(self.vital.beat(self.identity.id)).await? else { return Ok(None) };
        self.clock.follow(before, Timestamp::from_chrono(server), self.clock.now());
        self.alone.store(nodes == 1, Ordering::SeqCst);
        Ok(Some(nodes))
    }

    async fn beat_on(&self) -> Result<(), Trouble> {
        if let Some(nodes) = self.beat().await? {
            self.alone.store(nodes == 1, Ordering::SeqCst);
            self.nodes.send_replace(nodes);
            return Ok(());
        }
        telemetry::cluster(ClusterNews::TakenForLost);
        self.claims.clear();
        self.host.lost_claims();
        // With the node its registrations have gone.
        self.unregistered.store(true, Ordering::SeqCst);
        self.enter().await
    }

    /// Says who it is, the first time and after it was taken for lost.
    pub(super) async fn enter(&self) -> Result<(), Trouble> {
        let super::Identity { id, name } = &self.identity;
        ask(self.vital.join(*id, name)).await?;
        ask(self.vital.know_jobs(&self.known_jobs())).await?;
        let nodes = self.beat().await?;
        self.nodes.send_replace(nodes.unwrap_or_default());
        Ok(())
    }
}

//! The heartbeat. Nothing else is asked on its way, so that it is late only when the server is.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::Shared;
use super::standing::Part;
use crate::clock::{Timestamp, monotonic_now};
use crate::store::postgres::id::Id;
use crate::store::postgres::nodes::GAP;
use crate::store::postgres::trouble::{Trouble, ask};
use crate::telemetry::{self, ClusterNews};

/// How often a node says that it is there.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// On a test's clock a node that is alone beats less and less often, down to this.
const ALONE: Duration = Duration::from_secs(86_400);

impl Shared {
    /// Beats until the node leaves.
    pub(super) async fn pulse(&self) {
        let mut wait = HEARTBEAT;
        let mut hold = self.beat.called().await;
        loop {
            let began = monotonic_now();
            let answer = self.beat_on().await;
            self.stands(Part::Pulse, &answer);
            wait = match self.is_alone_in_a_test() {
                true => (wait * 2).min(ALONE),
                false => HEARTBEAT.saturating_sub(began.elapsed()),
            };
            tokio::select! {
                biased;
                held = self.beat.called() => hold = held,
                held = self.clock.wait(wait, std::mem::take(&mut hold)) => hold = held,
            }
        }
    }

    /// Says that the node is there, and answers which are; none when it was taken for lost.
    async fn beat(&self) -> Result<Option<Vec<Id>>, Trouble> {
        let before = self.clock.now();
        // A test's clock knows no outages.
        let gap = if self.clock.is_virtual() { ALONE * 2 } else { GAP };
        let since = monotonic_now();
        let answer = ask(self.vital.beat(self.identity.id, gap)).await?;
        self.beats.took(since.elapsed());
        let Some((server, nodes, one_is_late)) = answer else { return Ok(None) };
        if !self.clock.is_virtual() {
            self.clock.follow(before, Timestamp::from_chrono(server), self.clock.now());
        }
        self.alone.store(nodes.len() == 1, Ordering::SeqCst);
        if one_is_late {
            self.late.store(true, Ordering::SeqCst);
        }
        Ok(Some(nodes))
    }

    /// Nobody else goes by the clock of its test, as far as it knows.
    pub(super) fn is_alone_in_a_test(&self) -> bool {
        self.clock.is_virtual() && self.nodes.borrow().len() < 2
    }

    /// These nodes are there.
    fn are_there(&self, nodes: Vec<Id>) {
        self.nodes.send_replace(nodes);
        self.house.call(Some(&self.clock));
    }

    async fn beat_on(&self) -> Result<(), Trouble> {
        if let Some(nodes) = self.beat().await? {
            self.are_there(nodes);
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
        let super::Identity { id, name, names, .. } = &self.identity;
        let started = ask(self.vital.join(*id, name, self.started.get().copied())).await?;
        let is_first = self.started.set(started).is_ok();
        ask(self.vital.know_jobs(&self.known_jobs())).await?;
        // The first time it is the last that has started.
        if is_first || ask(self.vital.is_newest(*id)).await? {
            ask(self.vital.know_families(names)).await?;
        }
        let nodes = self.beat().await?;
        self.are_there(nodes.unwrap_or_default());
        Ok(())
    }
}

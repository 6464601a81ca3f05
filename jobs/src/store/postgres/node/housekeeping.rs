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

/// After so many heartbeats it is looked for runs of lost nodes once one may be lost, or nodes have come or gone: a node that is new
/// itself, or was cut off, may take them only when 15 s have passed.
const WATCHED: u32 = 5;

/// How long between two looks for runs that are to be forgotten. Histories are read for that, so nodes take turns.
const PRUNE_EVERY: Duration = Duration::from_secs(60);

/// Every so many of a node's are for ledgers as well, which grow slowly.
const LEDGERS_EVERY: u32 = 10;

/// Of how many jobs it is asked at a time; of fewer where that takes too long.
const PRUNED_JOBS: usize = 50;

/// How many runs are forgotten in one statement, and how many entries of ledgers.
const PRUNED: usize = 1000;
const PRUNED_ENTRIES: usize = 10_000;

impl Shared {
    /// Looks after what others have left, after every heartbeat.
    pub(super) async fn keep_house(&self) {
        let (mut since, mut known, mut watch) = (SCHEDULES_EVERY, Vec::new(), 0);
        loop {
            let _hold = self.house.called().await;
            let nodes = self.nodes.borrow().clone();
            let all = since >= SCHEDULES_EVERY || self.is_alone_in_a_test();
            let answer = self.look_after(nodes, &mut known, &mut watch, all).await;
            self.stands(Part::Housekeeping, &answer);
            if self.clock.is_virtual() && all {
                let answer = self.forget_all(true, &mut { PRUNED_JOBS }).await;
                self.has_forgotten(&answer);
            }
            since = if all && answer.is_ok() { 1 } else { since.saturating_add(1) };
        }
    }

    async fn look_after(
        &self,
        nodes: Vec<Id>,
        known: &mut Vec<Id>,
        watch: &mut u32,
        all: bool,
    ) -> Result<(), Trouble> {
        let changed = *known != nodes;
        if changed || self.late.swap(false, Ordering::SeqCst) {
            *watch = WATCHED;
        }
        // What somebody has locked for longer is found now and then.
        let rescued = match *watch > 0 || all {
            true => ask(self.vital.rescue(self.identity.id)).await?,
            false => Vec::new(),
        };
        let is_watching = *watch > 0;
        *watch = if rescued.is_empty() { watch.saturating_sub(1) } else { WATCHED };
        // Who was cut off, or is new, may judge by now.
        let has_watched = is_watching && *watch == 0;
        if !rescued.is_empty() {
            telemetry::cluster(ClusterNews::TookOver(rescued.len()));
            self.tell_all();
        }
        // Whoever is lost may have left it undone, and so has this node where others held what it wanted.
        if self.undone.swap(false, Ordering::SeqCst) || all || !rescued.is_empty() {
            let undone = ask(self.vital.succeed_undone()).await;
            let undone = undone.inspect_err(|_| self.undone.store(true, Ordering::SeqCst))?;
            self.has_succeeded(undone);
        }
        if self.unregistered.swap(false, Ordering::SeqCst) {
            self.register_all().await.inspect_err(|_| self.unregistered.store(true, Ordering::SeqCst))?;
        } else if all || changed || is_watching {
            if changed || has_watched {
                self.say_families().await?;
            }
            self.adopt_all().await?;
        }
        if all || changed || is_watching {
            self.tell_in_force(&self.host.schedules()).await?;
        }
        if all {
            ask(self.vital.close_schedules(self.identity.id)).await?;
        }
        if all || changed || has_watched {
            match self.db.settle().await {
                // Somebody submits what stands for the same.
                Ok(()) | Err(Trouble::Held) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        *known = nodes;
        Ok(())
    }

    /// Says again which names are of one job, since the node that had the say may be gone.
    async fn say_families(&self) -> Result<(), Trouble> {
        let super::Identity { id, names, .. } = &self.identity;
        if ask(self.vital.may_say_families(*id)).await? {
            ask(self.vital.know_families(names)).await?;
        }
        Ok(())
    }

    /// Forgets what has ended, when it is its time.
    pub(super) async fn forget(&self) {
        if self.clock.is_virtual() {
            // It is done with the rest of the housekeeping.
            return std::future::pending().await;
        }
        let mut pause = Pause::new(self.identity.id.0 >> 96);
        let (mut looks, mut is_troubled, mut jobs) = (0_u32, false, PRUNED_JOBS);
        loop {
            let minute = self.clock.now().wall.to_chrono().timestamp() / 60;
            // Trouble is not left to others, or it would be told of until the next turn.
            if !is_troubled && !has_turn(self.identity.id, &self.nodes.borrow(), minute) {
                tokio::time::sleep(PRUNE_EVERY).await;
                continue;
            }
            let answer = self.forget_all(looks.is_multiple_of(LEDGERS_EVERY), &mut jobs).await;
            self.has_forgotten(&answer);
            is_troubled = answer.is_err();
            if answer.is_ok() {
                looks = looks.wrapping_add(1);
                pause.reset();
                tokio::time::sleep(PRUNE_EVERY).await;
            } else {
                self.rest(&mut pause).await;
            }
        }
    }

    /// What there is to forget at the start.
    pub(super) async fn forget_first(&self) {
        // What fails is done with the housekeeping.
        let _ = self.forget_all(false, &mut { PRUNED_JOBS }).await;
    }

    fn has_forgotten(&self, answer: &Result<Option<Trouble>, Trouble>) {
        let answer = match answer {
            Ok(None) => Ok(()),
            Ok(Some(trouble)) | Err(trouble) => Err(trouble.clone()),
        };
        self.stands(Part::Forgetting, &answer);
    }

    /// Forgets what all have left, by so many `jobs` at a time. Answers the trouble with a job that was passed over.
    async fn forget_all(&self, ledgers: bool, jobs: &mut usize) -> Result<Option<Trouble>, Trouble> {
        let (age, count) = self.host.retention();
        let (mut behind, mut passed_over) = (Some(String::new()), None);
        while let Some(last) = behind {
            let (stale, next) = match ask(self.db.stale((age, count), &last, *jobs)).await {
                Ok(asked) => asked,
                // The history of one is too long for a question; those of others may be not.
                Err(trouble) if *jobs == 1 => {
                    behind = ask(self.db.job_behind(&last)).await?;
                    passed_over = Some(trouble);
                    continue;
                }
                Err(trouble) => {
                    *jobs /= 2;
                    return Err(trouble);
                }
            };
            for mut stale in stale {
                while self.forgets_more(PRUNED, self.db.prune(&mut stale, PRUNED)).await? {}
            }
            behind = next;
        }
        if passed_over.is_none() {
            *jobs = PRUNED_JOBS.min(*jobs * 2);
        }
        if ledgers {
            ask(self.db.prune_schedules(age)).await?;
            let entries = || self.db.prune_ledger(age, count, PRUNED_ENTRIES);
            while self.forgets_more(PRUNED_ENTRIES, entries()).await? {}
        }
        Ok(passed_over)
    }

    /// Forgets so many at most, and answers whether there may be more. There is no hurry: at most half of the time is for it.
    async fn forgets_more(
        &self,
        most: usize,
        part: impl Future<Output = sqlx::Result<u64>>,
    ) -> Result<bool, Trouble> {
        let began = monotonic_now();
        if ask(part).await? < most as u64 {
            return Ok(false);
        }
        tokio::time::sleep(began.elapsed()).await;
        Ok(true)
    }
}

/// Whether it is a node's turn in a minute, which has one minute in so many as there are nodes. One that does not find
/// itself among them does not wait for others. Nothing that is right depends on it: all may have the turn, or for a while none.
fn has_turn(node: Id, nodes: &[Id], minute: i64) -> bool {
    let place = nodes.iter().filter(|other| **other < node).count();
    let count = nodes.len().max(1);
    !nodes.contains(&node) || usize::try_from(minute).unwrap_or(0) % count == place
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_minute_is_one_node_s() {
        let nodes = [Id(7), Id(3), Id(5)];
        for minute in 0..6 {
            let whose: Vec<_> = nodes.iter().filter(|node| has_turn(**node, &nodes, minute)).collect();
            assert_eq!(whose, [&Id([3, 5, 7][minute as usize % 3])]);
        }
        assert!(has_turn(Id(4), &nodes, 0) && has_turn(Id(4), &nodes, 1) && has_turn(Id(4), &[], 1));
        assert!(has_turn(Id(4), &[Id(4)], 1) && has_turn(Id(4), &[Id(4)], 2));
    }
}

//! A node looks how things stand: what there is to claim, what somebody wants ended, and which runs are its own without its knowing,
//! since the answer to a claim was lost on its way or the host did not take them.

use std::collections::HashMap;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::time::Instant;

use super::pace::Pace;
use super::{ClusterView, Shared};
use crate::clock::{Reading, monotonic_now};
use crate::store::postgres::claim::Claimed;
use crate::store::postgres::end::Fence;
use crate::store::postgres::id::Id;
use crate::store::postgres::look::{Asked, Look, Page};
use crate::store::postgres::parts::Portion;
use crate::store::postgres::trouble::{Trouble, ask};

/// How long a run waits that this node could not begin for the second time, and at most.
const REFUSED: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// How long one waits at least that could not be taken up even by itself: for that it was waited too.
const ALONE: Duration = Duration::from_secs(10);

/// Of so many runs at most it is remembered how often that was.
const REFUSALS: usize = 10_000;

/// For each run that is made available a look may take so long, without being slow.
const SPARED: Duration = Duration::from_micros(100);

/// How things stood, and how far it has come in the look at them.
pub(super) struct Outlook {
    /// How long it takes to look at the whole.
    pace: Pace,
    /// When it last looked, unless a question has failed since it has seen all of its claims.
    looked: Option<Instant>,
    /// Which of its claims it looks at next, to see whether it knows of them and whether somebody wants them ended, and of how
    /// many at a time.
    claimed: Page,
    cancelled: Page,
    page: Portion,
    /// How many of which it knows nothing are taken up at a time.
    adrift: Portion,
    /// What the clock showed before the last look, and how things stood.
    asked: Reading,
    view: ClusterView,
    /// How often the host did not take a run.
    refused: HashMap<Id, u32>,
    /// Runs that could not be taken up even by themselves, each as often as that was.
    alone: Vec<Id>,
    /// How many are given back at a time.
    pub(super) back: Portion,
}

impl Outlook {
    pub(super) fn new(now: Reading) -> Self {
        Self {
            pace: Pace::new(),
            looked: None,
            claimed: Page::default(),
            cancelled: Page::default(),
            page: Portion::new(),
            adrift: Portion::new(),
            asked: now,
            view: ClusterView::default(),
            refused: HashMap::new(),
            alone: Vec::new(),
            back: Portion::new(),
        }
    }

    /// For how long these runs are put off: the first time for so long, and then for longer and longer, since the next to claim one may
    /// be this node again.
    fn put_off(&mut self, runs: Vec<Fence>, first: Duration) -> Vec<(Fence, Duration)> {
        if self.refused.len() > REFUSALS {
            self.refused.clear();
        }
        let mut later = |fence: Fence| {
            let times = self.refused.entry(fence.id).or_default();
            let again = REFUSED.0.saturating_mul(1 << times.saturating_sub(1).min(10)).min(REFUSED.1);
            *times += 1;
            (fence, if *times == 1 { first } else { again.max(first) })
        };
        runs.into_iter().map(&mut later).collect()
    }

    /// When it takes long to look at the whole, until it may again.
    pub(super) fn wait(&self) -> Duration {
        self.pace.wait()
    }

    /// Whether it has been looked within this time.
    pub(super) fn is_of_the_last(&self, time: Duration) -> bool {
        self.looked.is_some_and(|looked| looked.elapsed() < time)
    }

    /// What the clock showed before the last look.
    pub(super) fn asked(&self) -> Reading {
        self.asked
    }

    /// A question has failed. What it has brought all the same is found before there is more of it, wherever it is.
    pub(super) fn is_to_begin_again(&mut self) {
        if self.looked.take().is_some() {
            self.claimed = Page::default();
        }
    }

    /// Whether there is a page to be seen before anything else is claimed: of what somebody wants ended; of all claims once a question
    /// has failed, and each time where there is perhaps no other look.
    pub(super) fn is_incomplete(&self, is_last: bool) -> bool {
        self.looked.is_none() || !self.cancelled.is_first() || (is_last && !self.claimed.is_first())
    }
}

impl Shared {
    /// Looks how things stand, and does what is to be done about it but for claims.
    pub(super) async fn look(&self, outlook: &mut Outlook, whole: bool) -> Result<Look, Trouble> {
        outlook.asked = self.clock.now();
        let since = monotonic_now();
        let (jobs, most) = (self.known_jobs(), outlook.page.size());
        let Outlook { claimed, cancelled, looked, .. } = &*outlook;
        let (node, claimed) = (self.identity.id, Some(claimed).filter(|_| whole || looked.is_none()));
        let has_claimed = claimed.is_some();
        let look = ask(self.db.look(Asked { node, jobs: &jobs, whole, claimed, cancelled, most })).await;
        let promoted = look.as_ref().map_or(0, |look| look.promoted);
        if whole {
            self.took(&mut outlook.pace, since.elapsed(), SPARED * promoted);
        }
        let mut look = look.inspect_err(|_| outlook.page.was_too_much(most))?;
        outlook.page.has_gone();
        outlook.cancelled = std::mem::take(&mut look.next_cancelled);
        if !look.cancelled.is_empty() {
            self.host.cancel(std::mem::take(&mut look.cancelled));
        }
        let view = ClusterView {
            paused_jobs: std::mem::take(&mut look.paused_jobs),
            paused_queues: std::mem::take(&mut look.paused_queues),
            delays: std::mem::take(&mut look.delays),
        };
        if view != outlook.view {
            self.host.see(view.clone());
            // What waits here of a queue that is paused would keep places from others.
            if view.paused_queues.iter().any(|queue| !outlook.view.paused_queues.contains(queue)) {
                self.give_back_all(&mut outlook.back).await?;
            }
            self.paused.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&view.paused_queues);
            outlook.view = view;
        }
        self.settle_adrift(std::mem::take(&mut look.claimed), outlook).await?;
        if has_claimed {
            outlook.claimed = std::mem::take(&mut look.next_claimed);
        }
        // After a question that has failed it has looked when it has seen all pages.
        if outlook.looked.is_some() || outlook.claimed.is_first() {
            outlook.looked = Some(monotonic_now());
        }
        Ok(look)
    }

    /// Takes up runs that the server says are this node's, and of which it knows nothing: the answer to a claim was lost on its
    /// way, or the host did not take them. What the host does not take is given back, since nobody else may try it before;
    /// so is what could not be taken up even by itself.
    async fn settle_adrift(&self, claimed: Vec<Fence>, outlook: &mut Outlook) -> Result<(), Trouble> {
        let unknown = self.claims.unknown(claimed);
        // What could not be had by itself keeps this node from nothing else. Once may be for any reason.
        let times = |fence: &Fence| outlook.alone.iter().filter(|run| **run == fence.id).count();
        let (alone, mut unknown): (Vec<_>, Vec<_>) = unknown.into_iter().partition(|fence| times(fence) > 1);
        let alone = outlook.put_off(alone, ALONE);
        self.put_off(&alone, &mut outlook.back).await?;
        outlook.alone.retain(|run| !alone.iter().any(|(fence, _)| fence.id == *run));
        while !unknown.is_empty() && !self.is_closing() {
            let some = outlook.adrift.first(&unknown, &[], |_| 0).to_vec();
            let found = match ask(self.db.adrift(self.identity.id, &some)).await {
                Ok(found) => found,
                Err(trouble) => {
                    if let [one] = some[..] {
                        if outlook.alone.len() > REFUSALS {
                            outlook.alone.clear();
                        }
                        // By which fence it is this node's now is told by the next look.
                        outlook.alone.push(one.id);
                    }
                    outlook.adrift.was_too_much(some.len());
                    return Err(trouble);
                }
            };
            outlook.adrift.has_gone();
            let is_done = |fence: &Fence| match found.is_empty() {
                // They have ended meanwhile.
                true => some.contains(fence),
                false => found.iter().any(|found| found.id == fence.id),
            };
            unknown.retain(|fence| !is_done(fence));
            outlook.alone.retain(|run| !found.iter().any(|found| found.id == *run));
            let refused = outlook.put_off(self.hand_over(found), Duration::ZERO);
            self.put_off(&refused, &mut outlook.back).await?;
        }
        Ok(())
    }

    /// Gives runs back, each to be claimed when so much time has passed. What somebody locks is found by the next look.
    pub(super) async fn put_off(
        &self,
        runs: &[(Fence, Duration)],
        portion: &mut Portion,
    ) -> Result<(), Trouble> {
        let mut rest = runs;
        while !rest.is_empty() {
            let some = portion.first(rest, &[], |_| 0);
            let back = ask(self.db.put_off(self.identity.id, some)).await;
            let back = back.inspect_err(|_| portion.was_too_much(some.len()))?;
            portion.has_gone();
            self.have_gone_back(back, some.len()).await;
            rest = &rest[some.len()..];
        }
        Ok(())
    }

    /// Gives back all that waits here for a place.
    pub(super) async fn give_back_all(&self, portion: &mut Portion) -> Result<(), Trouble> {
        let waiting = self.host.let_go_waiting();
        if waiting.is_empty() {
            return Ok(());
        }
        // Where this is not answered, the next look finds that they are adrift.
        self.claims.remove(waiting.iter().copied());
        let waiting: Vec<_> = waiting.into_iter().map(|fence| (fence, Duration::ZERO)).collect();
        self.put_off(&waiting, portion).await?;
        self.has_arrived();
        Ok(())
    }

    /// Gives runs to the host, and answers which it did not take. Those of a claim are found at the next look.
    pub(super) fn hand_over(&self, claimed: Vec<Claimed>) -> Vec<Fence> {
        if claimed.is_empty() {
            return Vec::new();
        }
        // Before they can end.
        self.claims.add(&claimed);
        let refused = self.host.take(claimed);
        self.claims.remove(refused.iter().copied());
        refused
    }
}

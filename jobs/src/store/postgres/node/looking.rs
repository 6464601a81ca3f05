//! A node looks how things stand: what there is to claim, what somebody wants ended, and which runs are its own without its knowing,
//! since the answer to a claim was lost on its way or the host did not take them.

use std::collections::{HashMap, HashSet};
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

/// Of so many runs at most it is remembered how often that was.
const REFUSALS: usize = 10_000;

/// For each run that is made available a look may take so long, without being slow.
const SPARED: Duration = Duration::from_micros(100);

/// How things stood, and how far it has come in the look at them.
pub(super) struct Outlook {
    /// How long it takes to look at the whole.
    pace: Pace,
    /// When it last looked, unless a question has failed since it has seen all of its claims, and how they stood.
    looked: Option<Instant>,
    /// Which of its claims it looks at next, to see whether it knows of them and whether somebody wants them ended, and of how
    /// many at a time.
    claimed: Page,
    cancelled: Page,
    page: Portion,
    /// How many of which it knows nothing are taken up at a time.
    adrift: Portion,
    /// What the clock showed before.
    asked: Reading,
    view: ClusterView,
    /// How often the host did not take a run.
    refused: HashMap<Id, u32>,
    /// Runs that could not be taken up even by themselves: the answer is too much for the way to the server.
    alone: HashSet<Id>,
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
            alone: HashSet::new(),
        }
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

    /// Whether there is a page to be seen before anything is claimed: all of them once a question has failed, and what somebody wants
    /// ended; where there is perhaps no other look all of them each time.
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
                self.give_back_all().await?;
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
    /// way, or the host did not take them. What the host does not take is given back, since nobody else may try it before; after
    /// the first time for later and later, since the next to claim it may be this node again, which would go on without end.
    async fn settle_adrift(&self, claimed: Vec<Fence>, outlook: &mut Outlook) -> Result<(), Trouble> {
        let unknown = self.claims.unknown(claimed);
        // What could not be had by itself is not asked for again, and keeps this node from nothing else.
        let (alone, mut unknown): (Vec<_>, Vec<_>) =
            unknown.into_iter().partition(|fence| outlook.alone.contains(&fence.id));
        if !alone.is_empty() {
            self.put_off(alone, &mut outlook.refused).await?;
        }
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
                        outlook.alone.insert(one.id);
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
            let refused = self.hand_over(found);
            if !refused.is_empty() {
                self.put_off(refused, &mut outlook.refused).await?;
            }
        }
        Ok(())
    }

    /// Gives back what the host has not taken, each time for longer.
    async fn put_off(&self, refused: Vec<Fence>, refusals: &mut HashMap<Id, u32>) -> Result<(), Trouble> {
        if refusals.len() > REFUSALS {
            refusals.clear();
        }
        let mut later = |fence: Fence| {
            let times = refusals.entry(fence.id).or_default();
            let wait = REFUSED.0.saturating_mul(1 << times.saturating_sub(1).min(10)).min(REFUSED.1);
            *times += 1;
            (fence, if *times == 1 { Duration::ZERO } else { wait })
        };
        let put_off: Vec<_> = refused.into_iter().map(&mut later).collect();
        let back = ask(self.db.put_off(self.identity.id, &put_off)).await?;
        self.have_gone_back(back, put_off.len()).await;
        Ok(())
    }

    /// Gives runs to the host, and answers which it did not take. Those are found at the next look.
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

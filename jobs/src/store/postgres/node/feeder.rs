//! Claims as many runs as the host has places for.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::{ClusterView, Shared};
use crate::clock::monotonic_now;
use crate::store::postgres::claim::{Claimed, Lanes, Wanted};
use crate::store::postgres::end::Fence;
use crate::store::postgres::id::Id;
use crate::store::postgres::look::Look;
use crate::store::postgres::trouble::{Pause, Trouble, ask};

/// How long a node that has nothing to do waits for somebody to wake it.
const POLL: Duration = Duration::from_secs(1);

/// How many runs are claimed in one statement.
const MOST: usize = 500;

/// Every so many claims the oldest runs come first, whatever their priority.
const OLDEST_EVERY: u32 = 8;

/// How long it waits when others have just locked what it wanted, and how often in a row.
const LOCKED: Duration = Duration::from_millis(20);
const LOCKED_TIMES: u32 = 3;

impl Shared {
    /// Claims whenever it is woken, and looks once a second whether there is something that it was not woken for.
    pub(super) async fn feed(&self) {
        let mut pause = Pause::new(self.identity.id.0 >> 64);
        let (mut place, mut locked) = (Place::new(), 0);
        let mut woken = true;
        while !self.is_closing() {
            let answer = self.claim_all(&mut place, woken).await;
            self.stands(&answer);
            let wait = match answer {
                Ok(Left { available: true, .. }) if locked < LOCKED_TIMES => {
                    locked += 1;
                    LOCKED
                }
                Ok(Left { next, .. }) => {
                    locked = 0;
                    pause.reset();
                    next.map_or(POLL, |next| next.min(POLL))
                }
                Err(_) => pause.next(),
            };
            woken = tokio::time::timeout(wait, self.wake.notified()).await.is_ok();
        }
    }

    /// Claims until there is nothing left or no room for it. Who was woken asks for runs at once; who was not first looks
    /// whether there are any.
    async fn claim_all(&self, place: &mut Place, woken: bool) -> Result<Left, Trouble> {
        if woken {
            while self.claim(place).await? {}
            // As long as it is full there is nothing to look for but what somebody wants ended, which can wait a little.
            if self.host.room().count == 0 && place.looked.elapsed() < POLL / 2 {
                return Ok(Left { available: false, next: Some(POLL / 2) });
            }
        }
        let look = ask(self.db.look(self.identity.id)).await?;
        place.looked = monotonic_now();
        if !look.cancelled.is_empty() {
            self.host.cancel(look.cancelled);
        }
        let Look { paused_jobs, paused_queues, delays, .. } = look;
        let view = ClusterView { paused_jobs, paused_queues, delays };
        if view != place.view {
            self.host.see(view.clone());
            place.view = view;
        }
        self.settle_adrift(look.claimed).await?;
        if look.promoted {
            self.arrived.store(true, Ordering::SeqCst);
        }
        let mut took = false;
        while look.available && self.claim(place).await? {
            took = true;
        }
        let has_room = self.host.room().count > 0;
        Ok(Left { available: look.available && has_room && !took && !woken, next: look.next })
    }

    /// Takes up runs that the server says are this node's, and of which it knows nothing: the answer to a claim was lost on its
    /// way, or the host did not take them. What the host does not take is given back, since nobody else may try it before.
    async fn settle_adrift(&self, claimed: Vec<Id>) -> Result<(), Trouble> {
        let mut unknown = self.claims.unknown(claimed);
        let node = self.identity.id;
        while !unknown.is_empty() {
            let found = ask(self.db.adrift(node, &unknown)).await?;
            if found.is_empty() {
                break;
            }
            unknown.retain(|id| found.iter().all(|found| found.id != *id));
            let refused = self.hand_over(found);
            if !refused.is_empty() {
                let refused: Vec<_> = refused.into_iter().map(|fence| (fence, false)).collect();
                ask(self.db.give_back(node, &refused)).await?;
                self.news.notify_one();
            }
        }
        Ok(())
    }

    /// Gives runs to the host, and answers which it did not take. Those are found at the next look.
    fn hand_over(&self, claimed: Vec<Claimed>) -> Vec<Fence> {
        if claimed.is_empty() {
            return Vec::new();
        }
        // Before they can end.
        self.claims.add(&claimed);
        let refused = self.host.take(claimed);
        self.claims.remove(refused.iter().copied());
        refused
    }

    /// Claims once, and answers whether there may be more.
    async fn claim(&self, place: &mut Place) -> Result<bool, Trouble> {
        let room = self.host.room();
        if room.count == 0 || self.is_closing() {
            return Ok(false);
        }
        let jobs = self.host.jobs();
        place.claims = place.claims.wrapping_add(1);
        let wanted = Wanted {
            node: self.identity.id,
            count: room.count.min(MOST),
            jobs: &jobs,
            queues: &room.queues,
            oldest: place.claims.is_multiple_of(OLDEST_EVERY),
        };
        let mut taken = 0;
        let mut take = |claimed: Vec<Claimed>| {
            taken += claimed.len();
            // At once: what the next question meets with must not lose them.
            let _ = self.hand_over(claimed);
            Wanted { count: wanted.count - taken, ..wanted }
        };
        let mut rest = wanted;
        if !wanted.oldest && !place.lanes.is_empty() && !self.arrived.load(Ordering::SeqCst) {
            rest = take(ask(self.db.claim_from(rest, &mut place.lanes)).await?);
        }
        if rest.count > 0 {
            self.arrived.store(false, Ordering::SeqCst);
            place.lanes = Lanes::default();
            let claimed = ask(self.db.claim(rest)).await?;
            // A backlog: it pays to remember the place.
            if claimed.len() == rest.count {
                let lanes = ask(self.db.lanes(wanted.jobs, &claimed)).await;
                place.lanes = lanes.unwrap_or_default();
            }
            rest = take(claimed);
        }
        if rest.count > 0 && !self.identity.limited.is_empty() {
            take(ask(self.db.claim_limited(rest, &self.identity.limited)).await?);
        }
        Ok(taken > 0)
    }
}

/// Where the feeder is.
struct Place {
    claims: u32,
    lanes: Lanes,
    /// When it last looked how things stand, and how they stood.
    looked: Instant,
    view: ClusterView,
}

impl Place {
    fn new() -> Self {
        Self { claims: 0, lanes: Lanes::default(), looked: monotonic_now(), view: ClusterView::default() }
    }
}

/// What a claim has left.
struct Left {
    /// There was something, and it was not to be had.
    available: bool,
    /// How long it is to the next delayed run.
    next: Option<Duration>,
}

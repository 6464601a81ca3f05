//! Claims as many runs as the host has places for.

use std::time::Duration;

use super::Shared;
use crate::store::postgres::claim::Wanted;
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
        let (mut claims, mut locked) = (0, 0);
        let mut woken = true;
        while !self.is_closing() {
            let answer = self.claim_all(&mut claims, woken).await;
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
    async fn claim_all(&self, claims: &mut u32, woken: bool) -> Result<Left, Trouble> {
        if woken {
            while self.claim(claims).await? {}
        }
        let look = ask(self.db.look(self.identity.id)).await?;
        if !look.cancelled.is_empty() {
            self.host.cancel(look.cancelled);
        }
        let mut took = false;
        while look.available && self.claim(claims).await? {
            took = true;
        }
        let has_room = self.host.room().count > 0;
        Ok(Left { available: look.available && has_room && !took && !woken, next: look.next })
    }

    /// Claims once, and answers whether there may be more.
    async fn claim(&self, claims: &mut u32) -> Result<bool, Trouble> {
        let room = self.host.room();
        if room.count == 0 || self.is_closing() {
            return Ok(false);
        }
        *claims = claims.wrapping_add(1);
        let wanted = Wanted {
            node: self.identity.id,
            count: room.count.min(MOST),
            jobs: &self.identity.jobs,
            without: &room.full_queues,
            oldest: claims.is_multiple_of(OLDEST_EVERY),
        };
        let mut claimed = ask(self.db.claim(wanted)).await?;
        if !self.identity.limited.is_empty() && claimed.len() < wanted.count {
            let wanted = Wanted { count: wanted.count - claimed.len(), ..wanted };
            claimed.extend(ask(self.db.claim_limited(wanted, &self.identity.limited)).await?);
        }
        if claimed.is_empty() {
            return Ok(false);
        }
        self.host.take(claimed);
        Ok(true)
    }
}

/// What a claim has left.
struct Left {
    /// There was something, and it was not to be had.
    available: bool,
    /// How long it is to the next delayed run.
    next: Option<Duration>,
}

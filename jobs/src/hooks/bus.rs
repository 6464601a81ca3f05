//! From where things happen to those who listen.
//!
//! Events are put into a ring, in their order, under whatever lock makes what they tell true; listeners are woken when
//! that lock is free again, since a waker is code of the program's. Each listener reads the ring at its own pace: one
//! that is overtaken learns how much it has missed and goes on with what is left, and holds up nobody.
//!
//! While nobody listens, an event costs one atomic load: it is not even made.

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::event::Event;

/// How many events are kept for listeners that are behind.
const KEPT: usize = 4096;

/// Where events are put. Clones are of the same.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bus {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    listeners: AtomicUsize,
    /// Something was put that the listeners have not been woken for.
    fresh: AtomicBool,
    ring: Mutex<Ring>,
    /// Told when something was put or the end has come.
    put: Notify,
}

#[derive(Debug, Default)]
struct Ring {
    events: VecDeque<Event>,
    /// The number of the first of them.
    first: u64,
    ended: bool,
}

impl Ring {
    /// The number that the next event gets.
    fn end(&self) -> u64 {
        self.first + self.events.len() as u64
    }
}

impl Shared {
    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bus {
    /// Whether anybody listens.
    #[inline]
    pub(crate) fn is_heard(&self) -> bool {
        self.shared.listeners.load(Ordering::Relaxed) > 0
    }

    /// Tells one thing, from where no lock is held.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        self.put(event);
        self.wake();
    }

    /// Puts an event, which is made only where somebody listens. To be followed by [`wake`](Self::wake), when no lock
    /// is held any more.
    #[inline(always)]
    pub(crate) fn put(&self, event: impl FnOnce() -> Event) {
        if self.is_heard() {
            self.put_heard(event());
        }
    }

    #[cold]
    fn put_heard(&self, event: Event) {
        let mut ring = self.shared.ring();
        if ring.ended {
            return;
        }
        let oldest = if ring.events.len() == KEPT {
            ring.first += 1;
            ring.events.pop_front()
        } else {
            None
        };
        ring.events.push_back(event);
        drop(ring);
        drop(oldest);
        self.shared.fresh.store(true, Ordering::Release);
    }

    /// Wakes the listeners, where anything was put.
    #[inline]
    pub(crate) fn wake(&self) {
        if self.is_heard() && self.shared.fresh.swap(false, Ordering::AcqRel) {
            self.shared.put.notify_waiters();
        }
    }

    /// No event follows.
    pub(crate) fn end(&self) {
        self.shared.ring().ended = true;
        self.shared.put.notify_waiters();
    }

    /// Listens from now on.
    pub(crate) fn listen(&self) -> Events {
        let shared = Arc::clone(&self.shared);
        let next = {
            // Under the lock, so that whoever is the last to leave does not clear the ring after.
            let ring = shared.ring();
            shared.listeners.fetch_add(1, Ordering::Relaxed);
            ring.end()
        };
        Events { shared, next }
    }
}

/// What happens to jobs, as it happens: made by [`Jobs::events`](crate::Jobs::events), which see.
pub struct Events {
    shared: Arc<Shared>,
    /// The number of the event to come next.
    next: u64,
}

impl Events {
    /// The next event; none when the instance has been shut down and everything was told.
    ///
    /// # Cancel safety
    ///
    /// A future that is dropped before it completes has taken nothing.
    pub async fn next(&mut self) -> Option<Event> {
        let shared = Arc::clone(&self.shared);
        loop {
            let mut put = std::pin::pin!(shared.put.notified());
            put.as_mut().enable();
            match self.take() {
                Taken::Event(event) => return Some(event),
                Taken::Ended => return None,
                Taken::Nothing => put.await,
            }
        }
    }

    /// The next event, if it has happened already.
    pub fn try_next(&mut self) -> Option<Event> {
        if let Taken::Event(event) = self.take() { Some(event) } else { None }
    }

    fn take(&mut self) -> Taken {
        let ring = self.shared.ring();
        if let Some(missed) = ring.first.checked_sub(self.next).filter(|missed| *missed > 0) {
            self.next = ring.first;
            return Taken::Event(Event::Lagged(missed));
        }
        let event = usize::try_from(self.next - ring.first).ok().and_then(|at| ring.events.get(at));
        match event {
            Some(event) => {
                self.next += 1;
                Taken::Event(event.clone())
            }
            None if ring.ended => Taken::Ended,
            None => Taken::Nothing,
        }
    }
}

enum Taken {
    Event(Event),
    Nothing,
    Ended,
}

/// Hears what the original will hear.
impl Clone for Events {
    fn clone(&self) -> Self {
        self.shared.listeners.fetch_add(1, Ordering::Relaxed);
        Self { shared: Arc::clone(&self.shared), next: self.next }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        let mut ring = self.shared.ring();
        if self.shared.listeners.fetch_sub(1, Ordering::Relaxed) == 1 {
            // Nobody will read what is left. The numbers go on.
            ring.first = ring.end();
            let left = std::mem::take(&mut ring.events);
            drop(ring);
            drop(left);
        }
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("next", &self.next).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::task::Poll;

    use super::*;

    fn put(bus: &Bus, numbers: std::ops::Range<u64>) {
        // Any event with a number in it.
        numbers.for_each(|number| bus.tell(|| Event::Lagged(number)));
    }

    #[test]
    fn what_nobody_hears_is_not_made() {
        let bus = Bus::default();
        assert!(!bus.is_heard());
        bus.tell(|| unreachable!("nobody listens"));
        let listener = bus.listen();
        assert!(bus.is_heard());
        let other = listener.clone();
        drop(listener);
        assert!(bus.is_heard());
        drop(other);
        bus.tell(|| unreachable!("nobody listens any more"));
    }

    #[tokio::test]
    async fn everybody_hears_what_comes_after_they_began_to_listen() {
        let bus = Bus::default();
        let mut early = bus.listen();
        put(&bus, 0..2);
        let mut late = bus.listen();
        put(&bus, 2..3);
        assert_eq!(early.next().await, Some(Event::Lagged(0)));
        let mut copy = early.clone();
        assert_eq!(copy.try_next(), Some(Event::Lagged(1)));
        assert_eq!(early.next().await, Some(Event::Lagged(1)));
        assert_eq!((early.try_next(), late.try_next()), (Some(Event::Lagged(2)), Some(Event::Lagged(2))));
        assert_eq!((early.try_next(), late.try_next()), (None, None));
    }

    #[tokio::test]
    async fn who_waits_is_woken_by_an_event_and_by_the_end() {
        let bus = Bus::default();
        let mut events = bus.listen();
        {
            let mut next = Box::pin(events.next());
            let waits = poll_fn(|cx| Poll::Ready(next.as_mut().poll(cx).is_pending())).await;
            assert!(waits);
            put(&bus, 7..8);
            assert_eq!(next.await, Some(Event::Lagged(7)));
        }
        put(&bus, 8..9);
        bus.end();
        assert_eq!((events.next().await, events.next().await), (Some(Event::Lagged(8)), None));
    }

    #[test]
    fn who_is_too_slow_learns_how_much_is_gone() {
        let bus = Bus::default();
        let (mut slow, mut quick) = (bus.listen(), bus.listen());
        let kept = KEPT as u64;
        put(&bus, 0..kept);
        assert_eq!(quick.try_next(), Some(Event::Lagged(0)));
        put(&bus, kept..kept + 5);
        assert_eq!((slow.try_next(), slow.try_next()), (Some(Event::Lagged(5)), Some(Event::Lagged(5))));
        assert_eq!(quick.try_next(), Some(Event::Lagged(4)), "four are gone");
        assert_eq!(quick.try_next(), Some(Event::Lagged(5)));
        assert_eq!(std::iter::from_fn(|| slow.try_next()).count() as u64, kept - 1);
    }

    #[test]
    fn a_ring_that_nobody_reads_is_emptied() {
        let bus = Bus::default();
        let listener = bus.listen();
        put(&bus, 0..9);
        drop(listener);
        assert_eq!(bus.shared.ring().events.len(), 0);
        let mut next = bus.listen();
        put(&bus, 9..10);
        assert_eq!((next.try_next(), next.try_next()), (Some(Event::Lagged(9)), None));
    }
}

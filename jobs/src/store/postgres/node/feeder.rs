//! Claims as many runs as the host has places for, and where they are short a few more.
//!
//! A place that has become free is to have its next run at once, but a claim takes a millisecond. So a node claims ahead what
//! it is going to execute in the next moments, by what it has executed in the last: nothing where runs take long, and with
//! one question for hundreds of runs where they are short. When they turn out longer it gives back what waits.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::ahead::{Ahead, PATIENCE};
use super::looking::Outlook;
use super::pace::Pace;
use super::standing::Part;
use super::{Room, Shared};
use crate::clock::{Hold, Reading, monotonic_now};
use crate::job::run::RunId;
use crate::store::postgres::claim::{Claimed, Lanes, Limited, Wanted};
use crate::store::postgres::id::Id;
use crate::store::postgres::trouble::{Pause, Trouble, ask};

/// How long a node that has nothing to do waits for somebody to wake it.
const POLL: Duration = Duration::from_secs(1);

/// How many runs are claimed in one statement.
const MOST: usize = 1000;

/// How many are looked at for that in several lanes, with how many claimed all the same, and after how many bytes of arguments
/// fewer are claimed.
const LOOKED_AT: usize = 20_000;
const FEWEST: usize = 16;
const MOST_BYTES: u64 = 16 << 20;

/// So many ends may wait to be written, since each is a run that would execute again if this process were lost. Where the server is
/// too slow for them, nothing is claimed meanwhile.
const MOST_UNWRITTEN: usize = 4 * MOST;

/// How long it waits when others have just locked what it wanted, and how often in a row.
const LOCKED: Duration = Duration::from_millis(20);
const LOCKED_TIMES: u32 = 3;

/// How long at least it waits for a rate.
const SOON: Duration = Duration::from_millis(1);

/// Of so many lanes it knows where it is also while there is nothing in them.
const MOST_LANES: usize = 200;

/// By so much a submission may be committed later than one that was made after it, to be found from where the node is. What is
/// later, as in a long transaction, waits until the node begins at the beginning.
const LATE: Duration = Duration::from_millis(100);

/// So long a claim may take for each run that it brings, without being slow.
const SPARED: Duration = Duration::from_micros(100);
/// The same for each byte of arguments.
const SPARED_NANOS: u64 = 20;

/// What has taken so long and then failed may have been one run alone; others are claimed fewer at a time first.
const LONG: Duration = Duration::from_secs(1);

/// How long it claims unseen after that, and at most: for longer than the server may hold what that claim has locked.
const UNSEEN: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(64));

/// Every so many claims the oldest runs come first, whatever their priority.
const OLDEST_EVERY: u32 = 8;

impl Shared {
    /// How long to wait until it is looked whether something has happened that nobody has told.
    pub(super) fn poll(&self, usual: Duration) -> Duration {
        if self.clock.is_virtual() { self.clock.longest_sleep() } else { usual }
    }

    /// Whether it has just been looked how things stand. On a test's clock that is not known.
    fn has_looked(&self, place: &Place) -> bool {
        place.outlook.is_of_the_last(POLL / 2) && !self.clock.is_virtual()
    }

    /// Claims whenever it is woken, and looks once a second whether there is something that it was not woken for.
    pub(super) async fn feed(&self) {
        let mut pause = Pause::new(self.identity.id.0 >> 64);
        let mut place = Place::new(self.clock.now());
        let (mut woken, mut hold) = (true, self.wake.called().await);
        while !self.is_closing() {
            let answer = self.feed_once(&mut place, woken).await;
            self.stands(Part::Claims, &answer);
            let is_troubled = answer.is_err();
            let wait = match answer {
                Ok(wait) => {
                    pause.reset();
                    wait
                }
                Err(_) => {
                    // It may have been too much for the way to the server.
                    place.most = 1.max(place.most / 2);
                    place.outlook.is_to_begin_again();
                    // What it was woken for is to be claimed still, and there may be another server.
                    self.arrived.store(true, Ordering::SeqCst);
                    place.again = Some(monotonic_now());
                    pause.next()
                }
            };
            let passed = async {
                let held = std::mem::take(&mut hold);
                if is_troubled {
                    held.let_go();
                    tokio::time::sleep(wait).await;
                    return Hold::default();
                }
                self.clock.wait(wait, held).await
            };
            (woken, hold) = tokio::select! {
                biased;
                held = self.wake.called() => (true, held),
                held = passed => (false, held),
            };
        }
    }

    /// Claims until there is nothing left or no room for it, and answers how long it may wait then. Who was woken, or has waited
    /// for it, asks for runs at once; who has not first looks whether there are any.
    async fn feed_once(&self, place: &mut Place, woken: bool) -> Result<Duration, Trouble> {
        if !self.clock.is_virtual() {
            place.ahead.measure(self.ended.load(Ordering::Relaxed));
        }
        self.give_back_waiting(place).await?;
        let mut claims = place.again.take_if(|at| *at <= monotonic_now()).is_some() || woken;
        place.rate = None;
        loop {
            // However much there is to claim, what somebody wants ended or whose time has come does not wait.
            while claims && self.has_looked(place) && !place.outlook.is_incomplete(false) {
                claims = self.claim(place).await?;
            }
            let is_full = self.wanted(place, &self.host.room()) == 0;
            if is_full && self.has_looked(place) && !place.outlook.is_incomplete(false) {
                return Ok(POLL / 2);
            }
            // Where it takes long to look at all of it, it claims as if there were something.
            let whole = self.clock.is_virtual() || place.outlook.wait().is_zero();
            let look = self.look(&mut place.outlook, whole).await?;
            if look.promoted > 0 {
                self.arrived.store(true, Ordering::SeqCst);
            }
            // On a test's clock there is perhaps no other look.
            if place.outlook.is_incomplete(self.clock.is_virtual()) && !self.is_closing() {
                continue;
            }
            if (look.available || !whole) && self.claim(place).await? {
                claims = true;
                continue;
            }
            let mut wait = if self.host.room().waiting == 0 { self.poll(POLL) } else { PATIENCE };
            wait = look.next.map_or(wait, |next| wait.min(next));
            let rate = place.rate.filter(|_| (look.available || !whole) && !is_full);
            wait = rate.map_or(wait, |rate| wait.min(rate.max(SOON)));
            if !look.available {
                place.in_vain = 0;
            } else if !is_full {
                place.in_vain += 1;
                // On a test's clock whoever has locked it tells when it is over.
                if place.in_vain <= LOCKED_TIMES && !self.clock.is_virtual() {
                    wait = wait.min(LOCKED);
                }
            }
            if whole && !look.available {
                self.backlog.store(false, Ordering::SeqCst);
            }
            if !self.clock.is_virtual() {
                let again = self.until_again(place, rate, whole);
                return Ok(again.map_or(wait, |again| wait.min(again)));
            }
            // A test's time may have passed since it was asked, and not a moment of it is to be missed.
            return Ok(wait.saturating_sub(self.clock.now().elapsed.since(place.outlook.asked().elapsed)));
        }
    }

    /// How long to wait at most for something that it could not have yet: what it may have passed, since it takes long to begin
    /// at the beginning; a run that a `rate` lets start; and, where it has not seen it, the `whole` of how things stand.
    fn until_again(&self, place: &mut Place, rate: Option<Duration>, whole: bool) -> Option<Duration> {
        let owed = Some(place.beginning.wait()).filter(|_| self.arrived.load(Ordering::SeqCst));
        let owed = owed.filter(|wait| !wait.is_zero()).map(|wait| wait.max(place.least_owed));
        let soonest = owed.into_iter().chain(rate).filter(|wait| !wait.is_zero()).min();
        let now = monotonic_now();
        place.again = soonest.map(|wait| now + wait.max(SOON)).into_iter().chain(place.again).min();
        let looking = Some(place.outlook.wait()).filter(|wait| !whole && !wait.is_zero());
        place.again.map(|at| at.saturating_duration_since(now)).into_iter().chain(looking).min()
    }

    /// A question is answered that may take long; so much of that was `spared`, since it was well spent. A test's time says nothing
    /// about it.
    pub(super) fn took(&self, pace: &mut Pace, time: Duration, spared: Duration) {
        if !self.clock.is_virtual() {
            pace.took(time.saturating_sub(spared), &self.beats);
        }
    }

    /// How many runs are to be claimed.
    fn wanted(&self, place: &Place, room: &Room) -> usize {
        let (wanted, unwritten) = (place.wanted(room), self.unwritten.load(Ordering::SeqCst));
        if unwritten < MOST_UNWRITTEN {
            return wanted;
        }
        // Whoever writes them tells when it is over, and looks for this after it.
        self.is_behind.store(true, Ordering::SeqCst);
        if self.unwritten.load(Ordering::SeqCst) < MOST_UNWRITTEN { wanted } else { 0 }
    }

    /// Claims once, and answers whether there may be more.
    async fn claim(&self, place: &mut Place) -> Result<bool, Trouble> {
        // Before it is asked for room: what there is after that is told.
        self.backlog.store(true, Ordering::SeqCst);
        let room = self.host.room();
        // A test's time says nothing about how soon the server answers.
        if !self.clock.is_virtual() {
            place.ahead.measure(self.ended.load(Ordering::Relaxed));
        }
        // In each lane so many are looked at.
        let few = LOOKED_AT / place.lanes.count().max(1);
        let count = self.wanted(place, &room).min(place.most).min(few.max(FEWEST));
        if count == 0 || self.is_closing() {
            return Ok(false);
        }
        let (jobs, limited) = (self.host.jobs(), self.host.limited());
        let wanted = Wanted {
            node: self.identity.id,
            count,
            jobs: &jobs,
            queues: &room.queues,
            oldest: false,
            unseen: place.unseen_until.is_some(),
        };
        // Jobs with limits have their turn each second time.
        let is_turn = !limited.is_empty() && place.claims % 2 == 1;
        let is_due =
            place.lanes.is_empty() || place.wants_oldest() || is_turn || self.arrived.load(Ordering::SeqCst);
        let begins = is_due && place.beginning.may();
        if begins && (place.lanes.is_empty() || place.has_gone_on_first()) {
            return self.begin(place, wanted, &limited, &room).await;
        }
        if !place.lanes.is_empty() {
            return self.go_on(place, wanted).await;
        }
        // It has no place to go on from, and is to begin as soon as it may.
        self.arrived.store(true, Ordering::SeqCst);
        Ok(false)
    }

    /// A claim was answered: as long as there is a backlog that is all that is heard of the server here.
    fn was_answered(&self, place: &mut Place, claimed: &[Claimed]) {
        self.stands(Part::Claims, &Ok(()));
        place.took(claimed);
    }

    /// Gives the host what was claimed; what was claimed unseen is taken up by the next look.
    fn has_claimed(&self, place: &mut Place, claimed: Vec<Claimed>) {
        if place.unseen_until.is_some() {
            place.outlook.is_to_begin_again();
        } else {
            place.unseen_for = Duration::ZERO;
            let _ = self.hand_over(claimed);
        }
    }

    /// Claims from where it is.
    async fn go_on(&self, place: &mut Place, wanted: Wanted<'_>) -> Result<bool, Trouble> {
        let back = if self.arrived.load(Ordering::SeqCst) { LATE } else { Duration::ZERO };
        place.has_gone_on = true;
        let since = monotonic_now();
        let claimed = ask(self.db.claim_from(wanted, &mut place.lanes, back)).await;
        let claimed = claimed.inspect_err(|_| place.has_failed(wanted, since.elapsed()))?;
        self.was_answered(place, &claimed);
        let (count, is_full) = (claimed.len(), claimed.len() == wanted.count);
        self.has_claimed(place, claimed);
        if !is_full {
            // From the beginning, where there may be some that it has passed.
            self.arrived.store(true, Ordering::SeqCst);
        }
        Ok(is_full || place.beginning.may() || (wanted.unseen && count > 0))
    }

    /// Claims from the beginning.
    async fn begin(
        &self,
        place: &mut Place,
        wanted: Wanted<'_>,
        limited: &[Limited],
        room: &Room,
    ) -> Result<bool, Trouble> {
        let wanted = Wanted { oldest: place.wants_oldest(), ..wanted };
        // What comes from here on is news again.
        self.arrived.store(false, Ordering::SeqCst);
        place.has_gone_on = false;
        let since = monotonic_now();
        let answer = if limited.is_empty() {
            let claimed = ask(self.db.claim(wanted)).await;
            claimed.map(|claimed| (claimed, None, since.elapsed()))
        } else {
            // One at least, or they would have no turn where places are never free for long.
            let places = room.count.saturating_sub(room.waiting).max(1);
            ask(self.db.claim_with(wanted, limited, places)).await
        };
        let (claimed, rate, took) = match answer {
            Ok(answer) => answer,
            Err(trouble) => {
                self.took(&mut place.beginning, since.elapsed(), Duration::ZERO);
                place.has_failed(wanted, since.elapsed());
                return Err(trouble);
            }
        };
        place.rate = rate;
        let (count, is_full) = (claimed.len(), claimed.len() == wanted.count);
        // What it can have nothing of is not asked for all the time.
        place.least_owed = if count == 0 { POLL } else { Duration::ZERO };
        self.was_answered(place, &claimed);
        if count > 0 && wanted.oldest {
            place.since_oldest = 0;
        }
        if !is_full && limited.is_empty() && room.queues.is_empty() {
            // It is not for want of room that there are no more, nor of a queue's.
            self.backlog.store(false, Ordering::SeqCst);
        }
        place.lanes.move_on(&claimed);
        let bytes: u64 = claimed.iter().map(Claimed::bytes).sum();
        let spared = SPARED * count as u32 + Duration::from_nanos(bytes * SPARED_NANOS);
        // At once, whatever the next question meets with.
        self.has_claimed(place, claimed);
        // From the beginning it has come past all that may be at fault.
        place.unseen_until = place.unseen_until.filter(|until| *until > monotonic_now());
        if !is_full && !place.beginning.is_slow() {
            self.took(&mut place.beginning, took, spared);
            if !place.beginning.is_slow() {
                place.lanes = Lanes::default();
            }
            return Ok(count > 0);
        }
        // A backlog, or much that was claimed before: it pays to remember the place.
        let (since, before) = (monotonic_now(), self.clock.now().wall.saturating_sub(LATE));
        let found = ask(self.db.lanes(wanted)).await;
        self.took(&mut place.beginning, took + since.elapsed(), spared);
        if let Ok(found) = found {
            // In the others is nothing older.
            place.lanes.pass(Id::from(RunId::first_at(before)));
            if place.lanes.count() > MOST_LANES {
                place.lanes = Lanes::default();
            }
            place.lanes.go_to(found);
        }
        Ok(count > 0)
    }
}

impl Shared {
    /// Gives back what was claimed ahead and would wait here for long, or for ever.
    async fn give_back_waiting(&self, place: &mut Place) -> Result<(), Trouble> {
        let Room { count, waiting, closed, .. } = self.host.room();
        let too_much =
            place.ahead.is_too_much(waiting.saturating_sub(count), self.ended.load(Ordering::Relaxed));
        // No place becomes free in the real time in which a test's stands still.
        if (too_much && !self.clock.is_virtual()) || (closed && waiting > 0) {
            self.give_back_all(&mut place.outlook.back).await?;
        }
        Ok(())
    }
}

/// Where the feeder is.
struct Place {
    /// How many claims have brought something.
    claims: u32,
    /// The same since the oldest runs came first.
    since_oldest: u32,
    /// It has claimed from where it is since it began at the beginning.
    has_gone_on: bool,
    /// How long it is until a rate lets a run start, by the last claim.
    rate: Option<Duration>,
    /// How long it waits at least for what it may have passed.
    least_owed: Duration,
    /// When it claims again, whether somebody wakes it or not.
    again: Option<Instant>,
    /// How often in a row there was something, and it was not to be had.
    in_vain: u32,
    /// How many runs are claimed at a time.
    most: usize,
    /// It claims without what the runs bring along for a while, since one of them may be more than gets through and would be the first
    /// of each claim: until when at least, and for how long the last time.
    unseen_until: Option<Instant>,
    unseen_for: Duration,
    lanes: Lanes,
    ahead: Ahead,
    /// How long it takes to claim from the beginning.
    beginning: Pace,
    outlook: Outlook,
}

impl Place {
    fn new(now: Reading) -> Self {
        Self {
            claims: 0,
            since_oldest: 0,
            has_gone_on: false,
            rate: None,
            least_owed: Duration::ZERO,
            again: None,
            in_vain: 0,
            most: MOST,
            unseen_until: None,
            unseen_for: Duration::ZERO,
            lanes: Lanes::default(),
            ahead: Ahead::new(),
            beginning: Pace::new(),
            outlook: Outlook::new(now),
        }
    }

    /// A claim has failed after so much time. After an outage it is seen again in moments: what fails unseen says nothing more.
    fn has_failed(&mut self, wanted: Wanted<'_>, time: Duration) {
        self.most = self.most.min(wanted.count);
        if !wanted.unseen {
            if wanted.count > 1 && time < LONG {
                return;
            }
            self.unseen_for = (self.unseen_for * 2).clamp(UNSEEN.0, UNSEEN.1);
        }
        self.unseen_until = Some(monotonic_now() + self.unseen_for);
    }

    fn wants_oldest(&self) -> bool {
        self.since_oldest + 1 >= OLDEST_EVERY
    }

    /// Where it takes long to begin at the beginning, it does so after it has claimed from where it is.
    fn has_gone_on_first(&self) -> bool {
        self.has_gone_on || !self.beginning.is_slow()
    }

    fn took(&mut self, claimed: &[Claimed]) {
        let bytes: u64 = claimed.iter().map(Claimed::bytes).sum();
        self.most = match bytes > MOST_BYTES {
            true => (claimed.len() as u64 * MOST_BYTES / bytes).max(1) as usize,
            false => MOST.min(self.most * 2),
        };
        if !claimed.is_empty() {
            self.claims = self.claims.wrapping_add(1);
            self.since_oldest += 1;
            self.in_vain = 0;
        }
    }

    /// How many runs there is room for. As long as enough of them wait there is no question for a few.
    fn wanted(&self, room: &Room) -> usize {
        if room.closed {
            return 0;
        }
        let wanted = (room.count + self.ahead.count).saturating_sub(room.waiting);
        if room.waiting > room.count && wanted < self.ahead.count / 2 { 0 } else { wanted }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;

    #[test]
    fn what_was_too_much_is_tried_again_as_soon_as_the_server_answers() {
        let mut place = Place::new(Clock::system().now());
        place.most = 1;
        (0..20).for_each(|_| place.took(&[]));
        assert_eq!(place.most, MOST);
    }

    #[test]
    fn it_claims_unseen_where_it_may_be_one_run_that_does_not_get_through() {
        let mut place = Place::new(Clock::system().now());
        let wanted =
            |count, unseen| Wanted { node: Id(1), count, jobs: &[], queues: &[], oldest: false, unseen };
        place.has_failed(wanted(40, false), Duration::ZERO);
        assert_eq!((place.unseen_until, place.most), (None, 40));
        place.has_failed(wanted(40, false), LONG);
        assert!(place.unseen_until.is_some() && place.unseen_for == UNSEEN.0);
        // As long as the server is away.
        (0..100).for_each(|_| place.has_failed(wanted(1, true), LONG));
        assert_eq!(place.unseen_for, UNSEEN.0);
        // It fails again whenever it is seen.
        let times = (0..9).map(|_| {
            place.has_failed(wanted(1, false), Duration::ZERO);
            place.unseen_for.as_secs()
        });
        assert_eq!(times.collect::<Vec<_>>(), [4, 8, 16, 32, 64, 64, 64, 64, 64]);
    }

    #[test]
    fn there_is_no_question_for_a_few_as_long_as_enough_wait() {
        let mut place = Place::new(Clock::system().now());
        let mut wanted = |ahead, count, waiting| {
            place.ahead.count = ahead;
            place.wanted(&Room { count, waiting, ..Room::default() })
        };
        assert_eq!(wanted(0, 10, 0), 10);
        assert_eq!(wanted(0, 10, 4), 6);
        assert_eq!(wanted(0, 0, 0), 0);
        assert_eq!(wanted(100, 0, 80), 0);
        assert_eq!(wanted(100, 0, 50), 50);
        assert_eq!(wanted(100, 20, 10), 110);
        place.ahead.count = 100;
        assert_eq!(place.wanted(&Room { closed: true, ..Room::default() }), 0);
    }
}

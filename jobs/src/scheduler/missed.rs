//! Which of the slots that passed while nothing could run are made up for.
//!
//! Plain functions of the last slot that came, the time and the policy: after a suspension or a step of the clock, and for
//! a store that outlives the program also after its downtime.

use std::collections::VecDeque;
use std::time::Duration;

use jobs_syntax::{Missed, MissedPolicy};

use crate::clock::Timestamp;
use crate::job::slot::LATE;
use crate::schedule::Schedule;

/// The most runs that are made up for a schedule at once: the latest of its slots.
pub(crate) const MOST: usize = 1000;

const NANO: Duration = Duration::from_nanos(1);

/// The slots of a schedule by their names on the wall.
pub(crate) trait Slots {
    /// The first slot that is later.
    fn next_after(&self, after: Timestamp) -> Option<Timestamp>;
    /// How many slots lie after the one time and not after the other; over more than a year, at least so many.
    fn count(&self, after: Timestamp, through: Timestamp) -> u64;
}

impl Slots for Schedule {
    /// Strictly later, whatever the engine says.
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let next = Timestamp::from_chrono(self.next_after(after.to_chrono())?);
        debug_assert!(next > after, "`{self}` gave {next:?}, which is not after {after:?}");
        (next > after && next < Timestamp::MAX).then_some(next)
    }

    fn count(&self, after: Timestamp, through: Timestamp) -> u64 {
        if after < through { self.count(after.to_chrono(), through.to_chrono()) } else { 0 }
    }
}

/// The slots of an interval, one of which is known.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Beat {
    pub(crate) first: Timestamp,
    pub(crate) interval: Duration,
}

impl Beat {
    /// How many beats lie from the first to a time.
    fn until(&self, through: Timestamp) -> u64 {
        if through < self.first { 0 } else { nanos(through.since(self.first)) / nanos(self.interval) + 1 }
    }
}

impl Slots for Beat {
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let next = self
            .first
            .saturating_add(Duration::from_nanos(self.until(after).saturating_mul(nanos(self.interval))));
        (next > after && next < Timestamp::MAX).then_some(next)
    }

    fn count(&self, after: Timestamp, through: Timestamp) -> u64 {
        self.until(through).saturating_sub(self.until(after))
    }
}

/// Slots that begin with one, which need not be one of those that follow, and go on after a time.
pub(crate) struct Following<'a> {
    pub(crate) first: Timestamp,
    pub(crate) from: Timestamp,
    pub(crate) rest: &'a dyn Slots,
}

impl Slots for Following<'_> {
    fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        if after < self.first { Some(self.first) } else { self.rest.next_after(after.max(self.from)) }
    }

    fn count(&self, after: Timestamp, through: Timestamp) -> u64 {
        let first = u64::from(after < self.first && self.first <= through);
        let after = after.max(self.from);
        first + if after < through { self.rest.count(after, through) } else { 0 }
    }
}

/// Other data of a zone name a slot otherwise, mostly by an hour.
const APART: Duration = Duration::from_secs(86_400);

/// The slot of a schedule that is meant by one that other data of its zone may have named: itself, the nearest within
/// a day, or itself where there is none.
pub(crate) fn own_slot(schedule: &Schedule, slot: Timestamp) -> Timestamp {
    let next = Slots::next_after(schedule, before(slot));
    // An interval counts from wherever it was begun.
    if next == Some(slot) || schedule.interval().is_some() {
        return slot;
    }
    let earlier = last_through(schedule, slot.saturating_sub(APART), slot);
    let later = next.filter(|next| next.since(slot) <= APART);
    match (earlier, later) {
        (Some(earlier), Some(later)) if later.since(slot) < slot.since(earlier) => later,
        (earlier, later) => earlier.or(later).unwrap_or(slot),
    }
}

/// As many as fit, which are those of 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Just before a slot, so that the slot itself comes after.
pub(crate) fn before(slot: Timestamp) -> Timestamp {
    slot.saturating_sub(NANO)
}

/// Of the slots after the one time and up to the other, those that are made up for, the earliest first.
pub(crate) fn made_up(
    slots: &dyn Slots,
    after: Timestamp,
    through: Timestamp,
    now: Timestamp,
    policy: Missed,
) -> Vec<Timestamp> {
    let after = policy.window().map_or(after, |window| after.max(before(now.saturating_sub(window))));
    match policy.policy() {
        MissedPolicy::Once => last_through(slots, after, through).into_iter().collect(),
        MissedPolicy::All => last_of(slots, after, through, MOST),
        _ => Vec::new(),
    }
}

/// The last slot after the one time and not after the other, found in a few steps however many there are.
pub(crate) fn last_through(slots: &dyn Slots, after: Timestamp, through: Timestamp) -> Option<Timestamp> {
    let next = |after| slots.next_after(after).filter(|slot| *slot <= through);
    let mut last = next(after)?;
    // Further and further back, until a slot lies between there and the end.
    let mut back = LATE;
    loop {
        let from = through.saturating_sub(back);
        if from <= last {
            break;
        }
        if let Some(slot) = next(from) {
            last = slot;
            break;
        }
        back = back.saturating_mul(4);
    }
    let mut until = through;
    loop {
        // Mostly a few steps reach the end.
        for _ in 0..8 {
            match next(last) {
                Some(slot) => last = slot,
                None => return Some(last),
            }
        }
        while until.since(last) > Duration::from_secs(1) {
            let middle = last.saturating_add(until.since(last) / 2);
            match next(middle) {
                Some(slot) => last = slot,
                None => until = middle,
            }
        }
    }
}

/// The last slots after the one time and not after the other, so many at most, the earliest first.
fn last_of(slots: &dyn Slots, after: Timestamp, through: Timestamp, most: usize) -> Vec<Timestamp> {
    let too_many = |after| slots.count(after, through) > most as u64;
    let mut from = after;
    if too_many(from) {
        let mut enough = through;
        while enough.since(from) > Duration::from_millis(1) {
            let middle = from.saturating_add(enough.since(from) / 2);
            if too_many(middle) {
                from = middle;
            } else {
                enough = middle;
            }
        }
    }
    let mut last = VecDeque::new();
    let mut next = slots.next_after(from);
    while let Some(slot) = next.filter(|slot| *slot <= through) {
        if last.len() == most {
            last.pop_front();
        }
        last.push_back(slot);
        next = slots.next_after(slot);
    }
    last.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::from_chrono(text.parse().unwrap())
    }

    fn schedule(text: &str) -> Schedule {
        Schedule::parse(text).unwrap()
    }

    fn hours(made_up: &[Timestamp]) -> Vec<String> {
        made_up.iter().map(|slot| slot.to_chrono().format("%d %H:%M").to_string()).collect()
    }

    /// ```text
    /// last slot                                  now
    ///    02:00   03:00   04:00   05:00   06:00   06:30
    ///              m       m       m       x              once
    ///              x       x       x       x              all
    ///              m       x       x       x              all within 3h
    /// ```
    #[test]
    fn the_policy_says_which_are_made_up() {
        let hourly = schedule("@hourly");
        let (last, now) = (at("2026-03-02T02:00:00Z"), at("2026-03-02T06:30:00Z"));
        let made_up = |text: &str| hours(&made_up(&hourly, last, now, now, Missed::parse(text).unwrap()));
        assert_eq!(made_up("skip"), Vec::<String>::new());
        assert_eq!(made_up("once"), ["02 06:00"]);
        assert_eq!(made_up("all"), ["02 03:00", "02 04:00", "02 05:00", "02 06:00"]);
        assert_eq!(made_up("all within 3h"), ["02 04:00", "02 05:00", "02 06:00"]);
        assert_eq!(made_up("all within 150m"), ["02 04:00", "02 05:00", "02 06:00"], "04:00 is just as old");
        assert_eq!(made_up("once within 30m"), ["02 06:00"]);
        assert_eq!(made_up("once within 29m"), Vec::<String>::new());
    }

    #[test]
    fn of_too_many_the_latest_are_made_up() {
        let now = at("2026-03-02T06:30:00Z");
        for spec in
            ["* * * * * *", "*/7 * * ? * MON", "0 0 * * * *", "0 0 0 29 2 *", "TZ=Europe/Oslo 0 30 2 * * *"]
        {
            let schedule = schedule(spec);
            let after = at("1990-01-01T00:00:00Z");
            let got = made_up(&schedule, after, now, now, Missed::ALL);
            let mut wanted: Vec<_> =
                std::iter::successors(Slots::next_after(&schedule, before(got[0])), |slot| {
                    Slots::next_after(&schedule, *slot)
                })
                .take_while(|slot| *slot <= now)
                .collect();
            assert_eq!(got, wanted, "{spec}");
            assert_eq!(got.last().copied(), last_through(&schedule, after, now), "{spec}");
            if spec == "0 0 0 29 2 *" {
                assert_eq!(got.len(), 9);
            } else {
                assert_eq!(got.len(), MOST, "{spec}");
                wanted.clear();
            }
        }
        let beat = Beat { first: at("2020-01-01T00:00:00Z"), interval: Duration::from_millis(10) };
        let got = made_up(&beat, before(beat.first), now, now, Missed::ALL);
        assert_eq!((got.len(), got.last().copied()), (MOST, Some(now)));
        assert_eq!(now.since(got[0]), Duration::from_millis(9_990));
    }

    #[test]
    fn the_last_slot_is_found_wherever_it_is() {
        for spec in ["* * * * * *", "0 * * * * *", "*/5 * * 29 2 *", "@yearly", "@daily", "0 0 12 ? * MON#1"]
        {
            let schedule = schedule(spec);
            let after = at("2022-01-01T00:00:00Z");
            for now in [
                "2022-01-01T00:00:01Z",
                "2022-03-07T12:00:00Z",
                "2024-02-29T23:59:59Z",
                "2025-07-01T03:04:05Z",
            ] {
                let now = at(now);
                let found = last_through(&schedule, after, now);
                match found {
                    Some(slot) => {
                        assert!(after < slot && slot <= now, "{spec} {now:?}: {slot:?}");
                        assert_eq!(Slots::next_after(&schedule, before(slot)), Some(slot), "{spec} {now:?}");
                        assert!(
                            Slots::next_after(&schedule, slot).is_none_or(|next| next > now),
                            "{spec} {now:?}"
                        );
                    }
                    None => {
                        assert!(Slots::next_after(&schedule, after).is_none_or(|next| next > now), "{spec}")
                    }
                }
            }
        }
    }

    /// ```text
    ///        07:00            08:00                              08:00
    ///          A wrote it       ours of the same day               ours of the next
    ///          fires                                               follows
    /// ```
    #[test]
    fn a_slot_by_other_data_of_its_zone_is_that_of_the_same_day() {
        let daily = schedule("0 0 8 * * *");
        let own = |slot: &str| own_slot(&daily, at(slot)).to_chrono().to_rfc3339();
        assert_eq!(own("2026-03-02T08:00:00Z"), "2026-03-02T08:00:00+00:00");
        assert_eq!(own("2026-03-02T07:00:00Z"), "2026-03-02T08:00:00+00:00");
        assert_eq!(own("2026-03-02T09:00:00Z"), "2026-03-02T08:00:00+00:00");
        let yearly = schedule("@yearly");
        assert_eq!(own_slot(&yearly, at("2026-03-02T07:00:00Z")), at("2026-03-02T07:00:00Z"));
    }

    #[test]
    fn slots_begin_with_one_that_is_not_theirs() {
        let daily = schedule("0 0 8 * * *");
        let first = at("2026-03-02T07:00:00Z");
        let slots = Following { first, from: own_slot(&daily, first), rest: &daily };
        let (start, end) = (at("2026-03-01T00:00:00Z"), at("2026-03-04T12:00:00Z"));
        let all: Vec<_> = std::iter::successors(slots.next_after(start), |slot| slots.next_after(*slot))
            .take_while(|slot| *slot <= end)
            .collect();
        assert_eq!(hours(&all), ["02 07:00", "03 08:00", "04 08:00"]);
        assert_eq!(slots.count(start, end), 3);
        assert_eq!(slots.count(first, end), 2);
        assert_eq!(slots.count(first, at("2026-03-02T08:00:00Z")), 0);
    }

    #[test]
    fn a_beat_counts_from_its_first() {
        let beat = Beat { first: at("2026-03-02T00:00:10Z"), interval: Duration::from_secs(60) };
        assert_eq!(beat.next_after(at("2026-03-01T00:00:00Z")), Some(beat.first));
        assert_eq!(beat.next_after(beat.first), Some(at("2026-03-02T00:01:10Z")));
        assert_eq!(beat.count(before(beat.first), at("2026-03-02T01:00:09Z")), 60);
        assert_eq!(beat.count(beat.first, at("2026-03-02T01:00:10Z")), 60);
    }
}

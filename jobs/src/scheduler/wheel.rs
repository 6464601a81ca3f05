//! A hierarchical timing wheel: arming and firing cost the same with ten timers or a million.
//!
//! Time is counted in ticks of a millisecond. Level 0 has a slot for each of the next 64 ticks, level 1 for each
//! of the next 64 spans of 64 ticks, and so on; a timer goes to the lowest level whose slot tells it from now, and
//! moves down when the wheel reaches that slot (Varghese and Lauck, 1987, scheme 7). An occupancy word for each
//! level finds the next slot that holds anything without visiting the empty ones.
//!
//! There is no cancelling: whoever arms a timer recognises by its token and deadline one that no longer counts.

/// Slots of a level: as many as a word has bits.
const SLOTS: u64 = 64;
/// Together 2^48 ticks, far beyond any instant that a timestamp holds.
const LEVELS: usize = 8;
const LAST_TICK: u64 = (1 << (6 * LEVELS)) - 1;

/// One armed timer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timer<T> {
    pub(crate) deadline: u64,
    pub(crate) token: T,
}

#[derive(Debug)]
pub(crate) struct Wheel<T> {
    /// Every timer up to this tick has been given out.
    elapsed: u64,
    levels: [Level<T>; LEVELS],
    /// Timers that were armed for a tick already past.
    overdue: Vec<Timer<T>>,
    len: usize,
}

#[derive(Debug)]
struct Level<T> {
    occupied: u64,
    slots: [Vec<Timer<T>>; SLOTS as usize],
}

impl<T: Copy> Wheel<T> {
    /// An empty wheel that starts at a tick.
    pub(crate) fn new(elapsed: u64) -> Self {
        let level = |_| Level { occupied: 0, slots: std::array::from_fn(|_| Vec::new()) };
        Self { elapsed, levels: std::array::from_fn(level), overdue: Vec::new(), len: 0 }
    }

    /// How many timers are armed.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The tick up to which timers have been given out.
    pub(crate) fn elapsed(&self) -> u64 {
        self.elapsed
    }

    /// Arms a timer. One whose tick has passed is given out by the next [`advance`](Self::advance).
    pub(crate) fn insert(&mut self, deadline: u64, token: T) {
        self.len += 1;
        self.place(Timer { deadline: deadline.min(LAST_TICK), token });
    }

    fn place(&mut self, timer: Timer<T>) {
        if timer.deadline <= self.elapsed {
            self.overdue.push(timer);
            return;
        }
        let level = level_of(self.elapsed, timer.deadline);
        let slot = slot_of(level, timer.deadline);
        let level = &mut self.levels[level];
        level.occupied |= 1 << slot;
        level.slots[slot].push(timer);
    }

    /// The tick at which the wheel wants to be advanced: the deadline of the first timer, or earlier, when a
    /// slot of a higher level has to be spread first. `None` when nothing is armed.
    pub(crate) fn next_tick(&self) -> Option<u64> {
        if !self.overdue.is_empty() {
            return Some(self.elapsed);
        }
        self.next_slot().map(|(_, _, start)| start)
    }

    /// The first occupied slot in order of time: level, slot, and the tick at which it starts.
    fn next_slot(&self) -> Option<(usize, usize, u64)> {
        // A slot lies in the part of its level's round that is still to come, and all of a lower level lies
        // before the next occupied slot of a higher one.
        let index = self.levels.iter().position(|level| level.occupied != 0)?;
        let slot = self.levels[index].occupied.trailing_zeros() as usize;
        let span = span_of(index);
        let round = self.elapsed / (span * SLOTS) * (span * SLOTS);
        Some((index, slot, round + slot as u64 * span))
    }

    /// Moves on to `now` and gives out every timer whose deadline is not after it, in order of deadline.
    pub(crate) fn advance(&mut self, now: u64, due: &mut Vec<Timer<T>>) {
        let first = due.len();
        due.append(&mut self.overdue);
        while let Some((level, slot, start)) = self.next_slot() {
            if start > now {
                break;
            }
            self.elapsed = self.elapsed.max(start);
            let entry = &mut self.levels[level];
            entry.occupied &= !(1 << slot);
            let mut timers = std::mem::take(&mut entry.slots[slot]);
            if level == 0 {
                due.append(&mut timers);
            } else {
                for timer in timers.drain(..) {
                    if timer.deadline <= self.elapsed {
                        due.push(timer);
                    } else {
                        self.place(timer);
                    }
                }
            }
            // Keep the allocation of a slot that will be filled again, unless it was a rare crowd.
            if timers.capacity() <= 1024 {
                let entry = &mut self.levels[level];
                if entry.slots[slot].capacity() == 0 {
                    entry.slots[slot] = timers;
                }
            }
        }
        self.elapsed = self.elapsed.max(now);
        self.len -= due.len() - first;
        due[first..].sort_by_key(|timer| timer.deadline);
    }

    /// Forgets the timers that are not worth keeping.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(T) -> bool) {
        for timer in self.reset(self.elapsed) {
            if keep(timer.token) {
                self.insert(timer.deadline, timer.token);
            }
        }
    }

    /// Takes every timer out, in no order, and starts anew at a tick.
    pub(crate) fn reset(&mut self, elapsed: u64) -> Vec<Timer<T>> {
        let mut all = std::mem::take(&mut self.overdue);
        for level in &mut self.levels {
            level.occupied = 0;
            for slot in &mut level.slots {
                all.append(slot);
            }
        }
        self.elapsed = elapsed;
        self.len = 0;
        all
    }
}

/// Ticks that a slot of a level spans.
fn span_of(level: usize) -> u64 {
    1 << (6 * level)
}

fn slot_of(level: usize, tick: u64) -> usize {
    ((tick >> (6 * level)) % SLOTS) as usize
}

/// The lowest level on which `deadline` falls into another slot than `elapsed` while all above agree.
fn level_of(elapsed: u64, deadline: u64) -> usize {
    let differing = (elapsed ^ deadline) | 1;
    let top_bit = 63 - differing.leading_zeros() as usize;
    top_bit / 6
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Deadline and token.
    type Armed = (u64, u32);

    fn advance(wheel: &mut Wheel<u32>, now: u64) -> Vec<(u64, u32)> {
        let mut due = Vec::new();
        wheel.advance(now, &mut due);
        due.iter().map(|timer| (timer.deadline, timer.token)).collect()
    }

    #[test]
    fn gives_out_in_order_of_deadline() {
        let mut wheel = Wheel::new(0);
        for (deadline, token) in [(5, 1), (70, 2), (5, 3), (5_000, 4), (64, 5), (1, 6)] {
            wheel.insert(deadline, token);
        }
        assert_eq!(advance(&mut wheel, 4), [(1, 6)]);
        assert_eq!(advance(&mut wheel, 64), [(5, 1), (5, 3), (64, 5)]);
        assert_eq!(advance(&mut wheel, 4_999), [(70, 2)]);
        assert_eq!(advance(&mut wheel, 5_000), [(5_000, 4)]);
        assert_eq!(wheel.len(), 0);
        assert_eq!(wheel.next_tick(), None);
    }

    #[test]
    fn a_timer_for_the_past_is_due_at_once() {
        let mut wheel = Wheel::new(1_000);
        wheel.insert(10, 1);
        wheel.insert(1_000, 2);
        assert_eq!(wheel.next_tick(), Some(1_000));
        assert_eq!(advance(&mut wheel, 1_000), [(10, 1), (1_000, 2)]);
    }

    #[test]
    fn reset_takes_every_timer_out() {
        let mut wheel = Wheel::new(0);
        for deadline in [0, 3, 100, 10_000, 40_000_000_000] {
            wheel.insert(deadline, 1);
        }
        assert_eq!(wheel.reset(7).len(), 5);
        assert_eq!((wheel.len(), wheel.elapsed(), wheel.next_tick()), (0, 7, None));
    }

    /// A small generator of our own: the same numbers on every machine.
    struct Random(u64);

    impl Random {
        fn below(&mut self, bound: u64) -> u64 {
            self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (self.0 >> 33) % bound
        }
    }

    /// Against a sorted list: what is due, in which order, and that `next_tick` never sleeps past a deadline.
    #[test]
    fn agrees_with_a_sorted_list() {
        for seed in 0..40 {
            let mut random = Random(seed);
            let start = random.below(1 << 40);
            let mut wheel = Wheel::new(start);
            let mut model: Vec<(u64, u32)> = Vec::new();
            let mut now = start;
            for token in 0..3_000 {
                let reach = 1 << (random.below(34) + 1);
                let deadline = now + random.below(reach);
                wheel.insert(deadline, token);
                model.push((deadline, token));
                if random.below(4) != 0 {
                    continue;
                }
                let first = model.iter().map(|timer| timer.0).min();
                let tick = wheel.next_tick();
                assert!(tick <= first, "seed {seed}: sleeps until {tick:?}, first is {first:?}");
                assert_eq!(tick.is_some(), first.is_some(), "seed {seed}");
                now = match random.below(3) {
                    0 => now + random.below(100),
                    1 => tick.unwrap_or(now).max(now),
                    _ => now + random.below(reach),
                };
                let (mut due, rest): (Vec<Armed>, Vec<Armed>) =
                    model.iter().partition(|timer| timer.0 <= now);
                due.sort_by_key(|timer| timer.0);
                model = rest;
                let given = advance(&mut wheel, now);
                let deadlines = |list: &[(u64, u32)]| list.iter().map(|timer| timer.0).collect::<Vec<_>>();
                assert_eq!(deadlines(&given), deadlines(&due), "seed {seed}");
                let sorted = |mut list: Vec<(u64, u32)>| {
                    list.sort_unstable();
                    list
                };
                assert_eq!(sorted(given), sorted(due), "seed {seed}");
                assert_eq!(wheel.len(), model.len(), "seed {seed}");
            }
        }
    }
}

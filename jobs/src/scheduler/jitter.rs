//! How much later than its time a slot fires.

use std::time::Duration;

/// A part of the bound, in whole milliseconds, that is as good as random and always the same for a slot: whoever asks again,
/// after the clock was set or the task of the scheduler has died, must hear the same.
pub(super) fn part_of(bound: Duration, seed: u64, slot: u64) -> Duration {
    let millis = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).min(u32::MAX.into());
    if millis == 0 { Duration::ZERO } else { Duration::from_millis(mix(seed ^ mix(slot)) % millis) }
}

/// The finisher of SplitMix64 (Steele, Lea and Flood, 2014): each bit of the result hangs on every bit of the number.
pub(super) fn mix(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ number >> 31
}

/// A seed that every process has of a schedule.
pub(super) fn seed_of(key: &str) -> u64 {
    key.bytes().fold(0, |seed, byte| mix(seed ^ u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_spread_over_the_bound_and_never_reach_it() {
        let bound = Duration::from_secs(10);
        let mut tenths = [0; 10];
        for slot in 0..10_000 {
            let part = part_of(bound, 7, slot * 1_000_000_000);
            assert!(part < bound);
            assert_eq!(part, part_of(bound, 7, slot * 1_000_000_000));
            tenths[part.as_secs() as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
    }

    #[test]
    fn schedules_part_and_a_bound_of_nothing_is_nothing() {
        let bound = Duration::from_secs(3600);
        let same = (0..1000).filter(|slot| part_of(bound, 1, *slot) == part_of(bound, 2, *slot)).count();
        assert!(same < 5, "{same}");
        assert_eq!(part_of(Duration::ZERO, 1, 1), Duration::ZERO);
        assert_eq!(part_of(Duration::from_micros(999), 1, 1), Duration::ZERO);
    }
}

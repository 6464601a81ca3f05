//! How long a run waits before it is tried again: plain functions of the backoff, the failures and a random number.

use std::time::Duration;

use jobs_syntax::Backoff;

/// The wait after the `failures`-th failure in a row, from 1: the first wait, doubled with each further failure up to
/// the longest, and moved by up to a tenth either way as `random` says. Runs that failed together, since what they need
/// was gone, do not all come back together.
pub(super) fn wait(backoff: Backoff, failures: u32, random: u64) -> Duration {
    let doublings = failures.saturating_sub(1);
    // Durations have fewer than 95 bits of nanoseconds.
    let factor = 1_u128.checked_shl(doublings).unwrap_or(u128::MAX);
    let wait = backoff.first().as_nanos().saturating_mul(factor).min(backoff.longest().as_nanos());
    let tenth = wait / 10;
    // 64 random bits, spread over twice a tenth.
    let moved = if tenth >> 62 == 0 {
        (2 * tenth * u128::from(random)) >> 64
    } else {
        ((2 * tenth) >> 64) * u128::from(random)
    };
    from_nanos(wait - tenth + moved)
}

fn from_nanos(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    let seconds = u64::try_from(nanos / SECOND);
    seconds.map_or(Duration::MAX, |seconds| Duration::new(seconds, (nanos % SECOND) as u32))
}

/// The random numbers of a pool: splitmix64 (Steele, Lea and Flood 2014), good enough to part runs, and the same for
/// the same seed.
#[derive(Debug)]
pub(super) struct Jitter(u64);

impl Jitter {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIDDLE: u64 = 1 << 63;

    #[test]
    fn doubles_from_the_first_to_the_longest() {
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(60));
        let waits: Vec<_> = (1..=8).map(|failures| wait(backoff, failures, MIDDLE).as_secs_f64()).collect();
        assert_eq!(waits, [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0]);
        assert_eq!(wait(backoff, u32::MAX, MIDDLE), Duration::from_secs(60));
    }

    #[test]
    fn jitter_is_a_tenth_either_way() {
        let backoff = Backoff::new(Duration::from_secs(10), Duration::from_secs(10));
        assert_eq!(wait(backoff, 1, 0), Duration::from_secs(9));
        let most = Duration::from_secs(11) - wait(backoff, 1, u64::MAX);
        assert!(most <= Duration::from_nanos(1), "{most:?}");
    }

    /// Laws, over backoffs of every magnitude.
    #[test]
    fn stays_within_a_tenth_grows_and_never_overflows() {
        let mut random = Jitter::new(7);
        let magnitude = |random: &mut Jitter| {
            let bits = random.next();
            Duration::new(random.next() >> (bits % 64), (random.next() % 1_000_000_000) as u32)
        };
        for case in 0..20_000 {
            let backoff = Backoff::new(magnitude(&mut random), magnitude(&mut random));
            let failures = (random.next() % 200) as u32 + 1;
            let doubled = (1..failures).fold(backoff.first(), |wait, _| {
                wait.checked_mul(2).map_or(backoff.longest(), |wait| wait.min(backoff.longest()))
            });
            let of = format!("case {case}: {backoff:?} after {failures} failures");
            let [low, one, high] = [0, random.next(), u64::MAX].map(|random| wait(backoff, failures, random));
            assert!(low <= one && one <= high, "{of}: {low:?} {one:?} {high:?}");
            let tenth = doubled / 10 + Duration::from_nanos(1);
            assert!(low >= doubled.saturating_sub(tenth), "{of}: {low:?} of {doubled:?}");
            assert!(high <= doubled.saturating_add(tenth), "{of}: {high:?} of {doubled:?}");
            assert!(wait(backoff, failures + 1, 0) >= low, "{of}");
        }
    }

    #[test]
    fn numbers_of_one_seed_are_the_same_and_of_two_are_not() {
        let numbers = |seed| {
            let mut jitter = Jitter::new(seed);
            std::iter::from_fn(move || Some(jitter.next())).take(100).collect::<Vec<_>>()
        };
        assert_eq!(numbers(1), numbers(1));
        assert!(numbers(1).iter().zip(numbers(2)).all(|(one, other)| *one != other));
    }
}

//! Guessing passwords is made slow: after some wrong ones an address waits, longer each time.
//!
//! ```text
//! free ──wrong──▶ free ──the fifth──▶ waits 1 s ──wrong──▶ waits 2 s ──▶ … ──▶ waits 5 min
//!   ▲                                     │
//!   └────── right, or a quarter of an hour without a wrong one
//! ```

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Elapsed;

/// Mistakes that everybody may make.
const FREE: u32 = 5;
const LONGEST_WAIT: Duration = Duration::from_secs(300);
const FORGOTTEN_AFTER: Duration = Duration::from_secs(900);
/// Addresses that are remembered; of more, the one that was wrong the longest ago is forgotten.
const REMEMBERED: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Throttle(Mutex<HashMap<IpAddr, Wrong>>);

#[derive(Debug, Clone, Copy)]
struct Wrong {
    times: u32,
    last: Elapsed,
    until: Elapsed,
}

impl Throttle {
    /// How long an address has to wait before it may try again.
    pub(super) fn waits(&self, address: IpAddr, now: Elapsed) -> Option<Duration> {
        let wrong = self.lock();
        let before = wrong.get(&group(address))?;
        (before.until > now).then(|| before.until.since(now))
    }

    /// A try was wrong. Answers how long the address has to wait for the next, where it has to.
    pub(super) fn wrong(&self, address: IpAddr, now: Elapsed) -> Option<Duration> {
        let mut wrong = self.lock();
        let address = group(address);
        let before = wrong.get(&address).filter(|before| now.since(before.last) < FORGOTTEN_AFTER);
        let times = before.map_or(1, |before| before.times.saturating_add(1));
        let wait = wait(times);
        if wrong.len() >= REMEMBERED && !wrong.contains_key(&address) {
            wrong.retain(|_, known| now.since(known.last) < FORGOTTEN_AFTER);
            let oldest = wrong.iter().min_by_key(|(_, known)| known.last).map(|(address, _)| *address);
            if let Some(oldest) = oldest.filter(|_| wrong.len() >= REMEMBERED) {
                wrong.remove(&oldest);
            }
        }
        wrong.insert(address, Wrong { times, last: now, until: now.saturating_add(wait) });
        (wait > Duration::ZERO).then_some(wait)
    }

    /// The last try was right.
    pub(super) fn right(&self, address: IpAddr) {
        self.lock().remove(&group(address));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Wrong>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one guesser has: of IPv6, a network of 64 bits.
fn group(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
    }
}

fn wait(times: u32) -> Duration {
    match times.checked_sub(FREE) {
        None => Duration::ZERO,
        Some(over) => Duration::from_secs(1 << over.min(16)).min(LONGEST_WAIT),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Elapsed {
        Elapsed::ZERO.saturating_add(Duration::from_secs(seconds))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_fifth_mistake_costs_a_second_and_the_next_twice_that() {
        let throttle = Throttle::default();
        let guesser = ip("10.0.0.1");
        for _ in 0..4 {
            assert_eq!(throttle.wrong(guesser, at(0)), None);
        }
        assert_eq!(throttle.waits(guesser, at(0)), None);
        assert_eq!(throttle.wrong(guesser, at(0)), Some(Duration::from_secs(1)));
        assert_eq!(throttle.waits(guesser, at(0)), Some(Duration::from_secs(1)));
        assert_eq!(throttle.waits(ip("10.0.0.2"), at(0)), None, "others are not kept waiting");
        assert_eq!(throttle.waits(guesser, at(1)), None);
        assert_eq!(throttle.wrong(guesser, at(1)), Some(Duration::from_secs(2)));
    }

    #[test]
    fn waiting_has_an_end_and_mistakes_are_forgotten() {
        assert_eq!(wait(u32::MAX), LONGEST_WAIT);
        let throttle = Throttle::default();
        for _ in 0..5 {
            throttle.wrong(ip("::1"), at(0));
        }
        assert!(throttle.waits(ip("::2"), at(0)).is_some(), "a network of IPv6 is one guesser");
        assert_eq!(throttle.wrong(ip("::1"), at(1000)), None, "a quarter of an hour later it is the first");
        throttle.right(ip("::1"));
        assert_eq!(throttle.lock().len(), 0);
    }

    #[test]
    fn it_remembers_a_bounded_number_of_addresses() {
        let throttle = Throttle::default();
        for i in 0..2 * REMEMBERED as u32 {
            throttle.wrong(IpAddr::V4(i.into()), at(1));
        }
        assert_eq!(throttle.lock().len(), REMEMBERED);
    }
}

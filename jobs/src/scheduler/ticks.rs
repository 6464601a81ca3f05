//! From times to the ticks of a wheel and back.
//!
//! Ticks are whole milliseconds. What is armed rounds up and the present rounds down: nothing fires early.

use std::time::Duration;

use crate::clock::{Elapsed, Timestamp};

const NANOS_PER_TICK: u64 = 1_000_000;

pub(super) fn wall_tick(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanos()).unwrap_or(0).div_ceil(NANOS_PER_TICK)
}

pub(super) fn wall_tick_now(now: Timestamp) -> u64 {
    u64::try_from(now.as_nanos()).unwrap_or(0) / NANOS_PER_TICK
}

pub(super) fn wall_of(tick: u64) -> Timestamp {
    Timestamp::from_nanos(i64::try_from(tick.saturating_mul(NANOS_PER_TICK)).unwrap_or(i64::MAX))
}

pub(super) fn elapsed_tick(at: Elapsed) -> u64 {
    u64::try_from(at.since_start().as_nanos().div_ceil(u128::from(NANOS_PER_TICK))).unwrap_or(u64::MAX)
}

pub(super) fn elapsed_tick_now(now: Elapsed) -> u64 {
    u64::try_from(now.since_start().as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn elapsed_of(tick: u64) -> Elapsed {
    Elapsed::ZERO.saturating_add(Duration::from_millis(tick))
}

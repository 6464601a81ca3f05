//! From the wall clock to instants: what becomes of a fire time when the clock is changed.
//!
//! The rule is Vixie cron's, stated on instants. A *wildcard* schedule follows the wall clock: it fires in both
//! passes of a repeated hour and not at all in a skipped one. A *fixed-time* schedule fires once for each
//! wall-clock time that it names: at the first of two, and at the end of the gap for those that a gap swallows.
//!
//! ```text
//!             01:59:59│03:00                           01:59:59│01:00
//! ────────────────────┼──────────── time     ──────────────────┼─────────────── time
//! wildcard  01:30     │     03:30            wildcard  01:30   │  01:30   02:30
//! fixed     01:30     02:30 03:30            fixed     01:30   │          02:30
//! ```

use super::civil::Civil;
use super::zone::{Instant, MAX_OFFSET, Zone};

/// The first fire time after this instant.
pub(super) fn next_after(civil: &Civil, zone: &Zone, after: Instant) -> Option<Instant> {
    let next = if civil.spec().is_fixed_time() {
        fixed_time(civil, zone, after)
    } else {
        wildcard(civil, zone, after)
    };
    debug_assert!(next.is_none_or(|next| next > after), "{next:?} is not after {after}");
    next
}

/// A wall-clock time fires when the clock first shows it *or a later one*. That is the first of two where it is
/// repeated, and the end of the gap where it is missing; and the times that have fired are exactly those up to the
/// latest that the clock has ever shown.
fn fixed_time(civil: &Civil, zone: &Zone, after: Instant) -> Option<Instant> {
    let mut span = zone.span_at(after);
    let wall_time = civil.next_after(span.wall_time(after).max(span.shown_before))?;
    if wall_time >= span.wall_end() {
        // A span that ended so early showed nothing as late as this.
        span = zone.span_at(span.end.max(wall_time - MAX_OFFSET));
        while wall_time >= span.wall_end() {
            span = zone.span_at(span.end);
        }
    }
    Some(span.start.max(wall_time - span.offset))
}

/// Every instant whose wall-clock time matches: span by span, each a plain clock of its own.
fn wildcard(civil: &Civil, zone: &Zone, after: Instant) -> Option<Instant> {
    let mut span = zone.span_at(after);
    let mut wall_time = civil.next_after(span.wall_time(after))?;
    while wall_time >= span.wall_end() {
        let (shown, following) = (span.wall_end() - 1, zone.span_at(span.end));
        span = following;
        let skipped = wall_time < span.wall_start();
        let repeated = span.wall_start() <= shown && civil.may_match_between(span.wall_start(), shown);
        if skipped || repeated {
            wall_time = civil.next_after(span.wall_start() - 1)?;
        }
    }
    Some(wall_time - span.offset)
}

/// Whether a fire time of a fixed-time schedule is the end of the gap that has swallowed its wall-clock time.
pub(super) fn is_shifted(civil: &Civil, zone: &Zone, at: Instant) -> bool {
    civil.spec().is_fixed_time() && {
        let span = zone.span_at(at);
        at == span.start && civil.next_after(span.wall_start() - 1) != Some(span.wall_start())
    }
}

/// Days that are looked at one by one to count the fire times of a long time.
const DAYS_COUNTED: usize = 400;

/// How many fire times lie after the one instant and not after the other, by arithmetic and not one by one; at least
/// so many of a schedule that leaves out days, where the time between is longer than [`DAYS_COUNTED`].
pub(super) fn count(civil: &Civil, zone: &Zone, after: Instant, through: Instant) -> u64 {
    let fixed_time = civil.spec().is_fixed_time();
    let (mut counted, mut after, mut days) = (0_u64, after, DAYS_COUNTED);
    while after < through {
        let span = zone.span_at(after.saturating_add(1));
        let last = through.min(span.end.saturating_sub(1));
        let mut from = span.wall_time(after);
        if fixed_time {
            // What its first instant shows, and what the gap before it has swallowed, is one fire time.
            if after < span.start {
                from = span.wall_start();
                counted += u64::from(civil.count(span.shown_before, from, &mut days) > 0);
            }
            from = from.max(span.shown_before);
        }
        counted = counted.saturating_add(civil.count(from, span.wall_time(last), &mut days));
        after = last;
    }
    counted
}

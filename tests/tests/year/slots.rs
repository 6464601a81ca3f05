//! The slots of a cron schedule over a year, day by day on the wall clock of its zone.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::schedule_oracle::Case;

/// A slot in milliseconds since 1970, and whether a clock change has shifted it to the end of a gap.
pub(crate) type Slots = BTreeMap<i64, bool>;

/// Every slot from one date to another.
///
/// The rule as DESIGN.md has it: a wildcard fires at every instant whose wall clock matches; a fixed time fires once, at
/// the first of two, and where it does not come at the first instant after the gap, several in one gap as one.
pub(crate) fn slots(case: &Case, zone: &TimeZone, first: Date, last: Date) -> Slots {
    let mut slots = Slots::new();
    let fixed = case.is_fixed_time();
    let mut date = first;
    while date <= last {
        if case.matches_date(date) {
            for &hour in &case.hour.values {
                for &minute in &case.minute.values {
                    let wall = date.at(hour as i8, minute as i8, 0, 0);
                    add(wall, zone, fixed, &mut slots);
                }
            }
        }
        date = date.tomorrow().unwrap();
    }
    slots
}

fn add(wall: DateTime, zone: &TimeZone, fixed: bool, slots: &mut Slots) {
    let mut put = |at: Timestamp, shifted: bool| {
        // A slot of its own at the end of a gap is there anyhow.
        let entry = slots.entry(at.as_millisecond()).or_insert(shifted);
        *entry &= shifted;
    };
    match zone.to_ambiguous_timestamp(wall).offset() {
        AmbiguousOffset::Unambiguous { offset } => put(offset.to_timestamp(wall).unwrap(), false),
        AmbiguousOffset::Fold { before, after } => {
            put(before.to_timestamp(wall).unwrap(), false);
            if !fixed {
                put(after.to_timestamp(wall).unwrap(), false);
            }
        }
        AmbiguousOffset::Gap { before, .. } if fixed => {
            let within = before.to_timestamp(wall).unwrap().checked_add(1.second()).unwrap();
            put(zone.preceding(within).next().unwrap().timestamp(), true);
        }
        AmbiguousOffset::Gap { .. } => {}
    }
}

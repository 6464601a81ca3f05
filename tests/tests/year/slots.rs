//! The slots of a cron schedule over a year, day by day on the wall clock of its zone.

use std::collections::BTreeMap;

use jiff::civil::{Date, DateTime};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use jiff::{Timestamp, ToSpan};

use crate::schedule_oracle::Case;

/// A slot in milliseconds since 1970, and whether a clock change has shifted it to the end of a gap.
pub(crate) type Slots = BTreeMap<i64, bool>;

/// A zone whose clock changes are the same in the system's database and in the bundled one, at that time: which of the two
/// is newer is not the model's business.
pub(crate) fn undisputed(zone: &str, first: Date, last: Date) -> Option<TimeZone> {
    let changes = |database: &TimeZoneDatabase| {
        let tz = database.get(zone).ok()?;
        let instant = |date: Date| jiff::tz::Offset::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap();
        let (first, last) = (instant(first), instant(last));
        let begins = tz.to_offset(first);
        let changes = tz.following(first).take_while(|change| change.timestamp() < last);
        let changes: Vec<_> = changes.map(|change| (change.timestamp(), change.offset())).collect();
        Some((tz, begins, changes))
    };
    let bundled = changes(&TimeZoneDatabase::bundled())?;
    let same =
        changes(jiff::tz::db()).is_none_or(|system| (&system.1, &system.2) == (&bundled.1, &bundled.2));
    same.then_some(bundled.0)
}

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

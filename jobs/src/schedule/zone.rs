//! A time zone as the search needs it: stretches of time with one offset.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::civil::WallTime;
use super::database;
use super::error::ScheduleError;
use super::intern::Interner;

/// Seconds since 1970-01-01T00:00:00Z.
pub(super) type Instant = i64;

/// No zone is further from UTC, and no clock change is larger than twice this.
pub(super) const MAX_OFFSET: i64 = 26 * 3600;

/// The name of the machine's zone.
pub(super) const LOCAL: &str = "local";

/// A stretch of time between two clock changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// Its first instant.
    pub(super) start: Instant,
    /// The first instant after it.
    pub(super) end: Instant,
    /// What the wall clock is ahead of UTC, in seconds.
    pub(super) offset: i64,
    /// The latest wall-clock time that was ever shown before it: more than its own first one where the
    /// clock went back.
    pub(super) shown_before: WallTime,
}

impl Span {
    const fn endless(offset: i64) -> Self {
        Self { start: Instant::MIN, end: Instant::MAX, offset, shown_before: WallTime::MIN }
    }

    pub(super) fn wall_time(&self, instant: Instant) -> WallTime {
        instant.saturating_add(self.offset)
    }

    /// The first wall-clock time of this span.
    pub(super) fn wall_start(&self) -> WallTime {
        self.wall_time(self.start)
    }

    /// The first wall-clock time after this span.
    pub(super) fn wall_end(&self) -> WallTime {
        self.wall_time(self.end)
    }
}

/// A zone by name. Its rules are read when it is made and stay as they were for as long as it lives.
pub(super) struct Zone {
    name: Box<str>,
    rules: Rules,
}

enum Rules {
    Fixed(i64),
    Changing { zone: TimeZone, table: OnceLock<Table> },
}

/// All names lead here, so that a zone's table is built once.
static ZONES: Interner<Box<str>, Zone> = Interner::new();

impl Zone {
    /// The zone `local`, an offset such as `+05:30`, or a name of the database in any case.
    pub(super) fn named(name: &str) -> Result<Arc<Self>, ScheduleError> {
        let name = jobs_syntax::parse_zone_name(name).map_err(|error| ScheduleError::syntax(error, name))?;
        match ZONES.get(name) {
            Some(zone) => Ok(zone),
            None => Ok(ZONES.put(name.into(), Arc::new(Self::read(name)?))),
        }
    }

    pub(super) fn utc() -> Self {
        Self { name: "UTC".into(), rules: Rules::Fixed(0) }
    }

    fn read(name: &str) -> Result<Self, ScheduleError> {
        if name.eq_ignore_ascii_case(LOCAL) {
            let zone = database::local().map_err(ScheduleError::local_zone)?;
            return Ok(Self::new(LOCAL, zone));
        }
        if let Some(offset) = parse_offset(name) {
            return Ok(Self { name: offset_name(offset).into(), rules: Rules::Fixed(offset) });
        }
        let zone = database::get(name).ok_or_else(|| ScheduleError::unknown_zone(name))?;
        let name = zone.iana_name().unwrap_or(name).to_owned();
        Ok(Self::new(&name, zone))
    }

    fn new(name: &str, zone: TimeZone) -> Self {
        let rules = match zone.to_fixed_offset() {
            Ok(offset) => Rules::Fixed(offset.seconds().into()),
            Err(_) => Rules::Changing { zone, table: OnceLock::new() },
        };
        Self { name: name.into(), rules }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// A digest of its rules from [`DIGEST_FROM`] on, the same wherever they are; none of an offset, which has no rules.
    #[cfg(feature = "postgres")]
    pub(super) fn digest(&self) -> Option<u64> {
        match &self.rules {
            Rules::Fixed(offset) if self.name() == "UTC" || self.name() == offset_name(*offset) => None,
            // Other data may have another for the name.
            Rules::Fixed(offset) => Some(digest_of([(DIGEST_FROM, *offset)].into_iter())),
            Rules::Changing { zone, table } => {
                let table = table.get_or_init(|| Table::of(zone));
                Some(digest_of(table.changes_from(DIGEST_FROM)))
            }
        }
    }

    /// The span that holds this instant.
    pub(super) fn span_at(&self, instant: Instant) -> Span {
        match &self.rules {
            Rules::Fixed(offset) => Span::endless(*offset),
            Rules::Changing { zone, table } => {
                let table = table.get_or_init(|| Table::of(zone));
                table.span_at(instant).unwrap_or_else(|| span_by_rule(zone, instant))
            }
        }
    }
}

/// 2026-01-01T00:00:00Z: what was before matters to no slot that is still to come.
#[cfg(feature = "postgres")]
const DIGEST_FROM: Instant = 1_767_225_600;

/// FNV-1a, which is the same in every build.
#[cfg(feature = "postgres")]
fn digest_of(changes: impl Iterator<Item = (Instant, i64)>) -> u64 {
    let bytes = changes.flat_map(|(start, offset)| [start.to_le_bytes(), offset.to_le_bytes()].concat());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Zone {}

impl fmt::Debug for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// All clock changes of a zone up to [`TABLE_END`], for the binary search that `jiff` does in two places,
/// its file's table and its rule for the years after.
struct Table {
    entries: Box<[Entry]>,
    /// Where the last entry ends.
    end: Instant,
    /// The entry that was asked for last: schedules mostly ask for the current one. Any value is right.
    hint: AtomicUsize,
}

struct Entry {
    start: Instant,
    offset: i64,
    shown_before: WallTime,
}

/// 2101-01-01T00:00:00Z; a few kilobytes for a zone that changes its clocks twice a year.
const TABLE_END: Instant = 4_133_980_800;

impl Table {
    fn of(zone: &TimeZone) -> Self {
        let first = Entry {
            start: Instant::MIN,
            offset: zone.to_offset(Timestamp::MIN).seconds().into(),
            shown_before: WallTime::MIN,
        };
        let mut entries = vec![first];
        let mut end = Instant::MAX;
        for change in zone.following(Timestamp::MIN) {
            let start = change.timestamp().as_second();
            if start >= TABLE_END {
                end = start;
                break;
            }
            let offset = i64::from(change.offset().seconds());
            let Some(last) = entries.last() else { break };
            // A change of the abbreviation alone.
            if last.offset == offset {
                continue;
            }
            let shown_before = last.shown_before.max(start + last.offset - 1);
            entries.push(Entry { start, offset, shown_before });
        }
        Self { entries: entries.into(), end, hint: AtomicUsize::new(0) }
    }

    /// What the wall clock is ahead from an instant on, and from each change after it.
    #[cfg(feature = "postgres")]
    fn changes_from(&self, from: Instant) -> impl Iterator<Item = (Instant, i64)> {
        let first = self.entries.partition_point(|entry| entry.start <= from).saturating_sub(1);
        self.entries[first..].iter().map(move |entry| (entry.start.max(from), entry.offset))
    }

    /// None after the last entry.
    fn span_at(&self, instant: Instant) -> Option<Span> {
        let hint = self.hint.load(Ordering::Relaxed);
        if let Some(span) = self.span(hint).filter(|span| span.start <= instant && instant < span.end) {
            return Some(span);
        }
        if instant >= self.end {
            return None;
        }
        let index = self.entries.partition_point(|entry| entry.start <= instant).checked_sub(1)?;
        self.hint.store(index, Ordering::Relaxed);
        self.span(index)
    }

    fn span(&self, index: usize) -> Option<Span> {
        let entry = self.entries.get(index)?;
        Some(Span {
            start: entry.start,
            end: self.entries.get(index + 1).map_or(self.end, |next| next.start),
            offset: entry.offset,
            shown_before: entry.shown_before,
        })
    }
}

/// The span from `jiff` itself, for instants after the table.
fn span_by_rule(zone: &TimeZone, instant: Instant) -> Span {
    // `jiff` ends in the year 9999; what is in force then stays.
    let clamp = |instant: Instant| {
        let instant = instant.clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
        Timestamp::from_second(instant).unwrap_or(Timestamp::MAX)
    };
    let offset_at = |instant: Instant| i64::from(zone.to_offset(clamp(instant)).seconds());
    let start =
        zone.preceding(clamp(instant.saturating_add(1))).next().map(|change| change.timestamp().as_second());
    let end = zone.following(clamp(instant)).next().map(|change| change.timestamp().as_second());
    Span {
        start: start.unwrap_or(Instant::MIN),
        end: end.unwrap_or(Instant::MAX),
        offset: offset_at(instant),
        // A rule changes clocks by an hour or so, months apart: only the span before can have shown more.
        shown_before: start.map_or(WallTime::MIN, |start| start - 1 + offset_at(start - 1)),
    }
}

/// `+05:30`; `jobs-syntax` lets no other form of an offset through.
fn parse_offset(name: &str) -> Option<i64> {
    let sign = match name.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = name[1..].split_once(':')?;
    let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
    Some(sign * (hours * 3600 + minutes * 60))
}

fn offset_name(offset: i64) -> String {
    let sign = if offset < 0 { '-' } else { '+' };
    let minutes = offset.abs() / 60;
    format!("{sign}{:02}:{:02}", minutes / 60, minutes % 60)
}

#[cfg(all(test, feature = "postgres"))]
mod tests {
    use super::*;

    fn digest(zone: TimeZone) -> Option<u64> {
        Zone::new("Here", zone).digest()
    }

    fn rule(text: &str) -> TimeZone {
        TimeZone::posix(text).expect("it is a rule")
    }

    #[test]
    fn zones_with_the_same_rules_have_the_same_digest() {
        let oslo = digest(database::get("Europe/Oslo").unwrap());
        assert!(oslo.is_some());
        // Other years before, another abbreviation: the same slots.
        assert_eq!(oslo, digest(database::get("Europe/Berlin").unwrap()));
        assert_eq!(oslo, digest(rule("OSL-1OSS,M3.5.0,M10.5.0/3")));
        assert_ne!(oslo, digest(rule("OSL-1OSS,M3.5.0,M10.4.0/3")));
        assert_ne!(oslo, digest(database::get("Europe/London").unwrap()));
    }

    #[test]
    fn offsets_have_none_but_those_of_names() {
        assert_eq!(Zone::utc().digest(), None);
        assert_eq!(Zone::read("+05:30").unwrap().digest(), None);
        let named = |offset| Zone { name: LOCAL.into(), rules: Rules::Fixed(offset) }.digest();
        assert!(named(0).is_some() && named(0) != named(3600));
    }
}

//! When a job fires: from a text to instants.
//!
//! ```text
//! text ──jobs-syntax──▶ CronSpec ──civil──▶ wall-clock times ──instants──▶ instants
//!                          │    the crate `cron`,    │     the rule for clock changes,
//!                          │    narrowed by dates    │     on the spans of a zone
//!                          └──describe──▶ English
//! ```

mod civil;
mod database;
mod dates;
mod describe;
mod error;
mod instants;
mod intern;
mod zone;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::iter::FusedIterator;
use std::str::FromStr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs_syntax::{Spec, When};

use self::civil::Civil;
pub use self::error::ScheduleError;
use self::intern::Interner;
use self::zone::Zone;

/// When something fires: a cron expression, or an interval.
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use jobs::Schedule;
///
/// let schedule = Schedule::parse("0 */15 9-17 * * Mon-Fri")?.in_zone("Europe/Oslo")?;
/// assert_eq!(
///     schedule.describe(),
///     "every 15 minutes from 9:00 to 17:45, Monday to Friday (Europe/Oslo)"
/// );
///
/// let friday_evening = "2026-01-02T16:45:00Z".parse()?;
/// let next = schedule.next_after(friday_evening);
/// assert_eq!(next, Some("2026-01-05T08:00:00Z".parse()?));
/// # Ok(())
/// # }
/// ```
///
/// # Texts
///
/// Six fields `second minute hour day month weekday` or the five of a crontab, which begin with the minute; the
/// descriptors `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly`; or `@every 90m`.
/// A prefix `TZ=Europe/Oslo ` names the zone. `Display` gives the canonical text, which parses to an equal schedule.
///
/// # Time zones
///
/// A cron expression is read on the wall clock of its zone; of UTC, where none is named. A name comes from the
/// time zone database in any case (`Europe/Oslo`); `+05:30` is a fixed offset; `local` is the machine's own zone, from
/// the variable `TZ` or the system's setting, and UTC on a Unix that has neither.
/// The database is the system's, or the one that this crate brings along if the system has none, lacks the name,
/// or says that its own is older; the variable `TZDIR` insists on one.
///
/// # Clock changes
///
/// The rule is that of Vixie cron, stated on instants. A schedule is *fixed-time* when neither its minute nor its
/// hour has a `*` or `?`, otherwise it is a *wildcard*.
///
/// - A wildcard fires at every instant whose wall clock matches: in both passes of an hour that is repeated, and
///   not in one that is skipped.
/// - A fixed-time schedule fires once for each wall-clock time. A repeated one fires at the first of the two; a
///   missing one at the first instant after the gap, and several in one gap as one.
/// - An interval counts elapsed time and knows nothing of clocks.
///
/// # Bounds
///
/// The search looks 400 years ahead, after which the calendar repeats itself: there is no next time only where
/// there is none at all, or past the years that [`chrono`] knows. A clone costs a pointer; equal schedules share
/// their insides.
#[derive(Clone)]
pub struct Schedule {
    inner: Arc<Inner>,
}

struct Inner {
    /// The canonical text, without the zone.
    text: Box<str>,
    plan: Plan,
    /// Always none for an interval.
    zone: Option<Arc<Zone>>,
}

enum Plan {
    Cron(Arc<Civil>),
    Every(Duration),
}

type Key = (When, Option<Box<str>>);

static SCHEDULES: Interner<Key, Inner> = Interner::new();

/// What texts have been read as: a million schedules mostly have a few texts.
static TEXTS: Interner<Box<str>, Inner> = Interner::new();

/// What a cron expression that names no zone is read in.
static UTC: LazyLock<Arc<Zone>> = LazyLock::new(|| Arc::new(Zone::utc()));

impl Schedule {
    /// Reads a schedule.
    ///
    /// # Errors
    ///
    /// The first mistake in the text with its place and its fix, or a zone that is not in the database.
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        if let Some(inner) = TEXTS.get(text) {
            return Ok(Self { inner });
        }
        let spec = Spec::parse(text).map_err(|error| ScheduleError::syntax(error, text))?;
        let zone = match spec.zone() {
            Some(name) => Some(Zone::named(name).map_err(|error| error.in_text(text))?),
            None => None,
        };
        let schedule = Self::new(*spec.when(), zone, || canonical(&spec));
        TEXTS.put(text.into(), Arc::clone(&schedule.inner));
        Ok(schedule)
    }

    /// A schedule that fires whenever this much time has passed: `@every` of a [`Duration`].
    ///
    /// # Errors
    ///
    /// An interval below 10 ms, or one that is longer than the schedule language allows.
    pub fn every(interval: Duration) -> Result<Self, ScheduleError> {
        let spec = Spec::every(interval)
            .map_err(|error| ScheduleError::syntax(error, &jobs_syntax::format_duration(interval)))?;
        Ok(Self::new(*spec.when(), None, || canonical(&spec)))
    }

    /// `text` is asked for only if there is no such schedule yet.
    fn new(when: When, zone: Option<Arc<Zone>>, text: impl FnOnce() -> Box<str>) -> Self {
        // An interval is the same everywhere, and must not become another schedule when a default zone changes.
        let zone = zone.filter(|_| matches!(when, When::Cron(_)));
        let key = (when, zone.as_ref().map(|zone| zone.name().into()));
        let inner = SCHEDULES.get_or_make(key, |(when, _)| {
            let plan = match *when {
                When::Cron(spec) => Plan::Cron(Civil::shared(spec)),
                When::Every(interval) => Plan::Every(interval),
                _ => unreachable!("a schedule is a cron expression or an interval"),
            };
            Inner { text: text(), plan, zone }
        });
        Self { inner }
    }

    /// The same schedule on the wall clock of another zone: a name such as `Europe/Oslo`, `local`, or an offset
    /// such as `+05:30`. It replaces a zone that the text named. An interval stays as it is, for it has no zone.
    ///
    /// # Errors
    ///
    /// A zone that is not in the database, with the nearest names.
    pub fn in_zone(&self, zone: &str) -> Result<Self, ScheduleError> {
        let zone = Zone::named(zone)?;
        Ok(Self::new(self.when(), Some(zone), || self.inner.text.clone()))
    }

    /// [`in_zone`](Self::in_zone) for a schedule that names no zone; one that does stays as it is.
    pub(crate) fn with_default_zone(&self, zone: &str) -> Result<Self, ScheduleError> {
        // Without a zone it is read in UTC anyhow.
        if self.inner.zone.is_some() || zone == "UTC" { Ok(self.clone()) } else { self.in_zone(zone) }
    }

    /// The canonical text without the zone.
    pub(crate) fn text(&self) -> &str {
        &self.inner.text
    }

    fn when(&self) -> When {
        match &self.inner.plan {
            Plan::Cron(civil) => When::Cron(*civil.spec()),
            Plan::Every(interval) => When::Every(*interval),
        }
    }

    /// The name of the zone, if the schedule has been given one; without one it is read in UTC.
    /// None for an interval.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.inner.zone.as_deref().map(Zone::name)
    }

    /// The interval of `@every`, none for a cron expression.
    #[must_use]
    pub fn interval(&self) -> Option<Duration> {
        match self.inner.plan {
            Plan::Every(interval) => Some(interval),
            Plan::Cron(_) => None,
        }
    }

    /// The first fire time that is later than `after`. Those of a cron expression are whole seconds; an interval
    /// is counted from `after` itself, fractions of a second included.
    ///
    /// None if there is none within 400 years, or past the years that [`chrono`] knows.
    #[must_use]
    pub fn next_after(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.inner.plan {
            Plan::Cron(civil) => {
                let zone = self.inner.zone.as_ref().unwrap_or(&UTC);
                DateTime::from_timestamp(instants::next_after(civil, zone, after.timestamp())?, 0)
            }
            Plan::Every(interval) => after.checked_add_signed(TimeDelta::from_std(*interval).ok()?),
        }
    }

    /// The fire times that are later than `after`, in order.
    pub fn upcoming(&self, after: DateTime<Utc>) -> impl FusedIterator<Item = DateTime<Utc>> + use<> {
        let schedule = self.clone();
        std::iter::successors(self.next_after(after), move |&last| schedule.next_after(last))
    }

    /// How many fire times of a cron expression lie after the one instant and not after the other, found by
    /// arithmetic. Over more than a year, of a schedule that leaves out days, at least so many. None of an
    /// interval, which counts from wherever it was begun.
    pub(crate) fn count(&self, after: DateTime<Utc>, through: DateTime<Utc>) -> u64 {
        match &self.inner.plan {
            Plan::Cron(civil) => {
                let zone = self.inner.zone.as_ref().unwrap_or(&UTC);
                instants::count(civil, zone, after.timestamp(), through.timestamp())
            }
            Plan::Every(_) => 0,
        }
    }

    /// Whether a fire time is the end of a gap that a clock change left where its time on the wall should have been.
    pub(crate) fn is_shifted(&self, at: DateTime<Utc>) -> bool {
        match (&self.inner.plan, &self.inner.zone) {
            (Plan::Cron(civil), Some(zone)) => instants::is_shifted(civil, zone, at.timestamp()),
            _ => false,
        }
    }

    /// A digest of the rules of its zone; none where that has no rules that another database may know otherwise.
    #[cfg(feature = "postgres")]
    pub(crate) fn zone_digest(&self) -> Option<u64> {
        self.inner.zone.as_ref().and_then(|zone| zone.digest())
    }

    /// What the wall clock that it is read on is ahead of UTC at an instant, in seconds.
    #[cfg(feature = "web")]
    pub(crate) fn offset_at(&self, at: DateTime<Utc>) -> i32 {
        let zone = self.inner.zone.as_ref().unwrap_or(&UTC);
        i32::try_from(zone.span_at(at.timestamp()).offset).unwrap_or(0)
    }

    /// The schedule in plain English, with its zone if it has been given one:
    /// `every 15 minutes from 9:00 to 17:45, Monday to Friday (Europe/Oslo)`.
    #[must_use]
    pub fn describe(&self) -> String {
        describe::describe(&self.when(), self.zone())
    }
}

/// The canonical text without the zone, which is a part of its own here.
fn canonical(spec: &Spec) -> Box<str> {
    let text = spec.to_string();
    match spec.zone() {
        Some(zone) => text[format!("TZ={zone} ").len()..].into(),
        None => text.into(),
    }
}

/// The canonical text, behind `TZ=Zone ` where the schedule has been given a zone.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(zone) = self.zone() {
            write!(f, "TZ={zone} ")?;
        }
        f.write_str(&self.inner.text)
    }
}

impl fmt::Debug for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Schedule({:?})", self.to_string())
    }
}

/// Equal are schedules of equal canonical text and zone.
impl PartialEq for Schedule {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
            || (self.zone() == other.zone() && self.inner.text == other.inner.text)
    }
}

impl Eq for Schedule {}

impl Hash for Schedule {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.zone().hash(state);
        self.inner.text.hash(state);
    }
}

impl FromStr for Schedule {
    type Err = ScheduleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_default_zone_is_for_schedules_that_name_none() {
        let parse = |text| Schedule::parse(text).unwrap().with_default_zone("Europe/Oslo").unwrap();
        assert_eq!(parse("@daily").zone(), Some("Europe/Oslo"));
        assert_eq!(parse("TZ=UTC @daily").zone(), Some("UTC"));
        // Another default zone must not make another schedule of an interval.
        assert_eq!(parse("@every 1h").zone(), None);
        assert!(Schedule::parse("@every 1h").unwrap().with_default_zone("Nowhere").is_err());
    }

    #[test]
    fn fire_times_are_counted_as_they_are_found() {
        let specs = [
            "0 */20 * * * *",
            "7,9 30 1,2,3 * * *",
            "0 0 2 ? * MON-FRI",
            "0 */30 0-4 L * FRI#2",
            "0 15 1,2 1-15 * *",
            "0 0 */6 29 2 *",
        ];
        let zones =
            ["UTC", "+05:30", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "Pacific/Apia"];
        // Apia leaves out a day, the north sets its clocks forward, the south back, and the other way round.
        let starts = ["2011-12-20T03:30:00Z", "2026-03-01T12:00:01Z", "2026-09-25T00:00:00Z"];
        for (spec, zone) in specs.into_iter().flat_map(|spec| zones.map(|zone| (spec, zone))) {
            let schedule = Schedule::parse(spec).unwrap().in_zone(zone).unwrap();
            for start in starts {
                let start: DateTime<Utc> = start.parse().unwrap();
                let end = start + TimeDelta::days(40);
                let slots: Vec<_> = schedule.upcoming(start).take_while(|slot| *slot <= end).collect();
                assert_eq!(schedule.count(start, end), slots.len() as u64, "{schedule} from {start}");
                // From and to every one of a few, and just beside them.
                for (from, to) in
                    (0..slots.len()).step_by(61).flat_map(|i| [(i, i), (i, (2 * i + 1).min(slots.len() - 1))])
                {
                    for (before, behind) in [(0, 0), (1, 0), (0, 1), (3600, 3600)] {
                        let after = slots[from] - TimeDelta::seconds(before);
                        let through = slots[to] - TimeDelta::seconds(behind);
                        let wanted =
                            slots.iter().filter(|slot| after < **slot && **slot <= through).count() as u64;
                        if after >= start {
                            assert_eq!(
                                schedule.count(after, through),
                                wanted,
                                "{schedule}: {after} to {through}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn counting_over_centuries_is_a_lower_bound_and_quick() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let (from, to) = (time("1970-01-01T00:00:00Z"), time("2370-01-01T00:00:00Z"));
        let count = |spec: &str| Schedule::parse(spec).unwrap().count(from, to);
        assert_eq!(count("0 * * * * *"), 146_097 * 1440);
        assert_eq!(count("0 0 0 ? * MON"), 57, "the Mondays of the first 400 days");
        // Every clock change begins and ends a day that is looked at beyond.
        let in_zone = count("TZ=Europe/Oslo 0 0 0 ? * MON-FRI");
        assert!((285..146_097 * 5 / 7).contains(&in_zone), "{in_zone}");
    }

    #[test]
    fn equal_schedules_share_their_insides() {
        let one = Schedule::parse("TZ=Europe/Oslo @daily").unwrap();
        let other = Schedule::parse("0 0 * * *").unwrap().in_zone("Europe/Oslo").unwrap();
        assert!(Arc::ptr_eq(&one.inner, &other.inner));
        let again = Schedule::parse("TZ=Europe/Oslo  @midnight").unwrap();
        assert!(Arc::ptr_eq(&one.inner, &again.inner));
    }
}

//! The search for the next wall-clock time, which knows nothing of zones.
//!
//! A wall-clock time is a number of seconds here: the Unix time it would be if the clock showed UTC.

use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Datelike, NaiveDate, Utc};
use jobs_syntax::CronSpec;

use super::dates::{self, ALL_DAYS, ALL_WEEKDAYS, DayPlan, DayProduct};
use super::intern::Interner;

/// Seconds since 1970-01-01T00:00:00 on the wall clock.
pub(super) type WallTime = i64;

pub(super) const DAY: i64 = 86_400;

/// A cron expression and its engine, which is built when the first search asks for it: the bit sets are a
/// twentieth of its size.
#[derive(Debug)]
pub(super) struct Civil {
    spec: CronSpec,
    engine: OnceLock<Engine>,
}

/// Equal expressions share an engine, whatever their zones.
static CIVILS: Interner<CronSpec, Civil> = Interner::new();

impl Civil {
    pub(super) fn shared(spec: CronSpec) -> Arc<Self> {
        CIVILS.get_or_make(spec, |&spec| Self { spec, engine: OnceLock::new() })
    }

    pub(super) fn spec(&self) -> &CronSpec {
        &self.spec
    }

    /// The first matching wall-clock time after this one; none if there is none in the next
    /// [`YEARS_SEARCHED`] years.
    pub(super) fn next_after(&self, after: WallTime) -> Option<WallTime> {
        let engine = self.engine.get_or_init(|| Engine::new(&self.spec));
        // West of Greenwich, the first hours of time have wall-clock times that `chrono` does not know.
        let after = after.max(DateTime::<Utc>::MIN_UTC.timestamp());
        if !engine.narrowed {
            return engine.next_after(after);
        }
        let horizon = after.saturating_add(YEARS_SEARCHED * 366 * DAY);
        let mut after = after;
        while after < horizon {
            let candidate = engine.next_after(after)?;
            let date = date_of(candidate)?;
            if dates::matches(&self.spec, date) {
                return Some(candidate);
            }
            // No date of this month before it matches, so the rest of the month is looked through here: a month
            // costs one search of the engine, whatever the filter lets through.
            let mut midnight = candidate - candidate.rem_euclid(DAY) + DAY;
            for day in date.day() + 1..=u32::from(date.num_days_in_month()) {
                let proposed = engine.days & (1 << day) != 0;
                if proposed && dates::matches(&self.spec, date_of(midnight)?) {
                    return Some(midnight + self.first_time_of_day());
                }
                midnight += DAY;
            }
            after = midnight - 1;
        }
        None
    }

    /// The seconds from midnight to the first time of a date that matches.
    fn first_time_of_day(&self) -> i64 {
        let CronSpec { seconds, minutes, hours, .. } = self.spec;
        let (hour, minute, second) =
            (hours.trailing_zeros(), minutes.trailing_zeros(), seconds.trailing_zeros());
        i64::from(hour * 3600 + minute * 60 + second)
    }

    /// How many wall-clock times match after the one and not after the other. A schedule that leaves out days has
    /// each day looked at, as many of them as `days` allows, and taken from it; of those beyond, none is counted.
    pub(super) fn count(&self, after: WallTime, through: WallTime, days: &mut usize) -> u64 {
        if after >= through {
            return 0;
        }
        let on =
            |day: i64| date_of(day.saturating_mul(DAY)).is_some_and(|date| dates::matches(&self.spec, date));
        let until = |time: WallTime| {
            if on(time.div_euclid(DAY)) { self.times_of_day_until(time.rem_euclid(DAY)) } else { 0 }
        };
        let (first, last) = (after.div_euclid(DAY), through.div_euclid(DAY));
        if first == last {
            return until(through) - until(after);
        }
        let whole_day = self.times_of_day_until(DAY - 1);
        let begun = if on(first) { whole_day - until(after) } else { 0 };
        let between = usize::try_from(last - first - 1).unwrap_or(usize::MAX);
        let matching = if dates::is_every_day(&self.spec) {
            between
        } else {
            let looked_at = between.min(*days);
            *days -= looked_at;
            (first + 1..last).take(looked_at).filter(|&day| on(day)).count()
        };
        let matching = u64::try_from(matching).unwrap_or(u64::MAX);
        begun.saturating_add(matching.saturating_mul(whole_day)).saturating_add(until(through))
    }

    /// How many times of a date that matches have come at this second of it.
    fn times_of_day_until(&self, second: i64) -> u64 {
        let CronSpec { seconds, minutes, hours, .. } = self.spec;
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        let below = |set: u64, value: i64| u64::from((set & !(u64::MAX << value)).count_ones());
        let at = |set: u64, value: i64| set >> value & 1 == 1;
        let [per_minute, minutes_per_hour] = [seconds, minutes].map(|set| u64::from(set.count_ones()));
        let mut come = below(hours.into(), hour) * minutes_per_hour * per_minute;
        if at(hours.into(), hour) {
            come += below(minutes, minute) * per_minute;
            if at(minutes, minute) {
                come += below(seconds, second + 1);
            }
        }
        come
    }

    /// Whether a wall-clock time from `first` to `last` may match. It looks at dates only, so it is cheap.
    pub(super) fn may_match_between(&self, first: WallTime, last: WallTime) -> bool {
        let dates = first.div_euclid(DAY)..=last.div_euclid(DAY);
        dates.into_iter().any(|day| date_of(day * DAY).is_some_and(|date| dates::matches(&self.spec, date)))
    }
}

/// The Gregorian calendar repeats itself after this many years, weekdays included: what does not happen in
/// them never happens.
pub(super) const YEARS_SEARCHED: i64 = 400;

/// The crate `cron`, given lists of numbers that we made ourselves, and UTC as the zone.
#[derive(Debug)]
struct Engine {
    first: Option<cron::Schedule>,
    /// The other half of an either-rule, which `cron` does not know: it wants both day fields to match.
    second: Option<cron::Schedule>,
    /// Whether they propose dates that do not match.
    narrowed: bool,
    /// The days of a month that they propose at all.
    days: u32,
}

/// The years that `cron` knows.
const ENGINE_YEARS: std::ops::RangeInclusive<i32> = 1970..=2100;

impl Engine {
    fn new(spec: &CronSpec) -> Self {
        let plan = DayPlan::of(spec);
        let mut schedules = plan.products.iter().map(|product| cron_schedule(spec, *product));
        let (first, second) = (schedules.next(), schedules.next());
        let days = plan.products.iter().fold(0, |days, product| days | product.days);
        Self { first, second, narrowed: plan.narrowed, days }
    }

    fn next_after(&self, after: WallTime) -> Option<WallTime> {
        let time = DateTime::from_timestamp(after, 0)?;
        if ENGINE_YEARS.contains(&time.year())
            && let Some(next) = self.earliest(&time)
        {
            return Some(next);
        }
        self.next_by_years(after)
    }

    fn earliest(&self, after: &DateTime<Utc>) -> Option<WallTime> {
        let next = |schedule: &cron::Schedule| Some(schedule.after(after).next()?.timestamp());
        let first = self.first.as_ref().and_then(next);
        let Some(second) = &self.second else { return first };
        match (first, next(second)) {
            (Some(first), Some(second)) => Some(first.min(second)),
            (first, second) => first.or(second),
        }
    }

    /// The search outside the years that `cron` knows: year by year, each dressed as one that it does know,
    /// of the same length and beginning on the same weekday.
    fn next_by_years(&self, after: WallTime) -> Option<WallTime> {
        let mut after = after;
        let mut year = DateTime::from_timestamp(after.checked_add(1)?, 0)?.year();
        for _ in 0..=YEARS_SEARCHED {
            let start = new_year(year)?;
            let twin = twin_year(start)?;
            let shift = start - new_year(twin)?;
            let twin_end = new_year(twin + 1)?;
            let next = self.earliest(&DateTime::from_timestamp(after - shift, 0)?);
            if let Some(next) = next.filter(|&next| next < twin_end) {
                return Some(next + shift);
            }
            year += 1;
            after = new_year(year)? - 1;
        }
        None
    }
}

fn new_year(year: i32) -> Option<WallTime> {
    Some(NaiveDate::from_ymd_opt(year, 1, 1)?.and_hms_opt(0, 0, 0)?.and_utc().timestamp())
}

/// A year of `cron`'s with the calendar of the one that starts then. Twenty-eight years in a row have all
/// fourteen calendars; the last ones keep a search that finds nothing short.
fn twin_year(start: WallTime) -> Option<i32> {
    let date = date_of(start)?;
    let calendar = |date: NaiveDate| (date.leap_year(), date.weekday());
    (2072..2100).find(|&twin| NaiveDate::from_ymd_opt(twin, 1, 1).map(calendar) == Some(calendar(date)))
}

fn date_of(time: WallTime) -> Option<NaiveDate> {
    Some(DateTime::from_timestamp(time, 0)?.date_naive())
}

fn cron_schedule(spec: &CronSpec, DayProduct { days, weekdays }: DayProduct) -> cron::Schedule {
    let text = [
        list(spec.seconds, 0..=59, 0),
        list(spec.minutes, 0..=59, 0),
        list(spec.hours.into(), 0..=23, 0),
        if days == ALL_DAYS { "*".into() } else { list(days.into(), 1..=31, 0) },
        list(spec.months.into(), 1..=12, 0),
        // Its weekdays are numbered from Sunday 1.
        if weekdays == ALL_WEEKDAYS { "*".into() } else { list(weekdays.into(), 0..=6, 1) },
    ]
    .join(" ");
    text.parse().expect("invariant: lists of numbers within their bounds are what `cron` reads")
}

/// The set as a list of numbers, each raised by `shift`; a full set as `*`, which `cron` searches much faster.
fn list(set: u64, bounds: std::ops::RangeInclusive<u32>, shift: u32) -> String {
    let contains = |value: &u32| set & (1 << value) != 0;
    if bounds.clone().all(|value| contains(&value)) {
        return "*".into();
    }
    let items: Vec<_> = bounds.filter(contains).map(|value| (value + shift).to_string()).collect();
    items.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn midnight() -> CronSpec {
        match *jobs_syntax::Spec::parse("0 0 0 * * *").unwrap().when() {
            jobs_syntax::When::Cron(spec) => spec,
            _ => panic!(),
        }
    }

    /// The parser refuses them, but a search that has nothing to find must end all the same.
    #[test]
    fn a_search_for_nothing_ends() {
        let (february, none) = (1 << 2, CronSpec { days: 0, ..midnight() });
        let never = [
            CronSpec { months: february, nearest_weekdays: 1 << 30, ..none },
            CronSpec { months: february, days: 1 << 30, ..none },
            // No fifth Friday comes before the 29th, and no month has a 31st that is its first Friday.
            CronSpec { days: 1 << 28, weekdays: 0, nth_weekdays: [0, 0, 0, 0, 1 << 5], ..midnight() },
            CronSpec { days: 1 << 31, weekdays: 0, nth_weekdays: [1 << 5, 1 << 4, 0, 0, 0], ..midnight() },
            // The last Friday of a month is never among its first twenty-one days.
            CronSpec { days: 0x3f_fffe, weekdays: 0, last_weekdays: 1 << 5, ..midnight() },
        ];
        for spec in never {
            for after in [0, -5_000_000_000, 4_000_000_000, 5_000_000_000] {
                assert_eq!(Civil::shared(spec).next_after(after), None, "{spec:?}");
            }
        }
    }

    #[test]
    fn a_full_set_of_times_is_a_star_for_the_engine() {
        let spec = CronSpec { seconds: (1 << 60) - 1, minutes: 1 << 5 | 1 << 7, ..midnight() };
        let schedule = cron_schedule(&spec, DayProduct { days: ALL_DAYS, weekdays: 0b100_0001 });
        assert_eq!(schedule.source(), "* 5,7 0 * * 1,7");
    }

    #[test]
    fn equal_expressions_share_an_engine() {
        assert!(Arc::ptr_eq(&Civil::shared(midnight()), &Civil::shared(midnight())));
    }

    #[test]
    fn every_year_has_a_twin() {
        for year in -400..2_400 {
            let twin = twin_year(new_year(year).unwrap()).unwrap();
            let dates = |year| {
                (
                    NaiveDate::from_ymd_opt(year, 3, 1).unwrap().weekday(),
                    NaiveDate::from_yo_opt(year, 366).is_some(),
                )
            };
            assert_eq!(dates(year), dates(twin), "{year}");
        }
    }
}

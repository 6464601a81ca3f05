//! Which dates a cron expression means: the day fields with all their forms, and the rule that joins them.

use chrono::{Datelike, NaiveDate};
use jobs_syntax::CronSpec;

/// Whether the schedule fires on this date.
pub(super) fn matches(spec: &CronSpec, date: NaiveDate) -> bool {
    if spec.months & (1 << date.month()) == 0 {
        return false;
    }
    let day = Day::of(date);
    if spec.either_day() {
        day.matches_day_field(spec) || day.matches_weekday_field(spec)
    } else {
        day.matches_day_field(spec) && day.matches_weekday_field(spec)
    }
}

const MONDAY: u32 = 1;
const FRIDAY: u32 = 5;

/// A date as the day fields see it.
struct Day {
    /// Of the month, from 1.
    day: u32,
    /// The last day of its month.
    last: u32,
    /// From Sunday 0.
    weekday: u32,
}

impl Day {
    fn of(date: NaiveDate) -> Self {
        Self {
            day: date.day(),
            last: u32::from(date.num_days_in_month()),
            weekday: date.weekday().num_days_from_sunday(),
        }
    }

    fn matches_day_field(&self, spec: &CronSpec) -> bool {
        spec.days & (1 << self.day) != 0
            || (spec.last_day && self.day == self.last)
            || (spec.last_weekday && self.is_last_working_day())
            || (spec.nearest_weekdays != 0 && self.is_nearest_working_day(spec.nearest_weekdays))
    }

    fn matches_weekday_field(&self, spec: &CronSpec) -> bool {
        let bit = 1u8 << self.weekday;
        let nth = (self.day - 1) / 7;
        spec.weekdays & bit != 0
            || (spec.last_weekdays & bit != 0 && self.day + 7 > self.last)
            || spec.nth_weekdays[nth as usize] & bit != 0
    }

    fn is_working_day(&self) -> bool {
        (MONDAY..=FRIDAY).contains(&self.weekday)
    }

    /// Whether this is the last Monday to Friday of its month.
    fn is_last_working_day(&self) -> bool {
        let left = self.last - self.day;
        self.is_working_day() && (left == 0 || (self.weekday == FRIDAY && left <= 2))
    }

    /// Whether this is the working day nearest to one of `targets`, within the target's own month.
    ///
    /// A Saturday yields to the Friday before and a Sunday to the Monday after, unless that lies in
    /// another month: the 1st then yields forward and the last day backward. A day that the month does
    /// not have has no nearest working day in it.
    fn is_nearest_working_day(&self, targets: u32) -> bool {
        let target = |day: u32| targets & (1 << day) != 0;
        let (day, last) = (self.day, self.last);
        if !self.is_working_day() {
            return false;
        }
        if target(day) {
            return true;
        }
        match self.weekday {
            FRIDAY => {
                let saturday = day < last && target(day + 1);
                let closing_sunday = day + 2 == last && target(last);
                saturday || closing_sunday
            }
            MONDAY => {
                let sunday = day > 1 && target(day - 1);
                let opening_saturday = day == 3 && target(1);
                sunday || opening_saturday
            }
            _ => false,
        }
    }
}

/// A set of dates as days of the month and weekdays that must both match; bits as in [`CronSpec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DayProduct {
    pub(super) days: u32,
    pub(super) weekdays: u8,
}

pub(super) const ALL_DAYS: u32 = 0xffff_fffe;
pub(super) const ALL_WEEKDAYS: u8 = 0x7f;

/// The dates of a spec in the form that a plain cron engine understands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct DayPlan {
    /// Every matching date is in at least one of these.
    pub(super) products: Vec<DayProduct>,
    /// Whether they also hold dates that do not match, so that [`matches()`] has the last word.
    pub(super) narrowed: bool,
}

impl DayPlan {
    pub(super) fn of(spec: &CronSpec) -> Self {
        let (days, days_exact) = day_superset(spec);
        let (product, weekdays_exact) = weekday_superset(spec);
        let products = if spec.either_day() {
            vec![DayProduct { days, weekdays: ALL_WEEKDAYS }, product]
        } else {
            vec![DayProduct { days: days & product.days, weekdays: product.weekdays }]
        };
        Self {
            products: products.into_iter().filter(|p| p.days != 0 && p.weekdays != 0).collect(),
            narrowed: !(days_exact && weekdays_exact),
        }
    }
}

/// The days on which the day field can match, and whether it always does.
fn day_superset(spec: &CronSpec) -> (u32, bool) {
    let mut days = spec.days;
    if spec.last_day {
        days |= bits(28..=31);
    }
    if spec.last_weekday {
        days |= bits(26..=31);
    }
    for target in (1..=31).filter(|day| spec.nearest_weekdays & (1 << day) != 0) {
        days |= match target {
            1 => bits(1..=3),
            // The last day of a month may yield by two.
            28.. => bits(target - 2..=31.min(target + 1)),
            _ => bits(target - 1..=target + 1),
        };
    }
    (days, !spec.last_day && !spec.last_weekday && spec.nearest_weekdays == 0)
}

/// The dates on which the weekday field can match, and whether it always does.
fn weekday_superset(spec: &CronSpec) -> (DayProduct, bool) {
    let mut parts = Vec::new();
    if spec.weekdays != 0 {
        parts.push(DayProduct { days: ALL_DAYS, weekdays: spec.weekdays });
    }
    if spec.last_weekdays != 0 {
        parts.push(DayProduct { days: bits(22..=31), weekdays: spec.last_weekdays });
    }
    for (week, &weekdays) in (0u32..).zip(&spec.nth_weekdays) {
        if weekdays != 0 {
            parts.push(DayProduct { days: bits(7 * week + 1..=31.min(7 * week + 7)), weekdays });
        }
    }
    let exact = parts.len() <= 1 && spec.last_weekdays == 0;
    let union = parts.iter().fold(DayProduct { days: 0, weekdays: 0 }, |union, part| DayProduct {
        days: union.days | part.days,
        weekdays: union.weekdays | part.weekdays,
    });
    (union, exact)
}

fn bits(days: std::ops::RangeInclusive<u32>) -> u32 {
    days.fold(0, |bits, day| bits | 1 << day)
}

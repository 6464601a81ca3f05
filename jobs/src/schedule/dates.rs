//! Which dates a cron expression means, in terms that a plain cron engine understands.

use chrono::{Datelike, NaiveDate};
use jobs_syntax::{CivilDay, CronSpec};

/// Whether the schedule fires on this date.
pub(super) fn matches(spec: &CronSpec, date: NaiveDate) -> bool {
    // Numbers of a date, all below 256.
    spec.matches_date(CivilDay {
        month: date.month() as u8,
        day: date.day() as u8,
        month_length: date.num_days_in_month(),
        weekday: date.weekday().num_days_from_sunday() as u8,
    })
}

/// A set of dates as days of the month and weekdays that must both match; bits as in [`CronSpec`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DayProduct {
    pub(super) days: u32,
    pub(super) weekdays: u8,
}

pub(super) const ALL_DAYS: u32 = 0xffff_fffe;
pub(super) const ALL_WEEKDAYS: u8 = 0x7f;
const ALL_MONTHS: u16 = 0x1ffe;

/// Whether the schedule fires on every date, as far as a look at its sets tells.
pub(super) fn is_every_day(spec: &CronSpec) -> bool {
    let months = spec.months & ALL_MONTHS == ALL_MONTHS;
    let day = spec.days & ALL_DAYS == ALL_DAYS;
    let weekday = spec.weekdays & ALL_WEEKDAYS == ALL_WEEKDAYS;
    months && if spec.either_day() { day || weekday } else { day && weekday }
}

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

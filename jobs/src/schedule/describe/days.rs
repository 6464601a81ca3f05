//! The days of a year.

use jobs_syntax::CronSpec;

use super::shape::Shape;
use super::words::{MONTHS, NTH, WEEKDAYS, join, ordinal};
use crate::schedule::dates::{ALL_DAYS, ALL_WEEKDAYS};

/// Days and months; empty where every day counts and `times` does not ask for words about that.
pub(super) fn phrase(spec: &CronSpec, times_of_day: bool) -> String {
    let months = Months::of(spec);
    let all_days = spec.days == ALL_DAYS;
    let all_weekdays = spec.weekdays == ALL_WEEKDAYS;
    let every_day = if spec.either_day() { all_days || all_weekdays } else { all_days && all_weekdays };

    if every_day {
        return match (times_of_day, months.within()) {
            (true, Some(within)) => format!("every day {within}"),
            (true, None) => "every day".to_owned(),
            (false, within) => within.unwrap_or_default(),
        };
    }
    if spec.either_day() {
        let days = days_of_month(spec, &months);
        let weekdays = weekdays(spec, &months, true);
        return format!("on {days} and {weekdays}");
    }
    if all_days {
        return weekdays(spec, &months, false);
    }
    let days = days_of_month(spec, &months);
    if all_weekdays {
        return format!("on {days}");
    }
    format!("on {days} if that is {}", a_weekday(spec, &months))
}

/// "the 1st and 15th of every month", "the last day of July".
fn days_of_month(spec: &CronSpec, months: &Months) -> String {
    let mut days = Vec::new();
    match Shape::of(spec.days.into(), 1, 31) {
        Shape::All => days.push("every day".to_owned()),
        Shape::One(day) => days.push(format!("the {}", ordinal(day))),
        Shape::Run { first, last } => days.push(format!("the {} to the {}", ordinal(first), ordinal(last))),
        Shape::Stride { first, last, step } if spec.days.count_ones() > 6 => {
            let (step, first, last) = (ordinal(step), ordinal(first), ordinal(last));
            days.push(format!("every {step} day from the {first} to the {last}"));
        }
        _ => {
            let listed = (1..=31).filter(|day| spec.days & (1 << day) != 0).map(ordinal);
            let listed = join(listed);
            if !listed.is_empty() {
                days.push(format!("the {listed}"));
            }
        }
    }
    for day in (1..=31).filter(|day| spec.nearest_weekdays & (1 << day) != 0) {
        days.push(format!("the working day nearest the {}", ordinal(day)));
    }
    if spec.last_weekday {
        days.push("the last working day".to_owned());
    }
    if spec.last_day {
        days.push("the last day".to_owned());
    }
    format!("{} of {}", join(days), months.owner())
}

/// The weekday field as a phrase of its own: "Monday to Friday", "on the second Friday of every month".
fn weekdays(spec: &CronSpec, months: &Months, each: bool) -> String {
    let within = months.within().map(|within| format!(" {within}")).unwrap_or_default();
    let special = special_weekdays(spec);
    let of_months = format!("on the {} of {}", join(special.iter()), months.owner());
    let every = if each { "every " } else { "" };
    let plain = match weekday_run(spec.weekdays) {
        Some((first, last)) => format!("{first} to {last}{within}"),
        None => format!("on {every}{}{within}", join(weekday_names(spec.weekdays))),
    };
    match (spec.weekdays != 0, special.is_empty()) {
        (true, true) => plain,
        (true, false) => format!("{plain} and {of_months}"),
        (false, _) => of_months,
    }
}

/// "a Monday or Friday", "the second Friday of the month".
fn a_weekday(spec: &CronSpec, months: &Months) -> String {
    let mut choices = Vec::new();
    if spec.weekdays != 0 {
        choices.push(match weekday_run(spec.weekdays) {
            Some((first, last)) => format!("{first} to {last}"),
            None => format!("a {}", join(weekday_names(spec.weekdays)).replace(" and ", " or ")),
        });
    }
    let special = special_weekdays(spec);
    if !special.is_empty() {
        let month = if months.is_one() { months.owner() } else { "the month".to_owned() };
        choices.push(format!("the {} of {month}", join(special).replace(" and ", " or ")));
    }
    choices.join(" or ")
}

/// "second Friday", "last Friday".
fn special_weekdays(spec: &CronSpec) -> Vec<String> {
    let mut names = Vec::new();
    for (nth, &weekdays) in NTH.iter().zip(&spec.nth_weekdays) {
        names.extend(weekday_names(weekdays).map(|name| format!("{nth} {name}")));
    }
    names.extend(weekday_names(spec.last_weekdays).map(|name| format!("last {name}")));
    names
}

/// Week days from Monday on, Sunday last.
fn weekday_names(set: u8) -> impl Iterator<Item = &'static str> {
    (1..=7).map(|day| day % 7).filter(move |day| set & (1 << day) != 0).map(|day| WEEKDAYS[day])
}

/// Three or more weekdays in a row, across Sunday too.
fn weekday_run(set: u8) -> Option<(&'static str, &'static str)> {
    let length = set.count_ones() as usize;
    if !(3..7).contains(&length) {
        return None;
    }
    let contains = |day: usize| set & (1 << (day % 7)) != 0;
    let first = (0..7).find(|&day| contains(day) && !contains(day + 6))?;
    let last = first + length - 1;
    (first..=last).all(contains).then(|| (WEEKDAYS[first], WEEKDAYS[last % 7]))
}

struct Months {
    shape: Shape,
    names: String,
}

impl Months {
    fn of(spec: &CronSpec) -> Self {
        let names = (1..=12).filter(|month| spec.months & (1 << month) != 0).map(|month| MONTHS[month]);
        Self { shape: Shape::of(spec.months.into(), 1, 12), names: join(names) }
    }

    fn is_one(&self) -> bool {
        matches!(self.shape, Shape::One(_))
    }

    /// What a day is of: "every month", "July", "each month from April to October".
    fn owner(&self) -> String {
        match self.shape {
            Shape::All => "every month".to_owned(),
            Shape::Run { first, last } => {
                format!("each month from {} to {}", MONTHS[first as usize], MONTHS[last as usize])
            }
            _ => self.names.clone(),
        }
    }

    /// "in July", "from April to October"; none where every month counts.
    fn within(&self) -> Option<String> {
        match self.shape {
            Shape::All => None,
            Shape::Run { first, last } => {
                Some(format!("from {} to {}", MONTHS[first as usize], MONTHS[last as usize]))
            }
            _ => Some(format!("in {}", self.names)),
        }
    }
}

//! Which dates a spec matches, and whether there is any.

use std::ops::Range;

use crate::field::MONTHS;
use crate::render::quoted;
use crate::{CronSpec, SyntaxError, SyntaxErrorKind};

/// What a date must tell to be matched: the year has no field of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CivilDay {
    /// 1–12.
    pub month: u8,
    /// 1–31.
    pub day: u8,
    /// How many days the month has in that year, 28–31.
    pub month_length: u8,
    /// Sunday 0 to Saturday 6.
    pub weekday: u8,
}

impl CivilDay {
    /// Whether the numbers are those of a day at all. What follows counts on it.
    fn is_possible(self) -> bool {
        (1..=12).contains(&self.month)
            && (28..=31).contains(&self.month_length)
            && (1..=self.month_length).contains(&self.day)
            && self.weekday < 7
    }
}

impl CronSpec {
    /// Whether the day fields and the month match a date: both day fields, or either where
    /// [`either_day`](Self::either_day) says so. Numbers that no day has match nothing.
    #[must_use]
    pub fn matches_date(&self, date: CivilDay) -> bool {
        date.is_possible()
            && self.months >> date.month & 1 == 1
            && if self.either_day() {
                self.matches_day(date) || self.matches_weekday(date)
            } else {
                self.matches_day(date) && self.matches_weekday(date)
            }
    }

    /// Whether the day-of-month field matches a date.
    fn matches_day(&self, date: CivilDay) -> bool {
        let CivilDay { day, month_length, weekday, .. } = date;
        if self.days >> day & 1 == 1 || self.last_day && day == month_length {
            return true;
        }
        if self.nearest_weekdays == 0 && !self.last_weekday {
            return false;
        }
        let nearest_to = |other: u8| self.nearest_weekdays >> other & 1 == 1;
        let last_friday_ends_month = weekday == 5 && day + 2 >= month_length;
        match weekday {
            1..=5 if nearest_to(day) => true,
            1..=5 if self.last_weekday && (day == month_length || last_friday_ends_month) => true,
            // From a Sunday one goes forward, from a Saturday that is the 1st too: never into another month.
            1 => nearest_to(day - 1) || day == 3 && nearest_to(1),
            // From a Saturday one goes back, from a Sunday that is the last day too.
            5 => day < month_length && nearest_to(day + 1) || day + 2 == month_length && nearest_to(day + 2),
            _ => false,
        }
    }

    /// Whether the weekday field matches a date.
    fn matches_weekday(&self, date: CivilDay) -> bool {
        let CivilDay { day, month_length, weekday, .. } = date;
        self.weekdays >> weekday & 1 == 1
            || self.last_weekdays >> weekday & 1 == 1 && day + 7 > month_length
            || self.nth_weekdays[usize::from(day - 1) / 7] >> weekday & 1 == 1
    }

    /// Every date that there can be in the months of the spec.
    fn dates(&self) -> impl Iterator<Item = CivilDay> {
        let months = (1..).zip(LENGTHS).filter(|(month, _)| self.months >> month & 1 == 1);
        let begun = months.flat_map(|(month, lengths)| {
            lengths.iter().flat_map(move |&length| (0..7).map(move |first| (month, length, first)))
        });
        begun.flat_map(|(month, month_length, first)| {
            (1..=month_length).map(move |day| CivilDay {
                month,
                day,
                month_length,
                weekday: (first + day - 1) % 7,
            })
        })
    }

    /// How long the months of the spec are at most, in a sentence.
    fn longest_month(&self) -> String {
        let months =
            (1..=12).zip(LENGTHS).zip(MONTHS).filter(|((month, _), _)| self.months >> month & 1 == 1);
        let Some((length, name)) = months
            .filter_map(|((_, lengths), name)| Some((lengths.last()?, name)))
            .max_by_key(|(length, _)| *length)
        else {
            return String::new();
        };
        let months = if self.months.is_power_of_two() {
            format!("{}{}", name[..1].to_ascii_uppercase(), &name[1..])
        } else {
            "the longest of these months".to_owned()
        };
        format!("{months} has {length} days at most; `L` is the last day of any month")
    }

    /// Refuses a spec that no date matches. The spans are those of the three date fields.
    ///
    /// Whether a date matches depends on its month, on the length of the month and on the weekday that the month
    /// begins with. Within the 400 years after which the Gregorian calendar repeats, every month begins with every
    /// weekday, and so does February of 29 days. So a month for each such triple stands for all.
    pub(crate) fn check_fires(
        &self,
        day: Range<usize>,
        month: Range<usize>,
        weekday: Range<usize>,
        text: &str,
    ) -> Result<(), SyntaxError> {
        if self.dates().any(|date| self.matches_date(date)) {
            return Ok(());
        }
        let shown = |span: &Range<usize>| quoted(text.get(span.clone()).unwrap_or_default());
        let (message, help, span) = if self.dates().any(|date| self.matches_day(date)) {
            (
                format!(
                    "this schedule never fires: no date is day {}, month {} and weekday {} at once",
                    shown(&day),
                    shown(&month),
                    shown(&weekday),
                ),
                "where a day field has a `*` or `?`, a date must match both; without one it need only match either"
                    .to_owned(),
                day.start..weekday.end,
            )
        } else {
            (
                format!("this schedule never fires: month {} has no day {}", shown(&month), shown(&day)),
                self.longest_month(),
                day.start..month.end,
            )
        };
        Err(SyntaxError::new(SyntaxErrorKind::NeverFires, span, message).with_help(help))
    }
}

/// How many days the months can have.
const LENGTHS: [&[u8]; 12] =
    [&[31], &[28, 29], &[31], &[30], &[31], &[30], &[31], &[31], &[30], &[31], &[30], &[31]];

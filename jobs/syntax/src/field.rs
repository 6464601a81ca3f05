/// One of the six fields, and the facts about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Second,
    Minute,
    Hour,
    Day,
    Month,
    Weekday,
}

pub(crate) const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

pub(crate) const WEEKDAYS: [&str; 7] =
    ["sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"];

impl Field {
    pub(crate) const ALL: [Self; 6] =
        [Self::Second, Self::Minute, Self::Hour, Self::Day, Self::Month, Self::Weekday];

    pub(crate) fn min(self) -> u8 {
        match self {
            Self::Day | Self::Month => 1,
            _ => 0,
        }
    }

    /// The greatest value that may be written.
    pub(crate) fn max_written(self) -> u8 {
        match self {
            Self::Weekday => 7,
            _ => self.max(),
        }
    }

    /// The greatest of the distinct values: Sunday is 0, although it may be written 7.
    pub(crate) fn max(self) -> u8 {
        match self {
            Self::Second | Self::Minute => 59,
            Self::Hour => 23,
            Self::Day => 31,
            Self::Month => 12,
            Self::Weekday => 6,
        }
    }

    /// How many distinct values there are.
    pub(crate) fn size(self) -> u8 {
        self.max() - self.min() + 1
    }

    pub(crate) fn singular(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day of month",
            Self::Month => "month",
            Self::Weekday => "weekday",
        }
    }

    pub(crate) fn with_article(self) -> &'static str {
        match self {
            Self::Second => "a second",
            Self::Minute => "a minute",
            Self::Hour => "an hour",
            Self::Day => "a day of month",
            Self::Month => "a month",
            Self::Weekday => "a weekday",
        }
    }

    /// The values in a sentence.
    pub(crate) fn values(self) -> &'static str {
        match self {
            Self::Second => "seconds run from 0 to 59",
            Self::Minute => "minutes run from 0 to 59",
            Self::Hour => "hours run from 0 to 23",
            Self::Day => "days of month run from 1 to 31, `L` is the last",
            Self::Month => "months run from 1 to 12, or from `JAN` to `DEC`",
            Self::Weekday => {
                "weekdays run from 0 (Sunday) to 6 (Saturday), or from `SUN` to `SAT`; 7 is Sunday too"
            }
        }
    }

    /// What one unit of the field is called in a duration.
    pub(crate) fn unit(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Second => Some(("seconds", "s")),
            Self::Minute => Some(("minutes", "m")),
            Self::Hour => Some(("hours", "h")),
            Self::Day => Some(("days", "d")),
            Self::Month | Self::Weekday => None,
        }
    }

    /// The value that a three-letter name of this field stands for.
    pub(crate) fn named(self, word: &str) -> Option<u8> {
        self.full_names()
            .iter()
            .position(|name| name[..3].eq_ignore_ascii_case(word))
            .and_then(|place| u8::try_from(place).ok())
            .map(|place| place + self.min())
    }

    /// The three-letter name of a value, in capitals.
    pub(crate) fn name(self, value: u8) -> Option<String> {
        let place = value.checked_sub(self.min())?;
        let name = self.full_names().get(usize::from(place))?;
        Some(name[..3].to_ascii_uppercase())
    }

    /// The whole names, where the field has any, from its least value on.
    pub(crate) fn full_names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::Weekday => &WEEKDAYS,
            _ => &[],
        }
    }
}

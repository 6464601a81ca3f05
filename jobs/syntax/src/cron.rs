/// A cron expression as bit sets, one bit for each value that matches.
///
/// The day of the month has two more forms than a bit set can hold (`L`, `15W`), the day of the week two
/// (`5L`, `5#2`); each has a set of its own. A date matches a day field when any of its sets matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CronSpec {
    /// Bit *n* is second *n*, 0–59.
    pub seconds: u64,
    /// Bit *n* is minute *n*, 0–59.
    pub minutes: u64,
    /// Bit *n* is hour *n*, 0–23.
    pub hours: u32,
    /// Bit *n* is day *n* of the month, 1–31.
    pub days: u32,
    /// Bit *n* is the weekday (Monday to Friday) of the month that is nearest to day *n*: `15W`.
    pub nearest_weekdays: u32,
    /// Bit *n* is month *n*, 1–12.
    pub months: u16,
    /// Bit *n* is weekday *n*, Sunday 0 to Saturday 6.
    pub weekdays: u8,
    /// Bit *n* is the last weekday *n* of the month: `5L`, `FRIL`.
    pub last_weekdays: u8,
    /// Bit *n* of entry *k* is the weekday *n* that is the *k+1*st of its kind in the month: `FRI#2`.
    pub nth_weekdays: [u8; 5],
    /// The last day of the month: `L`.
    pub last_day: bool,
    /// The last Monday to Friday of the month: `LW`.
    pub last_weekday: bool,
    /// Which fields were written with a `*` or `?` item.
    pub stars: Stars,
}

/// The fields of a [`CronSpec`] that were written with a `*` or `?` item, with or without a step.
///
/// Two rules ask for it: how the day fields combine, and whether a clock change repeats a fire time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Stars {
    /// The second field.
    pub second: bool,
    /// The minute field.
    pub minute: bool,
    /// The hour field.
    pub hour: bool,
    /// The day of the month.
    pub day: bool,
    /// The month.
    pub month: bool,
    /// The day of the week.
    pub weekday: bool,
}

impl CronSpec {
    /// Whether a date may match either day field: neither was written with a `*` or `?` item.
    /// Otherwise it must match both.
    #[must_use]
    pub fn either_day(&self) -> bool {
        !self.stars.day && !self.stars.weekday
    }

    /// Whether a clock change must not repeat or lose a fire time: neither minute nor hour has a `*` or `?` item.
    #[must_use]
    pub fn is_fixed_time(&self) -> bool {
        !self.stars.minute && !self.stars.hour
    }
}

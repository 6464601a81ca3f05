//! A second reading of the schedule language's meaning, as slow and as plain as possible: it looks at every minute.
//!
//! It shares no code with `jobs`: dates come from `jiff`, and a case is a text together with what it means.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(dead_code, reason = "every test file uses its part")]

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher};

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};

/// SplitMix64: a sequence that its seed tells.
pub(crate) struct Random(u64);

impl Random {
    /// Seeded by `JOBS_TEST_SEED`, else anew in every run. The seed is printed, so that a failure shows it.
    pub(crate) fn seeded() -> Self {
        let seed = match std::env::var("JOBS_TEST_SEED") {
            Ok(seed) => seed.parse().expect("JOBS_TEST_SEED is a number"),
            Err(_) => std::hash::RandomState::new().build_hasher().finish(),
        };
        println!("JOBS_TEST_SEED={seed}");
        Self(seed)
    }

    pub(crate) fn from_seed(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `least` to `most`, both included.
    pub(crate) fn number(&mut self, least: i64, most: i64) -> i64 {
        least + (self.next() % (most - least + 1) as u64) as i64
    }

    pub(crate) fn chance(&mut self, percent: i64) -> bool {
        self.number(1, 100) <= percent
    }

    pub(crate) fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.number(0, items.len() as i64 - 1) as usize]
    }
}

/// Whether the exhaustive versions of the sampled tests are asked for.
pub(crate) fn exhaustive() -> bool {
    std::env::var_os("JOBS_TEST_EXHAUSTIVE").is_some()
}

/// One field: its text, its values, and whether it has a star.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) text: String,
    pub(crate) values: BTreeSet<i64>,
    pub(crate) star: bool,
}

impl Field {
    pub(crate) fn any() -> Self {
        Self::cycle(1, 0, 59)
    }

    pub(crate) fn one(value: i64) -> Self {
        Self { text: value.to_string(), values: [value].into(), star: false }
    }

    fn cycle(step: i64, least: i64, most: i64) -> Self {
        let text = if step == 1 { "*".to_owned() } else { format!("*/{step}") };
        Self { text, values: (least..=most).step_by(step as usize).collect(), star: true }
    }

    /// A list of values, ranges and steps; with `near`, mostly of values around it.
    pub(crate) fn random(random: &mut Random, least: i64, most: i64, near: Option<i64>) -> Self {
        match random.number(1, 10) {
            1 => return Self::cycle(1, least, most),
            2 => {
                let step = random.number(2, (most - least + 1).min(12));
                return Self::cycle(step, least, most);
            }
            _ => {}
        }
        let mut field = Self { text: String::new(), values: BTreeSet::new(), star: false };
        for _ in 0..random.number(1, 3) {
            let first = match near {
                Some(near) if random.chance(80) => (near + random.number(-2, 2)).clamp(least, most),
                _ => random.number(least, most),
            };
            let last = if random.chance(30) { random.number(first, most) } else { first };
            let step = if last > first && random.chance(30) { random.number(1, last - first) } else { 1 };
            if !field.text.is_empty() {
                field.text.push(',');
            }
            field.text.push_str(&match (first == last, step) {
                (true, _) => format!("{first}"),
                (_, 1) => format!("{first}-{last}"),
                (_, step) => format!("{first}-{last}/{step}"),
            });
            field.values.extend((first..=last).step_by(step as usize));
        }
        field
    }
}

/// What a day field may have beyond numbers.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Special {
    LastDay,
    LastWorkingDay,
    NearestWorkingDay(i64),
    LastWeekday(i64),
    NthWeekday(i64, i64),
}

impl Special {
    fn random_day(random: &mut Random) -> (Self, String) {
        match random.number(1, 3) {
            1 => (Self::LastDay, "L".to_owned()),
            2 => (Self::LastWorkingDay, "LW".to_owned()),
            _ => {
                let day = random.number(1, 31);
                (Self::NearestWorkingDay(day), format!("{day}W"))
            }
        }
    }

    fn random_weekday(random: &mut Random) -> (Self, String) {
        let weekday = random.number(0, 6);
        if random.chance(50) {
            return (Self::LastWeekday(weekday), format!("{weekday}L"));
        }
        let nth = random.number(1, 5);
        (Self::NthWeekday(weekday, nth), format!("{weekday}#{nth}"))
    }

    fn matches(self, date: Date) -> bool {
        let weekday = |number: i64| Weekday::from_sunday_zero_offset(number as i8).unwrap();
        let is_working_day = |date: Date| !matches!(date.weekday(), Weekday::Saturday | Weekday::Sunday);
        match self {
            Self::LastDay => date == date.last_of_month(),
            Self::LastWorkingDay => {
                let mut last = date.last_of_month();
                while !is_working_day(last) {
                    last = last.yesterday().unwrap();
                }
                date == last
            }
            Self::NearestWorkingDay(day) => {
                let Ok(target) = Date::new(date.year(), date.month(), day as i8) else { return false };
                // The candidates by distance; a Saturday has the Friday nearer, a Sunday the Monday.
                let distances = [0, -1, 1, -2, 2];
                let nearest = distances
                    .iter()
                    .map(|&days| target.checked_add(i64::from(days).days()).unwrap())
                    .find(|near| near.month() == target.month() && is_working_day(*near));
                nearest == Some(date)
            }
            Self::LastWeekday(number) => date.nth_weekday_of_month(-1, weekday(number)).unwrap() == date,
            Self::NthWeekday(number, nth) => {
                date.nth_weekday_of_month(nth as i8, weekday(number)).is_ok_and(|nth| nth == date)
            }
        }
    }
}

/// A schedule with six fields whose second is 0.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) minute: Field,
    pub(crate) hour: Field,
    pub(crate) day: Field,
    pub(crate) special_days: Vec<Special>,
    pub(crate) month: Field,
    pub(crate) weekday: Field,
    pub(crate) special_weekdays: Vec<Special>,
}

impl Case {
    /// Any schedule; with `near`, mostly one that fires around that wall-clock time.
    pub(crate) fn random(random: &mut Random, near: Option<DateTime>) -> Self {
        let any = |least, most| Field::cycle(1, least, most);
        let mut case = Self {
            minute: Field::random(random, 0, 59, near.map(|near| near.minute().into())),
            hour: Field::random(random, 0, 23, near.map(|near| near.hour().into())),
            day: any(1, 31),
            special_days: Vec::new(),
            month: any(1, 12),
            weekday: any(0, 6),
            special_weekdays: Vec::new(),
        };
        if random.chance(30) {
            case.day = Field::random(random, 1, 31, near.map(|near| near.day().into()));
        }
        if random.chance(15) {
            case.month = Field::random(random, 1, 12, near.map(|near| near.month().into()));
        }
        if random.chance(30) {
            case.weekday = Field::random(random, 0, 6, None);
        }
        if random.chance(15) {
            let (special, text) = Special::random_day(random);
            add(&mut case.day, &text, random);
            case.special_days.push(special);
        }
        if random.chance(15) {
            let (special, text) = Special::random_weekday(random);
            add(&mut case.weekday, &text, random);
            case.special_weekdays.push(special);
        }
        case
    }

    pub(crate) fn text(&self) -> String {
        let fields = [&self.minute, &self.hour, &self.day, &self.month, &self.weekday];
        let fields: Vec<_> = fields.iter().map(|field| field.text.as_str()).collect();
        format!("0 {}", fields.join(" "))
    }

    pub(crate) fn is_fixed_time(&self) -> bool {
        !self.minute.star && !self.hour.star
    }

    pub(crate) fn matches_date(&self, date: Date) -> bool {
        let day = self.day.values.contains(&date.day().into())
            || self.special_days.iter().any(|special| special.matches(date));
        let weekday = self.weekday.values.contains(&date.weekday().to_sunday_zero_offset().into())
            || self.special_weekdays.iter().any(|special| special.matches(date));
        let days = if self.day.star || self.weekday.star { day && weekday } else { day || weekday };
        self.month.values.contains(&date.month().into()) && days
    }

    pub(crate) fn matches(&self, time: DateTime) -> bool {
        time.second() == 0
            && self.minute.values.contains(&time.minute().into())
            && self.hour.values.contains(&time.hour().into())
            && self.matches_date(time.date())
    }

    /// Every fire time later than `from`, up to `to`. It looks at instants `step` seconds apart, which offsets and
    /// the two ends must be multiples of.
    pub(crate) fn fire_times(
        &self,
        zone: &TimeZone,
        from: Timestamp,
        to: Timestamp,
        step: i64,
    ) -> Vec<Timestamp> {
        if self.is_fixed_time() {
            self.fixed_fire_times(zone, from, to, step)
        } else {
            instants(from, to, step).filter(|&time| self.matches(zone.to_datetime(time))).collect()
        }
    }

    /// The rule as it is written: the first of two, or the end of the gap.
    fn fixed_fire_times(&self, zone: &TimeZone, from: Timestamp, to: Timestamp, step: i64) -> Vec<Timestamp> {
        let day = 26.hours();
        let (first, last) = (from.checked_sub(day).unwrap(), to.checked_add(day).unwrap());
        let mut times = BTreeSet::new();
        for time in instants(first, last, step) {
            // Wall-clock times are walked as if they were UTC.
            let wall = jiff::tz::Offset::UTC.to_datetime(time);
            if !self.matches(wall) {
                continue;
            }
            times.insert(match zone.to_ambiguous_timestamp(wall).offset() {
                AmbiguousOffset::Unambiguous { offset } => offset.to_timestamp(wall).unwrap(),
                AmbiguousOffset::Fold { before, .. } => before.to_timestamp(wall).unwrap(),
                AmbiguousOffset::Gap { before, .. } => {
                    let within = before.to_timestamp(wall).unwrap();
                    let second = 1.second();
                    zone.preceding(within.checked_add(second).unwrap()).next().unwrap().timestamp()
                }
            });
        }
        times.into_iter().filter(|&time| from < time && time <= to).collect()
    }
}

fn add(field: &mut Field, item: &str, random: &mut Random) {
    if random.chance(60) {
        *field = Field { text: item.to_owned(), values: BTreeSet::new(), star: false };
    } else {
        field.text = format!("{},{item}", field.text);
    }
}

fn instants(from: Timestamp, to: Timestamp, step: i64) -> impl Iterator<Item = Timestamp> {
    (from.as_second().div_euclid(step) + 1..=to.as_second().div_euclid(step))
        .map(move |at| Timestamp::from_second(at * step).unwrap())
}

//! What there is in a simulated year, at random: jobs with their schedules, and what happens to the clock.

use jiff::civil::date;

use crate::schedule_oracle::{Case, Random};
use crate::slots::{self, Slots};

pub(crate) const SECOND: i64 = 1000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;
pub(crate) const DAY: i64 = 24 * HOUR;

/// Thirty zones: on both sides of the world, with clock changes at all hours, by an hour and by half of one, and without.
const ZONES: [&str; 30] = [
    "UTC",
    "Europe/Oslo",
    "Europe/London",
    "Europe/Dublin",
    "Europe/Chisinau",
    "Atlantic/Azores",
    "America/New_York",
    "America/Chicago",
    "America/Denver",
    "America/Los_Angeles",
    "America/St_Johns",
    "America/Havana",
    "America/Santiago",
    "America/Asuncion",
    "America/Sao_Paulo",
    "America/Nuuk",
    "America/Scoresbysund",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Tehran",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Australia/Eucla",
    "Pacific/Auckland",
    "Pacific/Chatham",
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlap {
    BufferOne,
    BufferAll,
    Skip,
    Allow,
    CancelOther,
}

/// The jobs of the program, by number: each policy in its turn.
pub(crate) const POLICIES: [Overlap; 5] =
    [Overlap::Allow, Overlap::BufferAll, Overlap::BufferOne, Overlap::CancelOther, Overlap::Skip];

impl Overlap {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::BufferOne => "buffer_one",
            Self::BufferAll => "buffer_all",
            Self::Skip => "skip",
            Self::Allow => "allow",
            Self::CancelOther => "cancel_other",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    Skip,
    Once,
    All,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Missed {
    pub(crate) policy: Policy,
    pub(crate) within: Option<i64>,
}

impl Missed {
    pub(crate) const SKIP: Self = Self { policy: Policy::Skip, within: None };

    fn random(random: &mut Random) -> Self {
        let policy = *random.pick(&[Policy::Skip, Policy::Once, Policy::All]);
        let within = (policy != Policy::Skip && random.chance(40)).then(|| random.number(1, 30) * HOUR);
        Self { policy, within }
    }

    pub(crate) fn text(self) -> String {
        let word = match self.policy {
            Policy::Skip => "skip",
            Policy::Once => "once",
            Policy::All => "all",
        };
        match self.within {
            Some(within) => format!("{word} within {}h", within / HOUR),
            None => word.to_owned(),
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) enum When {
    Cron { text: String, zone: &'static str, slots: Slots },
    Interval(i64),
    FixedDelay(i64),
}

#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    pub(crate) when: When,
    pub(crate) missed: Missed,
    pub(crate) jitter: Option<i64>,
}

impl Schedule {
    fn new(when: When) -> Self {
        Self { when, missed: Missed::SKIP, jitter: None }
    }

    pub(crate) fn shown(&self) -> String {
        let when = match &self.when {
            When::Cron { text, zone, .. } => format!("`{text}` in {zone}"),
            When::Interval(every) => format!("every {}s", every / SECOND),
            When::FixedDelay(delay) => format!("{}s after the end", delay / SECOND),
        };
        format!("{when}, missed = {}, jitter = {:?}", self.missed.text(), self.jitter)
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Job {
    pub(crate) overlap: Overlap,
    pub(crate) schedules: Vec<Schedule>,
    /// How long its runs take at most.
    pub(crate) longest: i64,
    pub(crate) seed: u64,
}

impl Job {
    /// How long the run of a slot takes, which job and model both know. Never a whole number of seconds, as slots are.
    pub(crate) fn takes(&self, slot: i64) -> i64 {
        let mut mixed = (slot as u64) ^ self.seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        337 + (mixed >> 8) as i64 % (self.longest / SECOND + 1) * SECOND
    }
}

/// What happens next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// So much time passes.
    Advance(i64),
    /// The clock on the wall is set.
    Step(i64),
    /// The machine sleeps.
    Suspend(i64),
    Pause(usize),
    Resume(usize),
    /// The task of the scheduler dies when it next fires something.
    Die,
}

/// Everything of a year.
pub(crate) struct World {
    pub(crate) jobs: Vec<Job>,
    /// Midnight in UTC, in 2026.
    pub(crate) start: i64,
    pub(crate) end: i64,
}

impl World {
    /// So many schedules, for so many days.
    pub(crate) fn random(random: &mut Random, schedules: usize, most_jobs: usize, days: i64) -> Self {
        // A part of the year is another in each world.
        let start = 1_767_225_600 * SECOND + random.number(0, (365 - days).max(0)) * DAY;
        let mut jobs = Vec::new();
        let mut left = schedules;
        while left > 0 && jobs.len() < most_jobs {
            let overlap = POLICIES[jobs.len() % POLICIES.len()];
            // As many as there must be for the rest to have their places.
            let fair = (left / (most_jobs - jobs.len())).max(1) as i64;
            let many = if random.chance(50) { random.number(2, 2 * fair + 2).min(left as i64) } else { 1 };
            let job = if many == 1 {
                single(random, overlap, (start, days))
            } else {
                several(random, overlap, many, (start, days))
            };
            left -= job.schedules.len();
            jobs.push(job);
        }
        Self { jobs, start, end: start + days * DAY }
    }

    /// What happens when the clock shows `now`: time passes, and every other time something else happens as well.
    pub(crate) fn events(&self, random: &mut Random) -> Vec<Event> {
        let job = |random: &mut Random| random.number(0, self.jobs.len() as i64 - 1) as usize;
        let mut events = vec![Event::Advance(match random.number(1, 3) {
            1 => random.number(1, 600) * SECOND,
            2 => random.number(1, 24) * 599 * SECOND,
            _ => random.number(1, 60) * HOUR + random.number(0, 3599) * SECOND,
        })];
        match random.number(1, 12) {
            1 => events.push(Event::Step(random.number(-90, 90) * SECOND)),
            2 if random.chance(60) => events.push(Event::Step(random.number(-20, 20) * 1237 * SECOND)),
            3 if random.chance(30) => events.push(Event::Step(random.number(-2, 2) * DAY + 11 * SECOND)),
            4 => events.push(Event::Suspend(random.number(1, 150) * SECOND)),
            5 if random.chance(60) => events.push(Event::Suspend(random.number(1, 40) * 1237 * SECOND)),
            6 if random.chance(30) => events.push(Event::Suspend(random.number(1, 3) * DAY + 7 * SECOND)),
            7 => events.extend((0..1 + self.jobs.len() / 20).map(|_| Event::Pause(job(random)))),
            8 | 9 => events.extend((0..1 + self.jobs.len() / 2).map(|_| Event::Resume(job(random)))),
            10 if random.chance(40) => events.push(Event::Die),
            _ => {}
        }
        events
    }
}

/// `when` is a start, and how many days follow.
fn cron(random: &mut Random, when: (i64, i64), most_a_day: i64, minutes: Option<i64>) -> When {
    // As far as steps of the clock may lead.
    let (start, days) = when;
    let day = |days: i64| date(1970, 1, 1).checked_add(jiff::Span::new().days(start / DAY + days)).unwrap();
    let (first, last) = (day(-30), day(days + 40));
    let (zone, tz) = loop {
        let zone = *random.pick(&ZONES);
        if let Some(tz) = slots::undisputed(zone, first, last) {
            break (zone, tz);
        }
    };
    loop {
        let mut case = Case::random(random, None);
        if let Some(minute) = minutes {
            case.minute = crate::schedule_oracle::Field::one(minute);
        }
        let a_day = (case.minute.values.len() * case.hour.values.len()) as i64;
        if a_day > most_a_day {
            continue;
        }
        let text = case.text();
        // What can never fire is no schedule.
        if jobs::Schedule::parse(&text).is_err() {
            continue;
        }
        let slots = slots::slots(&case, &tz, first, last);
        if !slots.is_empty() {
            return When::Cron { text, zone, slots };
        }
    }
}

/// A job with one schedule, of which everything can be predicted.
fn single(random: &mut Random, overlap: Overlap, when: (i64, i64)) -> Job {
    // Of one whose fates change from slot to slot, the ledger has an entry for each.
    let most_a_day = if matches!(overlap, Overlap::Skip | Overlap::BufferOne) { 48 } else { 96 };
    let timing = match random.number(1, 10) {
        1 | 2 => {
            When::Interval(*random.pick(&[30 * MINUTE, 45 * MINUTE + 7 * SECOND, 5 * HOUR, DAY, 7 * DAY]))
        }
        // Of so many slots a long sleep misses more than are made up for.
        3 if overlap == Overlap::Allow && random.chance(30) => When::Interval(4 * MINUTE),
        3 if overlap == Overlap::BufferOne => When::FixedDelay(random.number(20, 600) * 61 * SECOND),
        _ => cron(random, when, most_a_day, None),
    };
    let mut schedule = Schedule::new(timing);
    let mut longest = *random.pick(&[2 * SECOND, 10 * MINUTE, 3 * HOUR, 50 * HOUR]);
    let fixed = matches!(schedule.when, When::FixedDelay(_));
    if !fixed {
        schedule.missed = Missed::random(random);
        // The names of an interval's slots move with the clock, and which is which the model cannot tell.
        let cron = matches!(schedule.when, When::Cron { .. });
        if overlap == Overlap::Allow && cron && random.chance(50) {
            schedule.jitter = Some(random.number(1, 120) * 7 * SECOND);
            longest = 2 * SECOND;
        }
    }
    Job { overlap, schedules: vec![schedule], longest, seed: random.next() }
}

/// A job with several schedules. Where their order matters, they keep apart: their minutes differ by a few, and offsets of
/// zones by quarters of an hour.
fn several(random: &mut Random, overlap: Overlap, many: i64, when: (i64, i64)) -> Job {
    let ordered = matches!(overlap, Overlap::Skip | Overlap::BufferOne);
    let many = if ordered { many.min(5) } else { many };
    let schedule = |index: i64, random: &mut Random| {
        let minute = ordered.then(|| random.number(0, 3) * 15 + index * 3);
        let mut schedule = Schedule::new(cron(random, when, 48, minute));
        if !ordered {
            schedule.missed = Missed::random(random);
        }
        schedule
    };
    let schedules = (0..many).map(|index| schedule(index, random)).collect();
    let longest = *random.pick(&[0, 0, 1]) * random.number(1, 5) * HOUR;
    Job { overlap, schedules, longest, seed: random.next() }
}

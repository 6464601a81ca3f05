//! The times of a day.

use jobs_syntax::CronSpec;

use super::shape::Shape;
use super::words::{clock, clock_seconds, join, numbers, ordinal};

pub(super) struct Times {
    pub(super) text: String,
    /// Whether the text names times of the day, "at 9:00 and 17:30", rather than how often.
    pub(super) is_clock_times: bool,
}

/// More clock times than this are not listed one by one.
const MOST_LISTED: u32 = 6;

pub(super) fn phrase(spec: &CronSpec) -> Times {
    let seconds = Shape::of(spec.seconds, 0, 59);
    let hours = Shape::of(spec.hours.into(), 0, 23);
    let minutes = Shape::of(spec.minutes, 0, 59);
    if let Some(text) = listed(spec, &seconds) {
        return Times { text, is_clock_times: true };
    }
    Times { text: repeated(&seconds, &minutes, &hours), is_clock_times: false }
}

/// "at 9:00, 12:00 and 15:00", if that is short.
fn listed(spec: &CronSpec, seconds: &Shape) -> Option<String> {
    let &Shape::One(second) = seconds else { return None };
    if spec.hours.count_ones() * spec.minutes.count_ones() > MOST_LISTED || is_hourly(spec) {
        return None;
    }
    let mut times = Vec::new();
    for hour in (0..24).filter(|hour| spec.hours & (1 << hour) != 0) {
        for minute in (0..60).filter(|minute| spec.minutes & (1 << minute) != 0) {
            times.push(if second == 0 { clock(hour, minute) } else { clock_seconds(hour, minute, second) });
        }
    }
    Some(format!("at {}", join(times)))
}

/// Whether "every hour from 9:00 to 12:00" or "every 15 minutes from 9:00 to 9:45" says it better than a list.
fn is_hourly(spec: &CronSpec) -> bool {
    let hours = Shape::of(spec.hours.into(), 0, 23);
    let minutes = Shape::of(spec.minutes, 0, 59);
    match (hours, minutes) {
        (Shape::Run { first, last }, Shape::One(_)) => last - first >= 3,
        (Shape::Cycle { step, .. }, Shape::One(0)) => step <= 6,
        (Shape::Stride { .. }, Shape::One(_)) => true,
        (Shape::One(_), Shape::Cycle { step, .. }) => step <= 20,
        (Shape::One(_), Shape::Run { .. } | Shape::Stride { .. }) => true,
        _ => false,
    }
}

fn repeated(seconds: &Shape, minutes: &Shape, hours: &Shape) -> String {
    if *seconds == Shape::One(0) {
        return by_minute(minutes, hours);
    }
    // A stretch of time in which every minute counts can be cut into seconds as it is.
    if let Some((from, to)) = stretch(minutes, hours) {
        let rate = match seconds {
            Shape::All => Some(("every second".to_owned(), 59)),
            Shape::Cycle { step, last } => Some((format!("every {step} seconds"), *last)),
            _ => None,
        };
        if let Some((rate, last)) = rate {
            if (from, to) == ((0, 0), (23, 59)) {
                return rate;
            }
            let (from, to) = (clock_seconds(from.0, from.1, 0), clock_seconds(to.0, to.1, last));
            return format!("{rate} from {from} to {to}");
        }
    }
    let of_minute = match seconds {
        Shape::All => "every second".to_owned(),
        Shape::Cycle { step, .. } => format!("every {step} seconds"),
        Shape::One(1) => "at 1 second past the minute".to_owned(),
        Shape::One(second) => format!("at {second} seconds past the minute"),
        Shape::Run { first, last } => format!("every second from {first} to {last} seconds past the minute"),
        Shape::Stride { first, last, step } => {
            format!("every {step} seconds from {first} to {last} seconds past the minute")
        }
        Shape::Few(values) => format!("at {} seconds past the minute", numbers(values)),
    };
    let by_minute = by_minute(minutes, hours);
    if by_minute == "every minute" {
        return of_minute.replace("past the minute", "past every minute");
    }
    match seconds {
        Shape::All | Shape::Cycle { .. } => format!("{of_minute} of the minute, {by_minute}"),
        _ => format!("{of_minute}, {by_minute}"),
    }
}

/// The first and the last minute, where every minute between them counts.
fn stretch(minutes: &Shape, hours: &Shape) -> Option<((u32, u32), (u32, u32))> {
    match (hours, minutes) {
        (Shape::All, Shape::All) => Some(((0, 0), (23, 59))),
        (&Shape::Run { first, last }, Shape::All) => Some(((first, 0), (last, 59))),
        (&Shape::One(hour), Shape::All) => Some(((hour, 0), (hour, 59))),
        (&Shape::One(hour), &Shape::One(minute)) => Some(((hour, minute), (hour, minute))),
        (&Shape::One(hour), &Shape::Run { first, last }) => Some(((hour, first), (hour, last))),
        _ => None,
    }
}

fn by_minute(minutes: &Shape, hours: &Shape) -> String {
    match minutes {
        Shape::One(minute) => at_minute(*minute, hours),
        Shape::All => rate("every minute", 59, hours),
        Shape::Cycle { step, last } => rate(&format!("every {step} minutes"), *last, hours),
        Shape::Run { first, last } => part_of_hour("every minute", *first, *last, hours),
        Shape::Stride { first, last, step } => {
            part_of_hour(&format!("every {step} minutes"), *first, *last, hours)
        }
        Shape::Few(values) => {
            let last = values.last().copied().unwrap_or_default();
            let unit = if last == 1 { "minute" } else { "minutes" };
            format!("at {} {unit} past {}", numbers(values), hours_past(hours))
        }
    }
}

fn at_minute(minute: u32, hours: &Shape) -> String {
    match hours {
        Shape::All if minute == 0 => "every hour".to_owned(),
        Shape::Cycle { step, .. } if minute == 0 => format!("every {step} hours"),
        Shape::Run { first, last } => {
            format!("every hour from {} to {}", clock(*first, minute), clock(*last, minute))
        }
        Shape::Cycle { step, last } => {
            format!("every {step} hours from {} to {}", clock(0, minute), clock(*last, minute))
        }
        Shape::Stride { first, last, step } => {
            format!("every {step} hours from {} to {}", clock(*first, minute), clock(*last, minute))
        }
        Shape::One(hour) => format!("at {}", clock(*hour, minute)),
        Shape::Few(hours) => format!("at {}", join(hours.iter().map(|&hour| clock(hour, minute)))),
        Shape::All => {
            let unit = if minute == 1 { "minute" } else { "minutes" };
            format!("at {minute} {unit} past every hour")
        }
    }
}

/// Something that goes on through the hours without a break; `last` is its last minute of an hour.
fn rate(rate: &str, last_minute: u32, hours: &Shape) -> String {
    match hours {
        Shape::All => rate.to_owned(),
        Shape::Run { first, last } => {
            format!("{rate} from {} to {}", clock(*first, 0), clock(*last, last_minute))
        }
        Shape::One(hour) => format!("{rate} from {} to {}", clock(*hour, 0), clock(*hour, last_minute)),
        Shape::Few(values) => format!("{rate} of the hours {}", numbers(values)),
        Shape::Cycle { .. } | Shape::Stride { .. } => format!("{rate} of {}", hours_past(hours)),
    }
}

fn part_of_hour(rate: &str, first: u32, last: u32, hours: &Shape) -> String {
    match hours {
        Shape::One(hour) => format!("{rate} from {} to {}", clock(*hour, first), clock(*hour, last)),
        _ => format!("{rate} from {first} to {last} minutes past {}", hours_past(hours)),
    }
}

/// What minutes are past.
fn hours_past(hours: &Shape) -> String {
    match hours {
        Shape::All => "every hour".to_owned(),
        Shape::One(hour) => clock(*hour, 0),
        Shape::Run { first, last } => format!("every hour from {} to {}", clock(*first, 0), clock(*last, 0)),
        Shape::Cycle { step, .. } => format!("every {} hour from 0:00", ordinal(*step)),
        Shape::Stride { first, last, step } => {
            format!("every {} hour from {} to {}", ordinal(*step), clock(*first, 0), clock(*last, 0))
        }
        Shape::Few(values) => join(values.iter().map(|&hour| clock(hour, 0))),
    }
}

//! A schedule in plain English.
//!
//! The phrases are built from the bit sets, so two texts of one meaning read alike: `*/15` and `0,15,30,45`
//! are both "every 15 minutes".

mod days;
mod interval;
mod shape;
mod times;
mod words;

use jobs_syntax::{CronSpec, When};

pub(super) fn describe(when: &When, zone: Option<&str>) -> String {
    let mut text = match when {
        When::Cron(spec) => cron(spec),
        When::Every(interval) => interval::phrase(*interval),
        _ => unreachable!("a schedule is a cron expression or an interval"),
    };
    if let Some(zone) = zone {
        text.push_str(" (");
        match zone {
            "local" => text.push_str("local time"),
            offset if offset.starts_with(['+', '-']) => {
                text.push_str("UTC");
                text.push_str(offset);
            }
            name => text.push_str(name),
        }
        text.push(')');
    }
    text
}

fn cron(spec: &CronSpec) -> String {
    let times = times::phrase(spec);
    let days = days::phrase(spec, times.is_clock_times);
    if days.is_empty() {
        return times.text;
    }
    // "at 9:00 on Sunday", "at 9:00, Monday to Friday".
    let reads_on = ["on ", "in ", "from ", "every day"].iter().any(|word| days.starts_with(word));
    format!("{}{} {days}", times.text, if reads_on && times.is_clock_times { "" } else { "," })
}

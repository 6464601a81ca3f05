//! When a schedule fires next, by the clock of its zone, and where that clock is changed in between.

use chrono::{DateTime, FixedOffset, Utc};

use crate::runtime::{JobSnapshot, ScheduleSnapshot};
use crate::schedule::Schedule;

/// One fire time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fire {
    /// On the wall clock of the schedule's zone.
    pub(super) at: DateTime<FixedOffset>,
    /// How far the clock was set since the fire time before, in seconds.
    pub(super) clock_moved: i32,
}

/// The next fire times of all schedules of a job, in their order.
pub(super) fn of_job(job: &JobSnapshot, count: usize) -> Vec<(Fire, &ScheduleSnapshot)> {
    let of = |schedule| upcoming(schedule, count).into_iter().map(move |fire| (fire, schedule));
    let mut all: Vec<(Fire, &ScheduleSnapshot)> = job.schedules.iter().flat_map(of).collect();
    all.sort_by_key(|(fire, _)| fire.at);
    all.truncate(count);
    all
}

/// The next fire times; none of a schedule that is off.
pub(super) fn upcoming(schedule: &ScheduleSnapshot, count: usize) -> Vec<Fire> {
    let Some(first) = schedule.next else { return Vec::new() };
    let Ok(mut parsed) = Schedule::parse(&schedule.text) else { return Vec::new() };
    if let Some(zone) = &schedule.zone {
        match parsed.in_zone(zone) {
            Ok(in_zone) => parsed = in_zone,
            Err(_) => return Vec::new(),
        }
    }
    let times = std::iter::once(first).chain(parsed.upcoming(first));
    let mut before = None;
    times
        .take(count)
        .filter_map(|at: DateTime<Utc>| {
            let offset = parsed.offset_at(at);
            let clock_moved = before.replace(offset).map_or(0, |before| offset - before);
            Some(Fire { at: at.with_timezone(&FixedOffset::east_opt(offset)?), clock_moved })
        })
        .collect()
}

//! What one job is asked beside what it does: its next fire times, what holds for it, and its arguments.

use axum::extract::Path;
use axum::response::Response;
use chrono::Utc;
use serde_json::Value;

use super::answer::{Answer, Failure, answered};
use super::schema::{Time, record};
use crate::runtime::JobSnapshot;
use crate::runtime::in_force::SaidBy;
use crate::status::screen::Screen;
use crate::status::upcoming::of_job;

/// How many fire times are told.
const FIRES: usize = 10;

record! {
    /// A time at which a job fires.
    Fire {
        /// The key of the schedule.
        schedule: String,
        /// When.
        at: Time,
        /// The same by the clock of the schedule's zone, with its offset.
        local: String,
        /// The zone.
        zone: String,
        /// By how many seconds that clock is set since the fire time before of the schedule.
        clock_moved: i64,
    }
}

record! {
    /// A setting of a job that is in force.
    Setting {
        /// Its key in the attribute and in the config.
        key: String,
        /// Its value.
        value: String,
        /// Who says it: `default`, `attribute`, or the place in the config.
        said_by: String,
    }
}

record! {
    /// An argument of a job.
    Argument {
        /// Its name.
        name: String,
        /// Its type, with its path.
        type_name: String,
        /// Whether it may be left out.
        has_default: bool,
        /// Whether its value is shown nowhere.
        redacted: bool,
        /// What it is where nothing is said; null where that is nothing, or is not shown.
        value: Value,
    }
}

fn known(name: &str, screen: &Screen) -> Answer<JobSnapshot> {
    screen.page.jobs.job_here(name).ok_or_else(|| Failure::not_found("no job has this name"))
}

pub(super) async fn upcoming(Path(name): Path<String>, screen: Screen) -> Response {
    answered(known(&name, &screen).map(|job| {
        let fires = of_job(&job, FIRES).into_iter();
        let told = fires.map(|(fire, schedule)| Fire {
            schedule: schedule.key.clone(),
            at: Time(fire.at.with_timezone(&Utc)),
            local: fire.at.to_rfc3339(),
            zone: schedule.zone.clone().unwrap_or_else(|| "UTC".to_owned()),
            clock_moved: fire.clock_moved.into(),
        });
        told.collect::<Vec<_>>()
    }))
}

pub(super) async fn settings(Path(name): Path<String>, screen: Screen) -> Response {
    answered(known(&name, &screen).map(|job| {
        let told = screen.page.jobs.in_force(&job.name).into_iter().map(|setting| Setting {
            key: setting.key.to_owned(),
            value: setting.value,
            said_by: match setting.said_by {
                SaidBy::Default => "default".to_owned(),
                SaidBy::Attribute => "attribute".to_owned(),
                SaidBy::Config(place) => place.to_string(),
            },
        });
        told.collect::<Vec<_>>()
    }))
}

pub(super) async fn arguments(Path(name): Path<String>, screen: Screen) -> Response {
    answered(known(&name, &screen).map(|job| {
        let told = screen.page.jobs.argument_fields(&job.name).into_iter().map(|field| Argument {
            name: field.name.to_owned(),
            type_name: field.type_name.to_owned(),
            has_default: field.has_default,
            redacted: field.redacted,
            value: field.value.unwrap_or_default(),
        });
        told.collect::<Vec<_>>()
    }))
}

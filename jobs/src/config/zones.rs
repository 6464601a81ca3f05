//! The zones that a configuration names, looked up in the database.

use jobs_syntax::ScheduleText;

use super::settings::{NamedSchedule, Settings};
use crate::error::Problem;
use crate::schedule::{Schedule, ScheduleError};

impl Settings {
    /// Looks every zone up, whether anything uses it or not. What names one that there is not is told once and taken
    /// out, so that it is no mistake of every schedule as well.
    pub(crate) fn check_zones(&mut self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(error) = check_zone(&self.timezone.value) {
            problems.push(error.problem().at(self.timezone.place.clone()));
            self.timezone.value = "UTC".to_owned();
        }
        for (name, named) in &mut self.named {
            let NamedSchedule::Spec(text) = &named.value else { continue };
            if let Err(error) = Schedule::parse(text) {
                problems.push(error.problem().about(&format!("`{name}`")).at(named.place.clone()));
                named.value = NamedSchedule::Off;
            }
        }
        for (job, overrides) in &mut self.overrides {
            if let Some(tz) = &overrides.tz
                && let Err(error) = check_zone(&tz.value)
            {
                problems.push(error.problem().at(tz.place.clone()));
                overrides.tz = None;
            }
            let Some(schedule) = &mut overrides.schedule else { continue };
            let place = schedule.place.clone();
            schedule.value.retain(|text| match ScheduleText::parse(text) {
                Ok(ScheduleText::Named(_)) => true,
                _ => match Schedule::parse(text) {
                    Ok(_) => true,
                    Err(error) => {
                        let what = format!("`job.{job}.schedule`");
                        problems.push(error.problem().about(&what).at(place.clone()));
                        false
                    }
                },
            });
        }
        problems
    }
}

fn check_zone(zone: &str) -> Result<(), ScheduleError> {
    Schedule::parse("@daily")?.in_zone(zone).map(drop)
}

//! Schedules as they were written, and where: for the status page.

use super::Jobs;
use super::in_force::SaidBy;
use super::snapshot::{JobSnapshot, ScheduleSnapshot};
use crate::config::NamedSchedule;
use crate::job::descriptor::WhenDecl;
use crate::schedule::Schedule;

/// A schedule as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) text: String,
    pub(crate) said_by: SaidBy,
}

impl Jobs {
    /// How a schedule of a job was written; none where the program has added it.
    pub(crate) fn wording(&self, job: &JobSnapshot, schedule: &ScheduleSnapshot) -> Option<Written> {
        let settings = self.inner.settings();
        let written = |text: &str, said_by| Some(Written { text: text.to_owned(), said_by });
        if let Some(name) = &schedule.name {
            let said = settings.named.get(name)?;
            let said_by = SaidBy::Config(said.place.clone());
            return match &said.value {
                NamedSchedule::Spec(spec) => written(spec, said_by),
                NamedSchedule::Off => written("off", said_by),
            };
        }
        let is_it = |text: &str| Schedule::parse(text).is_ok_and(|parsed| parsed.text() == schedule.text);
        if let Some(said) = settings.overrides.get(&job.name)
            && let Some((_, place)) = said.when()
        {
            let texts = said.schedule.iter().flat_map(|said| &said.value).map(String::as_str);
            let text = texts.into_iter().find(|text| is_it(text)).unwrap_or(&schedule.text);
            return written(text, SaidBy::Config(place.clone()));
        }
        // None of a closure.
        job.place?;
        let ix = self.find_job(&job.name).ok()?;
        let descriptor = self.inner.pool.read(|memory| memory.job(ix).info.descriptor)?;
        descriptor.schedules.iter().find_map(|decl| match decl.when {
            WhenDecl::Spec(text) if is_it(text) => written(text, SaidBy::Attribute),
            WhenDecl::Every(length) if is_it(&format!("@every {length}")) => {
                written(&format!("@every {length}"), SaidBy::Attribute)
            }
            WhenDecl::FixedDelay(_) if schedule.text.starts_with("@after") => {
                written(&schedule.text, SaidBy::Attribute)
            }
            _ => None,
        })
    }
}

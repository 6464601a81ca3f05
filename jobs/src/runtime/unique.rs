//! Submissions that are one with an earlier one.

use std::time::Duration;

use super::Jobs;
use super::error::SubmitError;
use super::handle::RunHandle;
use crate::clock::Timestamp;
use crate::job::body::Body;
use crate::job::json::WrittenArguments;
use crate::job::options::{Origin, Unique};
use crate::pool::Closed;
use crate::scheduler::timers::Delay;
use crate::store::memory::{JobIx, RunOptions, Submitted, UniqueKey};
use crate::telemetry::panics;

impl Jobs {
    /// What the job says of which submissions are one.
    pub(super) fn unique_of(&self, job: JobIx) -> Option<Unique> {
        let pool = &self.inner.pool;
        let is_unique = pool.find(|jobs| jobs.is_unique(job).then_some(job)).is_some();
        if is_unique { pool.read(|memory| memory.job(job).info.limits.unique) } else { None }
    }

    /// Submits, unless an earlier submission stands for this one.
    pub(super) fn submit_one(
        self,
        job: JobIx,
        unique: Unique,
        body: Body,
        origin: Origin,
        options: RunOptions,
        delay: Option<Delay>,
    ) -> Result<RunHandle, SubmitError> {
        let now = self.inner.scheduler.present().wall;
        let due = delay.map(|delay| match delay {
            Delay::At(at) => at,
            Delay::For(by) => now.saturating_add(by),
        });
        let (arguments, window) = self.compared(job, unique, &body, due, now)?;
        let key = UniqueKey::new(job, arguments, window);
        let submitted = self.inner.pool.submit_unique(key, body, origin, options, due);
        match submitted.map_err(|Closed| SubmitError::shut_down())? {
            Submitted::New(id, key) => {
                if let Some(delay) = delay {
                    self.inner.scheduler.delay(key, delay);
                }
                Ok(RunHandle { id, key: Some(key), jobs: self, duplicate: false })
            }
            Submitted::Duplicate(id, key, body) => {
                // Code of the user, which may panic.
                let _ = panics::catch(|| drop(body));
                Ok(RunHandle { id, key: Some(key), jobs: self, duplicate: true })
            }
        }
    }

    /// What of a submission is compared, as canonical JSON, and the instant that decides about its window of time.
    pub(super) fn compared(
        &self,
        job: JobIx,
        unique: Unique,
        body: &Body,
        due: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<(String, Option<(Duration, Timestamp)>), SubmitError> {
        let (fields, window) = match unique {
            Unique::Args => (None, None),
            Unique::Fields(fields) => (Some(fields), None),
            // One that a test holds is due when it is let go.
            Unique::Per(length) => {
                (None, Some((length, due.filter(|due| *due < Timestamp::MAX).unwrap_or(now))))
            }
        };
        let arguments = match body.is_data() {
            true => panics::catch(|| body.arguments()).unwrap_or_default().ok_or_else(|| {
                let name = self.inner.pool.read(|memory| memory.job(job).info.name.to_string());
                SubmitError::bad_option(format!(
                    "the submissions of `{name}` cannot be compared: these arguments cannot be written as JSON"
                ))
            })?,
            false => WrittenArguments::none(),
        };
        Ok((arguments.canonical(fields), window))
    }
}

//! Faults of `jobs` itself.

use crate::Jobs;

/// Lets the task that fires schedules panic when it next fires something or a delayed run comes due, in the middle
/// of that, as a fault of `jobs` would. It is started again, the first time a tenth of a second later, and
/// [`Jobs::health`] tells of it.
pub fn kill_scheduler(jobs: &Jobs) {
    jobs.kill_scheduler();
}

//! Faults of `jobs` itself.

use chrono::TimeDelta;

use crate::Jobs;

/// Lets the task that fires schedules panic when it next fires something or a delayed run comes due, in the middle
/// of that, as a fault of `jobs` would. It is started again, the first time a tenth of a second later, and
/// [`Jobs::health`] tells of it.
pub fn kill_scheduler(jobs: &Jobs) {
    jobs.kill_scheduler();
}

/// Lets the clock on the wall of this machine be wrong by so much, for all of this process that does not run on a
/// [`TestClock`](crate::testing::TestClock): as on a node whose clock nobody keeps. Another call sets it anew, as an administrator
/// does.
pub fn set_system_clock(wrong_by: TimeDelta) {
    crate::clock::set_system(wrong_by);
}

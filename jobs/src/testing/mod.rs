#![doc = include_str!("guide.md")]

mod faults;
mod instant;
mod linked;
mod paused;
mod single;
mod slots;
mod starting;
mod submitted;
mod test_jobs;

pub use crate::clock::TestClock;
pub use crate::job::probe::Fault;
pub use faults::{kill_scheduler, set_system_clock};
pub use instant::instant;
pub use linked::{assert_linked, linked_jobs};
pub use single::{Finished, SingleRun, run};
pub use starting::{Starting, start};
pub use submitted::{Submissions, Submitted};
pub use test_jobs::TestJobs;

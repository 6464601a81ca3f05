//! For your tests: a whole scheduler on virtual time, without a server, a sleep or a wait.
//!
//! `jobs` keeps time by tokio's clock, so a test that pauses tokio's time moves everything at once: schedules, delays,
//! and whatever a job awaits of `tokio::time`. A [`TestClock`] adds the wall clock: where it starts, and what
//! happens to it.
//!
//! ```standalone_crate
//! use chrono::{TimeZone, Utc};
//! use std::time::Duration;
//! use jobs::testing::TestClock;
//! use jobs::{Config, job};
//!
//! /// Fires at noon from Monday to Friday.
//! #[job(schedule = "0 0 12 * * MON-FRI")]
//! async fn lunch() {}
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(async {
//! // #[tokio::test(start_paused = true)]
//! let clock = TestClock::at(Utc.with_ymd_and_hms(2026, 11, 27, 9, 0, 0).unwrap()); // a Friday
//! let jobs = jobs::start(Config::default().clock(&clock)).await.unwrap();
//!
//! clock.advance(Duration::from_secs(7 * 86_400)).await;
//!
//! let snapshot = jobs.snapshot();
//! assert_eq!(snapshot.job("lunch").unwrap().schedules[0].ran, 5);
//! # });
//! ```
//!
//! Pause the time: `#[tokio::test(start_paused = true)]`. Without that the clock still works, and the test takes as
//! long as it says.

use std::collections::BTreeSet;

use crate::Jobs;
pub use crate::clock::TestClock;
use crate::registry;

/// The names of all jobs that are linked into the program, sorted.
#[must_use]
pub fn linked_jobs() -> Vec<&'static str> {
    registry::linked().iter().map(|descriptor| descriptor.name).collect()
}

/// Lets the task that fires schedules panic when it next fires something or a delayed run comes due, in the middle
/// of that, as a fault of `jobs` would. It is started again, the first time a tenth of a second later, and [`Jobs::health`] tells of it.
pub fn kill_scheduler(jobs: &Jobs) {
    jobs.kill_scheduler();
}

/// Checks that these jobs are linked into the program.
///
/// A job in a crate that the program never names is not there: the linker leaves the crate out, and nothing warns of
/// it. `use the_crate as _;` brings it in.
///
/// # Panics
///
/// With the names that are missing, and those that are there.
#[track_caller]
pub fn assert_linked<'a>(names: impl IntoIterator<Item = &'a str>) {
    let linked: BTreeSet<_> = linked_jobs().into_iter().collect();
    let missing: Vec<_> = names.into_iter().filter(|name| !linked.contains(name)).collect();
    assert!(
        missing.is_empty(),
        "jobs that are not linked: {missing:?}; linked are {linked:?}; a crate that the program never names is left out, \
         `use the_crate as _;` brings it in"
    );
}

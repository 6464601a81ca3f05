//! What has started and ended in each minute of the last hour, as JSON.

use std::time::Duration;

use axum::response::Response;

use super::answer::answered;
use super::records::seconds;
use super::schema::{Time, record};
use crate::runtime::overview::MinuteOfRuns;
use crate::status::screen::Screen;

record! {
    /// What has started and ended within one minute.
    Minute {
        /// When it began.
        began: Time,
        /// How many attempts have started.
        started: u64,
        /// How long these have waited for room on average, in seconds.
        waited_mean: f64,
        /// How long the one has waited that has waited the longest.
        waited_most: f64,
        /// How many runs have ended.
        ended: u64,
        /// How many of them did not end well.
        failed: u64,
        /// How long they took on average, in seconds.
        took_mean: f64,
        /// How long the longest took.
        took_most: f64,
    }
}

impl From<MinuteOfRuns> for Minute {
    fn from(minute: MinuteOfRuns) -> Self {
        let mean = |all: Duration, count: usize| {
            all.checked_div(u32::try_from(count).unwrap_or(u32::MAX)).map_or(0.0, seconds)
        };
        Self {
            began: Time(minute.began),
            started: minute.started as u64,
            waited_mean: mean(minute.waited, minute.started),
            waited_most: seconds(minute.longest_wait),
            ended: minute.ended as u64,
            failed: minute.failed as u64,
            took_mean: mean(minute.took, minute.ended),
            took_most: seconds(minute.longest),
        }
    }
}

pub(super) async fn minutes(screen: Screen) -> Response {
    answered(Ok(screen.page.jobs.last_hour().into_iter().map(Minute::from).collect::<Vec<_>>()))
}

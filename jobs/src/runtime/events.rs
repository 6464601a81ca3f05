//! Listening to what happens.

use super::Jobs;
use crate::hooks::Events;

impl Jobs {
    /// What happens from now on, as it happens: slots that come or pass; runs that are submitted, start, succeed and fail; jobs that are paused;
    /// schedules that come and go; a clock that is set; the shutdown. For pages that follow along, for tests, and for
    /// whatever is to be done on a failure beyond [`Config::on_failure`](crate::Config::on_failure).
    ///
    /// Every listener hears everything, at its own pace, in the order in which it happened. The last 4096 events are kept
    /// for those that are behind; one that is overtaken gets [`Event::Lagged`](crate::Event::Lagged) with the number it
    /// has missed, and goes on. It holds up nobody. After a [`shutdown`](Self::shutdown) and the last event comes `None`.
    /// As long as nobody listens, events are not made.
    ///
    /// ```
    /// use jobs::{Event, RunChange};
    ///
    /// # async fn example(jobs: jobs::Jobs) {
    /// let mut events = jobs.events();
    /// while let Some(event) = events.next().await {
    ///     match event {
    ///         Event::Run(run) if matches!(run.what, RunChange::Failed { .. }) => eprintln!("{run}"),
    ///         Event::Lagged(count) => eprintln!("{count} events missed"),
    ///         _ => {}
    ///     }
    /// }
    /// # }
    /// ```
    ///
    /// It is no `Stream` of its own; `futures::stream::unfold(jobs.events(), |mut events| async move { Some((events.next().await?, events)) })`
    /// makes one of it.
    #[must_use]
    pub fn events(&self) -> Events {
        self.inner.hooks.bus.listen()
    }
}

//! What an attempt says of itself while it runs: how far it is, and lines of a log.

use super::ambient;
use super::notes::{LINE, Progress};
use super::signals::{Signals, Turn};
use super::text::cut;
use crate::clock::Clock;

/// Says how far the run is: `done` of `total`, in whatever unit, or of 0 where the whole is not known. For pages, and
/// for [`RunHandle::progress`](crate::RunHandle::progress). What is said last is kept, over attempts and after the end.
///
/// It finds the attempt by itself, also deep inside of what a job calls, but not in a task that it has spawned: that calls
/// [`JobContext::progress`](crate::JobContext::progress). Outside of a job it does nothing, so that a function which
/// tells its progress can be called and tested by itself. It takes a lock that is free nearly always and can be called
/// thousands of times a second.
///
/// ```
/// # use jobs::job;
/// #[job]
/// async fn import(rows: Vec<String>) {
///     for (done, row) in rows.iter().enumerate() {
///         println!("{row}");
///         jobs::progress(done as u64 + 1, rows.len() as u64);
///     }
/// }
/// ```
pub fn progress(done: u64, total: u64) {
    ambient::in_attempt(|attempt| {
        let turn = attempt.signals.turn();
        attempt.signals.lay(turn, |laid| laid.notes.progress = Some(Progress { done, total }));
    });
}

/// Writes a line to the log of the run, with the time: what somebody wants to read beside it later, such as which file it
/// has fetched. The last 200 lines of a run are kept, over its attempts, each of 1 KiB at most; the program's own log gets
/// none of them. Where it works is said at [`progress`].
///
/// ```
/// # use jobs::job;
/// #[job]
/// async fn fetch(url: String) {
///     jobs::log(format!("asking {url}"));
/// }
/// ```
pub fn log(text: impl Into<String>) {
    ambient::in_attempt(|attempt| {
        log_line(&attempt.signals, &attempt.clock, attempt.signals.turn(), text.into());
    });
}

pub(crate) fn log_line(signals: &Signals, clock: &Clock, turn: Turn, text: String) {
    let (at, text) = (clock.now().wall, cut(text, LINE));
    signals.lay(turn, |laid| laid.notes.write(at, text));
}

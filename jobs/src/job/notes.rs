//! What a run leaves for others to read while it goes on: how far it is, its log, what it gives.

use std::collections::VecDeque;
use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::output::Output;
use crate::clock::Timestamp;

/// Lines of the log that are kept of a run: the last.
pub(crate) const LINES: usize = 200;

/// Bytes of a line.
pub(crate) const LINE: usize = 1 << 10;

/// How far a run is, as it says by [`progress`](crate::progress()).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Progress {
    /// How much is done.
    pub done: u64,
    /// Of how much; 0 where the job does not know.
    pub total: u64,
}

impl Progress {
    /// The part that is done, from 0 to 1; none where the whole is not known.
    #[must_use]
    pub fn fraction(&self) -> Option<f64> {
        (self.total > 0).then(|| (self.done as f64 / self.total as f64).min(1.0))
    }
}

/// `30 of 100`, or `30` where the whole is not known.
impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            0 => write!(f, "{}", self.done),
            total => write!(f, "{} of {total}", self.done),
        }
    }
}

/// A line that a run has written by [`log`](crate::log()).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// Which line of its run it is, from 1. Of many lines the last 200 are kept.
    pub number: u64,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// By which attempt.
    pub attempt: u32,
    /// What it says, of 1 KiB at most.
    pub text: String,
}

/// A [`LogLine`] as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Line {
    at: Timestamp,
    attempt: u32,
    text: Box<str>,
}

/// What a run leaves for others to read: one attempt writes it, and those of a run are put together.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Notes {
    #[serde(with = "written_progress", skip_serializing_if = "Option::is_none")]
    pub(crate) progress: Option<Progress>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) output: Option<Output>,
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    log: VecDeque<Line>,
    /// Lines that were written, also those that are gone.
    written: u64,
}

impl Notes {
    /// Adds a line, which has been cut already. By which attempt, is said when it is put to the others of its run.
    pub(crate) fn write(&mut self, at: Timestamp, text: String) {
        self.push(Line { at, attempt: 0, text: text.into_boxed_str() });
        self.written += 1;
    }

    fn push(&mut self, line: Line) {
        if self.log.len() == LINES {
            self.log.pop_front();
        }
        self.log.push_back(line);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.progress.is_none() && self.output.is_none() && self.written == 0
    }

    /// Adds what a later attempt has left.
    pub(crate) fn append(&mut self, later: Self, attempt: u32) {
        let Self { progress, output, log, written } = later;
        self.progress = progress.or(self.progress);
        self.output = output.or(self.output.take());
        log.into_iter().for_each(|line| self.push(Line { attempt, ..line }));
        self.written += written;
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = LogLine> {
        let first = self.written - self.log.len() as u64 + 1;
        self.log.iter().zip(first..).map(|(line, number)| LogLine {
            number,
            at: line.at.to_chrono(),
            attempt: line.attempt,
            text: line.text.to_string(),
        })
    }

    /// How many bytes of text are in it.
    pub(crate) fn text(&self) -> usize {
        let log: usize = self.log.iter().map(|line| line.text.len() + size_of::<Line>()).sum();
        log + self.output.as_ref().map_or(0, Output::text)
    }
}

/// How far a run is, as a store writes it down: what is done, and of how much.
mod written_progress {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Progress;

    pub(super) fn serialize<S: Serializer>(progress: &Option<Progress>, to: S) -> Result<S::Ok, S::Error> {
        progress.map(|Progress { done, total }| (done, total)).serialize(to)
    }

    pub(super) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Option<Progress>, D::Error> {
        let written = Option::<(u64, u64)>::deserialize(from)?;
        Ok(written.map(|(done, total)| Progress { done, total }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_kept_with_their_numbers() {
        let mut notes = Notes::default();
        for attempt in 1..=3 {
            let mut later = Notes::default();
            for line in 1..=150 {
                later.write(Timestamp::from_nanos(0), format!("{attempt}/{line}"));
            }
            notes.append(later, attempt);
        }
        let lines: Vec<_> = notes.lines().collect();
        assert_eq!(lines.len(), LINES);
        assert_eq!((lines[0].number, &*lines[0].text, lines[0].attempt), (251, "2/101", 2));
        assert_eq!((lines[199].number, &*lines[199].text), (450, "3/150"));
    }

    #[test]
    fn the_last_word_on_progress_counts() {
        let progress = |done| Some(Progress { done, total: 4 });
        let mut notes = Notes { progress: progress(3), ..Notes::default() };
        notes.append(Notes::default(), 2);
        assert_eq!(notes.progress, progress(3));
        notes.append(Notes { progress: progress(1), ..Notes::default() }, 3);
        assert_eq!(notes.progress.and_then(|progress| progress.fraction()), Some(0.25));
        assert_eq!(Progress { done: 9, total: 4 }.fraction(), Some(1.0));
        assert_eq!(Progress { done: 9, total: 0 }.to_string(), "9");
    }
}

//! What the tests of behaviour share: a clock, a config that no surroundings change, and a log that jobs write to.

#![allow(dead_code, unreachable_pub, reason = "every test takes what it needs of it")]

pub mod folder;
pub mod seeds;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use jobs::testing::TestClock;
use jobs::{Config, Job, JobContext, JobResult};
use serde::{Deserialize, Serialize};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// An instant such as `2026-03-02 12:00:00`, with a fraction or without.
pub fn utc(text: &str) -> DateTime<Utc> {
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").expect("an instant").and_utc()
}

pub fn clock(start: &str) -> TestClock {
    TestClock::at(utc(start))
}

/// On this clock, whatever the environment of the test says.
pub fn config(clock: &TestClock) -> Config {
    Config::default().without_environment().clock(clock)
}

/// What jobs did, in order.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<Entry>>>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub tag: String,
    pub slot: Option<DateTime<Utc>>,
    pub started: DateTime<Utc>,
}

impl Log {
    pub fn add(&self, tag: impl Into<String>, cx: &JobContext) {
        let entry = Entry { tag: tag.into(), slot: cx.slot(), started: cx.started_at() };
        self.0.lock().unwrap().push(entry);
    }

    /// Puts an entry back.
    pub fn put(&self, entry: Entry) {
        self.0.lock().unwrap().push(entry);
    }

    pub fn take(&self) -> Vec<Entry> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }

    pub fn len(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// The tags, taken out.
    pub fn tags(&self) -> Vec<String> {
        self.take().into_iter().map(|entry| entry.tag).collect()
    }

    /// The slots as `12:00:00`, taken out; each must have started within its millisecond.
    pub fn slots(&self) -> Vec<String> {
        self.slots_as("%H:%M:%S")
    }

    pub fn slots_as(&self, format: &str) -> Vec<String> {
        let text = |entry: Entry| {
            let slot = entry.slot.unwrap_or_else(|| panic!("{} was of no slot", entry.tag));
            let late = entry.started - slot;
            assert!((0..=1).contains(&late.num_milliseconds()), "late by {late}: {entry:?}");
            slot.format(format).to_string()
        };
        self.take().into_iter().map(text).collect()
    }
}

/// A job written by hand that makes an entry in the [`Log`] among the states.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Note(pub String);

impl Job for Note {
    const NAME: &'static str = "note";

    async fn run(self, cx: JobContext) -> JobResult {
        cx.state::<Log>().expect("a log").add(self.0, &cx);
        Ok(())
    }
}

pub fn note(tag: impl Into<String>) -> Note {
    Note(tag.into())
}

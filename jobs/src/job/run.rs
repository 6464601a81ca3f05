//! One execution of a job: its identity, its states and what it came to.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

/// The identity of a run: 128 bits that sort by the time of submission, laid out as a UUID of version 7
/// (RFC 9562) and shown as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(u128);

/// As `Display` writes it.
impl Serialize for RunId {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'a> Deserialize<'a> for RunId {
    fn deserialize<D: serde::Deserializer<'a>>(from: D) -> Result<Self, D::Error> {
        let text = Cow::<'a, str>::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl RunId {
    /// The identity as a number.
    #[must_use]
    pub fn as_u128(self) -> u128 {
        self.0
    }

    pub(crate) fn from_u128(id: u128) -> Self {
        Self(id)
    }

    /// What tells its process from others.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "a store writes it down apart"))]
    pub(crate) fn node(self) -> u64 {
        (self.0 & 0xffff_ffff_ffff) as u64
    }

    /// The identity with that sequence, of that process.
    pub(crate) fn from_parts(sequence: u64, node: u64) -> Self {
        let millis = u128::from(sequence >> RunIds::COUNT_BITS);
        let (high, low) = (u128::from(sequence >> 8 & 0xfff), u128::from(sequence & 0xff));
        Self(millis << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low << 54 | u128::from(node))
    }

    /// Its milliseconds with its counter below: what identities of one process are told apart by.
    #[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "a store writes it down apart"))]
    pub(crate) fn sequence(self) -> u64 {
        let (millis, high, low) = (self.0 >> 80, self.0 >> 64 & 0xfff, self.0 >> 54 & 0xff);
        u64::try_from(millis << RunIds::COUNT_BITS | high << 8 | low).unwrap_or(u64::MAX)
    }

    /// No identity that is made from then on is smaller.
    #[cfg(feature = "postgres")]
    pub(crate) fn first_at(at: Timestamp) -> Self {
        let millis = u128::try_from(at.as_nanos().div_euclid(1_000_000)).unwrap_or(0);
        Self(millis << 80)
    }

    /// When it was made, to the millisecond.
    pub(crate) fn made_at(self) -> Timestamp {
        let millis = i64::try_from(self.0 >> 80).unwrap_or(i64::MAX);
        Timestamp::from_nanos(millis.saturating_mul(1_000_000))
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let id = self.0;
        write!(
            f,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            (id >> 96) as u32,
            (id >> 80) as u16,
            (id >> 64) as u16,
            (id >> 48) as u16,
            id & 0xffff_ffff_ffff
        )
    }
}

/// Reads what `Display` writes.
impl std::str::FromStr for RunId {
    type Err = RunIdError;

    fn from_str(text: &str) -> Result<Self, RunIdError> {
        let parts: Vec<&str> = text.split('-').collect();
        let well_formed = parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
            && parts.iter().all(|part| part.bytes().all(|c| c.is_ascii_hexdigit()));
        let number = u128::from_str_radix(&parts.concat(), 16);
        number.ok().filter(|_| well_formed).map(Self).ok_or(RunIdError(()))
    }
}

/// A text is not the identity of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunIdError(());

impl fmt::Display for RunIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not the identity of a run, which is written `018bcfe5-6800-7000-8000-ef0123456789`")
    }
}

impl std::error::Error for RunIdError {}

/// Makes identities that grow: milliseconds, a counter, and bits that no other instance has. Any thread may ask.
#[derive(Debug)]
pub(crate) struct RunIds {
    /// The identity that was made last: its milliseconds, above the counter.
    last: AtomicU64,
    node: AtomicU64,
}

impl RunIds {
    /// A million identities in one millisecond before it borrows from the next.
    const COUNT_BITS: u32 = 20;

    /// `entropy` tells this instance from every other.
    pub(crate) fn new(entropy: u64) -> Self {
        Self { last: AtomicU64::new(0), node: AtomicU64::new(entropy & 0xffff_ffff_ffff) }
    }

    /// Tells this instance from others on a store that they share, also where a test wants the same identities each time.
    #[cfg(feature = "postgres")]
    pub(crate) fn stand_apart(&self, entropy: u64) {
        self.node.store(entropy & 0xffff_ffff_ffff, Ordering::Relaxed);
    }

    /// The next identity; greater than all before it, also when the clock was set back.
    pub(crate) fn next(&self, now: Timestamp) -> RunId {
        // 44 bits last until the year 2527, which no timestamp reaches.
        let millis = u64::try_from(now.as_nanos() / 1_000_000).unwrap_or(0) << Self::COUNT_BITS;
        let mut last = self.last.load(Ordering::Relaxed);
        let next = loop {
            let next = millis.max(last + 1);
            match self.last.compare_exchange_weak(last, next, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break next,
                Err(other) => last = other,
            }
        };
        RunId::from_parts(next, self.node.load(Ordering::Relaxed))
    }
}

impl RunIds {
    /// Makes identities from now on that come after one, whatever the clock says.
    #[cfg_attr(
        not(feature = "sqlite"),
        allow(dead_code, reason = "identities of another process come from a store")
    )]
    pub(crate) fn resume_after(&self, id: RunId) {
        self.last.fetch_max(id.sequence(), Ordering::Relaxed);
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The job returned `()` or `Ok`.
    Succeeded,
    /// The job returned an error: its message and those of its sources, joined by `: `.
    Failed(String),
    /// The job panicked, with this message.
    Panicked(String),
    /// The attempt did not come to its end within the `timeout` of the job, which was this long. An async job was
    /// dropped where it awaited; a plain `fn` has gone on until it returned, and what it returned does not count.
    TimedOut(Duration),
    /// The job gave the run up, for this reason: it called [`discard`](crate::discard()) and returned an error.
    Discarded(String),
    /// The run was cancelled before it came to an end.
    Cancelled,
    /// Shutdown cut the run off; in a cluster, or whoever waits for it, as of a run that another process executes or will. Of an attempt also: the worker or the process that made it died, and it is made again.
    Interrupted,
    /// The run was still queued or delayed when the program was shut down, or waited to be tried again; on memory
    /// it is lost.
    Lost,
    /// The run ended so long ago that it is not kept any more.
    Unknown,
}

impl Outcome {
    /// Whether the attempt was made and did not succeed, so that another may.
    pub(crate) fn is_failure(&self) -> bool {
        matches!(self, Self::Failed(_) | Self::Panicked(_) | Self::TimedOut(_))
    }

    /// Whether the job did what it was asked.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Succeeded)
    }

    /// What it came to, without a message: `succeeded`, `timed out`.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed(_) => "failed",
            Self::Panicked(_) => "panicked",
            Self::TimedOut(_) => "timed out",
            Self::Discarded(_) => "discarded",
            Self::Cancelled => "cancelled",
            Self::Interrupted => "interrupted",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
        }
    }

    /// The message of an error or a panic, or the reason of the job for giving up.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Failed(message) | Self::Panicked(message) | Self::Discarded(message) => Some(message),
            _ => None,
        }
    }
}

/// The word, and behind a colon the message where there is one: `failed: no route to host`, `timed out after 30s`.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())?;
        match self {
            Self::TimedOut(after) => write!(f, " after {}", jobs_syntax::format_duration(*after)),
            _ => self.message().map_or(Ok(()), |message| write!(f, ": {message}")),
        }
    }
}

/// An outcome as a store writes it down.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Written<'a> {
    Succeeded,
    Failed(Cow<'a, str>),
    Panicked(Cow<'a, str>),
    /// After so many nanoseconds.
    TimedOut(u64),
    Discarded(Cow<'a, str>),
    Cancelled,
    Interrupted,
    Lost,
    Unknown,
}

impl<'a> From<&'a Outcome> for Written<'a> {
    fn from(outcome: &'a Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Succeeded,
            Outcome::Failed(message) => Self::Failed(message.into()),
            Outcome::Panicked(message) => Self::Panicked(message.into()),
            Outcome::TimedOut(after) => Self::TimedOut(u64::try_from(after.as_nanos()).unwrap_or(u64::MAX)),
            Outcome::Discarded(reason) => Self::Discarded(reason.into()),
            Outcome::Cancelled => Self::Cancelled,
            Outcome::Interrupted => Self::Interrupted,
            Outcome::Lost => Self::Lost,
            Outcome::Unknown => Self::Unknown,
        }
    }
}

impl From<Written<'_>> for Outcome {
    fn from(written: Written<'_>) -> Self {
        match written {
            Written::Succeeded => Self::Succeeded,
            Written::Failed(message) => Self::Failed(message.into_owned()),
            Written::Panicked(message) => Self::Panicked(message.into_owned()),
            Written::TimedOut(nanos) => Self::TimedOut(Duration::from_nanos(nanos)),
            Written::Discarded(reason) => Self::Discarded(reason.into_owned()),
            Written::Cancelled => Self::Cancelled,
            Written::Interrupted => Self::Interrupted,
            Written::Lost => Self::Lost,
            Written::Unknown => Self::Unknown,
        }
    }
}

/// For fields that a store writes down.
pub(crate) mod written_outcome {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Outcome, Written};

    pub(crate) fn serialize<S: Serializer>(outcome: &Outcome, to: S) -> Result<S::Ok, S::Error> {
        Written::from(outcome).serialize(to)
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Outcome, D::Error> {
        Written::deserialize(from).map(Outcome::from)
    }
}

/// The same for those that may be missing.
pub(crate) mod optional_outcome {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::{Outcome, Written};

    pub(crate) fn serialize<S: Serializer>(outcome: &Option<Outcome>, to: S) -> Result<S::Ok, S::Error> {
        outcome.as_ref().map(Written::from).serialize(to)
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(from: D) -> Result<Option<Outcome>, D::Error> {
        Ok(Option::<Written<'_>>::deserialize(from)?.map(Outcome::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_grow_even_when_the_clock_goes_back() {
        let ids = RunIds::new(7);
        let times = [5_000_000, 5_000_001, 5_900_000, 1_000_000, 6_000_000, 0];
        let made: Vec<_> = times.map(|nanos| ids.next(Timestamp::from_nanos(nanos))).to_vec();
        assert!(made.is_sorted_by(|a, b| a < b), "{made:?}");
    }

    #[test]
    fn an_identity_is_a_uuid_of_version_7() {
        let id = RunIds::new(0xabcd_ef01_2345_6789).next(Timestamp::from_nanos(1_700_000_000_000_000_000));
        assert_eq!(id.to_string(), "018bcfe5-6800-7000-8000-ef0123456789");
        assert_eq!(id.to_string().parse(), Ok(id));
        for wrong in [
            "",
            "018bcfe5680070008000ef0123456789",
            "018bcfe5-6800-7000-8000-ef012345678g",
            "+18bcfe5-6800-7000-8000-ef0123456789",
        ] {
            assert!(wrong.parse::<RunId>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_full_millisecond_borrows_from_the_next() {
        let ids = RunIds::new(0);
        let now = Timestamp::from_nanos(3_000_000);
        let before = ids.next(now);
        ids.last.fetch_or((1 << RunIds::COUNT_BITS) - 1, Ordering::Relaxed);
        let after = ids.next(now);
        assert_eq!((before.as_u128() >> 80, after.as_u128() >> 80), (3, 4));
    }
}

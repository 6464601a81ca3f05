//! The limits of one job: how many attempts execute at the same time, and how many start in how much time.
//!
//! The runs of such a job line up with the job. Of each lane that it has runs in, the first is shown to those who claim, as
//! long as the job may start another; when it may not, none is. So what is held back is never looked at in a claim,
//! however much it is.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use jobs_syntax::Rate;

use super::RunKey;
use super::lanes::{LaneId, Seq};
use crate::clock::Elapsed;
use crate::job::options::Limits as Options;

/// A token bucket: full at first, and filled without a break.
///
/// It counts in units of which a nanosecond brings as many as the rate has tokens, so that nothing is ever rounded: a
/// token is as many as the period has nanoseconds.
#[derive(Debug)]
pub(super) struct Bucket {
    count: u128,
    token: u128,
    /// When the bucket would be full again.
    full: u128,
}

impl Bucket {
    pub(super) fn new(rate: Rate) -> Self {
        Self { count: u128::from(rate.count().get()), token: rate.per().as_nanos(), full: 0 }
    }

    fn units(&self, at: Elapsed) -> u128 {
        at.since_start().as_nanos() * self.count
    }

    /// The bucket of another rate, as full as this one: what has started a moment ago counts for the new rate too, and going
    /// from one to the other and back lets nothing more start.
    fn changed(&self, rate: Rate, now: Elapsed) -> Self {
        let mut new = Self::new(rate);
        // Either bucket is filled in its period, which is as long as a token is large.
        let until_full = self.full.saturating_sub(self.units(now)).div_ceil(self.count);
        let until_full = (until_full * new.token).div_ceil(self.token);
        new.full = new.units(now) + until_full * new.count;
        new
    }

    /// How long there is no token; none when there is one.
    pub(super) fn wait(&self, now: Elapsed) -> Option<Duration> {
        // One token at least is there as long as no more than all but one are missing.
        let missing = self.full.saturating_sub(self.units(now));
        let wait = missing.saturating_sub(self.token * (self.count - 1));
        let nanos = wait.div_ceil(self.count);
        (nanos > 0).then(|| Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX)))
    }

    /// Takes a token.
    pub(super) fn take(&mut self, now: Elapsed) {
        self.full = self.full.max(self.units(now)) + self.token;
    }
}

/// The limits of a job, and its available runs.
#[derive(Debug)]
pub(super) struct Limits {
    concurrency: usize,
    bucket: Option<Bucket>,
    /// The bucket is empty, and somebody will come then, when it may not be.
    dry_until: Option<Elapsed>,
    /// By what the timer of the bucket is known.
    pub(super) ticket: Option<RunKey>,
    /// Runs that are not shown.
    held: BTreeMap<(LaneId, Seq), RunKey>,
    /// Runs that are: the first of each lane, or none.
    shown: BTreeMap<LaneId, (Seq, RunKey)>,
}

impl Limits {
    /// None where a job has no limits of its own.
    pub(super) fn new(options: &Options) -> Option<Self> {
        if options.concurrency.is_none() && options.rate.is_none() {
            return None;
        }
        Some(Self {
            concurrency: options.concurrency.map_or(usize::MAX, |limit| limit.get() as usize),
            bucket: options.rate.map(Bucket::new),
            dry_until: None,
            ticket: None,
            held: BTreeMap::new(),
            shown: BTreeMap::new(),
        })
    }

    /// What holds from now on. One that was a limit and is none any more stays in the account of the job, and holds nothing back.
    /// Answers as [`start`](Self::start).
    pub(super) fn set(&mut self, options: &Options, before: &Options, now: Elapsed) -> Option<Duration> {
        self.concurrency = options.concurrency.map_or(usize::MAX, |limit| limit.get() as usize);
        if options.rate == before.rate {
            return None;
        }
        self.bucket = options.rate.map(|rate| match &self.bucket {
            Some(bucket) => bucket.changed(rate, now),
            None => Bucket::new(rate),
        });
        self.look(now)
    }

    /// Looks whether the bucket is empty. Answers how long it is, where nobody comes before that.
    fn look(&mut self, now: Elapsed) -> Option<Duration> {
        let Some(wait) = self.bucket.as_ref().and_then(|bucket| bucket.wait(now)) else {
            self.dry_until = None;
            return None;
        };
        let until = now.saturating_add(wait);
        if self.dry_until.is_some_and(|comes| now < comes && comes <= until) {
            return None;
        }
        self.dry_until = Some(until);
        Some(wait)
    }

    pub(super) fn has_rate(&self) -> bool {
        self.bucket.is_some()
    }

    /// Whether the rate lets no attempt start for now.
    pub(super) fn is_dry(&self) -> bool {
        self.dry_until.is_some()
    }

    /// Whether another attempt may start beside so many.
    fn is_open(&self, running: usize) -> bool {
        running < self.concurrency && self.dry_until.is_none()
    }

    pub(super) fn add(&mut self, lane: LaneId, seq: Seq, key: RunKey) {
        self.held.insert((lane, seq), key);
    }

    /// Takes out a run that has been cancelled. Answers whether it was shown.
    pub(super) fn remove(&mut self, lane: LaneId, seq: Seq) -> bool {
        if self.shown.get(&lane).is_some_and(|(shown, _)| *shown == seq) {
            self.shown.remove(&lane);
            return true;
        }
        self.held.remove(&(lane, seq));
        false
    }

    /// A run that was shown has been claimed: an attempt starts. Answers after which time somebody is to come, since no other
    /// may start before.
    pub(super) fn start(&mut self, lane: LaneId, now: Elapsed) -> Option<Duration> {
        self.shown.remove(&lane);
        self.bucket.as_mut()?.take(now);
        self.look(now)
    }

    /// Somebody has come, who was told to when the bucket was found empty. Answers as [`start`](Self::start). Who was told
    /// of a rate that is another by now comes for nothing.
    pub(super) fn refill(&mut self, now: Elapsed) -> Option<Duration> {
        if self.dry_until.is_some_and(|until| now < until) { None } else { self.look(now) }
    }

    /// The runs to be shown while so many attempts execute.
    pub(super) fn show(&mut self, running: usize, mut show: impl FnMut(LaneId, Seq, RunKey)) {
        if !self.is_open(running) {
            return;
        }
        let mut from = Bound::Unbounded;
        while let Some((&(lane, seq), &key)) = self.held.range((from, Bound::Unbounded)).next() {
            from = Bound::Excluded((lane, Seq::MAX));
            if !self.shown.contains_key(&lane) {
                self.held.remove(&(lane, seq));
                self.shown.insert(lane, (seq, key));
                show(lane, seq, key);
            }
        }
    }

    /// The runs that are not to be shown any more, while so many attempts execute.
    pub(super) fn hide(&mut self, running: usize, mut hide: impl FnMut(LaneId, Seq)) {
        if self.is_open(running) {
            return;
        }
        while let Some((lane, (seq, key))) = self.shown.pop_first() {
            self.held.insert((lane, seq), key);
            hide(lane, seq);
        }
    }

    /// All available runs of the job, each with its place in the order.
    pub(super) fn runs(&self) -> impl Iterator<Item = (Seq, RunKey)> {
        self.held.iter().map(|((_, seq), key)| (*seq, *key)).chain(self.shown.values().copied())
    }

    /// The first of the runs of each lane that are not shown.
    pub(super) fn heads(&self) -> impl Iterator<Item = (LaneId, RunKey)> {
        let mut from = Bound::Unbounded;
        std::iter::from_fn(move || {
            let (&(lane, _), &key) = self.held.range((from, Bound::Unbounded)).next()?;
            from = Bound::Excluded((lane, Seq::MAX));
            Some((lane, key))
        })
    }
}

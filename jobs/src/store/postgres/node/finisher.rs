//! Ends are written together, and as often as it takes.

use std::collections::HashSet;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc;

use super::standing::Part;
use super::{Shared, Unwritten};
use crate::clock::{Hold, monotonic_now};
use crate::store::postgres::end::{End, Fence, Finished, Follows};
use crate::store::postgres::id::Id;
use crate::store::postgres::parts::{MOST, Portion};
use crate::store::postgres::trouble::{Pause, Trouble, ask};
use crate::telemetry::{self, ClusterNews};

/// What comes in.
pub(super) enum Finish {
    Claim(Finished, Unwritten),
    /// The node leaves; what stands before this is written.
    Close,
}

/// How long it waits before it comes back for what a transaction of its job's locked.
const LOCKED: Duration = Duration::from_millis(200);

/// What takes the place of what an attempt has ended with, in letters of every encoding.
const UNWRITTEN: &str = "the server does not take the message of this attempt and what it has recorded";

/// How often the server is asked when the node leaves: what it does not take is rescued.
const TRIES_AT_THE_END: u32 = 5;

impl Shared {
    /// Writes what ends, until the node leaves. When the server does not answer by then, the rest is left to be rescued.
    pub(super) async fn finish(&self, from: &mut mpsc::UnboundedReceiver<(Finish, Hold)>) {
        // What transactions of their jobs' may have ended: nobody else waits for these.
        let (mut waiting, mut locked) = (Vec::new(), Vec::new());
        let (mut again, mut portion) = (monotonic_now(), Portion::new());
        loop {
            tokio::select! {
                biased;
                count = from.recv_many(&mut waiting, MOST) => if count == 0 { return },
                () = tokio::time::sleep_until(again), if !locked.is_empty() => {}
            }
            let (mut ends, mut returns, mut close) = (Vec::new(), Vec::new(), false);
            let before = locked.len();
            // A test's time does not wait for those that are locked.
            let (mut holds, mut unwritten) = (Vec::with_capacity(waiting.len()), Vec::new());
            for (finish, hold) in waiting.drain(..) {
                holds.push(hold);
                match finish {
                    Finish::Claim(finished, of) => {
                        unwritten.push(of);
                        match finished {
                            finished if self.claims.completes(finished.fence()) => locked.push(finished),
                            Finished::End(end) => ends.push(*end),
                            Finished::Return(fence) => returns.push(fence),
                        }
                    }
                    Finish::Close => close = true,
                }
            }
            let mut rest = &ends[..];
            while !rest.is_empty() {
                let Ok(written) = self.write_ends(rest, &mut portion).await else { return };
                let (part, left) = rest.split_at(written);
                rest = left;
                self.claims.remove(part.iter().map(|end| end.fence));
                self.limits_let_more();
                self.waiting.changed.call(Some(&self.clock));
            }
            if self.write_returns(&returns, &mut portion).await.is_err() {
                return;
            }
            if !locked.is_empty() && (locked.len() > before || close || monotonic_now() >= again) {
                if let Err(Trouble::Passing(_)) = self.write_free(&mut locked, &mut portion).await {
                    return;
                }
                again = monotonic_now() + LOCKED;
            }
            drop(unwritten);
            if self.is_behind.swap(false, Ordering::SeqCst) {
                self.wake.call(Some(&self.clock));
            }
            self.stir();
            if close {
                return;
            }
        }
    }

    /// What has ended does not count against limits any more.
    fn limits_let_more(&self) {
        if !self.host.limited().is_empty() && self.backlog.load(Ordering::SeqCst) {
            self.tell_all();
        }
    }

    /// Writes what may be locked, and leaves what is.
    async fn write_free(&self, locked: &mut Vec<Finished>, portion: &mut Portion) -> Result<(), Trouble> {
        let mut stand = HashSet::new();
        let mut rest = &locked[..];
        while !rest.is_empty() {
            let (some, answer) = self.finish_free(rest, portion).await;
            match answer {
                Ok(stands) => stand.extend(stands),
                Err(trouble @ Trouble::Passing(_)) => return Err(trouble),
                // One of them may be at fault: the others do not suffer for it.
                Err(_) => {
                    for one in some {
                        match self.finish_free(std::slice::from_ref(one), &mut Portion::new()).await.1 {
                            Ok(stands) => stand.extend(stands),
                            Err(trouble @ Trouble::Passing(_)) => return Err(trouble),
                            Err(_) => self.write_finished(one).await?,
                        }
                    }
                }
            }
            rest = &rest[some.len()..];
        }
        let (standing, settled): (Vec<_>, Vec<_>) =
            locked.drain(..).partition(|finished| stand.contains(&finished.fence().id));
        *locked = standing;
        if settled.is_empty() {
            return Ok(());
        }
        self.claims.remove(settled.iter().map(Finished::fence));
        self.waiting.changed.call(Some(&self.clock));
        self.tell_all();
        let ends = settled.iter().filter_map(|finished| match finished {
            Finished::End(end) => Some(&**end),
            Finished::Return(_) => None,
        });
        self.succeed(ends).await
    }

    /// It waits for whoever has locked it.
    async fn write_finished(&self, finished: &Finished) -> Result<(), Trouble> {
        match finished {
            Finished::End(end) => self.write_one(end).await,
            Finished::Return(fence) => {
                self.write_returns(std::slice::from_ref(fence), &mut Portion::new()).await
            }
        }
    }

    /// Writes as many of these as go together, and answers which of them still stand, since they are locked.
    async fn finish_free<'a>(
        &self,
        rest: &'a [Finished],
        portion: &mut Portion,
    ) -> (&'a [Finished], Result<Vec<Id>, Trouble>) {
        let mut some = &rest[..0];
        let answer = self.persist(|| {
            some = portion.first(rest, some, Finished::bytes);
            self.db.finish_free(self.identity.id, some)
        });
        let (standing, back) = match answer.await {
            Ok(answer) => answer,
            Err(trouble) => return (some, Err(trouble)),
        };
        portion.has_gone();
        let returned = |finished: &&Finished| {
            matches!(finished, Finished::Return(_)) && !standing.contains(&finished.fence().id)
        };
        if back.count < some.iter().filter(returned).count() {
            self.leave_undone();
        }
        self.follow(back.ended).await;
        (some, Ok(standing))
    }

    async fn write_returns(&self, returns: &[Fence], portion: &mut Portion) -> Result<(), Trouble> {
        let mut rest = returns;
        while !rest.is_empty() {
            let mut part = &rest[..0];
            let back = self.insist(|| {
                part = portion.first(rest, part, |_| 0);
                self.db.give_back(self.identity.id, part)
            });
            let back = back.await?;
            portion.has_gone();
            rest = &rest[part.len()..];
            self.claims.remove(part.iter().copied());
            self.have_gone_back(back, part.len()).await;
        }
        Ok(())
    }

    /// Writes as many of these as go together, and answers how many those are. An error is the answer only when the node leaves.
    async fn write_ends(&self, rest: &[End], portion: &mut Portion) -> Result<usize, Trouble> {
        let mut ends = &rest[..0];
        let answer = self.persist(|| {
            ends = portion.first(rest, ends, End::bytes);
            self.db.end(self.identity.id, ends)
        });
        match answer.await {
            Ok(counted) => {
                portion.has_gone();
                if counted < ends.len() {
                    telemetry::cluster(ClusterNews::Fenced(ends.len() - counted));
                }
            }
            Err(trouble @ Trouble::Passing(_)) => return Err(trouble),
            // One of them may be at fault: the others do not suffer for it.
            Err(_) => {
                for end in ends {
                    self.write_one(end).await?;
                }
            }
        }
        if ends.iter().any(|end| matches!(end.follows, Follows::Retry(_))) {
            self.has_arrived();
        }
        self.succeed(ends.iter()).await?;
        Ok(ends.len())
    }

    /// What waited for the ends of these starts.
    async fn succeed(&self, ends: impl Iterator<Item = &End>) -> Result<(), Trouble> {
        let mut jobs: Vec<String> = ends.filter_map(|end| end.slot_of.clone()).collect();
        if jobs.is_empty() {
            return Ok(());
        }
        jobs.sort();
        jobs.dedup();
        match self.persist(|| self.db.succeed(&jobs)).await {
            Ok(succeeded) => self.has_succeeded(succeeded),
            Err(trouble @ Trouble::Passing(_)) => return Err(trouble),
            Err(_) => self.leave_undone(),
        }
        Ok(())
    }

    /// Writes the end of a run as it is or, where the server takes the text of it for no text of its own, without that: an end
    /// that is not written is a run that executes again.
    async fn write_one(&self, end: &End) -> Result<(), Trouble> {
        let node = self.identity.id;
        let mut pause = Pause::new(node.0);
        loop {
            match self.persist(|| self.db.end(node, std::slice::from_ref(end))).await {
                Ok(_) => return Ok(()),
                // Where it is said of the role or the database how long a lock is waited for.
                Err(Trouble::Held) if !self.is_closing() => self.rest(&mut pause).await,
                Err(trouble @ (Trouble::Passing(_) | Trouble::Held)) => return Err(trouble),
                Err(trouble) => {
                    telemetry::cluster(ClusterNews::Unwritten(trouble.message()));
                    break;
                }
            }
        }
        let bare = End { message: Some(UNWRITTEN.to_owned()), record: None, ..end.clone() };
        self.insist(|| self.db.end(node, std::slice::from_ref(&bare))).await?;
        Ok(())
    }

    /// Asks until the server has done it, whatever it says meanwhile. An error is the answer only when the node leaves.
    async fn insist<T, F>(&self, mut question: impl FnMut() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let mut pause = Pause::new(self.identity.id.0);
        loop {
            match self.persist(&mut question).await {
                Err(Trouble::Lasting(_) | Trouble::Held) if !self.is_closing() => self.rest(&mut pause).await,
                answer => return answer,
            }
        }
    }

    /// Asks until the server has answered. What is written twice counts once: the claim is gone by then. An error
    /// that passes is the answer only when the node leaves.
    async fn persist<T, F>(&self, mut question: impl FnMut() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let mut pause = Pause::new(self.identity.id.0);
        let mut tries = 0;
        loop {
            let answer = ask(question()).await;
            self.stands(Part::Ends, &answer);
            tries += u32::from(self.is_closing());
            match answer {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Passing(_)) if tries < TRIES_AT_THE_END => self.rest(&mut pause).await,
                Err(trouble) => return Err(trouble),
            }
        }
    }
}

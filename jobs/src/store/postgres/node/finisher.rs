//! Ends are written together, and as often as it takes.

use std::sync::atomic::Ordering;

use tokio::sync::mpsc;

use super::Shared;
use crate::store::postgres::end::{End, Fence, Follows};
use crate::store::postgres::trouble::{Pause, Trouble, ask};
use crate::telemetry::{self, ClusterNews};

/// What becomes of a claim.
pub(super) enum Finish {
    End(Box<End>),
    /// With whether its attempt had begun.
    Return(Fence, bool),
    /// The node leaves; what stands before this is written.
    Close,
}

/// How many go in one statement.
const MOST: usize = 500;

/// How often the server is asked when the node leaves: what it does not take is rescued.
const TRIES_AT_THE_END: u32 = 5;

impl Shared {
    /// Writes what ends, until the node leaves. When the server does not answer by then, the rest is left to be rescued.
    pub(super) async fn finish(&self, from: &mut mpsc::UnboundedReceiver<Finish>) {
        let mut waiting = Vec::new();
        while from.recv_many(&mut waiting, MOST).await > 0 {
            let (mut ends, mut returns, mut close) = (Vec::new(), Vec::new(), false);
            for finish in waiting.drain(..) {
                match finish {
                    Finish::End(end) => ends.push(*end),
                    Finish::Return(fence, begun) => returns.push((fence, begun)),
                    Finish::Close => close = true,
                }
            }
            if !ends.is_empty() {
                if let Err(Trouble::Passing(_)) = self.write_ends(&ends).await {
                    return;
                }
                self.claims.remove(ends.iter().map(|end| end.fence));
                self.limits_let_more();
                self.waiting.changed.notify_one();
            }
            if !returns.is_empty() {
                let written = self.persist(|| self.db.give_back(self.identity.id, &returns)).await;
                if let Err(Trouble::Passing(_)) = written {
                    return;
                }
                self.claims.remove(returns.iter().map(|(fence, _)| *fence));
                self.news.notify_one();
            }
            if close {
                return;
            }
        }
    }

    /// What has ended does not count against limits any more.
    fn limits_let_more(&self) {
        if !self.identity.limited.is_empty() && self.backlog.load(Ordering::SeqCst) {
            self.tell_all();
        }
    }

    /// What fails in passing only does so in the end.
    async fn write_ends(&self, ends: &[End]) -> Result<(), Trouble> {
        match self.persist(|| self.db.end(self.identity.id, ends)).await {
            Ok(counted) if counted.len() < ends.len() => {
                telemetry::cluster(ClusterNews::Fenced(ends.len() - counted.len()));
            }
            Ok(_) => {}
            Err(trouble @ Trouble::Passing(_)) => return Err(trouble),
            // One of them may be at fault: the others do not suffer for it.
            Err(_) if ends.len() > 1 => {
                for end in ends {
                    let written = self.persist(|| self.db.end(self.identity.id, std::slice::from_ref(end)));
                    if let Err(trouble @ Trouble::Passing(_)) = written.await {
                        return Err(trouble);
                    }
                }
            }
            Err(_) => {}
        }
        if ends.iter().any(|end| matches!(end.follows, Follows::Retry(_))) {
            self.has_arrived();
        }
        let mut jobs: Vec<String> = ends.iter().filter_map(|end| end.slot_of.clone()).collect();
        if jobs.is_empty() {
            return Ok(());
        }
        jobs.sort();
        jobs.dedup();
        match self.persist(|| self.db.succeed(&jobs)).await {
            Ok(started) if started > 0 => self.has_arrived(),
            Err(trouble @ Trouble::Passing(_)) => return Err(trouble),
            _ => {}
        }
        Ok(())
    }

    /// Asks until the server has answered. What is written twice counts once: the claim is gone by then. An error
    /// that passes is the answer only when the node leaves.
    async fn persist<T, F>(&self, question: impl Fn() -> F) -> Result<T, Trouble>
    where
        F: Future<Output = sqlx::Result<T>>,
    {
        let mut pause = Pause::new(self.identity.id.0);
        let mut tries = 0;
        loop {
            let answer = ask(question()).await;
            self.stands(&answer);
            tries += u32::from(self.is_closing());
            match answer {
                Ok(answer) => return Ok(answer),
                Err(Trouble::Passing(_)) if tries < TRIES_AT_THE_END => self.rest(&mut pause).await,
                Err(trouble) => {
                    telemetry::cluster(ClusterNews::Unwritten(trouble.message()));
                    return Err(trouble);
                }
            }
        }
    }
}

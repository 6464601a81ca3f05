//! The group commit of submissions.

use std::collections::VecDeque;

use tokio::sync::{mpsc, oneshot};

use super::Shared;
use crate::store::postgres::submit::{NewRun, Submitted};
use crate::store::postgres::trouble::{Pause, Trouble, ask};

/// A run to be submitted, and who is told when it is.
pub(super) struct Submission {
    pub(super) run: NewRun,
    pub(super) told: oneshot::Sender<Result<Submitted, Trouble>>,
}

/// How many go in one statement, and how many bytes of arguments.
const MOST: usize = 1000;
const MOST_BYTES: usize = 4 << 20;

impl Shared {
    /// Takes submissions as they come. Those that stand for others travel apart: they may have to wait for a
    /// transaction of somebody else's.
    pub(super) async fn take_submissions(&self, mut from: mpsc::UnboundedReceiver<Submission>) {
        let (plain, plain_from) = mpsc::unbounded_channel();
        let (unique, unique_from) = mpsc::unbounded_channel();
        let part = async move {
            while let Some(submission) = from.recv().await {
                let to = if submission.run.unique.is_some() { &unique } else { &plain };
                let _ = to.send(submission);
            }
        };
        tokio::join!(part, self.commit_groups(plain_from, false), self.commit_groups(unique_from, true));
    }

    async fn commit_groups(&self, mut from: mpsc::UnboundedReceiver<Submission>, unique: bool) {
        let mut waiting = Vec::new();
        while from.recv_many(&mut waiting, MOST).await > 0 {
            let mut waiting_now: VecDeque<_> = waiting.drain(..).collect();
            while !waiting_now.is_empty() {
                let mut bytes = 0;
                let fits = |submission: &Submission| {
                    bytes += submission.run.args.len();
                    bytes <= MOST_BYTES
                };
                let count = waiting_now.iter().map(fits).take_while(|fits| *fits).count().max(1);
                let batch = waiting_now.drain(..count).collect();
                self.commit(batch, unique).await;
            }
        }
    }

    async fn commit(&self, batch: Vec<Submission>, unique: bool) {
        let (runs, told): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|submission| (submission.run, submission.told)).unzip();
        match self.commit_runs(&runs, unique).await {
            Ok(submitted) => {
                self.wake.notify_one();
                self.news.notify_one();
                told.into_iter().zip(submitted).for_each(|(told, submitted)| drop(told.send(Ok(submitted))));
            }
            // One of them may be at fault: the others do not suffer for it.
            Err(_) if runs.len() > 1 => {
                for (run, told) in runs.iter().zip(told) {
                    let submitted = self.commit_runs(std::slice::from_ref(run), unique).await;
                    let first =
                        |submitted: Vec<Submitted>| submitted.first().copied().unwrap_or(Submitted::New);
                    let _ = told.send(submitted.map(first));
                }
            }
            Err(trouble) => {
                let message = trouble.message();
                for told in told {
                    let _ = told.send(Err(Trouble::Lasting(message.to_owned())));
                }
            }
        }
    }

    /// Again and again, until the server has said whether it has them: the runs have their identities, so what is sent twice
    /// is there once.
    async fn commit_runs(&self, runs: &[NewRun], unique: bool) -> Result<Vec<Submitted>, Trouble> {
        let mut pause = Pause::new(self.identity.id.0);
        loop {
            let answer = if unique {
                ask(self.db.submit_unique(runs)).await
            } else {
                ask(self.db.submit(runs)).await.map(|()| vec![Submitted::New; runs.len()])
            };
            self.stands(&answer);
            match answer {
                Err(Trouble::Passing(_)) if !self.is_closing() => self.rest(&mut pause).await,
                answer => return answer,
            }
        }
    }
}

//! The group commit of submissions.

use std::time::Duration;

use tokio::sync::mpsc;

use super::Shared;
use super::standing::Part;
use crate::clock::Told;
use crate::store::postgres::parts::{MOST, Portion};
use crate::store::postgres::submit::{NewRun, Submitted};
use crate::store::postgres::trouble::{Pause, Trouble, ask};

/// A run to be submitted, and who is told when it is.
pub(super) struct Submission {
    pub(super) run: NewRun,
    pub(super) told: Told<Result<Submitted, Trouble>>,
}

/// How long a group waits for a transaction of somebody else's that has submitted the same, and how long one that had to
/// wait already.
const GROUP_PATIENCE: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(2);

type Queue = mpsc::UnboundedReceiver<Submission>;

impl Shared {
    /// Takes submissions as they come.
    ///
    /// Those that stand for others travel apart from the rest, since a transaction of somebody else's may hold them up; and the
    /// ones that are held up go on waiting by themselves.
    pub(super) async fn take_submissions(&self, from: &mut Queue) {
        let (plain, plain_from) = mpsc::unbounded_channel();
        let (unique, unique_from) = mpsc::unbounded_channel();
        let (held, held_from) = mpsc::unbounded_channel();
        let part = async move {
            while let Some(submission) = from.recv().await {
                let to = if submission.run.unique.is_some() { &unique } else { &plain };
                let _ = to.send(submission);
            }
        };
        tokio::join!(
            part,
            self.commit_groups(plain_from, Kind::Plain),
            self.commit_groups(unique_from, Kind::Unique { held: held.clone() }),
            self.commit_held(held_from, held),
        );
    }

    async fn commit_groups(&self, mut from: Queue, kind: Kind) {
        let (mut waiting, mut portion) = (Vec::new(), Portion::new());
        while from.recv_many(&mut waiting, MOST).await > 0 {
            let (runs, told): (Vec<_>, Vec<_>) =
                waiting.drain(..).map(|submission: Submission| (submission.run, submission.told)).unzip();
            let (mut rest, mut told) = (&runs[..], told.into_iter());
            while !rest.is_empty() {
                let (part, answer) = self.commit_runs(rest, kind.patience(), &mut portion).await;
                rest = &rest[part.len()..];
                let told = told.by_ref().take(part.len());
                match answer {
                    Ok(submitted) => {
                        told.zip(submitted).for_each(|(told, submitted)| told.tell(Ok(submitted)));
                    }
                    // One of them may be at fault: the others do not suffer for it.
                    Err(_) if part.len() > 1 => {
                        for (run, told) in part.iter().zip(told) {
                            self.commit_one(Submission { run: run.clone(), told }, &kind).await;
                        }
                    }
                    Err(trouble) => {
                        for (run, told) in part.iter().zip(told) {
                            refuse(Submission { run: run.clone(), told }, &kind, &trouble);
                        }
                    }
                }
            }
        }
    }

    async fn commit_one(&self, submission: Submission, kind: &Kind) {
        let run = std::slice::from_ref(&submission.run);
        match self.commit_runs(run, kind.patience(), &mut Portion::new()).await.1 {
            Ok(submitted) => {
                submission.told.tell(Ok(submitted.first().copied().unwrap_or(Submitted::New)));
            }
            Err(trouble) => refuse(submission, kind, &trouble),
        }
    }

    /// Those that are held up take turns.
    async fn commit_held(&self, mut from: Queue, held: mpsc::UnboundedSender<Submission>) {
        let kind = Kind::Held { held };
        while let Some(submission) = from.recv().await {
            if !submission.told.is_closed() {
                self.commit_one(submission, &kind).await;
            }
        }
    }

    /// Again and again, until the server has said whether it has them: the runs have their identities, so what is sent twice
    /// is there once. Answers of which of them that is true.
    async fn commit_runs<'a>(
        &self,
        rest: &'a [NewRun],
        patience: Option<Duration>,
        portion: &mut Portion,
    ) -> (&'a [NewRun], Result<Vec<Submitted>, Trouble>) {
        let (mut pause, mut runs) = (Pause::new(self.identity.id.0), &rest[..0]);
        loop {
            runs = portion.first(rest, runs, |run| run.args.len());
            let answer = match patience {
                Some(patience) => ask(self.db.submit_unique(runs, patience)).await,
                None => ask(self.db.submit(runs)).await.map(|()| vec![Submitted::New; runs.len()]),
            };
            if !matches!(answer, Err(Trouble::Held)) {
                self.stands(Part::Submissions, &answer);
            }
            match answer {
                Err(Trouble::Passing(_)) if !self.is_closing() => self.rest(&mut pause).await,
                Ok(submitted) => {
                    portion.has_gone();
                    self.were_submitted(runs);
                    return (runs, Ok(submitted));
                }
                refused => return (runs, refused),
            }
        }
    }
}

impl Shared {
    /// Submits all of these or none, again and again, until the server has said whether it has them. Those who do so take
    /// turns, and whoever is held up lets the next one go first.
    pub(super) async fn commit_all(&self, runs: &[NewRun]) -> Result<Vec<Submitted>, Trouble> {
        let mut pause = Pause::new(self.identity.id.0);
        loop {
            let answer = {
                let _turn = self.turn.lock().await;
                self.db.submit_all(runs, GROUP_PATIENCE).await
            };
            if !matches!(answer, Err(Trouble::Held)) {
                self.stands(Part::Submissions, &answer);
            }
            match answer {
                Err(Trouble::Passing(_) | Trouble::Held) if !self.is_closing() => self.rest(&mut pause).await,
                Ok(submitted) => {
                    self.were_submitted(runs);
                    return Ok(submitted);
                }
                refused => return refused,
            }
        }
    }
}

/// How submissions travel.
enum Kind {
    Plain,
    Unique {
        held: mpsc::UnboundedSender<Submission>,
    },
    /// It had to wait already.
    Held {
        held: mpsc::UnboundedSender<Submission>,
    },
}

impl Kind {
    fn patience(&self) -> Option<Duration> {
        match self {
            Self::Plain => None,
            Self::Unique { .. } => Some(GROUP_PATIENCE),
            Self::Held { .. } => Some(PATIENCE),
        }
    }
}

fn refuse(submission: Submission, kind: &Kind, trouble: &Trouble) {
    match (trouble, kind) {
        (Trouble::Held, Kind::Unique { held } | Kind::Held { held }) => drop(held.send(submission)),
        _ => submission.told.tell(Err(trouble.clone())),
    }
}

//! What others want to know of the server, asked on the node's thread: connections belong to the runtime that made them.

use std::pin::Pin;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{Node, Shared};
use crate::store::postgres::db::Db;
use crate::store::postgres::trouble::{Trouble, ask};

/// How long somebody who cannot await waits for the answer.
const PATIENCE: Duration = Duration::from_secs(12);

/// A question, which sends its answer itself.
pub(super) type Question = Box<dyn FnOnce(Db) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

fn gone() -> Trouble {
    Trouble::Lasting("the store is closed".to_owned())
}

impl Node {
    /// Asks the server something, and waits for the answer, ten seconds at most.
    pub(crate) async fn ask<T, F>(
        &self,
        question: impl FnOnce(Db) -> F + Send + 'static,
    ) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: Future<Output = sqlx::Result<T>> + Send + 'static,
    {
        let (told, answer) = oneshot::channel();
        self.put(question, move |answer| drop(told.send(answer)))?;
        answer.await.map_err(|_| gone())?
    }

    /// The same for code that is not async. It blocks its thread.
    pub(crate) fn ask_blocking<T, F>(
        &self,
        question: impl FnOnce(Db) -> F + Send + 'static,
    ) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: Future<Output = sqlx::Result<T>> + Send + 'static,
    {
        let (told, answer) = sync_channel(1);
        self.put(question, move |answer| drop(told.send(answer)))?;
        answer.recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Timeout => {
                Trouble::Passing(format!("the server has not answered for {} s", PATIENCE.as_secs()))
            }
            RecvTimeoutError::Disconnected => gone(),
        })?
    }

    fn put<T, F>(
        &self,
        question: impl FnOnce(Db) -> F + Send + 'static,
        tell: impl FnOnce(Result<T, Trouble>) + Send + 'static,
    ) -> Result<(), Trouble>
    where
        T: Send + 'static,
        F: Future<Output = sqlx::Result<T>> + Send + 'static,
    {
        let question: Question = Box::new(move |db| Box::pin(async move { tell(ask(question(db)).await) }));
        self.questions.send(question).map_err(|_| gone())
    }
}

impl Shared {
    /// Asks what others want to know, side by side.
    pub(super) async fn take_questions(&self, mut from: mpsc::UnboundedReceiver<Question>) {
        let mut asked = JoinSet::new();
        while let Some(question) = from.recv().await {
            asked.spawn(question(self.db.clone()));
            // Those that have been answered.
            while asked.try_join_next().is_some() {}
        }
    }
}

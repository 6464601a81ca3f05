//! What others want to know of the server, asked on the node's thread: connections belong to the runtime that made them.

use std::pin::Pin;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use super::{Node, Shared};
use crate::clock::Told;
use crate::store::postgres::db::Db;
use crate::store::postgres::trouble::{Trouble, ask};

/// A question, which sends its answer itself.
pub(super) type Question = Box<dyn FnOnce(Db) -> Pin<Box<dyn Future<Output = ()> + Send>> + Send>;

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
        let shared = std::sync::Arc::clone(&self.shared);
        let told = Told::new(told, &shared.clock);
        let work = |db| async move {
            let answer = ask(question(db)).await;
            // It may have been more than a question.
            shared.stir();
            told.tell(answer);
        };
        self.questions.send(Box::new(move |db| Box::pin(work(db)))).map_err(|_| Trouble::Closed)?;
        answer.await.map_err(|_| left())?
    }
}

/// Nobody knows what the server has made of it.
pub(super) fn left() -> Trouble {
    Trouble::Passing("this process has left the cluster before the server has answered".to_owned())
}

impl Shared {
    /// Asks what others want to know, side by side.
    pub(super) async fn take_questions(
        &self,
        from: &mut mpsc::UnboundedReceiver<Question>,
        asked: &mut JoinSet<()>,
    ) {
        while let Some(question) = from.recv().await {
            asked.spawn(question(self.db.clone()));
            // Those that have been answered.
            while asked.try_join_next().is_some() {}
        }
    }
}

//! Nodes wake each other. It saves a second of waiting and nothing depends on it.
//!
//! What was submitted is told in a statement of its own, after the commit: within the transaction that submits, it would
//! make the commits of all nodes wait for each other. And it is told once for all that was submitted meanwhile.

use std::sync::atomic::Ordering;
use std::time::Duration;

use sqlx::postgres::PgListener;

use super::Shared;
use crate::store::postgres::connections::pool;
use crate::store::postgres::trouble::{Pause, ask};

/// How long it hears nothing before it asks whether anybody is there, and how long that may take to answer.
const SILENCE: Duration = Duration::from_secs(15);
const ANSWERED: Duration = Duration::from_secs(5);

impl Shared {
    fn channel(&self) -> String {
        format!("jobs_{}", self.db.schema)
    }

    /// What it does not need to hear itself.
    fn name_in_news(&self) -> String {
        format!("{:032x}", self.identity.id.0)
    }

    /// Tells the other nodes that something was submitted.
    pub(super) async fn tell_news(&self) {
        let (channel, from) = (self.channel(), self.name_in_news());
        loop {
            self.news.notified().await;
            if self.alone.load(Ordering::SeqCst) {
                continue;
            }
            let notify = sqlx::query("select pg_notify($1, $2)").bind(&channel).bind(&from);
            let notify = notify.execute(&self.db.pool);
            // They poll.
            let _ = ask(notify).await;
        }
    }

    /// Listens to the other nodes.
    pub(super) async fn listen(&self) {
        if self.clock.is_virtual() {
            // The others are in this process.
            return std::future::pending().await;
        }
        let mut pause = Pause::new(self.identity.id.0 >> 32);
        loop {
            // An end of the connection is no news: whoever polls sees how things stand.
            let _ = self.listen_once(&mut pause).await;
            self.has_arrived();
            self.rest(&mut pause).await;
        }
    }

    async fn listen_once(&self, pause: &mut Pause) -> sqlx::Result<()> {
        // A pool for it alone: what becomes of a connection that has fallen silent is nobody else's.
        let options = (*self.db.pool.connect_options()).clone();
        let mut listener = PgListener::connect_with(&pool(options, 1)).await?;
        listener.ignore_pool_close_event(true);
        listener.listen(&self.channel()).await?;
        // The others may think that they are alone.
        self.news.notify_one();
        let own = self.name_in_news();
        loop {
            let Ok(heard) = tokio::time::timeout(SILENCE, listener.try_recv()).await else {
                let check = sqlx::query("select 'heard'").execute(&mut listener);
                if tokio::time::timeout(ANSWERED, check).await.is_ok_and(|answer| answer.is_ok()) {
                    continue;
                }
                return Ok(());
            };
            // None is a lost connection: there may have been news meanwhile.
            let heard = heard?;
            pause.reset();
            if heard.as_ref().is_some_and(|heard| heard.payload() == own) {
                continue;
            }
            self.alone.store(false, Ordering::SeqCst);
            self.has_arrived();
            if heard.is_none() {
                return Ok(());
            }
        }
    }
}

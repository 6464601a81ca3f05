//! Submitting, and completing, in a transaction of the program's own.

use super::Jobs;
use super::error::SubmitError;
use super::handle::RunHandle;
use super::many::SubmitMany;
use super::order::Order;
use super::submission::Submission;

/// A transaction of the program's own on the database that `jobs.store` names: `sqlx::Transaction<'_, Postgres>` or
/// `sqlx::Transaction<'_, Sqlite>` of sqlx 0.9, from whichever pool, or a `PgConnection` or `SqliteConnection` that is in one.
pub trait StoreTransaction: sealed::Connected {}

impl<T: sealed::Connected + ?Sized> StoreTransaction for T {}

pub(super) mod sealed {
    use sqlx::Transaction;

    /// A connection to one of the databases that are stores.
    #[derive(Debug)]
    pub enum Connection<'c> {
        #[cfg(feature = "postgres")]
        Postgres(&'c mut sqlx::PgConnection),
        #[cfg(feature = "sqlite")]
        Sqlite(&'c mut sqlx::SqliteConnection),
    }

    pub trait Connected: Send {
        fn connection(&mut self) -> Connection<'_>;
    }

    #[cfg(feature = "postgres")]
    impl Connected for sqlx::PgConnection {
        fn connection(&mut self) -> Connection<'_> {
            Connection::Postgres(self)
        }
    }

    #[cfg(feature = "postgres")]
    impl Connected for Transaction<'_, sqlx::Postgres> {
        fn connection(&mut self) -> Connection<'_> {
            Connection::Postgres(self)
        }
    }

    #[cfg(feature = "sqlite")]
    impl Connected for sqlx::SqliteConnection {
        fn connection(&mut self) -> Connection<'_> {
            Connection::Sqlite(self)
        }
    }

    #[cfg(feature = "sqlite")]
    impl Connected for Transaction<'_, sqlx::Sqlite> {
        fn connection(&mut self) -> Connection<'_> {
            Connection::Sqlite(self)
        }
    }
}

use sealed::Connection;

impl<J: 'static> Submission<J> {
    /// Submits in a transaction of the program's own: the run is there when that commits, and never was when it is rolled back.
    /// What a request writes and the work that follows from it so become true together, without an outbox.
    ///
    /// The run starts within a second of the commit, or at once with [`RunHandle::wake`] after it. Before the commit the handle tells
    /// nothing: [`wait`](RunHandle::wait) gives [`Outcome::Unknown`](crate::Outcome::Unknown) on PostgreSQL, and on SQLite it and
    /// [`cancel`](RunHandle::cancel) wait for the end of the transaction, so not inside of it. `unique` holds: on PostgreSQL one that
    /// somebody else's open transaction has submitted is waited for, until that is over. So inside of a transaction submit what may
    /// be one with its runs by this alone, on either store.
    ///
    /// On SQLite a transaction that has written is the only one that may: what is submitted otherwise waits for its end, so inside
    /// of it submit by this alone. One that reads before it writes may find the file locked; begin it by
    /// `pool.begin_with("BEGIN IMMEDIATE")`.
    ///
    #[cfg_attr(feature = "postgres", doc = "```")]
    #[cfg_attr(not(feature = "postgres"), doc = "```ignore")]
    /// # use jobs::job;
    /// #[job]
    /// async fn confirm(order: i64) {}
    ///
    /// # async fn example(pool: sqlx::PgPool) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut tx = pool.begin().await?;
    /// let order: i64 = sqlx::query_scalar("insert into orders default values returning id").fetch_one(&mut *tx).await?;
    /// let run = jobs::now(confirm { order }).in_tx(&mut tx).await?;
    /// tx.commit().await?;
    /// run.wake();
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Those of a submission; a store in memory or of another kind than the transaction; a closure, whose runs belong to this
    /// process; what the database says, after which PostgreSQL takes nothing more in the transaction. Nothing was submitted then.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it completes, it may or may not have submitted in the transaction; roll that back.
    pub async fn in_tx<T: StoreTransaction + ?Sized>(self, tx: &mut T) -> Result<RunHandle, SubmitError> {
        #[cfg(feature = "testing")]
        let noted = self.noted();
        let (jobs, order) = self.order()?;
        #[cfg(feature = "testing")]
        let order = match &noted {
            Some(noted) => noted.held(order),
            None => order,
        };
        let handles = jobs.submit_in(vec![order], tx.connection()).await?;
        let handle = handles.into_iter().next().expect("invariant: one order has one handle");
        #[cfg(feature = "testing")]
        if let Some(noted) = noted {
            noted.submitted(&handle);
        }
        Ok(handle)
    }
}

impl<J: 'static> SubmitMany<J> {
    /// Submits in a transaction of the program's own, as [`Submission::in_tx`] does.
    ///
    /// # Errors
    ///
    /// Those of [`Submission::in_tx`], of any of them.
    pub async fn in_tx<T: StoreTransaction + ?Sized>(
        self,
        tx: &mut T,
    ) -> Result<Vec<RunHandle>, SubmitError> {
        #[cfg(feature = "testing")]
        let noted = self.noted();
        let Some((jobs, orders)) = self.orders()? else { return Ok(Vec::new()) };
        #[cfg(feature = "testing")]
        let orders = match noted.is_empty() {
            true => orders,
            false => orders.into_iter().zip(&noted).map(|(order, noted)| noted.held(order)).collect(),
        };
        let handles = jobs.submit_in(orders, tx.connection()).await?;
        #[cfg(feature = "testing")]
        noted.into_iter().zip(&handles).for_each(|(noted, handle)| noted.submitted(handle));
        Ok(handles)
    }
}

impl RunHandle {
    /// Lets a run start at once that was submitted in a transaction which has committed since. Without it, the run is found within
    /// a second.
    pub fn wake(&self) {
        self.jobs.wake_store();
    }
}

impl Jobs {
    fn wake_store(&self) {
        #[cfg(feature = "postgres")]
        if let Some(node) = self.inner.cluster.get().and_then(|cluster| cluster.node()) {
            node.tell();
        }
        #[cfg(feature = "sqlite")]
        if let Some(durable) = &self.inner.durable {
            durable.wake();
        }
    }

    async fn submit_in(
        &self,
        orders: Vec<Order>,
        connection: Connection<'_>,
    ) -> Result<Vec<RunHandle>, SubmitError> {
        match connection {
            #[cfg(feature = "postgres")]
            Connection::Postgres(connection) => match self.inner.cluster.get() {
                Some(cluster) => cluster.submit_in(self, orders, connection).await,
                None => Err(self.other_store("PostgreSQL")),
            },
            #[cfg(feature = "sqlite")]
            Connection::Sqlite(connection) => match &self.inner.durable {
                Some(durable) => durable.submit_in(self, orders, connection).await,
                None => Err(self.other_store("SQLite")),
            },
        }
    }

    fn other_store(&self, of: &str) -> SubmitError {
        let store = match &self.inner.settings().store.value {
            crate::config::Store::Memory => "memory",
            #[cfg(feature = "sqlite")]
            crate::config::Store::Sqlite { .. } => "SQLite",
            #[cfg(feature = "postgres")]
            crate::config::Store::Postgres(_) => "PostgreSQL",
        };
        SubmitError::bad_option(format!(
            "the transaction is one of {of}, and the runs are kept in {store}\n\
             help: `jobs.store` names the database of the transaction; without one, submit after the commit"
        ))
    }
}

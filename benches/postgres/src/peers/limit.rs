//! No library, but what none that asks the server can go without: a job is a row that is committed, and is marked as taken by a
//! commit before it starts. Whoever submits calls the worker, which is in the same process.

use std::sync::Arc;

use sqlx::PgPool;
use tokio::sync::Notify;

use super::{AT_A_TIME, Peer, Tuned, pool, portions};
use crate::probe;

#[derive(Debug, Clone)]
pub(crate) struct Limit {
    pool: PgPool,
    called: Arc<Notify>,
}

impl Peer for Limit {
    const UNFINISHED: &str = "select count(*) from job where taken is null";
    const FINISHED: &[&str] = &[];

    async fn connect(address: &str, _: Tuned) -> Self {
        let pool = pool(address).await;
        let tables = "create table job (id bigserial primary key, sent bigint not null, taken timestamptz);
            create index job_waits on job (id) where taken is null";
        sqlx::raw_sql(tables).execute(&pool).await.expect("an empty database");
        Self { pool, called: Arc::default() }
    }

    async fn submit(&self, sent: u64) {
        let sent = i64::try_from(sent).expect("not for centuries");
        let insert = sqlx::query("insert into job (sent) values ($1)").bind(sent);
        insert.execute(&self.pool).await.expect("nothing is in the way");
        self.called.notify_one();
    }

    async fn fill(&self, count: usize) {
        for portion in portions(count) {
            let many = sqlx::query("insert into job (sent) select 0 from generate_series(1, $1)");
            let many = many.bind(i64::try_from(portion).expect("a portion is small"));
            many.execute(&self.pool).await.expect("nothing is in the way");
        }
        self.called.notify_one();
    }

    async fn work(&self) {
        const TAKE: &str = "update job set taken = now() where id = any (array(
            select id from job where taken is null order by id limit $1 for update skip locked
        )) returning sent";
        let Self { pool, called } = self.clone();
        tokio::spawn(async move {
            loop {
                let take = sqlx::query_scalar(TAKE).bind(AT_A_TIME as i64);
                let taken: Vec<i64> = take.fetch_all(&pool).await.expect("nothing is in the way");
                if taken.is_empty() {
                    called.notified().await;
                }
                for sent in taken {
                    tokio::spawn(probe::run(sent.unsigned_abs()));
                }
            }
        });
    }
}

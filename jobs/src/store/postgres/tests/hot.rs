//! Rows that are written again and again stay on their pages: no index learns of it.

use jobs_syntax::Overlap;

use super::slots::{registration, slot};
use super::*;
use crate::store::postgres::claim::Limited;

#[tokio::test]
async fn what_is_written_often_costs_no_index_anything() {
    const TIMES: i64 = 60;
    let db = db().await;
    let node = db.joined(1).await;
    db.register(node, &[registration("sweep", "hourly")]).await.unwrap();
    let one = db.alone().await;
    let rate = Some((1_000_000, Duration::from_secs(1)));
    let limited = [Limited { job: "report".into(), concurrency: None, rate }];
    let wanted = Wanted { node, count: 1, jobs: &[], queues: &[], oldest: false, unseen: false };
    for minute in 0..TIMES {
        one.beat(node, GAP).await.unwrap().unwrap();
        one.fire(&[slot("sweep", "hourly", minute, Overlap::Allow)]).await.unwrap();
        one.submit(&[run_of("report")]).await.unwrap();
        assert_eq!(one.claim_with(wanted, &limited, 1).await.unwrap().0.len(), 1);
    }
    // A heartbeat; a slot and its entry; what a rate has let through.
    for table in ["node", "schedule", "ledger", "job"] {
        let of = |what: &str| format!("select {what} from pg_stat_user_tables where relname = '{table}'");
        let all = one.told(&of("n_tup_upd")).await;
        assert!(all >= TIMES - 1, "{table}: {all}");
        // In one question, since others are counted meanwhile.
        assert_eq!(one.told(&of("n_tup_upd - n_tup_hot_upd")).await, 0, "{table}");
    }
}

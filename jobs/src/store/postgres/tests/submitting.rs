use chrono::TimeDelta;

use super::*;
use crate::store::postgres::submit::{Submitted, Unique};

fn unique(key: &str) -> NewRun {
    NewRun { unique: Some(Unique { key: key.to_owned(), until: None }), ..mail() }
}

impl Db {
    async fn unique(&self, runs: &[NewRun]) -> sqlx::Result<Vec<Submitted>> {
        self.submit_unique(runs, Duration::from_secs(30)).await
    }
}

#[tokio::test]
async fn what_is_submitted_is_claimed_with_everything_that_was_said() {
    let db = db().await;
    let args = format!("{{\"text\":\"\\u0000 æøå 😀 {}\"}}", "x".repeat(1 << 20));
    let run = NewRun { args: args.clone(), queue: "slow".into(), priority: -7, retries: 3, ..mail() };
    db.submit(std::slice::from_ref(&run)).await.unwrap();
    let [claimed] = db.take(Id(1), 10).await.try_into().unwrap();
    assert_eq!((claimed.id, claimed.queue.as_str(), claimed.priority), (run.id, "slow", -7));
    assert_eq!((claimed.attempt, claimed.retries, claimed.claim_no), (1, 3, 1));
    assert_eq!(claimed.args, args);
    assert_eq!(claimed.origin, "submission");
}

#[tokio::test]
async fn a_batch_that_is_sent_again_is_there_once() {
    let db = db().await;
    let batch = [mail(), mail()];
    db.submit(&batch).await.unwrap();
    db.submit(&batch).await.unwrap();
    assert_eq!(db.text("select count(*) from jobs.run").await, "2");
    let batch = [unique("a"), unique("b")];
    assert_eq!(db.unique(&batch).await.unwrap(), [Submitted::New; 2]);
    assert_eq!(db.unique(&batch).await.unwrap(), [Submitted::New; 2]);
}

#[tokio::test]
async fn one_conflict_concerns_nobody_else_in_the_batch() {
    let db = db().await;
    let first = unique("a");
    db.unique(std::slice::from_ref(&first)).await.unwrap();
    let batch = [unique("b"), unique("a"), unique("c"), unique("c")];
    let found = db.unique(&batch).await.unwrap();
    assert_eq!(found[..2], [Submitted::New, Submitted::Existing(first.id)]);
    // Of two in one batch one stands for both.
    let by = |submitted| match submitted {
        Submitted::New => None,
        Submitted::Existing(id) => Some(id),
    };
    let pair = (by(found[2]), by(found[3]));
    assert!(pair == (None, Some(batch[2].id)) || pair == (Some(batch[3].id), None), "{pair:?}");
    assert_eq!(db.text("select count(*) from jobs.run").await, "3");
}

#[tokio::test]
async fn a_run_stands_for_others_until_it_has_ended() {
    let db = db().await;
    let node = db.joined(1).await;
    let first = unique("a");
    db.unique(std::slice::from_ref(&first)).await.unwrap();
    let claimed = db.take(node, 1).await;
    let retry = end_of(&claimed[0], Follows::Retry(claimed[0].due));
    assert_eq!(db.end(node, &[retry]).await.unwrap(), 1);
    assert_eq!(db.unique(&[unique("a")]).await.unwrap(), [Submitted::Existing(first.id)]);
    db.look_at(Id(1)).await;
    let claimed = db.take(node, 1).await;
    db.end(node, &[success_of(&claimed[0])]).await.unwrap();
    assert_eq!(db.unique(&[unique("a")]).await.unwrap(), [Submitted::New]);
}

#[tokio::test]
async fn within_its_window_a_success_stands_and_a_failure_does_not() {
    let db = db().await;
    let node = db.joined(1).await;
    for (end, then_new) in [("succeeded", false), ("dead", true)] {
        let windowed = || {
            let mut run = unique(end);
            let hour = chrono::DateTime::from_timestamp(4_000_000_000, 0);
            run.unique.as_mut().unwrap().until = hour;
            run
        };
        let first = windowed();
        db.unique(std::slice::from_ref(&first)).await.unwrap();
        let claimed = db.take(node, 1).await;
        db.end(node, &[end_of(&claimed[0], Follows::End(end))]).await.unwrap();
        let again = db.unique(&[windowed()]).await.unwrap();
        let expected = if then_new { Submitted::New } else { Submitted::Existing(first.id) };
        assert_eq!(again, [expected], "{end}");
        db.run_sql("delete from jobs.run").await;
    }
}

/// Callers on several connections who all want to be the one.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_new() {
    let db = db().await;
    for round in 0..10 {
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let db = db.clone();
            callers.spawn(async move { db.unique(&[unique(&format!("round {round}"))]).await.unwrap()[0] });
        }
        let found = callers.join_all().await;
        assert_eq!(found.iter().filter(|found| **found == Submitted::New).count(), 1, "{found:?}");
    }
    assert_eq!(db.text("select count(*) from jobs.run").await, "10");
}

#[tokio::test]
async fn a_delayed_run_is_not_claimed_before_its_time() {
    let db = db().await;
    let now: chrono::DateTime<chrono::Utc> =
        sqlx::query_scalar("select now()").fetch_one(&db.pool).await.unwrap();
    let later = NewRun { due: Some(now + TimeDelta::hours(1)), ..mail() };
    db.submit(std::slice::from_ref(&later)).await.unwrap();
    let look = db.look_at(Id(1)).await;
    assert!(!look.available);
    assert!(look.next.unwrap() > Duration::from_secs(3500), "{look:?}");
    assert!(db.take(Id(1), 1).await.is_empty());
    db.run_sql("update jobs.run set due = now()").await;
    let look = db.look_at(Id(1)).await;
    assert!(look.available && look.next.is_none(), "{look:?}");
    assert_eq!(ids(&db.take(Id(1), 1).await), [later.id]);
}

#[tokio::test]
async fn in_a_transaction_of_the_caller_it_comes_and_goes_with_it() {
    let db = db().await;
    let mut tx = db.hold().await;
    db.submit_on(&mut tx, &[mail()]).await.unwrap();
    assert!(db.take(Id(1), 1).await.is_empty());
    tx.rollback().await.unwrap();
    assert_eq!(db.text("select count(*) from jobs.run").await, "0");
    let mut tx = db.hold().await;
    db.submit_on(&mut tx, &[mail()]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(db.take(Id(1), 1).await.len(), 1);
}

/// Within the transaction that submits, a notification would make the commits of all nodes wait for each other.
#[tokio::test]
async fn what_is_submitted_notifies_nobody_within_its_transaction() {
    let db = db().await;
    let mut listener = sqlx::postgres::PgListener::connect_with(&db.pool).await.unwrap();
    listener.listen("jobs_jobs").await.unwrap();
    let runs = [mail(), unique("a")];
    db.submit(&runs[..1]).await.unwrap();
    db.submit_unique(&runs[1..], Duration::from_secs(1)).await.unwrap();
    let mut tx = db.pool.begin().await.unwrap();
    db.submit_all_on(&mut tx, &[mail(), unique("b")]).await.unwrap();
    tx.commit().await.unwrap();
    db.run_sql("notify jobs_jobs, 'of the test'").await;
    // Notifications come in the order of the commits.
    assert_eq!(listener.recv().await.unwrap().payload(), "of the test");
    assert_eq!(db.text("select count(*) from pg_trigger where not tgisinternal").await, "0");
}

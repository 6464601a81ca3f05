use std::collections::HashSet;

use super::old_transactions::remember;
use super::program::{Program, joined, watching};
use super::*;
use crate::store::postgres::prune::Stale;

impl Db {
    /// One job at a time.
    async fn all_stale(&self, age: Duration, count: usize) -> sqlx::Result<Vec<Stale>> {
        let (mut all, mut behind) = (Vec::new(), Some(String::new()));
        while let Some(last) = behind {
            let (stale, next) = self.stale((age, count), &last, 1).await?;
            all.extend(stale);
            behind = next;
        }
        Ok(all)
    }
}

#[tokio::test]
async fn the_old_and_the_many_go_in_small_batches() {
    let db = db().await;
    db.run_sql(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, finished)
         select gen_random_uuid(), job, 'default', 0, 'succeeded', now(), 0, 'submission', '{}', now() - n * interval '1 h'
         from unnest(array['mail', 'sweep']) job, generate_series(1, 100) n;
         insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args)
         select gen_random_uuid(), 'mail', 'default', 0, 'available', now() - interval '1 year', 0, 'submission', '{}'
         from generate_series(1, 10)",
    )
    .await;
    let day = Duration::from_secs(86_400);
    let of = |stale: &[Stale]| stale.iter().map(|stale| stale.job.clone()).collect::<Vec<_>>();
    let mut stale = db.all_stale(day * 3, 1000).await.unwrap();
    assert_eq!(of(&stale), ["mail", "sweep"]);
    assert_eq!(db.prune(&mut stale[0], 10).await.unwrap(), 10);
    for stale in &mut stale {
        while db.prune(stale, 10).await.unwrap() == 10 {}
    }
    assert_eq!(db.text("select count(*) from jobs.run where finished is not null").await, "142");
    assert!(db.all_stale(day * 3, 1000).await.unwrap().is_empty());
    // Of each job the last fifty.
    for mut stale in db.all_stale(day * 3, 50).await.unwrap() {
        while db.prune(&mut stale, 10).await.unwrap() > 0 {}
    }
    let left = "select count(*) from jobs.run where finished is not null group by job";
    assert_eq!(db.text(left).await, "50,50");
    // And always the very last, which ended an hour ago.
    for mut stale in db.all_stale(Duration::from_secs(60), 0).await.unwrap() {
        db.prune(&mut stale, 1000).await.unwrap();
    }
    let left = "select finished > now() - interval '2 h' from jobs.run where finished is not null";
    assert_eq!(db.text(left).await, "true,true");
    assert_eq!(db.text("select count(*) from jobs.run where state = 'available'").await, "10");
}

/// What another node deletes at this moment is left to it.
#[tokio::test]
async fn nodes_that_prune_do_not_wait_for_each_other() {
    let db = db().await;
    finished(&db, 20).await;
    let mut holder = db.hold().await;
    sqlx::raw_sql("select from jobs.run order by finished limit 5 for update")
        .execute(&mut *holder)
        .await
        .unwrap();
    let mut stale = db.all_stale(Duration::ZERO, 5).await.unwrap();
    assert_eq!(db.prune(&mut stale[0], 1000).await.unwrap(), 14);
}

/// An old transaction keeps what was forgotten in the index, and a long history goes all the same.
#[tokio::test]
async fn what_was_forgotten_is_not_read_again() {
    const RUNS: i64 = 3000;
    let db = db().await;
    finished(&db, RUNS as usize).await;
    let old = remember(&db).await;
    let one = db.alone().await;
    let read = "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'run_finished'";
    let mut stale = one.all_stale(Duration::ZERO, 0).await.unwrap().remove(0);
    let before = one.told(read).await;
    while one.prune(&mut stale, 30).await.unwrap() > 0 {}
    let read = one.told(read).await - before;
    assert_eq!(db.text("select count(*) from jobs.run").await, "1");
    assert!((RUNS - 1..2 * RUNS).contains(&read), "{read} entries were read to forget {RUNS} runs");
    drop(old);
}

/// Runs that ended an hour ago and before.
async fn finished(db: &Db, count: usize) {
    db.run_sql(&format!(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, finished)
         select gen_random_uuid(), 'mail', 'default', 0, 'succeeded', now(), 0, 'submission', '{{}}', now() - n * interval '1 h'
         from generate_series(1, {count}) n"
    ))
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_has_much_to_forget_is_not_taken_for_lost() {
    let address = Server::shared().database();
    let db = watching(&address);
    migrate(&db.pool, &db.schema, false).await.unwrap();
    db.know_jobs(&["mail".into()]).await.unwrap();
    finished(&db, 5_500).await;
    db.run_sql(
        "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(4); return null; end';
         create trigger slow before delete on jobs.run execute function slow()",
    )
    .await;
    let node = joined(&address, 1, &Program::that_keeps(Duration::ZERO, 500)).await;
    let mut heartbeats = HashSet::new();
    let forgotten = async {
        while db.text("select count(*) from jobs.run").await != "500" {
            let late = "select heartbeat < now() - interval '15 s' from jobs.node";
            assert_eq!(db.text(late).await, "false");
            heartbeats.insert(db.text("select heartbeat from jobs.node").await);
            db.text("select 1 from pg_sleep(0.2)").await;
        }
    };
    tokio::time::timeout(Duration::from_secs(180), forgotten).await.expect("they are forgotten");
    // It has taken twenty seconds.
    assert!(heartbeats.len() >= 3, "{heartbeats:?}");
    node.leave().await;
}

/// Of ten nodes, whose turns are minutes apart.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_take_turns_to_forget() {
    let address = Server::shared().database();
    let db = watching(&address);
    migrate(&db.pool, &db.schema, false).await.unwrap();
    db.know_jobs(&["mail".into()]).await.unwrap();
    finished(&db, 20).await;
    let minute: usize =
        db.text("select floor(extract(epoch from now()) / 60)::bigint").await.parse().unwrap();
    // It comes five minutes from now, and would come now without the others.
    let place = (minute + 5) % 10;
    db.run_sql(&format!(
        "insert into jobs.node (id, name, heartbeat)
         select lpad(to_hex(n + case when n < {place} then 1 else 1000 end), 32, '0')::uuid, 'other', now() + interval '1 h'
         from generate_series(0, 8) n"
    ))
    .await;
    let program = Program::that_keeps(Duration::ZERO, 5);
    let node = joined(&address, 500, &program).await;
    let first = db.text("select heartbeat from jobs.node where name = 'node 500'").await;
    db.until(&format!("select heartbeat > '{first}' from jobs.node where name = 'node 500'"), "true").await;
    assert_eq!(db.text("select count(*) from jobs.run").await, "20");
    node.leave().await;
    db.run_sql("delete from jobs.node").await;
    let alone = joined(&address, 500, &program).await;
    // The very last stays.
    db.until("select count(*) from jobs.run", "1").await;
    alone.leave().await;
}

/// As in memory: the last 256 of each schedule, for as long as runs are kept; and never the last one, which may grow.
#[tokio::test]
async fn ledgers_are_forgotten_as_runs_are() {
    let db = db().await;
    let node = db.joined(1).await;
    db.run_sql(&format!(
        "insert into jobs.schedule (job, key, definition, node) select 'mail', key, '1h', '{:032x}' from unnest(array['a', 'b', 'c']) key;
         insert into jobs.ledger (job, key, first, last, count, reason)
         select 'mail', key, now() - n * interval '1 h', now() - n * interval '1 h', 1, 'ran'
         from generate_series(1, 400) n, unnest(array['a', 'b']) key
         union all select 'mail', 'c', now() - interval '1 year', now() - interval '1 year', 1, 'ran'",
        node.0
    ))
    .await;
    let left = "select count(*) from jobs.ledger group by key order by key";
    let hour = Duration::from_secs(3600);
    assert_eq!(db.prune_ledger(hour * 10_000, 1_000_000, 100).await.unwrap(), 100);
    while db.prune_ledger(hour * 10_000, 1_000_000, 100).await.unwrap() > 0 {}
    assert_eq!(db.text(left).await, "256,256,1");
    db.prune_ledger(hour * 10_000, 300, 1000).await.unwrap();
    assert_eq!(db.text(left).await, "256,256,1");
    db.prune_ledger(hour * 10_000, 100, 1000).await.unwrap();
    assert_eq!(db.text(left).await, "100,100,1");
    db.prune_ledger(hour * 50, 100, 1000).await.unwrap();
    assert_eq!(db.text(left).await, "49,49,1");
    db.prune_ledger(Duration::ZERO, 0, 1000).await.unwrap();
    assert_eq!(db.text(left).await, "1,1,1");
    assert_eq!(
        db.text("select first > now() - interval '2 h' from jobs.ledger where key = 'a'").await,
        "true"
    );
}

#[tokio::test]
async fn schedules_that_are_closed_for_long_are_forgotten() {
    let db = db().await;
    let node = db.joined(1).await;
    db.run_sql(&format!(
        "insert into jobs.schedule (job, key, definition, node, closed_since)
         select 'mail', key, '1h', '{:032x}', now() - age
         from (values ('open', null), ('lately', interval '1 h'), ('long', interval '1 week'), ('again', interval '1 week'))
            as v (key, age);
         insert into jobs.registration (node, job, key, definition) values ('{:032x}', 'mail', 'again', '1h');
         insert into jobs.ledger (job, key, first, last, count, reason)
         select job, key, now(), now(), 1, 'ran' from jobs.schedule",
        node.0, node.0
    ))
    .await;
    db.prune_schedules(Duration::from_secs(86_400)).await.unwrap();
    assert_eq!(db.text("select key from jobs.schedule order by key").await, "again,lately,open");
    assert_eq!(db.text("select key from jobs.ledger order by key").await, "again,lately,open");
}

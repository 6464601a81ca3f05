//! Measurements. They are no tests, and stand here rather than in `benches/` for as long as nothing outside can start a node.
//! To be asked for: `cargo test --release -p jobs --features postgres --lib measuring -- --ignored --nocapture`.

use std::time::Instant;

use super::program::{Program, bounded, joined, watching};
use super::*;

#[expect(clippy::disallowed_methods, reason = "a measurement of the real time")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn fifty_callers_submit() {
    let address = Server::shared().database();
    let node = Arc::new(joined(&address, 1, &Program::with_room(0)).await);
    let start = now();
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let node = Arc::clone(&node);
        callers.spawn(async move {
            for _ in 0..2000 {
                node.submit(mail()).await.unwrap().unwrap();
            }
        });
    }
    callers.join_all().await;
    println!(
        "50 callers, each told after its commit: {:.0} submissions/s",
        100_000.0 / start.elapsed().as_secs_f64()
    );
}

async fn drain(prepare: &str, what: &str, beside_old: bool) {
    let address = Server::shared().database();
    let db = watching(&address);
    migrate(&db.pool, &db.schema, false).await.unwrap();
    if !prepare.is_empty() {
        db.run_sql(prepare).await;
    }
    for _ in 0..50 {
        let batch: Vec<_> = (0..1000).map(|_| mail()).collect();
        db.submit(&batch).await.unwrap();
    }
    let holder = pool(&address, 1);
    let mut old =
        holder.begin_with("begin; set local idle_in_transaction_session_timeout = 0").await.unwrap();
    if beside_old {
        let snapshot = "set transaction isolation level repeatable read; select count(*) from jobs.run";
        sqlx::raw_sql(snapshot).execute(&mut *old).await.unwrap();
    }
    let program = Program::with_room(100);
    let start = now();
    let node = joined(&address, 1, &program).await;
    bounded(program.execute(&node, 50_000)).await;
    node.leave().await;
    println!("50 000 no-ops, 100 at a time, {what}: {:.0} jobs/s", 50_000.0 / start.elapsed().as_secs_f64());
    assert_eq!(
        db.text("select count(*) from jobs.run where state = 'succeeded' and job = 'mail'").await,
        "50000"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_backlog_drains() {
    drain("", "history kept", false).await;
    let finished = "\
        insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, finished)
        select gen_random_uuid(), 'sweep', 'default', 0, 'succeeded', now(), 0, 'submission', '{}', now()
        from generate_series(1, 1000000)";
    drain(finished, "beside a million that have ended", false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn a_backlog_drains_under_an_old_transaction() {
    drain("", "beside an old transaction", true).await;
}

/// By the clock of the server, which asks for no more where the machine is slow.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_node_asks_little() {
    // What the server does by itself does not count.
    let server = Server::start(&["autovacuum=off"]);
    let address = server.database();
    // One of two: more is to be done where there are others.
    let node = joined(&address, 1, &Program::with_room(10)).await;
    let other = joined(&address, 2, &Program::with_room(10)).await;
    let db = watching(&address);
    let look = async |after: u32| -> (f64, f64) {
        db.text(&format!("select 1 from pg_sleep({after})")).await;
        let sql = "select extract(epoch from now())::float8, (xact_commit + xact_rollback)::float8
            from pg_stat_database where datname = current_database()";
        sqlx::query_as(sql).fetch_one(&db.pool).await.unwrap()
    };
    // Who is new looks more often whether somebody is lost. What a session has done is counted ten seconds later at the latest.
    let (mut began, mut before) = look(40).await;
    let mut minutes = Vec::new();
    // Whole ones, since some of it is done once in each; and who finds that another is late looks more often again.
    while minutes.len() < 3 && minutes.last().is_none_or(|minute| *minute > 90.0) {
        let (ended, after) = look(60).await;
        // But for the one that asks here.
        minutes.push((after - before - 1.0) / 2.0 / (ended - began) * 60.0);
        (began, before) = (ended, after);
    }
    println!("an idle node: {minutes:.0?} questions in a minute");
    assert!(minutes.last().is_some_and(|minute| (10.0..=90.0).contains(minute)), "{minutes:?}");
    node.leave().await;
    other.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn from_submission_to_start() {
    let address = Server::shared().database();
    let (idle, busy) = (Program::with_room(10), Program::with_room(0));
    let executor = joined(&address, 1, &idle).await;
    let submitter = joined(&address, 2, &busy).await;
    let mut own = Vec::new();
    let mut other = Vec::new();
    for (node, waits) in [(&executor, &mut own), (&submitter, &mut other)] {
        for _ in 0..1000 {
            let start = now();
            node.submit(mail()).await.unwrap().unwrap();
            bounded(idle.news.notified()).await;
            waits.push(start.elapsed());
            idle.drain().iter().for_each(|claimed| executor.ends().end(success_of(claimed)));
        }
        waits.sort();
    }
    for (waits, where_) in [(own, "on the same node"), (other, "on another node")] {
        println!("submit to start {where_}: p50 {:?}, p99 {:?}", waits[500], waits[990]);
    }
}

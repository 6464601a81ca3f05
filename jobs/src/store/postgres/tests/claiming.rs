use std::collections::HashSet;

use super::*;
use crate::store::postgres::schedules::Registration;

#[tokio::test]
async fn the_order_is_priority_and_then_submission_over_all_jobs() {
    let db = db().await;
    let runs: Vec<_> = [("mail", 0), ("sweep", 0), ("mail", 5), ("report", 0), ("mail", 0), ("report", 5)]
        .map(|(job, priority)| NewRun { priority, ..run_of(job) })
        .to_vec();
    db.submit(&runs).await.unwrap();
    let order = [2, 5, 0, 1, 3, 4].map(|at: usize| runs[at].id);
    assert_eq!(ids(&db.take(Id(1), 4).await), order[..4]);
    assert_eq!(ids(&db.take(Id(1), 4).await), order[4..]);
}

#[tokio::test]
async fn the_oldest_comes_first_where_that_is_wanted() {
    let db = db().await;
    let runs = [0, 9, 0, 9].map(|priority| NewRun { priority, ..mail() });
    db.submit(&runs).await.unwrap();
    let jobs = ["mail".to_owned()];
    let node = db.joined(1).await;
    let wanted = Wanted { node, count: 2, jobs: &jobs, queues: &[], oldest: true, unseen: false };
    assert_eq!(ids(&db.claim(wanted).await.unwrap()), [runs[0].id, runs[1].id]);
}

#[tokio::test]
async fn what_is_unknown_paused_or_of_a_full_queue_holds_nobody_up() {
    let db = db().await;
    let unknown: Vec<_> = (0..50).map(|_| run_of("of_a_newer_version")).collect();
    let queue = |queue: &str| NewRun { queue: queue.to_owned(), ..mail() };
    let paused: Vec<_> = (0..50).map(|_| queue("paused")).collect();
    let wanted = mail();
    db.submit(&unknown).await.unwrap();
    db.submit(&paused).await.unwrap();
    db.submit(&[queue("full"), queue("narrow"), queue("narrow"), queue("narrow"), wanted.clone()])
        .await
        .unwrap();
    db.pause_queue("paused", true).await.unwrap();
    let jobs = ["mail".to_owned(), "sweep".to_owned()];
    let full = [("full".to_owned(), 0), ("narrow".to_owned(), 2)];
    let node = db.joined(1).await;
    let claim = Wanted { node, count: 10, jobs: &jobs, queues: &full, oldest: false, unseen: false };
    let claimed = db.claim(claim).await.unwrap();
    let queues: Vec<_> = claimed.iter().map(|claimed| claimed.queue.as_str()).collect();
    assert_eq!((queues, claimed[0].id), (vec!["default", "narrow", "narrow"], wanted.id));
    db.pause_queue("paused", false).await.unwrap();
    assert_eq!(db.claim(Wanted { queues: &[], count: 100, ..claim }).await.unwrap().len(), 52);
}

/// Nodes on connections of their own drain a backlog: all of it, nothing twice.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_at_once_claim_everything_once() {
    let db = db().await;
    let runs: Vec<_> = (0..2000).map(|n| run_of(["mail", "sweep", "report"][n % 3])).collect();
    db.submit(&runs).await.unwrap();
    let mut nodes = tokio::task::JoinSet::new();
    for node in 1..=4 {
        let db = db.clone();
        nodes.spawn(async move {
            let node = db.joined(node).await;
            let mut taken = Vec::new();
            while db.text("select 1 from jobs.run where state = 'available' limit 1").await == "1" {
                let claimed = db.take(node, 20).await;
                let ends: Vec<_> = claimed.iter().map(success_of).collect();
                assert_eq!(db.end(node, &ends).await.unwrap(), claimed.len());
                taken.extend(ids(&claimed));
            }
            taken
        });
    }
    let taken: Vec<Id> = nodes.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken.len(), 2000);
    assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 2000);
    assert_eq!(
        db.text("select count(*) from jobs.run where state = 'succeeded' and claim_no = 1").await,
        "2000"
    );
}

#[tokio::test]
async fn a_claim_that_was_lost_cannot_end_the_run() {
    let db = db().await;
    let (slow, fast) = (db.joined(1).await, db.joined(2).await);
    db.submit(&[mail(), mail()]).await.unwrap();
    let lost = db.take(slow, 2).await;
    // Both go back, and one is taken by the other node.
    let back: Vec<_> = lost.iter().map(fence_of).collect();
    db.give_back(slow, &back).await.unwrap();
    let taken = db.take(fast, 1).await;
    let ends: Vec<_> = lost.iter().map(success_of).collect();
    assert_eq!(db.end(slow, &ends).await.unwrap(), 0);
    assert_eq!(db.give_back(slow, &back).await.unwrap().count, 0);
    // The other node cannot end it with the old number either.
    assert_eq!(db.end(fast, &ends).await.unwrap(), 0);
    assert_eq!(db.end(fast, &[success_of(&taken[0])]).await.unwrap(), 1);
    // And not twice.
    assert_eq!(db.end(fast, &[success_of(&taken[0])]).await.unwrap(), 0);
}

#[tokio::test]
async fn a_run_that_goes_back_has_used_no_attempt() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail()]).await.unwrap();
    let claimed = db.take(node, 1).await;
    db.give_back(node, &[fence_of(&claimed[0])]).await.unwrap();
    let again = db.take(node, 1).await;
    assert_eq!((again[0].attempt, again[0].retries, again[0].claim_no), (1, 20, 2));
    db.give_back(node, &[fence_of(&again[0])]).await.unwrap();
    let again = db.take(node, 1).await;
    assert_eq!((again[0].attempt, again[0].retries, again[0].claim_no), (1, 20, 3));
}

/// What is put off is waited for by nobody.
#[tokio::test]
async fn a_run_that_somebody_locks_is_not_put_off() {
    let db = db().await;
    let node = db.joined(1).await;
    let runs: Vec<_> = (0..1000).map(|_| mail()).collect();
    db.submit(&runs).await.unwrap();
    let claimed: Vec<_> = db.take(node, 1000).await.iter().map(fence_of).collect();
    let put_off: Vec<_> = claimed.iter().map(|fence| (*fence, Duration::from_secs(60))).collect();
    let mut other = db.hold().await;
    let lock = sqlx::query("select from jobs.run where id = $1 for update").bind(claimed[7].id);
    lock.execute(&mut *other).await.unwrap();
    assert_eq!(db.put_off(node, &put_off).await.unwrap().count, 999);
    assert_eq!(db.state(claimed[7].id).await, "running");
    other.rollback().await.unwrap();
    assert_eq!(db.put_off(node, &put_off).await.unwrap().count, 1);
    let put_off =
        "select distinct (state, attempt, node is null, due > now() + interval '30 s') from jobs.run";
    assert_eq!(db.text(put_off).await, "(scheduled,0,t,t)");
}

/// What a run brings along comes when it is asked for again.
#[tokio::test]
async fn a_run_that_is_claimed_unseen_is_taken_up_as_any_other() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail()]).await.unwrap();
    db.run_sql("update jobs.run set record = 'before'").await;
    let jobs = ["mail".to_owned()];
    let unseen = Wanted { node, count: 9, jobs: &jobs, queues: &[], oldest: false, unseen: true };
    let claimed = db.claim(unseen).await.unwrap();
    assert_eq!((claimed[0].args.as_str(), claimed[0].record.as_deref()), ("", None));
    let found = db.adrift(node, &[fence_of(&claimed[0])]).await.unwrap();
    assert_eq!((found[0].args.clone(), found[0].record.as_deref()), (mail().args, Some("before")));
    assert_eq!((found[0].attempt, found[0].claim_no), (1, 2));
}

#[tokio::test]
async fn what_somebody_wants_ended_ends_where_it_would_go_back() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail(), mail()]).await.unwrap();
    let claimed = db.take(node, 2).await;
    for claimed in &claimed {
        db.cancel(claimed.id).await.unwrap();
    }
    db.give_back(node, &[fence_of(&claimed[0])]).await.unwrap();
    db.leave(node, &[]).await.unwrap();
    assert_eq!(
        db.text("select count(*) from jobs.run where state = 'cancelled' and outcome = 'cancelled' and finished is not null")
            .await,
        "2"
    );
}

#[tokio::test]
async fn a_retry_waits_for_its_time() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail()]).await.unwrap();
    let claimed = db.take(node, 1).await;
    let later = claimed[0].due + chrono::TimeDelta::minutes(5);
    let mut end = end_of(&claimed[0], Follows::Retry(later));
    end.record = Some("[\"what the first attempt left\"]".into());
    db.end(node, &[end]).await.unwrap();
    db.look_at(Id(1)).await;
    assert!(db.take(node, 1).await.is_empty());
    db.run_sql("update jobs.run set due = now()").await;
    db.look_at(Id(1)).await;
    let again = db.take(node, 1).await;
    assert_eq!(again[0].attempt, 2);
    assert_eq!(again[0].record.as_deref(), Some("[\"what the first attempt left\"]"));
}

/// Whatever has ended, and whatever the server believes of the table, also where a pooler keeps it from our settings: what a
/// claim reads does not grow with it.
#[tokio::test]
async fn a_claim_does_not_look_at_what_has_ended() {
    let db = db().await;
    db.run_sql(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args)
         select lpad(to_hex(n), 32, '0')::uuid, 'mail', 'default', 0, 'available', now(), 0, 'submission', '{}'
         from generate_series(1000000, 1050000) n; analyze jobs.run;
         update jobs.run set state = 'succeeded', finished = now()",
    )
    .await;
    db.run_sql("vacuum jobs.run").await;
    db.submit(&[mail(), mail()]).await.unwrap();
    let address = Server::shared().address(&db.text("select current_database()").await);
    let plain = PgPoolOptions::new().max_connections(1).connect_lazy(&address).unwrap();
    let one = Db::new(plain, db.schema.clone());
    let read = "select seq_tup_read + idx_tup_fetch + (select sum(idx_tup_read) from pg_stat_user_indexes \
                where relname = 'run')::bigint from pg_stat_user_tables where relname = 'run'";
    for _ in 0..2 {
        let before = one.told(read).await;
        assert_eq!(one.take(Id(1), 1).await.len(), 1);
        let read = one.told(read).await - before;
        assert!(read < 100, "{read} read for one run");
    }
}

/// A database may have an order of its own for names.
#[tokio::test]
async fn names_are_in_the_order_of_their_bytes() {
    let server = Server::shared();
    server.sql(
        "postgres",
        "create database by_language template template0 locale_provider icu icu_locale 'en-US'",
    );
    let db = Db::new(pool(&server.address("by_language"), 8), Schema::default());
    migrate(&db.pool, &db.schema, false).await.unwrap();
    let names = ["B", "a", "Ä", "_", "mail_out", "mail-in", "mail"].map(str::to_owned);
    db.know_jobs(&names).await.unwrap();
    let node = db.joined(1).await;
    let registration = |job: &String| Registration {
        job: job.clone(),
        key: "each day".to_owned(),
        definition: "@daily".to_owned(),
        first: None,
        delay: None,
        second: None,
        declared: false,
    };
    db.register(node, &names.iter().map(registration).collect::<Vec<_>>()).await.unwrap();
    let mut sorted = names.to_vec();
    sorted.sort();
    let runs: Vec<_> = names.iter().map(|name| run_of(name)).collect();
    db.submit(&runs).await.unwrap();
    let wanted = Wanted { node, count: 3, jobs: &names, queues: &[], oldest: false, unseen: false };
    let mut claimed = db.claim(wanted).await.unwrap();
    let mut lanes = db.lanes_behind(wanted, &claimed).await;
    claimed.extend(db.claim_from(Wanted { count: 100, ..wanted }, &mut lanes, Duration::ZERO).await.unwrap());
    assert_eq!(ids(&claimed), runs.iter().map(|run| run.id).collect::<Vec<_>>());
    let keys: Vec<_> = sorted.iter().map(|job| (job.as_str(), "each day")).collect();
    for (job, _) in &keys {
        db.run_sql(&format!("insert into jobs.ledger values ('{job}', 'each day', now(), now(), 1, 'ran')"))
            .await;
    }
    let ledger = db.ledgers(&keys, 10).await.unwrap();
    assert_eq!(ledger.iter().map(|(job, ..)| job).collect::<Vec<_>>(), sorted.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn lanes_that_were_not_looked_into_are_gone_on_with_too() {
    let db = db().await;
    let runs: Vec<_> = (0..30).map(|n| run_of(["mail", "sweep", "report"][n / 10])).collect();
    db.submit(&runs).await.unwrap();
    let jobs = ["mail".to_owned(), "sweep".to_owned(), "report".to_owned()];
    let node = db.joined(1).await;
    let wanted = Wanted { node, count: 5, jobs: &jobs, queues: &[], oldest: false, unseen: false };
    let first = db.claim(wanted).await.unwrap();
    let mut lanes = db.lanes_behind(wanted, &first).await;
    let mut order = ids(&first);
    for _ in 0..5 {
        order.extend(ids(&db.claim_from(wanted, &mut lanes, Duration::ZERO).await.unwrap()));
    }
    assert_eq!(order.len(), 30);
    assert_eq!(order, runs.iter().map(|run| run.id).collect::<Vec<_>>());
}

/// What the server knows of the table is of a time when nothing was claimed, and what is ended or given back together is many:
/// each is looked up all the same.
#[tokio::test]
async fn of_the_table_only_what_ends_is_read() {
    let db = db().await;
    let node = db.joined(1).await;
    for _ in 0..10 {
        let runs: Vec<_> = (0..1000).map(|_| mail()).collect();
        db.submit(&runs).await.unwrap();
    }
    db.run_sql("analyze jobs.run").await;
    // With what the connection has not told yet of the transactions before.
    let fetched = async |connection: &mut sqlx::PgConnection| -> i64 {
        let fetched =
            "select idx_tup_fetch + seq_tup_read from pg_stat_xact_user_tables where relname = 'run'";
        sqlx::query_scalar(fetched).fetch_one(connection).await.unwrap()
    };
    let (mut claimed, mut read) = (Vec::new(), Vec::new());
    for _ in 0..4 {
        claimed.push(db.take(node, 1000).await);
    }
    for (n, claimed) in claimed.iter().enumerate() {
        let mut tx = db.pool.begin().await.unwrap();
        let before = fetched(&mut tx).await;
        if n < 2 {
            let ends: Vec<_> = claimed.iter().map(success_of).collect();
            assert_eq!(db.end_on(&mut tx, node, &ends).await.unwrap(), 1000);
        } else {
            let back: Vec<_> = claimed.iter().map(fence_of).collect();
            assert_eq!(db.give_back_on(&mut tx, node, &back).await.unwrap().count, 1000);
        }
        read.push(fetched(&mut tx).await - before);
        tx.commit().await.unwrap();
    }
    assert!(read.iter().all(|read| (1000..2000).contains(read)), "for 1000 runs each: {read:?}");
}

/// A job without room is no lane to claim from, and many jobs are many lanes.
#[tokio::test]
async fn lanes_of_a_thousand_jobs_are_claimed_from_in_order() {
    let db = db().await;
    let node = db.joined(1).await;
    let jobs: Vec<String> = (0..1000).map(|n| format!("job_{n}")).collect();
    let runs: Vec<_> = jobs.iter().map(|job| run_of(job)).collect();
    db.submit(&runs).await.unwrap();
    let wanted = Wanted { node, count: 300, jobs: &jobs[..999], queues: &[], oldest: false, unseen: false };
    let mut claimed = db.claim(wanted).await.unwrap();
    let mut lanes = db.lanes_behind(wanted, &claimed).await;
    // Those where it has claimed the only one stay, until it begins anew.
    assert_eq!(lanes.count(), 999);
    for _ in 0..3 {
        claimed.extend(db.claim_from(wanted, &mut lanes, Duration::ZERO).await.unwrap());
    }
    assert_eq!(ids(&claimed), runs[..999].iter().map(|run| run.id).collect::<Vec<_>>());
}

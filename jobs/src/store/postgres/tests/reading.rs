use chrono::{DateTime, TimeDelta};

use super::program::watching;
use super::*;
use crate::store::postgres::read::RunFilter;

#[tokio::test]
async fn runs_are_found_by_what_they_are() {
    let db = db().await;
    let node = db.joined(1).await;
    let runs: Vec<_> = (0..6).map(|n| run_of(["mail", "sweep"][n % 2])).collect();
    db.submit(&runs).await.unwrap();
    let claimed = db.take(node, 3).await;
    let mut end = end_of(&claimed[0], Follows::End("dead"));
    end.message = Some("no route to host".into());
    end.record = Some("7".into());
    db.end(node, &[end]).await.unwrap();

    let run = db.run(runs[0].id).await.unwrap().unwrap();
    assert_eq!((run.state.as_str(), run.outcome.as_deref(), run.node), ("dead", Some("failed"), None));
    assert_eq!((run.message.as_deref(), run.record.as_deref()), (Some("no route to host"), Some("7")));
    assert!(db.run(Id(77)).await.unwrap().is_none());

    let found = async |filter: RunFilter| {
        let found = db.runs(filter, 2).await.unwrap();
        found
            .into_iter()
            .map(|run| runs.iter().position(|known| known.id == run.id).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(RunFilter::default()).await, [5, 4]);
    assert_eq!(found(RunFilter { before: Some(runs[4].id), ..RunFilter::default() }).await, [3, 2]);
    assert_eq!(found(RunFilter { jobs: Some(vec!["mail".into()]), ..RunFilter::default() }).await, [4, 2]);
    let states = Some(vec!["running".to_owned()]);
    assert_eq!(found(RunFilter { states, ..RunFilter::default() }).await, [2, 1]);
}

/// One run in each state, among many of another job.
#[tokio::test]
async fn the_few_runs_of_a_job_are_found_without_a_look_at_all_others() {
    let db = db().await;
    let states = ["available", "cancelled", "dead", "running", "scheduled", "succeeded", "waiting"];
    db.run_sql(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, slot, schedule, finished)
        select lpad(to_hex(n), 32, '0')::uuid, 'mail', 'default', 0, state, now(), 0, 'slot', '{}', now() + n * interval '1 s',
            'hourly', case when state in ('cancelled', 'dead', 'succeeded') then now() end
        from unnest(array['available', 'cancelled', 'dead', 'running', 'scheduled', 'succeeded', 'waiting'])
            with ordinality as s (state, n);
        insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, finished)
        select lpad(to_hex(n), 32, '0')::uuid, 'sweep', 'default', 0, 'succeeded', now(), 0, 'submission', '{}', now()
        from generate_series(1000, 31000) n",
    )
    .await;
    let one = db.alone().await;
    let read = "select (select idx_tup_fetch from pg_stat_user_tables where relname = 'run')
        + (select sum(idx_tup_read)::bigint from pg_stat_user_indexes where relname = 'run')";
    let before = one.told(read).await;
    let filter = RunFilter { jobs: Some(vec!["mail".into(), "post".into()]), ..RunFilter::default() };
    let mut found: Vec<_> =
        one.runs(filter.clone(), 100).await.unwrap().into_iter().map(|run| run.state).collect();
    found.sort();
    assert_eq!(found, states);
    let read = one.told(read).await - before;
    // A thousand that were submitted last, by the index and in the table, and no more of 30 000.
    assert!(read < 2500, "{read} read for seven runs");
    let found = async |filter: RunFilter, most: i64| {
        let found = one.runs(filter, most).await.unwrap();
        found.into_iter().map(|run| run.id.0).collect::<Vec<_>>()
    };
    assert_eq!(found(filter.clone(), 3).await, [7, 6, 5]);
    assert_eq!(found(RunFilter { before: Some(Id(5)), ..filter.clone() }, 3).await, [4, 3, 2]);
    assert_eq!(found(RunFilter { is_final: Some(true), ..filter.clone() }, 9).await, [6, 3, 2]);
    assert_eq!(found(RunFilter { queue: Some("slow".into()), ..filter }, 9).await, [0; 0]);
}

#[tokio::test]
async fn what_there_is_is_told_in_numbers() {
    let db = db().await;
    let (one, two) = (db.joined(1).await, db.joined(2).await);
    let mut runs: Vec<_> = (0..6).map(|n| run_of(["mail", "sweep"][n % 2])).collect();
    runs[4].priority = 7;
    runs[5].queue = "slow".into();
    let due = DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    runs.push(NewRun { due: Some(due), ..mail() });
    db.submit(&runs).await.unwrap();
    let claimed = db.take(one, 1).await;
    db.end(one, &[end_of(&claimed[0], Follows::Retry(due))]).await.unwrap();
    assert_eq!((db.take(one, 1).await.len(), db.take(two, 1).await.len()), (1, 1));

    let mut live = db.live().await.unwrap();
    live.sort_by(|one, other| (&one.job, &one.state).cmp(&(&other.job, &other.state)));
    let told = live
        .iter()
        .map(|live| format!("{} {} {}: {}, {}", live.queue, live.job, live.state, live.runs, live.retries));
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "default mail available: 1, 0",
            "default mail running: 1, 0",
            "default mail scheduled: 2, 1",
            "default sweep available: 1, 0",
            "slow sweep available: 1, 0",
            "default sweep running: 1, 0",
        ]
    );
    assert!(live.iter().all(|live| live.oldest.is_some() == (live.state == "available")), "{live:?}");
    let nodes = db.nodes().await.unwrap();
    let has: Vec<_> = nodes.iter().map(|node| (node.id, node.runs.clone())).collect();
    assert_eq!(has, [(one, vec![("mail".to_owned(), 1)]), (two, vec![("sweep".to_owned(), 1)])]);
    assert!(nodes[0].silent < Duration::from_secs(15), "{nodes:?}");
}

/// Whatever the order of identities: one that was delayed waits since its time has come.
#[tokio::test]
async fn who_waits_longest_is_who_is_due_longest() {
    let db = db().await;
    let at = |minutes: i64| DateTime::from_timestamp(1_700_000_000 + 60 * minutes, 0).unwrap();
    let runs = [mail(), mail(), run_of("sweep")];
    db.submit(&runs).await.unwrap();
    for (run, minutes) in runs.iter().zip([9, 5, 7]) {
        let sql = "update jobs.run set due = $1 where id = $2";
        sqlx::query(sql).bind(at(minutes)).bind(run.id).execute(&db.pool).await.unwrap();
    }
    let oldest: Vec<_> = db.live().await.unwrap().iter().map(|live| live.oldest).collect();
    assert_eq!(oldest, [Some(at(5)), Some(at(5))]);
}

#[tokio::test]
async fn of_each_job_the_last_runs_are_known() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&(0..4).map(|n| run_of(["mail", "sweep"][n / 3])).collect::<Vec<_>>()).await.unwrap();
    let claimed = db.take(node, 4).await;
    let ends = claimed.iter().zip(["dead", "succeeded", "succeeded", "dead"]).zip(1..);
    let ends: Vec<_> = ends
        .map(|((run, state), n)| End {
            finished: run.due + TimeDelta::seconds(n),
            message: Some(n.to_string()),
            ..end_of(run, Follows::End(state))
        })
        .collect();
    db.end(node, &ends).await.unwrap();
    // It never started.
    let never = mail();
    db.submit(std::slice::from_ref(&never)).await.unwrap();
    db.cancel(never.id).await.unwrap();

    let jobs = ["mail", "sweep", "report"].map(str::to_owned);
    let mut last = db.last_of_each(&jobs).await.unwrap();
    last.sort_by(|one, other| one.job.cmp(&other.job));
    let told = last.iter().map(|last| (last.job.as_str(), last.id, last.message.as_deref().unwrap()));
    assert_eq!(told.collect::<Vec<_>>(), [("mail", claimed[2].id, "3"), ("sweep", claimed[3].id, "4")]);
    let ended = db.last_ended(&jobs[..1], 4).await.unwrap();
    let told: Vec<_> =
        ended.iter().map(|(_, state, took)| (state.as_str(), took.map(|took| took.as_secs()))).collect();
    assert_eq!(told[..2], [("succeeded", Some(3)), ("succeeded", Some(2))]);
    assert!(told[2..].contains(&("dead", Some(1))) && told[2..].contains(&("cancelled", None)), "{told:?}");
}

#[tokio::test]
async fn an_end_in_a_transaction_of_the_caller_comes_and_goes_with_it() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail()]).await.unwrap();
    let claimed = db.take(node, 1).await;
    let end = [success_of(&claimed[0])];
    let mut tx = db.hold().await;
    assert_eq!(db.end_on(&mut tx, node, &end).await.unwrap(), 1);
    tx.rollback().await.unwrap();
    assert_eq!(db.state(claimed[0].id).await, "running");
    let mut tx = db.hold().await;
    assert_eq!(db.end_on(&mut tx, node, &end).await.unwrap(), 1);
    tx.commit().await.unwrap();
    // What is done is done: the claim does not end it again.
    assert_eq!(db.end(node, &end).await.unwrap(), 0);
}

/// Many have ended, and there is no queue of that name.
#[tokio::test]
async fn a_queue_is_looked_for_among_what_is_live() {
    let address = Server::shared().database();
    let db = watching(&address);
    migrate(&db.pool, &db.schema, false).await.unwrap();
    db.run_sql(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, finished)
         select gen_random_uuid(), 'mail', 'default', 0, 'succeeded', now(), 0, 'submission', '{}', now()
         from generate_series(1, 20000);
         analyze jobs.run",
    )
    .await;
    let mut runs = [mail(), mail(), mail()];
    runs[1].queue = "slow".into();
    runs[2].queue = "late".into();
    runs[2].due = Some(DateTime::from_timestamp(4_000_000_000, 0).unwrap());
    db.submit(&runs).await.unwrap();
    db.run_sql("update jobs.run set state = 'running' where queue = 'slow'").await;
    // What one session has read, which is all on one connection.
    let read = "select seq_tup_read + idx_tup_fetch from pg_stat_xact_user_tables where relid = 'jobs.run'::regclass";
    db.run_sql("begin").await;
    let before: u64 = db.text(read).await.parse().unwrap();
    for there in ["default", "slow", "late"] {
        assert!(db.has_queue(there).await.unwrap(), "{there}");
    }
    assert!(!db.has_queue("defualt").await.unwrap());
    let after: u64 = db.text(read).await.parse().unwrap();
    db.run_sql("rollback").await;
    assert!(after - before < 100, "{}", after - before);
}

//! An open transaction somewhere keeps the server from forgetting anything, for hours: what was claimed stays in the indexes.

use super::program::{Program, bounded, joined};
use super::*;

/// Nothing that is there now is forgotten until this is dropped.
pub(super) async fn remember(db: &Db) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let mut old = db.hold().await;
    let snapshot = "set transaction isolation level repeatable read; select count(*) from jobs.run";
    sqlx::raw_sql(snapshot).execute(&mut *old).await.unwrap();
    old
}

/// The server may forget nothing, and a backlog drains: what is read does not grow with what was claimed before.
#[tokio::test]
async fn an_old_transaction_does_not_slow_claims() {
    let db = db().await;
    let node = db.joined(1).await;
    for _ in 0..4 {
        let runs: Vec<_> = (0..1000).map(|_| mail()).collect();
        db.submit(&runs).await.unwrap();
    }
    let old = remember(&db).await;

    let one = db.alone().await;
    let read = "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'run_available'";
    let jobs = ["mail".to_owned()];
    let wanted = Wanted { node, count: 50, jobs: &jobs, queues: &[], oldest: false, unseen: false };
    let before = one.told(read).await;
    let first = one.claim(wanted).await.unwrap();
    let mut lanes = one.lanes_behind(wanted, &first).await;
    let mut claimed = first.len();
    loop {
        let more = one.claim_from(wanted, &mut lanes, Duration::ZERO).await.unwrap();
        if more.is_empty() {
            break;
        }
        claimed += more.len();
    }
    assert_eq!(claimed, 4000);
    let read = one.told(read).await - before;
    assert!((4000..40_000).contains(&read), "{read} entries read for 4000 runs");
    drop(old);
}

/// Behind what was claimed before comes one run after another. What was claimed is not read anew for each of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_after_another_is_claimed_behind_many() {
    const BEFORE: i64 = 300_000;
    let address = Server::shared().quick_database();
    let program = Program::with_room(10);
    let node = joined(&address, 1, &program).await;
    let db = Db::new(pool(&address, 3), Schema::default());
    let old = remember(&db).await;
    db.run_sql(&format!(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args)
        select lpad(to_hex(n), 32, '0')::uuid, 'mail', 'default', 0, 'available', now(), 20, 'submission', '{{}}'
        from generate_series(1, {BEFORE}) as n;
        update jobs.run set state = 'running' where state = 'available';
        update jobs.run set state = 'succeeded', finished = now(), outcome = 'succeeded'"
    ))
    .await;
    let execute = async |n: i64| {
        let millis = crate::clock::Clock::system().now().wall.to_chrono().timestamp_millis();
        let run = NewRun {
            id: Id(u128::from(millis.cast_unsigned()) << 80 | u128::from(n.cast_unsigned())),
            ..mail()
        };
        node.submit(run.clone()).await.unwrap().unwrap();
        assert_eq!(bounded(program.execute(&node, 1)).await, [run.id]);
    };
    execute(1).await;
    let read = "select sum(idx_tup_read)::bigint from pg_stat_user_indexes where relname = 'run'";
    let read = async || db.text(read).await.parse::<i64>().unwrap();
    let (before, runs) = (read().await, 300);
    for n in 2..2 + runs {
        execute(n).await;
    }
    node.leave().await;
    let each = (read().await - before) / runs;
    println!("{each} entries were read for each run behind {BEFORE}");
    // Half of the time, or else two to four times all of them.
    assert!(each < BEFORE, "{each} entries were read for each run behind {BEFORE}");
    drop(old);
}

/// One that is committed later than one with a later identity is claimed at once too, and one of long before soon.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_passed_is_claimed_from_behind() {
    let db = db().await;
    let node = db.joined(1).await;
    let at = |millis: u128| NewRun { id: Id((millis + 1_000_000) << 80), ..mail() };
    let jobs = ["mail".to_owned()];
    let wanted = Wanted { node, count: 5, jobs: &jobs, queues: &[], oldest: false, unseen: false };
    db.submit(&[at(0)]).await.unwrap();
    let mut lanes = Lanes::default();
    lanes.move_on(&db.claim(wanted).await.unwrap());
    let (late, too_late, next) = (at(0).id.0 - (99 << 80), at(0).id.0 - (101 << 80), at(7));
    let passed = [late, too_late].map(|id| NewRun { id: Id(id), ..mail() });
    db.submit(&[passed.to_vec(), vec![next.clone()]].concat()).await.unwrap();
    let back = Duration::from_millis(100);
    let claimed = db.claim_from(wanted, &mut lanes, back).await.unwrap();
    assert_eq!(ids(&claimed), [Id(late), next.id]);
    assert_eq!(ids(&db.claim(wanted).await.unwrap()), [Id(too_late)]);
}

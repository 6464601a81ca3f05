use super::program::{Program, joined, watching};
use super::*;
use crate::store::postgres::steer::Cancelled;

#[tokio::test]
async fn a_run_is_cancelled_in_every_state() {
    let db = db().await;
    let node = db.joined(1).await;
    let runs = [mail(), mail()];
    db.submit(&runs).await.unwrap();
    let claimed = db.take(node, 1).await;
    assert_eq!(db.cancel(runs[1].id).await.unwrap(), Cancelled::Ended { slot_of: None });
    assert_eq!(db.cancel(runs[0].id).await.unwrap(), Cancelled::Running);
    assert_eq!(db.look_at(node).await.cancelled, [runs[0].id]);
    // Its attempt fails before it is told: it is not tried again.
    let end = end_of(&claimed[0], Follows::Retry(claimed[0].due));
    db.end(node, &[end]).await.unwrap();
    assert_eq!(db.state(runs[0].id).await, "cancelled");
    assert_eq!(db.cancel(runs[0].id).await.unwrap(), Cancelled::Gone);
    let ended = db.ended(&[runs[0].id, runs[1].id, Id(77)]).await.unwrap();
    assert_eq!(ended.iter().filter(|ended| ended.outcome.is_some()).count(), 2);
    assert!(ended.iter().any(|ended| ended.id == Id(77) && ended.is_unknown));
}

/// And not after the next look at what is left undone.
#[tokio::test(flavor = "multi_thread")]
async fn the_successor_of_a_cancelled_run_may_start_at_once() {
    let address = Server::shared().database();
    let program = Program::with_room(0);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    db.run_sql(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, schedule, slot, args)
        select lpad(n::text, 32, '0')::uuid, 'mail', 'default', 0, case n when 1 then 'available' else 'waiting' end,
            now(), 0, 'slot', 'k', now() + n * interval '1 s', '{}'
        from generate_series(1, 3) n",
    )
    .await;
    let first = Id(1);
    assert_eq!(node.cancel(first).await.unwrap(), Cancelled::Ended { slot_of: Some("mail".into()) });
    let states = "select state from jobs.run order by id";
    assert_eq!(db.text(states).await, "cancelled,available,waiting");
    node.leave().await;
}

#[tokio::test]
async fn a_pause_is_kept_from_its_first_moment() {
    let db = db().await;
    let since = "select paused_since from jobs.job where name = 'mail'";
    db.pause_job("mail", true).await.unwrap();
    let first = db.text(since).await;
    db.pause_job("mail", true).await.unwrap();
    assert_eq!(db.text(since).await, first);
    db.know_jobs(&["mail".into()]).await.unwrap();
    assert_eq!(db.text(since).await, first);
    db.pause_job("mail", false).await.unwrap();
    assert_eq!(db.text(since).await, "");
}

use super::*;
use crate::store::postgres::claim::Limited;

/// What it looks like when a node has said nothing for so many seconds.
async fn silent(db: &Db, node: u32, seconds: u32) {
    db.run_sql(&format!(
        "update jobs.node set heartbeat = now() - interval '{seconds} s', good_since = now() - interval '1 h'
         where id = lpad(to_hex({node}), 32, '0')::uuid"
    ))
    .await;
}

/// A node that has been there for long enough to judge others.
async fn old_node(db: &Db, id: u32) -> Id {
    let node = db.joined(id.into()).await;
    silent(db, id, 0).await;
    node
}

#[tokio::test]
async fn runs_of_a_silent_node_are_taken_after_fifteen_seconds() {
    let db = db().await;
    let (judge, other) = (old_node(&db, 1).await, old_node(&db, 2).await);
    db.submit(&[mail()]).await.unwrap();
    let claimed = db.take(other, 1).await;
    silent(&db, 2, 10).await;
    assert!(db.rescue(judge).await.unwrap().is_empty());
    silent(&db, 2, 16).await;
    let rescued = db.rescue(judge).await.unwrap();
    assert_eq!((rescued[0].id, rescued[0].state.as_str()), (claimed[0].id, "available"));
    // The one that was stopped goes on: it learns that it was taken for lost, and its end does not count.
    assert!(db.beat(other, GAP).await.unwrap().is_none());
    assert_eq!(db.end(other, &[success_of(&claimed[0])]).await.unwrap(), 0);
    let again = db.take(judge, 1).await;
    assert_eq!((again[0].attempt, again[0].retries), (2, 21));
    assert_eq!(db.end(judge, &[success_of(&again[0])]).await.unwrap(), 1);
}

/// It is how long its node is silent that counts.
#[tokio::test]
async fn a_run_that_executes_for_hours_stays_with_its_node() {
    let db = db().await;
    let (judge, other) = (old_node(&db, 1).await, old_node(&db, 2).await);
    db.submit(&[mail()]).await.unwrap();
    let claimed = db.take(other, 1).await;
    db.run_sql("update jobs.run set started = now() - interval '9 h', due = due - interval '9 h'").await;
    for seconds in [0, 5, 10] {
        silent(&db, 2, seconds).await;
        assert!(db.rescue(judge).await.unwrap().is_empty());
        assert!(db.take(judge, 1).await.is_empty());
    }
    assert!(db.beat(other, GAP).await.unwrap().is_some());
    assert_eq!(db.end(other, &[success_of(&claimed[0])]).await.unwrap(), 1);
    assert_eq!(db.text("select (state, attempt, rescues) from jobs.run").await, "(succeeded,1,0)");
}

/// It was stopped for so long that it is gone, and goes on before its next heartbeat.
#[tokio::test]
async fn who_was_taken_for_lost_claims_nothing_before_it_is_back() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail(), mail()]).await.unwrap();
    let held = db.take(node, 1).await;
    let jobs = ["mail".to_owned()];
    let wanted = Wanted { node, count: 10, jobs: &jobs, queues: &[], oldest: false, unseen: false };
    let mut lanes = db.lanes_behind(wanted, &held).await;
    db.run_sql("delete from jobs.node").await;
    let limited = [Limited { job: "mail".into(), concurrency: Some(5), rate: None }];
    assert!(db.claim(wanted).await.unwrap().is_empty());
    assert!(db.claim_from(wanted, &mut lanes, Duration::ZERO).await.unwrap().is_empty());
    assert!(db.claim_with(wanted, &limited, wanted.count).await.unwrap().0.is_empty());
    db.joined(1).await;
    assert_eq!(db.claim(wanted).await.unwrap().len(), 1);
}

#[tokio::test]
async fn who_is_new_or_was_cut_off_takes_nothing_for_fifteen_seconds() {
    let db = db().await;
    let other = old_node(&db, 2).await;
    db.submit(&[mail()]).await.unwrap();
    db.take(other, 1).await;
    silent(&db, 2, 60).await;
    let new = db.joined(3).await;
    assert!(db.rescue(new).await.unwrap().is_empty());
    let judge = old_node(&db, 1).await;
    silent(&db, 1, 60).await;
    assert!(db.beat(judge, GAP).await.unwrap().is_some());
    assert!(db.rescue(judge).await.unwrap().is_empty());
    db.run_sql(
        "update jobs.node set good_since = now() - interval '16 s' where id = lpad('1', 32, '0')::uuid",
    )
    .await;
    assert_eq!(db.rescue(judge).await.unwrap().len(), 1);
}

/// The server has stood still since the judge's heartbeat, or its clock was set forward.
#[tokio::test]
async fn nobody_is_taken_for_lost_by_a_time_that_has_passed_for_all() {
    let db = db().await;
    let (judge, other) = (old_node(&db, 1).await, old_node(&db, 2).await);
    db.submit(&[mail()]).await.unwrap();
    db.take(other, 1).await;
    silent(&db, 1, 60).await;
    silent(&db, 2, 60).await;
    assert!(db.rescue(judge).await.unwrap().is_empty());
}

/// Or another server took over, whose clock is behind.
#[tokio::test]
async fn who_is_lost_is_missed_also_where_the_clock_was_set_back() {
    let db = db().await;
    let (judge, other) = (old_node(&db, 1).await, old_node(&db, 2).await);
    db.submit(&[mail()]).await.unwrap();
    db.take(other, 1).await;
    db.run_sql(
        "update jobs.node set heartbeat = now() + interval '1 h', good_since = now() + interval '50 min'",
    )
    .await;
    // Nobody has said yet by the new time that it is there.
    db.run_sql(
        "update jobs.node set good_since = now() - interval '1 h' where id = lpad('1', 32, '0')::uuid",
    )
    .await;
    assert!(db.rescue(judge).await.unwrap().is_empty());
    let (.., one_is_late) = db.beat(judge, GAP).await.unwrap().unwrap();
    assert!(one_is_late);
    assert!(db.rescue(judge).await.unwrap().is_empty());
    db.run_sql(
        "update jobs.node set good_since = now() - interval '16 s' where id = lpad('1', 32, '0')::uuid",
    )
    .await;
    assert_eq!(db.rescue(judge).await.unwrap().len(), 1);
    assert_eq!(db.text("select rescues from jobs.run").await, "0");
    assert_eq!(db.text("select count(*) from jobs.node").await, "1");
}

#[tokio::test]
async fn a_node_lost_in_an_outage_does_not_speak_against_its_runs() {
    let db = db().await;
    let (judge, other) = (old_node(&db, 1).await, old_node(&db, 2).await);
    db.submit(&[mail()]).await.unwrap();
    let claimed = db.take(other, 1).await;
    // Both were last heard of a minute ago; one comes back.
    silent(&db, 1, 60).await;
    silent(&db, 2, 61).await;
    db.beat(judge, GAP).await.unwrap();
    db.run_sql(
        "update jobs.node set good_since = now() - interval '16 s' where id = lpad('1', 32, '0')::uuid",
    )
    .await;
    assert_eq!(db.rescue(judge).await.unwrap()[0].id, claimed[0].id);
    assert_eq!(db.text("select rescues from jobs.run").await, "0");
}

/// A function that cannot be stopped goes on after the shutdown, and is cut off by the end of its process.
#[tokio::test]
async fn what_a_shutdown_has_left_running_is_not_at_fault() {
    let db = db().await;
    let (judge, other) = (old_node(&db, 1).await, old_node(&db, 2).await);
    db.submit(&[mail()]).await.unwrap();
    let claimed = db.take(other, 1).await;
    db.close(other).await.unwrap();
    silent(&db, 2, 16).await;
    assert_eq!(db.rescue(judge).await.unwrap()[0].id, claimed[0].id);
    assert_eq!(db.text("select (state, rescues) from jobs.run").await, "(available,0)");
}

#[tokio::test]
async fn the_second_rescue_waits_and_the_third_is_the_last() {
    let db = db().await;
    let judge = old_node(&db, 1).await;
    db.submit(&[mail()]).await.unwrap();
    let mut states = Vec::new();
    for victim in 2..5 {
        let node = old_node(&db, victim).await;
        db.run_sql("update jobs.run set due = now()").await;
        db.look_at(Id(1)).await;
        assert_eq!(db.take(node, 1).await.len(), 1);
        silent(&db, victim, 16).await;
        silent(&db, 1, 0).await;
        states.push(db.rescue(judge).await.unwrap()[0].state.clone());
    }
    assert_eq!(states, ["available", "scheduled", "dead"]);
    assert_eq!(
        db.text("select outcome from jobs.run where message like '%three times%'").await,
        "quarantined"
    );
}

/// Three that execute for hours beside one that kills its node soon after its start.
#[tokio::test]
async fn those_that_only_were_there_part_from_what_their_nodes_die_of() {
    let db = db().await;
    let judge = old_node(&db, 1).await;
    let runs = [mail(), mail(), mail(), mail()];
    db.submit(&runs).await.unwrap();
    let culprit = runs[1].id;
    for victim in 2..4 {
        let node = old_node(&db, victim).await;
        assert_eq!(db.take(node, 10).await.len(), 4);
        silent(&db, victim, 16).await;
        silent(&db, 1, 0).await;
        assert_eq!(db.rescue(judge).await.unwrap().len(), 4);
    }
    // They are to start one after another.
    let apart = "select min(apart) > interval '1 min' and count(apart) = 3 from (
        select due - lag(due) over (order by due) from jobs.run where state = 'scheduled') x (apart)";
    assert_eq!(db.text(apart).await, "true");
    let node = old_node(&db, 4).await;
    for run in [runs[0].id, runs[2].id, runs[3].id, culprit] {
        let now = "update jobs.run set due = now() where id = $1";
        sqlx::query(now).bind(run).execute(&db.pool).await.unwrap();
        db.look_at(judge).await;
        assert_eq!(ids(&db.take(node, 10).await), [run]);
    }
    silent(&db, 4, 16).await;
    silent(&db, 1, 0).await;
    let mut dead = Vec::new();
    for rescued in db.rescue(judge).await.unwrap() {
        match rescued.state.as_str() {
            "dead" => dead.push(rescued.id),
            state => assert_eq!(state, "scheduled"),
        }
    }
    assert_eq!(dead, [culprit]);
    assert_eq!(db.text("select distinct rescues from jobs.run where state = 'scheduled'").await, "2");
}

/// All judges at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_rescued_once() {
    let db = db().await;
    let other = old_node(&db, 9).await;
    let runs: Vec<_> = (0..100).map(|_| mail()).collect();
    db.submit(&runs).await.unwrap();
    assert_eq!(db.take(other, 100).await.len(), 100);
    for judge in 1..=4 {
        old_node(&db, judge).await;
    }
    silent(&db, 9, 16).await;
    let mut judges = tokio::task::JoinSet::new();
    for judge in 1..=4_u128 {
        let db = db.clone();
        judges.spawn(async move { db.rescue(Id(judge)).await.unwrap().len() });
    }
    assert_eq!(judges.join_all().await.iter().sum::<usize>(), 100);
    assert_eq!(db.text("select distinct rescues from jobs.run").await, "1");
}

/// Both were cut off for the same time, and the other had said so longest before: nothing is known of it but that.
#[tokio::test]
async fn after_a_short_outage_nobody_is_taken_for_lost_who_comes_back() {
    let db = db().await;
    let (judge, other) = (old_node(&db, 1).await, old_node(&db, 2).await);
    db.submit(&[mail()]).await.unwrap();
    db.take(other, 1).await;
    silent(&db, 1, 11).await;
    silent(&db, 2, 16).await;
    let (.., one_is_late) = db.beat(judge, GAP).await.unwrap().unwrap();
    assert!(one_is_late);
    assert!(db.rescue(judge).await.unwrap().is_empty());
    // It was cut off itself, and looks as well.
    let (.., is_watching) = db.beat(other, GAP).await.unwrap().unwrap();
    assert!(is_watching);
    assert!(db.rescue(judge).await.unwrap().is_empty());
    db.run_sql("update jobs.node set good_since = now() - interval '16 s'").await;
    assert!(!db.beat(judge, GAP).await.unwrap().unwrap().2);
    assert!(db.rescue(judge).await.unwrap().is_empty());
}

/// A question that was given up may reach the server late, when the run was taken up again.
#[tokio::test]
async fn what_is_taken_up_again_is_not_given_back_by_what_was_asked_before() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail()]).await.unwrap();
    let before = db.take(node, 1).await;
    let fences = [fence_of(&before[0])];
    let again = db.adrift(node, &fences).await.unwrap();
    // Nor by the same that comes late.
    assert!(db.adrift(node, &fences).await.unwrap().is_empty());
    assert_eq!((again[0].id, again[0].attempt), (before[0].id, 1));
    assert_eq!(db.give_back(node, &[fence_of(&before[0])]).await.unwrap().count, 0);
    db.put_off(node, &[(fence_of(&before[0]), Duration::ZERO)]).await.unwrap();
    assert_eq!(db.state(before[0].id).await, "running");
    assert_eq!(db.end(node, &[success_of(&again[0])]).await.unwrap(), 1);
}

/// Somebody wants the run of a slot ended, and its process gives it back: who waits for that is told.
#[tokio::test]
async fn what_has_ended_instead_of_going_back_is_told() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail(), mail(), run_of("sweep"), mail()]).await.unwrap();
    db.run_sql("update jobs.run set schedule = id::text, slot = now()").await;
    let claimed = db.take(node, 4).await;
    db.run_sql("update jobs.run set cancel = job = 'mail'").await;
    let fence = |n: usize| fence_of(&claimed[n]);
    let back = db.give_back(node, &[fence(0), fence(2)]).await.unwrap();
    assert_eq!((back.count, back.ended), (2, vec!["mail".to_owned()]));
    let back = db.put_off(node, &[(fence(1), Duration::ZERO)]).await.unwrap();
    assert_eq!((back.count, back.ended), (1, vec!["mail".to_owned()]));
    assert_eq!(db.leave(node, &[]).await.unwrap(), ["mail"]);
    assert_eq!(
        db.text("select string_agg(state, ' ' order by id) from jobs.run").await,
        "cancelled cancelled available cancelled"
    );
}

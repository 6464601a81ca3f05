use chrono::{DateTime, TimeDelta, Utc};
use jobs_syntax::Overlap;

use super::*;
use crate::store::postgres::fire::{Entry, Slot};
use crate::store::postgres::schedules::Registration;
use crate::store::postgres::steer::Cancelled;
use crate::store::postgres::trouble::Trouble;

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::minutes(minute)
}

pub(super) fn registration(job: &str, key: &str) -> Registration {
    Registration {
        job: job.into(),
        key: key.into(),
        definition: "0 * * * *".into(),
        first: Some(at(0)),
        delay: None,
        second: None,
        declared: false,
    }
}

pub(super) fn slot(job: &str, key: &str, minute: i64, overlap: Overlap) -> Slot {
    Slot {
        job: job.into(),
        key: key.into(),
        definition: "0 * * * *".into(),
        slot: at(minute),
        next: Some(at(minute + 1)),
        reason: "ran",
        run: id(),
        queue: "default".into(),
        priority: 0,
        retries: 0,
        args: "{}".into(),
        overlap,
    }
}

async fn with_schedule() -> (Db, Id) {
    let db = db().await;
    let node = db.joined(1).await;
    db.register(node, &[registration("sweep", "hourly")]).await.unwrap();
    (db, node)
}

impl Db {
    async fn fire_one(&self, slot: Slot) -> Option<String> {
        self.fire(&[slot]).await.unwrap().pop().and_then(|fired| fired.became)
    }

    /// Fires it as often as somebody else holds what it needs.
    async fn fire_when_free(&self, slot: Slot) -> Option<String> {
        loop {
            let fired = self.fire(std::slice::from_ref(&slot)).await.unwrap().remove(0);
            if !fired.is_held {
                return fired.became;
            }
        }
    }
}

/// Every node fires every slot, all at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_at_once_fire_each_slot_once() {
    let db = db().await;
    let names: Vec<String> = (0..20).map(|n| format!("job_{n}")).collect();
    db.know_jobs(&names).await.unwrap();
    let schedules: Vec<_> = names.iter().map(|job| registration(job, "hourly")).collect();
    let node = db.joined(1).await;
    db.register(node, &schedules).await.unwrap();
    let mut nodes = tokio::task::JoinSet::new();
    for node in 0..4 {
        let (db, mut names) = (db.clone(), names.clone());
        names.rotate_left(node * 5);
        nodes.spawn(async move {
            let mut fired = 0;
            for minute in 0..25 {
                let slots: Vec<_> =
                    names.iter().map(|job| slot(job, "hourly", minute, Overlap::Allow)).collect();
                let answers = db.fire(&slots).await.unwrap();
                assert_eq!(answers.len(), slots.len());
                fired += answers.iter().filter(|fired| fired.became.is_some()).count();
            }
            fired
        });
    }
    // A node that is behind finds its slots fired, one that is ahead does not find them due: none fires for it.
    let fired: usize = nodes.join_all().await.iter().sum();
    let (runs, slots) = (
        db.text("select count(*) from jobs.run").await,
        db.text("select count(distinct (job, schedule, slot)) from jobs.run").await,
    );
    assert_eq!((runs.as_str(), slots.as_str()), (fired.to_string().as_str(), fired.to_string().as_str()));
    assert!(fired >= 20 * 25 / 4, "{fired}");
    assert_eq!(db.text("select sum(count) from jobs.ledger where reason = 'ran'").await, fired.to_string());
}

/// Slots of one job that have nothing to do with each other are one transaction, in whatever order nodes ask for them.
#[tokio::test(flavor = "multi_thread")]
async fn the_schedules_of_a_job_whose_runs_overlap_fire_together() {
    let db = db().await;
    let node = db.joined(1).await;
    let keys: Vec<String> = (0..200).map(|n| format!("key {n}")).collect();
    let schedules: Vec<_> = keys.iter().map(|key| registration("sweep", key)).collect();
    db.register(node, &schedules).await.unwrap();
    let mut nodes = tokio::task::JoinSet::new();
    for node in 0..4 {
        let (db, mut keys) = (db.clone(), keys.clone());
        keys.rotate_left(node * 50);
        nodes.spawn(async move {
            for minute in 0..5 {
                let slots: Vec<_> =
                    keys.iter().map(|key| slot("sweep", key, minute, Overlap::Allow)).collect();
                assert_eq!(db.fire(&slots).await.unwrap().len(), 200);
            }
        });
    }
    nodes.join_all().await;
    assert_eq!(db.text("select count(*) from jobs.run").await, "1000");
    let together = "select count(*) from (select slot from jobs.run group by slot having count(distinct xmin::text) > 1) x";
    assert_eq!(db.text(together).await, "0");
    let deadlocks = "select deadlocks from pg_stat_database where datname = current_database()";
    assert_eq!(db.text(deadlocks).await, "0");
}

#[tokio::test]
async fn the_index_holds_where_the_row_was_set_back() {
    let (db, _) = with_schedule().await;
    assert!(db.fire_one(slot("sweep", "hourly", 0, Overlap::Allow)).await.is_some());
    assert!(db.fire_one(slot("sweep", "hourly", 0, Overlap::Allow)).await.is_none());
    db.run_sql("update jobs.schedule set next_slot = to_timestamp(1700000000)").await;
    db.fire_one(slot("sweep", "hourly", 0, Overlap::Allow)).await;
    assert_eq!(db.text("select count(*) from jobs.run").await, "1");
}

/// The clock of a node is wrong by minutes.
#[tokio::test]
async fn no_slot_fires_or_is_passed_over_before_its_time_by_the_server() {
    let db = db().await;
    let node = db.joined(1).await;
    let soon = DateTime::from_timestamp(4_000_000_000, 0).unwrap();
    let hourly = Registration { first: Some(soon), ..registration("sweep", "hourly") };
    db.register(node, std::slice::from_ref(&hourly)).await.unwrap();
    let next = Some(soon + TimeDelta::hours(1));
    for overlap in [Overlap::Allow, Overlap::BufferOne, Overlap::CancelOther] {
        let early = Slot { slot: soon, next, ..slot("sweep", "hourly", 0, overlap) };
        let fired = db.fire(&[early]).await.unwrap().pop().unwrap();
        assert_eq!((fired.became, fired.is_ours, fired.next_slot), (None, true, Some(soon)));
    }
    let missed = Entry { first: soon, last: soon, count: 1, reason: "missed".into() };
    assert!(!db.pass(&hourly, soon, next, &missed).await.unwrap());
    assert_eq!(db.text("select count(*) from jobs.run").await, "0");
    assert_eq!(db.text("select count(*) from jobs.ledger").await, "0");
}

#[tokio::test]
async fn overlap_is_decided_over_the_cluster() {
    use Overlap::*;
    let expected = [
        (Allow, ["available", "available", "available"]),
        (Skip, ["available", "overlap", "overlap"]),
        (BufferOne, ["available", "waiting", "overlap"]),
        (BufferAll, ["available", "waiting", "waiting"]),
    ];
    for (overlap, expected) in expected {
        let (db, node) = with_schedule().await;
        let mut became = Vec::new();
        for minute in 0..3 {
            became.push(db.fire_one(slot("sweep", "hourly", minute, overlap)).await.unwrap());
            db.take(node, 1).await;
        }
        assert_eq!(became, expected, "{overlap:?}");
        let skipped = expected.iter().filter(|became| **became == "overlap").count();
        let ledger =
            db.text("select coalesce(sum(count), 0) from jobs.ledger where reason = 'overlap'").await;
        assert_eq!(ledger, skipped.to_string(), "{overlap:?}");
    }
}

#[tokio::test]
async fn the_end_of_its_predecessor_lets_a_waiting_run_start() {
    let (db, node) = with_schedule().await;
    let slots = [0, 1, 2].map(|minute| slot("sweep", "hourly", minute, Overlap::BufferAll));
    for slot in slots.clone() {
        db.fire_one(slot).await;
    }
    for slot in &slots {
        let claimed = db.take(node, 10).await;
        assert_eq!(ids(&claimed), [slot.run]);
        assert_eq!((claimed[0].schedule.as_deref(), claimed[0].slot), (Some("hourly"), Some(slot.slot)));
        assert_eq!(db.succeed(&["sweep".into()]).await.unwrap().started, 0);
        db.end(node, &[success_of(&claimed[0])]).await.unwrap();
        db.succeed(&["sweep".into()]).await.unwrap();
    }
}

/// The end of a run and the next slot meet in every order, and nothing waits for ever.
#[tokio::test(flavor = "multi_thread")]
async fn no_run_waits_for_a_predecessor_that_has_ended() {
    let (db, node) = with_schedule().await;
    db.fire_one(slot("sweep", "hourly", 0, Overlap::BufferOne)).await;
    for minute in 1..60 {
        let claimed = db.take(node, 10).await;
        assert_eq!(claimed.len(), 1, "minute {minute}");
        let end = async {
            db.end(node, &[success_of(&claimed[0])]).await.unwrap();
            while db.succeed(&["sweep".into()]).await.unwrap().is_held {}
        };
        let fire = db.fire_when_free(slot("sweep", "hourly", minute, Overlap::BufferOne));
        let ((), became) = tokio::join!(end, fire);
        assert_ne!(became.as_deref(), Some("overlap"));
    }
}

#[tokio::test]
async fn cancel_other_ends_what_waits_and_tells_what_runs() {
    let (db, node) = with_schedule().await;
    db.fire_one(slot("sweep", "hourly", 0, Overlap::CancelOther)).await;
    let running = db.take(node, 1).await;
    let second = slot("sweep", "hourly", 1, Overlap::CancelOther);
    assert_eq!(db.fire_one(second.clone()).await.unwrap(), "waiting");
    assert_eq!(db.look_at(node).await.cancelled, ids(&running));
    assert_eq!(db.fire_one(slot("sweep", "hourly", 2, Overlap::CancelOther)).await.unwrap(), "waiting");
    assert_eq!(db.state(second.run).await, "cancelled");
}

#[tokio::test]
async fn consecutive_slots_with_one_reason_are_one_entry() {
    let (db, node) = with_schedule().await;
    let hourly = registration("sweep", "hourly");
    for minute in 0..6 {
        db.fire_one(slot("sweep", "hourly", minute, Overlap::Skip)).await;
        if minute == 0 {
            db.take(node, 1).await;
        }
    }
    db.pause_job("sweep", true).await.unwrap();
    assert_eq!(db.fire_one(slot("sweep", "hourly", 6, Overlap::Skip)).await.unwrap(), "paused");
    let missed = Entry { first: at(7), last: at(9), count: 3, reason: "missed".into() };
    assert!(db.pass(&hourly, at(7), Some(at(10)), &missed).await.unwrap());
    // Another node had the same to say.
    assert!(!db.pass(&hourly, at(7), Some(at(10)), &missed).await.unwrap());
    let entry = |first, last, count, reason: &str| Entry {
        first: at(first),
        last: at(last),
        count,
        reason: reason.into(),
    };
    let expected = [entry(0, 0, 1, "ran"), entry(1, 5, 5, "overlap"), entry(6, 6, 1, "paused"), missed];
    let ledger = db.ledgers(&[("sweep", "hourly")], 10).await.unwrap();
    assert_eq!(ledger.into_iter().map(|(.., entry)| entry).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn what_counts_from_the_end_of_a_run_has_no_slot_before() {
    let db = db().await;
    let node = db.joined(1).await;
    let hourly = Registration { delay: Some(Duration::from_secs(3600)), ..registration("sweep", "hourly") };
    db.register(node, std::slice::from_ref(&hourly)).await.unwrap();
    let next = async || db.in_force(std::slice::from_ref(&hourly)).await.unwrap()[0].next_slot;
    db.fire_one(Slot { next: None, ..slot("sweep", "hourly", 0, Overlap::Skip) }).await;
    let claimed = db.take(node, 1).await;
    db.succeed(&["sweep".into()]).await.unwrap();
    assert_eq!(next().await, None);
    db.end(node, &[success_of(&claimed[0])]).await.unwrap();
    // Its node is lost before it says what follows: another does.
    db.succeed_undone().await.unwrap();
    let wait = next().await.unwrap() - claimed[0].due;
    assert!(wait >= TimeDelta::hours(1) && wait < TimeDelta::hours(2), "{wait}");
}

#[tokio::test]
async fn a_cancelled_run_lets_its_successor_start() {
    let (db, node) = with_schedule().await;
    let slots = [0, 1].map(|minute| slot("sweep", "hourly", minute, Overlap::BufferOne));
    for slot in slots.clone() {
        db.fire_one(slot).await;
    }
    let job = "sweep".to_owned();
    assert_eq!(db.cancel(slots[0].run).await.unwrap(), Cancelled::Ended { slot_of: Some(job.clone()) });
    db.succeed(&[job]).await.unwrap();
    assert_eq!(ids(&db.take(node, 10).await), [slots[1].run]);
}

/// Somebody cancels it at the moment in which its predecessor ends.
#[tokio::test]
async fn a_cancelled_run_does_not_start_in_the_place_of_another() {
    let (db, node) = with_schedule().await;
    let slots = [0, 1].map(|minute| slot("sweep", "hourly", minute, Overlap::BufferOne));
    for slot in slots.clone() {
        db.fire_one(slot).await;
    }
    let claimed = db.take(node, 1).await;
    let mut tx = db.hold().await;
    let cancel =
        "update jobs.run set state = 'cancelled', finished = now(), outcome = 'cancelled' where id = $1";
    sqlx::query(cancel).bind(slots[1].run).execute(&mut *tx).await.unwrap();
    db.end(node, &[success_of(&claimed[0])]).await.unwrap();
    let mut succeeding = tokio::task::JoinSet::new();
    succeeding.spawn({
        let db = db.clone();
        async move {
            // It waits for as long as it may, and is asked again.
            loop {
                let succeeded = db.succeed(&["sweep".into()]).await.unwrap();
                if !succeeded.is_held {
                    return succeeded;
                }
            }
        }
    });
    db.until("select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()", "1")
        .await;
    tx.commit().await.unwrap();
    assert_eq!(succeeding.join_next().await.unwrap().unwrap().started, 0);
    assert_eq!(db.state(slots[1].run).await, "cancelled");
}

/// There is no leader whose lease must run out first: the other fires the slot that comes next, while the one that has the say
/// is silent and nobody has missed it yet.
#[tokio::test]
async fn the_slots_of_a_killed_node_are_fired_by_the_others_at_once() {
    let db = db().await;
    let other = db.joined(1).await;
    db.register(other, &[registration("sweep", "hourly")]).await.unwrap();
    // It is the one that came last, and dies without a word.
    let killed = db.joined(2).await;
    db.register(killed, &[registration("sweep", "hourly")]).await.unwrap();
    db.run_sql(
        "update jobs.node set heartbeat = now() - interval '14 s' where name = 'test' and id::text like '%2'",
    )
    .await;
    let rows = db.in_force(&[registration("sweep", "hourly")]).await.unwrap();
    assert!(rows[0].is_ours && rows[0].next_slot == Some(at(0)), "{rows:?}");
    for minute in 0..3 {
        let fired = db.fire_one(slot("sweep", "hourly", minute, Overlap::Allow)).await;
        assert_eq!(fired.as_deref(), Some("available"), "{minute}");
    }
    assert_eq!(ids(&db.take(other, 10).await).len(), 3);
}

/// A transaction of somebody else's, or of a node that stands still, has the row of a job.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_held_holds_up_no_other() {
    let db = db().await;
    let node = db.joined(1).await;
    let schedules: Vec<_> = [("mail", "a"), ("report", "b"), ("sweep", "c"), ("sweep", "d")]
        .map(|(job, key)| registration(job, key))
        .into();
    db.register(node, &schedules).await.unwrap();
    let mut holder = db.hold().await;
    let lock = "select from jobs.job where name = 'sweep' for update";
    sqlx::raw_sql(lock).execute(&mut *holder).await.unwrap();
    let slots = |minute| {
        [
            slot("mail", "a", minute, Overlap::CancelOther),
            slot("report", "b", minute, Overlap::Allow),
            slot("sweep", "c", minute, Overlap::Skip),
            slot("sweep", "d", minute, Overlap::Allow),
        ]
    };
    for minute in 0..3 {
        let mut fired = db.fire(&slots(minute)).await.unwrap();
        fired.sort_by(|one, other| one.key.cmp(&other.key));
        let became: Vec<_> = fired.iter().map(|fired| (fired.became.is_some(), fired.is_held)).collect();
        assert_eq!(became, [(true, false), (true, false), (false, true), (true, false)]);
        assert!(db.succeed(&["mail".into(), "sweep".into()]).await.unwrap().is_held);
    }
    holder.rollback().await.unwrap();
    assert_eq!(db.fire_one(slot("sweep", "c", 0, Overlap::Skip)).await.as_deref(), Some("overlap"));
    assert!(!db.succeed(&["mail".into(), "sweep".into()]).await.unwrap().is_held);
}

/// The same of a schedule, and of a run that one that cancels others wants ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_that_is_held_holds_up_no_other() {
    let db = db().await;
    let node = db.joined(1).await;
    let schedules: Vec<_> =
        [("mail", "a"), ("report", "b"), ("sweep", "c")].map(|(job, key)| registration(job, key)).into();
    db.register(node, &schedules).await.unwrap();
    assert!(db.fire_one(slot("mail", "a", 0, Overlap::CancelOther)).await.is_some());
    let mut holder = db.hold().await;
    let lock = "select from jobs.run for update; select from jobs.schedule where key = 'b' for update";
    sqlx::raw_sql(lock).execute(&mut *holder).await.unwrap();
    let slots = [
        slot("mail", "a", 1, Overlap::CancelOther),
        slot("report", "b", 0, Overlap::Skip),
        slot("sweep", "c", 0, Overlap::Allow),
    ];
    let mut fired = db.fire(&slots).await.unwrap();
    fired.sort_by(|one, other| one.key.cmp(&other.key));
    let became: Vec<_> = fired.iter().map(|fired| (fired.became.is_some(), fired.is_held)).collect();
    assert_eq!(became, [(false, true), (false, true), (true, false)]);
    let missed = Entry { first: at(0), last: at(0), count: 1, reason: "missed".into() };
    let passed = db.pass(&registration("report", "b"), at(0), Some(at(1)), &missed).await;
    assert!(matches!(passed.map_err(Trouble::from), Err(Trouble::Held)));
    holder.rollback().await.unwrap();
    let fired = db.fire(&slots[..2]).await.unwrap();
    assert!(fired.iter().all(|fired| fired.became.is_some()), "{fired:?}");
}

/// Of many nodes most come too late for a slot.
#[tokio::test(flavor = "multi_thread")]
async fn who_comes_too_late_for_a_slot_waits_for_nobody() {
    let (db, _) = with_schedule().await;
    assert_eq!(db.fire_one(slot("sweep", "hourly", 0, Overlap::Allow)).await.as_deref(), Some("available"));
    let mut holder = db.hold().await;
    sqlx::raw_sql("select from jobs.schedule for update").execute(&mut *holder).await.unwrap();
    let fired = db.fire(&[slot("sweep", "hourly", 0, Overlap::Allow)]).await.unwrap().remove(0);
    assert_eq!((fired.is_held, fired.became, fired.next_slot), (false, None, Some(at(1))));
    let fired = db.fire(&[slot("sweep", "hourly", 1, Overlap::Allow)]).await.unwrap().remove(0);
    assert!(fired.is_held);
    holder.rollback().await.unwrap();
    assert_eq!(db.fire_one(slot("sweep", "hourly", 1, Overlap::Allow)).await.as_deref(), Some("available"));
}

/// Whoever waits for a lock sees what the one before has left, also where the role is set to see what was there when it began.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_another_isolation_keeps_to_the_policy() {
    let address = Server::shared().database();
    let options: sqlx::postgres::PgConnectOptions = address.parse().unwrap();
    // As behind a pooler: nothing is said to the session.
    let options = options.options([("default_transaction_isolation", "repeatable read")]);
    let db = Db::new(PgPoolOptions::new().connect_with(options).await.unwrap(), Schema::default());
    migrate(&db.pool, &db.schema, false).await.unwrap();
    db.know_jobs(&["sweep".into()]).await.unwrap();
    let node = db.joined(1).await;
    let schedules = ["a", "b"].map(|key| registration("sweep", key));
    db.register(node, &schedules).await.unwrap();
    let mut other = db.hold().await;
    let lock = "select from jobs.job where name = 'sweep' for update";
    sqlx::raw_sql(lock).execute(&mut *other).await.unwrap();
    let waiting = "select count(*) from pg_stat_activity \
        where datname = current_database() and wait_event_type = 'Lock' and query like '%for update%'";
    let meet = async {
        db.until(waiting, "1").await;
        let run = "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, schedule, slot, args) \
            values (gen_random_uuid(), 'sweep', 'default', 0, 'available', now(), 0, 'slot', 'a', now(), '{}')";
        sqlx::raw_sql(run).execute(&mut *other).await.unwrap();
        other.commit().await.unwrap();
    };
    // It gives up waiting before long, and is asked again until it has met the other.
    let (became, ()) = tokio::join!(db.fire_when_free(slot("sweep", "b", 0, Overlap::Skip)), meet);
    assert_eq!(became.as_deref(), Some("overlap"));
}

/// A node that stands still between the lock and the commit.
#[tokio::test(flavor = "multi_thread")]
async fn the_server_ends_a_transaction_of_ours_that_stands_still() {
    let db = db().await;
    let mut still = db.begin(Duration::from_millis(500)).await.unwrap();
    sqlx::raw_sql("select from jobs.job where name = 'sweep' for update").execute(&mut *still).await.unwrap();
    db.until(
        "select count(*) from (select from jobs.job where name = 'sweep' for update skip locked) x",
        "1",
    )
    .await;
    let error = sqlx::raw_sql("select 1").execute(&mut *still).await.unwrap_err();
    assert!(matches!(Trouble::from(error), Trouble::Passing(_)));
    // So is one that says nothing of its own, where the server takes the settings of the session.
    let mut still = db.pool.begin().await.unwrap();
    sqlx::raw_sql("select from jobs.job where name = 'sweep' for update").execute(&mut *still).await.unwrap();
    db.until(
        "select count(*) from (select from jobs.job where name = 'sweep' for update skip locked) x",
        "1",
    )
    .await;
}

/// A job with a thousand live runs of its slots fires the next, and lets the first that waits start, without a look at all of them.
#[tokio::test]
async fn a_backlog_of_slots_is_not_read_for_each_slot() {
    const LIVE: i64 = 3000;
    for state in ["available", "waiting"] {
        let db = db().await;
        let node = db.joined(1).await;
        let schedules: Vec<_> = (0..20).map(|n| registration("sweep", &format!("schedule {n}"))).collect();
        db.register(node, &schedules).await.unwrap();
        let one = db.alone().await;
        let read = "select sum(idx_tup_read)::bigint from pg_stat_user_indexes where relname = 'run'";
        db.run_sql(&format!(
            "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, schedule, slot)
            select ('f' || lpad(to_hex(n), 31, '0'))::uuid, 'sweep', 'default', 0, '{state}', now(), 0, 'slot', '{{}}', 'many',
                now() - n * interval '1 s'
            from generate_series(1, {LIVE}) as n"
        ))
        .await;
        let before = one.told(read).await;
        for (minute, overlap) in
            (0..).zip([Overlap::Allow, Overlap::BufferAll, Overlap::BufferOne, Overlap::Skip])
        {
            let slots: Vec<_> =
                (0..20).map(|n| slot("sweep", &format!("schedule {n}"), minute, overlap)).collect();
            let fired = one.fire(&slots).await.unwrap();
            assert!(fired.iter().all(|fired| fired.became.is_some()), "{fired:?}");
            one.succeed(&["sweep".into()]).await.unwrap();
        }
        let read = one.told(read).await - before;
        println!("{read} entries were read beside {LIVE} that are {state}");
        assert!(read < LIVE, "{read} entries were read beside {LIVE} that are {state}");
    }
}

use chrono::{DateTime, TimeDelta, Utc};
use jobs_syntax::Overlap;

use super::*;
use crate::store::postgres::fire::{Entry, Slot};
use crate::store::postgres::schedules::{InForce, Registration};

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_700_000_000, 0).unwrap() + TimeDelta::minutes(minute)
}

pub(super) fn schedule(definition: &str, first: i64) -> [Registration; 1] {
    [Registration {
        job: "sweep".into(),
        key: "k".into(),
        definition: definition.into(),
        first: Some(at(first)),
        delay: None,
        second: None,
        declared: false,
    }]
}

impl Db {
    pub(super) async fn known(&self, schedule: &[Registration; 1]) -> InForce {
        self.in_force(schedule).await.unwrap().pop().unwrap()
    }

    async fn reasons(&self) -> Vec<String> {
        let ledger = self.ledgers(&[("sweep", "k")], 10).await.unwrap();
        ledger.into_iter().map(|(.., entry)| entry.reason).collect()
    }

    /// A node that started so many minutes ago.
    pub(super) async fn started(&self, id: u32, minutes: u32) -> Id {
        let node = self.joined(id.into()).await;
        self.run_sql(&format!(
            "update jobs.node set started = now() - interval '{minutes} min', good_since = now() - interval '{minutes} min'
            where id = lpad('{id}', 32, '0')::uuid"
        ))
        .await;
        node
    }
}

#[tokio::test]
async fn what_is_known_goes_on_where_it_stands() {
    let db = db().await;
    let old = db.started(1, 60).await;
    db.register(old, &schedule("a", 0)).await.unwrap();
    let before = db.known(&schedule("a", 0)).await;
    let new = db.started(2, 0).await;
    db.register(new, &schedule("a", 30)).await.unwrap();
    // The anchor and the next slot are kept, and either node may fire.
    assert_eq!(db.known(&schedule("a", 30)).await, before);
    assert!(before.is_ours);
}

#[tokio::test]
async fn another_definition_goes_on_from_now_and_the_old_node_has_no_say() {
    let db = db().await;
    let old = db.started(1, 60).await;
    db.register(old, &schedule("a", 0)).await.unwrap();
    let new = db.started(2, 0).await;
    db.register(new, &schedule("b", 30)).await.unwrap();
    assert_eq!(db.known(&schedule("b", 30)).await.next_slot, Some(at(30)));
    assert!(!db.known(&schedule("a", 0)).await.is_ours);
    // The old node says what it has at every heartbeat.
    db.adopt(old, &schedule("a", 5)).await.unwrap();
    assert!(db.known(&schedule("b", 30)).await.is_ours);
    assert_eq!(db.reasons().await, ["changed"]);
    // The new version is taken back: its node goes.
    db.leave(new, &[]).await.unwrap();
    db.adopt(old, &schedule("a", 40)).await.unwrap();
    let now = db.known(&schedule("a", 40)).await;
    assert!(now.is_ours);
    assert_eq!(now.next_slot, Some(at(40)));
}

#[tokio::test]
async fn a_node_that_is_lost_has_no_say() {
    let db = db().await;
    let old = db.started(1, 60).await;
    let new = db.started(2, 0).await;
    db.register(old, &schedule("a", 0)).await.unwrap();
    db.register(new, &schedule("b", 30)).await.unwrap();
    db.run_sql(
        "update jobs.node set heartbeat = now() - interval '16 s' where id = lpad('2', 32, '0')::uuid",
    )
    .await;
    db.adopt(old, &schedule("a", 40)).await.unwrap();
    assert!(db.known(&schedule("a", 40)).await.is_ours);
}

/// All have been away, and the old one is the first that is back.
#[tokio::test]
async fn after_an_outage_an_old_node_waits_for_the_others() {
    let db = db().await;
    let old = db.started(1, 60).await;
    let new = db.started(2, 0).await;
    db.register(old, &schedule("a", 0)).await.unwrap();
    db.register(new, &schedule("b", 30)).await.unwrap();
    db.run_sql("update jobs.node set heartbeat = now() - interval '1 min'").await;
    let (.., is_watching) = db.beat(old, GAP).await.unwrap().unwrap();
    assert!(is_watching);
    db.adopt(old, &schedule("a", 40)).await.unwrap();
    assert!(db.known(&schedule("b", 30)).await.is_ours);
    db.beat(new, GAP).await.unwrap();
    db.run_sql("update jobs.node set good_since = now() - interval '16 s'").await;
    db.adopt(old, &schedule("a", 40)).await.unwrap();
    assert!(db.known(&schedule("b", 30)).await.is_ours);
}

/// Alone, it is to look again when it may say.
#[tokio::test]
async fn who_was_cut_off_says_what_holds_when_it_has_been_back_for_a_while() {
    let db = db().await;
    let node = db.started(1, 60).await;
    db.run_sql("update jobs.node set heartbeat = now() - interval '1 min'").await;
    db.beat(node, GAP).await.unwrap();
    db.register(node, &schedule("a", 0)).await.unwrap();
    assert_eq!(db.text("select count(*) from jobs.schedule").await, "0");
    db.run_sql("update jobs.node set good_since = now() - interval '10 s'").await;
    assert!(db.beat(node, GAP).await.unwrap().unwrap().2);
    db.run_sql("update jobs.node set good_since = now() - interval '16 s'").await;
    assert!(!db.beat(node, GAP).await.unwrap().unwrap().2);
    db.adopt(node, &schedule("a", 0)).await.unwrap();
    assert!(db.known(&schedule("a", 0)).await.is_ours);
}

impl Db {
    /// Housekeeping so many minutes after what is known now.
    async fn close_after(&self, node: Id, minutes: u32) {
        self.run_sql(&format!(
            "update jobs.schedule set orphaned_since = orphaned_since - interval '{minutes} min'"
        ))
        .await;
        self.close_schedules(node).await.unwrap();
    }

    /// A node that has been there for a while and registers nothing.
    async fn keeper(&self, id: u32) -> Id {
        let node = self.started(id, 60).await;
        self.run_sql("update jobs.node set good_since = now() - interval '1 hour'").await;
        node
    }
}

#[tokio::test]
async fn what_nobody_registers_for_long_is_closed_and_fires_no_more() {
    let db = db().await;
    let (one, two) = (db.keeper(1).await, db.keeper(2).await);
    db.register(one, &schedule("a", 0)).await.unwrap();
    db.register(two, &schedule("a", 0)).await.unwrap();
    db.unregister(two, "sweep", "k").await.unwrap();
    db.close_after(one, 0).await;
    db.close_after(one, 60).await;
    assert!(db.known(&schedule("a", 0)).await.is_ours);
    db.unregister(one, "sweep", "k").await.unwrap();
    db.close_after(one, 0).await;
    db.close_after(one, 11).await;
    db.close_after(one, 11).await;
    assert!(!db.known(&schedule("a", 0)).await.is_ours);
    assert_eq!(db.reasons().await, ["closed"]);
    // Another definition comes in its place, and goes on from then.
    db.register(one, &schedule("b", 50)).await.unwrap();
    let back = db.known(&schedule("b", 50)).await;
    assert!(back.is_ours && !back.was_closed);
    assert_eq!(back.next_slot, Some(at(50)));
    assert_eq!(db.reasons().await, ["closed", "changed"]);
}

#[tokio::test]
async fn a_program_that_starts_anew_keeps_its_schedules_beside_others() {
    let db = db().await;
    let web = db.keeper(1).await;
    let worker = db.started(2, 0).await;
    db.register(worker, &schedule("a", 0)).await.unwrap();
    let before = db.known(&schedule("a", 0)).await;
    db.leave(worker, &[]).await.unwrap();
    db.close_after(web, 0).await;
    db.close_after(web, 9).await;
    let worker = db.started(3, 0).await;
    db.register(worker, &schedule("a", 70)).await.unwrap();
    assert_eq!(db.known(&schedule("a", 70)).await, before);
    // The minutes count anew at its next absence.
    db.leave(worker, &[]).await.unwrap();
    db.close_after(web, 0).await;
    db.close_after(web, 9).await;
    assert!(db.known(&schedule("a", 0)).await.is_ours);
    assert_eq!(db.reasons().await, [""; 0]);
}

#[tokio::test]
async fn who_was_cut_off_itself_closes_nothing() {
    let db = db().await;
    let (web, worker) = (db.keeper(1).await, db.keeper(2).await);
    db.register(worker, &schedule("a", 0)).await.unwrap();
    // The server was away for ten minutes, and this one is the first to hear it.
    db.run_sql("update jobs.node set heartbeat = now() - interval '10 min'").await;
    db.beat(web, GAP).await.unwrap();
    db.close_after(web, 0).await;
    db.close_after(web, 60).await;
    assert_eq!(db.text("select orphaned_since is null from jobs.schedule").await, "true");
    assert!(db.known(&schedule("a", 0)).await.is_ours);
}

#[tokio::test]
async fn a_closed_schedule_comes_back_where_it_stood() {
    let db = db().await;
    let node = db.keeper(1).await;
    db.register(node, &schedule("a", 0)).await.unwrap();
    let before = db.known(&schedule("a", 0)).await;
    db.unregister(node, "sweep", "k").await.unwrap();
    db.close_after(node, 0).await;
    db.close_after(node, 11).await;
    assert!(!db.known(&schedule("a", 0)).await.is_ours);
    db.register(node, &schedule("a", 70)).await.unwrap();
    let back = db.known(&schedule("a", 70)).await;
    assert!(back.was_closed);
    assert_eq!(InForce { was_closed: false, ..back }, before);
    // What has come since is entered as its node says.
    let missed = |reason: &str| Entry { first: at(0), last: at(2), count: 3, reason: reason.into() };
    assert!(db.pass(&schedule("a", 0)[0], at(0), Some(at(3)), &missed("missed: closed")).await.unwrap());
    assert!(!db.known(&schedule("a", 70)).await.was_closed);
    assert_eq!(db.reasons().await, ["missed: closed", "closed"]);
}

/// Two releases of the data of its zone: the older would name tomorrow's slot 08:00Z, the newer 07:00Z.
#[tokio::test]
async fn only_who_has_the_data_of_the_zone_that_is_in_force_fires() {
    let db = db().await;
    let (older, newer) = (schedule("TZ=Here 0 9 * * *\t1", 0), schedule("TZ=Here 0 9 * * *\t2", 60));
    let old = db.started(1, 60).await;
    db.register(old, &older).await.unwrap();
    let before = db.known(&older).await;
    let new = db.started(2, 0).await;
    db.register(new, &newer).await.unwrap();
    // It is the same schedule, and goes on where it stands.
    assert_eq!(db.known(&newer).await, before);
    assert!(!db.known(&older).await.is_ours);
    assert_eq!(db.reasons().await, [""; 0]);
    let slot = |of: &[Registration; 1], next| Slot {
        job: "sweep".into(),
        key: "k".into(),
        definition: of[0].definition.clone(),
        slot: at(0),
        next: Some(at(next)),
        reason: "ran",
        run: id(),
        queue: "default".into(),
        priority: 0,
        retries: 0,
        args: "{}".into(),
        overlap: Overlap::Allow,
    };
    assert_eq!(db.fire(&[slot(&older, 60)]).await.unwrap()[0].became, None);
    assert_eq!(db.fire(&[slot(&newer, 120)]).await.unwrap()[0].became.as_deref(), Some("available"));
    // The newer goes: the older one has the say, and does not name the slot anew.
    db.leave(new, &[]).await.unwrap();
    db.adopt(old, &older).await.unwrap();
    let back = db.known(&older).await;
    assert_eq!((back.is_ours, back.next_slot), (true, Some(at(120))));
}

pub(super) fn own(schedules: &[(&str, &str)]) -> Vec<(String, String)> {
    schedules.iter().map(|(job, key)| ((*job).into(), (*key).into())).collect()
}

#[tokio::test]
async fn what_a_newer_version_of_a_job_does_not_have_is_not_fired_by_the_old() {
    let db = db().await;
    let old = db.started(1, 60).await;
    let [declared] = schedule("a", 0);
    let declared = [Registration { declared: true, ..declared }];
    let [added] = schedule("a", 0);
    let added = [Registration { key: "added while it runs".into(), ..added }];
    db.register(old, &declared).await.unwrap();
    db.register(old, &added).await.unwrap();
    // It does not know the job, and has no say.
    let other = db.started(2, 30).await;
    db.disown(other, &["mail".into()], &[]).await.unwrap();
    assert!(db.known(&declared).await.is_ours);
    // It knows the job with this schedule.
    let same = db.started(3, 20).await;
    db.disown(same, &["sweep".into()], &own(&[("sweep", "k")])).await.unwrap();
    assert!(db.known(&declared).await.is_ours);
    let new = db.started(4, 0).await;
    db.disown(new, &["sweep".into()], &own(&[("sweep", "other")])).await.unwrap();
    assert!(!db.known(&declared).await.is_ours);
    assert!(db.known(&added).await.is_ours);
    assert_eq!(db.reasons().await, ["closed"]);
    db.adopt(old, &declared).await.unwrap();
    assert!(!db.known(&declared).await.is_ours);
    // The new version is taken back.
    db.leave(new, &[]).await.unwrap();
    let [later] = schedule("a", 40);
    db.adopt(old, &[Registration { declared: true, ..later }]).await.unwrap();
    let back = db.known(&declared).await;
    assert!(back.is_ours);
    assert_eq!(back.next_slot, Some(at(40)));
}

#[tokio::test]
async fn an_old_node_that_comes_back_has_not_the_last_word() {
    let db = db().await;
    let old = db.started(1, 60).await;
    let started = db.join(old, "old", None).await.unwrap();
    let new = db.started(2, 0).await;
    db.register(old, &schedule("a", 0)).await.unwrap();
    db.register(new, &schedule("b", 30)).await.unwrap();
    // It is taken for lost, and finds out.
    db.leave(old, &[]).await.unwrap();
    assert_eq!(db.join(old, "old", Some(started)).await.unwrap(), started);
    db.register(old, &schedule("a", 40)).await.unwrap();
    assert!(db.known(&schedule("b", 30)).await.is_ours);
}

#[tokio::test]
async fn a_slot_that_the_old_definition_has_just_fired_is_not_fired_by_the_new() {
    let db = db().await;
    let (old, new) = (db.started(1, 60).await, db.started(2, 0).await);
    db.register(old, &schedule("a", 30)).await.unwrap();
    db.run_sql(&format!(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, schedule, slot, args)
        values (gen_random_uuid(), 'sweep', 'default', 0, 'succeeded', now(), 0, 'slot', 'k', '{}', '{{}}')",
        at(30)
    ))
    .await;
    let [registration] = schedule("b", 30);
    db.register(new, &[Registration { second: Some(at(45)), ..registration }]).await.unwrap();
    assert_eq!(db.known(&schedule("b", 30)).await.next_slot, Some(at(45)));
}

use chrono::{DateTime, TimeDelta, Utc};

use super::*;
use crate::store::postgres::schedules::{InForce, Registration};

fn at(minute: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::minutes(minute)
}

fn schedule(definition: &str, first: i64) -> [Registration; 1] {
    [Registration {
        job: "sweep".into(),
        key: "k".into(),
        definition: definition.into(),
        first: Some(at(first)),
        delay: None,
    }]
}

impl Db {
    async fn known(&self, schedule: &[Registration; 1]) -> InForce {
        self.in_force(schedule).await.unwrap().pop().unwrap()
    }

    async fn reasons(&self) -> Vec<String> {
        let ledger = self.ledgers(&[("sweep", "k")], 10).await.unwrap();
        ledger.into_iter().map(|(.., entry)| entry.reason).collect()
    }

    /// A node that started so many minutes ago.
    async fn started(&self, id: u32, minutes: u32) -> Id {
        let node = self.joined(id.into()).await;
        self.run_sql(&format!(
            "update jobs.node set started = now() - interval '{minutes} min' where id = lpad('{id}', 32, '0')::uuid"
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

#[tokio::test]
async fn what_nobody_registers_is_closed_and_fires_no_more() {
    let db = db().await;
    let (one, two) = (db.started(1, 60).await, db.started(2, 0).await);
    db.register(one, &schedule("a", 0)).await.unwrap();
    db.register(two, &schedule("a", 0)).await.unwrap();
    db.unregister(two, "sweep", "k").await.unwrap();
    db.close_schedules().await.unwrap();
    assert!(db.known(&schedule("a", 0)).await.is_ours);
    db.unregister(one, "sweep", "k").await.unwrap();
    db.close_schedules().await.unwrap();
    db.close_schedules().await.unwrap();
    assert!(!db.known(&schedule("a", 0)).await.is_ours);
    assert_eq!(db.reasons().await, ["closed"]);
    // It comes back, and goes on from then.
    db.register(one, &schedule("a", 50)).await.unwrap();
    let back = db.known(&schedule("a", 50)).await;
    assert!(back.is_ours);
    assert_eq!(back.next_slot, Some(at(50)));
}

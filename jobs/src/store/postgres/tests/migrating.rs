use std::sync::atomic::AtomicBool;

use super::program::{Program, bounded, joined, watching};
use super::*;
use crate::store::postgres::migrations::{MIGRATIONS, Migration, MigrationError, TRIES, as_sql, migrate_to};
use crate::store::postgres::node::{Node, Standing};

/// A version to come.
const SECOND: Migration = Migration {
    version: 2,
    oldest: 1,
    sql: "\
alter table jobs.run add column colour text;
alter table jobs.job add column colour text;
alter table jobs.schedule add column colour text;
create index run_colour on jobs.run (colour) where colour is not null;
",
};

fn both() -> Vec<Migration> {
    MIGRATIONS.iter().copied().chain([SECOND]).collect()
}

/// Brings a database to a version to come.
async fn to_second(db: &Db, tries: u32) -> Result<(), MigrationError> {
    migrate_to(&both(), tries, &db.pool, &db.schema, false).await
}

/// Submits a run, and executes it.
async fn works(node: &Node, program: &Program) {
    let run = mail();
    bounded(node.submit(run.clone())).await.unwrap().unwrap();
    assert_eq!(program.execute(node, 1).await, [run.id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_start_together_migrate_once() {
    for _ in 0..5 {
        let address = Server::shared().database();
        let nodes: Vec<_> = (0..4)
            .map(|_| {
                let address = address.clone();
                // The ban is for what must not die silently; these are awaited.
                #[expect(clippy::disallowed_methods, reason = "the test awaits it")]
                tokio::spawn(async move { migrate(&pool(&address, 1), &Schema::default(), false).await })
            })
            .collect();
        for node in nodes {
            node.await.unwrap().unwrap();
        }
        let db = Db::new(pool(&address, 1), Schema::default());
        assert_eq!(db.text("select version from jobs.migration").await, "1");
    }
}

#[tokio::test]
async fn a_role_without_rights_does_when_the_schema_is_there() {
    let db = db().await;
    db.run_sql(
        "create role guest login; grant usage on schema jobs to guest;
         grant select, insert, update, delete on all tables in schema jobs to guest",
    )
    .await;
    let options = (*db.pool.connect_options()).clone().username("guest");
    let guest = PgPool::connect_with(options).await.unwrap();
    migrate(&guest, &db.schema, false).await.unwrap();
    Db::new(guest, db.schema.clone()).submit(&[mail()]).await.unwrap();
}

/// It may make nothing else in the database.
#[tokio::test]
async fn a_role_that_owns_the_schema_needs_no_other_right() {
    let address = Server::shared().database();
    let owner = watching(&address);
    owner.run_sql("create role tenant login; create schema jobs authorization tenant").await;
    let made = owner.text("select has_database_privilege('tenant', current_database(), 'create')").await;
    assert_eq!(made, "false");
    let program = Program::with_room(1);
    let node = joined(&address.replace("jobs@", "tenant@"), 1, &program).await;
    works(&node, &program).await;
    node.leave().await;
    assert_eq!(owner.text("select version from jobs.migration").await, "1");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_is_brought_to_the_next_version_beside_a_node_that_works() {
    let address = Server::shared().database();
    let program = Program::with_room(10);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    let is_done = AtomicBool::new(false);
    let work = async {
        let mut after = 0;
        while after < 20 {
            works(&node, &program).await;
            after += u32::from(is_done.load(Ordering::SeqCst));
        }
    };
    let migrated = async {
        works_so_far(&db, 20).await;
        let mut nodes = tokio::task::JoinSet::new();
        for _ in 0..4 {
            let db = watching(&address);
            nodes.spawn(async move { to_second(&db, TRIES).await });
        }
        bounded(nodes.join_all()).await.into_iter().for_each(|migrated| migrated.unwrap());
        is_done.store(true, Ordering::SeqCst);
    };
    tokio::join!(work, migrated);
    assert_eq!(node.standing(), Standing::Well);
    assert_eq!(db.text("select version from jobs.migration order by version").await, "1,2");
    db.until("select count(*) from jobs.run where state <> 'succeeded' or attempt <> 1", "0").await;
    assert_eq!(db.text("select count(*) > 40 and count(colour) = 0 from jobs.run").await, "true");
    // One of the version before still starts, and works.
    let other = joined(&address, 2, &program).await;
    node.leave().await;
    works(&other, &program).await;
    other.leave().await;
}

async fn works_so_far(db: &Db, count: u32) {
    db.until(&format!("select count(*) >= {count} from jobs.run where state = 'succeeded'"), "true").await;
}

/// What wants the table behind a step that waits for the reader waits for seconds, and not for as long as he reads.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_work_while_a_step_waits_for_somebody_who_reads() {
    let address = Server::shared().database();
    let program = Program::with_room(10);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    works(&node, &program).await;
    let (reading, stepping) = (watching(&address), watching(&address));
    let mut reader = reading.hold().await;
    sqlx::raw_sql("select count(*) from jobs.run").execute(&mut *reader).await.unwrap();
    assert!(matches!(to_second(&stepping, 1).await, Err(MigrationError::Held)));
    let work = async {
        let waits = "select count(*) > 0 from pg_locks where mode = 'AccessExclusiveLock' and not granted";
        for _ in 0..2 {
            db.until(waits, "true").await;
            // As long as the step waits, and a little.
            let in_time = tokio::time::timeout(Duration::from_secs(60), works(&node, &program)).await;
            in_time.expect("it does not wait for the reader");
        }
        reader.rollback().await.unwrap();
    };
    let (migrated, ()) = tokio::join!(to_second(&stepping, 10 * TRIES), work);
    migrated.unwrap();
    works(&node, &program).await;
    assert_eq!(db.text("select count(colour) from jobs.run").await, "0");
    node.leave().await;
}

#[tokio::test]
async fn applications_share_a_database_by_schema() {
    let one = db().await;
    let two = Db::new(one.pool.clone(), Schema::parse("billing").unwrap());
    migrate(&two.pool, &two.schema, false).await.unwrap();
    one.submit(&[mail()]).await.unwrap();
    assert_eq!(two.text("select count(*) from billing.run").await, "0");
    assert!(two.take(Id(1), 10).await.is_empty());
    assert_eq!(one.take(Id(1), 10).await.len(), 1);
}

#[tokio::test]
async fn the_printed_sql_makes_what_migrating_makes() {
    let address = Server::shared().database();
    let printed = Db::new(pool(&address, 1), Schema::default());
    printed.run_sql(&as_sql(&Schema::default(), 0)).await;
    migrate(&printed.pool, &printed.schema, false).await.unwrap();
    let tables = "select table_name || '.' || column_name || ' ' || data_type from information_schema.columns \
        where table_schema = 'jobs' order by 1";
    assert_eq!(printed.text(tables).await, db().await.text(tables).await);
    // A team that has this version has nothing to do.
    assert_eq!(as_sql(&Schema::default(), 1), "");
}

#[tokio::test]
async fn a_newer_schema_is_worked_with_unless_it_says_otherwise() {
    let db = db().await;
    db.run_sql("insert into jobs.migration (version, oldest) values (7, 1)").await;
    migrate(&db.pool, &db.schema, false).await.unwrap();
    db.run_sql("insert into jobs.migration (version, oldest) values (8, 8)").await;
    let refused = migrate(&db.pool, &db.schema, false).await;
    assert!(matches!(refused, Err(MigrationError::TooOld { needed: 8 })), "{refused:?}");
}

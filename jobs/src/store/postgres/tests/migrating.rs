use super::*;
use crate::store::postgres::migrations::{MigrationError, as_sql};

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
        assert_eq!(db.text("select version from jobs.migration order by 1").await, "1,2");
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
    printed.run_sql(&as_sql(&Schema::default())).await;
    migrate(&printed.pool, &printed.schema, false).await.unwrap();
    let tables = "select table_name || '.' || column_name || ' ' || data_type from information_schema.columns \
        where table_schema = 'jobs' order by 1";
    assert_eq!(printed.text(tables).await, db().await.text(tables).await);
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

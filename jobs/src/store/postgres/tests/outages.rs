use super::*;

/// What fails while the server is down does so soon.
async fn impatient(server: &Server) -> Db {
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(2));
    let pool = pool.connect(&server.database()).await.unwrap();
    migrate(&pool, &Schema::default(), false).await.unwrap();
    Db::new(pool, Schema::default())
}

/// Submits until the server dies, and tells when it is well under way.
async fn submit_until_it_dies(db: Db, under_way: tokio::sync::oneshot::Sender<()>) -> Vec<Id> {
    let mut accepted = Vec::new();
    let mut under_way = Some(under_way);
    loop {
        let batch: Vec<_> = (0..20).map(|_| mail()).collect();
        if db.submit(&batch).await.is_err() {
            return accepted;
        }
        accepted.extend(batch.iter().map(|run| run.id));
        if accepted.len() >= 400
            && let Some(under_way) = under_way.take()
        {
            under_way.send(()).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_outlives_a_killed_server() {
    let server = Server::start(&[]);
    let db = impatient(&server).await;
    db.know_jobs(&["mail".into()]).await.unwrap();
    let mut accepted = Vec::new();
    for _ in 0..3 {
        let (sender, under_way) = tokio::sync::oneshot::channel();
        let mut submitters = tokio::task::JoinSet::new();
        submitters.spawn(submit_until_it_dies(db.clone(), sender));
        under_way.await.unwrap();
        server.kill();
        accepted.extend(submitters.join_all().await.into_iter().flatten());
        server.start_again();
        let present: i64 = sqlx::query_scalar("select count(*) from jobs.run where id = any ($1)")
            .bind(&accepted)
            .fetch_one(&db.pool)
            .await
            .unwrap();
        assert_eq!(present, i64::try_from(accepted.len()).unwrap());
    }
    // The same pool claims after each of these.
    assert_eq!(db.take(Id(1), 100).await.len(), 100);
}

#[tokio::test]
async fn an_ordinary_restart_is_survived_by_the_same_pool() {
    let server = Server::start(&[]);
    let db = impatient(&server).await;
    db.submit(&[mail()]).await.unwrap();
    server.stop();
    assert!(db.submit(&[mail()]).await.is_err());
    server.start_again();
    db.submit(&[mail()]).await.unwrap();
    assert_eq!(db.take(Id(1), 10).await.len(), 2);
}

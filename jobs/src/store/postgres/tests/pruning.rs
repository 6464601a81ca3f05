use super::*;

#[tokio::test]
async fn the_old_and_the_many_go_in_small_batches() {
    let db = db().await;
    db.run_sql(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, finished)
         select gen_random_uuid(), job, 'default', 0, 'succeeded', now(), 0, 'submission', '{}', now() - n * interval '1 h'
         from unnest(array['mail', 'sweep']) job, generate_series(1, 100) n;
         insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args)
         select gen_random_uuid(), 'mail', 'default', 0, 'available', now() - interval '1 year', 0, 'submission', '{}'
         from generate_series(1, 10)",
    )
    .await;
    let day = Duration::from_secs(86_400);
    assert_eq!(db.prune(day * 3, 1000, 10).await.unwrap(), 10);
    while db.prune(day * 3, 1000, 10).await.unwrap() == 10 {}
    assert_eq!(db.text("select count(*) from jobs.run where finished is not null").await, "142");
    // Of each job the last fifty.
    while db.prune(day * 3, 50, 10).await.unwrap() > 0 {}
    let left = "select count(*) from jobs.run where finished is not null group by job";
    assert_eq!(db.text(left).await, "50,50");
    assert_eq!(db.text("select count(*) from jobs.run where state = 'available'").await, "10");
}

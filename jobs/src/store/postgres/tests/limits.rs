use super::program::{Program, bounded, joined, watching};
use super::*;
use crate::store::postgres::claim::Limited;

fn wanted(node: Id) -> Wanted<'static> {
    Wanted { node, count: 100, jobs: &[], queues: &[], oldest: false, unseen: false }
}

fn limited(concurrency: Option<u32>, rate: Option<(u64, Duration)>) -> [Limited; 1] {
    [Limited { job: "mail".into(), concurrency, rate }]
}

impl Db {
    /// Claims of jobs with limits alone.
    async fn limited(&self, wanted: Wanted<'_>, limited: &[Limited]) -> Vec<Claimed> {
        self.claim_with(wanted, limited, wanted.count).await.unwrap().0
    }
}

#[tokio::test]
async fn concurrency_holds_over_all_nodes() {
    let db = db().await;
    let (one, two) = (db.joined(1).await, db.joined(2).await);
    db.submit(&[mail(), mail(), mail(), mail(), mail()]).await.unwrap();
    let limits = limited(Some(3), None);
    let first = db.limited(Wanted { count: 2, ..wanted(one) }, &limits).await;
    let second = db.limited(wanted(two), &limits).await;
    assert_eq!((first.len(), second.len()), (2, 1));
    assert!(db.limited(wanted(one), &limits).await.is_empty());
    db.end(one, &[success_of(&first[0])]).await.unwrap();
    assert_eq!(db.limited(wanted(two), &limits).await.len(), 1);
}

/// What the server knows of the table is of a time when little executed.
#[tokio::test]
async fn how_much_room_a_job_has_is_found_by_its_own_runs() {
    let db = db().await;
    let node = db.joined(1).await;
    db.run_sql(
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, node)
        select gen_random_uuid(), 'sweep', 'default', 0, case when n <= 10 then 'running' else 'succeeded' end, now(), 0,
            'submission', '{}', lpad('1', 32, '0')::uuid
        from generate_series(1, 20000) n;
        analyze jobs.run, jobs.node, jobs.job;
        update jobs.run set state = 'running'",
    )
    .await;
    db.submit(&[mail()]).await.unwrap();
    let one = db.alone().await;
    let read = "select idx_tup_read from pg_stat_user_indexes where indexrelname = 'run_running'";
    let before = one.told(read).await;
    assert_eq!(one.limited(wanted(node), &limited(Some(1), None)).await.len(), 1);
    let read = one.told(read).await - before;
    assert!(read < 1000, "{read} entries read");
}

/// Many who claim at the same moment.
#[tokio::test(flavor = "multi_thread")]
async fn concurrency_holds_when_nodes_claim_at_once() {
    let db = db().await;
    let runs: Vec<_> = (0..200).map(|_| mail()).collect();
    db.submit(&runs).await.unwrap();
    let mut nodes = tokio::task::JoinSet::new();
    for node in 1..=6 {
        let db = db.clone();
        nodes.spawn(async move {
            let node = db.joined(node).await;
            let mut done = 0;
            while db.text("select 1 from jobs.run where state <> 'succeeded' limit 1").await == "1" {
                let claimed = db.limited(wanted(node), &limited(Some(3), None)).await;
                let running: usize =
                    db.text("select count(*) from jobs.run where state = 'running'").await.parse().unwrap();
                assert!(running <= 3, "{running} run at once");
                let ends: Vec<_> = claimed.iter().map(success_of).collect();
                done += db.end(node, &ends).await.unwrap();
            }
            done
        });
    }
    assert_eq!(nodes.join_all().await.iter().sum::<usize>(), 200);
}

#[tokio::test]
async fn a_rate_is_charged_for_every_attempt_over_all_nodes() {
    let db = db().await;
    let (one, two) = (db.joined(1).await, db.joined(2).await);
    let runs: Vec<_> = (0..30).map(|_| mail()).collect();
    db.submit(&runs).await.unwrap();
    let limits = limited(None, Some((10, Duration::from_secs(3600))));
    assert_eq!(db.limited(Wanted { count: 4, ..wanted(one) }, &limits).await.len(), 4);
    assert_eq!(db.limited(wanted(two), &limits).await.len(), 6);
    assert!(db.limited(wanted(one), &limits).await.is_empty());
    // Twelve minutes bring two tokens.
    db.run_sql("update jobs.job set full_at = full_at - interval '12 minutes 1 second'").await;
    assert_eq!(db.limited(wanted(one), &limits).await.len(), 2);
    // Whatever time has passed, there are never more than the bucket holds.
    db.run_sql("update jobs.job set full_at = full_at - interval '1 week'").await;
    assert_eq!(db.limited(wanted(two), &limits).await.len(), 10);
}

/// A backlog of other jobs does not keep one with limits from its turn.
#[tokio::test]
async fn jobs_with_limits_are_claimed_in_the_order_of_all() {
    let db = db().await;
    let node = db.joined(1).await;
    let plain: Vec<_> = (0..100).map(|_| run_of("sweep")).collect();
    db.submit(&plain).await.unwrap();
    let runs = [NewRun { priority: 9, ..mail() }, NewRun { priority: 9, ..mail() }, mail()];
    db.submit(&runs).await.unwrap();
    let jobs = ["sweep".to_owned()];
    let wanted = Wanted { jobs: &jobs, count: 2, ..wanted(node) };
    let claimed = db.limited(wanted, &limited(Some(1), None)).await;
    assert_eq!(ids(&claimed), [runs[0].id, plain[0].id]);
    // What may not start yet is passed over.
    let claimed = db.limited(wanted, &limited(Some(1), None)).await;
    assert_eq!(ids(&claimed), [plain[1].id, plain[2].id]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_does_not_keep_a_node_from_jobs_with_limits() {
    let address = Server::shared().quick_database();
    let program = Program::with_limits(1, &limited(Some(1), None), &["sweep"]);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    let urgent = NewRun { priority: 9, ..mail() };
    for _ in 0..6 {
        let plain: Vec<_> = (0..1000).map(|_| run_of("sweep")).collect();
        db.submit(&plain).await.unwrap();
    }
    program.execute(&node, 10).await;
    // It is not told of it.
    db.submit(std::slice::from_ref(&urgent)).await.unwrap();
    let mut ended = program.execute(&node, 5000).await;
    ended.truncate(5000);
    assert!(ended.contains(&urgent.id), "it would have come last");
}

/// The bucket was emptied by a time that is still to come.
#[tokio::test]
async fn a_clock_that_is_set_back_empties_no_bucket_for_longer_than_its_period() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail(), mail()]).await.unwrap();
    let limited = limited(None, Some((10, Duration::from_secs(10))));
    let wanted = Wanted { node, count: 1, jobs: &[], queues: &[], oldest: false, unseen: false };
    assert_eq!(db.claim_with(wanted, &limited, 1).await.unwrap().0.len(), 1);
    db.run_sql("update jobs.job set full_at = now() + interval '1 h'").await;
    let (claimed, wait, _) = db.claim_with(wanted, &limited, 1).await.unwrap();
    assert!(claimed.is_empty());
    assert!(wait.is_some_and(|wait| wait <= Duration::from_secs(1)), "{wait:?}");
    // A second later, as it were.
    db.run_sql("update jobs.job set full_at = full_at - interval '1 s'").await;
    assert_eq!(db.claim_with(wanted, &limited, 1).await.unwrap().0.len(), 1);
}

/// The end of one lets the next one start, and not the next look of a second.
#[tokio::test(flavor = "multi_thread")]
async fn one_at_a_time_is_not_one_a_second() {
    let address = Server::shared().quick_database();
    let program = Program::with_limits(10, &limited(Some(1), None), &[]);
    let node = joined(&address, 1, &program).await;
    let runs: Vec<_> = (0..100).map(|_| mail()).collect();
    watching(&address).submit(&runs).await.unwrap();
    assert_eq!(bounded(program.execute(&node, 100)).await.len(), 100);
}

/// A bucket that fills several times a second is looked into as often.
#[tokio::test(flavor = "multi_thread")]
async fn a_rate_may_be_of_less_than_a_second() {
    let address = Server::shared().quick_database();
    let rate = limited(None, Some((1, Duration::from_millis(20))));
    let program = Program::with_limits(10, &rate, &[]);
    let node = joined(&address, 1, &program).await;
    let runs: Vec<_> = (0..100).map(|_| mail()).collect();
    watching(&address).submit(&runs).await.unwrap();
    assert_eq!(bounded(program.execute(&node, 100)).await.len(), 100);
}

#[tokio::test]
async fn priorities_of_one_job_share_its_limit() {
    let db = db().await;
    let node = db.joined(1).await;
    let runs = [0, 5, 9].map(|priority| NewRun { priority, ..mail() });
    db.submit(&runs).await.unwrap();
    let claimed = db.limited(wanted(node), &limited(Some(2), None)).await;
    assert_eq!(ids(&claimed), [runs[2].id, runs[1].id]);
}

/// A node of another version, or one that has taken another config, has as large a part of the bucket left.
#[tokio::test]
async fn another_rate_goes_on_with_what_is_left_of_the_bucket() {
    let db = db().await;
    let node = db.joined(1).await;
    let runs: Vec<_> = (0..60).map(|_| mail()).collect();
    db.submit(&runs).await.unwrap();
    let rate = |tokens, hours: u64| limited(None, Some((tokens, Duration::from_secs(3600 * hours))));
    let some = db.limited(Wanted { count: 4, ..wanted(node) }, &rate(10, 1)).await;
    assert_eq!(some.len(), 4);
    // Six tenths.
    assert_eq!(db.limited(wanted(node), &rate(20, 24)).await.len(), 12);
    assert!(db.limited(wanted(node), &rate(20, 24)).await.is_empty());
    // A bucket of a day that is empty is one of six seconds that is.
    let fast = limited(None, Some((10, Duration::from_secs(6))));
    assert!(db.limited(wanted(node), &fast).await.is_empty());
    db.run_sql("update jobs.job set full_at = full_at - interval '6 seconds'").await;
    assert_eq!(db.limited(wanted(node), &fast).await.len(), 10);
}

use super::*;
use crate::store::postgres::claim::Limited;

fn wanted(node: Id) -> Wanted<'static> {
    Wanted { node, count: 100, jobs: &[], queues: &[], oldest: false }
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
                done += db.end(node, &ends).await.unwrap().len();
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

#[tokio::test]
async fn priorities_of_one_job_share_its_limit() {
    let db = db().await;
    let node = db.joined(1).await;
    let runs = [0, 5, 9].map(|priority| NewRun { priority, ..mail() });
    db.submit(&runs).await.unwrap();
    let claimed = db.limited(wanted(node), &limited(Some(2), None)).await;
    assert_eq!(ids(&claimed), [runs[2].id, runs[1].id]);
}

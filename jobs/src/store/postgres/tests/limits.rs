use super::*;
use crate::store::postgres::claim::Limited;

fn wanted(node: Id) -> Wanted<'static> {
    Wanted { node, count: 100, jobs: &[], queues: &[], oldest: false }
}

fn limited(concurrency: Option<u32>, rate: Option<(u64, Duration)>) -> [Limited; 1] {
    [Limited { job: "mail".into(), concurrency, rate }]
}

#[tokio::test]
async fn concurrency_holds_over_all_nodes() {
    let db = db().await;
    let (one, two) = (db.joined(1).await, db.joined(2).await);
    db.submit(&[mail(), mail(), mail(), mail(), mail()]).await.unwrap();
    let limits = limited(Some(3), None);
    let first = db.claim_limited(Wanted { count: 2, ..wanted(one) }, &limits).await.unwrap();
    let second = db.claim_limited(wanted(two), &limits).await.unwrap();
    assert_eq!((first.len(), second.len()), (2, 1));
    assert!(db.claim_limited(wanted(one), &limits).await.unwrap().is_empty());
    db.end(one, &[success_of(&first[0])]).await.unwrap();
    assert_eq!(db.claim_limited(wanted(two), &limits).await.unwrap().len(), 1);
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
                let claimed = db.claim_limited(wanted(node), &limited(Some(3), None)).await.unwrap();
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
    assert_eq!(db.claim_limited(Wanted { count: 4, ..wanted(one) }, &limits).await.unwrap().len(), 4);
    assert_eq!(db.claim_limited(wanted(two), &limits).await.unwrap().len(), 6);
    assert!(db.claim_limited(wanted(one), &limits).await.unwrap().is_empty());
    // Twelve minutes bring two tokens.
    db.run_sql("update jobs.job set full_at = full_at - interval '12 minutes 1 second'").await;
    assert_eq!(db.claim_limited(wanted(one), &limits).await.unwrap().len(), 2);
    // Whatever time has passed, there are never more than the bucket holds.
    db.run_sql("update jobs.job set full_at = full_at - interval '1 week'").await;
    assert_eq!(db.claim_limited(wanted(two), &limits).await.unwrap().len(), 10);
}

#[tokio::test]
async fn priorities_of_one_job_share_its_limit() {
    let db = db().await;
    let node = db.joined(1).await;
    let runs = [0, 5, 9].map(|priority| NewRun { priority, ..mail() });
    db.submit(&runs).await.unwrap();
    let claimed = db.claim_limited(wanted(node), &limited(Some(2), None)).await.unwrap();
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
    let some = db.claim_limited(Wanted { count: 4, ..wanted(node) }, &rate(10, 1)).await.unwrap();
    assert_eq!(some.len(), 4);
    // Six tenths.
    assert_eq!(db.claim_limited(wanted(node), &rate(20, 24)).await.unwrap().len(), 12);
    assert!(db.claim_limited(wanted(node), &rate(20, 24)).await.unwrap().is_empty());
    // A bucket of a day that is empty is one of six seconds that is.
    let fast = limited(None, Some((10, Duration::from_secs(6))));
    assert!(db.claim_limited(wanted(node), &fast).await.unwrap().is_empty());
    db.run_sql("update jobs.job set full_at = full_at - interval '6 seconds'").await;
    assert_eq!(db.claim_limited(wanted(node), &fast).await.unwrap().len(), 10);
}

use super::*;
use crate::store::postgres::read::RunFilter;

#[tokio::test]
async fn runs_are_found_by_what_they_are() {
    let db = db().await;
    let node = db.joined(1).await;
    let runs: Vec<_> = (0..6).map(|n| run_of(["mail", "sweep"][n % 2])).collect();
    db.submit(&runs).await.unwrap();
    let claimed = db.take(node, 3).await;
    let mut end = end_of(&claimed[0], Follows::End("dead"));
    end.message = Some("no route to host".into());
    end.record = Some("7".into());
    db.end(node, &[end]).await.unwrap();

    let run = db.run(runs[0].id).await.unwrap().unwrap();
    assert_eq!((run.state.as_str(), run.outcome.as_deref(), run.node), ("dead", Some("failed"), None));
    assert_eq!((run.message.as_deref(), run.record.as_deref()), (Some("no route to host"), Some("7")));
    assert!(db.run(Id(77)).await.unwrap().is_none());

    let found = async |filter: RunFilter| {
        let found = db.runs(filter, 2).await.unwrap();
        found
            .into_iter()
            .map(|run| runs.iter().position(|known| known.id == run.id).unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(found(RunFilter::default()).await, [5, 4]);
    assert_eq!(found(RunFilter { before: Some(runs[4].id), ..RunFilter::default() }).await, [3, 2]);
    assert_eq!(found(RunFilter { jobs: Some(vec!["mail".into()]), ..RunFilter::default() }).await, [4, 2]);
    let states = Some(vec!["running".to_owned()]);
    assert_eq!(found(RunFilter { states, ..RunFilter::default() }).await, [2, 1]);

    let mut counts = db.counts().await.unwrap();
    counts.sort();
    let expected = [
        ("mail", "available", 1),
        ("mail", "running", 1),
        ("sweep", "available", 2),
        ("sweep", "running", 1),
    ];
    assert_eq!(counts, expected.map(|(job, state, count)| (job.to_owned(), state.to_owned(), count)));
    let nodes = db.nodes().await.unwrap();
    assert_eq!((nodes.len(), nodes[0].id, nodes[0].running), (1, node, 2));
    assert!(nodes[0].silent < Duration::from_secs(15), "{nodes:?}");
}

#[tokio::test]
async fn an_end_in_a_transaction_of_the_caller_comes_and_goes_with_it() {
    let db = db().await;
    let node = db.joined(1).await;
    db.submit(&[mail()]).await.unwrap();
    let claimed = db.take(node, 1).await;
    let end = [success_of(&claimed[0])];
    let mut tx = db.pool.begin().await.unwrap();
    assert_eq!(db.end_on(&mut tx, node, &end).await.unwrap().len(), 1);
    tx.rollback().await.unwrap();
    assert_eq!(db.state(claimed[0].id).await, "running");
    let mut tx = db.pool.begin().await.unwrap();
    assert_eq!(db.end_on(&mut tx, node, &end).await.unwrap().len(), 1);
    tx.commit().await.unwrap();
    // What is done is done: the claim does not end it again.
    assert!(db.end(node, &end).await.unwrap().is_empty());
}

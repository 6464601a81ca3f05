use super::registering::{own, schedule};
use super::*;
use crate::store::postgres::claim::Limited;
use crate::store::postgres::schedules::Registration;
use crate::store::postgres::submit::{Submitted, Unique};

/// The schedule of a job that is called `name` in some version.
fn schedule_of(name: &str, first: i64) -> [Registration; 1] {
    schedule("a", first).map(|registration| Registration { job: name.into(), ..registration })
}

impl Db {
    /// A node that knows jobs by these names.
    async fn knows(&self, names: &[(&str, &str)]) {
        let all: Vec<_> = names.iter().map(|(name, _)| (*name).to_owned()).collect();
        self.know_jobs(&all).await.unwrap();
        self.know_families(&own(names)).await.unwrap();
    }

    async fn rows(&self) -> String {
        self.text("select job || case when closed_since is null then '' else ' closed' end from jobs.schedule order by 1")
            .await
    }
}

const RENAMED: &[(&str, &str)] = &[("tidy", "tidy"), ("sweep", "tidy")];

#[tokio::test]
async fn the_schedule_of_a_renamed_job_fires_under_one_name_and_goes_back_with_it() {
    let db = db().await;
    let old = db.started(1, 60).await;
    db.knows(&[("sweep", "sweep")]).await;
    db.register(old, &schedule_of("sweep", 0)).await.unwrap();
    let before = db.known(&schedule_of("sweep", 0)).await;
    db.run_sql(
        "insert into jobs.ledger (job, key, first, last, count, reason) values ('sweep', 'k', now(), now(), 1, 'ran');
        insert into jobs.run (id, job, queue, priority, state, due, retries, origin, schedule, slot, args)
        values (gen_random_uuid(), 'sweep', 'default', 0, 'waiting', now(), 0, 'slot', 'k', now(), '{}')",
    )
    .await;

    let new = db.started(2, 0).await;
    db.knows(RENAMED).await;
    db.register(new, &schedule_of("tidy", 30)).await.unwrap();
    let after = db.known(&schedule_of("tidy", 30)).await;
    assert_eq!((after.anchor, after.next_slot, after.is_ours), (before.anchor, before.next_slot, true));
    assert_eq!(db.rows().await, "tidy");
    assert_eq!(db.text("select job from jobs.ledger").await, "tidy");
    assert_eq!(db.text("select job from jobs.run").await, "tidy");
    // The old node says what it has at every heartbeat, and joins anew.
    db.adopt(old, &schedule_of("sweep", 5)).await.unwrap();
    db.knows(&[("sweep", "sweep")]).await;
    db.close_schedules(old).await.unwrap();
    assert_eq!(db.rows().await, "tidy");
    // Who executes the run that stands before it knows the old name.
    assert_eq!(db.succeed(&["sweep".into()]).await.unwrap().started, 1);

    // Back, while the new node is there; it says what it has as well.
    let older = db.started(3, 0).await;
    db.register(older, &schedule_of("sweep", 40)).await.unwrap();
    assert_eq!(db.rows().await, "sweep");
    db.adopt(new, &schedule_of("tidy", 40)).await.unwrap();
    assert_eq!(db.rows().await, "sweep");
    assert_eq!(db.known(&schedule_of("sweep", 40)).await.next_slot, before.next_slot);
    db.leave(older, &[]).await.unwrap();
    db.adopt(old, &schedule_of("sweep", 40)).await.unwrap();
    db.adopt(new, &schedule_of("tidy", 40)).await.unwrap();
    assert_eq!(db.rows().await, "tidy");
}

#[tokio::test]
async fn who_pauses_a_renamed_job_pauses_it_by_all_of_its_names() {
    let db = db().await;
    let paused = "select name from jobs.job where paused_since is not null order by 1";
    db.pause_job("sweep", true).await.unwrap();
    db.knows(RENAMED).await;
    assert_eq!(db.text(paused).await, "sweep,tidy");
    db.pause_job("tidy", false).await.unwrap();
    assert_eq!(db.text(paused).await, "");
    db.pause_job("sweep", true).await.unwrap();
    assert_eq!(db.text(paused).await, "sweep,tidy");
}

#[tokio::test]
async fn names_of_different_jobs_are_no_family() {
    let db = db().await;
    let (one, two) = (db.started(1, 60).await, db.started(2, 0).await);
    db.knows(&[("sweep", "sweep"), ("tidy", "tidy")]).await;
    db.register(one, &schedule_of("sweep", 0)).await.unwrap();
    db.register(one, &schedule_of("tidy", 0)).await.unwrap();
    // They become one, and the schedule of the other is closed.
    db.knows(RENAMED).await;
    db.register(two, &schedule_of("tidy", 0)).await.unwrap();
    assert_eq!(db.rows().await, "sweep closed,tidy");
    // And two again.
    db.knows(&[("sweep", "sweep"), ("tidy", "tidy")]).await;
    db.register(two, &schedule_of("sweep", 0)).await.unwrap();
    assert_eq!(db.rows().await, "sweep,tidy");
    db.pause_job("tidy", true).await.unwrap();
    assert_eq!(db.text("select name from jobs.job where paused_since is not null").await, "tidy");
}

const BY_OLD_NAME: &[&str] = &["sweep"];
const BY_BOTH_NAMES: &[&str] = &["tidy", "sweep"];

/// What a node claims that knows the job by these names, each of its limits.
async fn claims(
    db: &Db,
    node: Id,
    count: usize,
    names: &[&str],
    limits: (Option<u32>, Option<(u64, Duration)>),
) -> Vec<Id> {
    let limit = |name: &&str| Limited { job: (*name).to_owned(), concurrency: limits.0, rate: limits.1 };
    let limited: Vec<_> = names.iter().map(limit).collect();
    let wanted = Wanted { node, count, jobs: &[], queues: &[], oldest: false };
    ids(&db.claim_with(wanted, &limited, count).await.unwrap().0)
}

/// Two of each name, in turns.
fn runs() -> [NewRun; 4] {
    ["sweep", "tidy", "sweep", "tidy"].map(run_of)
}

#[tokio::test]
async fn a_renamed_job_has_its_concurrency_once() {
    let db = db().await;
    let (old, new) = (db.joined(1).await, db.joined(2).await);
    let three = (Some(3), None);
    db.knows(RENAMED).await;
    let runs = runs();
    db.submit(&runs).await.unwrap();
    assert_eq!(claims(&db, old, 1, BY_OLD_NAME, three).await, [runs[0].id]);
    // Both names in one claim share what is left, in the order of submission.
    assert_eq!(claims(&db, new, 9, BY_BOTH_NAMES, three).await, [runs[1].id, runs[2].id]);
    assert_eq!(claims(&db, new, 9, BY_BOTH_NAMES, three).await, []);
    assert_eq!(claims(&db, old, 9, BY_OLD_NAME, three).await, []);
}

#[tokio::test]
async fn who_decides_about_a_job_decides_about_all_of_its_names() {
    let db = db().await;
    let node = db.joined(1).await;
    let one = (Some(1), None);
    db.knows(RENAMED).await;
    let runs = runs();
    db.submit(&runs).await.unwrap();
    let mut other = db.pool.begin().await.unwrap();
    sqlx::query(db.sql("select from jobs.job where name = 'sweep' for update"))
        .execute(&mut *other)
        .await
        .unwrap();
    assert_eq!(claims(&db, node, 9, &["tidy"], one).await, []);
    other.rollback().await.unwrap();
    assert_eq!(claims(&db, node, 9, &["tidy"], one).await, [runs[1].id]);
}

/// Also what was used up before the new version came.
#[tokio::test]
async fn a_renamed_job_has_its_rate_once() {
    let db = db().await;
    let (old, new) = (db.joined(1).await, db.joined(2).await);
    let rate = (None, Some((3, Duration::from_secs(3600))));
    let runs = runs();
    db.know_jobs(&["tidy".into()]).await.unwrap();
    db.submit(&runs).await.unwrap();
    assert_eq!(claims(&db, old, 1, BY_OLD_NAME, rate).await, [runs[0].id]);
    db.knows(RENAMED).await;
    assert_eq!(claims(&db, new, 9, BY_BOTH_NAMES, rate).await, [runs[1].id, runs[2].id]);
    assert_eq!(claims(&db, old, 9, BY_OLD_NAME, rate).await, []);
    db.run_sql("update jobs.job set full_at = full_at - interval '20 min 1 s'").await;
    assert_eq!(claims(&db, new, 9, BY_BOTH_NAMES, rate).await, [runs[3].id]);
    assert_eq!(db.text("select count(distinct full_at) from jobs.job where name = 'sweep'").await, "1");
}

/// The first name has no bucket that was used.
#[tokio::test]
async fn the_bucket_of_any_name_is_that_of_the_family() {
    let db = db().await;
    let node = db.joined(1).await;
    let rate = (None, Some((2, Duration::from_secs(3600))));
    db.know_jobs(&["tidy".into()]).await.unwrap();
    db.submit(&runs()).await.unwrap();
    assert_eq!(claims(&db, node, 1, &["tidy"], rate).await.len(), 1);
    db.knows(RENAMED).await;
    assert_eq!(claims(&db, node, 9, BY_BOTH_NAMES, rate).await.len(), 1);
}

#[tokio::test]
async fn submissions_stand_for_each_other_whatever_the_name() {
    let db = db().await;
    let node = db.joined(1).await;
    let unique =
        |job| NewRun { unique: Some(Unique { key: "page 1".to_owned(), until: None }), ..run_of(job) };
    let submit = async |job| {
        let run = unique(job);
        let submitted = db.submit_unique(&[run.clone()], Duration::from_secs(30)).await.unwrap();
        (run.id, submitted[0])
    };
    let (first, submitted) = submit("sweep").await;
    assert_eq!(submitted, Submitted::New);
    db.knows(RENAMED).await;
    assert_eq!(submit("tidy").await.1, Submitted::Existing(first));
    assert_eq!(submit("sweep").await.1, Submitted::Existing(first));
    // One batch of both.
    let both = [unique("tidy"), unique("sweep")];
    let submitted = db.submit_unique(&both, Duration::from_secs(30)).await.unwrap();
    assert_eq!(submitted, [Submitted::Existing(first); 2]);
    let taken = db.take(node, 9).await;
    let [ref claimed] = taken[..] else { panic!("{taken:?}") };
    db.end(node, &[success_of(claimed)]).await.unwrap();
    let (next, submitted) = submit("tidy").await;
    assert_eq!(submitted, Submitted::New);
    assert_eq!(submit("sweep").await.1, Submitted::Existing(next));
}

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
        self.settle().await.unwrap();
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

/// All have been away, and the old one is the first that is back.
#[tokio::test]
async fn after_an_outage_an_old_node_takes_nothing_back_to_the_old_name() {
    let db = db().await;
    let (old, new) = (db.started(1, 60).await, db.started(2, 0).await);
    db.knows(RENAMED).await;
    db.register(old, &schedule_of("sweep", 0)).await.unwrap();
    db.register(new, &schedule_of("tidy", 0)).await.unwrap();
    assert_eq!(db.rows().await, "tidy");
    db.run_sql("update jobs.node set heartbeat = now() - interval '1 min'").await;
    db.beat(old, GAP).await.unwrap();
    db.adopt(old, &schedule_of("sweep", 0)).await.unwrap();
    assert_eq!(db.rows().await, "tidy");
    // The other does not come back.
    db.run_sql("update jobs.node set good_since = now() - interval '16 s'").await;
    db.adopt(old, &schedule_of("sweep", 0)).await.unwrap();
    assert_eq!(db.rows().await, "sweep");
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
    let wanted = Wanted { node, count, jobs: &[], queues: &[], oldest: false, unseen: false };
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
    let mut other = db.hold().await;
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

fn unique(job: &str) -> NewRun {
    NewRun { unique: Some(Unique { key: "page 1".to_owned(), until: None }), ..run_of(job) }
}

impl Db {
    /// The run, and what became of it.
    async fn submit_page(&self, job: &str) -> (Id, Submitted) {
        let run = unique(job);
        let submitted = self.submit_unique(std::slice::from_ref(&run), Duration::from_secs(30)).await;
        (run.id, submitted.unwrap()[0])
    }
}

#[tokio::test]
async fn submissions_stand_for_each_other_whatever_the_name() {
    let db = db().await;
    let node = db.joined(1).await;
    let (first, submitted) = db.submit_page("sweep").await;
    assert_eq!(submitted, Submitted::New);
    db.knows(RENAMED).await;
    assert_eq!(db.submit_page("tidy").await.1, Submitted::Existing(first));
    assert_eq!(db.submit_page("sweep").await.1, Submitted::Existing(first));
    let taken = db.take(node, 9).await;
    let [ref claimed] = taken[..] else { panic!("{taken:?}") };
    db.end(node, &[success_of(claimed)]).await.unwrap();
    // Both names in one batch.
    let both = [unique("tidy"), unique("sweep")];
    let submitted = db.submit_unique(&both, Duration::from_secs(30)).await.unwrap();
    assert_eq!(submitted, [Submitted::New, Submitted::Existing(both[0].id)]);
}

#[tokio::test]
async fn what_stands_for_others_goes_with_its_job_when_names_part() {
    let db = db().await;
    db.knows(RENAMED).await;
    let (first, _) = db.submit_page("tidy").await;
    db.knows(&[("sweep", "sweep"), ("tidy", "tidy")]).await;
    assert_eq!(db.submit_page("sweep").await.1, Submitted::New, "another job");
    assert_eq!(db.submit_page("tidy").await.1, Submitted::Existing(first));
}

/// The family had the name of one that has left it.
#[tokio::test]
async fn names_that_a_node_does_not_know_stay_together_when_others_part() {
    let db = db().await;
    let names = [("a", "d"), ("b", "d"), ("c", "d"), ("d", "d")];
    db.knows(&names).await;
    assert_eq!(db.text("select distinct family from jobs.job where family is not null").await, "a");
    let (first, _) = db.submit_page("c").await;
    db.knows(&[("a", "a"), ("b", "b")]).await;
    let families =
        "select name || coalesce(' of ' || family, '') from jobs.job where name < 'e' order by name";
    assert_eq!(db.text(families).await, "a,b,c of c,d of c");
    assert_eq!(db.submit_page("a").await.1, Submitted::New);
    assert_eq!(db.submit_page("d").await.1, Submitted::Existing(first));
}

#[tokio::test]
async fn what_stands_for_others_is_found_when_two_jobs_become_one() {
    let db = db().await;
    db.knows(RENAMED).await;
    db.knows(&[("mail", "report"), ("report", "report")]).await;
    let (first, _) = db.submit_page("report").await;
    db.knows(&[("mail", "tidy"), ("report", "tidy"), ("sweep", "tidy"), ("tidy", "tidy")]).await;
    for name in ["mail", "report", "sweep", "tidy"] {
        assert_eq!(db.submit_page(name).await.1, Submitted::Existing(first), "{name}");
    }
}

/// Two of a kind: one of them stands for both.
#[tokio::test]
async fn two_jobs_with_the_same_become_one() {
    let db = db().await;
    db.know_jobs(&["tidy".into()]).await.unwrap();
    let (first, _) = db.submit_page("sweep").await;
    db.submit_page("tidy").await;
    db.knows(RENAMED).await;
    assert_eq!(db.submit_page("tidy").await.1, Submitted::Existing(first));
    assert_eq!(db.text("select count(*) from jobs.run").await, "2");
}

/// As many as stand for others by it.
#[tokio::test]
async fn thousands_follow_their_job() {
    let db = db().await;
    db.knows(&[("mail", "report"), ("report", "report")]).await;
    let runs: Vec<_> = (0..2500)
        .map(|n| NewRun { unique: Some(Unique { key: n.to_string(), until: None }), ..run_of("report") })
        .collect();
    db.submit_unique(&runs, Duration::from_secs(30)).await.unwrap();
    db.know_jobs(&["a".into()]).await.unwrap();
    db.knows(&[("a", "b"), ("b", "b")]).await;
    db.knows(&[("a", "report"), ("mail", "report"), ("report", "report"), ("b", "report")]).await;
    assert_eq!(db.text("select unique_job || count(*) from jobs.run group by unique_job").await, "a2500");
}

/// A transaction of the program's has it.
#[tokio::test]
async fn a_run_that_somebody_holds_follows_its_job_later() {
    let db = db().await;
    db.knows(&[("mail", "report"), ("report", "report")]).await;
    let (held, _) = db.submit_page("report").await;
    let free = NewRun { unique: Some(Unique { key: "page 2".to_owned(), until: None }), ..run_of("report") };
    db.submit_unique(&[free], Duration::from_secs(30)).await.unwrap();
    let mut holds = db.hold().await;
    let hold = sqlx::query(db.sql("select from jobs.run where id = $1 for update")).bind(held);
    hold.execute(&mut *holds).await.unwrap();
    db.know_jobs(&["a".into()]).await.unwrap();
    db.knows(&[("a", "b"), ("b", "b")]).await;
    db.knows(&[("a", "report"), ("mail", "report"), ("report", "report"), ("b", "report")]).await;
    let unsettled = "select name from jobs.job where unsettled";
    assert_eq!(db.text("select unique_job from jobs.run order by 1").await, "a,mail");
    assert_eq!(db.text(unsettled).await, "mail");
    holds.rollback().await.unwrap();
    db.settle().await.unwrap();
    assert_eq!(db.text("select unique_job from jobs.run").await, "a,a");
    assert_eq!(db.text(unsettled).await, "");
}

/// An old version that was taken for lost and comes back.
#[tokio::test]
async fn who_started_last_says_what_is_one_job() {
    let db = db().await;
    let (old, new) = (db.started(1, 60).await, db.started(2, 1).await);
    db.run_sql("update jobs.node set good_since = now() - interval '1 h'").await;
    assert!(!db.may_say_families(old).await.unwrap() && !db.is_newest(old).await.unwrap());
    assert!(db.may_say_families(new).await.unwrap() && db.is_newest(new).await.unwrap());
    db.run_sql("update jobs.node set heartbeat = now() - interval '1 min' where name <> 'me'").await;
    db.beat(old, GAP).await.unwrap();
    assert!(!db.may_say_families(old).await.unwrap(), "the other may be back at once");
    db.run_sql("update jobs.node set good_since = now() - interval '16 s'").await;
    assert!(db.may_say_families(old).await.unwrap());
}

/// Who parts gets no full bucket by it.
#[tokio::test]
async fn names_that_part_have_what_the_rate_has_left() {
    let db = db().await;
    let node = db.joined(1).await;
    let rate = (None, Some((2, Duration::from_secs(3600))));
    db.knows(RENAMED).await;
    db.submit(&runs()).await.unwrap();
    assert_eq!(claims(&db, node, 9, BY_BOTH_NAMES, rate).await.len(), 2);
    db.knows(&[("sweep", "sweep"), ("tidy", "tidy")]).await;
    assert_eq!(claims(&db, node, 9, BY_BOTH_NAMES, rate).await, []);
}

/// Everybody locks jobs by their names, whichever he knows.
#[tokio::test]
async fn a_rename_waits_for_who_has_the_job() {
    let db = db().await;
    let node = db.joined(1).await;
    let rate = (None, Some((2, Duration::from_secs(3600))));
    db.submit(&runs()[..1]).await.unwrap();
    let mut other = db.hold().await;
    sqlx::query(db.sql("select from jobs.job where name = 'sweep' for update"))
        .execute(&mut *other)
        .await
        .unwrap();
    let charge = "update jobs.job set full_at = now() + interval '1 h', full_per = interval '1 h' where name = 'sweep'";
    sqlx::query(db.sql(charge)).execute(&mut *other).await.unwrap();
    let mut renaming = tokio::task::JoinSet::new();
    let renamed = db.clone();
    renaming.spawn(async move { renamed.knows(RENAMED).await });
    let waits = "select count(*) > 0 from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock'";
    db.until(waits, "true").await;
    other.commit().await.unwrap();
    renaming.join_all().await;
    assert_eq!(claims(&db, node, 9, BY_BOTH_NAMES, rate).await, [], "what was charged meanwhile is charged");
}

//! Programs on one PostgreSQL: any number of processes that share their runs, slots and limits. Each instance here plays one
//! process.

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

#[path = "support/process.rs"]
mod process;

use std::time::{Duration, Instant};

use jobs::{BoxError, Config, Event, JobChange, JobContext, Outcome, RunState, func, job};
use process::{Diary, Node, bounded, config, node};
use server::Server;

#[job]
async fn note(#[state] diary: &Diary, #[state] node: &Node, text: String) -> Result<usize, BoxError> {
    diary.note(node, &text);
    Ok(text.len())
}

/// Fails twice.
#[job(backoff = "10ms..20ms")]
async fn flaky(
    #[state] diary: &Diary,
    #[state] node: &Node,
    cx: &JobContext,
) -> Result<&'static str, BoxError> {
    diary.note(node, format!("attempt {}", cx.attempt()));
    jobs::log(format!("attempt {}", cx.attempt()));
    if cx.attempt() < 3 { Err("no route to host".into()) } else { Ok("delivered") }
}

#[job(retries = 0)]
async fn broken() -> Result<(), BoxError> {
    Err("it is broken".into())
}

/// Goes on until it is told to stop.
#[job]
async fn long(#[state] diary: &Diary, #[state] node: &Node, tag: String) {
    diary.note(node, format!("{tag} begins"));
    std::future::pending::<()>().await;
}

/// Notes that it is dropped.
struct Note<'a>(&'a Diary, &'a Node, String);

impl Drop for Note<'_> {
    fn drop(&mut self) {
        self.0.note(self.1, format!("{} ends", self.2));
    }
}

/// Goes on until somebody wants it ended.
#[job]
async fn endless(#[state] diary: &Diary, #[state] node: &Node, tag: String) {
    diary.note(node, format!("{tag} begins"));
    let _end = Note(diary, node, tag);
    std::future::pending::<()>().await;
}

#[job(unique)]
async fn index(#[state] diary: &Diary, #[state] node: &Node, page: u64) {
    diary.note(node, format!("page {page}"));
}

#[job(retries = 0)]
async fn tick(#[state] diary: &Diary, #[state] node: &Node, cx: &JobContext) {
    diary.note(node, cx.slot().expect("it is the run of a slot").to_rfc3339());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_submits_any_executes_once() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let (one, two) = (node(&address, &diary, "one").await, node(&address, &diary, "two").await);
    let mut handles = Vec::new();
    for n in 0..50 {
        handles.push(one.now(note { text: format!("{n:02}") }).await.unwrap());
    }
    for handle in &handles {
        assert_eq!(bounded(handle.wait()).await, Outcome::Succeeded);
    }
    let mut notes = diary.notes();
    notes.sort();
    assert_eq!(notes, (0..50).map(|n| format!("{n:02}")).collect::<Vec<_>>());
    assert_eq!(handles[7].output::<usize>().await.unwrap(), 2);
    // Whoever asks is told.
    let run = two.run(handles[7].id()).await.unwrap();
    assert_eq!((run.state, run.arguments.as_deref()), (RunState::Succeeded, Some(r#"{"text":"07"}"#)));
    assert!(one.shutdown().await.is_clean());
    assert!(two.shutdown().await.is_clean());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_fails_is_tried_again_by_whoever_is_there() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let (one, two) = (node(&address, &diary, "one").await, node(&address, &diary, "two").await);
    let handle = one.now(flaky {}).await.unwrap();
    assert_eq!(bounded(handle.wait()).await, Outcome::Succeeded);
    assert_eq!(diary.notes(), ["attempt 1", "attempt 2", "attempt 3"]);
    assert_eq!(handle.output::<String>().await.unwrap(), "delivered");
    let run = two.run(handle.id()).await.unwrap();
    let attempts: Vec<_> =
        run.attempts.iter().map(|attempt| (attempt.number, attempt.outcome.clone())).collect();
    let failed = Outcome::Failed("no route to host".into());
    assert_eq!(attempts, [(1, failed.clone()), (2, failed), (3, Outcome::Succeeded)]);
    assert_eq!(
        run.log.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(),
        ["attempt 1", "attempt 2", "attempt 3"]
    );
    let handle = two.now(broken {}).await.unwrap();
    assert_eq!(bounded(handle.wait()).await, Outcome::Failed("it is broken".into()));
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_slot_fires_once_and_every_process_knows_what_became_of_it() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let (one, two) = (node(&address, &diary, "one").await, node(&address, &diary, "two").await);
    for jobs in [&one, &two] {
        jobs.every(Duration::from_secs(1), tick {}).await.unwrap();
    }
    // The other takes part with a closure of its own.
    let closure = diary.clone();
    let chime = func("chime", move || {
        let diary = closure.clone();
        async move { diary.note(&Node("two"), "chime") }
    });
    two.every(Duration::from_secs(1), chime).await.unwrap();
    let ticks = |notes: &[String]| notes.iter().filter(|note| *note != "chime").cloned().collect::<Vec<_>>();
    diary.until(|notes| ticks(notes).len() >= 3 && notes.iter().any(|note| note == "chime")).await;
    let mut slots = ticks(&diary.notes());
    let count = slots.len();
    slots.sort();
    slots.dedup();
    assert_eq!(slots.len(), count, "{:?}", diary.notes());
    for jobs in [&one, &two] {
        // What the other has fired it learns when it looks.
        bounded(async {
            while jobs.ledger("tick").unwrap().tally().ran < 2 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
        // On a machine that stands still for a while a slot may meet the run of the one before.
        let tally = jobs.ledger("tick").unwrap().tally();
        assert!(tally.total() == tally.ran + tally.skipped, "{tally}");
    }
    one.shutdown().await;
    two.shutdown().await;
}

/// Somebody, or a process that stands still in the middle of a transaction, has the row of a job.
#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_held_stops_no_other_schedule() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let one = node(&address, &diary, "one").await;
    one.every(Duration::from_secs(1), tick {}).await.unwrap();
    let closure = diary.clone();
    let chime = func("chime", move || {
        let diary = closure.clone();
        async move { diary.note(&Node("one"), "chime") }
    });
    one.every(Duration::from_secs(1), chime).await.unwrap();
    let count =
        |notes: &[String], chimes: bool| notes.iter().filter(|note| (*note == "chime") == chimes).count();
    diary.until(|notes| count(notes, true) >= 1 && count(notes, false) >= 1).await;
    let pool = sqlx::PgPool::connect(&address).await.unwrap();
    let mut holder = pool.begin().await.unwrap();
    let lock = "select from jobs.job where name = 'tick' for update";
    sqlx::raw_sql(lock).execute(&mut *holder).await.unwrap();
    // What has fired before is done.
    let live = "select count(*) from jobs.run where job = 'tick' and finished is null";
    bounded(async {
        while sqlx::query_scalar::<_, i64>(live).fetch_one(&pool).await.unwrap() > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    let before = diary.notes();
    diary.until(|notes| count(notes, true) >= count(&before, true) + 12).await;
    // One may have been on its way.
    let ticks = count(&diary.notes(), false);
    assert!(ticks <= count(&before, false) + 1, "{:?}", diary.notes());
    assert!(one.health().is_ok(), "{:?}", one.health());
    holder.rollback().await.unwrap();
    diary.until(|notes| count(notes, false) > ticks).await;
    one.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_shutdown_cuts_off_another_process_begins_anew() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let one = jobs::start(config(&address, &diary, "one").shutdown_timeout(Duration::ZERO)).await.unwrap();
    let handle = one.now(long { tag: "it".into() }).await.unwrap();
    diary.until(|notes| notes.len() == 1).await;
    let two = node(&address, &diary, "two").await;
    let report = one.shutdown().await;
    assert_eq!((report.interrupted, report.lost), (1, 0), "{report}");
    diary.until(|notes| notes.len() == 2).await;
    assert_eq!(diary.of("two"), ["it begins"]);
    let run = two.run(handle.id()).await.unwrap();
    assert_eq!(run.state, RunState::Running);
    // It is ended from elsewhere.
    assert!(two.cancel(handle.id()).await);
    let handle = two.handle(handle.id()).await.unwrap();
    assert_eq!(bounded(handle.wait()).await, Outcome::Cancelled);
    two.shutdown().await;
}

/// By itself a process looks once a second, so that it would take it half of that or more to see something.
fn are_told_at_once(mut took: Vec<Duration>) {
    took.sort();
    assert!(took[took.len() / 2] < Duration::from_millis(400), "it took so long each time: {took:?}");
}

#[expect(clippy::disallowed_methods, reason = "the processes live in real time")]
fn now() -> Instant {
    Instant::now()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_executes_a_run_hears_at_once_that_it_is_cancelled_elsewhere() {
    let (address, diary) = (Server::shared().quick_database(), Diary::default());
    let (one, two) = (node(&address, &diary, "one").await, node(&address, &diary, "two").await);
    let mut told = Vec::new();
    for n in 0..20 {
        let handle = one.now(endless { tag: n.to_string() }).await.unwrap();
        let (begins, ends) = (format!("{n} begins"), format!("{n} ends"));
        bounded(diary.until(|notes| notes.contains(&begins))).await;
        let other = if diary.of("one").contains(&begins) { &two } else { &one };
        let start = now();
        assert!(other.cancel(handle.id()).await);
        bounded(diary.until(|notes| notes.contains(&ends))).await;
        told.push(start.elapsed());
    }
    are_told_at_once(told);
    one.shutdown().await;
    two.shutdown().await;
}

/// The same of a job that is paused.
#[tokio::test(flavor = "multi_thread")]
async fn every_process_hears_at_once_that_a_job_is_paused_or_goes_on() {
    let (address, diary) = (Server::shared().quick_database(), Diary::default());
    let (one, two) = (node(&address, &diary, "one").await, node(&address, &diary, "two").await);
    let mut events = two.events();
    let mut heard = async |wanted| {
        bounded(async {
            while !matches!(events.next().await, Some(Event::Job(event)) if event.what == wanted) {}
        })
        .await;
    };
    let mut told = Vec::new();
    for _ in 0..10 {
        let start = now();
        one.pause("note").await.unwrap();
        heard(JobChange::Paused).await;
        told.push(start.elapsed());
        let start = now();
        one.resume("note").await.unwrap();
        heard(JobChange::Resumed).await;
        told.push(start.elapsed());
    }
    are_told_at_once(told);
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn submissions_that_are_one_are_so_in_the_whole_cluster() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let (one, two) = (node(&address, &diary, "one").await, node(&address, &diary, "two").await);
    one.pause_queue("default").await.unwrap();
    let first = one.now(index { page: 7 }).await.unwrap();
    let same = two.now(index { page: 7 }).await.unwrap();
    let other = two.now(index { page: 8 }).await.unwrap();
    assert!(!first.is_duplicate() && same.is_duplicate() && !other.is_duplicate());
    assert_eq!(same.id(), first.id());
    two.resume_queue("default").await.unwrap();
    assert_eq!(bounded(same.wait()).await, Outcome::Succeeded);
    assert_eq!(bounded(other.wait()).await, Outcome::Succeeded);
    assert!(!two.now(index { page: 7 }).await.unwrap().is_duplicate());
    one.shutdown().await;
    two.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn code_that_is_not_async_submits_as_well() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let one = node(&address, &diary, "one").await;
    let jobs = one.clone();
    let handle = jobs.now(note { text: "in async code".into() }).submit().unwrap();
    assert_eq!(bounded(handle.wait()).await, Outcome::Succeeded);
    let jobs = one.clone();
    let thread =
        std::thread::spawn(move || jobs.now(note { text: "on a thread".into() }).blocking().unwrap());
    assert_eq!(bounded(thread.join().unwrap().wait()).await, Outcome::Succeeded);
    one.shutdown().await;
    assert!(one.now(note { text: "late".into() }).await.unwrap_err().is_shut_down());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_has_and_cannot_execute_goes_to_one_that_can() {
    let (server, diary) = (Server::shared(), Diary::default());
    let address = server.database();
    let one = node(&address, &diary, "one").await;
    // As if it had claimed the run of a closure and had not heard that it has, and the closure was removed meanwhile.
    let sql = "insert into jobs.run (id, job, queue, priority, state, due, attempt, retries, claim_no, node, origin, args)
        select gen_random_uuid(), 'chime', 'default', 0, 'running', now(), 1, 0, 1, id, 'submission', '{}' from jobs.node";
    server.sql(address.rsplit('/').next().unwrap(), sql);
    let two = node(&address, &diary, "two").await;
    let closure = diary.clone();
    let chime = func("chime", move || {
        let diary = closure.clone();
        async move { diary.note(&Node("two"), "chime") }
    });
    two.every(Duration::from_secs(3600), chime).await.unwrap();
    diary.until(|notes| notes == ["chime"]).await;
    one.shutdown().await;
    two.shutdown().await;
}

/// What waits here for a queue keeps no place from others.
#[tokio::test(flavor = "multi_thread")]
async fn closures_that_may_not_start_keep_a_process_from_nothing() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let one = jobs::start(config(&address, &diary, "one").pool(2)).await.unwrap();
    one.pause_queue("default").await.unwrap();
    for _ in 0..20 {
        one.now(func("chime", || async {})).queue("default").await.unwrap();
    }
    let run = one.now(note { text: "mail".into() }).queue("mail").await.unwrap();
    assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
    one.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_config_holds_at_once_where_it_is_taken() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let with = |text: &str| {
        let config = Config::from_toml(text).unwrap().without_environment();
        config.store(&address).state(diary.clone()).state(Node("one"))
    };
    let begun =
        |notes: &[String], count| notes.iter().filter(|note| note.ends_with("begins")).count() == count;
    let one = jobs::start(with("job.long.concurrency = 1\njob.tick.enabled = false")).await.unwrap();
    one.every(Duration::from_millis(100), tick {}).await.unwrap();
    for tag in ["first", "second", "third", "fourth"] {
        one.now(long { tag: tag.to_owned() }).await.unwrap();
    }
    diary.until(|notes| begun(notes, 1)).await;
    // Somebody who looks for more to do has looked.
    bounded(one.now(note { text: "noted".into() }).await.unwrap().wait()).await;
    // What is off is left to others.
    let left = one.now(tick {}).await.unwrap();
    bounded(one.now(note { text: "later".into() }).await.unwrap().wait()).await;
    assert_eq!(one.run(left.id()).await.unwrap().state, RunState::Available);
    assert_eq!(diary.notes(), ["first begins", "noted", "later"]);
    let changed = one.reload(with("job.long.concurrency = 3")).await.unwrap();
    assert_eq!(changed.settings.len(), 2, "{changed}");
    let ticks = |notes: &[String]| notes.iter().filter(|note| note.contains("T")).count();
    diary.until(|notes| begun(notes, 3) && ticks(notes) > 1).await;
    assert!(matches!(bounded(left.wait()).await, Outcome::Panicked(_)), "it is of no slot");
    one.reload(with("job.long.rate = \"100/1m\"")).await.unwrap();
    diary.until(|notes| begun(notes, 4)).await;

    for text in ["a", "b", "c"] {
        bounded(one.now(note { text: text.to_owned() }).await.unwrap().wait()).await;
    }
    one.reload(with("jobs.retention_count = 2")).await.unwrap();
    bounded(async {
        while one.runs().job("note").list().await.len() > 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // Nobody waits for them.
    for run in one.runs().job("long").list().await {
        one.cancel(run.id).await;
    }
    one.shutdown().await;
}

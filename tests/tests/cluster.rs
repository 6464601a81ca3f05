//! Programs on one PostgreSQL: any number of processes that share their runs, slots and limits. Each instance here plays one
//! process.

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::{BoxError, Config, Event, JobChange, JobContext, Jobs, Outcome, RunState, func, job};
use server::Server;
use tokio::sync::Notify;

/// What the jobs of the processes of a test have done, and where.
#[derive(Debug, Clone, Default)]
struct Diary(Arc<Pages>);

#[derive(Debug, Default)]
struct Pages {
    notes: Mutex<Vec<(String, String)>>,
    news: Notify,
}

impl Diary {
    fn note(&self, node: &Node, what: impl Into<String>) {
        self.0.notes.lock().unwrap().push((node.0.to_owned(), what.into()));
        self.0.news.notify_waiters();
    }

    fn notes(&self) -> Vec<String> {
        self.0.notes.lock().unwrap().iter().map(|(_, what)| what.clone()).collect()
    }

    fn of(&self, node: &str) -> Vec<String> {
        let notes = self.0.notes.lock().unwrap();
        notes.iter().filter(|(by, _)| by == node).map(|(_, what)| what.clone()).collect()
    }

    /// Waits until the notes are as wanted.
    async fn until(&self, wanted: impl Fn(&[String]) -> bool) {
        bounded(async {
            loop {
                let news = self.0.news.notified();
                let mut news = std::pin::pin!(news);
                news.as_mut().enable();
                if wanted(&self.notes()) {
                    return;
                }
                news.await;
            }
        })
        .await;
    }
}

/// Which process it is.
#[derive(Debug, Clone)]
struct Node(&'static str);

async fn bounded<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), event).await.expect("it happens within a minute")
}

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

fn config(address: &str, diary: &Diary, node: &'static str) -> Config {
    Config::default().store(address).state(diary.clone()).state(Node(node)).pool(10)
}

async fn node(address: &str, diary: &Diary, node: &'static str) -> Jobs {
    jobs::start(config(address, diary, node)).await.unwrap_or_else(|error| panic!("{error}"))
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

/// By itself a process looks once a second, so that it takes half of that to see something. How long it takes with room to spare
/// where it is told.
const TOLD: Duration = Duration::from_millis(250);

#[tokio::test(flavor = "multi_thread")]
async fn who_executes_a_run_hears_at_once_that_it_is_cancelled_elsewhere() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let (one, two) = (node(&address, &diary, "one").await, node(&address, &diary, "two").await);
    let all = async {
        for n in 0..20 {
            let handle = one.now(endless { tag: n.to_string() }).await.unwrap();
            let (begins, ends) = (format!("{n} begins"), format!("{n} ends"));
            diary.until(|notes| notes.contains(&begins)).await;
            let other = if diary.of("one").contains(&begins) { &two } else { &one };
            assert!(other.cancel(handle.id()).await);
            diary.until(|notes| notes.contains(&ends)).await;
        }
    };
    tokio::time::timeout(TOLD * 20, all).await.expect("each is told at once");
    one.shutdown().await;
    two.shutdown().await;
}

/// The same of a job that is paused.
#[tokio::test(flavor = "multi_thread")]
async fn every_process_hears_at_once_that_a_job_is_paused_or_goes_on() {
    let (address, diary) = (Server::shared().database(), Diary::default());
    let (one, two) = (node(&address, &diary, "one").await, node(&address, &diary, "two").await);
    let mut events = two.events();
    let mut heard = async |wanted| {
        while !matches!(events.next().await, Some(Event::Job(event)) if event.what == wanted) {}
    };
    let all = async {
        for _ in 0..10 {
            one.pause("note").await.unwrap();
            heard(JobChange::Paused).await;
            one.resume("note").await.unwrap();
            heard(JobChange::Resumed).await;
        }
    };
    tokio::time::timeout(TOLD * 20, all).await.expect("each is told at once");
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

/// Executes on a thread that nobody can stop, until the test lets it go.
#[job(retries = 0)]
fn stubborn(#[state] diary: &Diary, #[state] node: &Node) {
    diary.note(node, "begins");
    while diary.notes().iter().filter(|note| *note == "go").count() == 0 {
        std::thread::yield_now();
    }
    diary.note(node, "ends");
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

/// The end of the process will not count against it; until then it goes on, and what it comes to counts.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_at_the_shutdown_goes_on_until_the_process_ends() {
    let (server, diary) = (Server::shared(), Diary::default());
    let address = server.database();
    let database = address.rsplit('/').next().unwrap();
    let one = jobs::start(config(&address, &diary, "one").shutdown_timeout(Duration::ZERO)).await.unwrap();
    one.now(stubborn {}).await.unwrap();
    diary.until(|notes| notes.len() == 1).await;
    assert_eq!(server.sql(database, "select is_closing from jobs.node"), "f");
    let report = one.shutdown().await;
    assert_eq!(report.still_running, 1, "{report}");
    assert_eq!(server.sql(database, "select is_closing from jobs.node"), "t");
    // As at the end of `main`, where the runtime waits for it.
    drop(one);
    diary.note(&Node("test"), "go");
    bounded(async {
        while server.sql(database, "select state from jobs.run") != "succeeded" {
            tokio::task::yield_now().await;
        }
        // Then nobody needs it any more.
        while server.sql(database, "select count(*) from jobs.node") != "0" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// How the first attempt of [`left_behind`] goes on.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
enum Way {
    /// Until somebody notes `go`.
    Returns,
    Fails,
    /// Until it is told to stop.
    Asks,
}

/// A plain function, on a thread that says when it ends.
#[job(retries = 1)]
fn left_behind(
    #[state] diary: &Diary,
    #[state] node: &Node,
    cx: &JobContext,
    way: Way,
) -> Result<&'static str, BoxError> {
    struct OfThread(Diary, Node);
    impl Drop for OfThread {
        fn drop(&mut self) {
            self.0.note(&self.1, "the thread ends");
        }
    }
    thread_local!(static THREAD: std::cell::RefCell<Option<OfThread>> = const { std::cell::RefCell::new(None) });
    diary.note(node, format!("attempt {}", cx.attempt()));
    if cx.attempt() == 1 {
        THREAD.set(Some(OfThread(diary.clone(), node.clone())));
        let is_over = || match way {
            Way::Returns | Way::Fails => diary.notes().iter().any(|note| note == "go"),
            Way::Asks => cx.is_cancelled(),
        };
        while !is_over() {
            std::thread::yield_now();
        }
        if way == Way::Fails {
            return Err("the first time".into());
        }
    }
    Ok("done")
}

/// A runtime, and on it a program that executes [`left_behind`].
fn leaves_behind(
    address: &str,
    diary: &Diary,
    way: Way,
    shuts_down: bool,
) -> (tokio::runtime::Runtime, jobs::RunId) {
    let mut runtime = match way {
        Way::Asks => tokio::runtime::Builder::new_multi_thread(),
        Way::Returns | Way::Fails => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build().unwrap();
    let run = runtime.block_on(async {
        let config = config(address, diary, "one").shutdown_timeout(Duration::ZERO);
        let one = jobs::start(config).await.unwrap();
        // One that is cut off is given back.
        one.now(long { tag: "long".into() }).await.unwrap();
        let run = one.now(left_behind { way }).await.unwrap().id();
        diary.until(|notes| notes.len() == 2).await;
        if shuts_down {
            assert_eq!(one.shutdown().await.still_running, 1);
        }
        run
    });
    (runtime, run)
}

/// The end of `main`, where a tokio runtime drops all tasks and waits for the threads of plain functions: nobody else begins what
/// goes on there, and what it comes to counts.
#[test]
fn a_plain_function_outlives_the_tasks_of_its_runtime() {
    for (shuts_down, way) in [(false, Way::Returns), (true, Way::Returns), (true, Way::Fails)] {
        let (server, diary) = (Server::shared(), Diary::default());
        let address = server.database();
        let database = address.rsplit('/').next().unwrap();
        let (first, run) = leaves_behind(&address, &diary, way, shuts_down);
        let second = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let two = second.block_on(node(&address, &diary, "two"));
        // All of its tasks are dropped when this returns.
        first.shutdown_background();
        let standing = format!("select state || claim_no from jobs.run where id = '{run}'");
        assert_eq!(server.sql(database, &standing), "running1");
        // What was cut off is taken up meanwhile, and this would be as well.
        second.block_on(diary.until(|notes| notes.len() == 3));
        assert_eq!(diary.of("two"), ["long begins"]);
        assert_eq!(server.sql(database, &standing), "running1");
        diary.note(&Node("test"), "go");
        second.block_on(async {
            diary.until(|notes| notes.contains(&"the thread ends".to_owned())).await;
            // A runtime that waits for the thread has waited for this.
            assert_eq!(server.sql(database, "select name <> 'one' and not is_closing from jobs.node"), "t");
            bounded(async {
                while !server.sql(database, &standing).starts_with("succeeded") {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            let after = two.run(run).await.unwrap();
            assert_eq!(after.output.as_deref(), Some("\"done\""));
            let (attempts, by_two): (u32, &[_]) = match way {
                Way::Fails => (2, &["long begins", "attempt 2"]),
                Way::Returns | Way::Asks => (1, &["long begins"]),
            };
            assert_eq!(
                (after.attempt, diary.of("two")),
                (attempts, by_two.iter().map(ToString::to_string).collect())
            );
            assert_eq!(server.sql(database, &standing), format!("succeeded{attempts}"));
            assert_eq!(after.attempts.len(), attempts as usize, "{after:?}");
        });
    }
}

/// The function has returned, and what the layer does after it is cut off: others try the run again.
#[test]
fn a_layer_goes_with_its_runtime() {
    let (server, diary) = (Server::shared(), Diary::default());
    let address = server.database();
    let database = address.rsplit('/').next().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let after = diary.clone();
        let config = config(&address, &diary, "one").middleware(move |cx, next| {
            let after = after.clone();
            async move {
                let result = next.run(cx).await;
                after.note(&Node("layer"), "after");
                std::future::pending::<()>().await;
                result
            }
        });
        let one = jobs::start(config).await.unwrap();
        diary.note(&Node("test"), "go");
        one.now(left_behind { way: Way::Returns }).await.unwrap();
        diary.until(|notes| notes.contains(&"after".to_owned())).await;
    });
    drop(runtime);
    let standing = "select state || attempt || (select count(*) from jobs.node) from jobs.run";
    assert_eq!(server.sql(database, standing), "available00");
}

/// As in a program whose `main` returns without a shutdown.
#[test]
fn a_plain_function_is_told_that_its_runtime_ends() {
    let (server, diary) = (Server::shared(), Diary::default());
    let address = server.database();
    let database = address.rsplit('/').next().unwrap();
    let (runtime, run) = leaves_behind(&address, &diary, Way::Asks, false);
    drop(runtime);
    let standing =
        "select string_agg(state, ',' order by id) || (select count(*) from jobs.node) from jobs.run";
    assert_eq!(server.sql(database, standing), "available,succeeded0", "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_that_was_taken_for_lost_still_executes_it_does_not_begin_beside_it() {
    let (server, diary) = (Server::shared(), Diary::default());
    let address = server.database();
    let database = address.rsplit('/').next().unwrap();
    let one = node(&address, &diary, "one").await;
    let run = one.now(stubborn {}).await.unwrap();
    diary.until(|notes| notes.len() == 1).await;
    server.sql(database, "delete from jobs.node");
    // It is given back, and nobody else is there to take it.
    bounded(async {
        while server.sql(database, "select claim_no > 1 or node is null from jobs.run") != "t" {
            tokio::task::yield_now().await;
        }
        // And taken again by the one that is there, which must not go on for ever.
        while server.sql(database, "select state = 'scheduled' and due > now() from jobs.run") != "t" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(diary.notes(), ["begins"]);
    diary.note(&Node("test"), "go");
    assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
    // What the first came to did not count.
    assert_eq!(diary.notes(), ["begins", "go", "ends", "begins", "ends"]);
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

//! What outlives the process on a durable store: everything that a test here leaves in one instance, the next one finds.
//!
//! A crash is played by a copy of the files as they are: that is all that a process which is killed leaves.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::testing::{self, TestJobs};
use jobs::{BoxError, Config, Fate, Job, JobContext, JobResult, Outcome, RunState, func, job};
use serde::{Deserialize, Serialize};
use support::folder::Folder;
use support::{DAY, HOUR, MINUTE, SECOND, utc};

/// What the jobs of a test have done.
#[derive(Debug, Clone, Default)]
struct Diary(Arc<Mutex<Vec<String>>>);

impl Diary {
    fn note(&self, what: impl Into<String>) {
        self.0.lock().unwrap().push(what.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[job]
async fn note(#[state] diary: &Diary, text: String) {
    diary.note(text);
}

/// Takes a while.
#[job]
async fn work(#[state] diary: &Diary, cx: &JobContext, tag: String, #[default = 60] seconds: u64) {
    diary.note(format!("{tag} begins, attempt {}", cx.attempt()));
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    diary.note(format!("{tag} ends"));
}

/// Fails once, with a cause, a line of its log and an hour until it is tried again.
#[job(backoff = "1h..1h")]
async fn flaky(#[state] diary: &Diary, cx: &JobContext) -> Result<u32, BoxError> {
    diary.note(format!("flaky, attempt {}", cx.attempt()));
    jobs::progress(cx.attempt().into(), 2);
    jobs::log(format!("attempt {}", cx.attempt()));
    if cx.attempt() == 1 {
        let cause = std::io::Error::other("no route");
        return Err(Box::new(Outer(cause)));
    }
    Ok(7)
}

#[derive(Debug)]
struct Outer(std::io::Error);

impl std::fmt::Display for Outer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the mail was not sent")
    }
}

impl std::error::Error for Outer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

#[job(unique, retries = 0)]
async fn index(#[state] diary: &Diary, page: u64) {
    diary.note(format!("page {page}"));
}

#[job(unique = "1h", retries = 0)]
async fn digest(#[state] diary: &Diary) {
    diary.note("digest");
}

/// A slot of its schedule, with what its context tells of it.
#[job(aliases = ["tock"])]
async fn tick(#[state] diary: &Diary, cx: &JobContext) {
    let slot = cx.slot().map_or("none".to_owned(), |slot| slot.format("%d %H:%M:%S").to_string());
    diary.note(if cx.is_catch_up() { format!("{slot} made up") } else { slot });
}

/// The same, and takes longer than its interval.
#[job]
async fn slow_tick(#[state] diary: &Diary, cx: &JobContext) {
    let slot = cx.slot().map_or("none".to_owned(), |slot| slot.format("%H:%M").to_string());
    diary.note(format!("{slot} begins"));
    tokio::time::sleep(Duration::from_secs(600)).await;
    diary.note(format!("{slot} ends"));
}

fn starting(folder: &Folder, diary: &Diary, at: &str) -> testing::Starting {
    starting_with(Config::default(), folder, diary, at)
}

fn starting_with(config: Config, folder: &Folder, diary: &Diary, at: &str) -> testing::Starting {
    let config = config.store(folder.sqlite()).state(diary.clone());
    testing::start(config).at(utc(at)).quiet()
}

/// Ends a process in good order, whatever it leaves for the next.
async fn end(test: TestJobs) {
    test.shutdown().await;
}

/// Lets everything be written that has changed.
async fn written(test: &TestJobs) {
    test.settle().await;
    // A submission is told when everything before it is written.
    test.jobs().now(func("written", || async {})).await.unwrap();
    test.settle().await;
}

#[tokio::test]
async fn what_waits_goes_on_in_the_next_process() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting_with(Config::default().pool(1), &folder, &diary, "2026-03-02 12:00:00").await;
    let jobs = test.jobs();
    let retried = jobs.now(flaky {}).await.unwrap();
    test.settle().await;
    jobs.now(work { tag: "busy".into(), seconds: 10 }).await.unwrap();
    test.settle().await;
    let text = "NUL \0, ünïcödé 🚀, \"quotes\" and a\nline";
    let queued = jobs.now(note { text: text.into() }).priority(5).await.unwrap();
    jobs.after(HOUR / 2, note { text: "delayed".into() }).await.unwrap();
    jobs.now(func("closure", || async {})).await.unwrap();
    test.settle().await;
    let report = test.shutdown().await;
    assert_eq!((report.kept, report.lost, report.interrupted), (3, 1, 0), "a closure belongs to its process");
    assert_eq!(diary.take(), ["flaky, attempt 1", "busy begins, attempt 1", "busy ends"]);
    assert!(report.to_string().contains("3 kept for the next start"), "{report}");

    let test = starting(&folder, &diary, "2026-03-02 12:05:00").await;
    let run = test.jobs().run(queued.id()).await.expect("it is known by its identity");
    assert_eq!((run.priority, run.state), (5, RunState::Available));
    test.settle().await;
    assert_eq!(diary.take(), [text]);
    test.advance(HOUR / 2).await;
    assert_eq!(diary.take(), ["delayed"]);
    test.advance(HOUR / 2).await;
    assert_eq!(diary.take(), ["flaky, attempt 2"]);
    let run = test.jobs().run(retried.id()).await.unwrap();
    assert_eq!((run.state, run.attempts.len()), (RunState::Succeeded, 2));
    end(test).await;
}

#[tokio::test]
async fn what_had_begun_begins_again_after_a_crash_and_what_had_ended_does_not() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    let done = test.jobs().now(note { text: "done".into() }).await.unwrap();
    let begun = test.jobs().now(work { tag: "begun".into(), seconds: 60 }).await.unwrap();
    written(&test).await;
    let left = folder.crashed();
    end(test).await;
    diary.take();

    let test = starting(&left, &diary, "2026-03-02 12:01:00").await;
    test.advance(MINUTE).await;
    assert_eq!(diary.take(), ["begun begins, attempt 1", "begun ends"], "a rescue is no attempt");
    for run in [done.id(), begun.id()] {
        assert_eq!(test.jobs().run(run).await.map(|run| run.state), Some(RunState::Succeeded));
    }
    end(test).await;
}

#[tokio::test]
async fn a_run_that_may_be_what_ends_the_process_is_given_up_at_last() {
    let (mut folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    let run = test.jobs().now(work { tag: "bad".into(), seconds: 600 }).await.unwrap().id();
    written(&test).await;
    folder = folder.crashed();
    end(test).await;
    assert_eq!(diary.take().first().map(String::as_str), Some("bad begins, attempt 1"));

    // Rescued for the first time, it begins at once; for the second, others have their turn before it.
    let test = starting(&folder, &diary, "2026-03-02 12:01:00").await;
    written(&test).await;
    assert_eq!(diary.take(), ["bad begins, attempt 1"]);
    let next = folder.crashed();
    end(test).await;
    diary.take();
    let test = starting(&next, &diary, "2026-03-02 12:02:00").await;
    test.advance(SECOND).await;
    assert_eq!(diary.take(), Vec::<String>::new());
    test.advance(10 * SECOND).await;
    assert_eq!(diary.take(), ["bad begins, attempt 1"]);
    written(&test).await;
    let last = next.crashed();
    end(test).await;
    diary.take();

    let test = starting(&last, &diary, "2026-03-02 12:03:00").await;
    test.advance(HOUR).await;
    assert_eq!(diary.take(), Vec::<String>::new());
    let run = test.jobs().run(run).await.unwrap();
    assert_eq!(run.state, RunState::Dead);
    let outcome = run.outcome.unwrap().to_string();
    assert!(outcome.contains("the process has ended 3 times while this run executed"), "{outcome}");
    end(test).await;
}

#[tokio::test]
async fn records_outlive_the_process() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    let run = test.jobs().now(flaky {}).await.unwrap();
    test.advance(HOUR).await;
    assert_eq!(run.wait().await, Outcome::Succeeded);
    let before = test.jobs().run(run.id()).await.unwrap();
    let job_before = test.job("flaky");
    end(test).await;

    let test = starting(&folder, &diary, "2026-03-02 14:00:00").await;
    let after = test.jobs().run(run.id()).await.unwrap();
    assert_eq!(format!("{after:?}"), format!("{before:?}"));
    assert_eq!(after.attempts[0].chain, ["the mail was not sent", "no route"]);
    assert_eq!((after.log.len(), after.output.is_some(), after.progress.is_some()), (2, true, true));
    let job = test.job("flaky");
    let ended = |job: &jobs::JobSnapshot| job.previous.as_ref().map(|run| (run.id, run.finished_at));
    assert_eq!(ended(&job), ended(&job_before));
    assert_eq!(test.jobs().runs().job("flaky").list().await.len(), 1);
    end(test).await;
}

#[tokio::test]
async fn what_is_unique_is_so_over_processes() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    let waiting = test.jobs().after(HOUR, index { page: 7 }).await.unwrap();
    let done = test.jobs().now(digest {}).await.unwrap();
    assert!(done.wait().await.is_success());
    end(test).await;
    diary.take();

    let test = starting(&folder, &diary, "2026-03-02 12:10:00").await;
    let again = test.jobs().now(index { page: 7 }).await.unwrap();
    assert!(again.is_duplicate() && again.id() == waiting.id());
    assert!(!test.jobs().now(index { page: 8 }).await.unwrap().is_duplicate());
    let again = test.jobs().now(digest {}).await.unwrap();
    assert!(again.is_duplicate() && again.id() == done.id(), "it stands for others to the end of its window");
    test.advance(HOUR).await;
    assert_eq!(diary.take(), ["page 8", "page 7"]);
    assert!(!test.jobs().now(digest {}).await.unwrap().is_duplicate());
    end(test).await;
}

#[tokio::test]
async fn pauses_outlive_the_process() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let config = || Config::default().queue("mail", 3);
    let test = starting_with(config(), &folder, &diary, "2026-03-02 12:00:00").await;
    test.schedule("@hourly", tick {}).await.unwrap();
    test.jobs().pause("tick").await.unwrap();
    test.jobs().pause_queue("mail").await.unwrap();
    test.jobs().now(note { text: "mail".into() }).queue("mail").await.unwrap();
    written(&test).await;
    let left = folder.crashed();
    end(test).await;

    let test = starting_with(config(), &left, &diary, "2026-03-02 12:30:00").await;
    test.schedule("@hourly", tick {}).await.unwrap();
    test.advance(HOUR).await;
    assert_eq!(diary.take(), Vec::<String>::new());
    test.assert_slots("tick", Fate::Paused, 1);
    test.jobs().resume("tick").await.unwrap();
    test.jobs().resume_queue("mail").await.unwrap();
    test.advance(HOUR).await;
    assert_eq!(diary.take(), ["mail", "02 14:00:00"]);
    end(test).await;
}

/// ```text
/// Mon 12:00   Tue 11:00      …        Mon 12:00
///   start ─── end, start ─── … ──────── fires: a week after the first start
/// ```
#[tokio::test]
async fn an_interval_that_is_longer_than_any_process_fires() {
    let (folder, diary) = (Folder::new(), Diary::default());
    for day in 2..9 {
        let test = starting(&folder, &diary, &format!("2026-03-{day:02} 12:00:00")).await;
        test.every(7 * DAY, tick {}).await.unwrap();
        test.advance(23 * HOUR).await;
        end(test).await;
        assert_eq!(diary.take(), Vec::<String>::new(), "day {day}");
    }
    let test = starting(&folder, &diary, "2026-03-09 11:59:00").await;
    test.every(7 * DAY, tick {}).await.unwrap();
    test.advance(2 * MINUTE).await;
    assert_eq!(diary.take(), ["09 12:00:00"]);
    end(test).await;
    // What should have fired while there was no process is made up for, and the beat stays what it was.
    let test = starting(&folder, &diary, "2026-03-17 10:00:00").await;
    test.every(7 * DAY, tick {}).await.unwrap();
    test.advance(MINUTE).await;
    assert_eq!(diary.take(), ["16 12:00:00 made up"]);
    test.advance(6 * DAY + 3 * HOUR).await;
    assert_eq!(diary.take(), ["23 12:00:00"]);
    end(test).await;
}

/// A closure is known by its name alone, and not before it is scheduled.
#[tokio::test]
async fn the_beat_of_a_closure_outlives_the_process() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let weekly = || {
        let diary = diary.clone();
        func("weekly", move || {
            let diary = diary.clone();
            async move { diary.note("weekly") }
        })
    };
    for (start, fired) in [("2026-03-02 12:00:00", 0), ("2026-03-06 12:00:00", 0), ("2026-03-09 11:00:00", 1)]
    {
        let test = starting(&folder, &diary, start).await;
        test.every(7 * DAY, weekly()).await.unwrap();
        test.advance(2 * HOUR).await;
        assert_eq!(diary.take().len(), fired, "{start}");
        end(test).await;
    }
}

/// Lets the file be what a program would have written in which `tick` was called otherwise.
async fn rename(folder: &Folder, name: &str) {
    use sqlx::{ConnectOptions, Connection};
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.path().join("jobs.db"));
    let mut connection = options.connect().await.unwrap();
    for rename in [
        "UPDATE jobs_run SET job = ?1 WHERE job = 'tick'",
        "UPDATE jobs_schedule SET job = ?1 WHERE job = 'tick'",
        "UPDATE jobs_pause SET name = ?1 WHERE name = 'tick'",
    ] {
        sqlx::query(rename).bind(name).execute(&mut connection).await.unwrap();
    }
    connection.close().await.unwrap();
}

#[tokio::test]
async fn a_job_that_is_renamed_keeps_what_it_has_by_its_alias() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    test.every(7 * DAY, tick {}).key("k").await.unwrap();
    let delayed = test.jobs().after(DAY, tick {}).await.unwrap().id();
    test.jobs().pause("tick").await.unwrap();
    end(test).await;
    rename(&folder, "tock").await;

    let test = starting(&folder, &diary, "2026-03-08 12:00:00").await;
    test.every(7 * DAY, tick {}).key("k").await.unwrap();
    test.settle().await;
    assert_eq!(diary.take(), ["none"], "the run that was delayed");
    assert_eq!(test.jobs().run(delayed).await.unwrap().job, "tick");
    test.advance(DAY).await;
    test.assert_slots("tick", Fate::Paused, 1);
    test.jobs().resume("tick").await.unwrap();
    end(test).await;

    // What stood under the old name is not gone back to.
    let test = starting(&folder, &diary, "2026-03-10 12:00:00").await;
    test.every(7 * DAY, tick {}).key("k").await.unwrap();
    test.advance(HOUR).await;
    assert_eq!((diary.take(), test.slots("tick").total()), (vec![], 1));
    test.advance(6 * DAY).await;
    assert_eq!(diary.take(), ["16 12:00:00"]);
    end(test).await;
}

#[tokio::test]
async fn the_last_slot_without_a_process_is_made_up_for_and_the_ledger_goes_on() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    test.schedule("0 0 3 * * *", tick {}).await.unwrap();
    test.advance(DAY).await;
    assert_eq!(diary.take(), ["03 03:00:00"]);
    end(test).await;

    let test = starting(&folder, &diary, "2026-03-07 12:00:00").await;
    test.schedule("0 0 3 * * *", tick {}).await.unwrap();
    test.settle().await;
    assert_eq!(diary.take(), ["07 03:00:00 made up"]);
    test.advance(DAY).await;
    assert_eq!(diary.take(), ["08 03:00:00"]);
    let entries = test.jobs().ledger("tick").unwrap().entries();
    let told: Vec<_> = entries.iter().map(|entry| format!("{} {}", entry.count, entry.reason)).collect();
    let wanted = [
        "1 ran",
        "3 missed, since the program was not running",
        "1 ran afterwards, since it was missed",
        "1 ran",
    ];
    assert_eq!(told, wanted);
    assert_eq!(test.slots("tick").total(), 6);
    end(test).await;
}

#[tokio::test]
async fn a_restart_loses_no_slot_and_doubles_none() {
    let (mut folder, diary) = (Folder::new(), Diary::default());
    let mut start = utc("2026-03-02 12:00:00");
    let mut wanted = Vec::new();
    for restart in 0..12 {
        let test = starting(&folder, &diary, &start.format("%Y-%m-%d %H:%M:%S%.f").to_string()).await;
        test.schedule("*/10 * * * * *", tick {}).await.unwrap();
        test.every(7 * SECOND, note { text: "every".into() }).await.unwrap();
        test.advance(Duration::from_millis(25_300)).await;
        written(&test).await;
        start = test.now_utc() + chrono::TimeDelta::milliseconds(4_100);
        // Every other of them in good order.
        let left = if restart % 2 == 0 { Some(folder.crashed()) } else { None };
        end(test).await;
        folder = left.unwrap_or(folder);
    }
    let end = start - chrono::TimeDelta::milliseconds(4_100);
    let mut slot = utc("2026-03-02 12:00:10");
    while slot <= end {
        wanted.push(slot.format("%d %H:%M:%S").to_string());
        slot += chrono::TimeDelta::seconds(10);
    }
    let done = diary.take();
    let ticks: Vec<_> = done.iter().filter(|line| *line != "every").cloned().collect();
    assert_eq!(ticks, wanted);
    let every = done.len() - ticks.len();
    assert_eq!(every as i64, (end - utc("2026-03-02 12:00:00")).num_seconds() / 7);
}

#[tokio::test]
async fn a_fixed_delay_counts_from_the_end_of_its_run_also_in_the_next_process() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    test.fixed_delay(HOUR, slow_tick {}).await.unwrap();
    test.advance(HOUR + MINUTE).await;
    written(&test).await;
    let left = folder.crashed();
    end(test).await;
    diary.take();

    let test = starting(&left, &diary, "2026-03-02 13:02:00").await;
    test.fixed_delay(HOUR, slow_tick {}).await.unwrap();
    test.advance(2 * HOUR).await;
    assert_eq!(
        diary.take(),
        ["13:00 begins", "13:00 ends", "14:12 begins", "14:12 ends"],
        "one live run, and the next an hour after its end"
    );
    end(test).await;
    let test = starting(&left, &diary, "2026-03-02 15:10:00").await;
    test.fixed_delay(HOUR, slow_tick {}).await.unwrap();
    test.advance(15 * MINUTE).await;
    assert_eq!(diary.take(), ["15:22 begins"]);
    end(test).await;
}

#[tokio::test]
async fn another_definition_under_the_same_key_goes_on_from_now() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    test.schedule("@hourly", tick {}).key("k").await.unwrap();
    test.advance(HOUR).await;
    end(test).await;
    diary.take();
    let test = starting(&folder, &diary, "2026-03-04 12:00:00").await;
    test.schedule("0 30 * * * *", tick {}).key("k").await.unwrap();
    test.advance(HOUR).await;
    assert_eq!(diary.take(), ["04 12:30:00"], "nothing is made up for across the change");
    assert_eq!(test.slots("tick").total(), 2, "and its ledger goes on");
    end(test).await;
}

#[tokio::test]
async fn a_buffered_run_waits_for_its_predecessor_also_in_the_next_process() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    test.every(5 * MINUTE, slow_tick {}).await.unwrap();
    test.advance(11 * MINUTE).await;
    written(&test).await;
    let left = folder.crashed();
    end(test).await;
    diary.take();
    let test = starting(&left, &diary, "2026-03-02 12:11:30").await;
    test.advance(25 * MINUTE).await;
    assert_eq!(diary.take(), ["12:05 begins", "12:05 ends", "12:10 begins", "12:10 ends"]);
    end(test).await;
}

/// A job by hand, whose runs come back where it is registered.
#[derive(Clone, Serialize, Deserialize)]
struct Resize {
    image: u64,
}

impl Job for Resize {
    const NAME: &'static str = "resize";

    async fn run(self, cx: JobContext) -> JobResult {
        let diary = cx.state::<Diary>().expect("the test gives it");
        diary.note(format!("image {}", self.image));
        Ok(())
    }
}

#[tokio::test]
async fn runs_of_an_unknown_job_wait_for_a_program_that_knows_it() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    let run = test.jobs().after(MINUTE, Resize { image: 7 }).await.unwrap().id();
    end(test).await;

    let test = starting(&folder, &diary, "2026-03-02 13:00:00").await;
    test.advance(HOUR).await;
    assert_eq!((diary.take(), test.jobs().run(run).await.is_none()), (vec![], true));
    end(test).await;

    let known = Config::default().register::<Resize>();
    let test = starting_with(known, &folder, &diary, "2026-03-02 15:00:00").await;
    test.settle().await;
    assert_eq!(diary.take(), ["image 7"]);
    assert_eq!(test.jobs().run(run).await.unwrap().state, RunState::Succeeded);
    end(test).await;
}

#[tokio::test]
async fn arguments_that_are_too_large_are_refused() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    let fits = "x".repeat((1 << 20) - r#"{"text":""}"#.len());
    test.jobs().now(note { text: fits.clone() }).await.unwrap();
    let error = test.jobs().now(note { text: format!("{fits}x") }).await.unwrap_err();
    assert!(error.is_bad_arguments(), "{error}");
    assert_eq!(
        error.to_string(),
        "the arguments of `note`: they take more than the 1 MiB that is kept; store them elsewhere, and submit where"
    );
    end(test).await;
}

#[tokio::test]
async fn one_process_owns_the_file() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    let config = || Config::default().store(folder.sqlite()).state(diary.clone()).without_environment();
    let error = jobs::start(config()).await.unwrap_err().to_string();
    let pid = std::process::id();
    assert!(error.contains(&format!("belongs to another process, {pid}")), "{error}");
    assert!(error.contains("one process owns the file"), "{error}");
    end(test).await;
    jobs::start(config()).await.unwrap().shutdown().await;
}

#[tokio::test]
async fn a_file_that_is_none_of_ours_is_refused() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let config = |store: String| Config::default().store(store).state(diary.clone()).without_environment();
    std::fs::write(folder.path().join("jobs.db"), "this is no database at all, whatever its name says")
        .unwrap();
    let error = jobs::start(config(folder.sqlite())).await.unwrap_err().to_string();
    assert!(error.contains("file is not a database"), "{error}");
    let nowhere = format!("sqlite:{}", folder.path().join("no/such/folder/jobs.db").display());
    let error = jobs::start(config(nowhere)).await.unwrap_err().to_string();
    assert!(error.contains("a folder that is there"), "{error}");
}

#[tokio::test]
async fn a_machine_that_has_slept_goes_on() {
    let (folder, diary) = (Folder::new(), Diary::default());
    let test = starting(&folder, &diary, "2026-03-02 12:00:00").await;
    test.schedule("* * * * * *", tick {}).await.unwrap();
    test.advance(SECOND * 3).await;
    assert_eq!(diary.take(), ["02 12:00:01", "02 12:00:02", "02 12:00:03"]);
    test.suspend(HOUR).await;
    test.settle().await;
    // What is made up for is not asked here.
    diary.take();
    test.advance(SECOND * 10).await;
    let slots: Vec<_> = (4..14).map(|second| format!("02 13:00:{second:02}")).collect();
    assert_eq!(diary.take(), slots);
    assert!(test.health().is_ok(), "{}", test.health());
    end(test).await;
}

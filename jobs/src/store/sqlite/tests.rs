use std::time::Duration;

use super::*;
use crate::clock::Timestamp;
use crate::job::name::JobName;
use crate::job::options::Origin;
use crate::job::run::{Outcome, RunId};
use crate::job::slot::Slot;
use crate::store::journal::{Details, Pauses, Recorded, RunRecord};

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("jobs-sqlite-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn database(&self) -> PathBuf {
        self.0.join("jobs.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn time(seconds: i64) -> Timestamp {
    Timestamp::from_nanos(1_772_000_000_000_000_000 + seconds * 1_000_000_007)
}

fn run(number: u64, state: Recorded) -> RunRecord {
    RunRecord {
        id: RunId::from_parts((1_772_000_000_000 << 20) + number, 0xabcd_ef01_2345),
        job: JobName::Static("send"),
        state,
        origin: Origin::Submission,
        attempt: 1,
        retries: 20,
        queue: JobName::Static("mail"),
        priority: -7,
        slot: None,
        schedule: None,
        is_awaited: false,
        arguments: Some(r#"{"text":"NUL \u0000 and 🚀"}"#.into()),
        details: None,
    }
}

fn batch(runs: Vec<RunRecord>) -> Batch {
    Batch { runs: runs.into_iter().map(|run| (run, None)).collect(), ..Batch::default() }
}

async fn open(folder: &Folder) -> Database {
    Database::open(&folder.database(), Synchronous::Full).await.unwrap()
}

#[tokio::test]
async fn what_is_written_comes_back_as_it_was() {
    let folder = Folder::new("round-trip");
    let mut database = open(&folder).await;
    let states = [
        Recorded::Scheduled { due: time(1) },
        Recorded::Waiting,
        Recorded::Available { since: time(2) },
        Recorded::Running { started: time(3) },
        Recorded::Ended { started: time(4), finished: time(5) },
    ];
    let mut runs: Vec<_> = (1..).zip(states).map(|(number, state)| run(number, state)).collect();
    runs[1].slot = Some(Slot { at: time(9), jitter_millis: 77, caught_up: true });
    runs[1].origin = Origin::Slot;
    runs[1].is_awaited = true;
    let outcome = Outcome::TimedOut(Duration::from_millis(1_500));
    runs[4].details = Some(Details { outcome: Some(outcome.clone()), rescued: 2, ..Details::default() });
    let mut first = batch(runs.clone());
    first.runs[1].1 = Some("cron.x".to_owned());
    first.schedules =
        vec![ScheduleRow { job: "send".to_owned(), key: "cron.x".to_owned(), saved: "{}".to_owned() }];
    let pauses = Pauses { jobs: vec![("send".to_owned(), time(6))], queues: vec!["mail".to_owned()] };
    first.pauses = Some(pauses.clone());
    database.write(&first, &[]).await.unwrap();
    // What comes later has no arguments, and does not take those away.
    let later = RunRecord { arguments: None, attempt: 2, state: Recorded::Waiting, ..runs[0].clone() };
    database.write(&batch(vec![later]), &[]).await.unwrap();

    let loaded = database.load().await.unwrap();
    assert!(loaded.clean && loaded.pauses == pauses);
    let live: Vec<_> = loaded.live.iter().map(|run| (run.record.state, run.record.attempt)).collect();
    assert_eq!(live, [(Recorded::Waiting, 2), (states[1], 1), (states[2], 1), (states[3], 1)]);
    let record = &loaded.live[0].record;
    assert_eq!((record.id, record.arguments.clone()), (runs[0].id, runs[0].arguments.clone()));
    assert_eq!((&*record.job, &*record.queue, record.priority, record.retries), ("send", "mail", -7, 20));
    let slot = &loaded.live[1];
    assert_eq!((slot.schedule.as_deref(), slot.record.slot), (Some("cron.x"), runs[1].slot));
    assert!(slot.record.origin == Origin::Slot && slot.record.is_awaited);
    let ended = &loaded.ended[0].record;
    let details = ended.details.as_ref().unwrap();
    assert_eq!((ended.state, details.outcome.as_ref(), details.rescued), (states[4], Some(&outcome), 2));
    assert_eq!(loaded.schedules.len(), 1);

    let gone = Batch { gone: runs.iter().map(|run| run.id).collect(), ..Batch::default() };
    let gone = Batch { removed: vec![("send".to_owned(), "cron.x".to_owned())], ..gone };
    database.write(&gone, &[]).await.unwrap();
    let loaded = database.load().await.unwrap();
    assert!(!loaded.clean, "a process has it");
    assert!(loaded.live.is_empty() && loaded.ended.is_empty() && loaded.schedules.is_empty());
}

#[tokio::test]
async fn a_disk_that_was_full_is_written_when_it_is_not() {
    let folder = Folder::new("full");
    let mut database = open(&folder).await;
    sqlx::raw_sql("PRAGMA max_page_count = 12").execute(&mut database.connection).await.unwrap();
    let runs: Vec<_> = (1..=2_000).map(|number| run(number, Recorded::Waiting)).collect();
    let error = database.write(&batch(runs.clone()), &[]).await.unwrap_err();
    assert!(shown(&error).contains("full"), "{error}");
    database.write(&batch(runs), &[]).await.unwrap();
    assert_eq!(database.load().await.unwrap().live.len(), 2_000, "all of it, and not twice");
}

#[tokio::test]
async fn what_a_later_version_has_written_is_refused() {
    let folder = Folder::new("version");
    let mut database = open(&folder).await;
    sqlx::raw_sql("UPDATE jobs_meta SET version = 99").execute(&mut database.connection).await.unwrap();
    database.close().await;
    let error = Database::open(&folder.database(), Synchronous::Full).await.unwrap_err().to_string();
    assert!(error.ends_with("its schema is 99, and this version knows 1"), "{error}");
}

#[tokio::test]
async fn one_row_that_cannot_be_read_does_not_stop_the_start() {
    let folder = Folder::new("unreadable");
    let mut database = open(&folder).await;
    let ended = Recorded::Ended { started: time(1), finished: time(2) };
    let runs = vec![run(1, Recorded::Waiting), run(2, ended), run(3, ended)];
    database.write(&batch(runs), &[]).await.unwrap();
    let later = "UPDATE jobs_run SET details = '{\"outcome\":{\"Evaporated\":7}}' WHERE (seq & 1023) < 3";
    assert_eq!(sqlx::raw_sql(later).execute(&mut database.connection).await.unwrap().rows_affected(), 2);
    let loaded = database.load().await.unwrap();
    assert_eq!((loaded.live.len(), loaded.ended.len()), (1, 2));
    assert!(loaded.live[0].record.details.is_none());
    let outcomes: Vec<_> = loaded
        .ended
        .iter()
        .map(|run| run.record.details.clone().and_then(|details| details.outcome))
        .collect();
    assert!(matches!(&outcomes[0], Some(Outcome::Failed(why)) if why.contains("Evaporated")), "{outcomes:?}");
    assert_eq!(outcomes[1], None, "it has nothing to tell, and succeeded");
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_has_one_owner_by_whatever_path() {
    let folder = Folder::new("links");
    let link = folder.0.join("link.db");
    // Before there is a file that it leads to.
    std::os::unix::fs::symlink("jobs.db", &link).unwrap();
    let by_link = Database::open(&link, Synchronous::Full).await.unwrap();
    let refused = Database::open(&folder.database(), Synchronous::Full).await.unwrap_err();
    assert!(matches!(refused, OpenError::Owned { .. }), "{refused}");
    by_link.close().await;
    let _by_name = open(&folder).await;
    let refused = Database::open(&link, Synchronous::Full).await.unwrap_err();
    assert!(matches!(refused, OpenError::Owned { .. }), "{refused}");
}

#[tokio::test]
async fn commits_outlive_a_power_cut_and_the_log_of_writes_shrinks() {
    let folder = Folder::new("pragmas");
    let mut database = open(&folder).await;
    for (pragma, wanted) in [("fullfsync", 1_i64), ("journal_size_limit", 16 << 20), ("synchronous", 2)] {
        let sql = sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"));
        let found: i64 = sqlx::query_scalar(sql).fetch_one(&mut database.connection).await.unwrap();
        assert_eq!(found, wanted, "{pragma}");
    }
}

#[test]
fn of_a_run_that_waits_to_be_written_the_last_counts() {
    let mut waiting = batch(vec![run(1, Recorded::Waiting), run(2, Recorded::Waiting)]);
    let ended = Recorded::Ended { started: time(1), finished: time(2) };
    let later = RunRecord { arguments: None, ..run(1, ended) };
    waiting.add(batch(vec![later, run(3, Recorded::Waiting)]));
    let states: Vec<_> = waiting.runs.iter().map(|(run, _)| run.state).collect();
    assert_eq!(states, [ended, Recorded::Waiting, Recorded::Waiting]);
    assert!(waiting.runs[0].0.arguments.is_some(), "its arguments are those of the first");
}

//! Another config for an instance that runs.

mod support;

use jobs::testing::TestClock;
use jobs::{BoxError, Config, JobContext, Jobs, Outcome, job};
use support::{HOUR, Log, MINUTE, SECOND, clock, note};

#[job(schedule = "cron.nightly")]
async fn backup(#[state] log: &Log, cx: &JobContext) {
    log.add("backup", cx);
}

#[job(schedule = ["0 0 12 * * *", "cron.often"])]
#[job(every = "90m")]
#[job(schedule = "cron.often", key = "second")]
async fn report(#[state] log: &Log, cx: &JobContext) {
    log.add("report", cx);
}

#[job(retries = 1, backoff = "1s")]
async fn fails() -> Result<(), BoxError> {
    Err("no".into())
}

/// What a file would say.
fn config(nightly: &str, rest: &str) -> Config {
    let text = format!("[cron]\nnightly = \"{nightly}\"\noften = \"0 */10 * * * *\"\n{rest}");
    Config::from_toml(&text).unwrap().without_environment()
}

async fn started(log: &Log) -> (Jobs, TestClock) {
    let clock = clock("2026-03-02 00:30:00");
    let config = config("0 0 3 * * *", "").state(log.clone()).clock(&clock);
    (jobs::start(config).await.unwrap(), clock)
}

#[tokio::test(start_paused = true)]
async fn a_named_schedule_takes_its_new_meaning_at_once() {
    let log = Log::default();
    let (jobs, clock) = started(&log).await;
    let mut events = jobs.events();
    let changes = jobs.reload(config("0 0 2 * * *", "")).await.unwrap();
    let told = std::iter::from_fn(|| events.try_next()).map(|event| event.to_string()).collect::<Vec<_>>();
    assert_eq!(told, ["schedule `cron.nightly` of backup redefined"]);
    assert_eq!(
        changes.to_string(),
        "cron.nightly of backup: 0 0 3 * * * (next 2026-03-02 03:00:00 UTC) → \
         0 0 2 * * * (next 2026-03-02 02:00:00 UTC)"
    );
    assert!(changes.settings.is_empty() && changes.needs_restart.is_empty());
    jobs.pause("report").await.unwrap();
    clock.advance(HOUR * 24).await;
    assert_eq!(log.slots(), ["02:00:00"]);
    // Off, and on again: under the same key, with the ledger of before.
    let off = jobs.reload(config("off", "")).await.unwrap();
    assert!(off.to_string().ends_with("→ off"), "{off}");
    assert_eq!(off.schedules[0].after.as_ref().unwrap().next, None);
    clock.advance(HOUR * 24).await;
    assert_eq!(log.len(), 0);
    jobs.reload(config("0 0 4 * * *", "")).await.unwrap();
    clock.advance(HOUR * 24).await;
    assert_eq!(log.slots(), ["04:00:00"]);
    let schedules = jobs.snapshot().job("backup").unwrap().schedules.clone();
    assert_eq!((schedules.len(), schedules[0].key.as_str(), schedules[0].ran), (1, "cron.nightly", 2));
}

#[tokio::test(start_paused = true)]
async fn what_has_not_changed_is_not_touched() {
    let log = Log::default();
    let (jobs, clock) = started(&log).await;
    clock.advance(MINUTE * 80).await;
    log.take();
    assert_eq!(jobs.snapshot().job("report").unwrap().schedules.len(), 4);
    let changes = jobs.reload(config("0 0 3 * * *", "")).await.unwrap();
    assert!(changes.is_empty());
    assert_eq!(changes.to_string(), "nothing changed");
    // The interval is not begun anew.
    clock.advance(MINUTE * 15).await;
    let slots = log.take();
    assert!(
        slots.iter().any(|entry| entry.slot.unwrap().format("%H:%M").to_string() == "02:00"),
        "{slots:?}"
    );
    assert!(jobs.health().is_ok());
}

#[tokio::test(start_paused = true)]
async fn overrides_come_and_go() {
    let log = Log::default();
    let (jobs, clock) = started(&log).await;
    let changes = jobs
        .reload(config(
            "0 0 3 * * *",
            "[job.report]\nschedule = \"0 0 * * * *\"\n[job.fails]\nretries = 3\ntimeout = \"1m\"",
        ))
        .await
        .unwrap();
    let lines = changes.to_string();
    assert!(
        lines.contains("TZ=UTC 0 0 * * * * of report: added, 0 0 * * * * (next 2026-03-02 01:00:00 UTC)"),
        "{lines}"
    );
    assert_eq!(lines.matches("taken out").count(), 4, "{lines}");
    assert!(lines.contains("job.fails.timeout: none → 1m\njob.fails.retries: 1 → 3"), "{lines}");
    clock.advance(HOUR).await;
    assert_eq!(log.slots(), ["01:00:00"]);
    let run = jobs.now(fails {}).await.unwrap();
    assert_eq!((run.wait().await, run.attempts().len()), (Outcome::Failed("no".into()), 4));
    // And back.
    let changes = jobs.reload(config("0 0 3 * * *", "")).await.unwrap();
    assert_eq!((changes.schedules.len(), changes.settings.len()), (5, 2), "{changes}");
    let mut keys: Vec<_> =
        jobs.snapshot().job("report").unwrap().schedules.iter().map(|one| one.key.clone()).collect();
    keys.sort();
    assert_eq!(keys, ["@every 1h30m", "TZ=UTC 0 0 12 * * *", "cron.often", "second"]);
    // Again the same: the places of keys are right.
    assert!(jobs.reload(config("0 0 3 * * *", "")).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_job_is_switched_off_and_on() {
    let log = Log::default();
    let (jobs, clock) = started(&log).await;
    let changes = jobs
        .reload(config("0 0 3 * * *", "[job]\nbackup.enabled = false\nreport.enabled = false"))
        .await
        .unwrap();
    assert!(changes.to_string().contains("job.backup.enabled: true → false"), "{changes}");
    clock.advance(HOUR * 24).await;
    assert_eq!(log.len(), 0);
    jobs.reload(config("0 0 3 * * *", "[job]\nreport.enabled = false")).await.unwrap();
    clock.advance(HOUR * 24).await;
    assert_eq!(log.slots(), ["03:00:00"]);
}

#[tokio::test(start_paused = true)]
async fn everything_or_nothing() {
    let log = Log::default();
    let (jobs, clock) = started(&log).await;
    let wrong = Config::from_toml("[cron]\nnightly = \"0 0 2 * * *\"\n[job.bakcup]\nretries = 3").unwrap();
    let error = jobs.reload(wrong.without_environment()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("jobs cannot take the config: "), "{text}");
    assert!(text.contains("no job is named `bakcup`") && text.contains("cron.often"), "{text}");
    assert!(error.problems().len() >= 2);
    jobs.pause("report").await.unwrap();
    clock.advance(HOUR * 3).await;
    assert_eq!(log.slots(), ["03:00:00"], "as before");
}

#[tokio::test(start_paused = true)]
async fn schedules_that_the_program_has_added_by_a_name_follow_it() {
    let log = Log::default();
    let (jobs, clock) = started(&log).await;
    jobs.pause("report").await.unwrap();
    jobs.pause("backup").await.unwrap();
    jobs.schedule("cron.nightly", note("oslo")).tz("Europe/Oslo").await.unwrap();
    let of_text = jobs.schedule("0 0 3 * * *", note("text")).await.unwrap();
    let changes = jobs.reload(config("0 0 5 * * *", "")).await.unwrap();
    let lines = changes.to_string();
    assert!(
        lines.contains(
            "of note: TZ=Europe/Oslo 0 0 3 * * * (next 2026-03-02 02:00:00 UTC) → TZ=Europe/Oslo 0 0 5 * * *"
        ),
        "{lines}"
    );
    assert_eq!(changes.schedules.len(), 2);
    clock.advance(HOUR * 24).await;
    assert_eq!(log.slots(), ["03:00:00", "04:00:00"]);
    assert!(of_text.remove().await);
    // A name that is gone while something follows it is a mistake.
    let gone =
        Config::from_toml("[cron]\noften = \"0 */10 * * * *\"\n[job]\nbackup.schedule = \"@daily\"").unwrap();
    let error = jobs.reload(gone.without_environment()).await.unwrap_err().to_string();
    assert!(error.contains("the program has scheduled a job by a name that was there"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_needs_a_restart_is_named_and_an_ended_instance_takes_nothing() {
    let log = Log::default();
    let (jobs, clock) = started(&log).await;
    let changes = jobs
        .reload(config(
            "0 0 3 * * *",
            "[jobs]\npool = 3\nshutdown_timeout = \"5s\"\nacceptproxyaddress = true",
        ))
        .await
        .unwrap();
    assert_eq!(
        changes.to_string(),
        "jobs.pool: 10 → 3\n\
         jobs.shutdown_timeout: 30s → 5s\n\
         jobs.acceptproxyaddress: takes effect at the next start"
    );
    let stuck = jobs.now(jobs::func("stuck", std::future::pending::<()>)).await.unwrap();
    clock.advance(SECOND).await;
    let before = clock.now();
    jobs.shutdown().await;
    assert_eq!(((clock.now() - before).num_seconds(), stuck.wait().await), (5, Outcome::Interrupted));
    let error = jobs.reload(config("0 0 3 * * *", "")).await.unwrap_err();
    assert_eq!(error.to_string(), "jobs cannot take the config: this instance of jobs has been shut down");
}

/// Takes longer than it is to the next slots.
#[job(schedule = "cron.often", overlap = "buffer_one")]
async fn long() {
    tokio::time::sleep(MINUTE * 35).await;
}

/// ```text
/// 00:40 ├───────── 35m ────────┤
/// 00:50     waits  ├───────── 35m ────────┤
///                  └─ 00:55 allow
/// ```
#[tokio::test(start_paused = true)]
async fn what_waits_for_others_starts_when_runs_may_overlap() {
    let log = Log::default();
    let (jobs, clock) = started(&log).await;
    clock.advance(MINUTE * 25).await;
    let counts = |jobs: &Jobs| {
        let snapshot = jobs.snapshot();
        let long = snapshot.job("long").unwrap();
        (long.running, long.waiting)
    };
    assert_eq!(counts(&jobs), (1, 1));
    jobs.reload(config("0 0 3 * * *", "[job.long]\noverlap = \"allow\"")).await.unwrap();
    clock.advance(SECOND).await;
    assert_eq!(counts(&jobs), (2, 0));
}

//! Schedules of `#[job]`, and what the config makes of them.

mod support;

use std::time::Duration;

use jobs::{Config, JobContext, Jobs, job};
use support::{DAY, HOUR, Log, MINUTE, clock, config};

#[job(schedule = "0 0 9 * * MON-FRI", tz = "Europe/Oslo")]
async fn workday(#[state] log: &Log, cx: &JobContext) {
    log.add("workday", cx);
}

#[job(schedule = "cron.nightly")]
async fn nightly(#[state] log: &Log, cx: &JobContext) {
    log.add("nightly", cx);
}

#[job(every = "6h")]
fn sweep(#[state] log: &Log, cx: &JobContext) {
    log.add("sweep", cx);
}

// Revel's manual has these two on one job.
#[job(schedule = ["0 0 0 * * ?", "@midnight"])]
async fn twice(#[state] log: &Log, cx: &JobContext) {
    log.add("twice", cx);
}

#[job(schedule = "0 0 6 * * *", args(to = "ops"))]
#[job(schedule = "0 0 18 * * *", args(to = "dev", times = 2))]
async fn report(#[state] log: &Log, cx: &JobContext, to: String, #[default = 1] times: u32) {
    log.add(format!("{to} {times}"), cx);
}

#[job(schedule = "0 0 12 * * *", enabled = false)]
async fn resting(#[state] log: &Log, cx: &JobContext) {
    log.add("resting", cx);
}

#[job]
async fn on_demand(#[state] log: &Log, cx: &JobContext, what: String) {
    log.add(what, cx);
}

#[job]
async fn defaulted(#[state] log: &Log, cx: &JobContext, #[default = "x"] what: String, #[default] n: u8) {
    log.add(format!("{what}{n}"), cx);
}

async fn start(say: impl FnOnce(Config) -> Config) -> (Jobs, Log, jobs::testing::TestClock) {
    let (clock, log) = (clock("2026-03-02 00:00:00.5"), Log::default()); // a Monday
    let config = config(&clock).state(log.clone()).self_concurrent(true);
    let config = say(config.named("cron.nightly", "0 30 2 * * *"));
    (jobs::start(config).await.unwrap(), log, clock)
}

fn only(log: &Log, tag: &str) -> Vec<String> {
    let entries = log.take().into_iter().filter(|entry| entry.tag == tag);
    entries.map(|entry| entry.slot.unwrap().format("%a %H:%M:%S").to_string()).collect()
}

#[tokio::test(start_paused = true)]
async fn everything_fires_as_the_source_says() {
    let (jobs, log, clock) = start(|config| config).await;
    clock.advance(DAY).await;
    let seen: Vec<_> =
        log.take().iter().map(|e| format!("{} {}", e.slot.unwrap().format("%H:%M:%S"), e.tag)).collect();
    assert_eq!(
        seen,
        [
            "02:30:00 nightly",
            "06:00:00 ops 1",
            "06:00:00 sweep",
            "08:00:00 workday",
            "12:00:00 sweep",
            "18:00:00 dev 2",
            "18:00:00 sweep",
            "00:00:00 twice",
            "00:00:00 twice",
            "00:00:00 sweep",
        ]
    );
    let snapshot = jobs.snapshot();
    let keys = |job: &str| -> Vec<_> {
        snapshot.job(job).unwrap().schedules.iter().map(|schedule| schedule.key.clone()).collect()
    };
    assert_eq!(keys("twice"), ["TZ=UTC 0 0 0 * * *", "TZ=UTC 0 0 0 * * *#2"]);
    assert_eq!(keys("nightly"), ["cron.nightly"]);
    assert_eq!(
        keys("report"),
        ["TZ=UTC 0 0 6 * * * (to = \"ops\")", "TZ=UTC 0 0 18 * * * (to = \"dev\", times = 2)"]
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_disabled_job_does_not_fire_and_can_be_submitted() {
    let (jobs, log, clock) = start(|config| config.job("sweep", |job| job.enabled(false))).await;
    clock.advance(DAY).await;
    assert!(log.take().iter().all(|entry| entry.tag != "resting" && entry.tag != "sweep"));
    for name in ["resting", "sweep"] {
        let job = jobs.snapshot().job(name).cloned().unwrap();
        assert!(!job.enabled && job.schedules.is_empty() && job.next.is_none());
        assert!(jobs.run_now(name).await.unwrap().wait().await.is_success());
    }
    jobs.now(resting {}).await.unwrap().wait().await;
    assert_eq!(log.tags(), ["resting", "sweep", "resting"]);
    // A schedule that is added is shown and does not fire either, and none of its slots counts as paused.
    for text in ["0 0 * * * *", "@every 1h"] {
        jobs.schedule(text, resting {}).await.unwrap();
    }
    clock.advance(DAY).await;
    let job = jobs.snapshot().job("resting").cloned().unwrap();
    assert_eq!(job.schedules.len(), 2);
    for shown in job.schedules {
        let counts = (shown.ran, shown.skipped, shown.missed, shown.paused);
        assert_eq!((counts, shown.next, shown.previous), ((0, 0, 0, 0), None, None), "{}", shown.text);
    }
    assert_eq!(only(&log, "resting"), [""; 0]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn run_now_takes_the_arguments_of_the_first_schedule_or_the_defaults() {
    let (jobs, log, _clock) = start(|config| config).await;
    for name in ["report", "defaulted", "workday"] {
        assert!(jobs.run_now(name).await.unwrap().wait().await.is_success());
    }
    assert_eq!(log.tags(), ["ops 1", "x0", "workday"]);
    let error = jobs.run_now("on_demand").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the job `on_demand` has arguments without a value; submit it with `jobs.now(on_demand { … })`, \
         or give its parameters `#[default = …]`"
    );
    // With its schedules gone, the arguments of the source's first are still there.
    jobs.remove("report").await.unwrap();
    assert!(jobs.run_now("report").await.unwrap().wait().await.is_success());
    assert_eq!(log.tags(), ["ops 1"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn code_overrides_schedule_interval_zone_and_enabled() {
    let (jobs, log, clock) = start(|config| {
        config
            .job("workday", |job| job.tz("America/New_York"))
            .job("sweep", |job| job.schedule("0 15 * * * *").schedule("cron.nightly"))
            .job("report", |job| job.every(Duration::from_secs(4 * 3600)))
            .job("resting", |job| job.enabled(true))
    })
    .await;
    clock.advance(HOUR * 15).await;
    let entries = log.take();
    let of = |tag: &str| -> Vec<_> {
        entries.iter().filter(|e| e.tag == tag).map(|e| e.slot.unwrap().format("%H:%M").to_string()).collect()
    };
    assert_eq!(of("workday"), ["14:00"]);
    let hours = (0..15).map(|hour| format!("{hour:02}:15"));
    let mut sweeps: Vec<_> = hours.chain(["02:30".to_owned()]).collect();
    sweeps.sort();
    assert_eq!(of("sweep"), sweeps);
    assert_eq!(of("ops 1"), ["04:00", "08:00", "12:00"]);
    assert_eq!(of("dev 2"), [""; 0]);
    assert_eq!(of("resting"), ["12:00"]);
    jobs.shutdown().await;
}

/// Code goes over the environment, that over the file, and all of them over the attribute.
#[tokio::test(start_paused = true)]
async fn the_environment_and_a_file_override_in_their_order() {
    let (clock, log) = (clock("2026-03-02 00:00:00.5"), Log::default());
    let text = "
        [cron]
        nightly = '0 45 1 * * *'
        [job.sweep]
        every = '2h'
        [job.workday]
        schedule = '0 10 * * * *'
        tz = 'UTC'
        [job.twice]
        enabled = false
        [job.report]
        schedule = ['0 20 5 * * *', 'cron.nightly']
    ";
    let config = Config::from_toml(text)
        .unwrap()
        .clock(&clock)
        .environment([("JOBS__JOB__SWEEP__EVERY", "5h"), ("JOBS__JOB__WORKDAY__SCHEDULE", "0 40 3 * * *")])
        .job("workday", |job| job.schedule("0 50 4 * * *"))
        .state(log.clone())
        .self_concurrent(true);
    let jobs = jobs::start(config).await.unwrap();
    clock.advance(HOUR * 10 + MINUTE).await;
    let entries = log.take();
    let of = |tag: &str| -> Vec<_> {
        entries.iter().filter(|e| e.tag == tag).map(|e| e.slot.unwrap().format("%H:%M").to_string()).collect()
    };
    assert_eq!(of("nightly"), ["01:45"]);
    assert_eq!(of("sweep"), ["05:00", "10:00"]);
    assert_eq!(of("workday"), ["04:50"]);
    assert_eq!(of("ops 1"), ["01:45", "05:20"]);
    clock.advance(DAY).await;
    assert_eq!(only(&log, "twice"), [""; 0]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_named_schedule_that_is_off_is_shown_and_does_not_fire() {
    let (jobs, log, clock) = start(|config| config.named("cron.nightly", "off")).await;
    let snapshot = jobs.snapshot();
    let [schedule] = snapshot.job("nightly").unwrap().schedules.as_slice() else { panic!("{snapshot}") };
    assert!(schedule.words.starts_with("off (switched off at ") && schedule.next.is_none(), "{schedule:?}");
    assert_eq!(snapshot.job("nightly").unwrap().next, None);
    clock.advance(DAY).await;
    assert_eq!(only(&log, "nightly"), [""; 0]);
    assert!(jobs.run_now("nightly").await.unwrap().wait().await.is_success());
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_zone_of_the_config_is_for_schedules_that_name_none() {
    let (jobs, log, clock) = start(|config| config.timezone("Asia/Tokyo")).await;
    clock.advance(DAY).await;
    let entries = log.take();
    let of = |tag: &str| -> Vec<_> {
        entries.iter().filter(|e| e.tag == tag).map(|e| e.slot.unwrap().format("%H:%M").to_string()).collect()
    };
    assert_eq!((of("nightly"), of("workday")), (vec!["17:30".to_owned()], vec!["08:00".to_owned()]));
    jobs.shutdown().await;
}

#[test]
fn the_jobs_of_the_program_are_linked() {
    let names = ["defaulted", "nightly", "on_demand", "report", "resting", "sweep", "twice", "workday"];
    jobs::testing::assert_linked(names);
    assert_eq!(jobs::testing::linked_jobs(), names);
    let missing = std::panic::catch_unwind(|| jobs::testing::assert_linked(["sweep", "swoop"])).unwrap_err();
    assert!(missing.downcast_ref::<String>().unwrap().contains("not linked: [\"swoop\"]"));
}

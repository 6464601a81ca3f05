//! Schedules that are added while the program runs: when they fire, and how they are steered.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jobs::testing::TestClock;
use jobs::{Jobs, func};
use support::{DAY, HOUR, Log, MINUTE, SECOND, clock, config, note};

async fn started(clock: &TestClock) -> (Jobs, Log) {
    let log = Log::default();
    let config = config(clock).state(log.clone()).self_concurrent(true).named("cron.tea", "0 0 16 * * *");
    (jobs::start(config).await.unwrap(), log)
}

#[tokio::test(start_paused = true)]
async fn a_cron_schedule_fires_at_its_times_and_at_no_other() {
    let clock = clock("2026-03-02 11:59:30.250");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("0 */20 12-13 * * *", note("a")).await.unwrap();
    clock.advance(DAY).await;
    assert_eq!(log.slots(), ["12:00:00", "12:20:00", "12:40:00", "13:00:00", "13:20:00", "13:40:00"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_slot_at_the_moment_of_scheduling_is_past() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("@hourly", note("a")).await.unwrap();
    clock.advance(HOUR).await;
    assert_eq!(log.slots(), ["13:00:00"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_named_schedule_is_the_one_of_the_config() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    let handle = jobs.schedule("cron.tea", note("a")).tz("Asia/Tokyo").await.unwrap();
    assert_eq!(handle.key().as_deref(), Some("cron.tea"));
    clock.advance(DAY).await;
    assert_eq!(log.slots(), ["07:00:00"]);
    jobs.shutdown().await;
}

/// ```text
/// start        1.5      3.0      4.5
///   |-----------|--------|--------|
///   no run      run      run      run, whatever the one before takes
/// ```
#[tokio::test(start_paused = true)]
async fn an_interval_is_start_to_start_and_keeps_its_fraction() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.every(Duration::from_micros(1_500_250), note("a")).await.unwrap();
    clock.advance(Duration::from_millis(1_499)).await;
    assert_eq!(log.len(), 0);
    clock.advance(SECOND * 5).await;
    assert_eq!(log.slots_as("%S%.6f"), ["01.500250", "03.000500", "04.500750", "06.001000"],);
    // A thousand times: no drift.
    clock.advance(Duration::from_micros(1_500_250) * 1000).await;
    assert_eq!(log.slots_as("%H:%M:%S%.6f").last().unwrap(), "12:25:06.251000");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_longer_does_not_move_the_interval() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    let begun = Arc::new(std::sync::Mutex::new(Vec::new()));
    let (seen, now) = (Arc::clone(&begun), clock.clone());
    let slow = func("slow", move || {
        seen.lock().unwrap().push(now.now().format("%S").to_string());
        tokio::time::sleep(SECOND * 7)
    });
    jobs.every(SECOND * 5, slow).await.unwrap();
    clock.advance(SECOND * 21).await;
    assert_eq!(*begun.lock().unwrap(), ["05", "10", "15", "20"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_with_many_schedules_fires_for_each_and_numbers_equal_keys() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    let first = jobs.schedule("0 30 * * * *", note("half")).await.unwrap();
    let second = jobs.schedule("0 30 * * * *", note("half again")).await.unwrap();
    let third = jobs.schedule("@every 40m", note("forty")).await.unwrap();
    let keyed = jobs.schedule("@hourly", note("hour")).key("full").await.unwrap();
    let keys = [&first, &second, &third, &keyed].map(|handle| handle.key().unwrap());
    assert_eq!(keys, ["TZ=UTC 0 30 * * * *", "TZ=UTC 0 30 * * * *#2", "@every 40m", "full"]);
    clock.advance(HOUR).await;
    assert_eq!(log.tags(), ["half", "half again", "forty", "hour"]);

    // What is taken out frees its number, if it is the highest.
    assert!(second.remove().await);
    assert!(!second.remove().await);
    assert_eq!(second.key(), None);
    let again = jobs.schedule("0 30 * * * *", note("third")).await.unwrap();
    assert_eq!(again.key().unwrap(), "TZ=UTC 0 30 * * * *#2");
    clock.advance(HOUR / 2).await;
    assert_eq!(log.tags(), ["forty", "half", "third"]);

    assert_eq!(jobs.remove("note").await.unwrap(), 4);
    assert_eq!(jobs.remove("note").await.unwrap(), 0);
    assert_eq!(first.key(), None);
    clock.advance(DAY).await;
    assert_eq!(log.len(), 0);
    assert!(jobs.snapshot().job("note").unwrap().schedules.is_empty());
    jobs.shutdown().await;
}

/// New York, 8 March 2026: 02:00 to 03:00 does not exist. 1 November 2026: 01:00 to 02:00 comes twice.
#[tokio::test(start_paused = true)]
async fn clock_changes_neither_lose_nor_double_a_fixed_time() {
    let clock = clock("2026-03-08 04:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("0 30 2 * * *", note("gap")).tz("America/New_York").await.unwrap();
    jobs.schedule("TZ=America/New_York 0 30 1 * * *", note("fold")).await.unwrap();
    clock.advance(DAY).await;
    assert_eq!(log.slots(), ["06:30:00", "07:00:00"]);
    jobs.shutdown().await;

    let clock = support::clock("2026-11-01 04:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("0 30 1 * * *", note("fixed")).tz("America/New_York").await.unwrap();
    clock.advance(DAY).await;
    assert_eq!(log.slots(), ["05:30:00"]);
    // A wildcard fires in both of the hours.
    jobs.schedule("0 30 * * * *", note("wild")).tz("America/New_York").await.unwrap();
    clock.advance(HOUR).await;
    assert_eq!(log.slots(), ["04:30:00"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_job_passes_its_slots_and_can_be_run() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    jobs.schedule("0 * * * * *", note("slot")).await.unwrap();
    jobs.pause("note").await.unwrap();
    jobs.pause("note").await.unwrap();
    assert!(jobs.snapshot().job("note").unwrap().next.is_none());
    clock.advance(MINUTE * 5).await;
    assert_eq!(log.len(), 0);
    assert!(jobs.run_now("note").await.unwrap().wait().await.is_success());
    assert!(jobs.now(note("by hand")).await.unwrap().wait().await.is_success());
    assert_eq!(log.tags(), ["slot", "by hand"]);
    jobs.resume("note").await.unwrap();
    clock.advance(MINUTE * 2).await;
    assert_eq!(log.slots(), ["12:06:00", "12:07:00"]);
    let snapshot = jobs.snapshot();
    let schedule = &snapshot.job("note").unwrap().schedules[0];
    assert_eq!((schedule.ran, schedule.paused, schedule.skipped, schedule.missed), (2, 5, 0, 0));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_no_job_has_is_told_with_the_nearest() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    jobs.schedule("@daily", note("a")).await.unwrap();
    for error in [
        jobs.run_now("nite").await.unwrap_err(),
        jobs.pause("nite").await.unwrap_err(),
        jobs.resume("nite").await.unwrap_err(),
        jobs.remove("nite").await.unwrap_err(),
    ] {
        assert!(error.is_unknown_job());
        assert_eq!(error.to_string(), "no job is named `nite`; did you mean `note`?");
    }
    let all = "there are `new_name`, `note`, `old_name`, `older_name`";
    let error = jobs.run_now("reticulate").await.unwrap_err();
    assert_eq!(error.to_string(), format!("no job is named `reticulate`; {all}"));
    let error = jobs.pause("").await.unwrap_err();
    assert_eq!(error.to_string(), format!("the name of the job is empty; {all}"));
    let error = jobs.pause("old_nam").await.unwrap_err();
    assert_eq!(error.to_string(), "no job is named `old_nam`; did you mean `old_name`?");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn mistakes_are_told_and_schedule_nothing() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    let told = |error: jobs::SubmitError| {
        assert!(error.is_schedule() || error.is_bad_name(), "{error:?}");
        error.to_string()
    };
    let error = told(jobs.schedule("0 25 * * *", note("a")).await.unwrap_err());
    assert!(error.contains("hour `25` is outside 0-23") && error.contains("^^"), "{error}");
    let error = told(jobs.schedule("cron.te", note("a")).await.unwrap_err());
    assert!(error.contains("no schedule is named `cron.te`"), "{error}");
    assert!(error.contains("did you mean `cron.tea` (tests/tests/schedules.rs:"), "{error}");
    let error = told(jobs.schedule("@daily", note("a")).tz("Europe/Olso").await.unwrap_err());
    assert!(error.contains("Europe/Olso") && error.contains("Europe/Oslo"), "{error}");
    let error = told(jobs.every(Duration::from_millis(9), note("a")).await.unwrap_err());
    assert!(error.contains("10ms"), "{error}");
    let error = told(jobs.schedule("@daily", note("a")).key("no\nkey").await.unwrap_err());
    assert!(!error.is_empty());
    let error = told(jobs.schedule("@daily", func("No Name", || async {})).await.unwrap_err());
    assert!(error.contains("No Name"), "{error}");
    assert!(jobs.snapshot().jobs.iter().all(|job| job.schedules.is_empty()));
    jobs.shutdown().await;
}

/// A deployment that switches a name off must not break the program that schedules by it.
#[tokio::test(start_paused = true)]
async fn a_schedule_switched_off_in_the_config_is_accepted_and_does_not_fire() {
    let clock = clock("2026-03-02 12:00:00");
    let config = config(&clock).named("cron.tea", "off");
    let jobs = jobs::start(config).await.unwrap();
    let tea = || jobs.schedule("cron.tea", func("tea", || async {}));
    let (first, second) = (tea().await.unwrap(), tea().tz("Europe/Oslo").await.unwrap());
    assert_eq!((first.key().unwrap(), second.key().unwrap()), ("cron.tea".into(), "cron.tea#2".into()));
    assert!(tea().tz("Europe/Olso").await.unwrap_err().is_schedule());
    clock.advance(DAY).await;
    let snapshot = jobs.snapshot();
    let job = snapshot.job("tea").unwrap();
    assert_eq!((job.schedules.len(), job.next, job.previous.is_none()), (2, None, true));
    let shown = &job.schedules[0];
    assert_eq!((shown.text.as_str(), shown.name.as_deref()), ("cron.tea", Some("cron.tea")));
    assert!(shown.words.starts_with(&format!("off (switched off at {}:", file!())), "{}", shown.words);
    assert_eq!((&shown.zone, shown.next, shown.previous), (&None, None, None));
    assert_eq!((shown.ran, shown.skipped, shown.missed, shown.paused), (0, 0, 0, 0));
    assert!(second.remove().await && !second.remove().await);
    assert_eq!(jobs.remove("tea").await.unwrap(), 1);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_thousand_schedules_fire_each_at_its_second() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    for i in 0..1000_u32 {
        let spec = format!("{} {} 13 * * *", i % 60, i / 60);
        jobs.schedule(&spec, note(i.to_string())).await.unwrap();
    }
    clock.advance(HOUR * 2).await;
    let slots: Vec<_> = log.slots();
    let wanted: Vec<_> = (0..1000_u32).map(|i| format!("13:{:02}:{:02}", i / 60, i % 60)).collect();
    assert_eq!(slots, wanted);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn nothing_happens_until_it_is_awaited() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, log) = started(&clock).await;
    drop(jobs.schedule("* * * * * *", note("a")));
    drop(jobs.now(note("b")));
    clock.advance(MINUTE).await;
    assert_eq!(log.len(), 0);
    // From code that is not async.
    jobs.schedule("* * * * * *", note("a")).blocking().unwrap();
    jobs.now(note("b")).submit().unwrap();
    clock.advance(SECOND).await;
    assert_eq!(log.tags(), ["b", "a"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_closure_is_called_once_for_each_run() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let job = func("count", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async { Ok::<_, String>(1) }
    });
    jobs.every(MINUTE, job.clone()).await.unwrap();
    jobs.after(SECOND * 90, job).await.unwrap();
    clock.advance(MINUTE * 3).await;
    assert_eq!(calls.load(Ordering::SeqCst), 4);
    assert!(jobs.run_now("count").await.unwrap().wait().await.is_success());
    assert_eq!(calls.load(Ordering::SeqCst), 5);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_zone_must_exist_even_where_nobody_asks_for_it() {
    let clock = clock("2026-03-02 12:00:00");
    let (jobs, _) = started(&clock).await;
    for text in ["@every 1h", "TZ=UTC @daily", "@daily"] {
        let error = jobs.schedule(text, note("a")).tz("Europe/Olso").await.unwrap_err();
        assert!(error.is_schedule() && error.to_string().contains("Europe/Oslo"), "{error}");
    }
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_has_no_effect_is_refused() {
    let clock = clock("2026-03-02 12:00:00");
    let config = config(&clock).named("cron.own", "TZ=UTC @daily").named("cron.often", "@every 1h");
    let jobs = jobs::start(config.state(Log::default())).await.unwrap();
    let told = |error: jobs::SubmitError| {
        assert!(error.is_schedule(), "{error}");
        error.to_string().lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = told(jobs.every(HOUR, note("a")).tz("Europe/Oslo").await.unwrap_err());
    assert_eq!(
        lines[0],
        "the zone `Europe/Oslo` has no effect: `@every 1h` is an interval, which counts elapsed time alone"
    );
    assert!(lines[1].starts_with(&format!("  --> {}:", file!())), "{lines:?}");
    let lines = told(jobs.schedule("@every 1h", note("a")).tz("Europe/Oslo").await.unwrap_err());
    assert_eq!(lines[2], "  help: leave it out, or write a cron expression");
    let lines = told(jobs.schedule("TZ=UTC @daily", note("a")).tz("Europe/Oslo").await.unwrap_err());
    assert_eq!(lines[0], "the zone `Europe/Oslo` has no effect: `TZ=UTC 0 0 0 * * *` names its zone itself");
    assert_eq!(lines[2], "  help: leave it out, or take `TZ=UTC` out of the text");
    // What a name stands for is the deployment's to say.
    for name in ["cron.own", "cron.often"] {
        jobs.schedule(name, note("a")).tz("Europe/Oslo").await.unwrap();
    }
    let snapshot = jobs.snapshot();
    let zones: Vec<_> = snapshot.job("note").unwrap().schedules.iter().map(|s| s.zone.as_deref()).collect();
    assert_eq!(zones, [None, Some("UTC")]);
    jobs.shutdown().await;
}

mod renamed {
    #[jobs::job(aliases = ["old_name", "older_name"])]
    pub(super) async fn new_name() {}
}

#[tokio::test(start_paused = true)]
async fn a_job_is_steered_by_its_aliases_too() {
    let clock = clock("2026-03-02 12:00:00");
    let config = config(&clock).state(Log::default()).expect_jobs(["old_name"]);
    let jobs = jobs::start(config.job("older_name", |job| job.every(HOUR))).await.unwrap();
    let paused = || jobs.snapshot().job("new_name").unwrap().paused;
    assert_eq!(jobs.snapshot().job("new_name").unwrap().schedules[0].text, "@every 1h");
    assert_eq!(jobs.snapshot().job("older_name").unwrap().name, "new_name");
    assert!(jobs.snapshot().job("old_nam").is_none());
    assert!(jobs.run_now("old_name").await.unwrap().wait().await.is_success());
    jobs.pause("older_name").await.unwrap();
    assert!(paused());
    jobs.resume("old_name").await.unwrap();
    assert!(!paused());
    assert_eq!(jobs.remove("old_name").await.unwrap(), 1);
    assert!(jobs.run_now("old_nam").await.unwrap_err().is_unknown_job());
    jobs.shutdown().await;
}

/// The wall clock goes along with tokio's paused time, so that the first test that somebody writes does what it says.
#[tokio::test(start_paused = true)]
async fn without_a_clock_of_the_test_schedules_follow_the_paused_time() {
    let log = Log::default();
    let config = jobs::Config::default().without_environment().state(log.clone());
    let jobs = jobs::start(config).await.unwrap();
    jobs.schedule("0 * * * * *", note("a")).await.unwrap();
    tokio::time::sleep(HOUR).await;
    assert_eq!(log.slots().len(), 60);
    jobs.shutdown().await;
}

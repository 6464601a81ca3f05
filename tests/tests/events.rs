//! What happens is told, in its order, to whoever listens.

mod support;

use std::future::pending;
use std::time::Duration;

use jobs::{BoxError, Event, Events, JobContext, Outcome, func, job};
use support::{HOUR, Log, MINUTE, SECOND, clock, config, note};

/// What has been told, as lines without the identities of runs.
fn told(events: &mut Events) -> Vec<String> {
    std::iter::from_fn(|| events.try_next()).map(|event| line(&event)).collect()
}

fn line(event: &Event) -> String {
    let text = event.to_string();
    match event.run() {
        Some(run) => text.replace(&format!("{run} "), ""),
        None => text,
    }
}

#[tokio::test(start_paused = true)]
async fn jobs_and_schedules() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).state(Log::default())).await.unwrap();
    let mut events = jobs.events();
    let daily = jobs.schedule("@daily", note("a")).await.unwrap();
    jobs.every(MINUTE * 90, func("other", || async {})).key("often").await.unwrap();
    jobs.pause("note").await.unwrap();
    jobs.pause("note").await.unwrap();
    jobs.resume("note").await.unwrap();
    jobs.resume("note").await.unwrap();
    assert!(daily.remove().await);
    assert!(!daily.remove().await);
    assert_eq!(jobs.remove("other").await.unwrap(), 1);
    assert_eq!(
        told(&mut events),
        [
            "schedule `TZ=UTC 0 0 0 * * *` of note added",
            "schedule `often` of other added",
            "note paused",
            "note resumed",
            "schedule `TZ=UTC 0 0 0 * * *` of note removed",
            "schedule `often` of other removed",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn the_clock() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).state(Log::default())).await.unwrap();
    clock.advance(SECOND).await;
    let mut events = jobs.events();
    clock.step(chrono::TimeDelta::minutes(-90)).await;
    clock.step(chrono::TimeDelta::milliseconds(900)).await;
    clock.suspend(MINUTE * 60).await;
    assert_eq!(told(&mut events), ["clock set by -1h30m", "clock moved by a suspension of 1h"]);
}

#[tokio::test(start_paused = true)]
async fn the_end() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).state(Log::default())).await.unwrap();
    let mut events = jobs.events();
    let mut waits = jobs.events();
    let listener = async {
        let mut count = 0;
        while waits.next().await.is_some() {
            count += 1;
        }
        count
    };
    clock.advance(SECOND).await;
    let (count, _) = tokio::join!(listener, jobs.shutdown());
    assert_eq!(count, 2);
    assert_eq!(told(&mut events), ["shutdown begun", "shutdown ended"]);
    assert_eq!((events.next().await, jobs.events().next().await), (None, None));
}

#[job(retries = 3, backoff = "1s")]
async fn third_time_lucky(cx: &JobContext) -> Result<(), BoxError> {
    tokio::time::sleep(SECOND).await;
    match cx.attempt() {
        1 => Err("not yet".into()),
        2 => panic!("oh"),
        _ => Ok(()),
    }
}

#[job(retries = 3)]
async fn gives_up(cx: &JobContext) -> Result<(), BoxError> {
    Err(cx.discard("no such address").into())
}

#[job(retries = 0, timeout = "5s")]
async fn slow() {
    pending().await
}

/// Those of runs, without the instants.
fn of_runs(events: &mut Events) -> Vec<String> {
    let mut lines = told(events);
    for line in &mut lines {
        if let Some(at) = line.find("; tried again at ") {
            line.truncate(at + "; tried again".len());
        }
    }
    lines
}

#[tokio::test(start_paused = true)]
async fn the_life_of_a_run() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).state(Log::default())).await.unwrap();
    let mut events = jobs.events();
    jobs.now(third_time_lucky {}).await.unwrap().wait().await;
    assert_eq!(
        of_runs(&mut events),
        [
            "run of third_time_lucky: submitted",
            "run of third_time_lucky: attempt 1 of 4 started",
            "run of third_time_lucky: attempt 1 failed: not yet; tried again",
            "run of third_time_lucky: attempt 2 of 4 started",
            "run of third_time_lucky: attempt 2 panicked: oh; tried again",
            "run of third_time_lucky: attempt 3 of 4 started",
            "run of third_time_lucky: succeeded in 1s",
        ]
    );
    jobs.now(gives_up {}).await.unwrap().wait().await;
    assert_eq!(
        of_runs(&mut events)[2..],
        ["run of gives_up: attempt 1 failed: discarded: no such address; discarded: no such address"]
    );
    jobs.now(slow {}).await.unwrap().wait().await;
    assert_eq!(of_runs(&mut events)[2..], ["run of slow: attempt 1 timed out after 5s; not tried again"]);
}

#[tokio::test(start_paused = true)]
async fn runs_that_never_start_and_runs_that_are_stopped() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).pool(1).shutdown_timeout(SECOND)).await.unwrap();
    let mut events = jobs.events();
    let later = jobs.after(HOUR, func("later", || async {})).await.unwrap();
    let holds = jobs.now(func("holds", pending::<()>)).await.unwrap();
    let queued = jobs.now(func("queued", || async {})).await.unwrap();
    clock.advance(SECOND).await;
    assert_eq!(
        of_runs(&mut events),
        [
            "run of later: submitted for 2026-03-02 13:00:00 UTC",
            "run of holds: submitted",
            "run of queued: submitted",
            "run of holds: attempt 1 of 21 started",
        ]
    );
    assert!(later.cancel().await && queued.cancel().await && holds.cancel().await);
    clock.advance(SECOND).await;
    assert_eq!(
        of_runs(&mut events),
        ["run of later: cancelled", "run of queued: cancelled", "run of holds: cancelled"]
    );
    jobs.now(func("holds", pending::<()>)).await.unwrap();
    jobs.now(func("queued", || async {})).await.unwrap();
    clock.advance(SECOND).await;
    assert_eq!(of_runs(&mut events).len(), 3);
    jobs.shutdown().await;
    assert_eq!(
        of_runs(&mut events),
        [
            "shutdown begun",
            "shutdown cuts off what still runs",
            "run of holds: interrupted",
            "run of queued: lost",
            "shutdown ended",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn slots() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock)).await.unwrap();
    let lazy = func("lazy", || tokio::time::sleep(Duration::from_secs(150)));
    jobs.schedule("0 * * * * *", lazy).key("minutely").await.unwrap();
    let mut events = jobs.events();
    let mut of_slots = || {
        let all = std::iter::from_fn(|| events.try_next()).filter(|event| matches!(event, Event::Slot(_)));
        all.map(|event| event.to_string().replace(" of lazy (`minutely`)", "").replace("2026-03-02 ", ""))
            .collect::<Vec<_>>()
    };
    clock.advance(MINUTE * 3).await;
    assert_eq!(
        of_slots(),
        [
            "slot 12:01:00 UTC ran",
            "slot 12:02:00 UTC ran",
            "slot 12:03:00 UTC skipped, since the run of a slot before had not ended",
        ]
    );
    jobs.pause("lazy").await.unwrap();
    clock.advance(MINUTE).await;
    assert_eq!(of_slots(), ["slot 12:04:00 UTC passed while the job was paused"]);
    jobs.resume("lazy").await.unwrap();
    clock.suspend(MINUTE * 10 + SECOND * 20).await;
    assert_eq!(
        of_slots(),
        [
            "9 slots from 12:05:00 UTC to 12:13:00 UTC missed, since the program could not see it come",
            "slot 12:14:00 UTC ran",
        ]
    );
}

/// A submission is told of also while all workers are busy.
#[tokio::test(start_paused = true)]
async fn who_waits_is_woken_by_what_happens() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).pool(1).state(Log::default())).await.unwrap();
    jobs.now(func("holds", pending::<()>)).await.unwrap();
    clock.advance(SECOND).await;
    let mut events = jobs.events();
    let (event, run) = tokio::join!(biased; events.next(), async { jobs.now(note("a")).await.unwrap() });
    let event = event.unwrap();
    assert_eq!((event.run(), event.job(), event.at()), (Some(run.id()), Some("note"), Some(clock.now())));
    let (event, _) = tokio::join!(biased; events.next(), async { run.cancel().await });
    assert_eq!(line(&event.unwrap()), "run of note: cancelled");
}

#[tokio::test(start_paused = true)]
async fn runs_of_slots_and_the_order_of_successors() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock)).await.unwrap();
    jobs.schedule("*/2 * * * * *", func("overlaps", || tokio::time::sleep(Duration::from_secs(3))))
        .await
        .unwrap();
    let mut events = jobs.events();
    clock.advance(Duration::from_millis(5500)).await;
    let of_slots = std::iter::from_fn(|| events.try_next()).filter_map(|event| match event {
        Event::Run(run) => Some((run.slot.unwrap().format("%S").to_string(), line(&Event::Run(run)))),
        _ => None,
    });
    let of_slots: Vec<_> = of_slots
        .map(|(slot, line)| format!("{slot}{}", line.trim_start_matches("run of overlaps:")))
        .collect();
    assert_eq!(
        of_slots,
        [
            "02 submitted",
            "02 attempt 1 of 1 started",
            "04 submitted",
            "02 succeeded in 3s",
            "04 attempt 1 of 1 started",
        ]
    );
}

/// A listener that does not read holds up nobody and learns what it has missed.
#[tokio::test(start_paused = true)]
async fn a_slow_listener() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = jobs::start(config(&clock).state(Log::default())).await.unwrap();
    let mut events = jobs.events();
    let runs = 2000;
    for _ in 0..runs {
        jobs.now(note("a")).await.unwrap();
    }
    clock.advance(SECOND).await;
    assert_eq!(jobs.snapshot().pool.queued, 0);
    let Some(Event::Lagged(missed)) = events.next().await else { panic!("it has missed some") };
    let left = std::iter::from_fn(|| events.try_next()).count() as u64;
    assert_eq!((missed + left, left), (runs * 3, 4096));
    let outcome = jobs.now(note("a")).await.unwrap().wait().await;
    assert_eq!((outcome, told(&mut events).len()), (Outcome::Succeeded, 3));
}

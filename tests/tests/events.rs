//! What happens is told, in its order, to whoever listens.

mod support;

use jobs::{Event, Events, func};
use support::{Log, MINUTE, SECOND, clock, config, note};

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

//! A program that was written from the documentation, run on every store: the line of the config is the only difference, and what
//! can be seen of it from outside is the same.

mod support;

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs::testing::{self, TestJobs, instant};
use jobs::{BoxError, Config, JobContext, MadeBy, RunHandle, RunSnapshot, func, job};
use server::Server;
use support::folder::Folder;

const SECOND: Duration = Duration::from_secs(1);

/// What the program does to the world, with the time at which it does.
#[derive(Debug, Clone, Default)]
struct World(Arc<Mutex<Vec<Note>>>);

type Note = (DateTime<Utc>, String);

impl World {
    fn note(&self, at: DateTime<Utc>, what: impl Into<String>) {
        self.0.lock().unwrap().push((at, what.into()));
    }

    /// Line by line, to the second. What happens at one time does so in any order.
    fn told(&self) -> Vec<String> {
        let notes = self.0.lock().unwrap();
        let mut lines: Vec<_> =
            notes.iter().map(|(at, what)| format!("{} {what}", at.format("%a %T"))).collect();
        lines.sort();
        lines
    }
}

/// Opens the shop on weekdays.
#[job(schedule = "cron.morning", tz = "Europe/Oslo")]
async fn open(#[state] world: &World, cx: &JobContext) -> Result<(), BoxError> {
    let slot = cx.slot().ok_or("no slot")?;
    world.note(cx.started_at(), format!("open for {}", slot.format("%a %R")));
    jobs::after(SECOND * 30, mail { to: "staff".into(), takes: 5 }).await?;
    Ok(())
}

/// Counts what is left, and takes longer than its interval.
#[job(every = "10m", overlap = "buffer_one")]
async fn count(#[state] world: &World, cx: &JobContext) -> Result<u64, BoxError> {
    world.note(cx.started_at(), "count");
    cx.progress(1, 2);
    tokio::time::sleep(SECOND * 60 * 25).await;
    Ok(7)
}

/// Skips what comes while it runs.
#[job(schedule = "0 */5 * * * *", overlap = "skip")]
async fn poll(#[state] world: &World, cx: &JobContext) {
    world.note(cx.started_at(), "poll");
    tokio::time::sleep(SECOND * 60 * 7).await;
}

/// Rests between its runs.
#[job(fixed_delay = "20m")]
async fn clean(#[state] world: &World, cx: &JobContext) {
    world.note(cx.started_at(), "clean");
    tokio::time::sleep(SECOND * 60 * 3).await;
}

#[job(queue = "mail")]
async fn mail(#[state] world: &World, cx: &JobContext, to: String, takes: u64) {
    world.note(cx.started_at(), format!("mail {to}"));
    cx.log(format!("to {to}"));
    tokio::time::sleep(Duration::from_secs(takes)).await;
}

/// Fails as often as it is told.
#[job(retries = 3, timeout = "20s")]
async fn charge(#[state] world: &World, cx: &JobContext, order: u64, how: String) -> Result<u64, BoxError> {
    world.note(cx.started_at(), format!("charge {order} for the {}. time", cx.attempt()));
    match (how.as_str(), cx.attempt()) {
        ("well", _) | ("twice", 3..) => Ok(order * 100),
        ("twice", _) => Err(cx.retry_in(SECOND * 40).into()),
        ("never", _) => Err(cx.discard("no card").into()),
        ("slow", _) => {
            tokio::time::sleep(SECOND * 60).await;
            Ok(0)
        }
        ("panic", _) => panic!("order {order}"),
        _ => Err("declined".into()),
    }
}

#[job(unique(page), concurrency = 1)]
async fn index(#[state] world: &World, cx: &JobContext, page: u64, why: String) {
    world.note(cx.started_at(), format!("index {page}, {why}"));
    tokio::time::sleep(SECOND * 10).await;
}

#[job(rate = "2/1m")]
async fn call(#[state] world: &World, cx: &JobContext, number: u64) {
    world.note(cx.started_at(), format!("call {number}"));
}

#[job(startup = "blocking")]
async fn migrate(#[state] world: &World, cx: &JobContext) {
    world.note(cx.started_at(), "migrate");
}

#[job(startup)]
fn warm(#[state] world: &World, cx: &JobContext) {
    world.note(cx.started_at(), "warm");
}

fn file(folder: &Folder, store: &str) -> String {
    let path = format!("{}/jobs.toml", folder.path().display());
    let text = format!(
        "[cron]\nmorning = \"0 0 9 ? * MON-FRI\"\n\n[jobs]\npool = 12\nstore = \"{store}\"\n\n[jobs.queues]\nmail = 1\n\n\
         [job.count]\nmissed = \"skip\"\n\n[job.poll]\nmissed = \"skip\"\n\n[job.open]\nmissed = \"skip\"\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

/// What can be seen of a run, but for its identity and what chance has given it.
fn shown(run: &RunSnapshot) -> String {
    let made_by = match &run.made_by {
        MadeBy::Slot { at, schedule, .. } => format!("slot {} of {schedule:?}", at.format("%a %T")),
        MadeBy::Retry { .. } => "retry".to_owned(),
        other => format!("{other:?}"),
    };
    let attempts: Vec<_> =
        run.attempts.iter().map(|attempt| format!("{} {}", attempt.number, attempt.outcome)).collect();
    let log: Vec<_> = run.log.iter().map(|line| line.text.clone()).collect();
    format!(
        "{} {:?} by {made_by}, queue {}, priority {}, attempt {} of 1+{}, {:?}, {} gives {:?}, {:?}, {attempts:?}, {log:?}",
        run.job,
        run.state,
        run.queue,
        run.priority,
        run.attempt,
        run.retries,
        run.outcome,
        run.arguments.as_deref().unwrap_or("nothing"),
        run.output,
        run.progress,
    )
}

async fn outcome(name: &str, run: &RunHandle) -> String {
    let outcome = run.wait().await;
    let output = run.output::<u64>().await.map_err(|error| error.to_string());
    let attempts: Vec<_> =
        run.attempts().iter().map(|attempt| format!("{} {}", attempt.number, attempt.outcome)).collect();
    format!("{name}: {outcome}, {output:?}, {attempts:?}")
}

/// An hour and a half of a Monday morning.
async fn play(config: Config, world: &World) -> (TestJobs, Vec<String>) {
    let test = testing::start(config.state(world.clone())).at(instant("2026-03-02 07:45")).await;
    let mut protocol = Vec::new();
    test.schedule(
        "@every 15m",
        func("chime", {
            let (world, clock) = (world.clone(), test.clock().clone());
            move || {
                let (world, clock) = (world.clone(), clock.clone());
                async move { world.note(clock.now(), "chime") }
            }
        }),
    )
    .await
    .unwrap();

    // One-offs of every kind.
    let mut runs = Vec::new();
    for (order, how) in ["well", "twice", "never", "slow", "panic", "declined"].into_iter().enumerate() {
        let job = charge { order: order as u64, how: how.into() };
        let submission = test.jobs().now(job);
        let run = if how == "twice" { submission } else { submission.retries(0) };
        runs.push((format!("charge {how}"), run.await.unwrap()));
    }
    for (to, priority) in [("ada", 0), ("high", 5), ("bob", 0), ("low", -5)] {
        let run = test.jobs().now(mail { to: to.into(), takes: 60 }).priority(priority).await.unwrap();
        runs.push((format!("mail {to}"), run));
        // The first has its place before the others come.
        test.settle().await;
    }
    for number in 0..5 {
        runs.push((format!("call {number}"), test.jobs().now(call { number }).await.unwrap()));
    }
    for (page, why) in [(1, "new"), (1, "again"), (2, "new"), (3, "new")] {
        let run = test.jobs().now(index { page, why: why.into() }).await.unwrap();
        protocol.push(format!("index {page}, {why}: duplicate {}", run.is_duplicate()));
        runs.push((format!("index {page}, {why}"), run));
    }
    let late =
        test.jobs().at(instant("2026-03-02 08:26"), mail { to: "late".into(), takes: 1 }).await.unwrap();
    let cancelled = test.jobs().after(SECOND * 600, mail { to: "nobody".into(), takes: 1 }).await.unwrap();
    protocol.push(format!("cancelled {}, {}", cancelled.cancel().await, cancelled.cancel().await));
    runs.extend([("late".to_owned(), late), ("cancelled".to_owned(), cancelled)]);
    test.advance(SECOND * 60 * 10).await;

    // A queue and a job are paused, and what happens to them meanwhile.
    test.pause_queue("mail").await.unwrap();
    test.pause("poll").await.unwrap();
    let held = test.jobs().now(mail { to: "held".into(), takes: 1 }).await.unwrap();
    let by_name = test.run_with("charge", r#"{"order": 9, "how": "well"}"#).await.unwrap();
    test.advance(SECOND * 60 * 30).await;
    for name in ["mail", "poll", "open", "count"] {
        let job = test.job(name);
        protocol.push(format!(
            "{name}: {}, paused {}, {} running, {} queued, {} waiting, {} delayed, next {:?}",
            job.status, job.paused, job.running, job.queued, job.waiting, job.delayed, job.next
        ));
    }
    test.resume_queue("mail").await.unwrap();
    test.resume("poll").await.unwrap();
    test.advance(SECOND * 60 * 20).await;

    // One that runs is cancelled, and one that has failed is made again.
    let slow = test.jobs().now(mail { to: "slow".into(), takes: 3600 }).await.unwrap();
    test.settle().await;
    protocol.push(format!("cancelled {}", slow.cancel().await));
    let failed = runs.iter().find(|(name, _)| name == "charge never").map(|(_, run)| run.id()).unwrap();
    let again = test.retry(failed).await.unwrap();
    protocol.push(format!("unknown: {}", test.run_now("pole").await.unwrap_err()));
    test.advance(SECOND * 60 * 30).await;

    runs.extend([
        ("held".to_owned(), held),
        ("by name".to_owned(), by_name),
        ("slow".to_owned(), slow),
        ("again".to_owned(), again),
    ]);
    for (name, run) in &runs {
        protocol.push(outcome(name, run).await);
    }
    (test, protocol)
}

/// All that can be seen of the program at its end.
async fn protocol_of(store: &str) -> Vec<String> {
    let (folder, world) = (Folder::new(), World::default());
    let config = Config::from_file(file(&folder, store)).unwrap().without_environment();
    let (test, mut protocol) = play(config, &world).await;
    protocol.extend(world.told());
    let mut runs: Vec<_> = test.runs().limit(1000).list().await.iter().map(shown).collect();
    runs.sort();
    protocol.extend(runs);
    for name in ["open", "count", "poll", "clean", "chime"] {
        let ledger = test.ledger(name).unwrap();
        let entries = ledger.entries().into_iter().map(|entry| {
            format!(
                "{name} {} to {}: {} {}",
                entry.from.format("%T"),
                entry.to.format("%T"),
                entry.count,
                entry.reason
            )
        });
        protocol.extend(entries);
        protocol.push(format!("{name} {:?}", ledger.tally()));
    }
    let report = test.shutdown().await;
    protocol.push(format!("lost or kept: {}", report.lost + report.kept));
    protocol
}

fn assert_same(one: &[String], other: &[String], store: &str) {
    let lacks: Vec<_> = one.iter().filter(|line| !other.contains(line)).collect();
    let has: Vec<_> = other.iter().filter(|line| !one.contains(line)).collect();
    assert!(lacks.is_empty() && has.is_empty(), "on {store}\nlacks {lacks:#?}\nhas {has:#?}");
    assert_eq!(one, other, "on {store}, in another order");
}

#[tokio::test]
async fn a_program_behaves_the_same_on_sqlite() {
    let folder = Folder::new();
    let (memory, other) = (protocol_of("memory").await, protocol_of(&folder.sqlite()).await);
    assert!(memory.len() > 100, "{memory:#?}");
    assert_same(&memory, &other, "SQLite");
}

#[tokio::test]
async fn a_program_behaves_the_same_on_postgres() {
    let store = Server::shared().address("postgres");
    let (memory, other) = (protocol_of("memory").await, protocol_of(&store).await);
    assert_same(&memory, &other, "PostgreSQL");
}

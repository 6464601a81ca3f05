//! What is known of runs: each by its identity, and all of them by what they are.

mod support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jobs::testing::TestClock;
use jobs::{BoxError, JobContext, Jobs, MadeBy, Outcome, RunId, RunSnapshot, RunState, func, job};
use proptest::prelude::*;
use support::{HOUR, MINUTE, SECOND, clock, config};
use tokio::sync::Notify;

/// What `charge` is told to do.
#[derive(Debug, Default)]
struct Bank {
    refuses: AtomicBool,
    waits: AtomicBool,
    go: Notify,
}

#[job(retries = 1, backoff = "10s", aliases = ["pay"])]
async fn charge(#[state] bank: &Arc<Bank>, order: u64, #[redact] card: String) -> Result<u64, BoxError> {
    let _ = card;
    jobs::progress(1, 2);
    jobs::log("asking the bank");
    if bank.waits.load(Ordering::SeqCst) {
        bank.go.notified().await;
    }
    if bank.refuses.load(Ordering::SeqCst) { Err("refused".into()) } else { Ok(order * 10) }
}

#[job(retries = 0)]
async fn once(order: u64) -> Result<(), BoxError> {
    Err(format!("order {order}").into())
}

#[job(startup)]
async fn warm_up() {}

#[job(schedule = "@hourly", key = "hourly")]
async fn tick() {}

static BEGUN: AtomicBool = AtomicBool::new(false);

#[job]
fn plain(cx: &JobContext, order: u64) {
    BEGUN.store(true, Ordering::SeqCst);
    while !cx.is_cancelled() {
        std::thread::yield_now();
    }
    let _ = order;
}

async fn start() -> (Jobs, Arc<Bank>, TestClock) {
    let (clock, bank) = (clock("2026-03-02 12:00:00"), Arc::<Bank>::default());
    let jobs = jobs::start(config(&clock).state(Arc::clone(&bank))).await.unwrap();
    (jobs, bank, clock)
}

fn order(order: u64) -> charge {
    charge { order, card: "4242-4242".to_owned() }
}

async fn run(jobs: &Jobs, id: RunId) -> RunSnapshot {
    jobs.run(id).await.expect("the run is known")
}

#[tokio::test(start_paused = true)]
async fn a_run_is_told_from_its_submission_to_its_end() {
    let (jobs, bank, clock) = start().await;
    bank.waits.store(true, Ordering::SeqCst);
    bank.refuses.store(true, Ordering::SeqCst);
    let submitted = clock.now();
    let handle = jobs.after(MINUTE, order(7)).await.unwrap();
    let shown = Some(r#"{"card":"[redacted]","order":7}"#.to_owned());

    let delayed = run(&jobs, handle.id()).await;
    assert_eq!((delayed.id, &*delayed.job, delayed.state), (handle.id(), "charge", RunState::Scheduled));
    assert_eq!(delayed.made_by, MadeBy::Submission);
    assert_eq!((delayed.submitted_at, delayed.due_at), (submitted, Some(submitted + MINUTE)));
    assert_eq!((delayed.attempt, delayed.retries, &delayed.outcome), (0, 1, &None));
    assert_eq!((&delayed.arguments, delayed.started_at), (&shown, None));

    clock.advance(MINUTE).await;
    let running = run(&jobs, handle.id()).await;
    assert_eq!((running.state, running.attempt, running.due_at), (RunState::Running, 1, None));
    assert_eq!((&running.arguments, running.progress.map(|at| at.done)), (&shown, Some(1)));
    assert_eq!(running.log[0].text, "asking the bank");
    let started = running.started_at.unwrap();
    assert!((0..=1).contains(&(started - submitted).num_milliseconds().saturating_sub(60_000)));
    assert_eq!(running.duration(clock.now()), (clock.now() - started).to_std().ok());

    bank.go.notify_one();
    clock.advance(SECOND).await;
    let waits = run(&jobs, handle.id()).await;
    assert_eq!(
        (waits.state, waits.started_at, &waits.arguments),
        (RunState::Scheduled, Some(started), &shown)
    );
    assert_eq!(waits.attempts[0].outcome, Outcome::Failed("refused".into()));

    bank.waits.store(false, Ordering::SeqCst);
    clock.advance(MINUTE).await;
    let dead = run(&jobs, handle.id()).await;
    assert_eq!((dead.state, dead.attempt, dead.attempts.len()), (RunState::Dead, 2, 2));
    assert_eq!(dead.outcome, Some(Outcome::Failed("refused".into())));
    assert_eq!((&dead.arguments, &dead.output), (&shown, &None));
    assert_eq!(dead.finished_at, Some(dead.attempts[1].finished_at));
    assert_eq!(dead.log.iter().map(|line| line.attempt).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(handle.snapshot(), Some(dead));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_made_a_run_is_told() {
    let (jobs, _bank, clock) = start().await;
    clock.advance(HOUR).await;
    jobs.run_now("tick").await.unwrap().wait().await;
    let made = jobs.now(order(1)).await.unwrap();
    assert_eq!(made.wait().await, Outcome::Succeeded);
    let again = jobs.retry(made.id()).await.unwrap();
    again.wait().await;
    let told: Vec<_> =
        jobs.runs().list().await.iter().rev().map(|run| format!("{}: {}", run.job, run.made_by)).collect();
    assert_eq!(
        told,
        [
            "warm_up: the start".to_owned(),
            "tick: the slot of 2026-03-02 13:00:00 UTC of hourly".to_owned(),
            "tick: run now".to_owned(),
            "charge: a submission".to_owned(),
            format!("charge: a retry of {}", made.id()),
        ]
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_dead_run_is_made_again_with_its_arguments() {
    let (jobs, bank, _clock) = start().await;
    bank.refuses.store(true, Ordering::SeqCst);
    let dead = jobs.now(order(7)).await.unwrap();
    assert!(!dead.wait().await.is_success());
    bank.refuses.store(false, Ordering::SeqCst);
    for _ in 0..2 {
        let again = jobs.retry(dead.id()).await.unwrap();
        assert_eq!(again.output::<u64>().await, Ok(70));
        assert_ne!(again.id(), dead.id());
        assert_eq!(run(&jobs, again.id()).await.output.as_deref(), Some("70"));
    }
    assert_eq!(run(&jobs, dead.id()).await.state, RunState::Dead, "the old one stays what it is");

    let cancelled = jobs.after(HOUR, order(8)).await.unwrap();
    let error = jobs.retry(cancelled.id()).await.unwrap_err();
    assert!(error.is_not_retried() && error.to_string().contains("is scheduled; cancel it first"), "{error}");
    assert!(jobs.cancel(cancelled.id()).await);
    assert!(!jobs.cancel(cancelled.id()).await, "it has ended");
    assert_eq!(jobs.retry(cancelled.id()).await.unwrap().output::<u64>().await, Ok(80));

    let once = jobs.now(once { order: 9 }).await.unwrap();
    once.wait().await;
    assert_eq!(run(&jobs, once.id()).await.arguments.as_deref(), Some(r#"{"order":9}"#));
    assert_eq!(
        jobs.retry(once.id()).await.unwrap().wait().await,
        Outcome::Failed("order 9".into()),
        "no retries do not mean that nobody may"
    );
    let closure = jobs.now(func("closure", || async {})).await.unwrap();
    closure.wait().await;
    let error = jobs.retry(closure.id()).await.unwrap_err();
    assert!(error.is_not_retried() && error.to_string().contains("are not kept"), "{error}");
    assert_eq!(run(&jobs, closure.id()).await.arguments, None);
    let nobody: RunId = "018bcfe5-6800-7000-8000-ef0123456789".parse().unwrap();
    let error = jobs.retry(nobody).await.unwrap_err();
    assert!(error.is_unknown_run(), "{error}");
    assert!(!jobs.cancel(nobody).await && jobs.run(nobody).await.is_none());
    jobs.shutdown().await;
    assert!(jobs.retry(dead.id()).await.unwrap_err().is_shut_down());
}

#[tokio::test(start_paused = true)]
async fn arguments_of_the_last_hundred_that_succeeded_are_kept() {
    let (jobs, _bank, _clock) = start().await;
    let mut handles = Vec::new();
    for number in 0..150 {
        let handle = jobs.now(order(number)).await.unwrap();
        handle.wait().await;
        handles.push(handle);
    }
    let kept: Vec<_> = handles.iter().map(|handle| handle.snapshot().unwrap().arguments.is_some()).collect();
    assert!(kept[..50].iter().all(|kept| !kept) && kept[50..].iter().all(|kept| *kept), "{kept:?}");
    jobs.shutdown().await;
}

/// What a closure holds on to is let go when its run has ended.
#[tokio::test(start_paused = true)]
async fn a_closure_is_not_kept() {
    let (jobs, _bank, _clock) = start().await;
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let handle = jobs
        .now(func("holds", move || {
            let _inside = Arc::clone(&inside);
            async { Err::<(), _>("no") }
        }))
        .await
        .unwrap();
    assert!(handle.cancel().await || !handle.wait().await.is_success());
    tokio::task::yield_now().await;
    assert_eq!(Arc::strong_count(&held), 1);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn reading_what_waits_or_runs_takes_nothing_from_it() {
    let (jobs, bank, clock) = start().await;
    bank.waits.store(true, Ordering::SeqCst);
    let first = jobs.now(order(1)).await.unwrap();
    let delayed = jobs.after(MINUTE, order(2)).await.unwrap();
    for _ in 0..3 {
        assert!(run(&jobs, first.id()).await.arguments.is_some());
        assert!(run(&jobs, delayed.id()).await.arguments.is_some());
        clock.advance(Duration::from_millis(10)).await;
    }
    bank.waits.store(false, Ordering::SeqCst);
    bank.go.notify_waiters();
    assert_eq!(first.output::<u64>().await, Ok(10));
    assert_eq!(delayed.output::<u64>().await, Ok(20));

    let plain = jobs.now(plain { order: 3 }).await.unwrap();
    while !BEGUN.load(Ordering::SeqCst) {
        tokio::task::yield_now().await;
    }
    assert_eq!(run(&jobs, plain.id()).await.state, RunState::Running);
    while run(&jobs, plain.id()).await.arguments.as_deref() != Some(r#"{"order":3}"#) {
        tokio::task::yield_now().await;
    }
    assert!(plain.cancel().await);
    assert_eq!(plain.wait().await, Outcome::Succeeded);
    jobs.shutdown().await;
}

async fn orders(query: jobs::RunQuery) -> Vec<u64> {
    let number = |run: RunSnapshot| {
        let arguments: serde_json::Value = serde_json::from_str(&run.arguments.unwrap()).unwrap();
        arguments["order"].as_u64().unwrap()
    };
    query.list().await.into_iter().map(number).collect()
}

#[tokio::test(start_paused = true)]
async fn runs_are_found_by_what_they_are() {
    let (jobs, bank, clock) = start().await;
    let began = clock.now();
    for number in 1..=6 {
        bank.refuses.store(number % 2 == 0, Ordering::SeqCst);
        jobs.now(order(number)).await.unwrap().wait().await;
        clock.advance(MINUTE).await;
    }
    let delayed = jobs.after(HOUR, order(70)).await.unwrap();
    let query = || jobs.runs().job("charge");
    assert_eq!(orders(query()).await, [70, 6, 5, 4, 3, 2, 1]);
    assert_eq!(orders(jobs.runs().job("pay").limit(2)).await, [70, 6]);
    assert_eq!(orders(query().state(RunState::Dead)).await, [6, 4, 2]);
    assert_eq!(orders(query().state(RunState::Dead).state(RunState::Scheduled)).await, [70, 6, 4, 2]);
    assert_eq!(orders(query().containing(r#""order":7"#)).await, [70]);
    assert_eq!(orders(query().containing("REFUSED")).await, [6, 4, 2]);
    assert!(orders(query().containing("4242")).await.is_empty(), "what is redacted is not found");
    assert_eq!(orders(query().before(delayed.id()).limit(3)).await, [6, 5, 4]);
    assert_eq!(orders(query().queue("default").limit(1)).await, [70]);
    assert!(orders(query().queue("mail")).await.is_empty());
    let second = jobs.runs().job("charge").list().await[5].submitted_at;
    assert_eq!(orders(query().between(second, second + MINUTE)).await, [2]);
    assert_eq!(orders(query().between(began, second)).await, [1]);
    assert!(jobs.runs().job("nobody").list().await.is_empty());
    assert!(jobs.runs().limit(0).list().await.is_empty());
    jobs.shutdown().await;
}

/// Of more runs than are looked at in one go, page after page gives each once and none is missing.
#[tokio::test(start_paused = true)]
async fn pages_follow_each_other() {
    let (jobs, _bank, _clock) = start().await;
    let mut made = Vec::new();
    for number in 0..2000 {
        let delay = HOUR * (1 + number as u32 % 7);
        made.push(jobs.after(delay, order(number)).await.unwrap().id());
    }
    made.reverse();
    for (size, state) in [(700, None), (333, Some(RunState::Scheduled)), (2000, None)] {
        let mut seen = Vec::new();
        loop {
            let mut query = jobs.runs().job("charge").limit(size);
            if let Some(state) = state {
                query = query.state(state);
            }
            if let Some(last) = seen.last() {
                query = query.before(*last);
            }
            let page = query.list().await;
            if page.is_empty() {
                break;
            }
            seen.extend(page.iter().map(|run| run.id));
        }
        assert_eq!(seen, made, "{size}");
    }
    jobs.shutdown().await;
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Submit(bool),
    Delay,
    Cancel(usize),
    Retry(usize),
    Advance,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => any::<bool>().prop_map(Step::Submit),
        1 => Just(Step::Delay),
        2 => any::<usize>().prop_map(Step::Cancel),
        2 => any::<usize>().prop_map(Step::Retry),
        2 => Just(Step::Advance),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    /// Whatever is done: every run is in one list of one state, its handle and its identity agree, what has ended stays as
    /// it is, and nothing is counted that cannot be found.
    #[test]
    fn lists_handles_and_counts_agree(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (jobs, bank, clock) = start().await;
            let mut handles = Vec::new();
            let mut ended: BTreeMap<RunId, (RunState, Option<Outcome>)> = BTreeMap::new();
            for (number, step) in steps.into_iter().enumerate() {
                match step {
                    Step::Submit(refuses) => {
                        bank.refuses.store(refuses, Ordering::SeqCst);
                        handles.push(jobs.now(order(number as u64)).await.unwrap());
                    }
                    Step::Delay => handles.push(jobs.after(SECOND * 15, order(number as u64)).await.unwrap()),
                    Step::Cancel(at) if !handles.is_empty() => {
                        let at = at % handles.len();
                        let live = !run(&jobs, handles[at].id()).await.state.is_final();
                        assert_eq!(jobs.cancel(handles[at].id()).await, live);
                    }
                    Step::Retry(at) if !handles.is_empty() => {
                        let at = at % handles.len();
                        let known = run(&jobs, handles[at].id()).await;
                        match jobs.retry(known.id).await {
                            Ok(again) => {
                                assert!(known.state.is_final());
                                handles.push(again);
                            }
                            Err(error) => assert!(error.is_not_retried() && !known.state.is_final()),
                        }
                    }
                    Step::Advance => clock.advance(SECOND * 6).await,
                    _ => {}
                }
                // Nothing runs between the two.
                let all = jobs.runs().job("charge").limit(1000).list().await;
                let job = jobs.snapshot().job("charge").cloned().unwrap();
                let mut ids: Vec<_> = handles.iter().map(|handle| handle.id()).collect();
                ids.sort_by(|one, other| other.cmp(one));
                assert!(all.iter().map(|run| run.id).eq(ids));
                let mut parts = 0;
                for state in RunState::ALL {
                    parts += jobs.runs().job("charge").state(state).limit(1000).list().await.len();
                }
                assert_eq!(parts, all.len());
                let count = |state| all.iter().filter(|run| run.state == state).count();
                assert_eq!(
                    (job.running, job.queued, job.waiting, job.delayed),
                    (
                        count(RunState::Running),
                        count(RunState::Available),
                        count(RunState::Waiting),
                        count(RunState::Scheduled)
                    )
                );
                for run in &all {
                    assert_eq!(run.state.is_final(), run.outcome.is_some());
                    if let Some(before) = ended.get(&run.id) {
                        assert_eq!(before, &(run.state, run.outcome.clone()));
                    }
                    if run.state.is_final() {
                        ended.insert(run.id, (run.state, run.outcome.clone()));
                    }
                }
            }
            for handle in &handles {
                let outcome = ended.get(&handle.id()).and_then(|(_, outcome)| outcome.clone());
                if let Some(outcome) = outcome {
                    assert_eq!(handle.wait().await, outcome);
                }
            }
            jobs.shutdown().await;
        });
    }
}

#[tokio::test(start_paused = true)]
async fn the_config_says_how_long_runs_are_kept() {
    let (clock, bank) = (clock("2026-03-02 12:00:00"), Arc::<Bank>::default());
    let config = config(&clock).state(bank).retention(HOUR).retention_count(3);
    let jobs = jobs::start(config).await.unwrap();
    let mut handles = Vec::new();
    for number in 0..5 {
        let handle = jobs.now(order(number)).await.unwrap();
        assert_eq!(handle.wait().await, Outcome::Succeeded);
        handles.push(handle);
    }
    assert_eq!(handles[1].wait().await, Outcome::Unknown);
    assert!(handles[1].snapshot().is_none() && jobs.run(handles[1].id()).await.is_none());
    assert_eq!(orders(jobs.runs().job("charge")).await, [4, 3, 2]);
    clock.advance(HOUR * 2).await;
    jobs.now(order(9)).await.unwrap().wait().await;
    assert_eq!(orders(jobs.runs().job("charge")).await, [9]);
    jobs.shutdown().await;
}

//! What follows a failure: another attempt, after a wait that grows, as long as the run has retries left.

mod support;

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jobs::{BoxError, Job, JobContext, JobResult, JobStatus, Jobs, Outcome, func, job};
use serde::{Deserialize, Serialize};
use support::{HOUR, MINUTE, SECOND, clock, config};

/// What attempts saw: their number, and the value that they were given.
type Seen = Arc<Mutex<Vec<(u32, String)>>>;

/// Fails until its attempt is `succeeds`, in the way that `how` says.
#[job]
async fn flaky(#[state] seen: &Seen, cx: &JobContext, how: String, succeeds: u32) -> Result<(), BoxError> {
    seen.lock().unwrap().push((cx.attempt(), how.clone()));
    if cx.attempt() >= succeeds {
        return Ok(());
    }
    assert!(how != "panic", "attempt {}", cx.attempt());
    Err(format!("attempt {}", cx.attempt()).into())
}

/// The same as a plain function.
#[job]
fn flaky_fn(#[state] seen: &Seen, cx: &JobContext, succeeds: u32) -> Result<(), String> {
    seen.lock().unwrap().push((cx.attempt(), "fn".to_owned()));
    if cx.attempt() >= succeeds { Ok(()) } else { Err(format!("attempt {}", cx.attempt())) }
}

/// Not `Sync`, and changed by its run: every attempt must have the value that was submitted.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Changing {
    text: std::cell::RefCell<String>,
}

impl Job for Changing {
    const NAME: &'static str = "changing";

    async fn run(self, cx: JobContext) -> JobResult {
        self.text.borrow_mut().push('!');
        let seen = cx.state::<Seen>().unwrap();
        seen.lock().unwrap().push((cx.attempt(), self.text.into_inner()));
        if cx.attempt() < 3 { Err("not yet".into()) } else { Ok(()) }
    }
}

async fn started() -> (Jobs, Seen, jobs::testing::TestClock) {
    let (clock, seen) = (clock("2026-03-02 12:00:00"), Seen::default());
    let jobs = jobs::start(config(&clock).pool(1).state(Arc::clone(&seen))).await.unwrap();
    (jobs, seen, clock)
}

fn flaky_as(how: &str, succeeds: u32) -> flaky {
    flaky { how: how.to_owned(), succeeds }
}

fn attempts(seen: &Seen) -> Vec<u32> {
    seen.lock().unwrap().iter().map(|(attempt, _)| *attempt).collect()
}

#[tokio::test(start_paused = true)]
async fn a_submission_that_fails_is_tried_again_until_it_succeeds() {
    let (jobs, seen, _clock) = started().await;
    for how in ["error", "panic"] {
        let run = jobs.now(flaky_as(how, 4)).await.unwrap();
        assert_eq!(run.wait().await, Outcome::Succeeded, "{how}");
        assert_eq!(attempts(&seen), [1, 2, 3, 4], "{how}");
        seen.lock().unwrap().clear();
        let told = run.attempts();
        let outcome = |number: u32| match (number, how) {
            (4, _) => Outcome::Succeeded,
            (_, "error") => Outcome::Failed(format!("attempt {number}")),
            _ => Outcome::Panicked(format!("attempt {number}")),
        };
        let wanted: Vec<_> = (1..=4).map(|number| (number, outcome(number))).collect();
        let of = |attempt: &jobs::Attempt| (attempt.number, attempt.outcome.clone());
        assert_eq!(told.iter().map(of).collect::<Vec<_>>(), wanted);
        // Each began after its wait: 1 s, 2 s, 4 s, a tenth more or less, and a millisecond of the timer.
        for (pair, wait) in told.windows(2).zip([1000, 2000, 4000]) {
            let waited = (pair[1].started_at - pair[0].finished_at).num_milliseconds();
            assert!((wait * 9 / 10..=wait * 11 / 10 + 1).contains(&waited), "{waited} of {wait}");
        }
    }
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_submission_is_tried_twenty_times_more_and_then_fails() {
    let (jobs, seen, clock) = started().await;
    let before = clock.now();
    let run = jobs.now(flaky_as("error", u32::MAX)).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Failed("attempt 21".into()));
    assert!(attempts(&seen).into_iter().eq(1..=21));
    assert_eq!(run.attempts().len(), 21);
    // 1 s + 2 s + … + 2048 s, and eight times the longest wait of an hour.
    let nominal = 4095 + 8 * 3600;
    let took = (clock.now() - before).num_seconds();
    assert!((nominal * 9 / 10..=nominal * 11 / 10).contains(&took), "{took} s");
    let previous = jobs.snapshot().job("flaky").unwrap().previous.clone().unwrap();
    assert_eq!((previous.id, previous.outcome), (run.id(), Outcome::Failed("attempt 21".into())));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_to_be_tried_again_leaves_its_place_to_others() {
    let (jobs, seen, clock) = started().await;
    let run = jobs.now(flaky_as("first", 2)).await.unwrap();
    clock.advance(Duration::from_millis(100)).await;
    let job = jobs.snapshot().job("flaky").cloned().unwrap();
    assert_eq!((job.running, job.queued, job.delayed, job.status), (0, 0, 1, JobStatus::Retrying));
    assert!(job.previous.is_none(), "the run has not ended");
    let attempts = run.attempts();
    assert_eq!((attempts.len(), attempts[0].number), (1, 1));
    // In a pool of one.
    let other = jobs.now(flaky_as("other", 1)).await.unwrap();
    assert_eq!(other.wait().await, Outcome::Succeeded);
    assert_eq!(run.wait().await, Outcome::Succeeded);
    let order: Vec<_> = seen.lock().unwrap().iter().map(|(_, how)| how.clone()).collect();
    assert_eq!(order, ["first", "other", "first"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn every_attempt_has_the_value_that_was_submitted() {
    let (jobs, seen, _clock) = started().await;
    let run = jobs.now(Changing { text: "a".to_owned().into() }).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    let wanted: Vec<_> = (1..=3).map(|attempt| (attempt, "a!".to_owned())).collect();
    assert_eq!(*seen.lock().unwrap(), wanted);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn plain_functions_closures_delayed_runs_and_run_now_are_tried_again_too() {
    let (jobs, seen, clock) = started().await;
    let run = jobs.now(flaky_fn { succeeds: 2 }).await.unwrap();
    // A blocking thread keeps virtual time still: let it pass by hand.
    while run.attempts().is_empty() {
        tokio::task::yield_now().await;
    }
    clock.advance(SECOND * 2).await;
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!(attempts(&seen), [1, 2]);
    let calls = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&calls);
    let closure = func("closure", move || {
        let call = counter.fetch_add(1, Ordering::SeqCst);
        async move { if call % 3 == 2 { Ok(()) } else { Err("not yet") } }
    });
    let run = jobs.after(MINUTE, closure.clone()).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!((calls.load(Ordering::SeqCst), run.attempts().len()), (3, 3));
    jobs.schedule("0 0 0 1 1 *", closure).await.unwrap();
    let run = jobs.run_now("closure").await.unwrap();
    assert_eq!(run.wait().await, Outcome::Succeeded);
    assert_eq!((calls.load(Ordering::SeqCst), run.attempts().len()), (6, 3));
    jobs.shutdown().await;
}

/// The next slot is the retry.
#[tokio::test(start_paused = true)]
async fn a_slot_is_not_tried_again_where_nothing_is_said() {
    let (jobs, seen, clock) = started().await;
    jobs.schedule("0 * * * * *", flaky_as("slot", u32::MAX)).await.unwrap();
    clock.advance(MINUTE * 3 + SECOND * 30).await;
    assert_eq!(attempts(&seen), [1, 1, 1]);
    let job = jobs.snapshot().job("flaky").cloned().unwrap();
    assert_eq!(job.previous.unwrap().outcome, Outcome::Failed("attempt 1".into()));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_run_that_waits_to_be_tried_again_can_be_cancelled() {
    let (jobs, seen, clock) = started().await;
    let run = jobs.now(flaky_as("error", u32::MAX)).await.unwrap();
    clock.advance(SECOND * 2).await;
    assert_eq!(attempts(&seen), [1, 2]);
    assert!(run.cancel().await);
    assert_eq!(run.wait().await, Outcome::Cancelled);
    assert!(!run.cancel().await);
    clock.advance(HOUR).await;
    assert_eq!(attempts(&seen), [1, 2]);
    let numbers: Vec<_> = run.attempts().iter().map(|attempt| attempt.number).collect();
    assert_eq!(numbers, [1, 2], "its attempts are kept");
    let previous = jobs.snapshot().job("flaky").unwrap().previous.clone().unwrap();
    assert_eq!((previous.id, previous.outcome), (run.id(), Outcome::Cancelled));
    jobs.shutdown().await;
}

/// It waits for nobody: what it has to say is in its attempts.
#[tokio::test(start_paused = true)]
async fn a_run_that_waits_to_be_tried_again_is_lost_at_shutdown() {
    let (jobs, seen, clock) = started().await;
    let run = jobs.now(flaky_as("error", u32::MAX)).await.unwrap();
    clock.advance(Duration::from_millis(100)).await;
    let report = jobs.shutdown().await;
    assert_eq!((report.interrupted, report.still_running, report.lost), (0, 0, 1));
    assert_eq!(run.wait().await, Outcome::Lost);
    assert_eq!(run.attempts()[0].outcome, Outcome::Failed("attempt 1".into()));
    clock.advance(HOUR).await;
    assert_eq!(attempts(&seen), [1]);
}

/// A run whose attempt fails while the instance shuts down is lost as well, and whoever waits for it is told.
#[tokio::test(start_paused = true)]
async fn a_failure_during_the_shutdown_is_not_tried_again() {
    let (jobs, _, clock) = started().await;
    let slow = func("slow", || async {
        tokio::time::sleep(SECOND * 5).await;
        Err::<(), _>("too late")
    });
    let run = jobs.now(slow).await.unwrap();
    clock.advance(SECOND).await;
    let (report, outcome) = tokio::join!(jobs.shutdown(), run.wait());
    assert_eq!((report.interrupted, report.lost, outcome), (0, 1, Outcome::Lost));
    assert_eq!(run.attempts()[0].outcome, Outcome::Failed("too late".into()));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_succeeds_has_one_attempt() {
    let (jobs, _, clock) = started().await;
    let run = jobs.now(flaky_as("error", 1)).await.unwrap();
    assert_eq!(run.attempts(), []);
    assert_eq!(run.wait().await, Outcome::Succeeded);
    let attempts = run.attempts();
    assert_eq!((attempts.len(), attempts[0].number, &attempts[0].outcome), (1, 1, &Outcome::Succeeded));
    assert_eq!(attempts[0].started_at, attempts[0].finished_at);
    clock.advance(SECOND).await;
    jobs.shutdown().await;
}

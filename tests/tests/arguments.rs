//! What a job is given: state, context, arguments; and the jobs that are no functions.

mod support;

use std::sync::{Arc, Mutex};

use chrono::{DateTime, Utc};
use jobs::{Job, JobContext, JobResult, Jobs, Outcome, RunId, func, job};
use serde::{Deserialize, Serialize};
use support::{MINUTE, SECOND, clock, config};

trait Mailer: Send + Sync {
    fn sender(&self) -> String;
}

struct Smtp(&'static str);

impl Mailer for Smtp {
    fn sender(&self) -> String {
        self.0.to_owned()
    }
}

type Lines = Arc<Mutex<Vec<String>>>;
type Seen = Arc<Mutex<Vec<(RunId, String, u32, Option<DateTime<Utc>>, DateTime<Utc>)>>>;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
enum Kind {
    Welcome { back: bool },
    Bill(Vec<u32>),
}

#[job(aliases = ["post"])]
async fn send(
    #[state] mailer: &Arc<dyn Mailer>,
    #[state] lines: &Lines,
    cx: &JobContext,
    to: String,
    kind: Option<Kind>,
) -> Result<(), String> {
    lines.lock().unwrap().push(format!("{} {} {to} {kind:?}", cx.job(), mailer.sender()));
    if to.is_empty() { Err("nobody".into()) } else { Ok(()) }
}

#[job(schedule = "0 0 13 * * *")]
fn look(#[state] seen: &Seen, cx: &JobContext) {
    let entry = (cx.id(), cx.job().to_owned(), cx.attempt(), cx.slot(), cx.started_at());
    seen.lock().unwrap().push(entry);
    assert!(cx.state::<u128>().is_none());
    assert_eq!(cx.state::<u16>().as_deref(), Some(&7));
}

#[job]
async fn defaults(
    #[state] lines: &Lines,
    #[default = "ops"] to: String,
    #[default = 2 + 1] n: u32,
    #[default] b: bool,
) {
    lines.lock().unwrap().push(format!("{to} {n} {b}"));
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ByHand(u32);

impl Job for ByHand {
    const NAME: &'static str = "by-hand";

    async fn run(self, cx: JobContext) -> JobResult {
        cx.state::<Lines>().unwrap().lock().unwrap().push(format!("by hand {}", self.0));
        if self.0 == 0 { Err("zero".into()) } else { Ok(()) }
    }
}

/// Another type of the same name.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Impostor;

impl Job for Impostor {
    const NAME: &'static str = "by-hand";

    async fn run(self, _cx: JobContext) -> JobResult {
        Ok(())
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct BadName;

impl Job for BadName {
    const NAME: &'static str = "Bad.Name";

    async fn run(self, _cx: JobContext) -> JobResult {
        Ok(())
    }
}

async fn started(
    say: impl FnOnce(jobs::Config) -> jobs::Config,
) -> (Jobs, Lines, Seen, jobs::testing::TestClock) {
    let (clock, lines, seen) = (clock("2026-03-02 12:00:00"), Lines::default(), Seen::default());
    let mailer: Arc<dyn Mailer> = Arc::new(Smtp("ada"));
    let config = config(&clock).state(mailer).state(Arc::clone(&lines)).state(Arc::clone(&seen)).state(7_u16);
    (jobs::start(say(config)).await.unwrap(), lines, seen, clock)
}

fn taken(lines: &Lines) -> Vec<String> {
    std::mem::take(&mut *lines.lock().unwrap())
}

/// One line for all attempts of a run.
fn taken_once(lines: &Lines) -> Vec<String> {
    let mut lines = taken(lines);
    lines.dedup();
    lines
}

#[tokio::test(start_paused = true)]
async fn arguments_and_states_arrive() {
    let (jobs, lines, ..) = started(|config| config).await;
    let kind = Some(Kind::Bill(vec![1, 2]));
    let handle = jobs.now(send { to: "bob".into(), kind }).await.unwrap();
    assert_eq!(handle.wait().await, Outcome::Succeeded);
    let kind = Some(Kind::Welcome { back: true });
    let handle = jobs.after(SECOND, send { to: String::new(), kind }).await.unwrap();
    assert_eq!(handle.wait().await, Outcome::Failed("nobody".into()));
    let once = taken_once(&lines);
    assert_eq!(once, ["send ada bob Some(Bill([1, 2]))", "send ada  Some(Welcome { back: true })"]);
    jobs.now(defaults { to: "dev".into(), n: 1, b: true }).await.unwrap().wait().await;
    jobs.run_now("defaults").await.unwrap().wait().await;
    assert_eq!(taken(&lines), ["dev 1 true", "ops 3 false"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn the_function_can_be_called_as_one() {
    let lines = Lines::default();
    defaults(&lines, "x".into(), 1, true).await;
    assert_eq!(taken(&lines), ["x 1 true"]);
}

#[tokio::test(start_paused = true)]
async fn the_context_tells_the_run() {
    let (jobs, _, seen, clock) = started(|config| config).await;
    let handle = jobs.now(look {}).await.unwrap();
    assert_eq!(handle.wait().await, Outcome::Succeeded);
    clock.advance(MINUTE * 61).await;
    let seen = std::mem::take(&mut *seen.lock().unwrap());
    let [submitted, slot] = seen.as_slice() else { panic!("{seen:?}") };
    let start = support::utc("2026-03-02 12:00:00");
    assert_eq!((submitted.0, submitted.1.as_str(), submitted.2, submitted.3), (handle.id(), "look", 1, None));
    assert!((submitted.4 - start).num_milliseconds() <= 1);
    let one = support::utc("2026-03-02 13:00:00");
    assert_eq!((slot.1.as_str(), slot.2, slot.3), ("look", 1, Some(one)));
    assert!((slot.4 - one).num_milliseconds() <= 1);
    assert!(slot.0 > submitted.0);
    assert_eq!(slot.0.to_string().len(), 36);
    jobs.shutdown().await;
}

/// One that is registered is known from the start, to the config as well.
#[tokio::test(start_paused = true)]
async fn a_job_by_hand_that_is_registered() {
    let (jobs, lines, _, clock) =
        started(|config| config.register::<ByHand>().expect_jobs(["by-hand", "send"])).await;
    let job = jobs.snapshot().job("by-hand").cloned().unwrap();
    assert!(job.enabled && job.place.is_none() && job.description.is_empty() && job.schedules.is_empty());
    assert_eq!(jobs.now(ByHand(1)).await.unwrap().wait().await, Outcome::Succeeded);
    assert_eq!(jobs.now(ByHand(0)).await.unwrap().wait().await, Outcome::Failed("zero".into()));
    assert_eq!(taken_once(&lines), ["by hand 1", "by hand 0"]);
    assert!(jobs.run_now("by-hand").await.is_err(), "its arguments have no value");
    jobs.schedule("0 * * * * *", ByHand(3)).await.unwrap();
    assert!(jobs.run_now("by-hand").await.is_ok());
    clock.advance(MINUTE).await;
    assert_eq!(taken(&lines), ["by hand 3", "by hand 3"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_job_by_hand_becomes_known_when_it_is_first_submitted() {
    let (jobs, lines, ..) = started(|config| config).await;
    assert!(jobs.snapshot().job("by-hand").is_none());
    assert!(jobs.pause("by-hand").await.unwrap_err().is_unknown_job());
    jobs.now(ByHand(1)).await.unwrap();
    jobs.now(ByHand(2)).await.unwrap().wait().await;
    assert!(jobs.snapshot().job("by-hand").is_some());
    assert_eq!(taken(&lines), ["by hand 1", "by hand 2"]);
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_belongs_to_one_job() {
    let (jobs, ..) = started(|config| config).await;
    let taken = |error: jobs::SubmitError, name: &str| {
        assert!(error.is_bad_name(), "{error}");
        let message = format!("the name `{name}` belongs to another job; give this one a name of its own");
        assert_eq!(error.to_string(), message);
    };
    // A linked job, whose name is taken before it is ever submitted.
    taken(jobs.now(func("send", || async {})).await.unwrap_err(), "send");
    taken(jobs.after(SECOND, func("send", || async {})).await.unwrap_err(), "send");
    taken(jobs.schedule("@daily", func("look", || async {})).await.unwrap_err(), "look");
    // By an alias too: `run_now` would start the other one.
    taken(jobs.now(func("post", || async {})).await.unwrap_err(), "post");
    // A hand-written one.
    jobs.now(ByHand(1)).await.unwrap();
    taken(jobs.now(Impostor).await.unwrap_err(), "by-hand");
    taken(jobs.now(func("by-hand", || async {})).await.unwrap_err(), "by-hand");
    // A closure's name is shared by closures alone.
    jobs.now(func("mine", || async {})).await.unwrap();
    jobs.now(func("mine", || async {})).await.unwrap();
    assert_eq!(jobs.snapshot().jobs.iter().filter(|job| job.name == "mine").count(), 1);
    // What was refused is not there.
    assert!(jobs.snapshot().job("send").unwrap().delayed == 0);
    jobs.shutdown().await;

    let (jobs, ..) = started(|config| config).await;
    jobs.now(func("by-hand", || async {})).await.unwrap();
    taken(jobs.now(ByHand(1)).await.unwrap_err(), "by-hand");
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_name_that_cannot_be_one_is_refused() {
    let (jobs, ..) = started(|config| config).await;
    let error = jobs.now(BadName).await.unwrap_err();
    assert!(error.is_bad_name() && error.to_string().contains("Bad.Name"), "{error}");
    for name in ["", "Nightly", "a.b", "a b", "ä", "a\nb"] {
        let error = jobs.now(func(name, || async {})).await.unwrap_err();
        assert!(error.is_bad_name(), "{name}: {error}");
        assert!(error.to_string().contains("job name"), "{name}: {error}");
    }
    for name in ["a", "nightly-2", "a_b", "0"] {
        jobs.now(func(name, || async {})).await.unwrap();
    }
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_closure_returns_what_a_function_may() {
    let (jobs, ..) = started(|config| config).await;
    let outcome = async |job| jobs.now(job).await.unwrap().wait().await;
    assert_eq!(outcome(func("unit", || async {})).await, Outcome::Succeeded);
    assert_eq!(outcome(func("value", || async { Ok::<_, String>(3) })).await, Outcome::Succeeded);
    let failing = func("error", || async { Err::<(), _>("text") });
    assert_eq!(outcome(failing).await, Outcome::Failed("text".into()));
    jobs.shutdown().await;
}

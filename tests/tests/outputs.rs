//! What a run gives: the value in `Ok`, read back as any type that fits its JSON.

mod support;

use std::collections::HashMap;
use std::io;
use std::rc::Rc;

use jobs::{BoxError, Job, JobContext, JobResult, Jobs, Outcome, func, job};
use serde::{Deserialize, Serialize};
use support::{clock, config};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Invoice {
    number: u64,
    lines: Vec<String>,
}

#[job]
async fn invoice(number: u64) -> Result<Invoice, io::Error> {
    Ok(Invoice { number, lines: vec!["tea".into(), "cake".into()] })
}

#[job]
fn invoice_fn(number: u64) -> Result<Invoice, io::Error> {
    Ok(Invoice { number, lines: Vec::new() })
}

#[job(retries = 2, backoff = "1s")]
async fn third_time(cx: &JobContext) -> Result<u32, BoxError> {
    if cx.attempt() < 3 { Err("not yet".into()) } else { Ok(cx.attempt()) }
}

#[job(retries = 0)]
async fn fails() -> Result<u32, BoxError> {
    Err("no".into())
}

#[job]
async fn nothing() {}

#[job]
async fn unit() -> Result<(), io::Error> {
    Ok(())
}

/// No `Serialize`.
struct Opaque;

#[job]
async fn opaque() -> Result<Opaque, io::Error> {
    Ok(Opaque)
}

#[job]
fn not_send() -> Result<Rc<u8>, io::Error> {
    Ok(Rc::new(7))
}

#[job]
async fn large() -> Result<String, io::Error> {
    Ok("x".repeat(100_000))
}

#[job]
async fn no_json() -> Result<HashMap<(u8, u8), u8>, io::Error> {
    Ok(HashMap::from([((1, 2), 3)]))
}

struct Panics;

impl Serialize for Panics {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        panic!("it is not to be written")
    }
}

#[job]
async fn panics_in_writing() -> Result<Panics, io::Error> {
    Ok(Panics)
}

#[job]
async fn text() -> Result<&'static str, io::Error> {
    Ok("tea")
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ByHand;

impl Job for ByHand {
    const NAME: &'static str = "by_hand";

    async fn run(self, cx: JobContext) -> JobResult {
        cx.output("first");
        cx.output(&[1, 2, 3]);
        Ok(())
    }
}

async fn start() -> Jobs {
    let clock = clock("2026-03-02 12:00:00");
    jobs::start(config(&clock)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn the_value_in_ok_is_kept() {
    let jobs = start().await;
    let run = jobs.now(invoice { number: 7 }).await.unwrap();
    let lines = vec!["tea".to_owned(), "cake".to_owned()];
    assert_eq!(run.output::<Invoice>().await, Ok(Invoice { number: 7, lines }));
    assert_eq!(run.output::<Invoice>().await.unwrap().number, 7, "asked again");

    /// Of another version of the program.
    #[derive(Debug, Deserialize)]
    struct Part {
        number: u64,
    }
    assert_eq!(run.output::<Part>().await.unwrap().number, 7);
    assert_eq!(run.output::<serde_json::Value>().await.unwrap()["lines"][1], "cake");
    let error = run.output::<bool>().await.unwrap_err();
    assert!(
        error.is_other_type() && error.to_string().starts_with("what the run gave is no `bool`"),
        "{error}"
    );

    let run = jobs.now(invoice_fn { number: 8 }).await.unwrap();
    assert_eq!(run.output::<Invoice>().await.unwrap().number, 8);
    let run = jobs.now(third_time {}).await.unwrap();
    assert_eq!(run.output::<u32>().await, Ok(3));
    let run = jobs.now(text {}).await.unwrap();
    assert_eq!(run.output::<String>().await.as_deref(), Ok("tea"));
    let run = jobs.now(ByHand).await.unwrap();
    assert_eq!(run.output::<Vec<u8>>().await, Ok(vec![1, 2, 3]));
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_did_not_succeed_says_what_it_came_to() {
    let jobs = start().await;
    let run = jobs.now(fails {}).await.unwrap();
    let error = run.output::<u32>().await.unwrap_err();
    assert_eq!(error.outcome(), Some(&Outcome::Failed("no".into())));
    assert_eq!(error.to_string(), "the run did not succeed and gave nothing: failed: no");
    let run = jobs.after(support::DAY, nothing {}).await.unwrap();
    assert!(run.cancel().await);
    assert_eq!(
        run.output::<()>().await.unwrap_err().to_string(),
        "the run did not succeed and gave nothing: cancelled"
    );
    jobs.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_changes_nothing_else() {
    let jobs = start().await;
    for (run, why) in [
        (jobs.now(nothing {}).await, "returns no value"),
        (jobs.now(opaque {}).await, "not `Serialize`"),
        (jobs.now(not_send {}).await, "not `Serialize`"),
        (jobs.now(large {}).await, "more than 64 KiB"),
        (jobs.now(no_json {}).await, "as JSON it cannot be written: key must be a string"),
        (jobs.now(panics_in_writing {}).await, "no value"),
        (jobs.now(func("closure", || async { Ok::<_, io::Error>(7) })).await, "no value"),
    ] {
        let run = run.unwrap();
        assert_eq!(run.wait().await, Outcome::Succeeded, "{why}");
        let error = run.output::<u32>().await.unwrap_err();
        assert!(error.is_not_kept() && error.to_string().contains(why), "{error}");
    }
    for run in [jobs.now(nothing {}).await, jobs.now(unit {}).await] {
        assert_eq!(run.unwrap().output::<()>().await, Ok(()));
    }
    jobs.shutdown().await;
}

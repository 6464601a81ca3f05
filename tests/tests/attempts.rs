//! What is kept of every attempt: the errors one by one, the panic with its place, what the job said, and no more of it
//! than can be kept.

mod support;

use std::fmt;
use std::time::Duration;

use jobs::{BoxError, Config, JobContext, Jobs, Outcome, job};
use support::{clock, config};

#[derive(Debug)]
struct Layer(&'static str, Option<Box<Layer>>);

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for Layer {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.1.as_deref().map(|source| source as _)
    }
}

#[job(retries = 4, backoff = "1s")]
async fn troubled(cx: &JobContext) -> Result<(), BoxError> {
    match cx.attempt() {
        1 => {
            Err(Layer("no mail", Some(Box::new(Layer("no route", Some(Box::new(Layer("no cable", None)))))))
                .into())
        }
        2 => panic!("the cable burns"),
        3 => Err(jobs::retry_in(Duration::from_secs(90)).into()),
        4 => Err("x".repeat(100_000).into()),
        _ => {
            cx.discard("there is no cable");
            Err("enough".into())
        }
    }
}

async fn start(config: Config) -> Jobs {
    jobs::start(config).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn every_attempt_tells_its_errors_its_panic_and_what_the_job_said() {
    let clock = clock("2026-03-02 12:00:00");
    let jobs = start(config(&clock)).await;
    let run = jobs.now(troubled {}).await.unwrap();
    assert_eq!(run.wait().await, Outcome::Discarded("there is no cable".into()));
    let attempts = run.attempts();
    assert!(attempts.iter().map(|attempt| attempt.number).eq(1..=5));

    assert_eq!(attempts[0].outcome, Outcome::Failed("no mail: no route: no cable".into()));
    assert_eq!(attempts[0].chain, ["no mail", "no route", "no cable"]);
    assert_eq!((&attempts[0].location, &attempts[0].backtrace), (&None, &None));

    assert_eq!(attempts[1].outcome, Outcome::Panicked("the cable burns".into()));
    assert!(attempts[1].chain.is_empty());
    assert!(attempts[1].location.as_ref().unwrap().contains("attempts.rs:"), "{:?}", attempts[1].location);
    let backtrace = attempts[1].backtrace.as_ref().unwrap();
    assert!(backtrace.contains("attempts.rs:"), "{backtrace}");

    assert_eq!(attempts[2].retry_in, Some(Duration::from_secs(90)));
    assert_eq!((attempts[3].started_at - attempts[2].finished_at).num_seconds(), 90);

    let message = attempts[3].outcome.message().unwrap();
    assert!(message.starts_with("xxx") && message.ends_with("xxx… (cut: it had 100000 bytes)"), "{message}");
    assert!(message.len() < 9000, "{}", message.len());

    assert_eq!(attempts[4].outcome, Outcome::Failed("enough".into()));
    assert_eq!(attempts[4].discarded.as_deref(), Some("there is no cable"));
    jobs.shutdown().await;
}

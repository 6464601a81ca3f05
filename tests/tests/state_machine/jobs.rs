//! The jobs of a walk: one for each overlap policy, which do what they are told and write it down.

use std::time::Duration;

use jobs::{BoxError, JobContext, job};
use serde::{Deserialize, Serialize};

use crate::book::{Book, End};

/// What an attempt does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Script {
    /// So many attempts fail.
    pub(crate) fails: u32,
    pub(crate) how: How,
    pub(crate) takes: Duration,
    /// The tag of its schedule, where that is of cron.
    pub(crate) cron: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum How {
    Error,
    Panic,
    RetryIn,
    Discard,
}

/// So that `run_now` finds a value.
impl Default for Script {
    fn default() -> Self {
        Self { fails: 0, how: How::Error, takes: Duration::from_secs(2), cron: None }
    }
}

async fn work(book: &Book, cx: &JobContext, script: Script) -> Result<(), BoxError> {
    let page = book.begin(cx, script.cron);
    tokio::time::sleep(script.takes).await;
    if cx.attempt() > script.fails {
        page.end(End::Ok);
        return Ok(());
    }
    if script.how == How::Panic {
        page.end(End::Panic);
        panic!("attempt {}", cx.attempt());
    }
    page.end(End::Err);
    match script.how {
        How::RetryIn => Err(cx.retry_in(Duration::from_millis(700)).into()),
        How::Discard => Err(cx.discard("given up").into()),
        _ => Err("failed".into()),
    }
}

pub(crate) const RETRIES: u32 = 2;
pub(crate) const TIMEOUT: Duration = Duration::from_secs(15);

#[job(overlap = "buffer_one", retries = 2, backoff = "1s..3s", timeout = "15s")]
pub(crate) async fn buffer_one(
    #[state] book: &Book,
    cx: &JobContext,
    #[default] script: Script,
) -> Result<(), BoxError> {
    work(book, cx, script).await
}

#[job(overlap = "buffer_all", retries = 2, backoff = "1s..3s", timeout = "15s")]
pub(crate) async fn buffer_all(
    #[state] book: &Book,
    cx: &JobContext,
    #[default] script: Script,
) -> Result<(), BoxError> {
    work(book, cx, script).await
}

#[job(overlap = "skip", retries = 2, backoff = "1s..3s", timeout = "15s")]
pub(crate) async fn skip(
    #[state] book: &Book,
    cx: &JobContext,
    #[default] script: Script,
) -> Result<(), BoxError> {
    work(book, cx, script).await
}

#[job(overlap = "allow", retries = 2, backoff = "1s..3s", timeout = "15s")]
pub(crate) async fn allow(
    #[state] book: &Book,
    cx: &JobContext,
    #[default] script: Script,
) -> Result<(), BoxError> {
    work(book, cx, script).await
}

#[job(overlap = "cancel_other", retries = 2, backoff = "1s..3s", timeout = "15s")]
pub(crate) async fn cancel_other(
    #[state] book: &Book,
    cx: &JobContext,
    #[default] script: Script,
) -> Result<(), BoxError> {
    work(book, cx, script).await
}

pub(crate) const JOBS: [&str; 5] = ["allow", "buffer_all", "buffer_one", "cancel_other", "skip"];

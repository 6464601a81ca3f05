//! The jobs of the suite.

use std::time::Duration;

use jobs::{BoxError, JobContext, job};

use crate::fixture::Diary;

/// Writes down its tag.
#[job]
pub(crate) async fn note(#[state] diary: &Diary, #[default = "note"] tag: String) {
    diary.note(tag);
}

/// Writes down its beginning and its end, with the second of its slot where it has one.
#[job]
pub(crate) async fn work(
    #[state] diary: &Diary,
    cx: &JobContext,
    #[default = "work"] tag: String,
    #[default = Duration::from_secs(24)] takes: Duration,
) {
    let tag = cx.slot().map_or(tag, |slot| slot.format("%M:%S").to_string());
    diary.note(format!("begin {tag} {}", cx.started_at().format("%M:%S")));
    let page = Page { diary: diary.clone(), tag: Some(tag), end: "dropped" };
    tokio::time::sleep(takes).await;
    page.end();
}

/// Writes down the hour of its slot, with a `+` where it is made up for.
#[job(overlap = "allow")]
pub(crate) async fn watch(#[state] diary: &Diary, cx: &JobContext) -> Result<(), BoxError> {
    let hour = cx.slot().ok_or("it has a slot")?.format("%H");
    diary.note(format!("{hour}{}", if cx.is_catch_up() { "+" } else { "" }));
    Ok(())
}

struct Page {
    diary: Diary,
    tag: Option<String>,
    end: &'static str,
}

impl Page {
    fn end(mut self) {
        self.end = "end";
    }
}

impl Drop for Page {
    fn drop(&mut self) {
        self.diary.note(match &self.tag {
            Some(tag) => format!("{} {tag}", self.end),
            None => self.end.to_owned(),
        });
    }
}

/// Writes down its attempts, and fails but for the last of so many.
#[job(retries = 3, backoff = "1s..10s")]
pub(crate) async fn flaky(
    #[state] diary: &Diary,
    cx: &JobContext,
    how: String,
    #[default = 3] succeeds: u32,
) -> Result<(), BoxError> {
    diary.note(format!("{how} {}", cx.attempt()));
    if cx.attempt() >= succeeds {
        return Ok(());
    }
    match how.as_str() {
        "panic" => panic!("attempt {}", cx.attempt()),
        "retry_in" => Err(cx.retry_in(Duration::from_secs(77)).into()),
        "discard" => Err(cx.discard("no use").into()),
        "slow" => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(())
        }
        _ => Err(format!("attempt {}", cx.attempt()).into()),
    }
}

/// Fails twice and then goes on for an hour.
#[job(retries = 3, backoff = "1s..10s")]
pub(crate) async fn stubborn(#[state] diary: &Diary, cx: &JobContext) -> Result<(), BoxError> {
    if cx.attempt() < 3 {
        diary.note("fails");
        return Err("not yet".into());
    }
    let page = Page { diary: diary.clone(), tag: None, end: "dropped" };
    diary.note("begin");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    page.end();
    Ok(())
}

/// Tried once.
#[job(retries = 0, timeout = "5s")]
pub(crate) async fn once(how: String) -> Result<(), BoxError> {
    match how.as_str() {
        "error" => {
            let source = std::io::Error::other("the cause");
            Err(source.into())
        }
        "panic" => panic!("a panic"),
        _ => {
            tokio::time::sleep(Duration::from_secs(6)).await;
            Ok(())
        }
    }
}

#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Order {
    pub(crate) lines: Vec<(String, u32)>,
    pub(crate) note: Option<String>,
}

/// All kinds of arguments.
#[job]
pub(crate) async fn ship(#[state] diary: &Diary, order: Order, weight: f64, fragile: bool) {
    diary.note(format!("{order:?} {weight} {fragile}"));
}

/// Gives something back.
#[job]
pub(crate) async fn add(one: u64, other: u64) -> Result<u64, BoxError> {
    one.checked_add(other).ok_or_else(|| "too much".into())
}

/// Submits another.
#[job]
pub(crate) async fn parent() -> Result<(), BoxError> {
    jobs::now(note { tag: "child".into() }).await?;
    Ok(())
}

#[job(startup = "blocking", order = 2)]
pub(crate) async fn second(#[state] diary: &Diary) {
    diary.note("second begins");
    tokio::time::sleep(Duration::from_secs(1)).await;
    diary.note("second ends");
}

#[job(startup = "blocking", order = 1)]
pub(crate) async fn first(#[state] diary: &Diary) -> Result<(), BoxError> {
    diary.note("first begins");
    jobs::now(note { tag: "submitted by first".into() }).await?.wait().await;
    diary.note("first ends");
    Ok(())
}

#[job(startup = "blocking", order = 3)]
pub(crate) async fn broken() -> Result<(), BoxError> {
    Err("no database".into())
}

#[job(startup)]
pub(crate) async fn warm(#[state] diary: &Diary) {
    diary.note("warm begins");
    tokio::time::sleep(Duration::from_secs(3600)).await;
    diary.note("warm ends");
}

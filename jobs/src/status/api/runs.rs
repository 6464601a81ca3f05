//! Runs, as JSON.

use axum::extract::Path;
use axum::response::Response;

use super::answer::{Answer, Failure, answered};
use super::records::Run;
use crate::job::RunId;
use crate::status::pages::runs::asked;
use crate::status::screen::Screen;

/// The most that one answer lists.
const MOST: usize = 1000;

pub(super) async fn list(screen: Screen) -> Response {
    answered(found(&screen).await)
}

async fn found(screen: &Screen) -> Answer<Vec<Run>> {
    let limit = match screen.query.get("limit") {
        None => 100,
        Some(limit) => {
            let read = limit.parse::<usize>().ok().filter(|limit| (1..=MOST).contains(limit));
            read.ok_or_else(|| Failure::bad_request(format!("`limit` is a whole number from 1 to {MOST}")))?
        }
    };
    let query = asked(screen.page.jobs.runs(), &screen.query).map_err(Failure::bad_request)?;
    Ok(query.limit(limit).list().await.iter().map(Run::from).collect())
}

pub(super) async fn one(Path(id): Path<String>, screen: Screen) -> Response {
    answered(of(&id, &screen).await)
}

async fn of(id: &str, screen: &Screen) -> Answer<Run> {
    let run = screen.page.jobs.run(self::id(id)?).await;
    run.as_ref().map(Run::from).ok_or_else(|| Failure::not_found("no run has this identity"))
}

/// A text that is no identity is the identity of nothing.
pub(super) fn id(text: &str) -> Answer<RunId> {
    text.parse().map_err(|error| Failure::not_found(format!("{error}")))
}

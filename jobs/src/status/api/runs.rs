//! Runs, as JSON.

use axum::extract::Path;
use axum::http::HeaderValue;
use axum::http::header::LINK;
use axum::response::{IntoResponse, Response};

use super::answer::{Answer, Failure, answered};
use super::records::Run;
use crate::job::RunId;
use crate::runtime::Part;
use crate::status::pages::runs::{LOOKS, asked};
use crate::status::screen::Screen;

/// The most that one answer lists.
const MOST: usize = 1000;

pub(super) async fn list(screen: Screen) -> Response {
    match found(&screen).await {
        Ok((found, go_on)) => {
            let mut response = answered(Ok(found));
            if let Some(link) = go_on.and_then(|before| next(&screen, before)) {
                response.headers_mut().insert(LINK, link);
            }
            response
        }
        Err(failure) => failure.into_response(),
    }
}

/// Where an answer goes on that has stopped before all runs were looked at.
fn next(screen: &Screen, before: RunId) -> Option<HeaderValue> {
    const ALL: [&str; 8] = ["job", "state", "queue", "text", "from", "to", "limit", "before"];
    let query = screen.query.with(&ALL, "before", &before.to_string());
    HeaderValue::try_from(format!("<{}{query}>; rel=\"next\"", screen.base.to("api/runs"))).ok()
}

async fn found(screen: &Screen) -> Answer<(Vec<Run>, Option<RunId>)> {
    let limit = match screen.query.get("limit") {
        None => 100,
        Some(limit) => {
            let read = limit.parse::<usize>().ok().filter(|limit| (1..=MOST).contains(limit));
            read.ok_or_else(|| Failure::bad_request(format!("`limit` is a whole number from 1 to {MOST}")))?
        }
    };
    let query = asked(screen.page.jobs.runs(), &screen.query).map_err(Failure::bad_request)?;
    let Part { runs, next, error } = query.limit(limit).part(LOOKS).await;
    if error.is_some() {
        return Err(Failure::silent());
    }
    Ok((runs.iter().map(Run::from).collect(), next))
}

pub(super) async fn one(Path(id): Path<String>, screen: Screen) -> Response {
    answered(of(&id, &screen).await)
}

async fn of(id: &str, screen: &Screen) -> Answer<Run> {
    match screen.page.jobs.run(self::id(id)?).await {
        Some(run) => Ok(Run::from(&run)),
        None => Err(Failure::no_run(&screen.page.jobs).await),
    }
}

/// A text that is no identity is the identity of nothing.
pub(super) fn id(text: &str) -> Answer<RunId> {
    text.parse().map_err(|error| Failure::not_found(format!("{error}")))
}

//! What a program can do by the API. The body is JSON, which no form of another site can send without asking first.

use axum::body::Bytes;
use axum::extract::Path;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::answer::{Answer, Failure, json};
use super::records::{Done, Made};
use crate::status::screen::Screen;
use crate::telemetry;

/// The body, which has to say that it is JSON and to be an object.
pub(super) fn object(headers: &HeaderMap, body: &Bytes) -> Answer<Value> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "the body is sent with `content-type: application/json`",
        ));
    }
    let value =
        if body.is_empty() { Ok(Value::Object(Default::default())) } else { serde_json::from_slice(body) };
    match value {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err(Failure::bad_request("the body is a JSON object: `{}`")),
        Err(error) => Err(Failure::bad_request(format!("the body is not JSON: {error}"))),
    }
}

pub(super) async fn job(
    Path((job, action)): Path<(String, String)>,
    screen: Screen,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let said = match object(&headers, &body) {
        Ok(said) => said,
        Err(failure) => return failure.into_response(),
    };
    let jobs = &screen.page.jobs;
    let who = screen.visitor.to_string();
    let run = async || match said.get("arguments") {
        Some(arguments) => jobs.run_with_for(&job, &arguments.to_string(), Some(&who)).await,
        None => jobs.run_now_for(&job, Some(&who)).await,
    };
    let done = match action.as_str() {
        "run" => run().await.map(|run| json(StatusCode::OK, &Made { run: run.id().to_string() })),
        "pause" => jobs.pause(&job).await.map(|()| done("paused")),
        "resume" => jobs.resume(&job).await.map(|()| done("resumed")),
        _ => return Failure::not_found("the actions are `run`, `pause` and `resume`").into_response(),
    };
    match done {
        Ok(response) => {
            telemetry::steered(&screen.visitor, &action, &job);
            response
        }
        Err(error) => Failure::from(error).into_response(),
    }
}

pub(super) async fn run(
    Path((run, action)): Path<(String, String)>,
    screen: Screen,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let done = match object(&headers, &body) {
        Ok(_) => steer_run(&run, &action, &screen).await,
        Err(failure) => Err(failure),
    };
    match done {
        Ok(response) => {
            telemetry::steered(&screen.visitor, &action, &run);
            response
        }
        Err(failure) => failure.into_response(),
    }
}

async fn steer_run(run: &str, action: &str, screen: &Screen) -> Answer<Response> {
    let jobs = &screen.page.jobs;
    match action {
        "cancel" => {
            let id = super::runs::id(run)?;
            if jobs.run(id).await.is_none() {
                return Err(Failure::no_run(jobs).await);
            }
            match jobs.try_cancel(id).await? {
                true => Ok(done("cancelled")),
                false => Err(Failure::new(StatusCode::CONFLICT, "the run has ended already")),
            }
        }
        "retry" => {
            let made = jobs.retry_for(super::runs::id(run)?, Some(&screen.visitor.to_string())).await?;
            Ok(json(StatusCode::OK, &Made { run: made.id().to_string() }))
        }
        _ => Err(Failure::not_found("the actions are `cancel` and `retry`")),
    }
}

pub(super) async fn queue(
    Path((queue, action)): Path<(String, String)>,
    screen: Screen,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Err(failure) = object(&headers, &body) {
        return failure.into_response();
    }
    let jobs = &screen.page.jobs;
    let (steered, word) = match action.as_str() {
        "pause" => (jobs.pause_queue(&queue).await, "paused"),
        "resume" => (jobs.resume_queue(&queue).await, "resumed"),
        _ => return Failure::not_found("the actions are `pause` and `resume`").into_response(),
    };
    match steered {
        Ok(()) => {
            telemetry::steered(&screen.visitor, &action, &format!("queue {queue}"));
            done(word)
        }
        Err(error) => Failure::from(error).into_response(),
    }
}

fn done(word: &str) -> Response {
    json(StatusCode::OK, &Done { done: word.to_owned() })
}

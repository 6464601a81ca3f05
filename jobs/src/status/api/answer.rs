//! Answers in JSON.

use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::records::Problem;
use crate::runtime::{Jobs, SubmitError};
use crate::status::pages::SILENT;

/// Why a request was not done.
#[derive(Debug)]
pub(super) struct Failure {
    status: StatusCode,
    error: String,
}

impl Failure {
    pub(super) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self { status, error: error.into() }
    }

    pub(super) fn bad_request(error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error)
    }

    pub(super) fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }
}

impl Failure {
    /// The store may not answer, or there is no such run.
    pub(super) async fn no_run(jobs: &Jobs) -> Self {
        match jobs.is_store_silent().await {
            true => Self::silent(),
            false => Self::not_found("no run has this identity"),
        }
    }

    pub(super) fn silent() -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, SILENT.to_lowercase())
    }
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        let unknown = error.is_unknown_job() || error.is_unknown_run() || error.is_unknown_queue();
        let status = match unknown {
            true => StatusCode::NOT_FOUND,
            false if error.is_bad_arguments() => StatusCode::BAD_REQUEST,
            false if error.is_not_written() || error.is_not_answered() => StatusCode::SERVICE_UNAVAILABLE,
            false => StatusCode::CONFLICT,
        };
        Self::new(status, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        json(self.status, &Problem { error: self.error })
    }
}

pub(super) fn json(status: StatusCode, value: &impl Serialize) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => {
            (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, error.to_string()).into_response(),
    }
}

/// What an endpoint gives: a record, or why not.
pub(super) type Answer<T> = Result<T, Failure>;

/// With the status that the document names for it.
pub(super) fn answered<T: Serialize>(answer: Answer<T>) -> Response {
    match answer {
        Ok(value) => json(StatusCode::OK, &value),
        Err(failure) => failure.into_response(),
    }
}

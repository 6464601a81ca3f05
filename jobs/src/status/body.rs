//! What a request brings along: all of it before anybody looks at it, within bounds of size and time.

use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::time::timeout;

/// What a form may send: arguments of a job, or the runs that were chosen.
pub(super) const LONGEST: usize = 256 * 1024;
/// How long it may take to arrive.
const PATIENCE: Duration = Duration::from_secs(30);

/// Hands on a request with its body, which is as long as the layers before allow.
pub(super) async fn whole(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let head = parts.clone();
    match timeout(PATIENCE, Bytes::from_request(Request::from_parts(head, body), &())).await {
        Ok(Ok(bytes)) => next.run(Request::from_parts(parts, Body::from(bytes))).await,
        Ok(Err(refused)) => refused.into_response(),
        Err(_) => (StatusCode::REQUEST_TIMEOUT, "the body did not arrive within 30 s\n").into_response(),
    }
}

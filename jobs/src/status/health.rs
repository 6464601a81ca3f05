//! For probes: well or not, and no more, since everybody may ask.

use axum::extract::State;
use axum::http::StatusCode;

use super::Page;

pub(super) async fn health(State(page): State<Page>) -> (StatusCode, &'static str) {
    if page.jobs.health().is_ok() {
        (StatusCode::OK, "ok\n")
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, "not ok\n")
    }
}

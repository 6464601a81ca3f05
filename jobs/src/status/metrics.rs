//! What the program has measured, for Prometheus.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use crate::hooks::prometheus;

const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) async fn metrics() -> Response {
    match prometheus::text() {
        Some(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        None => {
            let why = "the program has installed a recorder of its own, which has what is measured\n";
            (StatusCode::NOT_FOUND, why).into_response()
        }
    }
}

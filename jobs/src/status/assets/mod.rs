//! The one style sheet and the one script, in the binary.

use axum::extract::Path;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("page.js");
const ICON: &str = include_str!("icon.svg");

/// A browser asks again after a new version only: its name is part of the address.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", STYLE),
        "page.js" => ("text/javascript; charset=utf-8", SCRIPT),
        "icon.svg" => ("image/svg+xml", ICON),
        _ => return StatusCode::NOT_FOUND.into_response(),
    };
    // Not for ever: during development the version stays.
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, "private, max-age=300")];
    (headers.map(|(name, value)| (name, HeaderValue::from_static(value))), text).into_response()
}

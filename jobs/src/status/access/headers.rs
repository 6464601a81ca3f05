//! What every answer tells the browser about what it may do with it.

use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, HeaderMap, HeaderName};

const HEADERS: [(&str, &str); 8] = [
    // Nothing of ours is inline, and nothing of others' is loaded.
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
    // Nothing to other sites. To ourselves, since with `no-referrer` a browser hides its `Origin` from us too.
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("x-robots-tag", "noindex, nofollow"),
];

pub(super) fn secure(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Assets have their own word on it.
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

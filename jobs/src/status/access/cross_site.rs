//! Requests that steer, made by another site in the reader's browser.

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;

use super::client::Client;
use super::host::is_origin_of;

/// Whether the browser says that the request was made by a page of ours. What says nothing is no browser, or an old
/// one, and has to know the token of the form.
pub(super) fn is_ours(request: &Parts, client: Client) -> bool {
    let headers = &request.headers;
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let same_origin = match (sites.next(), sites.next()) {
        (None, _) => None,
        (Some(only), None) if only == "same-origin" => Some(true),
        _ => return false,
    };
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin = match (origins.next().map(|origin| origin.to_str()), origins.next()) {
        (None, _) => return true,
        (Some(Ok(only)), None) => only,
        _ => return false,
    };
    if origin == "null" {
        // Some browsers leave the origin out for privacy, and say beside it that it is the same.
        return same_origin == Some(true);
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri.authority().map(|authority| authority.as_str()));
    // A trusted proxy may call us by another name than the browser called it.
    let forwarded = headers.get("x-forwarded-host").and_then(|host| host.to_str().ok());
    let forwarded = forwarded.filter(|_| client.is_proxied());
    host.into_iter().chain(forwarded).any(|host| is_origin_of(origin, host))
}

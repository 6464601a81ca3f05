//! Requests that steer, made by another site in the reader's browser.

use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;

use super::client::Client;
use super::host::is_origin_of;

/// Who has made a request that steers, as far as the browser says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MadeBy {
    /// A page of ours: no page of another site can have the browser say that.
    Ours,
    Another,
    /// The browser does not say it, or it is none. Whoever sends a form has to know the token in it.
    Unknown,
}

pub(super) fn made_by(request: &Parts, client: Client) -> MadeBy {
    let headers = &request.headers;
    let mut sites = headers.get_all("sec-fetch-site").iter();
    let same_origin = match (sites.next(), sites.next()) {
        (None, _) => false,
        (Some(only), None) if only == "same-origin" => true,
        _ => return MadeBy::Another,
    };
    let mut origins = headers.get_all(ORIGIN).iter();
    let origin = match (origins.next().map(|origin| origin.to_str()), origins.next()) {
        (None, _) if same_origin => return MadeBy::Ours,
        (None, _) => return MadeBy::Unknown,
        (Some(Ok(only)), None) => only,
        _ => return MadeBy::Another,
    };
    if origin == "null" {
        // Some browsers leave the origin out for privacy, and say beside it that it is the same.
        return if same_origin { MadeBy::Ours } else { MadeBy::Another };
    }
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let host = host.or_else(|| request.uri.authority().map(|authority| authority.as_str()));
    // A trusted proxy may call us by another name than the browser called it.
    let forwarded = headers.get("x-forwarded-host").and_then(|host| host.to_str().ok());
    let forwarded = forwarded.filter(|_| client.is_proxied());
    let is_ours = host.into_iter().chain(forwarded).any(|host| is_origin_of(origin, host));
    if is_ours { MadeBy::Ours } else { MadeBy::Another }
}

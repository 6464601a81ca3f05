//! What stands around every page.

use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use super::parts;
use crate::status::assets::VERSION;
use crate::status::format;
use crate::status::notice;
use crate::status::screen::Screen;

/// The tabs, by the path below the root.
const TABS: [(&str, &str); 4] =
    [("", "Jobs"), ("runs", "Runs"), ("schedules", "Schedules"), ("pool", "Pool")];

/// A whole page. `tab` is the path of the tab that it belongs to.
pub(super) fn page(screen: &Screen, tab: &str, title: &str, body: Markup) -> Response {
    let base = &screen.base;
    let asset = |name: &str| format!("{}?v={VERSION}", base.to(&format!("assets/{name}")));
    let now = screen.page.jobs.wall_time();
    let page = html! {
        (DOCTYPE)
        html lang="en" data-now=(format::iso(now)) data-events=(base.to("events")) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (title) " · jobs" }
                link rel="icon" type="image/svg+xml" href=(asset("icon.svg"));
                link rel="stylesheet" href=(asset("style.css"));
                script src=(asset("page.js")) defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    div.bar {
                        a.mark href=(base.root()) {
                            img src=(asset("icon.svg")) alt="" width="22" height="22";
                            span { "jobs" }
                        }
                        nav aria-label="Main" {
                            @for (path, name) in TABS {
                                @let to = if path.is_empty() { base.root().to_owned() } else { base.to(path) };
                                a href=(to) aria-current=[(path == tab).then_some("page")] { (name) }
                            }
                        }
                        span.live id="live" role="status" hidden { span.dot {} span.word { "Live" } }
                    }
                }
                main id="main" {
                    @if let Some(notice) = notice::of(screen) {
                        // Whoever comes from a button begins to read here.
                        div class=(format!("flash {}", notice.tone.class())) role="status" tabindex="-1" autofocus { (notice.text) }
                    }
                    div id="health" data-live="" role="alert" { (trouble(screen)) }
                    (body)
                }
                footer {
                    span { "jobs " (VERSION) }
                    span { "as of " (parts::at(now)) }
                    @if !screen.may_steer() { span { "read-only" } }
                    @if let Some(user) = &screen.visitor.user { span { "signed in as " (user) } }
                }
            }
        }
    };
    Html(page.into_string()).into_response()
}

/// What is wrong with the program itself, whatever page is looked at.
fn trouble(screen: &Screen) -> Markup {
    let health = screen.page.jobs.health();
    html! {
        @if !health.is_ok() {
            div.flash.bad {
                @for condition in &health.conditions {
                    p { "Since " (parts::at(condition.since)) ": " (condition.what) }
                }
            }
        }
    }
}

/// A page that says why something was not done.
pub(in crate::status) fn conflict(screen: &Screen, why: &str) -> Response {
    let body = html! {
        div.head { h1 { "Not done" } }
        (parts::nothing("Nothing was changed", why))
        p { a.button href=(screen.base.root()) { "All jobs" } }
    };
    let mut response = page(screen, "-", "Not done", body);
    *response.status_mut() = StatusCode::CONFLICT;
    response
}

/// A page that says what of an address or a form cannot be read.
pub(in crate::status) fn bad_request(screen: &Screen, why: &str) -> Response {
    let body = html! {
        div.head { h1 { "Not understood" } }
        (parts::nothing("Something cannot be read", why))
        p { a.button href=(screen.base.root()) { "All jobs" } }
    };
    let mut response = page(screen, "-", "Not understood", body);
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
}

/// A page that says that nothing is known, since the store does not answer.
pub(in crate::status) fn silent(screen: &Screen) -> Response {
    let body = html! {
        div.head { h1 { "No answer" } }
        (parts::nothing(SILENT, "What it holds is shown when it does again."))
        p { a.button href=(screen.base.root()) { "All jobs" } }
    };
    let mut response = page(screen, "-", "No answer", body);
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response
}

pub(in crate::status) const SILENT: &str = "The store does not answer";

/// A page that says that there is no such thing.
pub(in crate::status) fn not_found(screen: &Screen, what: &str) -> Response {
    let body = html! {
        div.head { h1 { "Not found" } }
        (parts::nothing(what, "It may have been renamed, or is not kept any more."))
        p { a.button href=(screen.base.root()) { "All jobs" } }
    };
    let mut response = page(screen, "-", "Not found", body);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

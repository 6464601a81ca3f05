//! The named schedules of the config, and who uses them.

use axum::response::Response;
use maud::html;

use super::parts;
use super::shell::page;
use crate::runtime::{JobSnapshot, ScheduleSnapshot};
use crate::status::paths::escaped;
use crate::status::screen::Screen;
use crate::status::upcoming::upcoming;

/// How many fire times are shown of each.
const FIRES: usize = 3;

pub(in crate::status) async fn schedules(screen: Screen) -> Response {
    let named = screen.page.jobs.named_schedules();
    let overview = screen.page.jobs.overview_here();
    let now = overview.taken_at;
    let used = overview.jobs.iter().filter(|job| job.has_named_schedule());
    let used = screen.page.jobs.in_full(&overview, used);
    let users = |name: &str| -> Vec<(&str, &ScheduleSnapshot)> {
        let of = |job: &'_ JobSnapshot| job.schedules.iter().position(|s| s.name.as_deref() == Some(name));
        used.iter().filter_map(|job| of(job).map(|at| (job.name.as_str(), &job.schedules[at]))).collect()
    };
    let body = html! {
        div.head {
            div {
                h1 { "Named schedules" }
                p.lead { "What the config calls " code { "cron.NAME" } ", and the jobs that go by it." }
            }
        }
        @if named.is_empty() {
            (parts::nothing("No schedule has a name", "Names are given in the section [cron] of the config."))
        } @else {
            div.card {
                table.list {
                    thead {
                        tr {
                            th scope="col" { "Name" }
                            th scope="col" { "Schedule" }
                            th scope="col" { "Used by" }
                            th scope="col" { "Next" }
                        }
                    }
                    tbody id="named" data-live="" {
                        @for (name, schedule) in &named {
                            @let users = users(name);
                            tr id=(format!("named-{name}")) {
                                th scope="row" data-label="Name" {
                                    span.name { (name) }
                                    div.place { (schedule.place) }
                                }
                                td data-label="Schedule" {
                                    @match users.first() {
                                        Some((_, used)) => div.words { (used.words) },
                                        None => @if let Some(words) = &schedule.words { div.words { (words) } },
                                    }
                                    @match (&schedule.spec, users.is_empty()) {
                                        (Some(spec), _) => div.spec { code { (spec) } },
                                        (None, true) => span.dim { "off" },
                                        // The words of who uses it say that.
                                        (None, false) => {},
                                    }
                                }
                                td data-label="Used by" {
                                    @if users.is_empty() { span.dim { "nobody" } }
                                    @for (job, _) in &users {
                                        div { a.name href=(screen.base.to(&format!("jobs/{}", escaped(job)))) { (job) } }
                                    }
                                }
                                td.num data-label="Next" {
                                    @match users.first() {
                                        Some((_, used)) => {
                                            @for fire in upcoming(used, FIRES) {
                                                div { (parts::when(fire.at.to_utc(), now)) }
                                            }
                                            @if used.next.is_none() { span.dim { "–" } }
                                        }
                                        None => span.dim { "–" },
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    };
    page(&screen, "schedules", "Named schedules", body)
}

//! The named schedules of the config, and who uses them.

use std::collections::BTreeMap;

use axum::response::Response;
use chrono::{DateTime, Utc};
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
                            @let alike = users.windows(2).all(|two| two[0].1.words == two[1].1.words);
                            tr id=(format!("named-{name}")) {
                                th scope="row" data-label="Name" {
                                    span.name { (name) }
                                    div.place { (schedule.place) }
                                }
                                td data-label="Schedule" {
                                    @match users.first() {
                                        Some((_, used)) if alike => div.words { (used.words) },
                                        _ => @if let Some(words) = &schedule.words { div.words { (words) } },
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
                                    @for (job, used) in &users {
                                        div {
                                            a.name href=(screen.base.to(&format!("jobs/{}", escaped(job)))) { (job) }
                                            @if let (false, Some(zone)) = (alike, &used.zone) { span.note { (zone) } }
                                        }
                                    }
                                }
                                td.num data-label="Next" {
                                    @let fires = next_of(&users);
                                    @for at in &fires { div { (parts::when(*at, now)) } }
                                    @if fires.is_empty() { span.dim { "–" } }
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

/// The next fire times of all who use a schedule, each in a zone of its own.
fn next_of(users: &[(&str, &ScheduleSnapshot)]) -> Vec<DateTime<Utc>> {
    let zones: BTreeMap<_, _> =
        users.iter().filter(|(_, used)| used.next.is_some()).map(|(_, used)| (&used.zone, *used)).collect();
    let all = zones.values().flat_map(|used| upcoming(used, FIRES)).map(|fire| fire.at.to_utc());
    let mut all: Vec<_> = all.collect();
    all.sort_unstable();
    all.dedup();
    all.truncate(FIRES);
    all
}

//! All jobs: what is wrong stands first.

use std::time::Duration;

use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::chart;
use super::parts::{self, Tone};
use super::shell::page;
use crate::job::RunState;
use crate::runtime::overview::{JobBrief, Overview};
use crate::runtime::{JobSnapshot, JobStatus, PreviousRun, ScheduleSnapshot};
use crate::status::figures;
use crate::status::format;
use crate::status::paths::escaped;
use crate::status::query::Query;
use crate::status::screen::Screen;

/// Of more, there is a next page.
const ON_A_PAGE: usize = 100;

const KEPT: [&str; 2] = ["q", "state"];

/// What the list can be narrowed to.
const FILTERS: [(&str, &str); 7] = [
    ("", "All"),
    ("problem", "Problems"),
    ("running", "Running"),
    ("queued", "Queued"),
    ("idle", "Idle"),
    ("paused", "Paused"),
    ("disabled", "Disabled"),
];

pub(in crate::status) async fn jobs(screen: Screen) -> Response {
    let jobs = &screen.page.jobs;
    let overview = jobs.overview().await;
    let now = overview.taken_at;
    let filter = screen.query.get("state").unwrap_or_default();
    let mut shown = narrowed(&overview, &screen.query).unwrap_or_default();
    shown.sort_by_key(|job| !job.is_problem());
    let pages = shown.len().div_ceil(ON_A_PAGE).max(1);
    let current = screen.query.page().min(pages);
    let rows = jobs.in_full(&overview, shown.iter().skip((current - 1) * ON_A_PAGE).take(ON_A_PAGE).copied());
    let names: Vec<&str> = rows.iter().map(|job| job.name.as_str()).collect();
    let ended = jobs.last_ended(&names, figures::RUNS).await;
    let body = html! {
        div.head {
            h1 { "Jobs" }
            (tiles(&overview))
        }
        (filters(&screen, &overview, filter))
        @if overview.jobs.is_empty() {
            (parts::nothing("No jobs yet", "A function with #[job] shows up here when the program is started."))
        } @else if shown.is_empty() {
            (parts::nothing("No job is like that", "Try another word, or look at all of them."))
        } @else {
            div.card {
                table.list.jobs {
                    thead {
                        tr {
                            th scope="col" { "Job" }
                            th scope="col" { "Schedule" }
                            th scope="col" { "State" }
                            th scope="col" { "Previous" }
                            th scope="col" { "Next" }
                            @if screen.may_steer() { th scope="col" { span.unseen { "Actions" } } }
                        }
                    }
                    tbody id="jobs" data-live="" {
                        @for (job, ended) in rows.iter().zip(&ended) { (row(&screen, job, ended, now)) }
                    }
                }
            }
            (parts::pager(&screen, &KEPT, current, pages))
        }
    };
    page(&screen, "", "Jobs", body)
}

/// The jobs that a query is about; none where it names a state that there is not.
pub(in crate::status) fn narrowed<'a>(overview: &'a Overview, query: &Query) -> Option<Vec<&'a JobBrief>> {
    let words = query.get("q").unwrap_or_default().to_lowercase();
    let filter = query.get("state").unwrap_or_default();
    if FILTERS.iter().all(|(known, _)| *known != filter) {
        return None;
    }
    Some(overview.jobs.iter().filter(|job| is_in(job, filter) && speaks_of(job, &words)).collect())
}

fn is_in(job: &JobBrief, filter: &str) -> bool {
    match filter {
        "problem" => job.is_problem(),
        "running" => job.running > 0,
        "queued" => job.queued > 0,
        "idle" => job.status == JobStatus::Idle && job.enabled && !job.paused,
        "paused" => job.paused,
        "disabled" => !job.enabled,
        _ => true,
    }
}

fn speaks_of(job: &JobBrief, words: &str) -> bool {
    let place = || job.place().map(|place| place.to_string()).unwrap_or_default();
    words.is_empty()
        || job.name.contains(words)
        || job.description().to_lowercase().contains(words)
        || place().to_lowercase().contains(words)
        || job.schedules.iter().any(|schedule| schedule.speaks_of(words))
}

fn tiles(overview: &Overview) -> Markup {
    let now = overview.taken_at;
    let problems = overview.jobs.iter().filter(|job| job.is_problem()).count();
    let next = overview.jobs.iter().filter_map(|job| job.next).min();
    html! {
        dl.tiles id="tiles" data-live="" {
            (parts::running(&overview.workload, overview.pool))
            div { dt { "Queued" } dd { (format::count(overview.workload.queued)) } }
            div class=[(problems > 0).then_some("bad")] { dt { "Failing" } dd { (format::count(problems)) } }
            div {
                dt { "Next" }
                dd { @match next { Some(next) => (parts::when(next, now)), None => "–" } }
            }
        }
    }
}

fn filters(screen: &Screen, overview: &Overview, filter: &str) -> Markup {
    html! {
        div.tools {
            form.search.finds method="get" action=(screen.base.root()) role="search" {
                label.unseen for="q" { "Search jobs" }
                input id="q" type="search" name="q" placeholder="Search jobs" value=[screen.query.get("q")]
                    autocomplete="off" spellcheck="false" data-find="" aria-keyshortcuts="Control+K Meta+K";
                (parts::find_key())
                @if !filter.is_empty() { input type="hidden" name="state" value=(filter); }
            }
            nav.chips aria-label="Filter by state" id="chips" data-live="" {
                @for (value, name) in FILTERS {
                    @let count = overview.jobs.iter().filter(|job| is_in(job, value)).count();
                    @if count > 0 || value == filter || value.is_empty() {
                        a href=(format!("{}{}", screen.base.root(), screen.query.with(&KEPT, "state", value)))
                            aria-current=[(value == filter).then_some("true")] {
                            (name) " " span.n { (format::count(count)) }
                        }
                    }
                }
            }
        }
    }
}

fn row(
    screen: &Screen,
    job: &JobSnapshot,
    ended: &[(RunState, Option<Duration>)],
    now: DateTime<Utc>,
) -> Markup {
    let to = screen.base.to(&format!("jobs/{}", escaped(&job.name)));
    html! {
        tr id=(format!("job-{}", job.name)) class=[parts::is_problem(job).then_some("problem")] {
            th scope="row" data-label="Job" {
                a.name href=(to) { (job.name) }
                @if let Some(line) = job.description.lines().next().filter(|line| !line.is_empty()) {
                    div.doc { (parts::sentence(line)) }
                }
                @if let Some(place) = job.place { div.place { (place) } }
            }
            td data-label="Schedule" { (schedules(screen, job)) }
            td data-label="State" { (parts::state(job)) }
            td data-label="Previous" {
                (previous(job.previous.as_ref(), now))
                (chart::recent(ended))
            }
            td.num data-label="Next" { (next(job, now)) }
            @if screen.may_steer() {
                td.actions data-label="Actions" { (actions(screen, job, &to)) }
            }
        }
    }
}

fn schedules(screen: &Screen, job: &JobSnapshot) -> Markup {
    html! {
        @match job.schedules.as_slice() {
            [] if !job.enabled => span.dim { "none here: it is disabled" },
            [] => span.dim { "on demand" },
            [first, rest @ ..] => {
                @let written = screen.page.jobs.wording(job, first);
                @let text = written.as_ref().map_or(&first.text, |written| &written.text);
                div.words { (first.words) }
                div.spec {
                    @if let Some(name) = &first.name { code { (name) } }
                    @if first.name.as_ref() != Some(text) && text != "off" { code { (text) } }
                    @if let Some(zone) = untold_zone(first) { span { (zone) } }
                }
                @if !rest.is_empty() { div.more { "and " (format::counted(rest.len(), "other", "others")) } }
            }
        }
    }
}

/// The zone, where the words do not say it and it is not UTC.
fn untold_zone(schedule: &ScheduleSnapshot) -> Option<&str> {
    schedule.zone.as_deref().filter(|zone| *zone != "UTC" && !schedule.words.contains(zone))
}

pub(super) fn previous(previous: Option<&PreviousRun>, now: DateTime<Utc>) -> Markup {
    html! {
        @match previous {
            None => span.dim { "–" },
            Some(run) => {
                (parts::badge(Tone::of_outcome(&run.outcome), run.outcome.as_str()))
                div.sub {
                    (parts::when(run.finished_at, now))
                    " · took " (format::duration(run.duration()))
                    @if let Some(late) = lateness(run) { " · " (late) " late" }
                }
                @if let Some(message) = run.outcome.message() {
                    div.error title=(format::brief(message)) { (format::brief(message)) }
                }
            }
        }
    }
}

/// How late a run of a slot began, where that is worth a word.
fn lateness(run: &PreviousRun) -> Option<String> {
    let late = (run.started_at - run.slot?).to_std().ok()?;
    (late.as_millis() >= 100).then(|| format::duration(late))
}

fn next(job: &JobSnapshot, now: DateTime<Utc>) -> Markup {
    html! {
        @match job.next {
            Some(next) => {
                (parts::when(next, now))
                div.sub { (parts::at(next)) }
            }
            None if job.paused => span.dim { "paused" },
            None => span.dim { "–" },
        }
    }
}

fn actions(screen: &Screen, job: &JobSnapshot, to: &str) -> Markup {
    let name = &job.name;
    html! {
        div.buttons {
            @if screen.page.jobs.has_values(job) {
                (parts::action(screen, &format!("{to}/run"), "button", html! { "Run" }, &format!("Run {name} now")))
            } @else if job.place.is_some() {
                a.button href=(format!("{to}#run-title")) aria-label=(format!("Run… {name}, with arguments")) { "Run…" }
            }
            @if job.paused {
                (parts::action(screen, &format!("{to}/resume"), "button", html! { "Resume" }, &format!("Resume {name}")))
            } @else if !job.schedules.is_empty() {
                (parts::action(screen, &format!("{to}/pause"), "button", html! { "Pause" }, &format!("Pause {name}")))
            }
        }
    }
}

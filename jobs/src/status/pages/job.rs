//! One job.

use axum::extract::Path;
use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::shell::{SILENT, not_found, page};
use super::{chart, parts};
use crate::job::RunSnapshot;
use crate::runtime::in_force::SaidBy;
use crate::runtime::page::ArgumentField;
use crate::runtime::wording::Written;
use crate::runtime::{JobSnapshot, Part, ScheduleSnapshot};
use crate::status::arguments::{Kind, name_of};
use crate::status::figures;
use crate::status::format;
use crate::status::paths::escaped;
use crate::status::screen::Screen;
use crate::status::upcoming::of_job;

/// How many fire times are shown.
const FIRES: usize = 10;

pub(in crate::status) async fn job(Path(name): Path<String>, screen: Screen) -> Response {
    let now = screen.page.jobs.wall_time();
    let Some(job) = screen.page.jobs.job_in_full(&name).await else {
        return not_found(&screen, "No job has this name");
    };
    let job = &job;
    let ledger = screen.page.jobs.ledger(&job.name).map(|ledger| ledger.entries()).unwrap_or_default();
    let Part { runs, error, .. } =
        screen.page.jobs.runs().job(&job.name).limit(figures::RUNS).part(usize::MAX).await;
    let body = html! {
        (head(&screen, job))
        @if let Ok(why) = screen.page.jobs.explain(&job.name) {
            p.why id="why" data-live="" {
                @if screen.page.jobs.is_shared() { "In this process: " }
                (parts::sentence(&why.text))
            }
        }
        div.wide {
            div.cards {
                @if !job.schedules.is_empty() {
                    section.card id="fires" data-live="" aria-labelledby="fires-title" { (fires(&screen, job, now)) }
                }
                section.card id="recent" data-live="" aria-labelledby="recent-title" { (recent(&screen, job, &runs, error.is_some(), now)) }
                @if !job.schedules.is_empty() {
                    section.card id="ledger" data-live="" aria-labelledby="ledger-title" {
                        (super::ledger::ledger(&ledger, job.schedules.len() > 1, now))
                    }
                }
            }
            div.cards {
                (run_form(&screen, job))
                section.card id="previous" data-live="" aria-labelledby="previous-title" {
                    div.title { h2 id="previous-title" { "Previous run" } }
                    div.body {
                        @if job.previous.is_none() { span.dim { "It has not run yet." } }
                        @else { (super::jobs::previous(job.previous.as_ref(), now)) }
                    }
                    @if let Some(message) = job.previous.as_ref().and_then(|run| run.outcome.message()) {
                        pre.message tabindex="0" { (message) }
                    }
                }
                (in_force(&screen, job))
                @for (index, schedule) in job.schedules.iter().enumerate() {
                    (about(schedule, screen.page.jobs.wording(job, schedule), index, now))
                }
            }
        }
    };
    page(&screen, "", &job.name, body)
}

fn head(screen: &Screen, job: &JobSnapshot) -> Markup {
    let to = screen.base.to(&format!("jobs/{}", escaped(&job.name)));
    html! {
        div.crumb { a href=(screen.base.root()) { "Jobs" } }
        div.head {
            div {
                h1 { (job.name) " " span.state id="state" data-live="" aria-live="polite" { (parts::state(job)) } }
                @if !job.description.is_empty() { p.lead { (parts::sentence(&job.description)) } }
                @if let Some(place) = job.place { div.place { (place) " · " (place.module) } }
            }
            @if screen.may_steer() {
                div.buttons id="steer" data-live="" {
                    @if job.paused {
                        (parts::action(screen, &format!("{to}/resume"), "button", html! { "Resume" }, "Resume this job"))
                    } @else if !job.schedules.is_empty() {
                        (parts::action(screen, &format!("{to}/pause"), "button", html! { "Pause" }, "Pause this job"))
                    }
                    @if screen.page.jobs.has_values(job) {
                        (parts::action(screen, &format!("{to}/run"), "button primary", html! { "Run now" }, "Run now"))
                    }
                }
            }
        }
    }
}

/// Of how many runs the list is shown.
const LISTED: usize = 12;

fn recent(
    screen: &Screen,
    job: &JobSnapshot,
    runs: &[RunSnapshot],
    is_silent: bool,
    now: DateTime<Utc>,
) -> Markup {
    html! {
        div.title {
            h2 id="recent-title" { "Runs" }
            a.sub href=(format!("{}?job={}", screen.base.to("runs"), escaped(&job.name))) { "All runs" }
        }
        @if is_silent {
            (parts::nothing(SILENT, "What it holds is shown when it does again."))
        } @else if runs.is_empty() {
            (parts::nothing("It has not run yet", "Every run shows up here."))
        } @else {
            (chart::chart(runs, now))
            table.list.runs {
                thead { (super::runs::headings(false, false)) }
                tbody { @for run in runs.iter().take(LISTED) { (super::runs::row(screen, run, now, false, false)) } }
            }
        }
    }
}

/// What holds for the job, and who says so.
fn in_force(screen: &Screen, job: &JobSnapshot) -> Markup {
    html! {
        section.card id="settings" data-live="" aria-labelledby="settings-title" {
            div.title { h2 id="settings-title" { "Settings in force" } }
            div.body {
                dl.facts.settings {
                    @for setting in screen.page.jobs.in_force(&job.name) {
                        dt { code { (setting.key) } }
                        dd {
                            span { (setting.value) }
                            span.sub { (said_by(&setting.said_by)) }
                        }
                    }
                }
            }
        }
    }
}

fn said_by(who: &SaidBy) -> Markup {
    html! {
        @match who {
            SaidBy::Default => "the default",
            SaidBy::Attribute => "the attribute",
            SaidBy::Config(place) => (place),
        }
    }
}

/// A form for a run with other arguments.
fn run_form(screen: &Screen, job: &JobSnapshot) -> Markup {
    let fields = screen.page.jobs.argument_fields(&job.name);
    let to = screen.base.to(&format!("jobs/{}/run", escaped(&job.name)));
    html! {
        @if screen.may_steer() && !fields.is_empty() {
            section.card aria-labelledby="run-title" {
                div.title { h2 id="run-title" { "Run with arguments" } }
                form.body.arguments method="post" action=(to) {
                    (parts::token(screen))
                    @for field in &fields { (argument(field)) }
                    button.button type="submit" aria-label="Run with these arguments" { "Run" }
                }
            }
        }
    }
}

fn argument(field: &ArgumentField) -> Markup {
    let kind = Kind::of(field);
    let name = name_of(field.name);
    let shown = field.value.as_ref().map(|value| kind.shown(value)).unwrap_or_default();
    let required = !field.has_default && kind != Kind::Text;
    let empty = if field.has_default { "the default" } else { "" };
    html! {
        label {
            span { (field.name) " " code { (short_type(field.type_name)) } }
            @match kind {
                Kind::Text => input type=(if field.redacted { "password" } else { "text" }) name=(name) value=(shown)
                    placeholder=(empty) autocomplete="off" spellcheck="false";,
                Kind::Whole => input type="number" step="1" name=(name) value=(shown) placeholder=(empty) required[required];,
                Kind::Number => input type="number" step="any" name=(name) value=(shown) placeholder=(empty) required[required];,
                Kind::YesOrNo => select name=(name) {
                    @for word in ["true", "false"] { option value=(word) selected[word == shown] { (word) } }
                },
                Kind::Json => textarea name=(name) placeholder=(if field.has_default { "JSON, or the default" } else { "JSON" })
                    spellcheck="false" required[required] { (shown) },
            }
        }
    }
}

/// `Vec<String>` and not `alloc::vec::Vec<alloc::string::String>`.
fn short_type(name: &str) -> String {
    let mut short = String::new();
    let mut word = String::new();
    for c in name.chars() {
        match c {
            ':' => word.clear(),
            c if c.is_alphanumeric() || c == '_' => word.push(c),
            c => {
                short.push_str(&std::mem::take(&mut word));
                short.push(c);
            }
        }
    }
    short + &word
}

fn fires(screen: &Screen, job: &JobSnapshot, now: DateTime<Utc>) -> Markup {
    let all = of_job(job, FIRES);
    let several = job.schedules.len() > 1;
    let zone = |schedule: &ScheduleSnapshot| schedule.zone.clone().unwrap_or_else(|| "UTC".to_owned());
    let first = job.schedules.first().map(zone).unwrap_or_default();
    // One zone is named once, and UTC is not shown twice.
    let one_zone = job.schedules.iter().all(|schedule| zone(schedule) == first);
    let beside_utc = !one_zone || first != "UTC";
    html! {
        div.title {
            h2 id="fires-title" { "Next fire times" }
            @if job.paused { span.sub { "paused: they pass without a run" } }
        }
        @if all.is_empty() {
            (parts::nothing("Nothing comes", "Its schedules are off, or the job is not enabled here."))
        } @else {
            table.list.fires {
                thead {
                    tr {
                        th scope="col" { "In" }
                        th scope="col" {
                            @if one_zone { "On the clock of " (first) } @else { "On the clock of its zone" }
                        }
                        @if beside_utc { th scope="col" data-plain="" { "On that of UTC" } }
                        th scope="col" data-script="" hidden { "On yours, " span.own-zone {} }
                        @if several { th scope="col" { "Schedule" } }
                    }
                }
                tbody {
                    @for (fire, schedule) in &all {
                        @let utc = fire.at.with_timezone(&Utc);
                        tr {
                            td.num data-label="In" { (parts::when(utc, now)) }
                            td data-label="Its zone" {
                                span.num { (fire.at.format("%a %Y-%m-%d %H:%M:%S")) }
                                @if !one_zone { div.sub { (zone(schedule)) } }
                                @if fire.clock_moved != 0 { div { (moved(fire.clock_moved)) } }
                            }
                            @if beside_utc { td.num data-label="UTC" data-plain="" { (utc.format("%Y-%m-%d %H:%M:%S")) } }
                            td.num data-label="Yours" data-script="" hidden { (parts::own(utc)) }
                            @if several { td data-label="Schedule" { code title=(schedule.words) { (called(screen, job, schedule)) } } }
                        }
                    }
                }
            }
        }
    }
}

/// What tells a schedule from the others of its job: its name, or the text that was written.
fn called(screen: &Screen, job: &JobSnapshot, schedule: &ScheduleSnapshot) -> String {
    let written = || screen.page.jobs.wording(job, schedule).map(|written| written.text);
    schedule.name.clone().or_else(written).unwrap_or_else(|| schedule.text.clone())
}

fn moved(seconds: i32) -> Markup {
    let by = jobs_syntax::format_duration(std::time::Duration::from_secs(seconds.unsigned_abs().into()));
    let how = if seconds > 0 { "forward" } else { "back" };
    html! { span.badge.held { "clock set " (how) " by " (by) " before" } }
}

fn about(schedule: &ScheduleSnapshot, written: Option<Written>, index: usize, now: DateTime<Utc>) -> Markup {
    let counts = [
        ("ran", schedule.ran, "made a run"),
        ("caught up", schedule.caught_up, "missed first, and made up for"),
        ("skipped", schedule.skipped, "skipped: the run before was not done"),
        ("missed", schedule.missed, "missed: the machine slept, or its clock was set forward"),
        ("paused", schedule.paused, "passed while the job was paused"),
    ];
    html! {
        section.card id=(format!("schedule-{index}")) data-live="" aria-labelledby=(format!("schedule-{index}-title")) {
            div.title { h2 id=(format!("schedule-{index}-title")) { "Schedule" } span.sub { "slots since the start" } }
            div.body {
                div.words { (schedule.words) }
                div.spec {
                    @if let Some(name) = &schedule.name { code { (name) } }
                    code { (written.as_ref().map_or(&schedule.text, |written| &written.text)) }
                    @if let Some(zone) = &schedule.zone { span { (zone) } }
                }
                p.sub {
                    "Said by "
                    @match &written { Some(written) => (said_by(&written.said_by)), None => "the program as it ran" }
                }
                dl.tiles.small {
                    @for (name, count, means) in counts {
                        @if count > 0 || name == "ran" {
                            div title=(means) { dt { (name) } dd { (format::count(count as usize)) } }
                        }
                    }
                }
                p.sub { "Missed slots: " code { (schedule.missed_policy) } }
                @if let Some(previous) = schedule.previous {
                    p.sub { "Last slot " (parts::when(previous, now)) }
                }
            }
        }
    }
}

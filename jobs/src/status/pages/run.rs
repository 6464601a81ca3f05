//! One run: all that is known of it.

use axum::extract::Path;
use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::parts::{self, Tone};
use super::runs;
use super::shell::{not_found, page, silent};
use crate::job::{Attempt, Progress, RunSnapshot};
use crate::status::format;
use crate::status::paths::escaped;
use crate::status::screen::Screen;

pub(in crate::status) async fn run(Path(id): Path<String>, screen: Screen) -> Response {
    let Ok(id) = id.parse() else { return not_found(&screen, "This is not the identity of a run") };
    let Some(run) = screen.page.jobs.run(id).await else {
        if screen.page.jobs.is_store_silent().await {
            return silent(&screen);
        }
        return not_found(&screen, "No run has this identity");
    };
    let now = screen.page.jobs.wall_time();
    let body = html! {
        (head(&screen, &run))
        div.wide {
            div.cards {
                section.card id="attempts" data-live="" aria-labelledby="attempts-title" { (attempts(&run)) }
                section.card id="log" data-live="" aria-labelledby="log-title" { (log(&run)) }
            }
            div.cards {
                section.card id="facts" data-live="" aria-labelledby="facts-title" { (facts(&screen, &run, now)) }
                section.card aria-labelledby="arguments-title" {
                    div.title { h2 id="arguments-title" { "Arguments" } }
                    @match &run.arguments {
                        Some(arguments) => pre.json tabindex="0" { (pretty(arguments)) },
                        None => div.body { span.dim { "They are not kept." } },
                    }
                }
                section.card id="output" data-live="" aria-labelledby="output-title" {
                    div.title { h2 id="output-title" { "Output" } }
                    @match &run.output {
                        Some(output) => pre.json tabindex="0" { (pretty(output)) },
                        None => div.body { span.dim { "None is kept." } },
                    }
                }
            }
        }
    };
    page(&screen, "runs", &format!("Run of {}", run.job), body)
}

fn head(screen: &Screen, run: &RunSnapshot) -> Markup {
    let to = runs::to(screen, run.id);
    let job = screen.base.to(&format!("jobs/{}", escaped(&run.job)));
    html! {
        div.crumb { a href=(screen.base.to("runs")) { "Runs" } " / " a href=(job) { (run.job) } }
        div.head {
            div {
                h1 {
                    "Run of " (run.job) " "
                    // What is read aloud when it changes, and no more.
                    span.state id="state" data-live="" aria-live="polite" { (parts::badge(runs::tone(run.state), run.state.as_str())) }
                }
                div id="far" data-live="" { (runs::beside_state(run)) }
                div.place { (run.id) }
            }
            @if screen.may_steer() {
                div.buttons id="steer" data-live="" {
                    @if run.state.is_final() {
                        (parts::action(screen, &format!("{to}/retry"), "button primary", html! { "Run again" }, "Run again"))
                    } @else {
                        (parts::careful_action(
                            screen,
                            &format!("{to}/cancel"),
                            "Cancel",
                            "A run that waits never starts; one that runs is dropped where it awaits, or asked to return.",
                            "Cancel this run",
                        ))
                    }
                }
            }
        }
    }
}

/// How far it is, as a bar and in numbers.
pub(super) fn progress(progress: Progress) -> Markup {
    html! {
        span.progress {
            @if let Some(fraction) = progress.fraction() {
                progress value=(progress.done) max=(progress.total) aria-label="Progress" { ((fraction * 100.0).round()) " %" }
            }
            span { (progress) }
        }
    }
}

fn facts(screen: &Screen, run: &RunSnapshot, now: DateTime<Utc>) -> Markup {
    let time = |at: DateTime<Utc>| html! { (parts::at(at)) " " span.dim { (parts::when(at, now)) } };
    html! {
        div.title { h2 id="facts-title" { "Facts" } }
        div.body {
            dl.facts {
                dt { "Made" }
                dd {
                    (runs::made_by(screen, &run.made_by))
                    @if let Some(who) = &run.requested_by { " · " (who) }
                    div { (time(run.submitted_at)) }
                }
                @if let Some(due) = run.due_at { dt { "Due" } dd { (time(due)) } }
                @if let Some(started) = run.started_at { dt { "Started" } dd { (time(started)) } }
                @if let Some(waited) = runs::waited(run) { dt { "Waited" } dd { (format::duration(waited)) } }
                @if let Some(finished) = run.finished_at { dt { "Ended" } dd { (time(finished)) } }
                @if let Some(took) = run.duration(now) { dt { "Took" } dd { (format::duration(took)) } }
                @if let Some(outcome) = &run.outcome {
                    dt { "Result" } dd { (parts::badge(Tone::of_outcome(outcome), outcome.as_str())) }
                }
                @if let Some(node) = &run.node { dt { "Runs on" } dd { (node) } }
                dt { "Attempts" } dd { (run.attempt) " of " (run.retries.saturating_add(1)) }
                dt { "Queue" }
                dd {
                    (run.queue)
                    @if run.priority != 0 { ", priority " (run.priority) }
                }
                @if let Some(far) = run.progress { dt { "Progress" } dd { (progress(far)) } }
            }
        }
    }
}

fn attempts(run: &RunSnapshot) -> Markup {
    html! {
        div.title { h2 id="attempts-title" { "Attempts" } }
        @if run.attempts.is_empty() {
            (parts::nothing("None is over yet", "What an attempt comes to stands here, with its error."))
        } @else {
            ol.attempts {
                @for attempt in run.attempts.iter().rev() { li { (one(attempt)) } }
            }
        }
    }
}

fn one(attempt: &Attempt) -> Markup {
    let took = (attempt.finished_at - attempt.started_at).to_std().unwrap_or_default();
    html! {
        div.line {
            span.number { "#" (attempt.number) }
            (parts::badge(Tone::of_outcome(&attempt.outcome), attempt.outcome.as_str()))
            span.sub { (parts::at(attempt.started_at)) " · took " (format::duration(took)) }
        }
        @if let Some(discarded) = &attempt.discarded { p.sub { "It gave the run up: " (discarded) } }
        @if let Some(wait) = attempt.retry_in { p.sub { "It asked to be tried again in " (format::duration(wait)) } }
        @match attempt.chain.as_slice() {
            [] => @if let Some(message) = attempt.outcome.message() { pre.message tabindex="0" { (message) } },
            [first, causes @ ..] => {
                pre.message tabindex="0" { (first) }
                @if !causes.is_empty() {
                    ul.causes { @for cause in causes { li { "caused by: " (cause) } } }
                }
            }
        }
        @if let Some(location) = &attempt.location { p.sub { "at " code { (location) } } }
        @if let Some(backtrace) = &attempt.backtrace {
            details { summary { "Backtrace" } pre.backtrace tabindex="0" { (backtrace) } }
        }
    }
}

fn log(run: &RunSnapshot) -> Markup {
    html! {
        div.title { h2 id="log-title" { "Log" } }
        @if run.log.is_empty() {
            (parts::nothing("It has written nothing", "A job writes lines by jobs::log; the last 200 are kept."))
        } @else {
            table.log {
                tbody {
                    @for line in &run.log {
                        tr {
                            td.dim { time datetime=(format::iso(line.at)) { (line.at.format("%H:%M:%S%.3f")) } }
                            @if run.attempt > 1 { td.dim { "#" (line.attempt) } }
                            td { (line.text) }
                        }
                    }
                }
            }
        }
    }
}

/// JSON with a line for every field; as it is where it is cut off.
fn pretty(json: &str) -> String {
    let parsed = serde_json::from_str::<serde_json::Value>(json).ok();
    parsed.and_then(|value| serde_json::to_string_pretty(&value).ok()).unwrap_or_else(|| json.to_owned())
}

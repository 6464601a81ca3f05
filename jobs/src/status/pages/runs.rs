//! Runs: found by what they are, and steered many at a time.

use axum::response::Response;
use chrono::{DateTime, NaiveDateTime, Utc};
use maud::{Markup, html};

use super::parts::{self, Tone};
use super::shell::page;
use crate::job::{MadeBy, RunId, RunSnapshot, RunState};
use crate::runtime::{Part, RunQuery};
use crate::status::format;
use crate::status::paths::escaped;
use crate::status::query::Query;
use crate::status::screen::Screen;

const ON_A_PAGE: usize = 50;

/// Of more jobs the name is typed, not chosen.
const CHOICES: usize = 500;

/// To how many runs one click does something.
pub(in crate::status) const MOST_AT_ONCE: usize = 10_000;

/// How often one request looks for more, at a few hundred runs each time: some tens of milliseconds.
pub(in crate::status) const LOOKS: usize = 400;

/// What a query of runs is made of.
pub(in crate::status) const KEPT: [&str; 7] = ["job", "state", "queue", "text", "from", "to", "before"];

pub(in crate::status) async fn runs(screen: Screen) -> Response {
    let now = screen.page.jobs.wall_time();
    let Part { runs: found, next: go_on, error } = match asked(screen.page.jobs.runs(), &screen.query) {
        // One more tells whether there are more.
        Ok(query) => query.limit(ON_A_PAGE + 1).part(LOOKS).await,
        Err(why) => return super::shell::bad_request(&screen, &why),
    };
    if error.is_some() {
        return super::shell::silent(&screen);
    }
    let shown = &found[..found.len().min(ON_A_PAGE)];
    let is_narrowed = KEPT.iter().any(|name| screen.query.get(name).is_some());
    let body = html! {
        div.head { h1 { "Runs" } }
        (chips(&screen))
        (form(&screen))
        @if shown.is_empty() && go_on.is_some() {
            (parts::nothing("None among those so far", "There are more runs than one look takes in. Search further, or narrow it down by job or time."))
        } @else if shown.is_empty() && is_narrowed {
            (parts::nothing("No run is like that", "Runs that have ended are forgotten in time, as jobs.retention and jobs.retention_count say."))
        } @else if shown.is_empty() {
            (parts::nothing("Nothing has run yet", "Every run shows up here, by a slot of a schedule or by a submission."))
        } @else {
            form method="post" action=(format!("{}{}", screen.base.to("runs"), screen.query.with(&KEPT, "", ""))) {
                (parts::token(&screen))
                div.card {
                    table.list.runs {
                        thead { (headings(screen.may_steer(), true)) }
                        tbody id="runs" data-live="" {
                            @for run in shown { (row(&screen, run, now, true, screen.may_steer())) }
                        }
                    }
                }
                @if screen.may_steer() { (bulk(is_filtered(&screen.query))) }
            }
            nav.pager aria-label="More of the list" {
                @if screen.query.get("before").is_some() {
                    a.button href=(format!("{}{}", screen.base.to("runs"), screen.query.with(&KEPT, "before", ""))) { "Youngest" }
                }
                @if let (true, Some(last)) = (found.len() > ON_A_PAGE, shown.last()) {
                    a.button rel="next" href=(screen.query.with(&KEPT, "before", &last.id.to_string())) { "Older" }
                }
            }
        }
        @if let Some(go_on) = go_on {
            nav.pager aria-label="More of the search" {
                a.button rel="next" href=(screen.query.with(&KEPT, "before", &go_on.to_string())) { "Search further" }
            }
        }
    };
    page(&screen, "runs", "Runs", body)
}

/// Narrows a query to what an address asks for; the error says what cannot be read.
pub(in crate::status) fn asked(mut runs: RunQuery, query: &Query) -> Result<RunQuery, String> {
    if let Some(job) = query.get("job") {
        runs = runs.job(job);
    }
    if let Some(state) = query.get("state") {
        let known = RunState::ALL.into_iter().find(|known| known.as_str() == state);
        let names: Vec<String> = RunState::ALL.iter().map(|state| format!("`{state}`")).collect();
        runs = runs.state(known.ok_or_else(|| format!("`state` is one of {}", names.join(", ")))?);
    }
    if let Some(queue) = query.get("queue") {
        runs = runs.queue(queue);
    }
    if let Some(text) = query.get("text") {
        runs = runs.containing(text);
    }
    let (from, to) = (instant(query, "from")?, instant(query, "to")?);
    if from.is_some() || to.is_some() {
        runs = runs.between(from.unwrap_or(DateTime::<Utc>::MIN_UTC), to.unwrap_or(DateTime::<Utc>::MAX_UTC));
    }
    if let Some(before) = query.get("before") {
        let id: RunId = before.parse().map_err(|error| format!("`before` is {error}"))?;
        runs = runs.before(id);
    }
    Ok(runs)
}

/// An instant as RFC 3339 writes it, or as a field for date and time does, which then is in UTC.
fn instant(query: &Query, name: &str) -> Result<Option<DateTime<Utc>>, String> {
    let Some(text) = query.get(name) else { return Ok(None) };
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Ok(Some(at.to_utc()));
    }
    let forms = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"];
    let read = forms.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok());
    let wrong = || format!("`{name}` is an instant such as `2026-03-02T12:00:00Z`");
    read.map(|at| Some(at.and_utc())).ok_or_else(wrong)
}

fn chips(screen: &Screen) -> Markup {
    let chosen = screen.query.get("state").unwrap_or_default();
    // Behind another filter the place in the list means nothing.
    let to = |state: &str| screen.query.with(&KEPT[..KEPT.len() - 1], "state", state);
    html! {
        nav.chips aria-label="Filter by state" {
            @for state in std::iter::once("").chain(RunState::ALL.map(RunState::as_str)) {
                a href=(format!("{}{}", screen.base.to("runs"), to(state))) aria-current=[(state == chosen).then_some("true")] {
                    @if state.is_empty() { "All" } @else { (capital(state)) }
                }
            }
        }
    }
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

fn form(screen: &Screen) -> Markup {
    let names = screen.page.jobs.job_names(CHOICES);
    let queues = screen.page.jobs.queue_names();
    let value = |name: &str| screen.query.get(name).unwrap_or_default();
    html! {
        form.filters method="get" action=(screen.base.to("runs")) role="search" {
            @if !value("state").is_empty() { input type="hidden" name="state" value=(value("state")); }
            label.half { span { "Job" }
                @match &names {
                    Some(names) => select name="job" {
                        option value="" { "Any" }
                        @for name in names { option value=(**name) selected[**name == *value("job")] { (**name) } }
                    },
                    None => input type="search" name="job" value=(value("job")) placeholder="Any" autocomplete="off" spellcheck="false";,
                }
            }
            @if queues.len() > 1 {
                label.half { span { "Queue" }
                    select name="queue" {
                        option value="" { "Any" }
                        @for queue in &queues {
                            option value=(queue) selected[queue == value("queue")] { (queue) }
                        }
                    }
                }
            }
            label.grow.finds { span { "Text in arguments, output or error" }
                input type="search" name="text" value=(value("text")) placeholder=" " autocomplete="off" spellcheck="false"
                    data-find="" aria-keyshortcuts="Control+K Meta+K";
                (parts::find_key())
            }
            label { span { "Made from (UTC)" } input type="datetime-local" name="from" value=(local(value("from"))); }
            label { span { "to" } input type="datetime-local" name="to" value=(local(value("to"))); }
            button.button type="submit" { "Filter" }
        }
    }
}

/// What a field for date and time can show.
fn local(text: &str) -> &str {
    text.get(..16).unwrap_or(text)
}

/// Whether an address asks for some of the runs and not for all: what may be done to all that match.
pub(in crate::status) fn is_filtered(query: &Query) -> bool {
    KEPT.iter().any(|name| *name != "before" && query.get(name).is_some())
}

fn bulk(is_filtered: bool) -> Markup {
    html! {
        div.bulk {
            // The script does it, and shows it.
            label data-script="" hidden { input type="checkbox" data-all="run"; " All on this page" }
            span { "With the chosen runs:" }
            button.button type="submit" name="action" value="retry" { "Run again" }
            details.confirm.up {
                summary.button.danger { "Cancel" }
                div.sheet role="group" aria-label="Cancel the chosen runs?" {
                    p { "Those that wait never start; those that run are dropped where they await, or asked to return." }
                    button.button.danger.solid type="submit" name="action" value="cancel" { "Cancel the chosen runs" }
                }
            }
            @if is_filtered {
                details.confirm.up {
                    summary.button { "All that match" }
                    div.sheet role="group" aria-label="All runs that match the filter" {
                        p {
                            "Every run that the filter is about, on all pages: up to "
                            (format::count(MOST_AT_ONCE)) " at once, the youngest first."
                        }
                        button.button type="submit" name="action" value="retry-all" { "Run all again that have ended" }
                        button.button.danger.solid type="submit" name="action" value="cancel-all" { "Cancel all that have not" }
                    }
                }
            }
        }
    }
}

pub(super) fn headings(choose: bool, job: bool) -> Markup {
    html! {
        tr {
            @if choose {
                th.choose scope="col" { span.unseen { "Chosen" } }
            }
            th scope="col" { "Run" }
            @if job { th scope="col" { "Job" } }
            th scope="col" { "State" }
            th scope="col" { "Made" }
            th scope="col" { "Took" }
            th scope="col" { "Result" }
        }
    }
}

pub(super) fn row(screen: &Screen, run: &RunSnapshot, now: DateTime<Utc>, job: bool, choose: bool) -> Markup {
    let id = run.id.to_string();
    html! {
        tr id=(format!("run-{id}")) class=[(run.state == RunState::Dead).then_some("problem")] {
            @if choose {
                td.choose { input type="checkbox" name="run" value=(id) aria-label=(format!("Choose run {id}")); }
            }
            td data-label="Run" {
                a.name.mono href=(to(screen, run.id)) title=(id) { (short(run.id)) }
                @if let Some(arguments) = run.arguments.as_deref().filter(|text| *text != "{}") {
                    @let brief = format::brief(arguments);
                    div.args title=(brief) { (brief) }
                }
            }
            @if job {
                td data-label="Job" { a href=(screen.base.to(&format!("jobs/{}", escaped(&run.job)))) { (run.job) } }
            }
            td data-label="State" { (state(run)) }
            td data-label="Made" {
                (parts::when(run.submitted_at, now))
                div.sub { (made_by_in_brief(screen, &run.made_by)) }
            }
            td.num data-label="Took" { (took(run, now)) }
            td data-label="Result" { (result(run, now)) }
        }
    }
}

pub(super) fn to(screen: &Screen, id: RunId) -> String {
    screen.base.to(&format!("runs/{id}"))
}

/// When it was made, and the digits that tell it from others of that moment; the rest is the node's.
pub(super) fn short(id: RunId) -> String {
    let text = id.to_string();
    format!("{}…{}", &text[..13], &text[19..23])
}

pub(super) fn tone(state: RunState) -> Tone {
    match state {
        RunState::Running => Tone::Busy,
        RunState::Available | RunState::Waiting => Tone::Waiting,
        RunState::Scheduled => Tone::Held,
        RunState::Succeeded => Tone::Good,
        RunState::Dead => Tone::Bad,
        _ => Tone::Quiet,
    }
}

pub(super) fn state(run: &RunSnapshot) -> Markup {
    html! {
        (parts::badge(tone(run.state), run.state.as_str()))
        (beside_state(run))
    }
}

/// Which attempt it is, how far, and where.
pub(super) fn beside_state(run: &RunSnapshot) -> Markup {
    html! {
        @if run.attempt > 1 {
            div.sub { "attempt " (run.attempt) " of " (run.retries.saturating_add(1)) }
        }
        @if let Some(progress) = run.progress.filter(|_| !run.state.is_final()) {
            div.sub { (super::run::progress(progress)) }
        }
        @if let Some(node) = &run.node { div.sub { "on " (node) } }
    }
}

/// For a list: of a slot its time alone.
fn made_by_in_brief(screen: &Screen, made: &MadeBy) -> Markup {
    html! {
        @match made {
            MadeBy::Slot { at, .. } => span.num title=(made) { "slot " (format::date_time(*at)) },
            other => (made_by(screen, other)),
        }
    }
}

pub(super) fn made_by(screen: &Screen, made_by: &MadeBy) -> Markup {
    html! {
        @match made_by {
            MadeBy::Slot { at, schedule, .. } => {
                "by the slot of " span.num { (format::date_time(*at)) }
                @if let Some(schedule) = schedule { " of " code { (schedule) } }
            }
            MadeBy::Submission => "by a submission",
            MadeBy::RunNow => "by hand",
            MadeBy::Startup => "by the start",
            MadeBy::Retry { of, .. } => { "again, after " a href=(to(screen, *of)) { (short(*of)) } },
        }
    }
}

fn took(run: &RunSnapshot, now: DateTime<Utc>) -> Markup {
    html! {
        @match run.duration(now) {
            Some(duration) => {
                (format::duration(duration))
                @if let Some(waited) = waited(run).filter(|waited| waited.as_millis() >= 100) {
                    div.sub { "waited " (format::duration(waited)) }
                }
            }
            None => span.dim { "–" },
        }
    }
}

/// From when it was made, or was due, until it started.
pub(super) fn waited(run: &RunSnapshot) -> Option<std::time::Duration> {
    (run.attempt <= 1).then_some(())?;
    (run.started_at? - run.submitted_at).to_std().ok()
}

fn result(run: &RunSnapshot, now: DateTime<Utc>) -> Markup {
    html! {
        @match (&run.outcome, run.due_at) {
            (Some(outcome), _) => {
                @match outcome.message() {
                    Some(message) => div.error title=(format::brief(message)) { (format::brief(message)) },
                    None => @match &run.output {
                        Some(output) => div.args title=(format::brief(output)) { (format::brief(output)) },
                        None if outcome.as_str() == run.state.as_str() => span.dim { "–" },
                        None => span.dim { (outcome.to_string()) },
                    },
                }
            }
            (None, Some(due)) => {
                "due " (parts::when(due, now))
                @if let Some(message) = run.attempts.last().and_then(|attempt| attempt.outcome.message()) {
                    div.error title=(format::brief(message)) { (format::brief(message)) }
                }
            }
            _ => span.dim { "–" },
        }
    }
}

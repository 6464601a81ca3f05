//! The small pieces that pages are made of.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use crate::job::Outcome;
use crate::runtime::overview::Workload;
use crate::runtime::{JobSnapshot, JobStatus, PoolSnapshot};
use crate::status::format;
use crate::status::screen::Screen;

/// How a state looks; its word always stands beside the colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::status) enum Tone {
    Quiet,
    Good,
    Bad,
    Busy,
    Waiting,
    Held,
}

impl Tone {
    pub(in crate::status) fn class(self) -> &'static str {
        match self {
            Self::Quiet => "quiet",
            Self::Good => "good",
            Self::Bad => "bad",
            Self::Busy => "busy",
            Self::Waiting => "waiting",
            Self::Held => "held",
        }
    }

    pub(super) fn of_outcome(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Good,
            Outcome::Failed(_) | Outcome::Panicked(_) | Outcome::TimedOut(_) | Outcome::Discarded(_) => {
                Self::Bad
            }
            Outcome::Interrupted | Outcome::Lost => Self::Held,
            _ => Self::Quiet,
        }
    }
}

pub(super) fn badge(tone: Tone, text: &str) -> Markup {
    html! { span class=(format!("badge {}", tone.class())) { (text) } }
}

/// What a job is doing, with counts where one is not the whole truth.
pub(super) fn state(job: &JobSnapshot) -> Markup {
    let waits = job.queued + job.waiting;
    let (tone, word) = match job.status {
        JobStatus::Running if job.running > 1 => (Tone::Busy, format!("RUNNING {}", job.running)),
        JobStatus::Running => (Tone::Busy, "RUNNING".to_owned()),
        JobStatus::Queued if waits > 1 => (Tone::Waiting, format!("QUEUED {waits}")),
        JobStatus::Queued => (Tone::Waiting, "QUEUED".to_owned()),
        JobStatus::Retrying if job.retrying > 1 => (Tone::Bad, format!("RETRYING {}", job.retrying)),
        JobStatus::Retrying => (Tone::Bad, "RETRYING".to_owned()),
        _ if !job.enabled => (Tone::Held, "DISABLED".to_owned()),
        _ if job.paused => (Tone::Held, "PAUSED".to_owned()),
        _ => (Tone::Quiet, "IDLE".to_owned()),
    };
    let busy = job.status != JobStatus::Idle;
    html! {
        (badge(tone, &word))
        @if job.running > 0 && waits > 0 { span.note { (format::count(waits)) " queued" } }
        @let delayed = job.delayed.saturating_sub(job.retrying);
        @if delayed > 0 { span.note { (format::count(delayed)) " delayed" } }
        @if busy && job.paused { span.note { "paused" } }
        @if busy && !job.enabled { span.note { "disabled" } }
    }
}

/// Whether a job wants to be looked at; as [`JobBrief::is_problem`](crate::runtime::overview::JobBrief::is_problem).
pub(super) fn is_problem(job: &JobSnapshot) -> bool {
    job.retrying > 0 || job.previous.as_ref().is_some_and(|run| Tone::of_outcome(&run.outcome) == Tone::Bad)
}

/// A time as seen from now, which the script keeps up to date; the time itself is in its title.
pub(super) fn when(at: DateTime<Utc>, now: DateTime<Utc>) -> Markup {
    html! {
        time.rel datetime=(format::iso(at)) title=(format!("{} UTC", format::date_time(at))) {
            (format::relative(at, now))
        }
    }
}

/// A time by the clock, in UTC; the script writes it in the reader's zone beside.
pub(super) fn at(at: DateTime<Utc>) -> Markup {
    html! { time.abs datetime=(format::iso(at)) { (format::date_time(at)) " UTC" } }
}

/// A time by the reader's clock, which the script alone knows.
pub(super) fn own(at: DateTime<Utc>) -> Markup {
    html! { time.own datetime=(format::iso(at)) {} }
}

/// How many runs execute, and of how many: each process of a cluster has a pool of its own.
pub(super) fn running(workload: &Workload, pool: PoolSnapshot) -> Markup {
    html! {
        div {
            dt { "Running" }
            dd {
                (format::count(workload.running))
                span.of {
                    @match (workload.nodes.len(), pool.size) {
                        (0, Some(size)) => { " of " (format::count(size.get())) }
                        (0, None) => " of any number",
                        (processes, _) => { " in " (format::counted(processes, "process", "processes")) }
                    }
                }
            }
        }
    }
}

/// A button that does something: a form of its own, so that it works without a script.
pub(super) fn action(screen: &Screen, to: &str, class: &str, label: Markup, name: &str) -> Markup {
    html! {
        form method="post" action=(to) {
            (token(screen))
            button class=(class) type="submit" aria-label=(name) { (label) }
        }
    }
}

/// A button that asks before it does what cannot be undone.
pub(super) fn careful_action(screen: &Screen, to: &str, label: &str, question: &str, sure: &str) -> Markup {
    html! {
        details.confirm {
            summary.button.danger { (label) }
            div.sheet role="group" aria-label=(question) {
                p { (question) }
                (action(screen, to, "button danger solid", html! { (sure) }, sure))
            }
        }
    }
}

/// What shows that a form is ours.
pub(super) fn token(screen: &Screen) -> Markup {
    html! { input type="hidden" name="token" value=(screen.page.access.token()); }
}

/// Says at a field which keys lead to it, where the script is that listens to them.
pub(super) fn find_key() -> Markup {
    html! { kbd.find data-script="" hidden aria-hidden="true" { "Ctrl K" } }
}

/// A text whose code is marked by backticks.
pub(super) fn sentence(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// What stands where nothing is.
pub(super) fn nothing(title: &str, text: &str) -> Markup {
    html! { div.nothing { strong { (title) } p { (text) } } }
}

/// Links to the page before and the page after.
pub(super) fn pager(screen: &Screen, kept: &[&str], page: usize, pages: usize) -> Markup {
    let link = |to: usize| screen.query.with(kept, "page", &to.to_string());
    html! {
        @if pages > 1 {
            nav.pager aria-label="More of the list" {
                @if page > 1 { a.button rel="prev" href=(link(page - 1)) { "Previous" } }
                span { "Page " (format::count(page)) " of " (format::count(pages)) }
                @if page < pages { a.button rel="next" href=(link(page + 1)) { "Next" } }
            }
        }
    }
}

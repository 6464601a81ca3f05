//! Durations and outcomes of the last runs, drawn on the server.

use std::time::Duration;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::plot::{self, HEIGHT, Scale};
use super::{parts, runs};
use crate::job::{RunSnapshot, RunState};
use crate::status::figures::Figures;
use crate::status::format;

const STEP: usize = 6;
/// The place of this many runs is there at least: few runs are not stretched to be as broad as many.
const PLACES: usize = 40;

/// The runs of a job, the youngest first as they are found, as bars from left to right; and what they have in common.
pub(super) fn chart(found: &[RunSnapshot], now: DateTime<Utc>) -> Markup {
    let ended: Vec<(&RunSnapshot, Duration)> =
        found.iter().rev().filter_map(|run| Some((run, run.duration(run.finished_at?)?))).collect();
    let Some((last, _)) = ended.last() else { return html! {} };
    let longest = ended.iter().map(|(_, took)| *took).max().unwrap_or_default();
    let scale = Scale::of_durations(longest);
    let places = ended.len().max(PLACES);
    let says = format!(
        "How long the last {} took, {} at most",
        format::counted(ended.len(), "run", "runs"),
        format::duration(longest)
    );
    let bars = html! {
        @for (index, (run, took)) in ended.iter().enumerate() {
            @let height = scale.height(took.as_nanos());
            g class=(format!("mark {}", runs::tone(run.state).class())) {
                title { (run.state) " in " (format::duration(*took)) }
                rect x=((places - ended.len() + index) * STEP) y=(HEIGHT - height) width="4.4" height=(height) rx="1" {}
            }
        }
    };
    let below = [
        html! { @if ended.len() > PLACES / 2 { @if let Some((first, _)) = ended.first() { (parts::when(first.submitted_at, now)) } } },
        html! { "the last, " (parts::when(last.submitted_at, now)) },
    ];
    html! {
        (plot::framed("How long the last runs took", &says, &scale, places * STEP, &bars, &below))
        (in_words(&Figures::of(ended.iter().map(|(run, took)| (run.state, Some(*took))))))
    }
}

fn in_words(figures: &Figures) -> Markup {
    let took =
        |percent| html! { @if let Some(took) = figures.took(percent) { b { (format::duration(took)) } } };
    html! {
        p.figures {
            span { b { (format::counted(figures.runs, "run", "runs")) } }
            span.key.bad { b { (figures.failed_percent()) " %" } " failed" }
            span { "half took at most " (took(50)) }
            span { "95 % at most " (took(95)) }
            span { "the longest " (took(100)) }
        }
    }
}

/// Of how many runs the list of jobs shows the outcome.
const SPARK: usize = 16;

/// The outcomes of the last runs in a row, the newest at the right, with what they have in common. `ended` are the
/// newest first.
pub(super) fn recent(ended: &[(RunState, Option<Duration>)]) -> Markup {
    if ended.is_empty() {
        return html! {};
    }
    let shown = &ended[..ended.len().min(SPARK)];
    let figures = Figures::of(ended.iter().copied());
    let failed = shown.iter().filter(|(state, _)| *state == RunState::Dead).count();
    html! {
        div.recent title=(format!("of the last {}", format::counted(figures.runs, "run", "runs"))) {
            svg.spark viewBox=(format!("0 0 {} 18", SPARK * 6)) role="img"
                aria-label=(format!("Of the last {} {failed} failed", format::counted(shown.len(), "run", "runs"))) {
                @for (index, (state, _)) in shown.iter().enumerate() {
                    g class=(format!("mark {}", runs::tone(*state).class())) {
                        title { (state) }
                        @let tall = if *state == RunState::Dead { 18 } else { 12 };
                        rect x=((SPARK - 1 - index) * 6) y=(18 - tall) width="4" height=(tall) rx="1" {}
                    }
                }
            }
            span { (figures.failed_percent()) " % failed" }
        }
        @if let (Some(half), Some(most)) = (figures.took(50), figures.took(95)) {
            div.sub { "p50 " (format::duration(half)) " · p95 " (format::duration(most)) }
        }
    }
}

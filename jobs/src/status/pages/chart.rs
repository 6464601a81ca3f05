//! Durations and outcomes of the last runs, drawn on the server.

use std::time::Duration;

use maud::{Markup, html};

use super::runs;
use crate::job::{RunSnapshot, RunState};
use crate::status::format;

/// Of how many runs a chart is made.
pub(super) const RUNS: usize = 100;

const HEIGHT: u64 = 80;
/// The height of a run that took no time, so that it is seen.
const LEAST: u64 = 3;

/// The runs of a job, the youngest first as they are found, as bars from left to right; and what they have in common.
pub(super) fn chart(found: &[RunSnapshot]) -> Markup {
    let ended: Vec<(&RunSnapshot, Duration)> =
        found.iter().rev().filter_map(|run| Some((run, run.duration(run.finished_at?)?))).collect();
    if ended.is_empty() {
        return html! {};
    }
    let longest = ended.iter().map(|(_, took)| took.as_micros()).max().unwrap_or(0).max(1);
    let width = RUNS * 6;
    let first = RUNS - ended.len();
    html! {
        svg.chart viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" role="img"
            aria-label=(format!("How long the last {} runs took, {} at most", ended.len(), format::duration(micros(longest)))) {
            @for (index, (run, took)) in ended.iter().enumerate() {
                @let height = bar(took.as_micros(), longest);
                g class=(format!("mark {}", runs::tone(run.state).class())) {
                    title { (run.state) " in " (format::duration(*took)) }
                    rect x=((first + index) * 6) y=(HEIGHT - height) width="4.4" height=(height) rx="1" {}
                }
            }
        }
        (figures(&ended))
    }
}

fn micros(micros: u128) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
}

fn bar(took: u128, longest: u128) -> u64 {
    let height = took.saturating_mul(u128::from(HEIGHT)) / longest;
    u64::try_from(height).unwrap_or(HEIGHT).clamp(LEAST, HEIGHT)
}

fn figures(ended: &[(&RunSnapshot, Duration)]) -> Markup {
    let failed = ended.iter().filter(|(run, _)| run.state == RunState::Dead).count();
    let mut took: Vec<Duration> = ended.iter().map(|(_, took)| *took).collect();
    took.sort_unstable();
    html! {
        p.figures {
            span { b { (format::counted(ended.len(), "run", "runs")) } }
            span { b { (failed * 100 / ended.len()) " %" } " failed" }
            span { "half took at most " b { (format::duration(percentile(&took, 50))) } }
            span { "95 % at most " b { (format::duration(percentile(&took, 95))) } }
            span { "the longest " b { (format::duration(percentile(&took, 100))) } }
        }
    }
}

/// The value that so many per cent do not exceed; of a sorted list that is not empty.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or_default()
}

/// Of how many runs the list of jobs shows the outcome.
pub(super) const SPARK: usize = 16;

/// The outcomes of the last runs in a row, the newest at the right.
pub(super) fn spark(ended: &[RunState]) -> Markup {
    if ended.is_empty() {
        return html! {};
    }
    let failed = ended.iter().filter(|state| **state == RunState::Dead).count();
    html! {
        svg.spark viewBox=(format!("0 0 {} 18", SPARK * 6)) role="img"
            aria-label=(format!("Of the last {} runs {failed} failed", ended.len())) {
            @for (index, state) in ended.iter().enumerate() {
                g class=(format!("mark {}", runs::tone(*state).class())) {
                    title { (state) }
                    @let tall = if *state == RunState::Dead { 18 } else { 12 };
                    rect x=((ended.len() - 1 - index) * 6) y=(18 - tall) width="4" height=(tall) rx="1" {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_seen() {
        let took: Vec<Duration> = (1..=10).map(Duration::from_secs).collect();
        let of = |percent| percentile(&took, percent).as_secs();
        assert_eq!([of(0), of(50), of(95), of(100)], [1, 5, 10, 10]);
        assert_eq!(percentile(&took[..1], 95).as_secs(), 1);
    }

    #[test]
    fn bars_are_as_high_as_their_share_and_never_unseen() {
        assert_eq!([bar(0, 1), bar(50, 100), bar(100, 100)], [LEAST, 40, HEIGHT]);
    }
}

//! Throughput and durations over the last hour, a bar for each minute, drawn on the server.

use std::time::Duration;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::parts;
use crate::runtime::overview::MinuteOfRuns;
use crate::status::format;

const HEIGHT: u64 = 80;
/// The height of what there is little of, so that it is seen.
const LEAST: u64 = 2;
const STEP: usize = 8;

/// Both charts.
pub(super) fn charts(minutes: &[MinuteOfRuns]) -> Markup {
    let ended: usize = minutes.iter().map(|minute| minute.ended).sum();
    html! {
        section.card id="pace" data-live="" aria-labelledby="pace-title" {
            div.title { h2 id="pace-title" { "The last hour" } span.sub { "a bar for each minute" } }
            @if ended == 0 {
                (parts::nothing("No run has ended in the last hour", "How many end, and how long they take, shows up here."))
            } @else {
                (throughput(minutes, ended))
                (durations(minutes, ended))
            }
        }
    }
}

fn throughput(minutes: &[MinuteOfRuns], ended: usize) -> Markup {
    let most = minutes.iter().map(|minute| minute.ended).max().unwrap_or(0);
    let failed: usize = minutes.iter().map(|minute| minute.failed).sum();
    let says = format!(
        "In the last hour {} ended, at most {most} in a minute; {failed} failed",
        format::counted(ended, "run", "runs")
    );
    html! {
        svg.chart viewBox=(view(minutes)) preserveAspectRatio="none" role="img" aria-label=(says) {
            @for (index, minute) in minutes.iter().enumerate().filter(|(_, minute)| minute.ended > 0) {
                @let tall = share(minute.ended as u128, most as u128);
                @let bad = if minute.failed == 0 { 0 } else { share(minute.failed as u128, most as u128).min(tall) };
                g {
                    title {
                        (clock(minute.began)) ": " (format::counted(minute.ended, "run", "runs"))
                        @if minute.failed > 0 { ", " (format::count(minute.failed)) " failed" }
                    }
                    g.mark.good { rect x=(index * STEP) y=(HEIGHT - tall) width="6" height=(tall - bad) {} }
                    g.mark.bad { rect x=(index * STEP) y=(HEIGHT - bad) width="6" height=(bad) {} }
                }
            }
        }
        p.figures {
            span { b { (format::counted(ended, "run", "runs")) } " ended" }
            span { b { (format::count(failed)) } " failed" }
            span { b { (format::count(most)) } " in the busiest minute" }
        }
    }
}

fn durations(minutes: &[MinuteOfRuns], ended: usize) -> Markup {
    let longest = minutes.iter().map(|minute| minute.longest).max().unwrap_or_default();
    let all: Duration = minutes.iter().map(|minute| minute.took).sum();
    let mean = mean(all, ended);
    let says = format!(
        "How long runs took: {} on average, {} at most",
        format::duration(mean),
        format::duration(longest)
    );
    html! {
        svg.chart viewBox=(view(minutes)) preserveAspectRatio="none" role="img" aria-label=(says) {
            @for (index, minute) in minutes.iter().enumerate().filter(|(_, minute)| minute.ended > 0) {
                @let mean = self::mean(minute.took, minute.ended);
                @let tall = share(minute.longest.as_nanos(), longest.as_nanos());
                @let inner = share(mean.as_nanos(), longest.as_nanos()).min(tall);
                g {
                    title {
                        (clock(minute.began)) ": " (format::duration(mean)) " on average, "
                        (format::duration(minute.longest)) " at most"
                    }
                    g.mark { rect x=(index * STEP) y=(HEIGHT - tall) width="6" height=(tall) {} }
                    g.mark.busy { rect x=(index * STEP) y=(HEIGHT - inner) width="6" height=(inner) {} }
                }
            }
        }
        p.figures {
            span { b { (format::duration(mean)) } " on average" }
            span { b { (format::duration(longest)) } " at most" }
        }
    }
}

fn view(minutes: &[MinuteOfRuns]) -> String {
    format!("0 0 {} {HEIGHT}", minutes.len() * STEP)
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M UTC").to_string()
}

fn mean(all: Duration, count: usize) -> Duration {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    all.checked_div(count).unwrap_or_default()
}

fn share(part: u128, whole: u128) -> u64 {
    let height = part.saturating_mul(u128::from(HEIGHT)).checked_div(whole).unwrap_or(0);
    u64::try_from(height).unwrap_or(HEIGHT).clamp(LEAST, HEIGHT)
}

//! Throughput, waits and durations over the last hour, a bar for each minute, drawn on the server.

use std::time::Duration;

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::parts;
use super::plot::{self, HEIGHT, Scale};
use crate::runtime::overview::MinuteOfRuns;
use crate::status::format;

const STEP: usize = 8;
const BROAD: usize = 6;

/// All three charts. `of` says what they are about, where that is not everything.
pub(super) fn charts(minutes: &[MinuteOfRuns], of: &str) -> Markup {
    let ended: usize = minutes.iter().map(|minute| minute.ended).sum();
    let started: usize = minutes.iter().map(|minute| minute.started).sum();
    html! {
        section.card id="pace" data-live="" aria-labelledby="pace-title" {
            div.title { h2 id="pace-title" { "The last hour" } span.sub { "a bar for each minute" (of) } }
            @if ended + started == 0 {
                (parts::nothing("Nothing has run in the last hour", "How many runs end, how long they wait and how long they take shows up here."))
            } @else {
                div.plots {
                    div { (throughput(minutes, ended)) }
                    div { (times("How long runs waited for room", minutes, |minute| (minute.started, minute.waited, minute.longest_wait))) }
                    div { (times("How long runs took", minutes, |minute| (minute.ended, minute.took, minute.longest))) }
                }
            }
        }
    }
}

fn throughput(minutes: &[MinuteOfRuns], ended: usize) -> Markup {
    let most = minutes.iter().map(|minute| minute.ended).max().unwrap_or(0);
    if most == 0 {
        return html! { figure.plot { figcaption { "Runs that ended, each minute" } p.none { "None in the last hour." } } };
    }
    let failed: usize = minutes.iter().map(|minute| minute.failed).sum();
    let says = format!(
        "In the last hour {} ended, at most {} in a minute; {} failed",
        format::counted(ended, "run", "runs"),
        format::count(most),
        format::count(failed)
    );
    let scale = Scale::of_counts(most);
    let bars = html! {
        @for (index, minute) in minutes.iter().enumerate().filter(|(_, minute)| minute.ended > 0) {
            @let tall = scale.height(minute.ended as u128);
            @let bad = if minute.failed == 0 { 0 } else { scale.height(minute.failed as u128).min(tall) };
            g {
                title {
                    (clock(minute.began)) ": " (format::counted(minute.ended, "run", "runs"))
                    @if minute.failed > 0 { ", " (format::count(minute.failed)) " failed" }
                }
                (bar(index, tall, bad, "good"))
                (bar(index, bad, 0, "bad"))
            }
        }
    };
    html! {
        (framed("Runs that ended, each minute", &says, &scale, minutes, &bars))
        p.figures {
            span { b { (format::count(ended)) } " ended" }
            span.key.bad { b { (format::count(failed)) } " failed" }
            span { b { (format::count(most)) } " in the busiest minute" }
        }
    }
}

/// Of a minute: how many runs, how long all of them, and how long the longest.
type Times = fn(&MinuteOfRuns) -> (usize, Duration, Duration);

/// How long something took or lasted: the longest, and in front of it the average.
fn times(caption: &str, minutes: &[MinuteOfRuns], of: Times) -> Markup {
    let (mut count, mut all, mut longest) = (0, Duration::ZERO, Duration::ZERO);
    for (runs, took, most) in minutes.iter().map(of) {
        count += runs;
        all += took;
        longest = longest.max(most);
    }
    if count == 0 {
        return html! { figure.plot { figcaption { (caption) } p.none { "None in the last hour." } } };
    }
    let on_average = format::duration(mean(all, count));
    let at_most = format::duration(longest);
    let says = format!("{caption}: {on_average} on average, {at_most} at most");
    let scale = Scale::of_durations(longest);
    let bars = html! {
        @for (index, minute) in minutes.iter().enumerate() {
            @let (runs, all, longest) = of(minute);
            @if runs > 0 {
                @let mean = mean(all, runs);
                @let tall = scale.height(longest.as_nanos());
                @let inner = scale.height(mean.as_nanos()).min(tall);
                g {
                    title {
                        (clock(minute.began)) ": " (format::duration(mean)) " on average, "
                        (format::duration(longest)) " at most"
                    }
                    (bar(index, tall, inner, ""))
                    (bar(index, inner, 0, "busy"))
                }
            }
        }
    };
    html! {
        (framed(caption, &says, &scale, minutes, &bars))
        p.figures {
            span.key.busy { b { (on_average) } " on average" }
            span.key { b { (at_most) } " at most" }
        }
    }
}

/// A bar from one height up to another.
fn bar(index: usize, to: u64, from: u64, tone: &str) -> Markup {
    html! {
        @if to > from {
            g class=(format!("mark {tone}")) {
                rect x=(index * STEP) y=(HEIGHT - to) width=(BROAD) height=(to - from) {}
            }
        }
    }
}

fn framed(caption: &str, says: &str, scale: &Scale, minutes: &[MinuteOfRuns], bars: &Markup) -> Markup {
    let ago = |minutes: usize| html! { (minutes) " min ago" };
    let below = [ago(minutes.len()), ago(minutes.len() / 2), html! { "now" }];
    plot::framed(caption, says, scale, minutes.len() * STEP, bars, &below)
}

fn clock(at: DateTime<Utc>) -> String {
    at.format("%H:%M UTC").to_string()
}

fn mean(all: Duration, count: usize) -> Duration {
    let count = u32::try_from(count).unwrap_or(u32::MAX);
    all.checked_div(count).unwrap_or_default()
}

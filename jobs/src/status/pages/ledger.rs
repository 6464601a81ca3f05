//! What became of the slots of a job, as a strip and as a list.

use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::parts::{self, Tone};
use crate::runtime::{Fate, LedgerEntry};
use crate::status::format;

/// Of how many entries the list is shown.
const LISTED: usize = 40;
/// Of how many slots the strip shows one each.
const STRIP: u64 = 120;

impl Tone {
    fn of_fate(fate: Fate) -> Self {
        match fate {
            Fate::Ran => Self::Good,
            Fate::CaughtUp | Fate::Shifted => Self::Busy,
            Fate::Missed => Self::Bad,
            Fate::Skipped => Self::Waiting,
            _ => Self::Held,
        }
    }
}

/// The whole card; `entries` are the oldest first, and `keys` says whether the job has more than one schedule.
pub(super) fn ledger(entries: &[LedgerEntry], keys: bool, now: DateTime<Utc>) -> Markup {
    html! {
        div.title {
            h2 id="ledger-title" { "What became of its slots" }
            span.sub { "the newest first" }
        }
        @if entries.is_empty() {
            (parts::nothing("No slot has come yet", "Every one that comes is entered here, with the reason for its fate."))
        } @else {
            (strip(entries))
            table.list.ledger {
                thead {
                    tr {
                        th scope="col" { "Slots" }
                        th scope="col" { "Fate" }
                        th scope="col" { "When" }
                        @if keys { th scope="col" { "Schedule" } }
                    }
                }
                tbody {
                    @for entry in entries.iter().rev().take(LISTED) { (row(entry, keys, now)) }
                }
            }
        }
    }
}

fn row(entry: &LedgerEntry, keys: bool, now: DateTime<Utc>) -> Markup {
    html! {
        tr {
            td.num data-label="Slots" { (format::count(usize::try_from(entry.count).unwrap_or(usize::MAX))) }
            td data-label="Fate" {
                (parts::badge(Tone::of_fate(entry.fate), entry.fate.as_str()))
                @if entry.reason != entry.fate.as_str() { div.sub { (entry.reason) } }
            }
            td data-label="When" {
                (parts::when(entry.to, now))
                div.sub {
                    @if entry.count > 1 { (format::date_time(entry.from)) " to " }
                    (parts::at(entry.to))
                }
            }
            @if keys { td data-label="Schedule" { code { (entry.schedule) } } }
        }
    }
}

/// The last slots as marks in a row, the newest at the right.
fn strip(entries: &[LedgerEntry]) -> Markup {
    let mut marks = Vec::new();
    let mut left = STRIP;
    for entry in entries.iter().rev() {
        let before = left - entry.count.min(left);
        marks.push((Tone::of_fate(entry.fate), before..left, &entry.reason));
        left = before;
        if left == 0 {
            break;
        }
    }
    let total = STRIP - left;
    html! {
        svg.strip viewBox=(format!("0 0 {} 18", STRIP * 6)) preserveAspectRatio="none" role="img"
            aria-label=(format!("The last {total} slots; the list below says the same")) {
            @for (tone, slots, reason) in marks {
                g class=(format!("mark {}", tone.class())) {
                    title { (slots.end - slots.start) ": " (reason) }
                    @for slot in slots {
                        rect x=(slot * 6) y="0" width="4" height="18" rx="1" {}
                    }
                }
            }
        }
    }
}

//! The processes of a cluster, and who runs what.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};

use super::parts::{self, Tone};
use super::pool::gauge;
use crate::runtime::PoolSnapshot;
use crate::runtime::nodes::NodeSnapshot;
use crate::runtime::overview::{Elsewhere, Workload};
use crate::status::format;
use crate::status::paths::escaped;
use crate::status::screen::Screen;

/// Two heartbeats have not come.
const QUIET: Duration = Duration::from_secs(10);
/// Others take its runs.
const LOST: Duration = Duration::from_secs(15);

/// Of how many jobs of a process the names are shown.
const SHOWN: usize = 6;

/// All processes; nothing where there is no cluster.
pub(super) fn nodes(screen: &Screen, workload: &Workload, pool: PoolSnapshot, now: DateTime<Utc>) -> Markup {
    html! {
        @if !workload.nodes.is_empty() {
            section.card aria-labelledby="nodes-title" {
                div.title {
                    h2 id="nodes-title" { "Processes" }
                    span.sub { "each says every 5 s that it is there" }
                }
                table.list.nodes {
                    thead {
                        tr {
                            th scope="col" { "Process" }
                            th scope="col" { "Started" }
                            th scope="col" { "Last heard of" }
                            th scope="col" { "Running" }
                            th scope="col" { "What" }
                        }
                    }
                    tbody id="nodes" data-live="" {
                        @for (index, node) in workload.nodes.iter().enumerate() { (row(screen, index, node, pool, now)) }
                    }
                }
            }
        }
        @if !workload.elsewhere.is_empty() { (elsewhere(screen, &workload.elsewhere)) }
    }
}

fn row(screen: &Screen, index: usize, node: &NodeSnapshot, pool: PoolSnapshot, now: DateTime<Utc>) -> Markup {
    let heard = now - TimeDelta::from_std(node.silent).unwrap_or_default();
    html! {
        tr id=(format!("node-{index}-{}", node.name)) class=[(node.silent >= LOST).then_some("problem")] {
            th scope="row" data-label="Process" {
                span.name { (node.name) }
                @if node.is_this { span.note { "this one" } }
            }
            td.num data-label="Started" { (parts::when(node.started_at, now)) }
            td.num data-label="Heard of" {
                (parts::when(heard, now))
                @if node.silent >= LOST { " " (parts::badge(Tone::Bad, "lost")) }
                @else if node.silent >= QUIET { " " (parts::badge(Tone::Held, "late")) }
            }
            td.num data-label="Running" {
                (format::count(usize::try_from(node.running).unwrap_or(usize::MAX)))
                @if let (true, Some(size)) = (node.is_this, pool.size) {
                    " of " (format::count(size.get())) " " (gauge(pool.running, size.get()))
                }
            }
            td data-label="What" {
                @if node.runs.is_empty() { span.dim { "–" } }
                @for (index, (job, count)) in node.runs.iter().take(SHOWN).enumerate() {
                    @if index > 0 { ", " }
                    a href=(runs_of(screen, job, "&state=running")) { (job) }
                    @if *count > 1 { " " span.dim { "× " (count) } }
                }
                @if node.runs.len() > SHOWN { ", and " (format::counted(node.runs.len() - SHOWN, "other job", "other jobs")) }
            }
        }
    }
}

/// What waits for a process that knows it, or is with one.
fn elsewhere(screen: &Screen, jobs: &[Elsewhere]) -> Markup {
    html! {
        section.card aria-labelledby="elsewhere-title" {
            div.title {
                h2 id="elsewhere-title" { "Jobs that this process does not know" }
                span.sub { "their runs wait for one that does" }
            }
            table.list {
                thead {
                    tr {
                        th scope="col" { "Job" }
                        th scope="col" { "Running" }
                        th scope="col" { "Queued" }
                        th scope="col" { "Delayed" }
                    }
                }
                tbody id="elsewhere" data-live="" {
                    @for job in jobs {
                        tr id=(format!("elsewhere-{}", job.job)) {
                            th scope="row" data-label="Job" { a.name href=(runs_of(screen, &job.job, "")) { (job.job) } }
                            td.num data-label="Running" { (format::count(job.running)) }
                            td.num data-label="Queued" { (format::count(job.queued)) }
                            td.num data-label="Delayed" { (format::count(job.delayed)) }
                        }
                    }
                }
            }
        }
    }
}

fn runs_of(screen: &Screen, job: &str, more: &str) -> String {
    format!("{}?job={}{more}", screen.base.to("runs"), escaped(job))
}

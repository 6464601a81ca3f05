//! The pool and its queues: how full they are, and what they are busy with.

use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::parts::{self, Tone};
use super::shell::page;
use super::{nodes, pace, runs};
use crate::job::RunState;
use crate::runtime::overview::Workload;
use crate::runtime::{PoolSnapshot, QueueSnapshot};
use crate::status::format;
use crate::status::paths::escaped;
use crate::status::screen::Screen;

/// Of how many runs that execute the list is shown.
const SHOWN: usize = 25;

pub(in crate::status) async fn pool(screen: Screen) -> Response {
    let pool = screen.page.jobs.pool_gauge();
    let (queues, workload) = screen.page.jobs.queue_gauges().await;
    let now = screen.page.jobs.wall_time();
    let running = screen.page.jobs.runs().state(RunState::Running).limit(SHOWN).list().await;
    let is_shared = screen.page.jobs.is_shared();
    let oldest = queues.iter().filter_map(|queue| queue.queued_since).min();
    let body = html! {
        div.head {
            h1 { "Pool and queues" }
            (tiles(&workload, pool, oldest, now))
        }
        div.cards {
            (nodes::nodes(&screen, &workload, pool, now))
            (pace::charts(&screen.page.jobs.last_hour(), if is_shared { ", of this process alone" } else { "" }))
            section.card aria-labelledby="queues-title" {
                div.title {
                    h2 id="queues-title" { "Queues" }
                    @if is_shared { span.sub { "of all processes; each heeds the limits by itself" } }
                }
                table.list.queues {
                    thead {
                        tr {
                            th scope="col" { "Queue" }
                            th scope="col" { "Running" }
                            th scope="col" { "Queued" }
                            th scope="col" { "Oldest waiting" }
                            @if screen.may_steer() { th scope="col" { span.unseen { "Actions" } } }
                        }
                    }
                    tbody id="queues" data-live="" {
                        @for queue in &queues { (row(&screen, queue, is_shared, now)) }
                    }
                }
            }
            section.card id="running" data-live="" aria-labelledby="running-title" {
                div.title { h2 id="running-title" { "What runs now" } }
                @if running.is_empty() {
                    (parts::nothing("Nothing runs", "The pool is idle."))
                } @else {
                    table.list.runs {
                        thead { (runs::headings(false, true)) }
                        tbody { @for run in &running { (runs::row(&screen, run, now, true, false)) } }
                    }
                }
            }
        }
    };
    page(&screen, "pool", "Pool and queues", body)
}

fn tiles(
    workload: &Workload,
    pool: PoolSnapshot,
    oldest: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> Markup {
    html! {
        dl.tiles id="tiles" data-live="" {
            (parts::running(workload, pool))
            div { dt { "Queued" } dd { (format::count(workload.queued)) } }
            @if let Some(oldest) = oldest { div { dt { "Oldest waiting" } dd { (parts::when(oldest, now)) } } }
            @if let (Some(size), true) = (pool.size, workload.nodes.is_empty()) {
                div { dt { "Full" } dd { (gauge(pool.running, size.get())) } }
            }
        }
    }
}

pub(super) fn gauge(part: usize, whole: usize) -> Markup {
    html! {
        meter.gauge value=(part) min="0" max=(whole) aria-label="Full" { (part) " of " (whole) }
    }
}

fn row(screen: &Screen, queue: &QueueSnapshot, is_shared: bool, now: DateTime<Utc>) -> Markup {
    let to = screen.base.to(&format!("queues/{}", escaped(&queue.name)));
    let action = if queue.paused { "resume" } else { "pause" };
    let label = if queue.paused { "Resume" } else { "Pause" };
    html! {
        tr id=(format!("queue-{}", queue.name)) {
            th scope="row" data-label="Queue" {
                a.name href=(format!("{}?queue={}", screen.base.to("runs"), escaped(&queue.name))) { (queue.name) }
                @if queue.paused { " " (parts::badge(Tone::Held, "PAUSED")) }
            }
            td.num data-label="Running" {
                (format::count(queue.running))
                @match queue.size {
                    Some(size) if is_shared => span.note { "at most " (format::count(size.get())) " in each process" },
                    Some(size) => { " of " (format::count(size.get())) " " (gauge(queue.running, size.get())) }
                    None => {}
                }
            }
            td.num data-label="Queued" { (format::count(queue.queued)) }
            td.num data-label="Oldest" {
                @match queue.queued_since { Some(since) => (parts::when(since, now)), None => span.dim { "–" } }
            }
            @if screen.may_steer() {
                td.actions data-label="Actions" {
                    div.buttons {
                        (parts::action(screen, &format!("{to}/{action}"), "button", html! { (label) }, &format!("{label} the queue {}", queue.name)))
                    }
                }
            }
        }
    }
}

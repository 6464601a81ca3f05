//! The pool and its queues: how full they are, and what they are busy with.

use axum::response::Response;
use chrono::{DateTime, Utc};
use maud::{Markup, html};

use super::parts::{self, Tone};
use super::shell::page;
use super::{pace, runs};
use crate::job::RunState;
use crate::runtime::{PoolSnapshot, QueueSnapshot};
use crate::status::format;
use crate::status::paths::escaped;
use crate::status::screen::Screen;

/// Of how many runs that execute the list is shown.
const SHOWN: usize = 25;

pub(in crate::status) async fn pool(screen: Screen) -> Response {
    let (pool, queues) = (screen.page.jobs.pool_gauge(), screen.page.jobs.queue_gauges());
    let now = screen.page.jobs.wall_time();
    let running = screen.page.jobs.runs().state(RunState::Running).limit(SHOWN).list().await;
    let oldest = queues.iter().filter_map(|queue| queue.queued_since).min();
    let body = html! {
        div.head {
            h1 { "Pool and queues" }
            (tiles(pool, oldest, now))
        }
        div.cards {
            (pace::charts(&screen.page.jobs.last_hour()))
            section.card aria-labelledby="queues-title" {
                div.title { h2 id="queues-title" { "Queues" } }
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
                        @for queue in &queues { (row(&screen, queue, now)) }
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

fn tiles(pool: PoolSnapshot, oldest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Markup {
    html! {
        dl.tiles id="tiles" data-live="" {
            div {
                dt { "Running" }
                dd {
                    (format::count(pool.running))
                    @if let Some(size) = pool.size { span.of { " of " (format::count(size.get())) } }
                    @else { span.of { " of any number" } }
                }
            }
            div { dt { "Queued" } dd { (format::count(pool.queued)) } }
            @if let Some(oldest) = oldest { div { dt { "Oldest waiting" } dd { (parts::when(oldest, now)) } } }
            @if let Some(size) = pool.size { div { dt { "Full" } dd { (gauge(pool.running, size.get())) } } }
        }
    }
}

fn gauge(part: usize, whole: usize) -> Markup {
    html! {
        meter.gauge value=(part) min="0" max=(whole) aria-label="Full" { (part) " of " (whole) }
    }
}

fn row(screen: &Screen, queue: &QueueSnapshot, now: DateTime<Utc>) -> Markup {
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
                @if let Some(size) = queue.size { " of " (format::count(size.get())) " " (gauge(queue.running, size.get())) }
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

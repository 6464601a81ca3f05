//! The same facts as JSON, and the same few things that can be done.

mod answer;
mod openapi;
mod pace;
mod particulars;
mod records;
mod runs;
mod schema;
mod steer;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};

use self::answer::{Answer, Failure, answered, json};
use self::openapi::{Endpoint, Kind, Parameter};
use self::schema::Schema;
use super::Page;
use super::figures::{self, Figures};
use super::pages::jobs::narrowed;
use super::screen::Screen;
use crate::runtime::JobSnapshot;
use crate::runtime::overview::{Ended, JobBrief};

/// Of more jobs, there is a next page.
const ON_A_PAGE: usize = 100;

const FROM: Parameter = Parameter { name: "from", means: "From this instant on.", kind: Kind::Time };
const TO: Parameter = Parameter { name: "to", means: "Up to this instant.", kind: Kind::Time };

/// All endpoints, in the order of the document.
const ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        method: "get",
        path: "/jobs",
        does: "All jobs that this process knows, by name; their runs are those of the whole cluster, where there is one.",
        query: &[
            Parameter { name: "q", means: "Words that they speak of.", kind: Kind::Text },
            Parameter {
                name: "state",
                means: "`problem`, `running`, `queued`, `idle`, `paused` or `disabled`.",
                kind: Kind::Text,
            },
            Parameter { name: "page", means: "The number of the page, from 1.", kind: Kind::Number },
        ],
        gives: records::Jobs::schema,
    },
    Endpoint {
        method: "get",
        path: "/jobs/{job}",
        does: "One job.",
        query: &[],
        gives: records::Job::schema,
    },
    Endpoint {
        method: "get",
        path: "/jobs/{job}/ledger",
        does: "What became of the slots of a job, the oldest first.",
        query: &[FROM, TO],
        gives: Vec::<records::Entry>::schema,
    },
    Endpoint {
        method: "get",
        path: "/jobs/{job}/upcoming",
        does: "The next ten fire times of a job.",
        query: &[],
        gives: Vec::<particulars::Fire>::schema,
    },
    Endpoint {
        method: "get",
        path: "/jobs/{job}/settings",
        does: "What holds for a job, and who says so.",
        query: &[],
        gives: Vec::<particulars::Setting>::schema,
    },
    Endpoint {
        method: "get",
        path: "/jobs/{job}/arguments",
        does: "The arguments of a job.",
        query: &[],
        gives: Vec::<particulars::Argument>::schema,
    },
    Endpoint {
        method: "post",
        path: "/jobs/{job}/run",
        does: "Runs a job now, with the `arguments` of the body, or else those of its first schedule or its defaults.",
        query: &[],
        gives: records::Made::schema,
    },
    Endpoint {
        method: "post",
        path: "/jobs/{job}/pause",
        does: "Pauses a job: its slots pass without a run.",
        query: &[],
        gives: records::Done::schema,
    },
    Endpoint {
        method: "post",
        path: "/jobs/{job}/resume",
        does: "Lets a paused job fire again.",
        query: &[],
        gives: records::Done::schema,
    },
    Endpoint {
        method: "get",
        path: "/jobs/{job}/why",
        does: "Why a job does not run in this process, or has not, in one sentence.",
        query: &[],
        gives: records::Why::schema,
    },
    Endpoint {
        method: "get",
        path: "/runs",
        does: "Runs, the youngest first. An answer with a header `Link` to the `next` has not looked at all of them yet.",
        query: &[
            Parameter { name: "job", means: "Of this job.", kind: Kind::Text },
            Parameter {
                name: "state",
                means: "`scheduled`, `waiting`, `available`, `running`, `succeeded`, `dead` or `cancelled`.",
                kind: Kind::Text,
            },
            Parameter { name: "queue", means: "In this queue.", kind: Kind::Text },
            Parameter {
                name: "text",
                means: "With this in their arguments, output or error.",
                kind: Kind::Text,
            },
            FROM,
            TO,
            Parameter {
                name: "before",
                means: "Made before this run: to go on behind a list.",
                kind: Kind::Text,
            },
            Parameter {
                name: "limit",
                means: "At most so many, up to 1000; 100 where nothing is said.",
                kind: Kind::Number,
            },
        ],
        gives: Vec::<records::Run>::schema,
    },
    Endpoint {
        method: "get",
        path: "/runs/{run}",
        does: "One run.",
        query: &[],
        gives: records::Run::schema,
    },
    Endpoint {
        method: "post",
        path: "/runs/{run}/cancel",
        does: "Cancels a run that has not ended.",
        query: &[],
        gives: records::Done::schema,
    },
    Endpoint {
        method: "post",
        path: "/runs/{run}/retry",
        does: "Makes a run that has ended once more, with the same arguments.",
        query: &[],
        gives: records::Made::schema,
    },
    Endpoint {
        method: "get",
        path: "/queues",
        does: "All queues, and how full they are; of the whole cluster, where there is one.",
        query: &[],
        gives: Vec::<records::Queue>::schema,
    },
    Endpoint {
        method: "post",
        path: "/queues/{queue}/pause",
        does: "Pauses a queue: what is in it does not start.",
        query: &[],
        gives: records::Done::schema,
    },
    Endpoint {
        method: "post",
        path: "/queues/{queue}/resume",
        does: "Lets what is in a paused queue start again.",
        query: &[],
        gives: records::Done::schema,
    },
    Endpoint {
        method: "get",
        path: "/schedules",
        does: "The named schedules of the config, and who uses them.",
        query: &[],
        gives: Vec::<records::Named>::schema,
    },
    Endpoint {
        method: "get",
        path: "/nodes",
        does: "The processes of the cluster, the oldest first; none where the store is this process's alone.",
        query: &[],
        gives: Vec::<records::Node>::schema,
    },
    Endpoint {
        method: "get",
        path: "/pool",
        does: "How full the pool of this process is.",
        query: &[],
        gives: records::Pool::schema,
    },
    Endpoint {
        method: "get",
        path: "/pool/minutes",
        does: "What has started and ended in this process in each minute of the last hour, the oldest first.",
        query: &[],
        gives: Vec::<pace::Minute>::schema,
    },
    Endpoint {
        method: "get",
        path: "/health",
        does: "Whether the program does its work, and what is wrong if not.",
        query: &[],
        gives: records::Wellbeing::schema,
    },
];

pub(super) fn routes() -> Router<Page> {
    Router::new()
        .route("/@jobs/api", get(async || json(StatusCode::OK, &openapi::document())))
        .route("/@jobs/api/openapi.json", get(async || json(StatusCode::OK, &openapi::document())))
        .route("/@jobs/api/jobs", get(jobs))
        .route("/@jobs/api/jobs/{job}", get(job))
        .route("/@jobs/api/jobs/{job}/ledger", get(ledger))
        .route("/@jobs/api/jobs/{job}/{action}", post(steer::job))
        .route("/@jobs/api/jobs/{job}/why", get(why))
        .route("/@jobs/api/jobs/{job}/upcoming", get(particulars::upcoming))
        .route("/@jobs/api/jobs/{job}/settings", get(particulars::settings))
        .route("/@jobs/api/jobs/{job}/arguments", get(particulars::arguments))
        .route("/@jobs/api/runs", get(runs::list))
        .route("/@jobs/api/runs/{run}", get(runs::one))
        .route("/@jobs/api/runs/{run}/{action}", post(steer::run))
        .route("/@jobs/api/queues", get(queues))
        .route("/@jobs/api/queues/{queue}/{action}", post(steer::queue))
        .route("/@jobs/api/schedules", get(schedules))
        .route("/@jobs/api/nodes", get(nodes))
        .route("/@jobs/api/pool", get(pool))
        .route("/@jobs/api/pool/minutes", get(pace::minutes))
        .route("/@jobs/api/health", get(health))
        .route("/@jobs/api/{*rest}", axum::routing::any(nowhere))
}

async fn nowhere() -> Response {
    Failure::not_found("there is no such endpoint; `/@jobs/api/openapi.json` lists them").into_response()
}

async fn jobs(screen: Screen) -> Response {
    answered(list(&screen).await)
}

async fn list(screen: &Screen) -> Answer<records::Jobs> {
    let page = match screen.query.get("page") {
        None => 1,
        Some(page) => page
            .parse()
            .ok()
            .filter(|page| *page > 0)
            .ok_or_else(|| Failure::bad_request("`page` is a whole number from 1 on"))?,
    };
    let overview = screen.page.jobs.overview().await;
    let found = narrowed(&overview, &screen.query).ok_or_else(|| {
        Failure::bad_request("`state` is `problem`, `running`, `queued`, `idle`, `paused` or `disabled`")
    })?;
    let pages = found.len().div_ceil(ON_A_PAGE).max(1);
    let shown = found.iter().skip(ON_A_PAGE.saturating_mul(page - 1)).take(ON_A_PAGE);
    Ok(records::Jobs {
        jobs: told(&screen.page.jobs.in_full(&overview, shown.copied()), screen).await,
        total: found.len() as u64,
        page: page as u64,
        pages: pages as u64,
    })
}

async fn told(jobs: &[JobSnapshot], screen: &Screen) -> Vec<records::Job> {
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    let ended = screen.page.jobs.last_ended(&names, figures::RUNS).await;
    let told = |(job, ended): (_, Vec<Ended>)| records::Job::of(&screen.page.jobs, job, &Figures::of(ended));
    jobs.iter().zip(ended).map(told).collect()
}

async fn job(Path(name): Path<String>, screen: Screen) -> Response {
    let found = match screen.page.jobs.job_in_full(&name).await {
        Some(job) => told(&[job], &screen).await.pop(),
        None => None,
    };
    answered(found.ok_or_else(|| Failure::not_found("no job has this name")))
}

async fn ledger(Path(name): Path<String>, screen: Screen) -> Response {
    answered(entries(&name, &screen))
}

fn entries(name: &str, screen: &Screen) -> Answer<Vec<records::Entry>> {
    let mut query = screen.page.jobs.ledger(name)?;
    let (from, to) = (instant(screen, "from")?, instant(screen, "to")?);
    if from.is_some() || to.is_some() {
        let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
        query = query.between(from.unwrap_or(first), to.unwrap_or(last));
    }
    Ok(query.entries().into_iter().map(records::Entry::from).collect())
}

/// An instant of the query, as RFC 3339 writes it.
fn instant(screen: &Screen, name: &str) -> Answer<Option<DateTime<Utc>>> {
    let Some(text) = screen.query.get(name) else { return Ok(None) };
    let wrong = || Failure::bad_request(format!("`{name}` is an instant such as `2026-03-02T12:00:00Z`"));
    DateTime::parse_from_rfc3339(text).map(|at| Some(at.to_utc())).map_err(|_| wrong())
}

async fn schedules(screen: Screen) -> Response {
    let overview = screen.page.jobs.overview_here();
    let named = screen.page.jobs.named_schedules().into_iter().map(|(name, schedule)| {
        let uses = |job: &&JobBrief| {
            job.schedules.iter().any(|schedule| schedule.name.as_deref() == Some(name.as_str()))
        };
        let used_by = overview.jobs.iter().filter(uses).map(|job| job.name.to_string()).collect();
        let place = schedule.place.to_string();
        records::Named { name, spec: schedule.spec, words: schedule.words, place, used_by }
    });
    answered(Ok(named.collect::<Vec<_>>()))
}

async fn why(Path(name): Path<String>, screen: Screen) -> Response {
    let explained = screen.page.jobs.explain(&name);
    answered(
        explained
            .map(|explained| records::Why { job: explained.job, text: explained.text })
            .map_err(Failure::from),
    )
}

async fn queues(screen: Screen) -> Response {
    let (queues, _) = screen.page.jobs.queue_gauges().await;
    answered(Ok(queues.iter().map(records::Queue::from).collect::<Vec<_>>()))
}

async fn nodes(screen: Screen) -> Response {
    let (_, workload) = screen.page.jobs.queue_gauges().await;
    if workload.nodes.is_empty() && screen.page.jobs.is_store_silent().await {
        return Failure::silent().into_response();
    }
    answered(Ok(workload.nodes.iter().map(records::Node::from).collect::<Vec<_>>()))
}

async fn pool(screen: Screen) -> Response {
    answered(Ok(records::Pool::from(screen.page.jobs.pool_gauge())))
}

async fn health(screen: Screen) -> Response {
    answered(Ok(records::Wellbeing::from(screen.page.jobs.health())))
}

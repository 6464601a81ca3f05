//! How long every screen of the status page takes with 10 000 jobs and a million runs, against an empty program; and what
//! twenty open pages cost a program that is busy.
//!
//! Run with `cargo run --release` in `benches/status`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use futures_core::Stream;
use jobs::{Config, Jobs, RunId};
use tower::ServiceExt;

const JOBS: usize = 10_000;
const RUNS: usize = 1_000_000;
/// Jobs that run at all; of each 10 000 runs are kept.
const BUSY: usize = 100;
const TIMES: usize = 200;
const PAGES: usize = 20;
const PACE: usize = 200_000;

#[tokio::main(worker_threads = 2)]
async fn main() {
    let jobs = jobs::start(Config::default().without_environment()).await.expect("starts");
    let screens = |job: &str, run: &str| {
        [
            "",
            "?q=job-99",
            "?page=50",
            "/runs",
            "/runs?state=dead",
            "/runs?text=nothing+says+that",
            "/schedules",
            "/pool",
            "/runs?state=running",
            "/api/jobs",
            "/api/jobs?state=problem",
            "/api/runs",
            "/api/runs?state=running",
            "/api/runs?text=nothing+says+that",
            "/api/queues",
            "/api/schedules",
            "/api/pool",
            "/api/pool/minutes",
            "/api/health",
            "/api/openapi.json",
            "/metrics",
            "/health",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("/jobs/{job}"), format!("/runs/{run}"), format!("/runs?job={job}")])
        .chain(
            ["", "/ledger", "/why", "/upcoming", "/settings", "/arguments"]
                .map(|of| format!("/api/jobs/{job}{of}")),
        )
        .chain([format!("/api/runs/{run}")])
        .collect::<Vec<_>>()
    };
    let one = jobs.now(jobs::func("job-0", || async {})).await.expect("submitted");
    one.wait().await;
    let names = screens("job-0", &one.id().to_string());
    let empty = measure(&jobs, &names).await;

    for number in 0..JOBS {
        let text = format!("{} {} 3 * * *", number % 60, number / 60 % 60);
        let job = jobs::func(format!("job-{number}"), || async {});
        jobs.schedule(&text, job).await.expect("scheduled");
    }
    let begun = Instant::now();
    let last = run(&jobs, RUNS).await;
    println!("{JOBS} jobs, {RUNS} runs in {:.1?}\n", begun.elapsed());

    // The one run of the empty program is not among those that are kept.
    let full = measure(&jobs, &screens("job-0", &last.to_string())).await;
    println!("{:<32} {:>10} {:>10} {:>10} {:>8}", "screen", "empty p50", "p50", "p99", "ratio");
    for ((name, empty), full) in names.iter().zip(empty).zip(full) {
        let ratio = full.0.as_secs_f64() / empty.0.as_secs_f64();
        let shown = if name.len() > 32 { &name[..32] } else { name };
        println!("{shown:<32} {:>10.1?} {:>10.1?} {:>10.1?} {ratio:>8.1}", empty.0, full.0, full.1);
    }

    println!("\nns a run of {PACE}, the best of 5");
    let alone = pace(&jobs).await;
    let page: Router = jobs.status_page();
    let open = (0..PAGES).map(|_| tokio::spawn(watch(page.clone()))).collect::<Vec<_>>();
    let watched = pace(&jobs).await;
    open.iter().for_each(tokio::task::JoinHandle::abort);
    println!("alone {alone}, with {PAGES} open pages {watched}");
    jobs.shutdown().await;
}

/// Runs no-ops of all busy jobs, and gives the last.
async fn run(jobs: &Jobs, count: usize) -> RunId {
    let mut last = None;
    for number in 0..count {
        let name = format!("job-{}", number % BUSY);
        last = Some(jobs.now(jobs::func(name, || async {})).await.expect("submitted"));
        if number % 10_000 == 9_999 {
            last.as_ref().expect("one").wait().await;
        }
    }
    let last = last.expect("one");
    last.wait().await;
    last.id()
}

async fn pace(jobs: &Jobs) -> u128 {
    let mut best = u128::MAX;
    for _ in 0..5 {
        let begun = Instant::now();
        run(jobs, PACE).await;
        best = best.min(begun.elapsed().as_nanos() / PACE as u128);
    }
    best
}

/// Holds a page open, as a browser does that is told of changes.
async fn watch(page: Router) {
    let response = page.oneshot(request("/events")).await.expect("an answer");
    assert!(response.status().is_success());
    let mut rings = response.into_body().into_data_stream();
    while let Some(ring) = std::future::poll_fn(|cx| std::pin::Pin::new(&mut rings).poll_next(cx)).await {
        ring.expect("a ring");
    }
}

fn request(name: &str) -> Request<Body> {
    let request = Request::builder().uri(format!("/@jobs{name}")).header("host", "localhost");
    let mut request = request.body(Body::empty()).expect("a request");
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>(([127, 0, 0, 1], 1).into()));
    request
}

/// The half and the 99th percentile of every screen.
async fn measure(jobs: &Jobs, names: &[String]) -> Vec<(Duration, Duration)> {
    let page: Router = jobs.status_page();
    let mut all = Vec::new();
    for name in names {
        let mut took = Vec::new();
        for _ in 0..TIMES {
            let request = request(name);
            let begun = Instant::now();
            let response = page.clone().oneshot(request).await.expect("an answer");
            assert!(response.status().is_success(), "{name}: {}", response.status());
            to_bytes(response.into_body(), usize::MAX).await.expect("a body");
            took.push(begun.elapsed());
        }
        took.sort_unstable();
        all.push((took[TIMES / 2], took[TIMES * 99 / 100]));
    }
    all
}

//! An open page is told of what changes.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::Request;
use jobs::{Config, Jobs, job};
use tokio::time::timeout;
use tower::ServiceExt;

#[job]
async fn file_report() {}

const LONG: Duration = Duration::from_secs(10);
const LESS_THAN_A_SECOND: Duration = Duration::from_millis(900);

async fn start() -> (Jobs, Router) {
    let jobs = jobs::start(Config::default().without_environment()).await.unwrap();
    let page = jobs.status_page();
    (jobs, page)
}

async fn listen(page: &Router) -> Body {
    let mut request = Request::builder().uri("/@jobs/events").header("host", "localhost");
    request = request.extension(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
    page.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().into_body()
}

/// Waits for a ring, and says whether one came.
async fn rings(bell: &mut Body, within: Duration) -> bool {
    let frame = timeout(within, poll_fn(|cx| Pin::new(&mut *bell).poll_frame(cx))).await;
    frame.is_ok_and(|frame| frame.unwrap().unwrap().into_data().unwrap().starts_with(b"data: changed"))
}

/// Nobody was told of what happened while the page was on its way.
#[tokio::test(start_paused = true)]
async fn a_page_is_told_as_soon_as_it_listens() {
    let (_jobs, page) = start().await;
    let mut bell = listen(&page).await;
    assert!(rings(&mut bell, LONG).await);
    assert!(!rings(&mut bell, LONG).await, "nothing has changed");
}

#[tokio::test(start_paused = true)]
async fn what_changes_between_two_looks_at_the_bell_rings_it_once() {
    let (jobs, page) = start().await;
    let mut bell = listen(&page).await;
    assert!(rings(&mut bell, LONG).await);
    for _ in 0..20 {
        jobs.run_now("file_report").await.unwrap().wait().await;
    }
    assert!(!rings(&mut bell, LESS_THAN_A_SECOND).await, "told once a second at most");
    assert!(rings(&mut bell, LONG).await);
    assert!(!rings(&mut bell, LONG).await, "nothing has changed since");
}

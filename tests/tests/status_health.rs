//! What is wrong with the program stands on every page, in the API with its reason, and before everybody without.

use std::future::pending;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use chrono::{TimeZone, Utc};
use jobs::testing::TestClock;
use jobs::{Config, func};
use tower::ServiceExt;

async fn get(page: &Router, peer: &str, path: &str) -> (u16, String) {
    let request = Request::builder().uri(format!("/@jobs{path}")).header("host", "localhost");
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer.parse().unwrap()));
    let response = page.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    (status, String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap())
}

#[tokio::test(start_paused = true)]
async fn trouble_is_seen_wherever_somebody_looks() {
    const HERE: &str = "127.0.0.1:1";
    let clock = TestClock::at(Utc.with_ymd_and_hms(2026, 3, 2, 12, 0, 0).unwrap());
    let jobs = jobs::start(Config::default().without_environment().clock(&clock).pool(1)).await.unwrap();
    let page: Router = jobs.status_page();
    let holds = jobs.now(func("holds", pending::<()>)).await.unwrap();
    let waits = jobs.now(func("waits", async || {})).await.unwrap();
    let paths =
        ["", "/runs", "/schedules", "/pool", "/jobs/waits", &format!("/runs/{}", waits.id()), "/nothing"];
    for path in paths {
        assert!(!get(&page, HERE, path).await.1.contains("flash bad"), "{path}");
    }
    assert_eq!(get(&page, "203.0.113.9:1", "/health").await, (200, "ok\n".to_owned()));

    clock.advance(Duration::from_secs(100)).await;
    for path in paths {
        let text = get(&page, HERE, path).await.1;
        assert!(
            text.contains("flash bad") && text.contains("one run waits for room in the pool"),
            "{path}:\n{text}"
        );
    }
    // Who may not see the page is not told what it is.
    assert_eq!(get(&page, "203.0.113.9:1", "/health").await, (503, "not ok\n".to_owned()));
    let (_, told) = get(&page, HERE, "/api/health").await;
    assert!(told.contains("\"ok\":false") && told.contains("waits for room"), "{told}");
    holds.cancel().await;
    clock.advance(Duration::from_secs(1)).await;
    assert_eq!(get(&page, HERE, "/health").await.0, 200);
    assert!(!get(&page, HERE, "").await.1.contains("flash bad"));
}

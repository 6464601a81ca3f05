//! `/@jobs/metrics` of a program that has a recorder of its own: a process for itself, since there is one recorder.

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, StatusCode};
use jobs::Config;
use tower::ServiceExt;

#[tokio::test]
async fn what_another_recorder_has_is_not_given_twice() {
    metrics::set_global_recorder(metrics::NoopRecorder).unwrap();
    let jobs = jobs::start(Config::default().without_environment()).await.unwrap();
    let page: Router = jobs.status_page();
    let mut request =
        Request::builder().uri("/@jobs/metrics").header("host", "localhost").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
    let response = page.oneshot(request).await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let said = String::from_utf8(to_bytes(response.into_body(), 4096).await.unwrap().to_vec()).unwrap();
    assert!(said.contains("the program has installed a recorder of its own"), "{said}");
    jobs.shutdown().await;
}

//! What the status page does on a store that outlives the process.

mod support;

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use jobs::{Config, Jobs, RunSnapshot, job};
use support::folder::Folder;
use tower::ServiceExt;

/// Writes a letter.
#[job]
async fn write_letter(
    #[default = "ada".to_owned()] to: String,
    #[default]
    #[redact]
    code: String,
) {
    let _ = (to, code);
}

async fn start(folder: &Folder) -> Jobs {
    jobs::start(Config::default().without_environment().store(folder.sqlite())).await.unwrap()
}

async fn post(jobs: &Jobs, path: &str, body: &str) {
    let page: Router = jobs.status_page();
    let mut request = Request::builder()
        .method("POST")
        .uri(format!("/@jobs{path}"))
        .header("host", "localhost")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from(body.to_owned()))
        .unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
    let status = page.oneshot(request).await.unwrap().status();
    assert_eq!(status, 303, "{path}");
}

#[tokio::test]
async fn what_was_done_on_the_page_is_known_after_a_restart() {
    let folder = Folder::new();
    let jobs = start(&folder).await;
    post(&jobs, "/jobs/write_letter/run", "arg.to=grace&arg.code=secret4242").await;
    let made = jobs.runs().list().await[0].id;
    jobs.handle(made).await.unwrap().wait().await;
    post(&jobs, &format!("/runs/{made}/retry"), "").await;
    for run in jobs.runs().list().await {
        jobs.handle(run.id).await.unwrap().wait().await;
    }
    let told = |runs: Vec<RunSnapshot>| -> Vec<_> {
        runs.into_iter()
            .map(|run| (run.id, run.made_by, run.requested_by, run.arguments, run.state))
            .collect()
    };
    let before = told(jobs.runs().list().await);
    assert_eq!(before.len(), 2);
    jobs.shutdown().await;

    let jobs = start(&folder).await;
    let after = told(jobs.runs().list().await);
    assert_eq!(after, before);
    for (.., who, arguments, _) in after {
        assert_eq!(who.as_deref(), Some("127.0.0.1"));
        assert_eq!(arguments.as_deref(), Some(r#"{"code":"[redacted]","to":"grace"}"#));
    }
    jobs.shutdown().await;
}

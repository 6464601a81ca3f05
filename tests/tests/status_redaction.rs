//! What is `#[redact]`ed stands nowhere: every page, every answer of the API, events, log lines, metrics and files of a
//! program that does all there is to do with such arguments.

#[path = "support/log.rs"]
mod log;

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use jobs::{Config, Jobs, job};
use log::Log;
use tower::ServiceExt;

/// What nobody is to see, in all the shapes that an argument may have.
const SECRET: &str = "canary4242";
const NUMBER: u32 = 987_654_321;

/// What is paid with.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Card {
    number: String,
}

/// Charges a card.
#[job(
    schedule = "@hourly",
    retries = 1,
    backoff = "10ms",
    unique,
    args(order = 1, token = "canary4242", pin = 987654321, card = Card { number: "canary4242".into() })
)]
async fn charge(
    order: u64,
    #[redact] token: String,
    #[redact] pin: u32,
    #[redact] card: Card,
) -> Result<u64, std::io::Error> {
    let _ = (token, pin, card);
    jobs::log(format!("charges {order}"));
    if order.is_multiple_of(2) { Err(std::io::Error::other("refused")) } else { Ok(order) }
}

/// Its defaults are not shown either.
#[job]
async fn refund(
    #[redact]
    #[default = "canary4242".to_owned()]
    token: String,
    order: u64,
) {
    let _ = (token, order);
}

async fn ask(page: &Router, method: &str, path: &str, kind: &str, body: &str) -> (u16, String) {
    let request = Request::builder().method(method).uri(path).header("host", "localhost");
    let mut request = request.header("content-type", kind).body(Body::from(body.to_owned())).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
    let response = page.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let mut text = format!("{:?}\n", response.headers());
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    text.push_str(std::str::from_utf8(&body).unwrap());
    (status, text)
}

/// Where the page leads, from its root.
async fn crawl(page: &Router) -> Vec<(String, String)> {
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut open = vec!["/@jobs".to_owned(), "/@jobs/metrics".to_owned()];
    while let Some(path) = open.pop() {
        if seen.iter().any(|(known, _)| *known == path) {
            continue;
        }
        let (_, text) = ask(page, "GET", &path, "text/html", "").await;
        for link in text.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let link = link.replace("&amp;", "&");
            let link = if link.starts_with('?') {
                format!("{}{link}", path.split('?').next().unwrap())
            } else {
                link
            };
            if link.starts_with("/@jobs") {
                open.push(link);
            }
        }
        seen.push((path, text));
    }
    seen
}

async fn api(page: &Router, jobs: &Jobs) -> Vec<(String, String)> {
    let mut paths = vec!["jobs".to_owned(), "runs?limit=1000".into(), "queues".into(), "schedules".into()];
    paths.extend(["pool".into(), "health".into(), "openapi.json".into()]);
    for job in ["charge", "refund"] {
        paths.extend([format!("jobs/{job}"), format!("jobs/{job}/ledger"), format!("jobs/{job}/why")]);
    }
    paths.extend(jobs.runs().list().await.iter().map(|run| format!("runs/{}", run.id)));
    let mut seen = Vec::new();
    for path in paths {
        let path = format!("/@jobs/api/{path}");
        let (status, text) = ask(page, "GET", &path, "application/json", "").await;
        assert_eq!(status, 200, "{path}: {text}");
        seen.push((path, text));
    }
    seen
}

fn charge_of(order: u64) -> charge {
    charge { order, token: SECRET.to_owned(), pin: NUMBER, card: Card { number: SECRET.to_owned() } }
}

#[tokio::test]
async fn a_redacted_argument_stands_nowhere() {
    let log = Log::default();
    let _in_force = tracing::subscriber::set_default(
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone()).finish(),
    );
    let jobs = jobs::start(Config::default().without_environment()).await.unwrap();
    let page: Router = jobs.status_page();
    let mut events = jobs.events();
    let token = {
        let (_, text) = ask(&page, "GET", "/@jobs", "text/html", "").await;
        text.split_once("name=\"token\" value=\"").unwrap().1.split_once('"').unwrap().0.to_owned()
    };
    let mut seen = Vec::new();

    // By code, by hand, again, and many at once.
    let failed = jobs.now(charge_of(2)).await.unwrap();
    failed.wait().await;
    jobs.now(charge_of(3)).await.unwrap().wait().await;
    jobs.run_now("charge").await.unwrap().wait().await;
    jobs.retry(failed.id()).await.unwrap().wait().await;
    let waiting = jobs.after(std::time::Duration::from_secs(3600), charge_of(5)).await.unwrap();
    let twice = jobs.after(std::time::Duration::from_secs(3600), charge_of(5)).await.unwrap();
    seen.push(("handles".to_owned(), format!("{waiting:?} {twice:?} {:?}", charge_of(5))));
    let bulk = format!("token={token}&action=retry-all");
    let kind = "application/x-www-form-urlencoded";
    seen.push(("bulk".into(), ask(&page, "POST", "/@jobs/runs?job=charge&state=dead", kind, &bulk).await.1));

    // By forms and by the API, well and badly.
    let forms = [
        format!(
            "arg.order=9&arg.token={SECRET}&arg.pin={NUMBER}&arg.card=%7B%22number%22%3A%22{SECRET}%22%7D"
        ),
        format!("arg.order=9&arg.token={SECRET}&arg.pin=1&arg.card=%22{SECRET}%22"),
        format!("arg.order=9&arg.token={SECRET}&arg.pin=1&arg.card={SECRET}"),
        format!("arg.order=nine&arg.token={SECRET}&arg.pin={NUMBER}99999&arg.card=%7B%7D"),
    ];
    for form in &forms {
        let body = format!("token={token}&{form}");
        seen.push((
            format!("form {form}"),
            ask(&page, "POST", "/@jobs/jobs/charge/run", kind, &body).await.1,
        ));
    }
    let bodies = [
        format!(
            r#"{{"arguments": {{"order": 4, "token": "{SECRET}", "pin": {NUMBER}, "card": {{"number": "{SECRET}"}}}}}}"#
        ),
        format!(
            r#"{{"arguments": {{"order": 4, "token": "x", "pin": "{SECRET}", "card": {{"number": "x"}}}}}}"#
        ),
        format!(r#"{{"arguments": {{"order": 4, "token": {NUMBER}, "pin": 1, "card": {{"number": "x"}}}}}}"#),
        format!(
            r#"{{"arguments": {{"order": 4, "token": "x", "pin": {NUMBER}000000, "card": {{"number": "x"}}}}}}"#
        ),
        format!(r#"{{"arguments": {{"order": 4, "token": "x", "pin": 1, "card": "{SECRET}"}}}}"#),
        format!(r#"{{"arguments": "{SECRET}"}}"#),
        format!(r#"{{"arguments": [4, {NUMBER}, "{SECRET}"]}}"#),
    ];
    for body in &bodies {
        let (_, text) = ask(&page, "POST", "/@jobs/api/jobs/charge/run", "application/json", body).await;
        seen.push((format!("api {body}"), text));
    }
    // What is wrong elsewhere is still said in full.
    let elsewhere = format!(
        r#"{{"arguments": {{"order": "four", "token": "{SECRET}", "pin": 1, "card": {{"number": "x"}}}}}}"#
    );
    let (_, text) = ask(&page, "POST", "/@jobs/api/jobs/charge/run", "application/json", &elsewhere).await;
    assert!(text.contains(r#"invalid type: string \"four\", expected u64"#), "{text}");

    for run in jobs.runs().list().await {
        if !run.state.is_final() && run.due_at.is_none() {
            jobs.handle(run.id).await.unwrap().wait().await;
        }
    }
    assert!(jobs.runs().limit(100).list().await.len() >= 7);
    let found = jobs.runs().containing(SECRET).list().await.len()
        + jobs.runs().containing("987654321").list().await.len();
    assert_eq!(found, 0, "a search tells what it finds");
    let searched = ask(&page, "GET", "/@jobs/runs?job=charge", "text/html", "").await.1;
    assert!(searched.contains("[redacted]"), "{searched}");

    seen.extend(crawl(&page).await);
    seen.extend(api(&page, &jobs).await);
    assert!(seen.len() > 40, "{}", seen.len());
    seen.push(("explain".into(), jobs.explain("charge").unwrap().text));
    seen.push(("snapshot".into(), format!("{:?} {jobs:?}", jobs.snapshot())));
    jobs.shutdown().await;
    let mut told = 0;
    while let Some(event) = events.next().await {
        seen.push(("event".into(), format!("{event:?}")));
        told += 1;
    }
    assert!(told > 20, "{told} events");
    let log = log.text();
    assert!(log.contains("job failed"), "{log}");
    seen.push(("log".into(), log));

    for (what, text) in seen {
        for secret in [SECRET, "987654321", "987_654_321"] {
            assert!(!text.contains(secret), "{what} shows {secret}:\n{text}");
        }
    }
}

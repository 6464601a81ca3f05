//! The API of the status page, held against its own OpenAPI document.

#[path = "support/openapi.rs"]
mod openapi;

use std::net::SocketAddr;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use jobs::{Config, Jobs, job};
use openapi::{encoded, operations, wrong};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use serde_json::{Value, json};
use tower::ServiceExt;

/// Takes stock.
#[job(schedule = "cron.nightly")]
async fn stock() {}

/// Always fails.
#[job(every = "1h")]
async fn fails() -> Result<(), std::io::Error> {
    Err(std::io::Error::other("<img src=x onerror=alert(1)>"))
}

/// Has an argument without a value.
#[job]
async fn greet(name: String) {
    let _ = name;
}

async fn start() -> (Jobs, Router) {
    let config = Config::default().without_environment().named("cron.nightly", "0 0 3 * * *");
    let jobs = jobs::start(config.job("fails", |job| job.retries(0))).await.unwrap();
    let page = jobs.status_page();
    (jobs, page)
}

/// The status and the body of the answer.
async fn ask(page: &Router, method: &str, path: &str, body: Option<&str>) -> (u16, Value) {
    let mut request =
        Request::builder().method(method).uri(format!("/@jobs/api{path}")).header("host", "localhost");
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let mut request = request.body(Body::from(body.unwrap_or_default().to_owned())).unwrap();
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
    let response = page.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
}

#[tokio::test]
async fn what_is_right_is_answered_as_the_document_says() {
    let (jobs, page) = start().await;
    jobs.run_now("fails").await.unwrap().wait().await;
    jobs.run_now("stock").await.unwrap().wait().await;
    let (status, document) = ask(&page, "GET", "/openapi.json", None).await;
    assert_eq!((status, &document["openapi"]), (200, &json!("3.1.0")));
    let run = jobs.snapshot().job("stock").unwrap().previous.as_ref().unwrap().id;
    let operations = operations(&document);
    assert!(operations.len() >= 17, "{}", operations.len());
    for (path, method, operation) in operations {
        let path =
            path.replace("{job}", "fails").replace("{run}", &run.to_string()).replace("{queue}", "default");
        let body = (method == "POST").then_some("{}");
        let (status, body) = ask(&page, &method, &path, body).await;
        let expected: &[u16] = if path.ends_with("/cancel") { &[200, 409] } else { &[200] };
        assert!(expected.contains(&status), "{method} {path}: {status} {body}");
        assert_eq!(wrong(&document, &operation, status, &body), None, "{method} {path}");
    }
}

#[tokio::test]
async fn jobs_are_as_the_snapshot_has_them() {
    let (jobs, page) = start().await;
    jobs.run_now("fails").await.unwrap().wait().await;
    let (_, all) = ask(&page, "GET", "/jobs", None).await;
    let names: Vec<&str> =
        all["jobs"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap()).collect();
    assert_eq!((names, &all["total"]), (vec!["fails", "greet", "stock"], &json!(3)));
    let (_, fails) = ask(&page, "GET", "/jobs/fails", None).await;
    assert_eq!(fails["previous"]["message"], "<img src=x onerror=alert(1)>");
    let (_, named) = ask(&page, "GET", "/schedules", None).await;
    assert_eq!((&named[0]["name"], &named[0]["used_by"]), (&json!("cron.nightly"), &json!(["stock"])));
    let (_, failing) = ask(&page, "GET", "/jobs?state=problem", None).await;
    assert_eq!(failing["total"], 1);
}

#[tokio::test]
async fn steering_says_what_was_done_and_what_was_not() {
    let (jobs, page) = start().await;
    assert_eq!(ask(&page, "POST", "/jobs/stock/pause", Some("{}")).await, (200, json!({ "done": "paused" })));
    assert!(jobs.snapshot().job("stock").unwrap().paused);
    let (status, body) = ask(&page, "POST", "/jobs/stok/pause", Some("{}")).await;
    assert_eq!(
        (status, body["error"].as_str().unwrap().contains("did you mean `stock`")),
        (404, true),
        "{body}"
    );
    let (status, body) = ask(&page, "POST", "/jobs/greet/run", Some("{}")).await;
    assert_eq!(status, 409, "{body}");
    let (status, _) = ask(&page, "POST", "/jobs/stock/run", None).await;
    assert_eq!(status, 415, "a form of another site could say that");
    let (status, _) = ask(&page, "POST", "/jobs/stock/run", Some("[1]")).await;
    assert_eq!(status, 400);
}

#[tokio::test]
async fn arguments_are_checked_before_anything_runs() {
    let (jobs, page) = start().await;
    let run = async |body: &str| ask(&page, "POST", "/jobs/greet/run", Some(body)).await;
    for (body, expected) in [
        (r#"{"arguments": {"nam": "Ada"}}"#, "it has no argument `nam`; did you mean `name`?"),
        (r#"{"arguments": {"name": 7}}"#, "invalid type: integer `7`"),
        (r#"{"arguments": {}}"#, "missing argument `name`"),
        (r#"{"arguments": [1]}"#, "not a JSON object"),
    ] {
        let (status, answer) = run(body).await;
        let error = answer["error"].as_str().unwrap();
        assert!(status == 400 && error.contains(expected), "{body}: {status} {error}");
    }
    assert!(jobs.runs().list().await.is_empty());
    let (status, made) = run(r#"{"arguments": {"name": "Ada"}}"#).await;
    assert_eq!(status, 200, "{made}");
    let run = jobs.run(made["run"].as_str().unwrap().parse().unwrap()).await.unwrap();
    assert_eq!(run.arguments.as_deref(), Some(r#"{"name":"Ada"}"#));
}

/// A message that is HTML is text on every page.
#[tokio::test]
async fn what_a_job_says_is_never_markup() {
    let (jobs, page) = start().await;
    jobs.run_now("fails").await.unwrap().wait().await;
    for path in ["/@jobs", "/@jobs/jobs/fails", "/@jobs?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E"] {
        let mut request =
            Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
        let response = page.clone().oneshot(request).await.unwrap();
        let text =
            String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap();
        assert!(!text.contains("<img src=x") && !text.contains("<script>"), "{path}");
        assert!(
            !text.contains(" style=") && !text.contains(" onclick="),
            "{path}: the policy would not let it"
        );
        if !path.contains('?') {
            assert!(text.contains("&lt;img src=x onerror=alert(1)&gt;"), "{path}");
        }
    }
}

#[test]
fn whatever_is_asked_the_answer_is_in_the_document() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (_jobs, page) = runtime.block_on(start());
    let (_, document) = runtime.block_on(ask(&page, "GET", "/openapi.json", None));
    let operations = operations(&document);
    let text = prop_oneof![
        any::<String>(),
        "[a-z]{0,8}",
        Just("fails".to_owned()),
        Just("..".to_owned()),
        Just("2026-03-02T12:00:00Z".to_owned()),
        Just("-1".to_owned()),
        Just("99999999999999999999".to_owned()),
    ];
    let asked = (
        0..operations.len(),
        proptest::collection::vec(text.clone(), 3),
        proptest::collection::vec(proptest::option::of(text), 8),
        prop_oneof![Just("{}".to_owned()), any::<String>(), Just("{\"a\": [".to_owned())],
    );
    let mut runner = TestRunner::new(Cases { cases: 2000, failure_persistence: None, ..Cases::default() });
    runner
        .run(&asked, |(at, parts, values, sent)| {
            let (path, method, operation) = &operations[at];
            let mut parts = parts.iter();
            let mut query = Vec::new();
            let path: Vec<String> = path
                .split('/')
                .map(
                    |part| {
                        if part.starts_with('{') { encoded(parts.next().unwrap()) } else { part.to_owned() }
                    },
                )
                .collect();
            let names = operation["parameters"].as_array().unwrap().iter().filter(|one| one["in"] == "query");
            for (parameter, value) in names.zip(&values) {
                if let Some(value) = value {
                    query.push(format!("{}={}", parameter["name"].as_str().unwrap(), encoded(value)));
                }
            }
            let path = format!("{}?{}", path.join("/"), query.join("&"));
            let sent = (method == "POST").then_some(sent.as_str());
            let (status, body) = runtime.block_on(ask(&page, method, &path, sent));
            // An empty part of a path is another path, which there is not.
            let expected = wrong(&document, operation, status, &body);
            prop_assert!(expected.is_none() || path.contains("//"), "{method} {path}: {status} {expected:?}");
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn the_pages_facts_are_there_for_programs() {
    let (jobs, page) = start().await;
    for _ in 0..3 {
        jobs.run_now("fails").await.unwrap().wait().await;
    }
    jobs.run_now("stock").await.unwrap().wait().await;
    let (_, fails) = ask(&page, "GET", "/jobs/fails", None).await;
    assert_eq!((&fails["recent"]["runs"], &fails["recent"]["failed"]), (&json!(3), &json!(3)));
    assert!(fails["recent"]["seconds_p95"].is_f64(), "{fails}");
    let (_, upcoming) = ask(&page, "GET", "/jobs/stock/upcoming", None).await;
    assert_eq!(upcoming.as_array().unwrap().len(), 10);
    assert_eq!(upcoming[0]["at"], ask(&page, "GET", "/jobs/stock", None).await.1["next"]);
    let (_, settings) = ask(&page, "GET", "/jobs/fails/settings", None).await;
    let retries = settings.as_array().unwrap().iter().find(|setting| setting["key"] == "retries").unwrap();
    assert!(retries["said_by"].as_str().unwrap().contains("status_api.rs:"), "{retries}");
    let (_, arguments) = ask(&page, "GET", "/jobs/greet/arguments", None).await;
    assert_eq!((&arguments[0]["name"], &arguments[0]["has_default"]), (&json!("name"), &json!(false)));
    let (_, minutes) = ask(&page, "GET", "/pool/minutes", None).await;
    let sum =
        |field: &str| minutes.as_array().unwrap().iter().map(|one| one[field].as_u64().unwrap()).sum::<u64>();
    assert_eq!(
        (minutes.as_array().unwrap().len(), sum("ended"), sum("failed"), sum("started")),
        (60, 4, 3, 4)
    );
}

/// A generator of clients takes the document as it is.
#[tokio::test]
async fn the_document_is_whole() {
    let (_jobs, page) = start().await;
    let (_, document) = ask(&page, "GET", "/openapi.json", None).await;
    assert_eq!(ask(&page, "GET", "", None).await.1, document, "it is at the root of the api as well");
    let mut names = std::collections::BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        assert!(names.insert(operation["operationId"].as_str().unwrap().to_owned()), "{method} {path}");
        assert!(operation["summary"].as_str().unwrap().ends_with('.'), "{method} {path}");
        let parameters = operation["parameters"].as_array().unwrap();
        let in_path: Vec<&str> = parameters
            .iter()
            .filter(|one| one["in"] == "path")
            .map(|one| one["name"].as_str().unwrap())
            .collect();
        let named: Vec<&str> = path.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(in_path, named, "{method} {path}");
        for (status, response) in operation["responses"].as_object().unwrap() {
            assert!(!response["description"].as_str().unwrap().is_empty(), "{method} {path} {status}");
        }
        assert_eq!(operation["requestBody"].is_null(), method == "GET", "{method} {path}");
    }
    let text = document.to_string();
    let mut references = 0;
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some_and(Value::is_object), "{pointer}");
        references += 1;
    }
    assert!(references > 30, "{references}");
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        assert!(text.contains(&format!("#/components/schemas/{name}\"")), "nobody gives {name}");
        for (field, schema) in schema["properties"].as_object().unwrap() {
            assert!(schema["description"].as_str().is_some_and(|text| text.ends_with('.')), "{name}.{field}");
        }
    }
}

//! Whoever wants to break the status page: odd requests on real sockets and without, names and texts that are markup,
//! many at once, and those who do not read what they asked for.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use base64::Engine;
use jobs::testing::TestClock;
use jobs::{Config, Jobs, job};
use proptest::prelude::*;
use proptest::test_runner::{Config as Cases, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;

/// What would be a tag if it were not escaped.
const MARK: &str = "<zz9 onload=x>\"'</zz9>";

/// Does <zz9 onload=x>nothing</zz9> & more.
#[job(schedule = "0 0 3 * * *")]
async fn quiet() {}

/// Says things that are markup.
#[job(retries = 0)]
async fn loud(
    #[default = "<zz9 onload=x>\"'</zz9>".to_owned()] text: String,
) -> Result<String, std::io::Error> {
    jobs::log(format!("{MARK} {text}"));
    if text.len() > 40 { Err(std::io::Error::other(text)) } else { Ok(text) }
}

async fn start(config: Config) -> (Jobs, Router) {
    let jobs = jobs::start(config.without_environment().named("cron.a", "@hourly")).await.unwrap();
    let page = jobs.status_page();
    (jobs, page)
}

/// The status, the headers and the body.
async fn send(page: &Router, request: Request<Body>) -> (u16, axum::http::HeaderMap, String) {
    let mut request = request;
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
    let response = page.clone().oneshot(request).await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    if headers.get("content-type").is_some_and(|kind| kind == "text/event-stream") {
        return (status, headers, String::new());
    }
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, headers, String::from_utf8(body.to_vec()).unwrap())
}

fn get(path: &str) -> Request<Body> {
    Request::builder().uri(path).header("host", "localhost").body(Body::empty()).unwrap()
}

fn post(path: &str, headers: &[(&str, &str)], body: impl Into<Body>) -> Request<Body> {
    let mut request = Request::builder().method("POST").uri(path).header("host", "localhost");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(body.into()).unwrap()
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");

#[tokio::test]
async fn merged_below_another_path_all_links_stay_below_it() {
    let (jobs, page) = start(Config::default()).await;
    let run = jobs.run_now("quiet").await.unwrap().id();
    for prefix in ["/ops", "/ops/%7Btools%7D/x", "/a-b_c.d~e/f"] {
        let route = prefix.replace("%7B", "{{").replace("%7D", "}}");
        let app: Router = Router::new().nest(&route.replace("{{", "%7B").replace("}}", "%7D"), page.clone());
        for path in ["", "/runs", "/pool", "/schedules", "/jobs/quiet", &format!("/runs/{run}"), "/nothing"] {
            let (status, _, text) = send(&app, get(&format!("{prefix}/@jobs{path}"))).await;
            assert!(matches!(status, 200 | 404), "{prefix}{path}: {status}");
            let links = ["href=\"", "src=\"", "action=\"", "data-events=\""];
            let all = links
                .iter()
                .flat_map(|link| text.split(link).skip(1))
                .map(|rest| rest.split('"').next().unwrap());
            let below = format!("{prefix}/@jobs");
            let mut count = 0;
            for link in all.filter(|link| !link.starts_with(['?', '#'])) {
                count += 1;
                assert!(link.starts_with(&below), "{prefix}{path} leads to {link}");
            }
            assert!(count > 8, "{prefix}{path}: {count} links\n{text}");
        }
        assert_eq!(send(&app, get(&format!("{prefix}/@jobs/health"))).await.0, 200);
        let ours = [FORM, ("sec-fetch-site", "same-origin")];
        let (status, headers, _) =
            send(&app, post(&format!("{prefix}/@jobs/jobs/quiet/pause"), &ours, "")).await;
        assert_eq!(status, 303);
        assert_eq!(headers["location"], format!("{prefix}/@jobs/jobs/quiet?did=pause"));
    }
}

#[tokio::test]
async fn a_form_of_another_process_is_taken_where_the_browser_vouches_for_it() {
    let (jobs, page) = start(Config::default()).await;
    let token = "token=0123456789abcdef";
    let tries = [
        (vec![FORM, ("sec-fetch-site", "same-origin")], 303),
        (vec![FORM, ("origin", "http://localhost")], 303),
        (vec![FORM], 403),
        (vec![FORM, ("origin", "http://localhost"), ("sec-fetch-site", "cross-site")], 403),
        (vec![FORM, ("origin", "http://localhost:81"), ("sec-fetch-site", "same-origin")], 403),
        (vec![FORM, ("origin", "http://localhost, http://localhost")], 403),
        (vec![FORM, ("origin", "HTTP://localhost")], 403),
        (vec![FORM, ("origin", "http://localhost/")], 403),
        (vec![FORM, ("sec-fetch-site", "Same-Origin")], 403),
    ];
    for (headers, expected) in tries {
        let (status, _, text) = send(&page, post("/@jobs/jobs/quiet/run", &headers, token)).await;
        assert_eq!(status, expected, "{headers:?}: {text}");
    }
    assert_eq!(jobs.runs().list().await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_who_know_the_password_are_not_taken_for_guessers() {
    let phc = "$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHRzYWx0$SPuUD4qgw9O/xR6odhxYyBGVSrwmxcnIrZYI6+BUyzY";
    for pass in ["correct horse", phc] {
        let (_jobs, page) = start(Config::default().auth("ada", pass)).await;
        let asking = tokio::runtime::Handle::current();
        let ask = |pass: &str| {
            let credentials = base64::engine::general_purpose::STANDARD.encode(format!("ada:{pass}"));
            let mut request = get("/@jobs/api/pool");
            request.headers_mut().insert("authorization", format!("Basic {credentials}").parse().unwrap());
            let page = page.clone();
            asking.spawn(async move { send(&page, request).await.0 })
        };
        let right: Vec<_> = (0..40).map(|_| ask("correct horse")).collect();
        for answer in right {
            assert_eq!(answer.await.unwrap(), 200);
        }
        let wrong: Vec<_> = (0..40).map(|number| ask(&format!("guess {number}"))).collect();
        let mut judged = 0;
        for answer in wrong {
            let status = answer.await.unwrap();
            assert!(matches!(status, 401 | 429), "{status}");
            judged += usize::from(status == 401);
        }
        // And one more whenever a second has passed.
        assert!((5..20).contains(&judged), "{judged} guesses were looked at");
    }
}

#[tokio::test]
async fn what_is_asked_for_without_its_body_holds_no_page_open() {
    let (_jobs, page) = start(Config::default()).await;
    for _ in 0..600 {
        let head = Request::builder().method("HEAD").uri("/@jobs/events").header("host", "localhost");
        assert_eq!(send(&page, head.body(Body::empty()).unwrap()).await.0, 200);
    }
    assert_eq!(send(&page, get("/@jobs/events")).await.0, 200);
}

#[tokio::test]
async fn texts_of_any_length_leave_the_lists_short() {
    let (jobs, page) = start(Config::default()).await;
    let long = MARK.repeat(40_000);
    for _ in 0..60 {
        jobs.now(loud { text: long.clone() }).await.unwrap().wait().await;
    }
    let run = jobs.runs().limit(1).list().await[0].id;
    let most = [("", 60_000), ("/runs", 200_000), ("/jobs/loud", 200_000), ("/pool", 60_000)];
    for (path, most) in most
        .map(|(path, most)| (path.to_owned(), most))
        .into_iter()
        .chain([(format!("/runs/{run}"), 300_000)])
    {
        let (status, _, text) = send(&page, get(&format!("/@jobs{path}"))).await;
        assert_eq!(status, 200);
        assert!(text.len() < most, "{path}: {} bytes", text.len());
        assert!(!text.contains("<zz9"), "{path}");
    }
}

#[tokio::test]
async fn names_and_texts_are_never_markup() {
    let (jobs, page) = start(Config::default().queue("mail", 1)).await;
    jobs.run_now("loud").await.unwrap().wait().await;
    jobs.now(loud { text: MARK.repeat(3) }).await.unwrap().wait().await;
    jobs.run_now("quiet").await.unwrap().wait().await;
    let mut paths: Vec<String> =
        ["", "/runs", "/pool", "/schedules", "/jobs/quiet", "/jobs/loud"].map(str::to_owned).into();
    paths.extend(jobs.runs().list().await.iter().map(|run| format!("/runs/{}", run.id)));
    let mut seen = 0;
    for path in paths {
        for query in [
            "",
            "?q=%3Czz9%20onload%3Dx%3E&text=%3Czz9%3E&job=%3Czz9%3E&queue=%22%3E%3Czz9%3E&did=%3Czz9%3E&n=%3Czz9%3E",
        ] {
            let (status, _, text) = send(&page, get(&format!("/@jobs{path}{query}"))).await;
            assert_eq!(status, 200, "{path}{query}");
            assert!(!text.contains("<zz9") && !text.contains("\"'</"), "{path}{query}:\n{text}");
            seen += usize::from(text.contains("&lt;zz9"));
        }
    }
    assert!(seen > 10, "{seen}");
    // What a closure or a queue is called is checked where it is made.
    assert!(jobs.now(jobs::func("<zz9>", async || {})).await.is_err());
}

#[tokio::test]
async fn no_method_does_what_it_should_not() {
    let (jobs, page) = start(Config::default()).await;
    let run = jobs.run_now("quiet").await.unwrap().id();
    let paths = [
        String::new(),
        "/runs".into(),
        format!("/runs/{run}"),
        format!("/runs/{run}/cancel"),
        "/pool".into(),
        "/schedules".into(),
        "/jobs/quiet".into(),
        "/jobs/quiet/pause".into(),
        "/queues/default/pause".into(),
        "/events".into(),
        "/health".into(),
        "/metrics".into(),
        "/assets/page.js".into(),
        "/api".into(),
        "/api/jobs".into(),
        "/api/jobs/quiet/pause".into(),
        "/api/runs".into(),
        "/nothing".into(),
    ];
    for path in paths {
        for method in ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "GETT"] {
            let request =
                Request::builder().method(method).uri(format!("/@jobs{path}")).header("host", "localhost");
            let (status, headers, _) = send(&page, request.body(Body::empty()).unwrap()).await;
            assert!(matches!(status, 404 | 405), "{method} {path}: {status}");
            assert!(!headers.contains_key("access-control-allow-origin"), "{method} {path}");
            assert_eq!(headers["x-content-type-options"], "nosniff", "{method} {path}");
        }
    }
    let snapshot = jobs.snapshot();
    assert!(!snapshot.job("quiet").unwrap().paused && snapshot.queues.iter().all(|queue| !queue.paused));
}

/// A path, headers, a body, and the statuses that may be the answer.
type Try<'a> = (&'a str, Vec<(&'a str, &'a str)>, Vec<u8>, &'a [u16]);

#[tokio::test]
async fn bodies_that_are_too_long_or_something_else_change_nothing() {
    let (jobs, page) = start(Config::default()).await;
    let ours = ("sec-fetch-site", "same-origin");
    let json = ("content-type", "application/json");
    let long = format!("a={}", "x".repeat(300 * 1024));
    let deep = format!("{{\"arguments\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let tries: Vec<Try<'_>> = vec![
        ("/jobs/quiet/pause", vec![FORM, ours], long.clone().into(), &[413]),
        ("/jobs/quiet/pause", vec![FORM, ours], b"\xff\xfe=\x00".to_vec(), &[303, 400, 422]),
        (
            "/jobs/quiet/run",
            vec![("content-type", "multipart/form-data; boundary=x"), ours],
            b"--x--".to_vec(),
            &[415],
        ),
        ("/jobs/quiet/run", vec![("content-type", "text/plain"), ours], b"token=x".to_vec(), &[415]),
        ("/jobs/quiet/run", vec![ours], b"token=x".to_vec(), &[415]),
        ("/api/jobs/quiet/run", vec![json], long.into(), &[413]),
        ("/api/jobs/quiet/run", vec![json], deep.into(), &[400]),
        ("/api/jobs/quiet/run", vec![json], b"\xef\xbb\xbf{}".to_vec(), &[400]),
        ("/api/jobs/quiet/run", vec![json], b"{\"arguments\": {\"\\u0000\": 1}}".to_vec(), &[400]),
        ("/api/jobs/quiet/run", vec![json], b"{\"arguments\": {\"a\": 1e999}}".to_vec(), &[400]),
        ("/api/jobs/quiet/run", vec![json], b"{} {}".to_vec(), &[400]),
        (
            "/api/jobs/quiet/run",
            vec![("content-type", "application/json, text/plain")],
            b"{}".to_vec(),
            &[415],
        ),
        ("/api/jobs/quiet%00/run", vec![json], b"{}".to_vec(), &[404]),
        ("/api/jobs/quiet%2frun/run", vec![json], b"{}".to_vec(), &[404]),
        ("/api/jobs/..%2f..%2fquiet/run", vec![json], b"{}".to_vec(), &[404]),
        ("/api/jobs//run", vec![json], b"{}".to_vec(), &[404]),
        ("/api//jobs/quiet/run", vec![json], b"{}".to_vec(), &[404]),
        ("/api/jobs/quiet/run/", vec![json], b"{}".to_vec(), &[404]),
        ("/api/jobs/quiet/RUN", vec![json], b"{}".to_vec(), &[404]),
        ("/api/jobs/QUIET/run", vec![json], b"{}".to_vec(), &[404]),
    ];
    for (path, headers, body, expected) in tries {
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        let (status, _, text) = send(&page, post(&format!("/@jobs{path}"), &headers, body)).await;
        assert!(
            expected.contains(&status),
            "{path} {headers:?} {shown}: {status} {}",
            &text[..text.len().min(300)]
        );
    }
    assert!(jobs.runs().list().await.is_empty());
}

/// Whatever is asked is answered: never by a fault, always with the headers, and never with what was asked as markup.
#[test]
fn whatever_is_asked_is_answered_in_order() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (jobs, page) = runtime.block_on(start(Config::default()));
    let run = runtime.block_on(async { jobs.run_now("loud").await.unwrap().id() });
    let piece = prop_oneof![
        any::<Vec<u8>>()
            .prop_map(|bytes| bytes.iter().map(|byte| format!("%{byte:02X}")).collect::<String>()),
        "[a-zA-Z0-9._~!$&'()*+,;=:@%-]{0,12}",
        Just("%3Czz9%20onload%3Dx%3E".to_owned()),
        Just("..".to_owned()),
        Just("%2e%2e%2f".to_owned()),
        Just("%00".to_owned()),
        Just("%2F".to_owned()),
        Just(String::new()),
        Just("loud".to_owned()),
        Just("quiet".to_owned()),
        Just("default".to_owned()),
        Just(run.to_string()),
        Just("runs".to_owned()),
        Just("jobs".to_owned()),
        Just("api".to_owned()),
        Just("queues".to_owned()),
        Just("pool".to_owned()),
        Just("schedules".to_owned()),
        Just("run".to_owned()),
        Just("why".to_owned()),
        Just("ledger".to_owned()),
        Just("retry".to_owned()),
        Just("-9223372036854775808".to_owned()),
        Just("18446744073709551616".to_owned()),
        Just("9999-12-31T23:59:59Z".to_owned()),
        Just("0000-01-01T00:00".to_owned()),
    ];
    let names = [
        "q", "state", "page", "job", "queue", "text", "from", "to", "before", "limit", "did", "n", "run",
        "token",
    ];
    let query = proptest::collection::vec((0..names.len(), piece.clone()), 0..5);
    let asked = (
        proptest::collection::vec(piece.clone(), 0..5),
        query.clone(),
        prop_oneof![4 => Just("GET"), 3 => Just("POST"), 1 => Just("HEAD"), 1 => Just("PUT")],
        prop_oneof![Just("application/x-www-form-urlencoded"), Just("application/json"), Just("text/html")],
        query,
    );
    let mut runner = TestRunner::new(Cases { cases: 3000, failure_persistence: None, ..Cases::default() });
    runner
        .run(&asked, |(path, query, method, kind, form)| {
            let pairs = |pairs: &[(usize, String)]| {
                pairs
                    .iter()
                    .map(|(name, value)| format!("{}={value}", names[*name]))
                    .collect::<Vec<_>>()
                    .join("&")
            };
            let slash = if path.is_empty() { "" } else { "/" };
            let uri = format!("/@jobs{slash}{}?{}", path.join("/"), pairs(&query));
            let Ok(request) = Request::builder()
                .method(method)
                .uri(&uri)
                .header("host", "localhost")
                .header("sec-fetch-site", "same-origin")
                .header("content-type", kind)
                .body(Body::from(pairs(&form)))
            else {
                return Ok(());
            };
            let (status, headers, text) = runtime.block_on(send(&page, request));
            let known = [200, 303, 308, 400, 404, 405, 409, 413, 414, 415, 422];
            prop_assert!(known.contains(&status), "{method} {uri}: {status} {text}");
            prop_assert!(headers.contains_key("content-security-policy"), "{method} {uri}");
            // JSON is not read as anything else, since nothing is sniffed.
            let is_json = headers.get("content-type").is_some_and(|kind| kind == "application/json");
            prop_assert!(is_json || !text.contains("<zz9"), "{method} {uri}: {text}");
            if let Some(to) = headers.get("location") {
                prop_assert!(to.to_str().unwrap().starts_with("/@jobs"), "{method} {uri} leads to {to:?}");
            }
            Ok(())
        })
        .unwrap();
}

/// Sends bytes as they are, and gives what comes until the other end closes.
async fn raw(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // Who has heard enough may close before it has read all; what it said is there nevertheless.
    let _whole = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "no end: {}", String::from_utf8_lossy(bytes));
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_as_no_client_writes_them() {
    let (jobs, _) = start(Config::default()).await;
    let address = jobs.serve_status("127.0.0.1:0").await.unwrap();
    let close = "connection: close\r\n\r\n";
    let tries = [
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\n{close}"), "200"),
        (format!("GET /@jobs HTTP/1.0\r\n{close}"), "403"),
        (format!("GET /@jobs HTTP/1.0\r\nhost: localhost\r\n{close}"), "200"),
        (format!("GET http://localhost/@jobs HTTP/1.1\r\nhost: localhost\r\n{close}"), "200"),
        (format!("GET http://evil.example/@jobs HTTP/1.1\r\nhost: localhost\r\n{close}"), "403"),
        (format!("GET http://localhost@evil.example/@jobs HTTP/1.1\r\nhost: localhost\r\n{close}"), "40"),
        (format!("GET //localhost/@jobs HTTP/1.1\r\nhost: localhost\r\n{close}"), "404"),
        (format!("GET /%40jobs HTTP/1.1\r\nhost: localhost\r\n{close}"), "404"),
        (format!("GET /@JOBS HTTP/1.1\r\nhost: localhost\r\n{close}"), "404"),
        (format!("GET /@jobs/../@jobs HTTP/1.1\r\nhost: localhost\r\n{close}"), "404"),
        (format!("GET /@jobs;x=1 HTTP/1.1\r\nhost: localhost\r\n{close}"), "404"),
        (format!("GET /@jobs\\runs HTTP/1.1\r\nhost: localhost\r\n{close}"), "40"),
        (format!("GET /@jobs/runs/\u{e9} HTTP/1.1\r\nhost: localhost\r\n{close}"), "40"),
        (format!("GET /@jobs#x HTTP/1.1\r\nhost: localhost\r\n{close}"), "200"),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\n{close}"), "40"),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost, evil.example\r\n{close}"), "403"),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nX-FORWARDED-FOR : 127.0.0.1\r\n{close}"), "40"),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nX-Forwarded-For: 127.0.0.1\r\n{close}"), "403"),
        (
            format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nx-original-forwarded-for: 1.2.3.4\r\n{close}"),
            "403",
        ),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nfly-client-ip: 1.2.3.4\r\n{close}"), "403"),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nx-azure-clientip: 1.2.3.4\r\n{close}"), "403"),
        (
            format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nx-envoy-external-address: 1.2.3.4\r\n{close}"),
            "403",
        ),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nx-forwarded-prefix: /x\r\n{close}"), "403"),
        (
            format!(
                "POST /@jobs/api/jobs/quiet/run HTTP/1.1\r\nhost: localhost\r\ncontent-length: -1\r\n{close}"
            ),
            "40",
        ),
        (
            format!(
                "POST /@jobs/api/jobs/quiet/run HTTP/1.1\r\nhost: localhost\r\ncontent-length: 2\r\ncontent-length: 3\r\n{close}{{}}"
            ),
            "40",
        ),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n{close}", "y".repeat(60_000)), "200"),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n{close}", "y".repeat(66_000)), "431"),
        (format!("GET /@jobs HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n{close}", "y".repeat(500_000)), "431"),
        // Too long for an address where all of it has arrived, and for a head before.
        (format!("GET /@jobs?{} HTTP/1.1\r\nhost: localhost\r\n{close}", "q".repeat(100_000)), "4"),
        ("\x16\x03\x01\x02\x00\x01\x00".to_owned() + "\r\n\r\n", ""),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), ""),
    ];
    for (request, expected) in &tries {
        let answer = raw(address, request.as_bytes()).await;
        let first = answer.lines().next().unwrap_or_default();
        let status = first.split(' ').nth(1).unwrap_or_default();
        let shown = &request[..request.len().min(120)];
        match *expected {
            // Not HTTP as we speak it: anything but the page.
            "" => assert!(!answer.contains("<title>Jobs"), "{shown:?}: {first}"),
            expected => assert!(status.starts_with(expected), "{shown:?}: {first}"),
        }
    }
    jobs.shutdown().await;
}

/// Hundreds of pages that nobody reads hold up neither the program, nor the page of others, nor the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_read_holds_nobody_up() {
    let (jobs, _) = start(Config::default()).await;
    let address = jobs.serve_status("127.0.0.1:0").await.unwrap();
    let mut deaf = Vec::new();
    for number in 0..300 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let path = if number % 3 == 0 { "/@jobs" } else { "/@jobs/events" };
        stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).await.unwrap();
        deaf.push(stream);
    }
    // And some that do not even say what they want.
    for _ in 0..50 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"POST /@jobs/api/jobs/quiet/run HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{").await.unwrap();
        deaf.push(stream);
    }
    let done = Arc::new(());
    for _ in 0..5_000 {
        let done = Arc::clone(&done);
        jobs.now(jobs::func("busy", move || {
            let done = Arc::clone(&done);
            async move { drop(done) }
        }))
        .await
        .unwrap();
    }
    jobs.now(jobs::func("last", async || {})).await.unwrap().wait().await;
    let answer =
        raw(address, b"GET /@jobs/api/pool HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let ended = tokio::time::timeout(Duration::from_secs(20), jobs.shutdown()).await;
    assert!(ended.is_ok(), "those who do not read keep the program from its end");
    drop(deaf);
}

/// Who takes ages to say what is wanted is not waited for, whether nothing comes or always a little.
#[tokio::test(start_paused = true)]
async fn who_takes_ages_is_not_waited_for() {
    let clock = TestClock::at("2026-03-02T12:00:00Z".parse().unwrap());
    let (jobs, _) = start(Config::default().clock(&clock)).await;
    let address = jobs.serve_status("127.0.0.1:0").await.unwrap();
    let head = "GET /@jobs/health HTTP/1.1\r\nhost: localhost\r\n";
    for said in ["", "GET", head] {
        assert_eq!(raw(address, said.as_bytes()).await, "", "{said:?}");
    }
    // A connection is not kept for one who has nothing more to ask.
    let answer = raw(address, format!("{head}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut lines = 0;
    while stream.write_all(b"x: y\r\n").await.is_ok() {
        tokio::time::sleep(Duration::from_secs(2)).await;
        lines += 1;
        assert!(lines < 100, "a line now and then keeps the connection open");
    }
    let post = "POST /@jobs/api/jobs/quiet/run HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: 1000\r\n\r\n{";
    let answer = raw(address, post.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("content-security-policy"), "{answer}");
    assert!(jobs.runs().list().await.is_empty());
    jobs.shutdown().await;
}

/// More connections than there are turns wait, and are served when others go.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crowd_is_served_one_after_the_other() {
    let (jobs, _) = start(Config::default()).await;
    let address = jobs.serve_status("127.0.0.1:0").await.unwrap();
    let request = b"GET /@jobs/health HTTP/1.1\r\nhost: localhost\r\n\r\n";
    let mut crowd = Vec::new();
    for _ in 0..600 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request).await.unwrap();
        crowd.push(stream);
    }
    let mut first = [0; 12];
    for mut one in crowd {
        let read = tokio::time::timeout(Duration::from_secs(60), one.read_exact(&mut first)).await;
        read.expect("everybody has a turn").unwrap();
        assert_eq!(&first, b"HTTP/1.1 200");
    }
    jobs.shutdown().await;
}

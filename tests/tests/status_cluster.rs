//! The status page of a process that is one of several: it shows and steers all of them.

#[path = "support/openapi.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod openapi;
#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use jobs::{BoxError, Config, Event, JobChange, JobContext, Jobs, Outcome, RunState, Trouble, func, job};
use openapi::{operations, wrong};
use serde_json::Value;
use server::Server;
use tokio::sync::{Semaphore, mpsc};
use tower::ServiceExt;

/// Tells that a run has begun, and where.
#[derive(Debug, Clone)]
struct Begun(mpsc::UnboundedSender<&'static str>);

#[derive(Debug, Clone)]
struct Place(&'static str);

#[derive(Debug, Clone)]
struct Gate(Arc<Semaphore>);

/// Waits to be let go on.
#[job(queue = "slow", retries = 0)]
async fn crawl(#[state] begun: &Begun, #[state] place: &Place, #[state] gate: &Gate) {
    let _ = begun.0.send(place.0);
    gate.0.acquire().await.unwrap().forget();
}

#[job(retries = 1, backoff = "1h")]
async fn fails(cx: &JobContext) -> Result<(), BoxError> {
    Err(format!("attempt {}", cx.attempt()).into())
}

/// Nothing that a page would not be told of otherwise.
#[job]
async fn quick(#[default = 7] order: u64) -> Result<u64, BoxError> {
    Ok(order)
}

/// Belongs to the process that it was started with.
#[job(startup)]
async fn listens(cx: &JobContext) {
    cx.cancelled().await;
}

struct Process {
    jobs: Jobs,
    page: Router,
}

struct Cluster {
    one: Process,
    two: Process,
    gate: Gate,
    begun: mpsc::UnboundedReceiver<&'static str>,
}

impl Cluster {
    async fn start() -> Self {
        let address = Server::shared().database();
        let gate = Gate(Arc::new(Semaphore::new(0)));
        let (tell, begun) = mpsc::unbounded_channel();
        let start = async |place| {
            let config = Config::default().without_environment().store(&address).pool(2).queue("slow", 1);
            let config = config.shutdown_timeout(Duration::ZERO);
            let config = config.state(gate.clone()).state(Begun(tell.clone())).state(Place(place));
            let jobs = jobs::start(config).await.unwrap_or_else(|error| panic!("{error}"));
            Process { page: jobs.status_page(), jobs }
        };
        Self { one: start("one").await, two: start("two").await, gate, begun }
    }

    /// Two of three execute, each in another process.
    async fn crawling(&mut self) {
        for _ in 0..3 {
            self.one.jobs.now(crawl {}).await.unwrap();
        }
        let mut places = [self.next().await, self.next().await];
        places.sort_unstable();
        assert_eq!(places, ["one", "two"]);
    }

    async fn next(&mut self) -> &'static str {
        bounded(self.begun.recv()).await.unwrap()
    }

    async fn end(self) {
        self.one.jobs.shutdown().await;
        self.two.jobs.shutdown().await;
    }
}

async fn bounded<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), event).await.expect("it happens within a minute")
}

impl Process {
    async fn send(&self, method: &str, path: &str, kind: &str) -> (u16, String) {
        let request =
            Request::builder().method(method).uri(format!("/@jobs{path}")).header("host", "localhost");
        let request = request.header("sec-fetch-site", "same-origin").header("content-type", kind);
        let mut request = request.body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
        let response = self.page.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    /// A page without its markup.
    async fn text(&self, path: &str) -> String {
        let (status, html) = self.send("GET", path, "text/html").await;
        assert_eq!(status, 200, "{path}: {html}");
        let main = html.split("<main").nth(1).unwrap();
        let texts = main.split('<').map(|part| part.split_once('>').map_or("", |(_, text)| text).trim());
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }

    /// The text of one row of a list.
    async fn row(&self, path: &str, id: &str) -> String {
        let (_, html) = self.send("GET", path, "text/html").await;
        let row =
            html.split(&format!("<tr id=\"{id}\"")).nth(1).unwrap_or_else(|| panic!("no row {id}: {html}"));
        let row = row.split("</tr>").next().unwrap();
        let texts = row.split('<').map(|part| part.split_once('>').map_or("", |(_, text)| text).trim());
        texts.filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
    }

    async fn api(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", &format!("/api{path}"), "application/json").await;
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    async fn post(&self, path: &str) {
        let (status, body) = self.send("POST", path, "application/x-www-form-urlencoded").await;
        assert_eq!(status, 303, "{path}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_shows_what_all_of_them_do() {
    let mut cluster = Cluster::start().await;
    cluster.crawling().await;
    for process in [&cluster.one, &cluster.two] {
        let jobs = process.text("").await;
        // One more listens in each process, of which that alone knows.
        assert!(jobs.contains("Running 3 in 2 processes Queued 1"), "{jobs}");
        let row = process.row("", "job-crawl").await;
        assert!(row.contains("RUNNING 2 1 queued"), "{row}");
        let row = process.row("", "job-listens").await;
        assert!(row.contains("RUNNING"), "{row}");
        let job = process.api("/jobs/crawl").await;
        assert_eq!(
            (&job["running"], &job["queued"], &job["status"]),
            (&2.into(), &1.into(), &"RUNNING".into())
        );

        let queues = process.api("/queues").await;
        let slow = queues.as_array().unwrap().iter().find(|queue| queue["name"] == "slow").unwrap();
        assert_eq!((&slow["size"], &slow["running"], &slow["queued"]), (&1.into(), &2.into(), &1.into()));
        assert!(slow["queued_since"].is_string());
        let row = process.row("/pool", "queue-slow").await;
        assert!(row.contains("slow 2 at most 1 in each process 1"), "{row}");

        let nodes = process.api("/nodes").await;
        let nodes = nodes.as_array().unwrap();
        assert_eq!(nodes.len(), 2);
        for node in nodes {
            assert_eq!(
                (&node["running"], &node["runs"]),
                (&1.into(), &serde_json::json!([{ "job": "crawl", "count": 1 }]))
            );
            assert!(node["silent_seconds"].as_f64().unwrap() < 15.0);
        }
        let pool = process.text("/pool").await;
        assert_eq!(pool.matches("this one").count(), 1, "{pool}");
        assert!(pool.contains("a bar for each minute, of this process alone"), "{pool}");

        let runs = process.api("/runs?job=crawl&state=running").await;
        let name = nodes[0]["name"].as_str().unwrap();
        assert!(runs.as_array().unwrap().iter().all(|run| run["node"] == name), "{runs}");
        let run = process.text(&format!("/runs/{}", runs[0]["id"].as_str().unwrap())).await;
        assert!(run.contains(&format!("Runs on {name}")), "{run}");
    }
    let this = |nodes: Value| nodes.as_array().unwrap().iter().position(|node| node["is_this"] == true);
    let (one, two) = (cluster.one.api("/nodes").await, cluster.two.api("/nodes").await);
    assert_eq!((this(one), this(two)), (Some(0), Some(1)));
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_steers_all_of_them() {
    let mut cluster = Cluster::start().await;
    cluster.crawling().await;
    // Both are cancelled from one place, wherever they are; then the third has its turn.
    let running = cluster.two.api("/runs?job=crawl&state=running").await;
    for run in running.as_array().unwrap() {
        cluster.two.post(&format!("/runs/{}/cancel", run["id"].as_str().unwrap())).await;
        let handle = cluster.one.jobs.handle(run["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
        assert_eq!(bounded(handle.wait()).await, Outcome::Cancelled);
    }
    cluster.next().await;
    cluster.gate.0.add_permits(1);

    let mut events = cluster.one.jobs.events();
    cluster.two.post("/jobs/quick/pause").await;
    bounded(async {
        loop {
            if let Event::Job(event) = events.next().await.unwrap()
                && event.what == JobChange::Paused
            {
                assert_eq!(event.job, "quick");
                return;
            }
        }
    })
    .await;
    assert_eq!(cluster.one.api("/jobs/quick").await["paused"], true);

    // Who asked is known everywhere.
    cluster.two.post("/jobs/quick/run").await;
    let run = &cluster.one.api("/runs?job=quick").await[0];
    let id = run["id"].as_str().unwrap().to_owned();
    let handle = cluster.one.jobs.handle(id.parse().unwrap()).await.unwrap();
    assert_eq!(bounded(handle.wait()).await, Outcome::Succeeded);
    for process in [&cluster.one, &cluster.two] {
        let run = process.api(&format!("/runs/{id}")).await;
        assert_eq!(
            (&run["requested_by"], &run["made_by"]),
            (&"127.0.0.1".into(), &"run now".into()),
            "{run}"
        );
    }
    cluster.one.post(&format!("/runs/{id}/retry")).await;
    let again = &cluster.two.api("/runs?job=quick").await[0];
    assert_eq!(again["requested_by"], "127.0.0.1", "{again}");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_has_run_the_others_know() {
    let cluster = Cluster::start().await;
    for order in 0..5 {
        let handle = cluster.one.jobs.now(quick { order }).await.unwrap();
        assert_eq!(bounded(handle.wait()).await, Outcome::Succeeded);
    }
    let failed = cluster.one.jobs.now(fails {}).await.unwrap();
    bounded(async {
        while cluster.one.jobs.run(failed.id()).await.unwrap().state != RunState::Scheduled {
            tokio::task::yield_now().await;
        }
    })
    .await;
    // A run of a closure, which is known to the one process alone.
    let closure = cluster.one.jobs.now(func("closure", async || {})).await.unwrap();
    assert_eq!(bounded(closure.wait()).await, Outcome::Succeeded);
    for process in [&cluster.one, &cluster.two] {
        let row = process.row("", "job-quick").await;
        assert!(row.contains("IDLE succeeded") && row.contains("0 % failed"), "{row}");
        let job = process.api("/jobs/quick").await;
        assert_eq!(
            (&job["previous"]["outcome"], &job["recent"]["runs"]),
            (&"succeeded".into(), &5.into()),
            "{job}"
        );
        let row = process.row("", "job-fails").await;
        assert!(row.contains("RETRYING"), "{row}");
        assert_eq!(process.api("/jobs?state=problem").await["jobs"][0]["name"], "fails");
        assert_eq!(process.api("/jobs/fails").await["retrying"], 1);
    }
    let listed = |runs: Value| {
        let runs = runs.as_array().unwrap().iter().map(|run| run["job"].as_str().unwrap().to_owned());
        runs.filter(|job| job != "quick").collect::<Vec<_>>()
    };
    // The youngest first, wherever they are kept.
    assert_eq!(listed(cluster.one.api("/runs").await), ["closure", "fails", "listens"]);
    assert_eq!(listed(cluster.two.api("/runs").await), ["fails", "listens"]);
    assert_eq!(listed(cluster.one.api("/runs?limit=1").await), ["closure"]);
    let row = cluster.one.row("", "job-closure").await;
    assert!(row.contains("IDLE succeeded"), "{row}");
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_tells_of_a_cluster_as_its_document_says() {
    let mut cluster = Cluster::start().await;
    cluster.crawling().await;
    let document = cluster.two.api("/openapi.json").await;
    let run = cluster.one.api("/runs?job=crawl&state=running").await[0]["id"].as_str().unwrap().to_owned();
    for (path, method, operation) in
        operations(&document).into_iter().filter(|(_, method, _)| method == "GET")
    {
        let path = path.replace("{job}", "crawl").replace("{run}", &run).replace("{queue}", "slow");
        let (status, body) = cluster.two.send(&method, &format!("/api{path}"), "application/json").await;
        let body = serde_json::from_str(&body).unwrap();
        assert_eq!((status, wrong(&document, &operation, status, &body)), (200, None), "{path}: {body}");
    }
    cluster.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_steered_from_one_process() {
    let cluster = Cluster::start().await;
    for order in 0..150 {
        cluster.one.jobs.after(Duration::from_secs(3600), quick { order }).await.unwrap();
    }
    let bulk = async |query: &str, action: &str| {
        let request = Request::builder().method("POST").uri(format!("/@jobs/runs?{query}"));
        let request = request.header("host", "localhost").header("sec-fetch-site", "same-origin");
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let mut request = request.body(Body::from(format!("action={action}"))).unwrap();
        request.extensions_mut().insert(ConnectInfo::<SocketAddr>("127.0.0.1:1".parse().unwrap()));
        let response = cluster.two.page.clone().oneshot(request).await.unwrap();
        response.headers()["location"].to_str().unwrap().to_owned()
    };
    assert!(bulk("job=quick", "cancel-all").await.ends_with("did=cancelled&n=150"));
    assert!(bulk("job=quick&state=cancelled", "retry-all").await.ends_with("did=retried&n=150"));
    assert_eq!(
        cluster.one.api("/runs?job=quick&state=cancelled&limit=1000").await.as_array().unwrap().len(),
        150
    );
    cluster.end().await;
}

/// Of very many jobs the list may tell of the last run a moment later; the job itself never does.
#[tokio::test(flavor = "multi_thread")]
async fn with_many_jobs_the_last_runs_are_known_all_the_same() {
    let cluster = Cluster::start().await;
    for number in 0..600 {
        cluster.two.jobs.now(func(format!("closure-{number}"), async || {})).await.unwrap();
    }
    let outcome = |jobs: Value| jobs["jobs"][0]["previous"]["outcome"].clone();
    assert_eq!(outcome(cluster.two.api("/jobs?q=quick").await), Value::Null);
    let handle = cluster.one.jobs.now(quick { order: 1 }).await.unwrap();
    assert_eq!(bounded(handle.wait()).await, Outcome::Succeeded);
    assert_eq!(cluster.two.api("/jobs/quick").await["previous"]["outcome"], "succeeded");
    bounded(async { while outcome(cluster.two.api("/jobs?q=quick").await) != "succeeded" {} }).await;
    cluster.end().await;
}

/// What is not known is not told as if there were nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_does_not_answer_is_said_not_to() {
    let server = Server::start(&[]);
    let (tell, _begun) = mpsc::unbounded_channel();
    let config = Config::default().without_environment().store(&*server.database());
    let config = config.state(Gate(Arc::new(Semaphore::new(0)))).state(Begun(tell)).state(Place("one"));
    let jobs = jobs::start(config.shutdown_timeout(Duration::ZERO)).await.unwrap();
    let process = Process { page: jobs.status_page(), jobs };
    let handle = process.jobs.now(quick { order: 1 }).await.unwrap();
    bounded(handle.wait()).await;
    server.kill();
    // Its processes may live on for a moment, and answer.
    bounded(async { while process.send("GET", "/api/nodes", "application/json").await.0 != 503 {} }).await;
    // Of another process, as far as this one can know.
    let of_run = "/runs/01a229d7-90ad-7000-8000-5b0000000000".to_owned();
    for path in ["/runs", "/runs?text=x", &of_run] {
        let (status, html) = process.send("GET", path, "text/html").await;
        assert_eq!((status, html.contains("The store does not answer")), (503, true), "{path}: {html}");
    }
    for path in ["/api/runs", "/api/nodes", &format!("/api{of_run}")] {
        let (status, body) = process.send("GET", path, "application/json").await;
        assert_eq!((status, &*body), (503, r#"{"error":"the store does not answer"}"#), "{path}");
    }
    let form = "application/x-www-form-urlencoded";
    for path in
        [&format!("{of_run}/cancel"), &format!("{of_run}/retry"), "/queues/slow/pause", "/jobs/quick/pause"]
    {
        let (status, html) = process.send("POST", path, form).await;
        assert_eq!((status, html.contains("The store does not answer")), (503, true), "{path}: {html}");
    }
    // What this process knows is told all the same.
    for path in ["", "/pool", "/jobs/quick", "/schedules"] {
        let (status, html) = process.send("GET", path, "text/html").await;
        assert_eq!(status, 200, "{path}: {html}");
    }
    // A probe is told, and that it has passed.
    let is_troubled = |why: &Trouble| matches!(why, Trouble::StoreNotWritten { why, .. } if !why.is_empty());
    let health_is = async |troubled: bool| {
        let troubled_now = || process.jobs.health().conditions.iter().any(|found| is_troubled(&found.what));
        bounded(async {
            while troubled_now() != troubled {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        })
        .await;
    };
    health_is(true).await;
    assert!(process.jobs.health().to_string().contains("the store cannot be written ("));
    server.start_again();
    health_is(false).await;
    assert!(process.jobs.health().is_ok(), "{}", process.jobs.health());
    bounded(async { while process.send("GET", &of_run, "text/html").await.0 != 404 {} }).await;
    bounded(async { while process.send("GET", "/runs?job=quick", "text/html").await.0 != 200 {} }).await;
    process.jobs.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_a_process_does_not_know_is_told_of() {
    let address = Server::shared().database();
    let config = || Config::default().without_environment().store(&address).shutdown_timeout(Duration::ZERO);
    let gate = Gate(Arc::new(Semaphore::new(0)));
    let (tell, _begun) = mpsc::unbounded_channel();
    let stated = || config().state(gate.clone()).state(Begun(tell.clone())).state(Place("one"));
    let other = jobs::start(stated()).await.unwrap();
    // As a newer version of the program would leave it.
    let made = other.now(quick { order: 1 }).await.unwrap();
    bounded(made.wait()).await;
    let pool = sqlx::PgPool::connect(&address).await.unwrap();
    sqlx::query(
        "update jobs.run set job = 'to_come', queue = 'theirs', state = 'available', finished = null",
    )
    .execute(&pool)
    .await
    .unwrap();
    let page = Process { page: other.status_page(), jobs: other };
    let text = page.text("/pool").await;
    assert!(text.contains("Jobs that this process does not know") && text.contains("to_come"), "{text}");
    assert_eq!(page.api("/runs?job=to_come").await.as_array().unwrap().len(), 1);
    // Its queue is listed and steered like any other.
    let theirs = async || {
        let queues = page.api("/queues").await;
        let theirs = queues.as_array().unwrap().iter().find(|queue| queue["name"] == "theirs").cloned();
        theirs.map(|queue| (queue["queued"].clone(), queue["paused"].clone()))
    };
    assert_eq!(theirs().await, Some((1.into(), false.into())));
    assert!(page.row("/pool", "queue-theirs").await.starts_with("theirs 0 1"));
    page.post("/queues/theirs/pause").await;
    sqlx::query("delete from jobs.run").execute(&pool).await.unwrap();
    bounded(async { while theirs().await != Some((0.into(), true.into())) {} }).await;
    page.post("/queues/theirs/resume").await;
    bounded(async { while theirs().await.is_some_and(|(_, paused)| paused == true) {} }).await;
    let unknown = page.jobs.pause_queue("thiers").await.unwrap_err();
    assert!(unknown.is_unknown_queue(), "{unknown}");
    page.jobs.shutdown().await;
}

//! A shop: its own pages over a database, work that a request leaves to a job, and the status page beside them.
//!
//! Run with `cargo run -p axum-app`, or `… -- 127.0.0.1:8080 other.db`, open the address that it prints, and end it with Ctrl-C.
#![forbid(unsafe_code)]

use std::error::Error;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Form, State};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Router, http::StatusCode};
use jobs::{BoxError, Config, JobContext, job};
use serde::Deserialize;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use tracing::{error, info};

/// The table of the shop, where there is none yet.
const TABLE: &str = "CREATE TABLE IF NOT EXISTS orders (
    number INTEGER PRIMARY KEY,
    buyer TEXT NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 0
)";

/// What the requests and the jobs share.
async fn database(path: &str) -> sqlx::Result<SqlitePool> {
    let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
    let db = SqlitePool::connect_with(options).await?;
    sqlx::query(TABLE).execute(&db).await?;
    Ok(db)
}

/// Mails the buyer that the order has arrived. The request that takes the order does not wait for it.
///
/// It may run more than once, as every job that is tried again, so it asks first whether there is something left to do.
#[job(retries = 5, timeout = "30s")]
async fn confirm_order(#[state] db: &SqlitePool, cx: &JobContext, number: i64) -> Result<(), BoxError> {
    let found: Option<(String,)> =
        sqlx::query_as("SELECT buyer FROM orders WHERE number = ? AND NOT confirmed")
            .bind(number)
            .fetch_optional(db)
            .await?;
    let Some((buyer,)) = found else { return Ok(()) };
    // The mail server has a bad day: the first attempt fails, and the status page shows it.
    if cx.attempt() == 1 && number % 3 == 0 {
        return Err("the mail server does not answer".into());
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    sqlx::query("UPDATE orders SET confirmed = 1 WHERE number = ?").bind(number).execute(db).await?;
    info!("confirmed order {number} of {buyer}");
    Ok(())
}

/// Counts the orders for whoever reads the log.
#[job(every = "30s")]
async fn count_orders(#[state] db: &SqlitePool) -> Result<(), BoxError> {
    let (all, open): (i64, i64) =
        sqlx::query_as("SELECT count(*), count(*) FILTER (WHERE NOT confirmed) FROM orders")
            .fetch_one(db)
            .await?;
    info!("{all} orders, {open} of them not confirmed");
    Ok(())
}

async fn home(State(db): State<SqlitePool>) -> Result<Html<String>, Failure> {
    let orders: Vec<(i64, bool)> =
        sqlx::query_as("SELECT number, confirmed FROM orders ORDER BY number DESC LIMIT 20")
            .fetch_all(&db)
            .await?;
    let line = |(number, confirmed): &(i64, bool)| {
        let state = if *confirmed { "confirmed" } else { "taken" };
        format!("<li>order {number}: {state}</li>")
    };
    let lines: String = orders.iter().map(line).collect();
    Ok(Html(format!(
        "<!doctype html><title>Shop</title><h1>Shop</h1>\
         <form method=post action=/orders><input name=buyer value=ada@example.org> <button>Order</button></form>\
         <ul>{lines}</ul><p><a href=/@jobs>What the jobs do</a>"
    )))
}

#[derive(Debug, Deserialize)]
struct NewOrder {
    buyer: String,
}

async fn take_order(
    State(db): State<SqlitePool>,
    Form(NewOrder { buyer }): Form<NewOrder>,
) -> Result<Redirect, Failure> {
    let (number,): (i64,) = sqlx::query_as("INSERT INTO orders (buyer) VALUES (?) RETURNING number")
        .bind(buyer)
        .fetch_one(&db)
        .await?;
    // Queued when this returns; the answer goes out at once.
    jobs::now(confirm_order { number }).await?;
    Ok(Redirect::to("/"))
}

/// What went wrong, for the log; the buyer is asked to try again.
struct Failure(BoxError);

impl<E: Into<BoxError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        error!("{}", self.0);
        (StatusCode::SERVICE_UNAVAILABLE, "please try again\n").into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_target(false).init();

    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or("127.0.0.1:3000".to_owned());
    let db = database(&arguments.next().unwrap_or("shop.db".to_owned())).await?;
    let jobs = jobs::start(Config::default().state(db.clone())).await?;

    let app = Router::new()
        .route("/", get(home))
        .route("/orders", post(take_order))
        .with_state(db.clone())
        .merge(jobs.status_page());

    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("shop: http://{0}/   status page: http://{0}/@jobs", listener.local_addr()?);
    // The status page judges its visitors by their address, which the server has to pass on.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(jobs.shutdown_signal())
        .await?;
    println!("shut down: {}", jobs.shutdown().await);
    db.close().await;
    Ok(())
}

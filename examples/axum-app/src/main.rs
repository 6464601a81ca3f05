//! A shop: its own pages, work that a request leaves to a job, and the status page beside them.
//!
//! Run with `cargo run -p axum-app`, open the address that it prints, and end it with Ctrl-C.
#![forbid(unsafe_code)]

use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Form, State};
use axum::response::{Html, Redirect};
use axum::routing::{get, post};
use axum::{Router, http::StatusCode};
use jobs::{Config, JobContext, job};
use serde::Deserialize;
use tracing::info;

/// What the requests and the jobs share. A real shop has a database here.
#[derive(Debug, Clone, Default)]
struct Orders(Arc<Mutex<Vec<Order>>>);

#[derive(Debug, Clone)]
struct Order {
    number: usize,
    buyer: String,
    confirmed: bool,
}

impl Orders {
    fn with<R>(&self, f: impl FnOnce(&mut Vec<Order>) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Mails the buyer that the order has arrived. The request that takes the order does not wait for it.
#[job(retries = 5, timeout = "30s")]
async fn confirm_order(#[state] orders: &Orders, cx: &JobContext, number: usize) -> Result<(), String> {
    // The mail server has a bad day: the first attempt fails, and the status page shows it.
    if cx.attempt() == 1 && number.is_multiple_of(3) {
        return Err("the mail server does not answer".into());
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    orders.with(|orders| {
        let order = orders.get_mut(number - 1).ok_or("there is no such order")?;
        order.confirmed = true;
        info!("confirmed order {number} of {}", order.buyer);
        Ok(())
    })
}

/// Counts the orders of the day for whoever reads the log.
#[job(every = "30s")]
async fn count_orders(#[state] orders: &Orders) {
    let (all, open) =
        orders.with(|orders| (orders.len(), orders.iter().filter(|order| !order.confirmed).count()));
    info!("{all} orders, {open} of them not confirmed");
}

async fn home(State(orders): State<Orders>) -> Html<String> {
    let lines: String = orders.with(|orders| {
        let line = |order: &Order| {
            let state = if order.confirmed { "confirmed" } else { "taken" };
            format!("<li>order {}: {state}</li>", order.number)
        };
        orders.iter().rev().take(20).map(line).collect()
    });
    Html(format!(
        "<!doctype html><title>Shop</title><h1>Shop</h1>\
         <form method=post action=/orders><input name=buyer value=ada@example.org> <button>Order</button></form>\
         <ul>{lines}</ul><p><a href=/@jobs>What the jobs do</a>"
    ))
}

#[derive(Debug, Deserialize)]
struct NewOrder {
    buyer: String,
}

async fn take_order(
    State(orders): State<Orders>,
    Form(NewOrder { buyer }): Form<NewOrder>,
) -> Result<Redirect, (StatusCode, String)> {
    let number = orders.with(|orders| {
        orders.push(Order { number: orders.len() + 1, buyer, confirmed: false });
        orders.len()
    });
    // Queued when this returns; the answer goes out at once.
    jobs::now(confirm_order { number })
        .await
        .map_err(|error| (StatusCode::SERVICE_UNAVAILABLE, error.to_string()))?;
    Ok(Redirect::to("/"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_target(false).init();

    let orders = Orders::default();
    let jobs = jobs::start(Config::default().state(orders.clone())).await?;

    let app = Router::new()
        .route("/", get(home))
        .route("/orders", post(take_order))
        .with_state(orders)
        .merge(jobs.status_page());

    let address = std::env::args().nth(1).unwrap_or("127.0.0.1:3000".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("shop: http://{0}/   status page: http://{0}/@jobs", listener.local_addr()?);
    // The status page judges its visitors by their address, which the server has to pass on.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(jobs.shutdown_signal())
        .await?;
    println!("shut down: {}", jobs.shutdown().await);
    Ok(())
}

//! The status page: what everything does, and the few things that can be done about it.
//!
//! It reads the handle and its snapshots, and steers by the methods of the handle; it knows nothing below them.
//! A request goes through `access`, then to one of `pages`, `actions` or `api`.

mod access;
mod actions;
mod api;
mod arguments;
mod assets;
mod body;
mod figures;
mod format;
mod health;
mod live;
#[cfg(feature = "prometheus")]
mod metrics;
mod notice;
mod pages;
mod paths;
mod query;
mod screen;
mod serve;
mod upcoming;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::response::{Redirect, Response};
use axum::routing::{any, get, post};

pub use serve::ServeError;
use tokio::sync::Semaphore;

use crate::runtime::Jobs;
use access::Access;
use screen::Screen;

/// What the handlers share.
#[derive(Debug, Clone)]
struct Page {
    jobs: Jobs,
    access: Arc<Access>,
    /// A turn for every page that is told of changes.
    listeners: Arc<Semaphore>,
}

impl Jobs {
    /// The status page, to merge into the program's own axum router: it is at `/@jobs`.
    ///
    /// ```no_run
    /// # async fn example(jobs: jobs::Jobs) -> std::io::Result<()> {
    /// use std::net::SocketAddr;
    /// use axum::{Router, routing::get};
    ///
    /// let app = Router::new().route("/", get(|| async { "hello" })).merge(jobs.status_page());
    /// let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    /// axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>())
    ///     .with_graceful_shutdown(jobs.shutdown_signal())
    ///     .await?;
    /// jobs.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Who may see it
    ///
    /// This machine alone, judged by the address of the socket, which is what `into_make_service_with_connect_info`
    /// is for; and by its own name, `localhost` or `127.0.0.1`. Other machines are let in by the user and the
    /// password of `jobs.auth.user` and `jobs.auth.pass`. A request that came through a proxy is refused unless
    /// `jobs.acceptproxyaddress` is on and the proxy stands in `jobs.trusted_proxies`. `jobs.page_readonly` lets nobody
    /// steer. `/@jobs/health` is open to everybody, and so is `/@jobs/metrics` where `jobs.metrics_public` is on.
    pub fn status_page<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        router(self.clone(), Access::new(self.clone()))
    }
}

fn router<S: Clone + Send + Sync + 'static>(jobs: Jobs, access: Access) -> Router<S> {
    let page = Page { jobs, access: Arc::new(access), listeners: Arc::new(Semaphore::new(live::LISTENERS)) };
    let guard = middleware::from_fn_with_state(Arc::clone(&page.access), access::guard);
    let routes = Router::new();
    #[cfg(feature = "prometheus")]
    let routes = routes.route(paths::METRICS, get(metrics::metrics));
    routes
        .merge(api::routes())
        .route(paths::ROOT, get(pages::jobs::jobs))
        .route(paths::HEALTH, get(health::health))
        .route("/@jobs/", get(to_root))
        .route("/@jobs/assets/{name}", get(assets::asset))
        .route("/@jobs/events", get(live::events))
        .route("/@jobs/runs", get(pages::runs::runs).post(actions::steer_runs))
        .route("/@jobs/runs/{run}", get(pages::run::run))
        .route("/@jobs/runs/{run}/{action}", post(actions::steer_run))
        .route("/@jobs/pool", get(pages::pool::pool))
        .route("/@jobs/queues/{queue}/{action}", post(actions::steer_queue))
        .route("/@jobs/schedules", get(pages::schedules::schedules))
        .route("/@jobs/jobs/{job}", get(pages::job::job))
        .route("/@jobs/jobs/{job}/{action}", post(actions::steer_job))
        .route("/@jobs/{*rest}", any(nowhere))
        .layer(middleware::from_fn(body::whole))
        .layer(DefaultBodyLimit::max(body::LONGEST))
        .layer(guard)
        .with_state(page)
}

async fn to_root(screen: Screen) -> Redirect {
    Redirect::permanent(screen.base.root())
}

async fn nowhere(screen: Screen) -> Response {
    pages::not_found(&screen, "There is no such page")
}

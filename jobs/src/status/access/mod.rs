//! Who is let in: judged before anything is looked up, for every path of the page but its health.
//!
//! ```text
//! peer known? ──▶ through a proxy: a trusted one? ──▶ a password is set ──▶ right? ──▶ in
//!                                                 └─▶ none is ──▶ this machine, by its own name? ──▶ in
//! in, and it steers: not read-only, and made by a page of ours?
//! ```

mod client;
mod credentials;
mod cross_site;
mod headers;
mod host;
mod refusal;
mod throttle;

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tokio::sync::SemaphorePermit;

use client::Client;
use credentials::{Given, Lock};
use cross_site::MadeBy;
pub(super) use refusal::Refusal;
use throttle::Throttle;

use super::paths;
use crate::config::Network;
use crate::runtime::Jobs;
use crate::telemetry;

/// The rules, and what they have to remember.
#[derive(Debug)]
pub(super) struct Access {
    jobs: Jobs,
    proxies: Vec<Network>,
    lock: Option<Lock>,
    readonly: bool,
    metrics_public: bool,
    throttle: Throttle,
    /// What a form of ours says and another site cannot know.
    token: String,
}

/// Who was let in.
#[derive(Debug, Clone)]
pub(super) struct Visitor {
    pub(super) address: IpAddr,
    pub(super) user: Option<Arc<str>>,
    /// Whether the browser says that a page of ours has made the request.
    pub(super) by_page_of_ours: bool,
}

/// `ada (10.0.0.7)`, for the log.
impl std::fmt::Display for Visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.user {
            Some(user) => write!(f, "{user} ({})", self.address),
            None => self.address.fmt(f),
        }
    }
}

impl Access {
    pub(super) fn new(jobs: Jobs) -> Self {
        let settings = jobs.page_access();
        Self {
            jobs,
            proxies: settings.proxies,
            lock: settings.page.auth.map(Lock::new),
            readonly: settings.page.readonly,
            metrics_public: settings.page.metrics_public,
            throttle: Throttle::default(),
            token: secret(),
        }
    }

    /// Whether a password is asked for.
    pub(super) fn has_password(&self) -> bool {
        self.lock.is_some()
    }

    pub(super) fn is_readonly(&self) -> bool {
        self.readonly
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }

    pub(super) fn is_token(&self, given: &str) -> bool {
        credentials::is_same(given, &self.token)
    }

    /// Whether everybody may ask for it.
    fn is_open(&self, path: &str) -> bool {
        path == paths::HEALTH || (self.metrics_public && path == paths::METRICS)
    }

    async fn admit(&self, request: &Parts) -> Result<Visitor, Refusal> {
        let client = Client::of(request, &self.proxies)?;
        let user = match &self.lock {
            Some(lock) => {
                self.unlock(lock, request, client.address).await?;
                Some(Arc::from(lock.user()))
            }
            None => {
                if !client.is_this_machine() {
                    return Err(Refusal::NotThisMachine);
                }
                if !host::is_loopback(request) {
                    return Err(Refusal::ForeignHost);
                }
                None
            }
        };
        let made_by = cross_site::made_by(request, client);
        if !matches!(request.method, Method::GET | Method::HEAD) {
            if made_by == MadeBy::Another {
                return Err(Refusal::CrossSite);
            }
            if self.readonly {
                return Err(Refusal::ReadOnly);
            }
        }
        Ok(Visitor { address: client.address, user, by_page_of_ours: made_by == MadeBy::Ours })
    }

    async fn unlock(&self, lock: &Lock, request: &Parts, address: IpAddr) -> Result<(), Refusal> {
        let given = Given::read(&request.headers);
        if given == Given::Nothing {
            return Err(Refusal::Unauthorised);
        }
        // Kept until a wrong one is counted, so that no other comes between.
        let mut turn = None;
        if self.is_opened(lock, &given, address, &mut turn).await? {
            self.throttle.right(address);
            return Ok(());
        }
        if let Some(wait) = self.throttle.wrong(address, self.jobs.elapsed()) {
            telemetry::guesses(address, wait);
        }
        Err(Refusal::Unauthorised)
    }

    /// Whether what was given is right. Who has to wait is not told.
    async fn is_opened<'a>(
        &self,
        lock: &'a Lock,
        given: &Given,
        address: IpAddr,
        turn: &mut Option<SemaphorePermit<'a>>,
    ) -> Result<bool, Refusal> {
        let may_try = || match self.throttle.waits(address, self.jobs.elapsed()) {
            Some(wait) => Err(Refusal::TooManyGuesses { wait }),
            None => Ok(()),
        };
        may_try()?;
        let Given::Credentials(given) = given else { return Ok(false) };
        if let Some(right) = lock.is_opened_at_once_by(given) {
            return Ok(right);
        }
        *turn = Some(lock.turn().await);
        // Others may have been wrong, or right, before it was this one's turn.
        may_try()?;
        match lock.is_opened_at_once_by(given) {
            Some(right) => Ok(right),
            None => Ok(lock.is_opened_slowly_by(given).await),
        }
    }
}

/// Lets a request in or not, and tells the browser what it may do with the answer.
pub(super) async fn guard(State(access): State<Arc<Access>>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let admitted = if access.is_open(parts.uri.path()) { None } else { Some(access.admit(&parts).await) };
    let mut response = match admitted {
        Some(Err(refusal)) => refusal.into_response(),
        Some(Ok(visitor)) => {
            parts.extensions.insert(visitor);
            next.run(Request::from_parts(parts, body)).await
        }
        None => next.run(Request::from_parts(parts, body)).await,
    };
    headers::secure(response.headers_mut());
    response
}

/// A text that nobody can guess: the keys of the standard hasher come from the system's source of randomness.
fn secret() -> String {
    let random: Vec<String> = (0..4).map(|i| format!("{:016x}", RandomState::new().hash_one(i))).collect();
    let digest = credentials::hash(&random.concat());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! Tells open pages that something has changed. They then ask for themselves anew, so that there is one way in which a
//! page is made.
//!
//! A page is told as soon as it listens, since nothing told it of what happened after it was made, and then once a second
//! at most. It listens to no event in between: what a busy program does costs it the same as what an idle one does.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_core::Stream;
use tokio::sync::OwnedSemaphorePermit;

use super::screen::Screen;
use crate::clock::Elapsed;
use crate::runtime::Jobs;

/// How long apart the rings are.
const PAUSE: Duration = Duration::from_secs(1);
/// A run is submitted, starts and often ends in one moment, which is one ring.
const MOMENT: Duration = Duration::from_millis(40);
/// Where other processes of a cluster change things too, of which nothing is heard here, it rings all the same.
const UNHEARD: Duration = Duration::from_secs(5);
/// A browser that has gone without a word is noticed by then.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// So many pages are told at a time, whoever holds them open: more than people, fewer than a program has sockets.
pub(super) const LISTENERS: usize = 256;

pub(super) async fn events(screen: Screen) -> Response {
    let Ok(turn) = Arc::clone(&screen.page.listeners).try_acquire_owned() else {
        let why = "too many pages are told of changes; this one is as it was when it was asked for\n";
        return (StatusCode::SERVICE_UNAVAILABLE, why).into_response();
    };
    let bell = Bell { jobs: screen.page.jobs, rung: None, _turn: turn };
    let rings = Sse::new(Ringing(Some(bell.next())));
    rings.keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response()
}

/// Rings when something has changed.
struct Bell {
    jobs: Jobs,
    /// When it did last; never yet where the page has just come.
    rung: Option<Elapsed>,
    /// Given back when the page goes.
    _turn: OwnedSemaphorePermit,
}

type Ring = Pin<Box<dyn Future<Output = Option<Bell>> + Send>>;

impl Bell {
    /// The bell after its next ring; none when the program ends. What happens from this call on is heard.
    fn next(mut self) -> Ring {
        let mut events = self.jobs.events();
        Box::pin(async move {
            let jobs = self.jobs.clone();
            let change = async {
                let Some(rung) = self.rung else {
                    tokio::time::sleep(MOMENT).await;
                    return Some(());
                };
                if jobs.is_shared() {
                    if let Ok(None) = tokio::time::timeout(UNHEARD, events.next()).await {
                        return None;
                    }
                } else {
                    events.next().await?;
                }
                // What comes after the first event is seen by whoever looks after the ring.
                drop(events);
                tokio::time::sleep(PAUSE.saturating_sub(jobs.elapsed().since(rung)).max(MOMENT)).await;
                Some(())
            };
            let changed = tokio::select! {
                changed = change => changed,
                () = jobs.leaving() => None,
            };
            self.rung = Some(jobs.elapsed());
            changed.map(|()| self)
        })
    }
}

struct Ringing(Option<Ring>);

impl Stream for Ringing {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Some(ring) = &mut self.0 else { return Poll::Ready(None) };
        let bell = ready!(ring.as_mut().poll(cx));
        self.0 = None;
        let Some(bell) = bell else { return Poll::Ready(None) };
        self.0 = Some(bell.next());
        Poll::Ready(Some(Ok(Event::default().data("changed"))))
    }
}

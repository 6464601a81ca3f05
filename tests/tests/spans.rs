//! The span around every attempt, as somebody sees it who is interested.

mod support;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::thread::ThreadId;
use std::time::Duration;

use jobs::{BoxError, JobContext, job};
use support::{SECOND, clock, config};
use tracing::Subscriber;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

/// Keeps the spans of `jobs`, and by which threads they were entered.
#[derive(Debug, Clone, Default)]
struct Spans(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    spans: BTreeMap<u64, BTreeMap<String, String>>,
    entered: Vec<ThreadId>,
    closed: usize,
}

struct Fields<'a>(&'a mut BTreeMap<String, String>);

impl Visit for Fields<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0.insert(field.name().to_owned(), format!("{value:?}"));
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, _: Context<'_, S>) {
        let mut fields = BTreeMap::from([("name".to_owned(), attributes.metadata().name().to_owned())]);
        attributes.record(&mut Fields(&mut fields));
        self.0.lock().unwrap().spans.insert(id.into_u64(), fields);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, _: Context<'_, S>) {
        values.record(&mut Fields(self.0.lock().unwrap().spans.get_mut(&id.into_u64()).unwrap()));
    }

    fn on_enter(&self, _: &Id, _: Context<'_, S>) {
        self.0.lock().unwrap().entered.push(std::thread::current().id());
    }

    fn on_close(&self, _: Id, _: Context<'_, S>) {
        self.0.lock().unwrap().closed += 1;
    }
}

impl Spans {
    /// How many were closed, and how often one was entered.
    fn counts(&self) -> (usize, usize) {
        let seen = self.0.lock().unwrap();
        (seen.closed, seen.entered.len())
    }

    /// Those that are new, in no order.
    fn take(&self) -> Vec<BTreeMap<String, String>> {
        std::mem::take(&mut self.0.lock().unwrap().spans).into_values().collect()
    }
}

fn interested() -> (Spans, tracing::subscriber::DefaultGuard) {
    let spans = Spans::default();
    let ours = filter_fn(|metadata| metadata.target() == "jobs");
    let guard = tracing_subscriber::registry().with(spans.clone().with_filter(ours)).set_default();
    (spans, guard)
}

#[job(retries = 1, backoff = "5s")]
async fn fragile(cx: &JobContext) -> Result<(), BoxError> {
    tokio::time::sleep(SECOND).await;
    if cx.attempt() == 1 { Err("not yet".into()) } else { Ok(()) }
}

#[job(schedule = "0 1 12 * * *", key = "noon")]
async fn scheduled() {}

#[job(retries = 0)]
fn plain() {}

#[tokio::test(start_paused = true)]
async fn an_attempt_is_in_a_span_with_these_fields() {
    let (clock, (spans, _guard)) = (clock("2026-03-02 12:00:00"), interested());
    let jobs = jobs::start(config(&clock)).await.unwrap();
    let run = jobs.now(fragile {}).await.unwrap();
    run.wait().await;
    let mut all = spans.take();
    all.sort_by_key(|fields| fields["attempt"].clone());
    assert_eq!(all.len(), 2);
    for (fields, attempt, outcome) in [(&all[0], "1", "\"failed\""), (&all[1], "2", "\"succeeded\"")] {
        let id = run.id().to_string();
        let wanted = [
            ("attempt", attempt),
            ("job", "\"fragile\""),
            ("queue", "\"default\""),
            ("name", "job"),
            ("of", "2"),
        ];
        for (name, value) in wanted.into_iter().chain([("outcome", outcome), ("run", id.as_str())]) {
            assert_eq!(fields.get(name).map(String::as_str), Some(value), "{name} of {fields:?}");
        }
        assert!(!fields.contains_key("slot") && !fields.contains_key("late_ms"), "{fields:?}");
        assert!(fields["waited_ms"].parse::<u64>().unwrap() <= 1);
    }
    let (closed, entered) = spans.counts();
    assert_eq!(closed, 2);
    assert!(entered >= 4, "for every poll: {entered}");
    clock.advance(Duration::from_secs(120)).await;
    let slot = spans.take().pop().unwrap();
    assert_eq!(slot["slot"], "2026-03-02T12:01:00Z");
    assert!(slot["late_ms"].parse::<u64>().unwrap() <= 1, "{slot:?}");
}

#[tokio::test(start_paused = true)]
async fn a_plain_function_is_in_it_on_its_own_thread() {
    let (clock, (spans, _guard)) = (clock("2026-03-02 12:00:00"), interested());
    let jobs = jobs::start(config(&clock)).await.unwrap();
    jobs.now(plain {}).await.unwrap().wait().await;
    let here = std::thread::current().id();
    assert!(spans.0.lock().unwrap().entered.iter().any(|thread| *thread != here));
    assert_eq!(spans.take()[0]["outcome"], "\"succeeded\"");
    // The thread has let go of it too.
    assert_eq!(spans.0.lock().unwrap().closed, 1);
}

//! The recorder that `/@jobs/metrics` is read from (feature `prometheus`).
//!
//! The facade has one recorder for the whole program, and the first that is installed stays. So one that the program has
//! installed before `jobs::start` keeps its place, and there is nothing to read here.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

/// The upper bounds of the buckets of all durations, in seconds: from a no-op to a night.
const BUCKETS: [f64; 16] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0, 300.0, 3600.0, 28800.0];

/// After so many attempts what they have left is put into its buckets: nobody may ever come and read.
const UPKEEP: u32 = 4096;

static INSTALLED: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder, where there is none yet.
pub(crate) fn install() {
    INSTALLED.get_or_init(|| {
        let matcher = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(matcher, &BUCKETS).ok()?;
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        metrics::set_global_recorder(recorder).ok().map(|()| handle)
    });
}

fn handle() -> Option<&'static PrometheusHandle> {
    INSTALLED.get()?.as_ref()
}

/// Everything that the program has measured, as Prometheus reads it; none where it has a recorder of its own.
pub(crate) fn text() -> Option<String> {
    handle().map(PrometheusHandle::render)
}

/// An attempt has ended.
pub(super) fn attempt_ended() {
    static ENDED: AtomicU32 = AtomicU32::new(0);
    if ENDED.fetch_add(1, Ordering::Relaxed) % UPKEEP == UPKEEP - 1
        && let Some(handle) = handle()
    {
        handle.run_upkeep();
    }
}

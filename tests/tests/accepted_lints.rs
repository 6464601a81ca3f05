//! A crate that denies what can be denied.
#![deny(
    warnings,
    missing_docs,
    missing_debug_implementations,
    unused,
    nonstandard_style,
    future_incompatible,
    rust_2018_idioms,
    let_underscore,
    single_use_lifetimes,
    trivial_casts,
    trivial_numeric_casts,
    unit_bindings,
    unnameable_types,
    unused_crate_dependencies,
    unused_extern_crates,
    unused_import_braces,
    unused_lifetimes,
    unused_qualifications,
    unused_results,
    unreachable_pub,
    elided_lifetimes_in_paths,
    explicit_outlives_requirements,
    macro_use_extern_crate,
    meta_variable_misuse,
    missing_abi,
    non_ascii_idents,
    redundant_lifetimes,
    variant_size_differences,
    clippy::all,
    clippy::pedantic
)]
#![forbid(unsafe_code, unused_imports, dead_code)]
#![allow(unused_crate_dependencies)]

use core::convert::Into;
use core::option::Option;

use jobs::{Job, JobContext, JobResult, job};

/// The database.
#[derive(Debug)]
pub struct Db;

/// Sweeps.
#[job(every = "24h", startup = "blocking", timeout = "30s", retries = 5, backoff = "1s..10m")]
pub async fn sweep() {
    tokio::task::yield_now().await;
}

/// Mails.
///
/// # Errors
/// Where there is nobody to mail to.
#[job(schedule = ["0 0 3 * * *", "cron.nightly"], args(to = "ops"))]
#[job(every = "1h", key = "hourly", args(to = "dev"), jitter = "30s", missed = "once within 1h")]
#[job(queue = "mail", priority = 5, concurrency = 2, rate = "100/1m", unique(to, times))]
pub async fn mail(
    #[state] _db: &Db,
    _cx: &JobContext,
    #[redact] to: String,
    #[default = 3] times: u32,
) -> Result<(), String> {
    tokio::task::yield_now().await;
    let _: Option<u32> = Some(times);
    if to.is_empty() { Err("no".into()) } else { Ok(()) }
}

// On demand only, and nobody ever submits it: it is still registered, so it is no dead code.
#[job]
fn never_submitted(value: u32) -> Result<u32, std::fmt::Error> {
    if value == 0 { Err(std::fmt::Error) } else { Ok(value) }
}

#[job]
fn also_never_submitted() {}

mod private {
    use super::job;

    #[job(every = "1h")]
    pub(super) async fn inner(#[default] _text: Option<String>) {
        tokio::task::yield_now().await;
    }

    #[job]
    pub(crate) fn of_the_crate() {}
}

#[test]
fn accepted() {
    fn takes<J: Job>(_: J) {}
    fn returns<F: Future<Output = JobResult>>(_: fn(sweep, JobContext) -> F) {}

    takes(sweep {});
    takes(mail { to: "a".into(), times: 1 });
    takes(private::inner { _text: None });
    private::of_the_crate();
    returns(<sweep as Job>::run);
}

//! Nothing is in scope.
#![no_implicit_prelude]

#[::jobs::job(every = "24h", startup, timeout = "30s", retries = 5, backoff = "1s..10m")]
async fn sweep() {}

#[::jobs::job(schedule = "0 0 3 * * *", args(to = "ops"), jitter = "30s", missed = "all within 6h")]
#[::jobs::job(queue = "mail", priority = -5, concurrency = 2, rate = "100/1m", unique(to))]
fn mail(
    #[state] db: &u64,
    cx: &::jobs::JobContext,
    to: ::std::string::String,
    #[default = 3] times: u32,
    #[redact]
    #[default]
    more: ::std::vec::Vec<u8>,
) -> ::core::result::Result<(), ::std::string::String> {
    let _ = (db, cx, to, times, more);
    ::core::result::Result::Ok(())
}

#[::jobs::job(fixed_delay = "5m", unique = "10m")]
async fn poll() {}

#[::core::prelude::v1::test]
fn accepted() {
    let _ = poll {};
    let _ = sweep {};
}

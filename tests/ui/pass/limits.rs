//! Every key about limits and slots, in each of its forms.
#![forbid(unsafe_code)]
#![deny(warnings)]

use jobs::{JobContext, job};

#[job(every = "1h", jitter = "30s", missed = "all within 6h", args(to = "ada"))]
#[job(fixed_delay = "5m", jitter = "10s", args(to = "bob"))]
#[job(queue = "mail", priority = -100, concurrency = 2, rate = "100/1m", unique(to, r#type))]
async fn send(#[redact] #[default] token: String, to: String, #[default] r#type: u64) {
    drop((token, to, r#type));
}

#[job(schedule = "cron.nightly", missed = "once", overlap = "skip", unique = "10m", priority = 100i8)]
fn nightly(_cx: &JobContext) {}

#[job(schedule = ["@daily", "@hourly"], missed = "skip", jitter = "1m", unique)]
async fn often() {}

// A delay in one attribute and an interval in another: the policy is about the slots of the interval.
#[job(fixed_delay = "1h")]
#[job(every = "1h", overlap = "allow", concurrency = 1u32)]
async fn both(#[default = 3] #[redact] pin: u32) {
    let _ = pin;
}

fn main() {
    let _ = send { token: String::new(), to: String::new(), r#type: 1 };
    let _ = (nightly {}, often {}, both { pin: 1 });
}

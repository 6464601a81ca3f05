//! Parameters may have the names that generated code uses.
#![allow(clippy::just_underscores_and_digits, clippy::too_many_arguments)]
use jobs::{JobContext, job};

#[job(every = "1h", args(r#loop = 3, cx = 1, f = 2, __cx = 3, __0 = 4, __value = 5, __from = 6))]
async fn asynchronous(
    #[state] self_: &String,
    context: &JobContext,
    cx: u8,
    f: u8,
    __cx: u8,
    __0: u8,
    __value: u8,
    __from: u8,
    r#loop: u8,
    #[default = 9] job: u8,
    #[default] __returned: u8,
    #[default] __to: u8,
    #[default] serializer: u8,
) {
    let _ = (self_, context, cx, f, __cx, __0, __value, __from, r#loop, job, __returned, __to, serializer);
}

#[job]
fn synchronous(
    #[state] __state: &String,
    __cx: &JobContext,
    __state0: u8,
    asynchronous: u8,
    synchronous: u8,
) {
    let _ = (__state, __cx, __state0, asynchronous, synchronous);
}

#[job]
fn __returned() {}

#[job(name = "cx")]
fn __cx(cx: u8) {
    let _ = cx;
}

#[job]
async fn job_named_like_the_trait(jobs: u8, job: u8) {
    let _ = (jobs, job);
}

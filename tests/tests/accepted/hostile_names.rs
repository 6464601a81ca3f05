//! The prelude is shadowed: types, modules, macros and primitive types.
#![allow(dead_code, unused_macros, non_camel_case_types)]

struct Result;
struct Option;
struct Some;
struct None;
struct Ok;
struct Err;
struct String;
struct Vec;
struct Box;
struct Clone;
struct Send;
struct Into;
struct Default;
struct Future;
struct Self_;
mod std {}
mod core {}
mod serde {}
mod inventory {}
mod chrono {}
struct str;
struct bool;
struct u32;
struct i32;
struct usize;
macro_rules! line {
    () => {
        compile_error!("shadowed")
    };
}
macro_rules! file {
    () => {
        compile_error!("shadowed")
    };
}
macro_rules! module_path {
    () => {
        compile_error!("shadowed")
    };
}
macro_rules! panic {
    ($($t:tt)*) => {
        compile_error!("shadowed")
    };
}
macro_rules! unreachable {
    ($($t:tt)*) => {
        compile_error!("shadowed")
    };
}
macro_rules! submit {
    ($($t:tt)*) => {
        compile_error!("shadowed")
    };
}

struct Db;

#[jobs::job(every = "24h", startup = "blocking", order = 3, overlap = "skip", aliases = ["old"], timeout = "30s", retries = 5, backoff = "1s..10m")]
async fn sweep() {}

#[jobs::job(schedule = "0 0 3 * * *", tz = "Europe/Oslo", key = "night", args(to = "ops"))]
fn mail(
    #[state] db: &Db,
    cx: &jobs::JobContext,
    to: ::std::string::String,
    #[default = 3] times: ::core::primitive::u32,
    #[default] more: ::std::vec::Vec<u8>,
) -> ::core::result::Result<(), ::std::string::String> {
    let _ = (db, cx, to, times, more);
    ::core::result::Result::Ok(())
}

#[test]
fn accepted() {
    let _ = sweep {};
}

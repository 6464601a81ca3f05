//! What a job may return.
use jobs::{BoxError, JobResult, job};

type Alias<T> = std::result::Result<T, std::io::Error>;

#[job]
async fn nothing() {}

#[job]
async fn unit() -> () {}

#[job]
async fn text() -> Result<(), String> {
    Ok(())
}

#[job]
async fn value() -> Result<u64, std::num::ParseIntError> {
    "7".parse()
}

#[job]
async fn boxed() -> Result<(), BoxError> {
    Err("no".into())
}

#[job]
async fn own() -> JobResult {
    Ok(())
}

#[job]
async fn alias() -> Alias<()> {
    Ok(())
}

// A synchronous job gives nothing to another thread but what became of it.
#[job]
fn not_send() -> Result<std::rc::Rc<u8>, String> {
    Err(String::new())
}

#[job]
fn blocking() -> Alias<u8> {
    Ok(1)
}

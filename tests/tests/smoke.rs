//! The thin slice, end to end on the real clock.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jobs::{Config, JobContext, job};

static RAN: AtomicU32 = AtomicU32::new(0);

/// Fires each second.
#[job(schedule = "* * * * * *")]
async fn each_second() {}

#[job(every = "100ms")]
fn tick(_cx: &JobContext) {
    RAN.fetch_add(1, Ordering::SeqCst);
}

#[job]
async fn add(a: u32, b: u32) -> Result<(), String> {
    RAN.fetch_add(a, Ordering::SeqCst);
    if b == 0 { Err("zero".into()) } else { Ok(()) }
}

#[job(startup = "blocking")]
async fn first() {
    jobs::now(add { a: 1000, b: 1 }).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn thin() {
    let jobs = jobs::start(Config::default().environment::<String, String>([])).await.unwrap();
    let handle = jobs::now(add { a: 1, b: 0 }).await.unwrap();
    println!("{:?} {}", handle, handle.wait().await);
    tokio::time::sleep(Duration::from_millis(3050)).await;
    println!("{}", jobs.snapshot());
    println!("{:#?}", jobs.snapshot().job("tick"));
    println!("{}", jobs.shutdown().await);
    println!("{}", RAN.load(Ordering::SeqCst));
}

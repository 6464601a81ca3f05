//! A program with every kind of job in every kind of state, and its page.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chrono::{TimeZone, Utc};
use jobs::testing::TestClock;
use jobs::{Config, JobContext, Jobs, job};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;

/// Lets the job go on that waits for it.
#[derive(Debug, Clone)]
pub(crate) struct Gate(pub Arc<Semaphore>);

/// Mails everybody whose trial ends today.
#[job(schedule = "cron.workhours_15m", tz = "Europe/Oslo")]
async fn reminder_emails() {}

/// Takes what was sold since the last time into the books, and tells accounting about what does not fit.
#[job(schedule = "0 30 2 * * *", tz = "America/New_York", retries = 2, backoff = "1h")]
async fn close_the_books() {}

/// Fetches the rates of the central bank.
#[job(every = "6h")]
async fn exchange_rates() -> Result<(), std::io::Error> {
    Err(std::io::Error::other("connection refused (os error 111): rates.example:443"))
}

/// Makes the search index anew.
#[job(schedule = "@daily")]
pub(crate) async fn reindex(#[state] gate: &Gate, cx: &JobContext) {
    cx.log("reads 2 400 articles");
    cx.progress(640, 2400);
    cx.log("640 of them are in the index");
    tokio::select! {
        permit = gate.0.acquire() => permit.unwrap().forget(),
        () = cx.cancelled() => {}
    }
}

/// Removes sessions that nobody uses any more.
#[job(every = "24h", enabled = false)]
async fn sweep_sessions() {}

/// Mails a customer that an order has arrived.
#[job]
pub(crate) async fn send_confirmation(
    #[default = "ada@example.org".to_owned()] to: String,
    #[default = 1] order: u64,
) -> Result<String, std::io::Error> {
    tokio::time::sleep(Duration::from_millis(20 + order * 37 % 90)).await;
    Ok(format!("mail {order} to {to}"))
}

/// Takes the money for an order from a card.
#[job(retries = 1, backoff = "10ms", queue = "payments")]
pub(crate) async fn charge_card(
    #[default = 4711] order: u64,
    #[default]
    #[redact]
    number: String,
) -> Result<(), Declined> {
    let _ = (order, number);
    Err(Declined(std::io::Error::other("the bank's gateway answered 502")))
}

/// The card was declined.
#[derive(Debug)]
pub(crate) struct Declined(std::io::Error);

impl std::fmt::Display for Declined {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the card was declined")
    }
}

impl std::error::Error for Declined {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.0)
    }
}

/// Orders what runs out, by the clocks of two harbours; `ship_to` says where.
#[job(schedule = ["0 0 8 ? * MON-FRI", "cron.workhours_15m"], tz = "America/New_York", args(ship_to = "Hoboken"))]
#[job(schedule = "0 30 7 * * SAT", tz = "Australia/Lord_Howe", args(ship_to = "Lord Howe"))]
async fn order_supplies(ship_to: String) {
    let _ = ship_to;
}

/// Fires every second, for whoever wants to see something move.
#[job(schedule = "cron.often")]
async fn heartbeat() {}

/// Says what a parcel costs.
#[job]
async fn weigh_parcel(grams: u32) -> Result<u32, std::io::Error> {
    Ok(grams / 100)
}

/// Makes pictures smaller.
#[job(every = "40s", queue = "images", retries = 0)]
async fn shrink_images(cx: &JobContext) -> Result<String, std::io::Error> {
    // Somewhat longer each time, until it begins anew.
    let minute = cx.slot().map_or(0, |slot| slot.timestamp() / 40);
    tokio::time::sleep(Duration::from_millis(300 + 170 * u64::try_from(minute * 7 % 23).unwrap_or(0))).await;
    if minute % 11 == 3 {
        return Err(std::io::Error::other("the picture 4711.jpeg is cut off"));
    }
    Ok(format!("{} pictures", 20 + minute % 9))
}

pub(crate) struct Program {
    pub runtime: Runtime,
    pub jobs: Jobs,
    pub gate: Gate,
    pub address: SocketAddr,
}

impl Program {
    /// Starts on a clock that shows a Tuesday morning, and goes on in real time: a browser waits for nobody.
    pub(crate) fn start(often: &str) -> Self {
        Self::start_with(|config| config.named("cron.often", often))
    }

    pub(crate) fn start_with(say: impl FnOnce(Config) -> Config) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let clock = TestClock::at(Utc.with_ymd_and_hms(2026, 11, 24, 9, 41, 7).unwrap());
        let gate = Gate(Arc::new(Semaphore::new(0)));
        let config = Config::default()
            .without_environment()
            .clock(&clock)
            .named("cron.workhours_15m", "0 */15 9-17 ? * MON-FRI")
            .named("cron.audit", "off")
            // Not while a test counts runs.
            .job("shrink_images", |job| job.every(Duration::from_secs(86_400)))
            .shutdown_timeout(Duration::ZERO)
            .state(gate.clone());
        let config = say(config);
        let (jobs, address) = runtime.block_on(async {
            let jobs = jobs::start(config).await.unwrap();
            let address = jobs.serve_status("127.0.0.1:0").await.unwrap();
            (jobs, address)
        });
        Self { runtime, jobs, gate, address }
    }

    /// A program that has been at work for some hours, a few days before clocks are set back. Those hours took a moment.
    pub(crate) fn with_history() -> Self {
        let (send, receive) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .start_paused(true)
                .build()
                .unwrap();
            runtime.block_on(async {
                let clock = TestClock::at(Utc.with_ymd_and_hms(2026, 10, 28, 8, 11, 7).unwrap());
                let gate = Gate(Arc::new(Semaphore::new(0)));
                let config = Config::default()
                    .without_environment()
                    .clock(&clock)
                    .named("cron.workhours_15m", "0 */15 9-17 ? * MON-FRI")
                    .named("cron.audit", "off")
                    .named("cron.often", "*/20 * * * * *")
                    .queue("images", 2)
                    .shutdown_timeout(Duration::ZERO)
                    .state(gate.clone());
                let jobs = jobs::start(config).await.unwrap();
                clock.advance(Duration::from_secs(3600)).await;
                jobs.pause("heartbeat").await.unwrap();
                clock.advance(Duration::from_secs(600)).await;
                jobs.resume("heartbeat").await.unwrap();
                for order in 1..=40 {
                    let to = format!("buyer{order}@example.org");
                    jobs.now(send_confirmation { to, order }).await.unwrap();
                    clock.advance(Duration::from_secs(17 * (order % 5))).await;
                }
                jobs.run_now("charge_card").await.unwrap().wait().await;
                jobs.pause("close_the_books").await.unwrap();
                jobs.run_now("exchange_rates").await.unwrap();
                jobs.run_now("reindex").await.unwrap();
                clock.advance(Duration::from_secs(30)).await;
                for _ in 0..4 {
                    jobs.run_now("shrink_images").await.unwrap();
                }
                tokio::time::resume();
                let address = jobs.serve_status("127.0.0.1:0").await.unwrap();
                let leaving = jobs.clone();
                send.send((jobs, gate, address)).unwrap();
                let mut events = leaving.events();
                while events.next().await.is_some() {}
            });
        });
        let (jobs, gate, address) = receive.recv().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, jobs, gate, address }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/@jobs{path}", self.address)
    }

    pub(crate) fn run(&self, job: &str) -> jobs::RunHandle {
        self.runtime.block_on(self.jobs.run_now(job)).unwrap()
    }
}

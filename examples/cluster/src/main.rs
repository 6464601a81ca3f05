//! A cluster that loses one of its nodes, and nothing else: two nodes and a submitter on a PostgreSQL of their own, of which one
//! is killed with `kill -9` in the middle of its work. Afterwards the database and what the jobs wrote are held against each other.
//!
//! Run with `cargo run -p cluster`. It starts a throwaway server from the PostgreSQL of the machine, and takes half a minute:
//! a node that is killed is missed after 15 s.

#[allow(dead_code, unreachable_pub, reason = "it is what the tests start their servers with")]
#[path = "../../../tests/support/postgres.rs"]
mod server;

mod jobs;
mod verdict;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, Stdio};
use std::time::Duration;

use ::jobs::{BoxError, Config, Jobs};
use sqlx::PgPool;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::jobs::{Log, deliver};
use crate::server::Server;

/// How many orders there are at least.
const ORDERS: u32 = 300;

#[tokio::main]
async fn main() -> Result<ExitCode, BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match &*arguments {
        [] => play().await,
        [node, address, log] if node == "node" => serve(address, Path::new(log)).await,
        _ => Err("usage: cluster, which starts all the others by itself".into()),
    }
}

/// What a node is: the same program as ever, with one line of config.
async fn serve(address: &str, log: &Path) -> Result<ExitCode, BoxError> {
    let jobs = ::jobs::start(Config::default().store(address).state(Log::open(log)?).pool(5)).await?;
    println!("ready");
    jobs.run_until_signal().await;
    Ok(ExitCode::SUCCESS)
}

/// A node, as a process of its own that ends with this one.
struct Node {
    child: Child,
    log: PathBuf,
}

impl Node {
    async fn start(name: &str, address: &str, folder: &Path) -> Result<Self, BoxError> {
        let log = folder.join(name);
        let mut child = Command::new(std::env::current_exe()?)
            .arg("node")
            .arg(address)
            .arg(&log)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("its output is piped")?;
        let first = BufReader::new(output).lines().next_line().await?;
        if first.as_deref() != Some("ready") {
            return Err(format!("node {name} has not started").into());
        }
        println!("node {name} is process {}", child.id().unwrap_or_default());
        Ok(Self { child, log })
    }
}

async fn play() -> Result<ExitCode, BoxError> {
    println!("starting PostgreSQL");
    let server = Server::start(&[]);
    let address = server.database();
    let folder = std::env::temp_dir().join(format!("jobs-cluster-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let well = play_on(&address, &folder).await;
    std::fs::remove_dir_all(&folder)?;
    let well = well?;
    println!("\nverdict: {}", if well { "nothing lost, nothing doubled" } else { "something is WRONG" });
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn play_on(address: &str, folder: &Path) -> Result<bool, BoxError> {
    let mut one = Node::start("one", address, folder).await?;
    let mut two = Node::start("two", address, folder).await?;

    // The submitter is one of the cluster that executes nothing.
    let config = Config::default().store(address).state(Log::open(&folder.join("submitter"))?);
    let config = config.job("deliver", |job| job.enabled(false)).job("tick", |job| job.enabled(false));
    let jobs = ::jobs::start(config).await?;

    let mut accepted = BTreeSet::new();
    let mut handles = Vec::new();
    let mut killed = false;
    for order in 0.. {
        handles.push(jobs.now(deliver { order }).await?);
        accepted.insert(order);
        if !killed && order >= ORDERS / 2 && is_busy(&one.log)? {
            one.child.kill().await?;
            killed = true;
            println!(
                "node one is killed in the middle of its work, with `kill -9`; {order} orders are accepted so far"
            );
        }
        if killed && order >= ORDERS {
            break;
        }
    }
    println!("{} orders are accepted", accepted.len());
    println!("what the killed node had begun is taken over when it is missed, after 15 s");
    for handle in &handles {
        let outcome = handle.wait().await;
        if !outcome.is_success() {
            println!("order {}: {outcome}", handle.id());
        }
    }
    let pool = PgPool::connect(address).await?;
    end(&jobs, &mut two, &pool).await?;
    let verdict = verdict::verdict(&pool, &accepted, &one.log, &two.log).await;
    pool.close().await;
    verdict
}

/// Whether a node has begun things that it has not ended.
fn is_busy(log: &Path) -> std::io::Result<bool> {
    let written = std::fs::read_to_string(log)?;
    let count = |word: &str| written.lines().filter(|line| line.starts_with(word)).count();
    Ok(count("begin order") > count("end order") + 1)
}

/// Ends what is left in good order, when the slots that have fired are done as well, those of the killed node among them.
async fn end(jobs: &Jobs, two: &mut Node, pool: &PgPool) -> Result<(), BoxError> {
    // From here on slots pass without a run.
    jobs.pause("tick").await?;
    while live(pool).await? > 0 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let pid = two.child.id().ok_or("it runs")?.to_string();
    Command::new("kill").args(["-TERM", &pid]).status().await?;
    two.child.wait().await?;
    jobs.shutdown().await;
    println!("node two has ended in good order; {} runs are left", live(pool).await?);
    Ok(())
}

/// How many runs have not ended.
async fn live(pool: &PgPool) -> sqlx::Result<i64> {
    sqlx::query_scalar("select count(*) from jobs.run where finished is null").fetch_one(pool).await
}

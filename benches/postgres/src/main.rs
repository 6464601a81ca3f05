//! `jobs` on PostgreSQL beside graphile_worker, riverqueue and apalis: on the same server, `fsync` on, in the same run.
//!
//! Run with `cargo run --release` in `benches/postgres`; behind `--` the names of measurements, all of them without.

mod measure;
mod peers;
mod probe;
mod recovery;
#[path = "../../../tests/support/postgres.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod server;

use std::cell::LazyCell;
use std::process::{Command, Stdio};

use measure::{Before, Kind};
use peers::{Peer, Tuned};
use server::Server;

const PEERS: &[&str] = &["jobs", "graphile_worker", "riverqueue", "apalis"];

/// With what is there without any of them.
const AND_LIMIT: &[&str] = &["jobs", "limit", "graphile_worker", "riverqueue", "apalis"];

/// Those that keep what has ended; graphile_worker deletes it.
const KEEPERS: &[&str] = &["jobs", "riverqueue", "apalis"];

/// What is measured, of how many jobs, of whom, on what server.
#[derive(Clone, Copy)]
struct Measurement {
    name: &'static str,
    what: &'static str,
    kind: Kind,
    jobs: usize,
    before: Before,
    tuned: Tuned,
    peers: &'static [&'static str],
    on: On,
    rounds: usize,
}

#[derive(Clone, Copy)]
enum On {
    /// A server as it comes.
    Plain,
    /// A commit takes 3 ms, as on a disk of the network.
    SlowDisk,
    /// Without autovacuum, whose transactions count as well.
    Quiet,
}

/// What most of them have in common.
const DRAIN: Measurement = Measurement {
    name: "drain",
    what: "jobs/s of a backlog of 50 000",
    kind: Kind::Drain,
    jobs: 50_000,
    before: Before::Nothing,
    tuned: Tuned::ForSpeed,
    peers: PEERS,
    on: On::Plain,
    rounds: 3,
};

const SUBMIT: Measurement = Measurement {
    name: "submit",
    what: "submissions/s of 50 callers",
    kind: Kind::Submit,
    jobs: 20_000,
    ..DRAIN
};

/// One round, for there is nothing in it that a busy machine changes.
const IDLE: Measurement = Measurement {
    name: "idle",
    what: "transactions a minute of a worker that has nothing to do",
    kind: Kind::Idle,
    jobs: 0,
    on: On::Quiet,
    rounds: 1,
    ..DRAIN
};

const MEASUREMENTS: [Measurement; 12] = [
    DRAIN,
    SUBMIT,
    Measurement {
        name: "submit-slow-disk",
        what: "submissions/s of 50 callers where a commit takes 3 ms",
        jobs: 4_000,
        on: On::SlowDisk,
        ..SUBMIT
    },
    Measurement {
        name: "latency",
        what: "ms from submission to start, median and 99th percentile",
        kind: Kind::Latency,
        jobs: 500,
        peers: AND_LIMIT,
        ..DRAIN
    },
    Measurement {
        name: "drain-old-transaction",
        what: "jobs/s of a backlog of 50 000 while an open transaction keeps everything from vacuum",
        before: Before::OldTransaction,
        ..DRAIN
    },
    Measurement {
        name: "drain-finished",
        what: "jobs/s of a backlog of 50 000 beside a million that have ended (graphile_worker deletes them)",
        before: Before::Finished,
        peers: KEEPERS,
        ..DRAIN
    },
    Measurement {
        name: "submit-finished",
        what: "submissions/s of 50 callers beside a million that have ended (graphile_worker deletes them)",
        before: Before::Finished,
        peers: KEEPERS,
        ..SUBMIT
    },
    IDLE,
    Measurement {
        name: "idle-untuned",
        what: "transactions a minute of a worker that has nothing to do, none set for speed",
        tuned: Tuned::Not,
        ..IDLE
    },
    Measurement {
        name: "idle-many-jobs",
        what: "transactions a minute of a worker that has nothing to do, 500 jobs with a schedule known to it",
        jobs: 500,
        peers: &["jobs"],
        ..IDLE
    },
    Measurement {
        name: "recovery",
        what: "seconds until a job begins again whose process was killed, as each is documented",
        kind: Kind::Recovery,
        jobs: 1,
        tuned: Tuned::ForRecovery,
        rounds: 1,
        ..DRAIN
    },
    Measurement {
        name: "recovery-quick",
        what: "seconds until a job begins again whose process was killed, all set to be as quick as jobs",
        kind: Kind::Recovery,
        jobs: 1,
        tuned: Tuned::ForQuickRecovery,
        ..DRAIN
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, peer, measurement, address] = &arguments[..]
        && [ONE, recovery::WORKER].contains(&first.as_str())
    {
        let measurement =
            MEASUREMENTS.iter().find(|one| one.name == measurement).expect("the parent knows them");
        return child(first, peer, measurement, address);
    }
    for wanted in &arguments {
        let names = MEASUREMENTS.map(|one| one.name);
        assert!(
            names.contains(&wanted.as_str()),
            "there is no measurement `{wanted}`, but {}",
            names.join(", ")
        );
    }
    let plain = LazyCell::new(|| Server::start(&[]));
    let slow = LazyCell::new(|| Server::start(&["commit_delay=3000", "commit_siblings=0"]));
    let quiet = LazyCell::new(|| Server::start(&["autovacuum=off"]));
    for measurement in MEASUREMENTS {
        if arguments.is_empty() || arguments.iter().any(|name| name == measurement.name) {
            let server: &Server = match measurement.on {
                On::Plain => &plain,
                On::SlowDisk => &slow,
                On::Quiet => &quiet,
            };
            measure(&measurement, server);
        }
    }
}

/// Takes turns, and tells the medians and what they are to ours.
fn measure(measurement: &Measurement, server: &Server) {
    println!("{}", measurement.what);
    let peers = measurement.peers;
    let mut figures = vec![Vec::new(); peers.len()];
    for _ in 0..measurement.rounds {
        for (peer, figures) in peers.iter().zip(&mut figures) {
            figures.push(in_a_child(peer, measurement, &server.database()));
        }
    }
    let median = |figures: &[Vec<f64>], column: usize| {
        let mut all: Vec<f64> = figures.iter().map(|round| round[column]).collect();
        all.sort_by(f64::total_cmp);
        (all[0], all[all.len() / 2], all[all.len() - 1])
    };
    for column in 0..figures[0][0].len() {
        let (_, ours, _) = median(&figures[0], column);
        for (peer, figures) in peers.iter().zip(&figures) {
            let (least, middle, most) = median(figures, column);
            let ratio = match middle.is_infinite() {
                true => format!("under {:.2}", ours / recovery::LONGEST.as_secs_f64()),
                false => format!("{:.2}", ours / middle),
            };
            let [least, middle, most] = [least, middle, most].map(told);
            println!("  {peer:16} {middle:>9} ({least} to {most}), jobs is {ratio} times that");
        }
    }
}

/// A figure as it is printed; infinite is what was not waited for any more.
fn told(figure: f64) -> String {
    match figure.is_infinite() {
        true => format!("> {}", recovery::LONGEST.as_secs()),
        false => format!("{figure:.1}"),
    }
}

/// How a child is told what it is.
const ONE: &str = "--one";

fn in_a_child(peer: &str, measurement: &Measurement, address: &str) -> Vec<f64> {
    let this = std::env::current_exe().expect("it runs");
    let mut child = Command::new(this);
    child.args([ONE, peer, measurement.name, address]).stderr(Stdio::inherit());
    let output = child.output().expect("it starts");
    assert!(output.status.success(), "{peer} has failed");
    let told = String::from_utf8_lossy(&output.stdout);
    told.split_whitespace().map(|figure| figure.parse().expect("a figure")).collect()
}

fn child(first: &str, peer: &str, measurement: &Measurement, address: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let works = first == recovery::WORKER;
    let figures = match measurement.kind {
        Kind::Recovery if !works => recovery::recovery(peer, measurement.name, address),
        _ => runtime.block_on(async {
            match peer {
                "jobs" => one::<peers::Ours>(measurement, address).await,
                "graphile_worker" => one::<peers::Graphile>(measurement, address).await,
                "limit" => one::<peers::Limit>(measurement, address).await,
                "riverqueue" => one::<peers::River>(measurement, address).await,
                _ => one::<peers::Apalis>(measurement, address).await,
            }
        }),
    };
    println!("{}", figures.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    // Whatever the library still does.
    std::process::exit(0);
}

async fn one<P: Peer>(measurement: &Measurement, address: &str) -> Vec<f64> {
    let peer = P::connect(address, measurement.tuned).await;
    let _kept = measurement.before.prepare::<P>(address).await;
    match measurement.kind {
        Kind::Drain => measure::drain(&peer, address, measurement.jobs).await,
        Kind::Submit => measure::submit(&peer, measurement.jobs).await,
        Kind::Latency => measure::latency(&peer, measurement.jobs).await,
        Kind::Idle => measure::idle(&peer, address, measurement.jobs).await,
        Kind::Recovery => {
            recovery::work(&peer).await;
            Vec::new()
        }
    }
}

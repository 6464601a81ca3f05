//! `jobs` on PostgreSQL beside graphile_worker, riverqueue and apalis: on the same server, `fsync` on, in the same run.
//!
//! Run with `cargo run --release` in `benches/postgres`; behind `--` the names of measurements, all of them without.

mod measure;
mod peers;
mod probe;
#[path = "../../../tests/support/postgres.rs"]
#[allow(dead_code, reason = "tests use the rest")]
mod server;

use std::process::Command;

use measure::{Before, Kind};
use peers::Peer;
use server::Server;

const ROUNDS: usize = 3;
const PEERS: [&str; 4] = ["jobs", "graphile_worker", "riverqueue", "apalis"];

/// What is measured, of how many jobs, on what server.
struct Measurement {
    name: &'static str,
    what: &'static str,
    kind: Kind,
    jobs: usize,
    before: Before,
    /// A commit takes 3 ms, as on a disk of the network.
    slow_disk: bool,
}

const MEASUREMENTS: [Measurement; 7] = [
    Measurement {
        name: "drain",
        what: "jobs/s of a backlog of 50 000",
        kind: Kind::Drain,
        jobs: 50_000,
        before: Before::Nothing,
        slow_disk: false,
    },
    Measurement {
        name: "submit",
        what: "submissions/s of 50 callers",
        kind: Kind::Submit,
        jobs: 20_000,
        before: Before::Nothing,
        slow_disk: false,
    },
    Measurement {
        name: "submit-slow-disk",
        what: "submissions/s of 50 callers where a commit takes 3 ms",
        kind: Kind::Submit,
        jobs: 4_000,
        before: Before::Nothing,
        slow_disk: true,
    },
    Measurement {
        name: "latency",
        what: "ms from submission to start, median and 99th percentile",
        kind: Kind::Latency,
        jobs: 500,
        before: Before::Nothing,
        slow_disk: false,
    },
    Measurement {
        name: "drain-old-transaction",
        what: "jobs/s of a backlog of 50 000 while an open transaction keeps everything from vacuum",
        kind: Kind::Drain,
        jobs: 50_000,
        before: Before::OldTransaction,
        slow_disk: false,
    },
    Measurement {
        name: "drain-finished",
        what: "jobs/s of a backlog of 50 000 beside a million runs that have ended",
        kind: Kind::Drain,
        jobs: 50_000,
        before: Before::Finished,
        slow_disk: false,
    },
    Measurement {
        name: "submit-finished",
        what: "submissions/s of 50 callers beside a million runs that have ended",
        kind: Kind::Submit,
        jobs: 20_000,
        before: Before::Finished,
        slow_disk: false,
    },
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [first, peer, measurement, address] = &arguments[..]
        && first == ONE
    {
        let measurement =
            MEASUREMENTS.iter().find(|one| one.name == measurement).expect("the parent knows them");
        return child(peer, measurement, address);
    }
    for wanted in &arguments {
        let names = MEASUREMENTS.map(|one| one.name);
        assert!(
            names.contains(&wanted.as_str()),
            "there is no measurement `{wanted}`, but {}",
            names.join(", ")
        );
    }
    let (plain, slow) = (Server::start(&[]), Server::start(&["commit_delay=3000", "commit_siblings=0"]));
    for measurement in MEASUREMENTS {
        if arguments.is_empty() || arguments.iter().any(|name| name == measurement.name) {
            measure(&measurement, if measurement.slow_disk { &slow } else { &plain });
        }
    }
}

/// Takes turns, and tells the medians and what they are to ours.
fn measure(measurement: &Measurement, server: &Server) {
    println!("{}", measurement.what);
    // What has ended is kept by ours; what it costs is told by the measurement without.
    let peers = if measurement.before == Before::Finished { &PEERS[..1] } else { &PEERS };
    let mut figures = vec![Vec::new(); peers.len()];
    for _ in 0..ROUNDS {
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
            println!(
                "  {peer:16} {middle:9.1} ({least:.1} to {most:.1}), jobs is {:.2} times that",
                ours / middle
            );
        }
    }
}

/// How a child is told what it is.
const ONE: &str = "--one";

fn in_a_child(peer: &str, measurement: &Measurement, address: &str) -> Vec<f64> {
    let this = std::env::current_exe().expect("it runs");
    let output = Command::new(this).args([ONE, peer, measurement.name, address]).output().expect("it starts");
    assert!(output.status.success(), "{peer}: {}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8_lossy(&output.stdout);
    told.split_whitespace().map(|figure| figure.parse().expect("a figure")).collect()
}

fn child(peer: &str, measurement: &Measurement, address: &str) {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let figures = runtime.block_on(async {
        match peer {
            "jobs" => one::<peers::Ours>(measurement, address).await,
            "graphile_worker" => one::<peers::Graphile>(measurement, address).await,
            "riverqueue" => one::<peers::River>(measurement, address).await,
            _ => one::<peers::Apalis>(measurement, address).await,
        }
    });
    println!("{}", figures.iter().map(f64::to_string).collect::<Vec<_>>().join(" "));
    // Whatever the library still does.
    std::process::exit(0);
}

async fn one<P: Peer>(measurement: &Measurement, address: &str) -> Vec<f64> {
    let peer = P::connect(address).await;
    let _kept = measurement.before.prepare(address).await;
    match measurement.kind {
        Kind::Drain => measure::drain(&peer, address, measurement.jobs).await,
        Kind::Submit => measure::submit(&peer, measurement.jobs).await,
        Kind::Latency => measure::latency(&peer, measurement.jobs).await,
    }
}

//! How long a job waits that has lost its process: of two processes of one library the one that executes it is killed.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::AsyncBufReadExt;

use crate::peers::Peer;
use crate::probe;

/// Nobody waits longer for the job to begin again.
pub(crate) const LONGEST: Duration = Duration::from_secs(60);

/// How a worker is told what it is.
pub(crate) const WORKER: &str = "--worker";

/// The line of a worker that has begun to work.
const WORKS: &str = "works";

/// What a worker does: it works, and submits a job that never ends when it is told to, until whoever started it is gone.
pub(crate) async fn work<P: Peer>(peer: &P) {
    peer.work().await;
    println!("{WORKS}");
    let mut orders = tokio::io::BufReader::new(tokio::io::stdin()).lines();
    while let Ok(Some(_)) = orders.next_line().await {
        peer.submit(probe::ENDLESS).await;
    }
}

/// Seconds from the kill until the job begins again, infinite for more than [`LONGEST`].
pub(crate) fn recovery(peer: &str, measurement: &str, address: &str) -> Vec<f64> {
    let (tells, told) = channel();
    let mut workers =
        [0, 1].map(|number| Worker::start(number, [WORKER, peer, measurement, address], &tells, &told));
    std::thread::sleep(settling());
    workers[0].submit();
    // Either may have it.
    let first = next(&told, LONGEST).expect("a job begins");
    assert_eq!(first.line, probe::BEGUN);
    workers[first.worker].0.kill().expect("it is ours");
    let killed = Instant::now();
    let Some(again) = next(&told, LONGEST) else { return vec![f64::INFINITY] };
    assert_eq!((again.worker, again.line.as_str()), (1 - first.worker, probe::BEGUN));
    vec![again.at.duration_since(killed).as_secs_f64()]
}

/// Until all of it is there, and some part of a heartbeat longer, so that the kill does not always come at the same time of it.
fn settling() -> Duration {
    let now = SystemTime::UNIX_EPOCH.elapsed().expect("a clock that is set");
    Duration::from_secs(5) + Duration::from_millis(u64::from(now.subsec_millis()) * 5)
}

/// What a worker has said.
struct Told {
    worker: usize,
    line: String,
    at: Instant,
}

fn next(told: &Receiver<Told>, patience: Duration) -> Option<Told> {
    match told.recv_timeout(patience) {
        Ok(told) => Some(told),
        Err(RecvTimeoutError::Timeout) => None,
        Err(RecvTimeoutError::Disconnected) => unreachable!("there is a sender here"),
    }
}

/// A process, killed when nobody needs it.
struct Worker(Child);

impl Worker {
    /// Starts it, and waits until it works.
    fn start(number: usize, arguments: [&str; 4], tells: &Sender<Told>, told: &Receiver<Told>) -> Self {
        let this = std::env::current_exe().expect("it runs");
        let mut child = Command::new(this)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it starts");
        let lines = BufReader::new(child.stdout.take().expect("it is piped")).lines();
        let tells = tells.clone();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                // The other end may have heard enough.
                let _ = tells.send(Told { worker: number, line, at: Instant::now() });
            }
        });
        let worker = Self(child);
        let works = next(told, LONGEST).expect("it begins to work");
        assert_eq!((works.worker, works.line.as_str()), (number, WORKS));
        worker
    }

    fn submit(&mut self) {
        let stdin = self.0.stdin.as_mut().expect("it is piped");
        writeln!(stdin, "submit").expect("it lives");
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

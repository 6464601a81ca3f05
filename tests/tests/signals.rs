//! SIGTERM and SIGINT, sent to a program of its own: this test, started once more.
#![cfg(unix)]

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use jobs::{Config, Jobs, job};

static JOBS: OnceLock<Jobs> = OnceLock::new();

/// Naps, and says so: until the signal comes, so that it ends in the middle of a shutdown, or for ever.
#[job]
async fn nap(for_ever: bool) {
    let signal = JOBS.get().unwrap().shutdown_signal();
    println!("napping");
    if for_ever {
        std::future::pending::<()>().await;
    }
    signal.await;
    println!("napped");
}

/// Cannot be stopped, and never returns.
#[job]
fn stuck() {
    println!("stuck");
    loop {
        std::thread::park();
    }
}

const MODE: &str = "JOBS_TESTS_SIGNALS";

/// The program. Without its variable it is no test of anything.
#[test]
fn program() {
    let Ok(mode) = env::var(MODE) else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        // Nothing ends a nap but its own end or a second signal.
        let config = Config::default().without_environment().shutdown_timeout(Duration::from_secs(3600));
        let jobs = jobs::start(config).await.unwrap();
        JOBS.set(jobs.clone()).unwrap();
        let for_ever = mode != "quick";
        // Signals are listened for before anything is submitted: what a run says is the sign to send one.
        if mode == "server" {
            // As with `axum::serve(…).with_graceful_shutdown(…)`.
            let signal = jobs.shutdown_signal();
            submit(&jobs, for_ever).await;
            signal.await;
            println!("the server is down");
            tokio::time::timeout(Duration::ZERO, jobs.shutdown()).await.ok();
            println!("{:?}", jobs.now(nap { for_ever }).await.unwrap_err().is_shut_down());
            return;
        }
        if mode == "stuck" {
            drop(jobs.shutdown_signal());
            jobs.now(stuck {}).await.unwrap();
        }
        let (report, ()) = tokio::join!(biased; jobs.run_until_signal(), submit(&jobs, for_ever));
        println!("report: {report}");
    });
}

async fn submit(jobs: &Jobs, for_ever: bool) {
    jobs.after(Duration::from_secs(3600), nap { for_ever }).await.unwrap();
    if for_ever {
        let first = jobs.shutdown_signal();
        // No job: the second signal may come before it has ended.
        tokio::runtime::Handle::current().spawn(async {
            first.await;
            println!("the first");
        });
    }
    jobs.now(nap { for_ever }).await.unwrap();
}

struct Program {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Program {
    fn start(mode: &str) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["program", "--exact", "--nocapture", "--test-threads=1"])
            .env(MODE, mode)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// Reads on until there is a line with `wanted` in it. The program's end is the bound.
    fn until(&mut self, wanted: &str) -> String {
        let mut seen = Vec::new();
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            if line.contains(wanted) {
                return line;
            }
            seen.push(line);
        }
        panic!("no `{wanted}` in {seen:?}")
    }

    /// In whatever order they come.
    fn until_both(&mut self, one: &str, other: &str) {
        let mut wanted = vec![one, other];
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            wanted.retain(|wanted| !line.contains(wanted));
            if wanted.is_empty() {
                return;
            }
        }
        panic!("no {wanted:?}")
    }

    fn signal(&self, name: &str) {
        let kill = Command::new("kill").args([name, &self.child.id().to_string()]).status().unwrap();
        assert!(kill.success());
    }

    fn ended(self) {
        assert_eq!(self.status(), Some(0));
    }

    fn status(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // After a failure: nobody waits for it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_signal_lets_what_runs_finish() {
    for signal in ["-TERM", "-INT"] {
        let mut program = Program::start("quick");
        program.until("napping");
        program.signal(signal);
        program.until("napped");
        let report = program.until("report");
        assert!(
            report.ends_with("report: 0 interrupted, 0 still running, 1 lost while they waited"),
            "{report}"
        );
        program.ended();
    }
}

#[test]
fn a_second_signal_cuts_off_what_runs() {
    let mut program = Program::start("slow");
    program.until("napping");
    program.signal("-TERM");
    program.until("the first");
    program.signal("-INT");
    let report = program.until("report");
    assert!(report.ends_with("report: 1 interrupted, 0 still running, 1 lost while they waited"), "{report}");
    program.ended();
}

#[test]
fn a_server_is_told_and_jobs_ends_after_it() {
    let mut program = Program::start("server");
    program.until("napping");
    program.signal("-TERM");
    program.until("the server is down");
    program.until("true");
    program.ended();
}

/// Also when nothing is left of the program but a plain function that its runtime waits for.
#[test]
fn a_third_signal_ends_the_process_on_the_spot() {
    for (signal, status) in [("-INT", 130), ("-TERM", 143)] {
        let mut program = Program::start("stuck");
        program.until_both("stuck", "napping");
        program.signal("-TERM");
        program.until("the first");
        program.signal("-INT");
        let report = program.until("report");
        assert!(
            report.ends_with("report: 1 interrupted, 1 still running, 1 lost while they waited"),
            "{report}"
        );
        program.signal(signal);
        assert_eq!(program.status(), Some(status));
    }
}

//! A program on SQLite is killed at random moments while it submits and runs. Whatever it was told was accepted is done
//! afterwards, and the file is whole. The program is this test, started once more.
//!
//! Each seed is a file of its own and twenty kills; a thousand:
//!
//! ```text
//! JOBS_TEST_SEEDS=50 cargo test --release -p jobs-tests --test durable_kills
//! ```

mod support;

#[path = "durable_kills/program.rs"]
mod program;
#[path = "durable_kills/verdict.rs"]
mod verdict;

use std::collections::{HashMap, HashSet};
use std::env;
use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use jobs::{Outcome, RunId};

use program::MODE;
use support::folder::Folder;
use support::seeds::{self, Rng};
use verdict::Verdict;

const KILLS: u64 = 20;

/// Lines that a program writes at most before it is killed.
const LINES: u64 = 300;

/// The program. Without its variable it is no test of anything.
#[test]
fn program() {
    if let Ok(mode) = env::var(MODE) {
        program::run(&mode);
    }
}

/// The program, from outside.
struct Program {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Program {
    /// `numbers` is where its submissions begin to count.
    fn start(mode: &str, folder: &Folder, numbers: u64) -> Self {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["program", "--exact", "--nocapture", "--test-threads=1"]);
        command
            .env(MODE, mode)
            .env(program::FOLDER, folder.path())
            .env(program::NUMBERS, numbers.to_string());
        // An abort of the program is no news.
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    fn until(&mut self, wanted: &str) {
        let seen = self.lines.by_ref().map_while(Result::ok).find(|line| line.contains(wanted));
        assert!(seen.is_some(), "no `{wanted}` until the end of the program");
    }

    /// Kills it after so many lines, and gives everything that it has said.
    fn killed_after(mut self, lines: usize) -> Vec<String> {
        let mut said: Vec<String> = self.lines.by_ref().take(lines).map_while(Result::ok).collect();
        let early = self.child.try_wait().unwrap();
        assert!(early.is_none(), "ended by itself ({early:?}) after {said:?}");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        // What it was told before the kill counts, also where nobody has read it yet.
        said.extend(self.lines.map_while(Result::ok));
        said
    }
}

#[test]
fn what_was_accepted_is_done_however_often_the_program_is_killed() {
    seeds::for_each_in_real_time(1, |seed| {
        let mut rng = Rng::new(seed);
        let folder = Folder::new();
        let mut verdict = Verdict::default();
        for kill in 0..KILLS {
            // Some are killed before they have started.
            let lines = if rng.one_in(5) { rng.below(3) } else { rng.below(LINES) };
            let program = Program::start("submit", &folder, kill * 1_000_000);
            verdict.hear(&program.killed_after(usize::try_from(lines).unwrap()));
        }
        verdict.reach(folder.path(), KILLS);
    });
}

/// Runs happen at least once. Those that are completed in the transaction that writes have their effect once.
#[test]
fn what_is_completed_in_a_transaction_is_there_once_however_often_the_program_is_killed() {
    seeds::for_each_in_real_time(1, |seed| {
        let mut rng = Rng::new(seed);
        let folder = Folder::new();
        let mut accepted = HashMap::new();
        for kill in 0..KILLS {
            let program = Program::start("once", &folder, kill * 1_000_000);
            let said = program.killed_after(usize::try_from(rng.below(60)).unwrap());
            accepted.extend(said.iter().filter_map(|line| {
                let (run, number) = line.strip_prefix("accepted ")?.split_once(' ')?;
                Some((run.parse::<RunId>().unwrap(), number.to_owned()))
            }));
        }
        verdict::of_effects(folder.path(), &accepted);
    });
}

/// It executes for less than a millisecond each time: the store has to know of it before it begins.
#[test]
fn a_run_that_ends_the_process_is_given_up() {
    let folder = Folder::new();
    let mut program = Program::start("poison", &folder, 0);
    program.until("poison is accepted");
    let first = program.child.wait().unwrap();
    assert!(!first.success(), "{first}");
    let ends =
        (0..10).take_while(|_| !Program::start("resume", &folder, 0).child.wait().unwrap().success()).count();
    // The first is not counted where the file did not know that it had begun.
    assert!((2..=3).contains(&ends), "{ends} more processes have ended");
    let ran = std::fs::read_to_string(folder.path().join("ran")).unwrap();
    let notes: HashSet<_> =
        ran.lines().filter(|line| line.starts_with("note ")).map(|line| line.split(' ').nth(1)).collect();
    assert_eq!(notes.len(), 10, "the others have run");
    program::runtime().block_on(async {
        let jobs = program::start(folder.path()).await.unwrap();
        let run = jobs.runs().job("poison").list().await.remove(0);
        let outcome = jobs.handle(run.id).await.unwrap().wait().await;
        assert!(matches!(&outcome, Outcome::Failed(why) if why.contains("3 times")), "{outcome:?}");
        jobs.shutdown().await;
    });
}

#[test]
fn a_second_process_is_told_who_has_the_file() {
    let folder = Folder::new();
    let mut program = Program::start("submit", &folder, 0);
    program.until("started");
    let error = program::runtime().block_on(program::start(folder.path())).unwrap_err().to_string();
    let pid = program.child.id().to_string();
    assert!(error.contains("jobs.db") && error.contains(&pid), "{error}");
    program.killed_after(0);
    // And has it, when that is gone.
    program::runtime().block_on(async {
        let jobs = program::start(folder.path()).await.unwrap();
        tokio::time::timeout(Duration::from_secs(60), jobs.shutdown()).await.unwrap();
    });
}

//! A file that cannot grow any more, as on a disk that is full: what is said of it, what is refused, and that what was accepted is
//! done. The program is this test, started once more with a limit on the size of files, which it raises itself.
#![cfg(target_os = "linux")]

mod support;

use std::env;
use std::process::{Command, Stdio};
use std::time::Duration;

use jobs::{Config, Outcome, RunId, Trouble, job};
use support::folder::Folder;

const STORE: &str = "JOBS_TESTS_FULL_DISK";

/// In blocks of 512 bytes.
const LIMIT: u32 = 2000;

#[job]
async fn note(text: String) {
    assert!(!text.is_empty());
}

/// The program. Without its variable it is no test of anything.
#[test]
fn program() {
    if let Ok(store) = env::var(STORE) {
        tokio::runtime::Runtime::new().unwrap().block_on(run(store));
    }
}

async fn bounded<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), event).await.expect("it happens within a minute")
}

async fn run(store: String) {
    let jobs = jobs::start(Config::default().store(store)).await.unwrap();
    let mut accepted = Vec::new();
    let refused = loop {
        match bounded(jobs.now(note { text: "x".repeat(20_000) }).into_future()).await {
            Ok(handle) => accepted.push(handle),
            Err(error) => break error,
        }
    };
    assert!(refused.is_not_written(), "{refused}");
    let health = jobs.health();
    let why = |trouble: &Trouble| match trouble {
        Trouble::StoreNotWritten { why, .. } => Some(why.clone()),
        _ => None,
    };
    let said = health.conditions.iter().find_map(|condition| why(&condition.what));
    assert!(said.is_some_and(|why| why.contains("disk")), "{health}");
    // What was accepted goes on.
    for handle in &accepted {
        assert_eq!(bounded(handle.wait()).await, Outcome::Succeeded);
        println!("accepted {}", handle.id());
    }
    let own = std::process::id().to_string();
    assert!(Command::new("prlimit").args(["--fsize=unlimited", "--pid", &own]).status().unwrap().success());
    bounded(async {
        while !jobs.health().is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    let handle = bounded(jobs.now(note { text: "there is room again".into() }).into_future()).await.unwrap();
    assert_eq!(bounded(handle.wait()).await, Outcome::Succeeded);
    println!("accepted {}", handle.id());
    assert!(jobs.shutdown().await.is_clean());
    println!("refused one of {}", accepted.len() + 1);
}

#[tokio::test]
async fn what_was_accepted_is_done_when_there_is_room_again() {
    let folder = Folder::new();
    let script = format!("trap '' XFSZ && ulimit -S -f {LIMIT} && exec \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script, "sh"]).arg(env::current_exe().unwrap());
    command.args(["program", "--exact", "--nocapture", "--test-threads=1"]);
    let output = command.env(STORE, folder.sqlite()).stderr(Stdio::inherit()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("refused one of"), "{said}");
    let accepted: Vec<RunId> =
        said.lines().filter_map(|line| line.split_once("accepted ")?.1.parse().ok()).collect();
    assert!(accepted.len() > 10, "{said}");
    let jobs = jobs::start(Config::default().store(folder.sqlite())).await.unwrap();
    for run in &accepted {
        assert_eq!(jobs.run(*run).await.unwrap().outcome, Some(Outcome::Succeeded), "{run}");
    }
    // The one that was refused is there if it had started by then.
    let others = jobs.runs().limit(1000).list().await.len() - accepted.len();
    assert!(others <= 1, "{others} others are there");
    jobs.shutdown().await;
}

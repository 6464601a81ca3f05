//! The command of the example, as its readers give it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use tokio::process::Command;

#[tokio::test]
async fn a_node_is_killed_and_nothing_is_lost() {
    let play = Command::new(env!("CARGO_BIN_EXE_cluster")).kill_on_drop(true).output();
    // Far more than it takes: a bound, not a wait.
    let output = tokio::time::timeout(Duration::from_secs(300), play).await.expect("it ends").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}\n{errors}");
    assert!(said.ends_with("verdict: nothing lost, nothing doubled\n"), "{said}\n{errors}");
    assert!(said.contains("node one is killed") && !said.contains("WRONG"), "{said}");
}

//! The built program, run as a user runs it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helper functions")]

use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

/// Far more than the program takes: a bound, not a wait.
const BOUND: Duration = Duration::from_secs(120);

fn quickstart() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quickstart"));
    // Not where its config is: it finds that anyhow.
    command.current_dir("/").stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[cfg(unix)]
#[tokio::test]
async fn every_kind_of_job_fires_and_sigterm_ends_it_in_good_order() {
    let mut child = quickstart().stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut seen = String::new();

    let mut expected = vec![
        "open_shop: the start-up job",
        "mails ada@example.org about order 1",
        "mails grace@example.org about order 2",
        "mails alan@example.org about order 3",
        "serve_queue: a cron job",
        "take_stock: an interval job",
        "a plain function found 17984",
        r#"job failed job="ask_supplier""#,
        "status page: http://127.0.0.1:",
        "STATUS",
        "cron.rush: every 3 seconds",
    ];
    let all = async {
        while !expected.is_empty() {
            let Some(line) = lines.next_line().await.unwrap() else { break };
            expected.retain(|text| !line.contains(text));
            seen.push_str(&line);
            seen.push('\n');
        }
    };
    let in_time = timeout(BOUND, all).await.is_ok();
    assert!(in_time && expected.is_empty(), "never printed: {expected:#?}, but\n{seen}");

    let pid = child.id().expect("it still runs");
    let kill = Command::new("sh").arg("-c").arg(format!("kill -TERM {pid}")).status().await.unwrap();
    assert!(kill.success());
    let rest = async {
        let mut rest = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            rest = line;
        }
        (rest, child.wait().await.unwrap())
    };
    let (last, status) = timeout(BOUND, rest).await.expect("it ends");
    assert_eq!(last, "shut down: everything was done");
    assert_eq!(status.code(), Some(0));
}

/// Starts the program with a broken config, and gives the error that it ends with.
async fn refused(config: &str) -> String {
    let path = format!("{}/tests/{config}", env!("CARGO_MANIFEST_DIR"));
    let Output { status, stdout, stderr } =
        timeout(BOUND, quickstart().arg(&path).output()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(1));
    assert_eq!(String::from_utf8(stdout).unwrap(), "", "no job has run");
    String::from_utf8(stderr).unwrap().replace(&path, config)
}

#[tokio::test]
async fn mistakes_in_the_config_come_with_line_and_fix() {
    assert_eq!(refused("broken.toml").await, include_str!("broken.expected"));
}

#[tokio::test]
async fn a_schedule_that_is_missing_from_the_config_stops_the_start() {
    assert_eq!(refused("renamed.toml").await, include_str!("renamed.expected"));
}

//! The built program, used as its visitors use it.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in its helper functions")]

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::timeout;

/// Far more than the program takes: a bound, not a wait.
const BOUND: Duration = Duration::from_secs(120);

async fn ask(address: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = request.split_once("\r\n\r\n").map_or(0, |(_, body)| body.len());
    let request = request.replacen(
        "\r\n",
        &format!("\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n"),
        1,
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn an_order_is_confirmed_by_a_job_and_the_page_shows_it() {
    let database = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shop-{}.db", std::process::id()));
    let mut child = Command::new(env!("CARGO_BIN_EXE_axum-app"))
        .args([OsStr::new("127.0.0.1:0"), database.as_os_str()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut until = async |text: &str| loop {
        let line = timeout(BOUND, lines.next_line()).await.expect(text).unwrap().expect(text);
        if line.contains(text) {
            return line;
        }
    };
    let first = until("shop: http://").await;
    let address = first.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();

    let form = "content-type: application/x-www-form-urlencoded\r\n\r\nbuyer=ada";
    let taken = ask(&address, &format!("POST /orders HTTP/1.1\r\n{form}")).await;
    assert!(taken.starts_with("HTTP/1.1 303"), "{taken}");
    until("confirmed order 1 of ada").await;
    assert!(ask(&address, "GET / HTTP/1.1\r\n\r\n").await.contains("order 1: confirmed"));

    let page = ask(&address, "GET /@jobs HTTP/1.1\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("confirm_order"), "{page}");
    let forwarded = ask(&address, "GET /@jobs HTTP/1.1\r\nx-forwarded-for: 127.0.0.1\r\n\r\n").await;
    assert!(forwarded.starts_with("HTTP/1.1 403"), "{forwarded}");

    // An open page does not hold up the end.
    let mut open = TcpStream::connect(&address).await.unwrap();
    open.write_all(format!("GET /@jobs/events HTTP/1.1\r\nhost: {address}\r\n\r\n").as_bytes())
        .await
        .unwrap();
    let mut beginning = [0; 12];
    open.read_exact(&mut beginning).await.unwrap();
    assert_eq!(&beginning, b"HTTP/1.1 200");
    let pid = child.id().expect("it still runs");
    let kill = Command::new("sh").arg("-c").arg(format!("kill -TERM {pid}")).status().await.unwrap();
    assert!(kill.success());
    until("shut down: everything was done").await;
    assert_eq!(timeout(BOUND, child.wait()).await.expect("it ends").unwrap().code(), Some(0));
    std::fs::remove_file(database).unwrap();
}

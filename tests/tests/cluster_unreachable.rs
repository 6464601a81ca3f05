//! Servers that cannot be reached: what the start says, and what a submission does.

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

#[path = "support/log.rs"]
mod log;

use std::time::Duration;

use jobs::{Config, job};
use log::Log;
use server::{AUTHORITY, Server};

#[job]
async fn nothing() {}

async fn bounded<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(240), event).await.expect("it happens within minutes")
}

/// What a start says, in one line.
async fn refusal(address: String) -> String {
    let error = jobs::start(Config::default().store(address.clone())).await.expect_err(&address).to_string();
    assert!(!error.contains("hunter2"), "{error}");
    error
}

#[tokio::test(flavor = "multi_thread")]
async fn the_start_says_why() {
    let server = Server::start_with_passwords();
    server.sql("postgres", "alter role jobs password 'secret'");
    let address = server.address("postgres");
    let given = |password: &str| address.replace("jobs@", &format!("jobs:{password}@"));
    // A port that is given to nobody.
    let nobody = "127.0.0.1:1";
    let cases = [
        (format!("postgres://jobs:hunter2@{nobody}/shop"), "nothing accepts connections at"),
        (
            "postgres://jobs:hunter2@db.invalid/shop".to_owned(),
            "the name of the host of `db.invalid:5432` is not known",
        ),
        (
            given("hunter2"),
            "does not take user and password: password authentication failed for user \"jobs\"",
        ),
        (
            given("secret").replace("/postgres", "/shop"),
            "does not have the database: database \"shop\" does not exist",
        ),
        (format!("{}?sslmode=require", given("secret")), "there is no TLS with"),
        (
            format!("{}?shcema=hunter2", given("secret")),
            "`jobs.store` has the parameter `shcema` that an address of PostgreSQL does not have here",
        ),
        (
            format!("{}?Schema=hunter2", given("secret")),
            "help: did you mean `schema`? there are `schema`, `sslmode`,",
        ),
    ];
    let mut asked = tokio::task::JoinSet::new();
    for (address, wanted) in cases {
        asked.spawn(async move { (refusal(address).await, wanted) });
    }
    for (said, wanted) in bounded(asked.join_all()).await {
        assert!(said.contains(wanted) && said.contains("help: "), "{said}\nwanted: {wanted}");
    }
    let there = bounded(jobs::start(Config::default().store(given("secret")))).await.unwrap();
    bounded(there.now(nothing {}).into_future()).await.unwrap();
    there.shutdown().await;
}

/// Every connection of a process goes by what its address says of TLS.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_with_tls_is_kept_to() {
    let server = Server::start_with_tls();
    let address = server.database();
    let named = address.replace("127.0.0.1", "localhost");
    let jobs = format!("{named}?sslmode=verify-full&sslrootcert={AUTHORITY}");
    let jobs = bounded(jobs::start(Config::default().store(jobs))).await.unwrap();
    let handle = bounded(jobs.now(nothing {}).into_future()).await.unwrap();
    assert_eq!(bounded(handle.wait()).await, jobs::Outcome::Succeeded);
    let open = "select count(*) > 2 and bool_and(ssl) from pg_stat_ssl natural join pg_stat_activity \
                where application_name = 'jobs'";
    assert_eq!(server.sql("postgres", open).trim(), "t");
    bounded(jobs.shutdown()).await;
    for (address, wanted) in [
        (format!("{address}?sslmode=verify-full&sslrootcert={AUTHORITY}"), "certificate"),
        (format!("{named}?sslmode=verify-full"), "certificate"),
        (format!("{named}?sslmode=disable"), "pg_hba.conf"),
        (
            format!("{named}?sslmode=verify-full&sslrootcert=/nowhere.pem"),
            "names cannot be read: No such file",
        ),
        (format!("{named}?sslmode=verify-ca&sslrootcert=/"), "names cannot be read: Is a directory"),
    ] {
        let said = refusal(address).await;
        assert!(said.contains(wanted), "{said}");
    }
}

/// What is in the address is nowhere in the log, however much is written to it.
#[tokio::test(flavor = "multi_thread")]
async fn no_password_gets_into_the_log() {
    let log = Log::default();
    // What a node asks is asked on a thread of its own. No other test here looks at the log.
    let everything = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(log.clone());
    tracing::subscriber::set_global_default(everything.finish()).unwrap();
    let server = Server::start_with_passwords();
    server.sql("postgres", "alter role jobs password 'canary4242'");
    let address = server.address("postgres").replace("jobs@", "jobs:canary4242@");
    for failing in [
        address.replace("canary4242", "canary4243"),
        address.replace("/postgres", "/shop"),
        format!("{address}?sslmode=require"),
        format!("{address}?sslmode=canary4242"),
        format!("{address}?pasword=canary4242"),
        address.replace("canary4242@", "canary4242/@"),
    ] {
        let error = jobs::start(Config::default().store(failing.clone())).await.expect_err(&failing);
        assert!(!format!("{error}\n{error:?}").contains("canary424"), "{error:?}");
    }
    let jobs = bounded(jobs::start(Config::default().store(address))).await.unwrap();
    bounded(jobs.now(nothing {}).into_future()).await.unwrap();
    server.kill();
    bounded(async {
        while jobs.health().is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    server.start_again();
    bounded(jobs.now(nothing {}).into_future()).await.unwrap();
    bounded(jobs.shutdown()).await;
    let text = log.text();
    // It has caught what there is of the outage.
    assert!(text.contains("jobs"), "{text}");
    assert!(
        !text.contains("canary424"),
        "{}",
        text.lines().find(|line| line.contains("canary424")).unwrap_or("")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_not_answered_is_told_that_it_is_not_known() {
    let server = Server::start(&[]);
    let jobs = jobs::start(Config::default().store(server.database())).await.unwrap();
    let handle = bounded(jobs.now(nothing {}).into_future()).await.unwrap();
    let run = handle.id();
    bounded(handle.wait()).await;
    assert_eq!(bounded(jobs.try_run(run)).await.unwrap().unwrap().id, run);
    assert_eq!(bounded(jobs.runs().try_list()).await.unwrap().len(), 1);
    server.stop();
    let error = bounded(jobs.pause_queue("default")).await.unwrap_err();
    assert!(error.is_not_answered() && !error.is_not_written(), "{error}");
    // That nothing is found is no answer; what it has executed itself it knows.
    assert_eq!(bounded(jobs.try_run(run)).await.unwrap().unwrap().id, run);
    let other: jobs::RunId = "019cae6d-c0b1-7000-8000-000000000002".parse().unwrap();
    assert!(bounded(jobs.try_run(other)).await.unwrap_err().is_not_answered());
    assert!(bounded(jobs.runs().try_list()).await.unwrap_err().is_not_answered());
    assert!(bounded(jobs.run(other)).await.is_none() && bounded(jobs.runs().list()).await.is_empty());
    // It waits for the server for as long as the process lives.
    let mut waiting = tokio::task::JoinSet::new();
    waiting.spawn(jobs.now(nothing {}).into_future());
    bounded(jobs.shutdown()).await;
    let error = bounded(waiting.join_next()).await.unwrap().unwrap().unwrap_err();
    assert!(error.is_not_answered() || error.is_shut_down(), "{error}");
    let error = bounded(jobs.now(nothing {}).into_future()).await.unwrap_err();
    assert!(error.is_shut_down() && !error.is_not_answered(), "{error}");
}

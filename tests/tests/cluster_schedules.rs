//! Schedules of programs on one PostgreSQL: what a reload changes, and what was missed while no program was there.

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

use jobs::{Config, job};
use server::Server;

#[job(schedule = "cron.beat", key = "beat")]
async fn pulse() {}

fn database(address: &str) -> &str {
    address.rsplit('/').next().unwrap()
}

fn config(address: &str, beat: &str) -> Config {
    let text = format!("[cron]\nbeat = \"{beat}\"");
    Config::from_toml(&text).unwrap().without_environment().store(address)
}

/// `@every 1m` is the beginning of `@every 1m30s`.
#[tokio::test(flavor = "multi_thread")]
async fn a_reload_is_the_definition_of_the_cluster() {
    let server = Server::shared();
    let address = server.database();
    let jobs = jobs::start(config(&address, "@every 1m30s")).await.unwrap();
    let definition = || server.sql(database(&address), "select definition from jobs.schedule");
    assert_eq!(definition(), "@every 1m30s");
    jobs.reload(config(&address, "@every 1m")).await.unwrap();
    assert_eq!(definition(), "@every 1m");
    jobs.shutdown().await;
}

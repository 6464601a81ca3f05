//! The processes, from outside.

use std::collections::HashSet;
use std::fs::{self, File};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, Utc};
use jobs_tests_deploy::{ADDRESS, FOLDER};
use sqlx::{AssertSqlSafe, PgPool};

use super::folder::Folder;
use super::seeds::Rng;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    One,
    Two,
}

pub(crate) struct Fleet<'a> {
    address: &'a str,
    folder: &'a Folder,
    pool: &'a PgPool,
    /// What they say to nobody, a file each.
    said: Folder,
    started: usize,
    running: Vec<(Version, Child)>,
    /// Those that were not told to end.
    pub(crate) killed: HashSet<u32>,
}

impl<'a> Fleet<'a> {
    pub(crate) fn new(address: &'a str, folder: &'a Folder, pool: &'a PgPool) -> Self {
        let (said, running, killed) = (Folder::new(), Vec::new(), HashSet::new());
        Self { address, folder, pool, said, started: 0, running, killed }
    }

    fn command(&self, version: Version) -> Command {
        let mut command = Command::new(match version {
            Version::One => env!("CARGO_BIN_EXE_version-1"),
            Version::Two => env!("CARGO_BIN_EXE_version-2"),
        });
        command.env(ADDRESS, self.address).env(FOLDER, self.folder.path()).stdin(Stdio::piped());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// Starts a node, and returns when it is one of the cluster.
    pub(crate) async fn start(&mut self, version: Version) {
        self.started += 1;
        let said = File::create(self.said.path().join(self.started.to_string())).unwrap();
        let child = self.command(version).stderr(said).spawn().unwrap();
        let pid = child.id();
        self.running.push((version, child));
        self.until(&format!("select count(*) = 1 from jobs.node where name like '%:{pid}'")).await;
    }

    /// Ends one of a version, in good order or not.
    pub(crate) async fn end(&mut self, version: Version, kills: bool, random: &mut Rng) {
        let these: Vec<_> = (0..self.running.len()).filter(|at| self.running[*at].0 == version).collect();
        let (_, mut child) = self.running.remove(*random.pick(&these));
        if kills {
            self.killed.insert(child.id());
            child.kill().unwrap();
            child.wait().unwrap();
        } else {
            signal(&child, "-TERM");
            wait(child);
        }
    }

    pub(crate) async fn end_all(&mut self) {
        self.running.iter().for_each(|(_, child)| signal(child, "-TERM"));
        self.running.drain(..).for_each(|(_, child)| wait(child));
    }

    /// What is written to a node's input ends its submissions.
    pub(crate) async fn stop_submitting(&mut self) {
        use std::io::Write;
        for (_, child) in &mut self.running {
            child.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        }
    }

    /// What a node says that does not start.
    pub(crate) fn is_refused(&self, version: Version) -> String {
        let mut child = self.command(version).stderr(Stdio::piped()).spawn().unwrap();
        // It ends when its input does.
        let _input = child.stdin.take();
        let output = child.wait_with_output().unwrap();
        assert!(!output.status.success(), "it has started");
        String::from_utf8(output.stderr).unwrap()
    }

    /// By the server's clock.
    pub(crate) async fn now(&self) -> DateTime<Utc> {
        sqlx::query_scalar("select clock_timestamp()").fetch_one(self.pool).await.unwrap()
    }

    /// Returns when the SQL gives true. The processes live in real time, and nothing else tells of them: it asks now and then.
    pub(crate) async fn until(&self, sql: &str) {
        let told = async {
            loop {
                let found = sqlx::query_scalar::<_, bool>(AssertSqlSafe(sql)).fetch_optional(self.pool).await;
                if matches!(found, Ok(Some(true))) {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(120), told).await;
        told.unwrap_or_else(|_| panic!("it does not become true: {sql}"));
    }

    /// Lets the schedule that never changes fire so many times.
    pub(crate) async fn pass_seconds(&self, count: u32) {
        let slots = "select count(*) from jobs.run where job = 'steady'";
        let before: i64 = sqlx::query_scalar(slots).fetch_one(self.pool).await.unwrap();
        self.until(&format!("select ({slots}) >= {before} + {count}")).await;
    }
}

/// Returns when it has ended in good order. Its input stays open until then: it would end by that.
fn wait(mut child: Child) {
    let _input = child.stdin.take();
    let status = child.wait().unwrap();
    assert!(status.success(), "{} has ended badly: {status}", child.id());
}

fn signal(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

impl Drop for Fleet<'_> {
    fn drop(&mut self) {
        for (_, mut child) in self.running.drain(..) {
            let _ = child.kill();
            let _ = child.wait();
        }
        if std::thread::panicking() {
            for which in 1..=self.started {
                let said = fs::read_to_string(self.said.path().join(which.to_string())).unwrap_or_default();
                eprintln!("program {which} of {} has said: {said}", self.started);
            }
        }
    }
}

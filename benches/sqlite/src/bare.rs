//! As little as a queue on SQLite can do: one thread that writes, in each transaction all that was submitted since, the claims of
//! what is there, and the ends of what was claimed before.
//!
//! It has the row of a job as `jobs` has it, an index of what is available, and prepared statements, and is told of each submission by
//! a channel. A claim is committed before its job is executed, and a submission before it is told. It lacks all else.

use std::path::Path;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::{Seen, runtime, submit};

/// So many are claimed at a time.
const CLAIM: i64 = 1000;

struct Submission {
    arguments: String,
    told: oneshot::Sender<()>,
}

fn open(path: &Path) -> Connection {
    let connection = Connection::open(path).expect("opens");
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL;
             PRAGMA synchronous = FULL;
             CREATE TABLE run (
                seq INTEGER PRIMARY KEY, node INTEGER NOT NULL, job TEXT NOT NULL, state TEXT NOT NULL, origin TEXT NOT NULL,
                queue TEXT NOT NULL, priority INTEGER NOT NULL, attempt INTEGER NOT NULL, retries INTEGER NOT NULL,
                due INTEGER, started INTEGER, finished INTEGER, arguments TEXT, details TEXT
             ) STRICT;
             CREATE INDEX available ON run (seq) WHERE state = 'available';",
        )
        .expect("is made");
    connection
}

/// Writes until so many have ended, and says how long after the start that was.
fn write(
    mut connection: Connection,
    submitted: &mpsc::Receiver<Submission>,
    jobs: usize,
    start: Instant,
) -> Duration {
    let now = || start.elapsed().as_nanos() as i64;
    let mut ended = 0;
    let mut seq = 0;
    let mut new = Vec::new();
    // Claimed by the transaction before, and executed since.
    let mut executed: Vec<(i64, i64)> = Vec::new();
    while ended < jobs {
        if executed.is_empty() {
            new.extend(submitted.recv().ok());
        }
        new.extend(submitted.try_iter());
        let transaction = connection.transaction().expect("begins");
        {
            let mut insert = transaction
                .prepare_cached(
                    "INSERT INTO run (seq, node, job, state, origin, queue, priority, attempt, retries, due, arguments)
                     VALUES (?, ?, 'note', 'available', 'submission', 'default', 0, 0, 20, ?, ?)",
                )
                .expect("is prepared");
            for Submission { arguments, .. } in &new {
                seq += 1;
                insert.execute(params![seq, 0x1234_5678, now(), arguments]).expect("is inserted");
            }
            let mut end = transaction
                .prepare_cached("UPDATE run SET state = 'ended', started = ?, finished = ? WHERE seq = ?")
                .expect("is prepared");
            for (seq, started) in executed.drain(..) {
                end.execute(params![started, now(), seq]).expect("is ended");
                ended += 1;
            }
            let mut claim = transaction
                .prepare_cached(
                    "UPDATE run SET state = 'running', attempt = attempt + 1, started = ?
                     WHERE seq IN (SELECT seq FROM run WHERE state = 'available' ORDER BY seq LIMIT ?)
                     RETURNING seq, arguments",
                )
                .expect("is prepared");
            let started = now();
            let claimed =
                claim.query_map(params![started, CLAIM], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)));
            for claimed in claimed.expect("is claimed") {
                let (seq, arguments) = claimed.expect("is read");
                // That is the job.
                assert!(!arguments.is_empty());
                executed.push((seq, started));
            }
        }
        transaction.commit().expect("commits");
        for submission in new.drain(..) {
            let _ = submission.told.send(());
        }
    }
    start.elapsed()
}

pub(crate) fn measure(path: &Path, jobs: usize, callers: usize) -> Seen {
    let connection = open(path);
    let (sender, receiver) = mpsc::channel::<Submission>();
    let runtime = runtime();
    let start = Instant::now();
    let writer = std::thread::spawn(move || write(connection, &receiver, jobs, start));
    let (_, told) = runtime.block_on(submit(jobs, callers, move |number| {
        let sender = sender.clone();
        async move {
            let (told, is_told) = oneshot::channel();
            let arguments = serde_json::json!({ "number": number }).to_string();
            sender.send(Submission { arguments, told }).expect("the writer waits for it");
            is_told.await.expect("is committed");
        }
    }));
    Seen { told, done: writer.join().expect("no panic") }
}

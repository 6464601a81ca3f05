//! The state machine of a run, at random: everything that a program can do to runs, in any order, on virtual time.
//!
//! ```text
//! scheduled → available → running → succeeded | dead | cancelled, and back to scheduled for a retry
//!             waiting ↗
//! ```
//!
//! What must hold, whatever happens: no run is lost and none is executed twice at once, attempts are made one after
//! another, limits are never exceeded, no place stays empty while a run could take it, runs start in the order in which they
//! were submitted, every handle is told an outcome that fits what its attempts did, and the snapshot counts right.

mod support;

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

#[path = "state_machine/book.rs"]
mod book;
#[path = "state_machine/limits.rs"]
mod limits;
#[path = "state_machine/jobs.rs"]
mod program;
#[path = "state_machine/walk.rs"]
mod walk;

use server::Server;
use support::folder::Folder;
use support::seeds;
use walk::Surroundings;

const MEMORY: &str = "memory";

#[test]
fn runs_keep_to_their_state_machine() {
    seeds::for_each(200, |seed| walk::walk(seed, Surroundings::Kind, MEMORY));
    // That the walks come everywhere.
    let seen = walk::SEEN.lock().unwrap().clone();
    let all =
        ["succeeded", "failed", "panicked", "timed out", "discarded", "cancelled", "interrupted", "lost"];
    let enough = all.iter().all(|outcome| seen.get(outcome).is_some_and(|count| *count > 20));
    assert!(seeds::replays() || enough, "{seen:?}");
}

/// With queues, priorities, `concurrency` and `rate`.
#[test]
fn runs_keep_to_their_state_machine_and_to_their_limits() {
    seeds::for_each(150, |seed| walk::walk(seed, Surroundings::Limited, MEMORY));
}

/// With clocks that are set and machines that sleep, workers that die and a scheduler that dies.
#[test]
fn runs_keep_to_their_state_machine_whatever_breaks() {
    seeds::for_each(150, |seed| walk::walk(seed, Surroundings::Hostile, MEMORY));
}

#[test]
fn runs_keep_to_their_state_machine_on_sqlite() {
    for surroundings in [Surroundings::Kind, Surroundings::Limited, Surroundings::Hostile] {
        seeds::for_each(40, async |seed| {
            let folder = Folder::new();
            walk::walk(seed, surroundings, &folder.sqlite()).await;
        });
    }
}

#[test]
fn runs_keep_to_their_state_machine_on_postgres() {
    for surroundings in [Surroundings::Kind, Surroundings::Limited, Surroundings::Hostile] {
        seeds::for_each(4, async |seed| {
            let store = format!("{}?schema={surroundings:?}_{seed}", Server::shared().address("postgres"));
            walk::walk(seed, surroundings, &store.to_lowercase()).await;
        });
    }
}

//! The store on PostgreSQL, on which any number of processes are one cluster.
//!
//! The server does all the coordination: its transactions, its unique indexes, its row locks and its clock. No node leads,
//! and nothing that is right depends on `LISTEN` or on a session, so that poolers in transaction mode may stand
//! between.

/// What a wish to cancel sets of a run: one that executes is told, any other has ended.
macro_rules! cancelled {
    () => {
        "\
cancel = true,
    state = case when state = 'running' then state else 'cancelled' end,
    finished = case when state <> 'running' then now() end,
    outcome = case when state <> 'running' then 'cancelled' else outcome end,
    unique_key = case when state = 'running' then unique_key end"
    };
}

mod address;
mod census;
mod claim;
mod connections;
mod db;
mod end;
mod families;
mod fire;
mod home;
mod id;
mod look;
mod migrations;
mod node;
mod nodes;
mod parts;
mod prune;
mod reach;
mod read;
mod schedules;
mod schema;
mod steer;
mod submit;
mod succession;
mod trouble;

pub(crate) use address::{Address, AddressError, PARAMETERS};
pub(crate) use census::{LastRun, LiveRuns, NodeRow};
pub(crate) use claim::{Claimed, Limited};
pub(crate) use db::Db;
pub(crate) use end::{End, Fence, Follows};
pub(crate) use fire::{CAUGHT_UP, Entry, Slot};
pub(crate) use id::Id;
pub(crate) use migrations::as_sql;
pub(crate) use node::{ClusterView, Ends, Host, Identity, JoinError, Node, Registered, Room, Standing};
pub(crate) use read::{RunFilter, RunRow};
pub(crate) use schedules::{InForce, Registration};
pub(crate) use schema::Schema;
pub(crate) use steer::Cancelled;
pub(crate) use submit::{NewRun, Submitted, Unique};
pub(crate) use trouble::Trouble;

#[cfg(test)]
mod tests;

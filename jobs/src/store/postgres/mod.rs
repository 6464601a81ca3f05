//! The store on PostgreSQL, on which any number of processes are one cluster.
//!
//! The server does all the coordination: its transactions, its unique indexes, its row locks and its clock. No node leads,
//! and nothing that is right depends on `LISTEN` or on a session, so that poolers in transaction mode may stand
//! between.

mod address;
mod claim;
mod db;
mod end;
mod fire;
mod id;
mod look;
mod migrations;
mod node;
mod nodes;
mod prune;
mod read;
mod schedules;
mod schema;
mod steer;
mod submit;
mod succession;
mod trouble;

#[cfg(test)]
mod tests;

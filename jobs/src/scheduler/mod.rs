//! When: which slots have come, and when the next will.
//!
//! [`timers`] is the plan, as plain functions of what is armed and of the time, with a [`planned`] for every schedule;
//! [`task`] is the one task that sleeps until the plan wants to be looked at and hands what has come to the pool.

mod history;
mod jitter;
pub(crate) mod ledger;
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only a durable store asks"))]
pub(crate) mod marks;
mod missed;
pub(crate) mod planned;
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "only a durable store asks"))]
pub(crate) mod saved;
#[cfg(feature = "postgres")]
pub(crate) mod shared;
pub(crate) mod task;
mod ticks;
pub(crate) mod timers;
mod wheel;

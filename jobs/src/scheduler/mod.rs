//! When: which slots have come, and when the next will.
//!
//! [`timers`] is the plan, as plain functions of what is armed and of the time; [`task`] is the one task that
//! sleeps until the plan wants to be looked at and hands what has come to the pool.

pub(crate) mod task;
pub(crate) mod timers;
mod wheel;

//! What a node serves.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::store::postgres::claim::{Claimed, Limited};
use crate::store::postgres::end::Fence;
use crate::store::postgres::id::Id;
use crate::store::postgres::schedules::{InForce, Registration};

/// What a node is asked by, and tells: the pool of the program.
pub(crate) trait Host: Send + Sync + 'static {
    /// How many runs it has places for at this moment.
    fn room(&self) -> Room;
    /// Jobs that it executes and that have no limits of their own. These and the next two may be others at any time.
    fn jobs(&self) -> Arc<[String]>;
    /// Those with limits.
    fn limited(&self) -> Arc<[Limited]>;
    /// How long runs that have ended are kept, and how many of each job.
    fn retention(&self) -> (Duration, usize);
    /// Runs that are its to try, in the order in which they are to start. It answers which it does not take: they go back.
    fn take(&self, runs: Vec<Claimed>) -> Vec<Fence>;
    /// Gives up what it has taken and not begun, and answers with it.
    fn let_go_waiting(&self) -> Vec<Fence>;
    /// Somebody wants these ended.
    fn cancel(&self, runs: Vec<Id>);
    /// Its claims are not its own any more: the node was taken for lost. What it ends from now on does not count.
    fn lost_claims(&self);
    /// How things stand that concern every node.
    fn see(&self, cluster: ClusterView);
    /// Its schedules, each with the slot that would be its next by the time now.
    fn schedules(&self) -> Vec<Registration>;
    /// Which of its schedules are its to fire may have changed.
    fn in_force(&self, schedules: Vec<InForce>);
}

/// What a host has places for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Room {
    /// Places where nothing executes.
    pub(crate) count: usize,
    /// Runs that it has taken and that wait for one of them.
    pub(crate) waiting: usize,
    /// Nothing begins any more.
    pub(crate) closed: bool,
    /// Queues with a limit of their own, and how many of their runs fit.
    pub(crate) queues: Vec<(String, usize)>,
}

/// How things stand that concern every node.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ClusterView {
    pub(crate) paused_jobs: Vec<String>,
    pub(crate) paused_queues: Vec<String>,
    /// The next slots of schedules that count from the end of their runs.
    pub(crate) delays: Vec<(String, String, DateTime<Utc>)>,
}

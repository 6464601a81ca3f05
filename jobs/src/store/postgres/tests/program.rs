//! Nodes without a program around them.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::AtomicBool;

use tokio::sync::{Notify, watch};

use super::*;
use crate::store::postgres::claim::Limited;
use crate::store::postgres::node::{ClusterView, Host, Identity, Node, Room};
use crate::store::postgres::schedules::{InForce, Registration};

/// A program without a pool: it keeps what it is given.
#[derive(Default)]
pub(super) struct Program {
    pub(super) room: Mutex<usize>,
    pub(super) taken: Mutex<VecDeque<Claimed>>,
    pub(super) news: Notify,
    pub(super) cancelled: Mutex<Vec<Id>>,
    /// Those that it knows and that have no limits: `mail` where it is not said.
    jobs: Option<Arc<[String]>>,
    limited: Vec<Limited>,
    retention: Option<(Duration, usize)>,
    /// The next runs are too much for it.
    pub(super) panics: AtomicBool,
    /// It takes nothing any more.
    pub(super) closed: AtomicBool,
    pub(super) lost: watch::Sender<u32>,
}

impl Host for Program {
    fn room(&self) -> Room {
        let (room, taken) = (*self.room.lock().unwrap(), self.taken.lock().unwrap().len());
        Room { count: room.saturating_sub(taken), waiting: taken.saturating_sub(room), ..Room::default() }
    }

    fn jobs(&self) -> Arc<[String]> {
        self.jobs.clone().unwrap_or_else(|| ["mail".to_owned()].into())
    }

    fn limited(&self) -> Arc<[Limited]> {
        self.limited.clone().into()
    }

    fn retention(&self) -> (Duration, usize) {
        self.retention.unwrap_or((Duration::from_secs(86_400), 1_000_000))
    }

    fn take(&self, runs: Vec<Claimed>) -> Vec<Fence> {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "it is meant to panic");
        let (refused, taken): (Vec<_>, _) =
            runs.into_iter().partition(|run| run.job == "report" || self.closed.load(Ordering::SeqCst));
        self.taken.lock().unwrap().extend(taken);
        self.news.notify_one();
        refused.iter().map(fence_of).collect()
    }

    fn let_go_waiting(&self) -> Vec<Fence> {
        let room = *self.room.lock().unwrap();
        let mut taken = self.taken.lock().unwrap();
        let waiting = room.min(taken.len());
        taken.drain(waiting..).map(|claimed| fence_of(&claimed)).collect()
    }

    fn cancel(&self, runs: Vec<Id>) {
        self.cancelled.lock().unwrap().extend(runs);
        self.news.notify_one();
    }

    fn lost_claims(&self) {
        self.lost.send_modify(|lost| *lost += 1);
    }

    fn see(&self, _: ClusterView) {}

    fn schedules(&self) -> Vec<Registration> {
        Vec::new()
    }

    fn in_force(&self, _: Vec<InForce>) {}
}

impl Program {
    pub(super) fn with_room(room: usize) -> Arc<Self> {
        Arc::new(Self { room: Mutex::new(room), ..Self::default() })
    }

    /// It knows one job with limits, and others without.
    pub(super) fn with_limits(room: usize, limited: &[Limited], jobs: &[&str]) -> Arc<Self> {
        let jobs = jobs.iter().map(|job| (*job).to_owned()).collect();
        Arc::new(Self {
            room: Mutex::new(room),
            jobs: Some(jobs),
            limited: limited.to_vec(),
            ..Self::default()
        })
    }

    pub(super) fn that_keeps(age: Duration, count: usize) -> Arc<Self> {
        Arc::new(Self { retention: Some((age, count)), ..Self::default() })
    }

    pub(super) fn drain(&self) -> Vec<Claimed> {
        self.taken.lock().unwrap().drain(..).collect()
    }

    /// Waits until it has taken a run.
    pub(super) async fn has_taken(&self) {
        while self.taken.lock().unwrap().is_empty() {
            bounded(self.news.notified()).await;
        }
    }

    /// The one run that it takes.
    pub(super) async fn takes_one(&self) -> Claimed {
        self.has_taken().await;
        let [claimed] = self.drain().try_into().expect("it takes one");
        claimed
    }

    /// Ends so many runs as they come, all of them well.
    pub(super) async fn execute(&self, node: &Node, count: usize) -> Vec<Id> {
        let mut ended = Vec::new();
        while ended.len() < count {
            let taken = self.drain();
            if taken.is_empty() {
                bounded(self.news.notified()).await;
            }
            for claimed in taken {
                node.ends().end(success_of(&claimed));
                ended.push(claimed.id);
            }
            node.ends().wake();
        }
        ended
    }
}

pub(super) async fn bounded<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), event).await.expect("it happens within a minute")
}

pub(super) async fn joined(address: &str, id: u128, program: &Arc<Program>) -> Node {
    joined_with(address, id, program, &clock()).await
}

pub(super) async fn joined_with(address: &str, id: u128, program: &Arc<Program>, clock: &Arc<Clock>) -> Node {
    let host = Arc::clone(program) as Arc<dyn Host>;
    Node::join(Address::parse(address).unwrap(), identity(id), Arc::clone(clock), host).await.unwrap()
}

pub(super) fn identity(id: u128) -> Identity {
    Identity { id: Id(id), name: format!("node {id}"), names: Vec::new(), fires: Vec::new() }
}

pub(super) fn watching(address: &str) -> Db {
    Db::new(pool(address, 1), Schema::default())
}

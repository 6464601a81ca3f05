//! The nodes of tests on virtual time, which are all in one process: what one of them changes, it tells the others itself.

use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Shared;

static NODES: Mutex<Vec<Weak<Shared>>> = Mutex::new(Vec::new());

/// A node has joined.
pub(super) fn enter(node: &Arc<Shared>) {
    if !node.clock.is_virtual() {
        return;
    }
    {
        let mut nodes = NODES.lock().unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|node| node.strong_count() > 0);
        nodes.push(Arc::downgrade(node));
    }
    // Those that were alone have not said for long that they are there.
    for other in all_of(node) {
        other.beat.call(Some(&other.clock));
    }
}

/// A node has left.
pub(super) fn leave(node: &Shared) {
    if node.clock.is_virtual() {
        for other in all_of(node) {
            other.beat.call(Some(&other.clock));
            other.has_arrived();
        }
    }
}

/// Lets all nodes look how things stand, that of the caller among them.
pub(super) fn stir(node: &Shared) {
    for node in all_of(node) {
        node.has_arrived();
        node.waiting.changed.call(Some(&node.clock));
    }
}

/// The nodes of the same schema.
fn all_of(node: &Shared) -> Vec<Arc<Shared>> {
    let nodes = NODES.lock().unwrap_or_else(PoisonError::into_inner);
    let is_same = |other: &Arc<Shared>| {
        let (one, other) = (&node.db, &other.db);
        let server = |db: &super::Db| {
            let options = db.pool.connect_options();
            (options.get_host().to_owned(), options.get_port(), options.get_database().map(str::to_owned))
        };
        one.schema == other.schema && server(one) == server(other)
    };
    nodes.iter().filter_map(Weak::upgrade).filter(is_same).collect()
}

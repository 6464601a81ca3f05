//! Where runs are kept.

pub(crate) mod memory;
// Until a node runs on it, its tests do.
#[cfg(all(test, feature = "postgres"))]
pub(crate) mod postgres;
pub(crate) mod slab;

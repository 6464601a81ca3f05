//! Where runs are kept.

pub(crate) mod memory;
pub(crate) mod slab;

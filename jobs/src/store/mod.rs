//! Where runs are kept.

#[cfg_attr(
    not(feature = "sqlite"),
    allow(dead_code, reason = "nothing outlives the process without a store that does")
)]
pub(crate) mod journal;
pub(crate) mod memory;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
pub(crate) mod slab;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

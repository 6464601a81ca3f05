//! The schedule language of `jobs`.
#![forbid(unsafe_code)]

mod cron;
mod error;
mod overlap;
mod spec;

pub use cron::{CronSpec, Stars};
pub use error::{SyntaxError, SyntaxErrorKind};
pub use overlap::Overlap;
pub use spec::{Spec, When};

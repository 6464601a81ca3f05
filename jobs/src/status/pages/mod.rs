//! What a person sees.

mod chart;
pub(super) mod job;
pub(super) mod jobs;
mod ledger;
mod nodes;
mod pace;
mod parts;
mod plot;
pub(super) mod pool;
pub(super) mod run;
pub(super) mod runs;
pub(super) mod schedules;
mod shell;

pub(super) use parts::Tone;
pub(super) use shell::{SILENT, bad_request, conflict, not_found, silent};

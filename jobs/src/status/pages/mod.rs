//! What a person sees.

pub(super) mod jobs;
mod parts;
mod shell;

pub(super) use parts::Tone;
pub(super) use shell::{conflict, not_found};

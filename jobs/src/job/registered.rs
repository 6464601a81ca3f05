//! The entry of a job in the program's list of jobs.

use super::Job;
use super::descriptor::Descriptor;

/// The entry of a job in the program's list. It names the type, so that a job which nobody submits is no dead code.
pub const fn registered<J: Job>(descriptor: &'static Descriptor) -> &'static Descriptor {
    descriptor
}

//! The entry of a job in the program's list of jobs.

use super::Job;
use super::body::Erased;
use super::descriptor::Descriptor;

/// The entry of a job in the program's list. It names the type, so that a job which nobody submits is no dead code.
pub const fn registered<J: Job>(descriptor: &'static Descriptor) -> &'static Descriptor {
    descriptor
}

/// Makes a value of the job of arguments in JSON.
pub fn read<J: Job>(json: &str) -> Result<Erased, serde_json::Error> {
    serde_json::from_str(json).map(Erased::new::<J>)
}

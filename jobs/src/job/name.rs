//! The name of a job.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Deref;
use std::sync::Arc;

/// The name of a job: from the source, or given while the program runs.
#[derive(Clone)]
pub(crate) enum JobName {
    Static(&'static str),
    Shared(Arc<str>),
}

impl Deref for JobName {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Self::Static(name) => name,
            Self::Shared(name) => name,
        }
    }
}

impl Borrow<str> for JobName {
    fn borrow(&self) -> &str {
        self
    }
}

impl PartialEq for JobName {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl Eq for JobName {}

impl Hash for JobName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (**self).hash(state);
    }
}

impl fmt::Debug for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, f)
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

//! What can be submitted, and how its type is forgotten.

use std::any::TypeId;
use std::fmt;
use std::sync::Arc;

use crate::job::Job;
use crate::job::body::{Body, Cloned, Template};
use crate::job::descriptor::Descriptor;
use crate::job::func::Func;
use crate::pool::Directory;
use crate::store::memory::JobIx;

/// What can be submitted and scheduled: every [`Job`], and a closure by way of [`func`](crate::func()).
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a job",
    label = "not a job",
    note = "a function with `#[job]` is submitted as a value of the struct of its name: `send {{ to, order }}`, `sweep {{}}`",
    note = "a closure is submitted by `jobs::func(\"name\", || async {{ … }})`"
)]
pub trait Submit: Send + Sized + 'static {
    #[doc(hidden)]
    const __KIND: &'static Kind<Self>;
}

/// What is done with a value that is submitted.
///
/// A builder keeps it beside the value, so that its methods need no bound on that: a function that is given in place of
/// its struct is one mistake, told where it is given, and not another at `.await`.
pub struct Kind<J> {
    pub(super) who: fn(&J) -> Who,
    pub(super) body: fn(J) -> Body,
    pub(super) template: fn(J) -> Template,
    /// What it is given, as a test compares it.
    #[cfg(feature = "testing")]
    pub(super) args: fn(&J) -> serde_json::Value,
}

impl<J> fmt::Debug for Kind<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kind")
    }
}

#[diagnostic::do_not_recommend]
impl<J: Job> Submit for J {
    const __KIND: &'static Kind<J> = &Kind {
        who: |_| Who::Typed { type_id: TypeId::of::<J>(), name: J::NAME, descriptor: J::__descriptor() },
        body: |job| Body::Owned(Box::new(job)),
        template: Cloned::template,
        #[cfg(feature = "testing")]
        args: super::trial::args_of,
    };
}

impl Submit for Func {
    const __KIND: &'static Kind<Func> = &Kind {
        who: |func| Who::Func(Arc::clone(func.name())),
        body: |func| Body::Template(func.into_template()),
        template: Func::into_template,
        #[cfg(feature = "testing")]
        args: |_| serde_json::Value::Null,
    };
}

/// Which job a value is.
#[derive(Debug)]
pub(super) enum Who {
    /// A type that is a [`Job`].
    Typed {
        /// The type.
        type_id: TypeId,
        /// Its name.
        name: &'static str,
        /// What `#[job]` wrote down, if it was that.
        descriptor: Option<&'static Descriptor>,
    },
    /// A closure, by its name.
    Func(Arc<str>),
}

impl Who {
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Typed { name, .. } => name,
            Self::Func(name) => name,
        }
    }

    /// Finds the job where it is known already.
    pub(super) fn find(&self, directory: &Directory) -> Option<JobIx> {
        match self {
            Self::Typed { type_id, .. } => directory.of_type(*type_id),
            Self::Func(name) => directory.of_func(name),
        }
    }
}

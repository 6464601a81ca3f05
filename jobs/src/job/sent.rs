//! What the generated code does with the value of a job, which goes to another thread.
//!
//! The bound `Send` of [`Job`](crate::Job) says once what lacks it. So the code around the call of the function reaches
//! it through [`RunOf`], as that of an argument goes through `ArgumentOf`: where the value cannot go to another thread, the
//! methods of [`NotSent`] take the place of the real ones, and the compiler does not repeat itself for each of them.

#![allow(missing_docs, reason = "for generated code, behind `__private`")]

use std::fmt;
use std::future::{Future, Ready};
use std::marker::PhantomData;
use std::ops::Deref;

use crate::{JobContext, JobResult};

/// The run of a job of type `J`.
pub struct RunOf<J>(NotSent<J>);

impl<J> RunOf<J> {
    pub fn at(_job: &J) -> Self {
        Self(NotSent(PhantomData))
    }
}

impl<J: Send> RunOf<J> {
    /// The future itself.
    pub fn sent<F: Future<Output = JobResult>>(&self, future: F) -> F {
        future
    }

    pub fn blocking<F: FnOnce(&JobContext) -> JobResult + Send + 'static>(
        &self,
        cx: JobContext,
        f: F,
    ) -> impl Future<Output = JobResult> + Send + use<J, F> {
        cx.__blocking(f)
    }
}

impl<J> Deref for RunOf<J> {
    type Target = NotSent<J>;

    fn deref(&self) -> &NotSent<J> {
        &self.0
    }
}

impl<J> fmt::Debug for RunOf<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RunOf")
    }
}

/// [`RunOf`] for a value that cannot go to another thread: it type-checks, and never runs.
pub struct NotSent<J>(PhantomData<fn() -> J>);

const NEVER_RUN: &str = "invariant: a job is `Send`, so this does not compile";

impl<J> NotSent<J> {
    pub fn sent<F: Future<Output = JobResult>>(&self, _future: F) -> Ready<JobResult> {
        unreachable!("{NEVER_RUN}")
    }

    pub fn blocking(&self, _cx: JobContext, _f: impl FnOnce(&JobContext) -> JobResult) -> Ready<JobResult> {
        unreachable!("{NEVER_RUN}")
    }
}

impl<J> fmt::Debug for NotSent<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotSent")
    }
}

//! What a function with `#[job]` may return.

#![allow(missing_docs, reason = "for generated code, behind `__private`")]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Serialize;

use super::JobContext;
use crate::BoxError;

/// `()` or a `Result` whose error can be boxed.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "a job returns `()`, `Result<(), E>` or `Result<T, E>`",
    note = "the error `E` is anything that converts into `jobs::BoxError`: an error type that is `Send + Sync`, `anyhow::Error`, `String`",
    note = "`jobs::BoxError` is `Box<dyn std::error::Error + Send + Sync>`; a `Box<dyn std::error::Error>` without `Send + Sync` is not enough"
)]
pub trait Returned {
    type Output;

    fn into_result(self) -> Result<Self::Output, BoxError>;
}

#[diagnostic::do_not_recommend]
impl Returned for () {
    type Output = ();

    fn into_result(self) -> Result<(), BoxError> {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<T, E: Into<BoxError>> Returned for Result<T, E> {
    type Output = T;

    fn into_result(self) -> Result<T, BoxError> {
        self.map_err(Into::into)
    }
}

/// Keeps what a job gives, where it can be: generated code calls `keep`, which is this one for a type that is `Serialize`,
/// and that of `NotKept` for every other.
#[derive(Debug)]
pub struct OutputOf<T>(NotKept<T>);

impl<T> OutputOf<T> {
    pub fn at(_value: &T) -> Self {
        Self(NotKept(PhantomData))
    }
}

impl<T: Serialize> OutputOf<T> {
    pub fn keep(&self, value: &T, cx: &JobContext) {
        // There is nothing in `()` to keep.
        if size_of::<T>() > 0 {
            cx.output(value);
        }
    }
}

impl<T> Deref for OutputOf<T> {
    type Target = NotKept<T>;

    fn deref(&self) -> &NotKept<T> {
        &self.0
    }
}

/// [`OutputOf`] for a type that cannot be kept.
pub struct NotKept<T>(PhantomData<fn() -> T>);

impl<T> NotKept<T> {
    pub fn keep(&self, _value: &T, _cx: &JobContext) {}
}

impl<T> fmt::Debug for NotKept<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotKept")
    }
}

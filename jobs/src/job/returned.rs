//! What a function with `#[job]` may return.

#![allow(missing_docs, reason = "for generated code, behind `__private`")]

use super::JobResult;
use crate::BoxError;

/// `()` or a `Result` whose error can be boxed.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "a job returns `()`, `Result<(), E>` or `Result<T, E>`",
    note = "the error `E` is anything that converts into `jobs::BoxError`: an error type that is `Send + Sync`, `anyhow::Error`, `String`",
    note = "`jobs::BoxError` is `Box<dyn std::error::Error + Send + Sync>`; a `Box<dyn std::error::Error>` without `Send + Sync` is not enough"
)]
pub trait Returned {
    fn into_result(self) -> JobResult;
}

#[diagnostic::do_not_recommend]
impl Returned for () {
    fn into_result(self) -> JobResult {
        Ok(())
    }
}

#[diagnostic::do_not_recommend]
impl<T, E: Into<BoxError>> Returned for Result<T, E> {
    fn into_result(self) -> JobResult {
        self.map(drop).map_err(Into::into)
    }
}

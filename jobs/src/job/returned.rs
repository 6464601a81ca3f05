//! What a function with `#[job]` may return.

use super::JobResult;
use crate::BoxError;

/// `()` or a `Result` whose error can be boxed.
#[diagnostic::on_unimplemented(
    message = "a job cannot return `{Self}`",
    label = "a job returns `()`, `Result<(), E>` or `Result<T, E>`",
    note = "the error `E` is anything that converts into `Box<dyn std::error::Error + Send + Sync>`: an error type, `anyhow::Error`, `String`"
)]
pub trait Returned {
    fn into_result(self) -> JobResult;
}

impl Returned for () {
    fn into_result(self) -> JobResult {
        Ok(())
    }
}

impl<T, E: Into<BoxError>> Returned for Result<T, E> {
    fn into_result(self) -> JobResult {
        self.map(drop).map_err(Into::into)
    }
}

//! What every handler knows about the request that it answers.

use axum::extract::{FromRef, FromRequestParts, OriginalUri};
use axum::http::StatusCode;
use axum::http::request::Parts;

use super::Page;
use super::access::Visitor;
use super::paths::Base;
use super::query::Query;

/// The program, the page's place in it, who asks and what for.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) page: Page,
    pub(super) base: Base,
    pub(super) visitor: Visitor,
    pub(super) query: Query,
}

impl<S: Send + Sync> FromRequestParts<S> for Screen
where
    Page: FromRef<S>,
{
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, StatusCode> {
        // Without the guard in front nobody is let in.
        let visitor = parts.extensions.get::<Visitor>().cloned().ok_or(StatusCode::FORBIDDEN)?;
        let original = parts.extensions.get::<OriginalUri>().cloned();
        let original = original.unwrap_or_else(|| OriginalUri(parts.uri.clone()));
        Ok(Self {
            page: Page::from_ref(state),
            base: Base::of(&original, &parts.uri),
            visitor,
            query: Query::parse(parts.uri.query().unwrap_or_default()).ok_or(StatusCode::URI_TOO_LONG)?,
        })
    }
}

impl Screen {
    /// Whether the reader may steer.
    pub(super) fn may_steer(&self) -> bool {
        !self.page.access.is_readonly()
    }
}

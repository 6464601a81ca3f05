//! The paths of the page, below the one that its router is merged at.

use axum::extract::OriginalUri;
use axum::http::Uri;

/// Where everything is.
pub(super) const ROOT: &str = "/@jobs";
/// Whether the program is well, for probes, which have no password.
pub(super) const HEALTH: &str = "/@jobs/health";

/// What is measured, for Prometheus.
pub(super) const METRICS: &str = "/@jobs/metrics";

/// The beginning of all links: with what the program's own router put in front.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base(String);

impl Base {
    /// From the path as the browser has it, and as our router sees it.
    pub(super) fn of(original: &OriginalUri, seen: &Uri) -> Self {
        let nested = original.path().strip_suffix(seen.path()).unwrap_or_default();
        // A link that begins with two slashes leads to another host.
        let nested = if nested.starts_with("//") { "" } else { nested.trim_end_matches('/') };
        Self(format!("{nested}{ROOT}"))
    }

    pub(super) fn root(&self) -> &str {
        &self.0
    }

    /// A path below the root; what comes from outside in it has to be [`escaped`].
    pub(super) fn to(&self, path: &str) -> String {
        format!("{}/{path}", self.0)
    }
}

/// A text as one part of a path, or as a value of a query.
pub(super) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_keep_what_the_router_was_nested_under() {
        let base = |original: &str, seen: &str| {
            Base::of(&OriginalUri(original.parse().unwrap()), &seen.parse().unwrap()).0
        };
        assert_eq!(base("/@jobs/runs", "/@jobs/runs"), "/@jobs");
        assert_eq!(base("/admin/@jobs/runs", "/@jobs/runs"), "/admin/@jobs");
        assert_eq!(base("//evil.example/@jobs", "/@jobs"), "/@jobs");
    }

    #[test]
    fn nothing_of_a_text_can_end_its_part_of_a_path() {
        assert_eq!(escaped("a/../b?c#d%é"), "a%2F..%2Fb%3Fc%23d%25%C3%A9");
    }
}

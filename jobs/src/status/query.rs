//! What stands behind the `?` of an address, and how it is written there again.

use axum::extract::Query as Parsed;
use axum::http::Uri;

use super::paths::escaped;

/// Longer ones are nobody's.
const LONGEST: usize = 4096;

/// Names and values, as they were given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    /// None where it is too long. What is not well encoded is taken as far as it can be read.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let uri = Uri::builder().path_and_query(format!("/?{text}")).build().ok();
        let pairs = uri.and_then(|uri| Parsed::<Vec<(String, String)>>::try_from_uri(&uri).ok());
        Some(Self(pairs.map(|pairs| pairs.0).unwrap_or_default()))
    }

    /// The first value of a name, where it is not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }

    /// The same without a name.
    pub(super) fn without(&self, name: &str) -> Self {
        Self(self.0.iter().filter(|(known, _)| known != name).cloned().collect())
    }

    /// The number of the page, from 1.
    pub(super) fn page(&self) -> usize {
        self.get("page").and_then(|page| page.parse().ok()).filter(|page| *page > 0).unwrap_or(1)
    }

    /// The query with a value changed, with its `?`; an empty value leaves the name out. Only `kept` names stay.
    pub(super) fn with(&self, kept: &[&str], name: &str, value: &str) -> String {
        let mut pairs: Vec<(&str, &str)> = kept
            .iter()
            .filter(|known| **known != name)
            .filter_map(|known| self.get(known).map(|value| (*known, value)))
            .collect();
        if !value.is_empty() {
            pairs.push((name, value));
        }
        let written: Vec<String> =
            pairs.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
        if written.is_empty() { String::new() } else { format!("?{}", written.join("&")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_query_is_read_as_far_as_it_goes() {
        let query = Query::parse("q=%zz&state=&&=x&page=-1&a").unwrap();
        assert_eq!(query.get("q"), Some("%zz"));
        assert_eq!((query.get("state"), query.page()), (None, 1));
        assert_eq!(Query::parse(&"q".repeat(5000)), None);
    }

    #[test]
    fn a_changed_value_keeps_the_others_that_may_stay() {
        let query = Query::parse("q=a+b%26c&state=running&page=7&did=x").unwrap();
        assert_eq!(query.with(&["q", "state"], "page", "2"), "?q=a%20b%26c&state=running&page=2");
        assert_eq!(query.with(&["state"], "state", ""), "");
    }
}

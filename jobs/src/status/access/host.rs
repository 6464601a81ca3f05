//! The host that a request names: whether it is this machine, and whether another header names the same.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::header::HOST;
use axum::http::request::Parts;

/// Whether every host that the request names is this machine by name. A page that a name of somebody else's
/// leads to could be read by their script: DNS rebinding.
pub(super) fn is_loopback(request: &Parts) -> bool {
    let mut hosts = request.headers.get_all(HOST).iter();
    let host = match (hosts.next(), hosts.next()) {
        (Some(only), None) => only.to_str().is_ok_and(is_loopback_name),
        // HTTP/2 has it in the address alone.
        (None, _) => request.uri.authority().is_some(),
        (Some(_), Some(_)) => false,
    };
    host && request.uri.authority().is_none_or(|authority| is_loopback_name(authority.as_str()))
}

/// `localhost`, `127.0.0.1:8080`, `[::1]:8080`. What only looks like it is another's.
fn is_loopback_name(host: &str) -> bool {
    let Some(name) = without_port(host) else { return false };
    if let Some(v6) = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        return v6.parse::<Ipv6Addr>().is_ok_and(|address| address.to_canonical().is_loopback());
    }
    let lower = name.to_ascii_lowercase();
    let is_local = lower == "localhost" || lower.strip_suffix(".localhost").is_some_and(is_name);
    is_local || name.parse::<Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|c| c.is_ascii_alphanumeric() || matches!(c, b'-' | b'.'))
}

/// The name in front of `:port`; none where what follows is no port.
fn without_port(host: &str) -> Option<&str> {
    let name_ends =
        if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, port) = host.split_at(name_ends);
    let good = port.is_empty()
        || port
            .strip_prefix(':')
            .is_some_and(|digits| digits.len() <= 5 && digits.bytes().all(|c| c.is_ascii_digit()));
    good.then_some(name)
}

/// Whether an `Origin` names the host. The scheme is left out: a proxy may end TLS.
pub(super) fn is_origin_of(origin: &str, host: &str) -> bool {
    let authority = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
    authority.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_and_no_others() {
        for good in [
            "localhost",
            "LocalHost:80",
            "127.0.0.1",
            "127.8.8.8:65535",
            "[::1]",
            "[::1]:1",
            "app.localhost:3000",
        ] {
            assert!(is_loopback_name(good), "{good}");
        }
        for bad in [
            "",
            "127.0.0.1.evil",
            "127.0.0.1.evil:80",
            "evil",
            "localhost.evil",
            "localhost.",
            "127.1",
            "0x7f.1",
            "2130706433",
            "[::2]",
            "[::1",
            "::1",
            "[::1]evil",
            "127.0.0.1:80:80",
            "127.0.0.1:evil",
            "user@localhost",
            "localhost@evil",
            ".localhost",
            "a@b.localhost",
            "0.0.0.0",
            "127.0.0.1 ",
            "localhost:999999",
        ] {
            assert!(!is_loopback_name(bad), "{bad}");
        }
    }

    #[test]
    fn an_origin_is_compared_whole() {
        assert!(is_origin_of("http://localhost:80", "LOCALHOST:80"));
        assert!(is_origin_of("https://jobs.example", "jobs.example"));
        for bad in ["null", "", "http://", "jobs.example", "http://jobs.example.evil", "ftp://jobs.example"] {
            assert!(!is_origin_of(bad, "jobs.example"), "{bad}");
        }
    }
}

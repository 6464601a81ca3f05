//! Whose request it is: the peer of the socket, or whom a trusted proxy speaks for.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};

use super::Refusal;
use crate::config::Network;

/// What is in the names of headers that proxies add, to say something about themselves or those they speak for.
/// Behind a proxy on the same machine everybody is loopback, so that any of them shows that the peer is not who asks.
const OF_PROXIES: [&str; 6] =
    ["forwarded", "real-ip", "client-ip", "clientip", "connecting-ip", "x-original-"];

/// Those that are named otherwise.
const OTHERS: [&str; 5] =
    ["via", "x-envoy-external-address", "x-appengine-user-ip", "x-proxyuser-ip", "x-host"];

fn is_of_proxy(name: &HeaderName) -> bool {
    let name = name.as_str();
    OTHERS.contains(&name) || OF_PROXIES.iter().any(|part| name.contains(part))
}

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// A chain of proxies longer than this is nobody's.
const LONGEST_CHAIN: usize = 32;

/// The address that asks, and whether a trusted proxy speaks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    /// The other end of the socket, where a proxy speaks for the client.
    proxy: Option<IpAddr>,
}

impl Client {
    /// Finds who asks; `proxies` are the peers that are believed.
    pub(super) fn of(request: &Parts, proxies: &[Network]) -> Result<Self, Refusal> {
        let Some(ConnectInfo(peer)) = request.extensions.get::<ConnectInfo<SocketAddr>>() else {
            return Err(Refusal::NoConnectInfo);
        };
        let peer = peer.ip().to_canonical();
        let headers = &request.headers;
        let Some(header) = headers.keys().find(|name| is_of_proxy(name)) else {
            return Ok(Self { address: peer, proxy: None });
        };
        let trusted = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
        if proxies.is_empty() {
            return Err(Refusal::Forwarded { header: header.clone() });
        }
        if !trusted(peer) {
            return Err(Refusal::UntrustedProxy { peer });
        }
        // Of two headers that name the client one was sent by the client.
        if headers.contains_key("forwarded") {
            return Err(Refusal::UnreadableChain);
        }
        let mut chain = chain(headers).ok_or(Refusal::UnreadableChain)?;
        let first = *chain.first().ok_or(Refusal::UnreadableChain)?;
        // What stands left of the last address that is no proxy of ours, its owner has written.
        chain.reverse();
        let address = chain.into_iter().find(|address| !trusted(*address)).unwrap_or(first);
        Ok(Self { address, proxy: Some(peer) })
    }

    pub(super) fn is_proxied(self) -> bool {
        self.proxy.is_some()
    }

    /// Whether the client runs on this machine. What is loopback to a proxy elsewhere is elsewhere.
    pub(super) fn is_this_machine(self) -> bool {
        self.address.is_loopback() && self.proxy.is_none_or(|proxy| proxy.is_loopback())
    }
}

/// The addresses of `X-Forwarded-For`, the farthest first; none where one cannot be read.
fn chain(headers: &HeaderMap) -> Option<Vec<IpAddr>> {
    let mut chain = Vec::new();
    for line in headers.get_all(FORWARDED_FOR) {
        for item in line.to_str().ok()?.split(',') {
            let item = item.trim();
            let address = item
                .parse::<IpAddr>()
                .ok()
                .or_else(|| item.parse::<SocketAddr>().ok().map(|with_port| with_port.ip()))?;
            chain.push(address.to_canonical());
            if chain.len() > LONGEST_CHAIN {
                return None;
            }
        }
    }
    Some(chain)
}

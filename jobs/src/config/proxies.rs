//! Peers whose `X-Forwarded-For` is believed.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::shown::shown;

/// A network of peers: every address that begins with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The peers that are trusted where nothing else is said: this machine.
    pub(crate) const LOOPBACK: [Self; 2] = [
        Self { address: IpAddr::V4(Ipv4Addr::new(127, 0, 0, 0)), bits: 8 },
        Self { address: IpAddr::V6(Ipv6Addr::LOCALHOST), bits: 128 },
    ];

    /// Whether the peer is one of the network. An IPv4 address inside IPv6 counts as the IPv4 address.
    #[cfg_attr(not(any(test, feature = "web")), expect(dead_code, reason = "the status page asks"))]
    pub(crate) fn contains(&self, peer: IpAddr) -> bool {
        let (own, peer, width) = match (self.address, peer.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(peer)) => {
                (u128::from(own.to_bits()), u128::from(peer.to_bits()), 32)
            }
            (IpAddr::V6(own), IpAddr::V6(peer)) => (own.to_bits(), peer.to_bits(), 128),
            _ => return false,
        };
        let dropped = width - u32::from(self.bits);
        own.checked_shr(dropped).unwrap_or(0) == peer.checked_shr(dropped).unwrap_or(0)
    }

    /// Parses `10.0.0.7`, `10.0.0.0/8`, `::1`, `fd00::/8`.
    pub(super) fn parse(text: &str) -> Result<Self, (String, String)> {
        let written = shown(text);
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits)),
            None => (text, None),
        };
        let Ok(address) = address.parse::<IpAddr>() else {
            return Err((
                format!("{written} is not an IP address or network"),
                "write an address such as `10.0.0.7` or a network such as `10.0.0.0/8`; names are not looked up"
                    .to_owned(),
            ));
        };
        let width = if address.is_ipv4() { 32 } else { 128 };
        let bits = match bits {
            None => width,
            Some(bits) => match bits.parse::<u8>() {
                Ok(0) => {
                    return Err((
                        format!("{written} would trust everybody, and `X-Forwarded-For` can be forged"),
                        "name the proxies, or the network they stand in".to_owned(),
                    ));
                }
                Ok(n) if n <= width && bits.starts_with(|c: char| c.is_ascii_digit()) => n,
                _ => {
                    return Err((
                        format!("{written} has a wrong number of bits behind the `/`"),
                        format!("the number of leading bits runs from 1 to {width} here"),
                    ));
                }
            },
        };
        let network = Self { address, bits };
        let masked = network.masked();
        if masked.address != address {
            return Err((
                format!("{written} has bits of the address set behind the first {bits}"),
                format!("the network is `{masked}`; the one address is `{address}`"),
            ));
        }
        Ok(network)
    }

    fn masked(&self) -> Self {
        let address = match self.address {
            IpAddr::V4(a) => {
                let kept = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(a.to_bits() & kept))
            }
            IpAddr::V6(a) => {
                let kept = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(a.to_bits() & kept))
            }
        };
        Self { address, bits: self.bits }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        if self.bits == width {
            write!(f, "{}", self.address)
        } else {
            write!(f, "{}/{}", self.address, self.bits)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::parse(text).unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_contains_what_begins_like_it() {
        assert!(network("10.0.0.0/8").contains(ip("10.255.0.1")));
        assert!(!network("10.0.0.0/8").contains(ip("11.0.0.1")));
        assert!(network("192.168.7.9").contains(ip("192.168.7.9")));
        assert!(!network("192.168.7.9").contains(ip("192.168.7.8")));
        assert!(network("fd00::/8").contains(ip("fdff::1")));
        assert!(!network("fd00::/8").contains(ip("fe80::1")));
        assert!(!network("fd00::/8").contains(ip("10.0.0.1")));
        assert!(network("10.0.0.0/8").contains(ip("::ffff:10.1.2.3")));
    }

    #[test]
    fn loopback_is_this_machine_only() {
        let trusted = |peer: &str| Network::LOOPBACK.iter().any(|n| n.contains(ip(peer)));
        assert!(trusted("127.0.0.1") && trusted("127.0.0.2") && trusted("::1"));
        assert!(!trusted("128.0.0.1") && !trusted("::2") && !trusted("10.0.0.1"));
    }

    #[test]
    fn mistakes_say_what_is_meant() {
        let help = |text: &str| Network::parse(text).unwrap_err().1;
        assert_eq!(help("10.0.0.5/8"), "the network is `10.0.0.0/8`; the one address is `10.0.0.5`");
        assert_eq!(help("10.0.0.0/33"), "the number of leading bits runs from 1 to 32 here");
        assert_eq!(help("10.0.0.0/+8"), "the number of leading bits runs from 1 to 32 here");
        assert_eq!(help("::/0"), "name the proxies, or the network they stand in");
        assert!(help("proxy.local").contains("names are not looked up"));
    }
}

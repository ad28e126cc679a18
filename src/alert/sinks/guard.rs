//! Addresses that a message may go to. A webhook's host is configured by somebody, resolved by
//! somebody else: it must not lead into this network, to this machine or to the cloud's own services.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Where Azure's own services answer a virtual machine, besides the link-local ones.
const AZURE_WIRE_SERVER: Ipv4Addr = Ipv4Addr::new(168, 63, 129, 16);

/// It is an address of the public internet.
pub fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = match (a, b, c) {
        (0, ..) | (240.., ..) => true, // this network; reserved and broadcast
        (100, 64..=127, _) => true,    // carriers' own (RFC 6598)
        (192, 0, 0) | (198, 18..=19, _) => true, // protocols; benchmarks
        _ => false,
    };
    !(special
        || ip.is_loopback()
        || ip.is_private()
        || ip.is_link_local()
        || ip.is_multicast()
        || ip == AZURE_WIRE_SERVER)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    let parts = ip.segments();
    let embedded = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match parts {
        // Mapped, translated (RFC 6052) and 6to4: what counts is the address inside.
        [0, 0, 0, 0, 0, 0xffff | 0, high, low] if high > 0 || low > 1 => embedded(high, low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => embedded(high, low),
        [0x2002, high, low, ..] => embedded(high, low),
        [0x64, 0xff9b, 1, ..] | [0x2001, 0, ..] => false, // local translation; Teredo
        [first, ..] => first & 0xe000 == 0x2000,          // global unicast, and nothing else
    }
}

/// Resolves a host once; the connection is made to one of these addresses and to no other, so that
/// a name cannot lead elsewhere between the check and the use.
#[derive(Debug)]
pub struct GuardedResolver {
    /// Addresses of any kind are taken.
    pub allow_private: bool,
}

impl Resolver for GuardedResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        let mut allowed = self.empty();
        let fits = |address: &&SocketAddr| self.allow_private || is_public(address.ip());
        found.iter().filter(fits).for_each(|address| allowed.push(*address));
        if allowed.is_empty() {
            return Err(ureq::Error::Io(std::io::Error::other(
                "the host has a private address; set allow_private = true if that is meant",
            )));
        }
        Ok(allowed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        for (text, public) in [
            ("93.184.216.34", true),
            ("2606:2800:220:1::1", true),
            ("127.0.0.1", false),
            ("10.1.2.3", false),
            ("172.31.255.255", false),
            ("172.32.0.1", true),
            ("192.168.0.1", false),
            ("169.254.169.254", false),
            ("168.63.129.16", false),
            ("100.64.0.1", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("198.18.0.1", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:10.0.0.1", false),
            ("::ffff:93.184.216.34", true),
            ("::7f00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("64:ff9b::5db8:d822", true),
            ("64:ff9b:1::1", false),
            ("2002:7f00:1::1", false),
            ("2001:0:53aa::1", false),
            ("fe80::1", false),
            ("fc00::1", false),
            ("fd12::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(text.parse().unwrap()), public, "{text}");
        }
    }
}

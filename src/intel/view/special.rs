//! Addresses that belong to nobody in particular, by the registries of RFC 6890.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Why an address cannot be a caller on the public internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Special {
    /// 0.0.0.0/8 and `::`.
    Unspecified,
    /// 127.0.0.0/8 and `::1`.
    Loopback,
    /// RFC 1918, unique local (fc00::/7) and the old site-local (fec0::/10).
    Private,
    /// 169.254.0.0/16 and fe80::/10.
    LinkLocal,
    /// 100.64.0.0/10, between a provider and its customers.
    SharedProvider,
    /// 224.0.0.0/4 and ff00::/8.
    Multicast,
    /// 240.0.0.0/4, broadcast included.
    Reserved,
}

/// The special range that `address` (mapped IPv6 taken as IPv4) lies in, if any. Documentation
/// ranges are not special: see the room's head.
pub fn special(address: IpAddr) -> Option<Special> {
    match address.to_canonical() {
        IpAddr::V4(v4) => special_v4(v4),
        IpAddr::V6(v6) => special_v6(v6),
    }
}

fn special_v4(address: Ipv4Addr) -> Option<Special> {
    let [a, b, ..] = address.octets();
    match (a, b) {
        (0, _) => Some(Special::Unspecified),
        (127, _) => Some(Special::Loopback),
        (10, _) | (172, 16..=31) | (192, 168) => Some(Special::Private),
        (169, 254) => Some(Special::LinkLocal),
        (100, 64..=127) => Some(Special::SharedProvider),
        (224..=239, _) => Some(Special::Multicast),
        (240..=255, _) => Some(Special::Reserved),
        _ => None,
    }
}

fn special_v6(address: Ipv6Addr) -> Option<Special> {
    let first = address.segments()[0];
    if address.is_unspecified() {
        Some(Special::Unspecified)
    } else if address.is_loopback() {
        Some(Special::Loopback)
    } else if first & 0xfe00 == 0xfc00 || first & 0xffc0 == 0xfec0 {
        Some(Special::Private)
    } else if first & 0xffc0 == 0xfe80 {
        Some(Special::LinkLocal)
    } else if first & 0xff00 == 0xff00 {
        Some(Special::Multicast)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_range_at_its_edges() {
        let of = |text: &str| special(text.parse().unwrap());
        for (text, want) in [
            ("0.255.255.255", Some(Special::Unspecified)),
            ("1.0.0.0", None),
            ("100.63.255.255", None),
            ("100.64.0.0", Some(Special::SharedProvider)),
            ("100.127.255.255", Some(Special::SharedProvider)),
            ("100.128.0.0", None),
            ("172.15.255.255", None),
            ("172.31.255.255", Some(Special::Private)),
            ("172.32.0.0", None),
            ("192.0.2.1", None),
            ("223.255.255.255", None),
            ("239.1.1.1", Some(Special::Multicast)),
            ("255.255.255.255", Some(Special::Reserved)),
            ("::ffff:10.1.2.3", Some(Special::Private)),
            ("::", Some(Special::Unspecified)),
            ("::1", Some(Special::Loopback)),
            ("fbff::1", None),
            ("fde4:8dba::1", Some(Special::Private)),
            ("fe80::1", Some(Special::LinkLocal)),
            ("fec0::1", Some(Special::Private)),
            ("ff02::1", Some(Special::Multicast)),
            ("2001:db8::1", None),
        ] {
            assert_eq!(of(text), want, "{text}");
        }
    }
}

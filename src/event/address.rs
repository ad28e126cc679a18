//! Caller addresses in every form the logs have.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// An IPv4 or IPv6 address, alone, with a port (`ip:port`, `[v6]:port`), in brackets, or with a
/// zone. IPv4-mapped IPv6 folds to IPv4. `None` for anything else.
pub(super) fn parse(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse::<Ipv4Addr>() {
        return Some(IpAddr::V4(ip));
    }
    if text.len() > 128 {
        return None;
    }
    let ip = text.parse::<IpAddr>().ok().or_else(|| with_port_or_zone(text))?;
    Some(ip.to_canonical())
}

fn with_port_or_zone(text: &str) -> Option<IpAddr> {
    if let Some(inside) = text.strip_prefix('[') {
        let (ip, port) = inside.split_once(']')?;
        if !(port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) {
            return None;
        }
        return v6(ip).map(IpAddr::V6);
    }
    if text.contains('%') {
        return v6(text).map(IpAddr::V6);
    }
    match text.parse::<SocketAddr>() {
        Ok(socket) => Some(socket.ip()),
        Err(_) => None,
    }
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok()
}

fn v6(text: &str) -> Option<Ipv6Addr> {
    let (ip, zone) = text.split_once('%').unwrap_or((text, ""));
    // A zone is an interface's name: short and printable.
    (zone.len() <= 32 && zone.bytes().all(|b| b.is_ascii_graphic()))
        .then(|| ip.parse().ok())
        .flatten()
}

/// Not reachable over the internet: private, loopback, link-local, carrier-grade NAT, unique
/// local (the form in which virtual-network endpoints show up) or unspecified.
pub(super) fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || (a == 100 && (b & 0xc0) == 64)
        }
        IpAddr::V6(ip) => {
            let first = ip.segments()[0];
            ip.is_loopback()
                || ip.is_unspecified()
                || (first & 0xfe00) == 0xfc00
                || (first & 0xffc0) == 0xfe80
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address_is_read() {
        for (text, expected) in [
            ("117.216.254.41", Some("117.216.254.41")),
            ("13.92.241.0", Some("13.92.241.0")),
            ("117.216.254.41:51234", Some("117.216.254.41")),
            ("2001:0db8:0000:0000:0000:0000:0000:0001", Some("2001:db8::1")),
            ("[2001:db8::1]:443", Some("2001:db8::1")),
            ("[2001:db8::1]", Some("2001:db8::1")),
            ("fe80::1%eth0", Some("fe80::1")),
            ("[fe80::1%12]:443", Some("fe80::1")),
            ("::ffff:10.0.0.4", Some("10.0.0.4")),
            ("[::ffff:10.0.0.4]:80", Some("10.0.0.4")),
            ("0:0:0:0:0:ffff:0a00:0004", Some("10.0.0.4")),
            ("", None),
            ("<Redacted>", None),
            ("1.2.3", None),
            ("1.2.3.256", None),
            ("1.2.3.4:99999", None),
            ("[2001:db8::1", None),
            ("[2001:db8::1]x", None),
            ("%", None),
        ] {
            assert_eq!(parse(text).map(|ip| ip.to_string()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn private_addresses_are_known() {
        for (text, private) in [
            ("10.0.0.24", true),
            ("172.16.0.1", true),
            ("192.168.1.1", true),
            ("100.64.0.1", true),
            ("127.0.0.1", true),
            ("169.254.1.1", true),
            ("fd12::1", true),
            ("fe80::1", true),
            ("20.193.136.102", false),
            ("100.128.0.1", false),
            ("2603:1020::1", false),
        ] {
            assert_eq!(parse(text).map(is_private), Some(private), "{text}");
        }
    }
}

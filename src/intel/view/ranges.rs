//! Prefix lookups over both IP versions in one key space: IPv4 is kept as `::ffff:a.b.c.d`.
use std::net::IpAddr;

use ipnet::IpNet;

/// An address as a key; mapped IPv6 and IPv4 are the same key.
pub(crate) fn key(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// First key and prefix length (in the 128-bit space) of a network.
fn prefix(network: &IpNet) -> (u128, u8) {
    let length = match network {
        IpNet::V4(n) => n.prefix_len().saturating_add(96),
        IpNet::V6(n) => n.prefix_len(),
    };
    (key(network.network()), length)
}

/// Host bits of a prefix length.
fn host_mask(length: u8) -> u128 {
    u128::MAX.checked_shr(u32::from(length)).unwrap_or(0)
}

/// Disjoint sorted ranges: is an address in any of many networks? One binary search.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RangeSet {
    ranges: Vec<(u128, u128)>,
}

impl RangeSet {
    /// The union of `networks`.
    pub(crate) fn new<'a>(networks: impl IntoIterator<Item = &'a IpNet>) -> RangeSet {
        let mut spans: Vec<(u128, u128)> = networks
            .into_iter()
            .map(|network| {
                let (first, length) = prefix(network);
                (first, first | host_mask(length))
            })
            .collect();
        spans.sort_unstable();
        let mut ranges: Vec<(u128, u128)> = Vec::new();
        for (first, last) in spans {
            match ranges.last_mut() {
                Some(open) if first <= open.1.saturating_add(1) => open.1 = open.1.max(last),
                _ => ranges.push((first, last)),
            }
        }
        RangeSet { ranges }
    }

    /// Whether `key` lies in the union.
    pub(crate) fn contains(&self, key: u128) -> bool {
        let after = self.ranges.partition_point(|(first, _)| *first <= key);
        after.checked_sub(1).and_then(|at| self.ranges.get(at)).is_some_and(|r| key <= r.1)
    }
}

/// Values by network: every network that covers an address, the narrowest first. One binary
/// search for each prefix length in use.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct PrefixTable {
    /// (prefix length, sorted (first key, value)), longest prefix first.
    lengths: Vec<(u8, Vec<(u128, u32)>)>,
}

impl PrefixTable {
    /// A table of (network, value); several values for one network are kept.
    pub(crate) fn new<'a>(entries: impl IntoIterator<Item = (&'a IpNet, u32)>) -> PrefixTable {
        let mut rows: Vec<(u8, u128, u32)> = entries
            .into_iter()
            .map(|(network, value)| {
                let (first, length) = prefix(network);
                (u8::MAX - length, first, value)
            })
            .collect();
        rows.sort_unstable();
        rows.dedup();
        let mut lengths: Vec<(u8, Vec<(u128, u32)>)> = Vec::new();
        for (inverse, first, value) in rows {
            let length = u8::MAX - inverse;
            match lengths.last_mut() {
                Some((l, rows)) if *l == length => rows.push((first, value)),
                _ => lengths.push((length, vec![(first, value)])),
            }
        }
        PrefixTable { lengths }
    }

    /// Values of all networks that cover `key`, narrowest network first, ascending within one.
    pub(crate) fn covering(&self, key: u128) -> impl Iterator<Item = u32> + '_ {
        self.lengths.iter().flat_map(move |(length, rows)| {
            let first = key & !host_mask(*length);
            let from = rows.partition_point(|(k, _)| *k < first);
            rows.iter().skip(from).take_while(move |(k, _)| *k == first).map(|(_, v)| *v)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn net(text: &str) -> IpNet {
        text.parse().unwrap()
    }
    fn at(text: &str) -> u128 {
        key(text.parse().unwrap())
    }

    #[test]
    fn ranges_join_and_answer_at_their_edges() {
        let nets = [net("10.0.0.0/25"), net("10.0.0.128/25"), net("2001:db8::/32")];
        let set = RangeSet::new(&nets);
        assert_eq!(set.ranges.len(), 2);
        assert!(set.contains(at("10.0.0.0")) && set.contains(at("10.0.0.255")));
        assert!(!set.contains(at("10.0.1.0")) && !set.contains(at("9.255.255.255")));
        assert!(set.contains(at("::ffff:10.0.0.7")));
        assert!(set.contains(at("2001:db8:ffff::1")) && !set.contains(at("2001:db9::")));
        assert!(RangeSet::new(&[net("::/0")]).contains(u128::MAX));
    }

    #[test]
    fn the_narrowest_network_comes_first() {
        let nets = [net("0.0.0.0/0"), net("10.0.0.0/8"), net("10.1.2.3/32"), net("10.1.2.3/32")];
        let table = PrefixTable::new(nets.iter().zip(0u32..));
        assert_eq!(table.covering(at("10.1.2.3")).collect::<Vec<_>>(), [2, 3, 1, 0]);
        assert_eq!(table.covering(at("11.1.2.3")).collect::<Vec<_>>(), [0]);
        assert_eq!(table.covering(at("2001:db8::")).count(), 0);
    }

    proptest! {
        #[test]
        fn both_answer_as_a_plain_scan_does(
            nets in prop::collection::vec((0u32..64, 26u8..=32), 1..40),
            address in 0u32..64,
        ) {
            let nets: Vec<IpNet> = nets
                .iter()
                .map(|(a, l)| IpNet::new(IpAddr::from(a.to_be_bytes()), *l).unwrap().trunc())
                .collect();
            let ip = IpAddr::from(address.to_be_bytes());
            let scan = nets.iter().filter(|n| n.contains(&ip)).count();
            let table = PrefixTable::new(nets.iter().zip(0u32..));
            prop_assert_eq!(table.covering(key(ip)).count(), scan);
            prop_assert_eq!(RangeSet::new(&nets).contains(key(ip)), scan > 0);
        }
    }
}

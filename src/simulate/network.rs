//! Whose address is it: public blocks of real operators, so that country and network lookups
//! answer for simulated callers as they would for real ones.
use std::net::Ipv4Addr;

use super::draw::Draw;

/// A block of addresses of one operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Block {
    /// ISO country.
    pub(crate) country: &'static str,
    /// Autonomous system.
    pub(crate) asn: u32,
    /// Network and prefix length.
    net: [u8; 4],
    prefix: u8,
    /// Azure region's display name, or empty.
    pub(crate) region: &'static str,
}

impl Block {
    fn holds(&self, ip: Ipv4Addr) -> bool {
        (u32::from(ip) ^ u32::from(Ipv4Addr::from(self.net))) >> (32 - u32::from(self.prefix)) == 0
    }
    /// An address inside the block, never the first or last of a /24.
    pub(crate) fn address(&self, draw: &mut Draw) -> Ipv4Addr {
        let host = (draw.bits() as u32) & (u32::MAX >> self.prefix);
        let raw = (u32::from(Ipv4Addr::from(self.net)) | host) & !0xff;
        Ipv4Addr::from(raw | (4 + draw.below(247) as u32))
    }
}

const fn home(country: &'static str, asn: u32, net: [u8; 4], prefix: u8) -> Block {
    Block { country, asn, net, prefix, region: "" }
}
const fn host(country: &'static str, asn: u32, net: [u8; 4], prefix: u8) -> Block {
    Block { country, asn, net, prefix, region: "" }
}
const fn azure(country: &'static str, region: &'static str, net: [u8; 4], prefix: u8) -> Block {
    Block { country, asn: 8075, net, prefix, region }
}

/// Blocks of access networks: where people sit.
pub(crate) const HOMES: &[Block] = &[
    home("NL", 1136, [86, 84, 0, 0], 15),
    home("NL", 33915, [213, 93, 0, 0], 16),
    home("DE", 3320, [87, 140, 0, 0], 15),
    home("DE", 3320, [91, 12, 0, 0], 15),
    home("DE", 3209, [92, 72, 0, 0], 15),
    home("US", 7922, [73, 158, 0, 0], 15),
    home("US", 7922, [24, 6, 0, 0], 16),
    home("US", 701, [96, 232, 0, 0], 16),
    home("US", 7018, [99, 110, 0, 0], 16),
    home("IN", 55836, [49, 36, 0, 0], 16),
    home("IN", 9829, [117, 216, 0, 0], 16),
    home("IN", 24560, [122, 161, 0, 0], 16),
    home("GB", 2856, [86, 144, 0, 0], 14),
    home("GB", 5089, [82, 20, 0, 0], 16),
    home("GB", 5607, [90, 196, 0, 0], 15),
    home("FR", 3215, [90, 32, 0, 0], 14),
    home("FR", 12322, [82, 64, 0, 0], 15),
    home("JP", 17676, [126, 77, 0, 0], 16),
    home("JP", 2516, [106, 150, 0, 0], 16),
    home("BR", 28573, [189, 60, 0, 0], 16),
    home("BR", 18881, [177, 40, 0, 0], 16),
    home("CA", 812, [99, 232, 0, 0], 15),
    home("CA", 577, [70, 26, 0, 0], 16),
    home("AU", 1221, [58, 166, 0, 0], 16),
    home("ES", 3352, [88, 8, 0, 0], 15),
    home("IT", 3269, [79, 20, 0, 0], 15),
    home("PL", 5617, [83, 8, 0, 0], 15),
    home("SE", 3301, [81, 228, 0, 0], 16),
    home("IE", 5466, [86, 41, 0, 0], 16),
    home("RO", 8708, [86, 122, 0, 0], 16),
    home("CH", 3303, [85, 2, 0, 0], 16),
];

/// Access networks of countries that no simulated customer works from: where a stolen key turns
/// up.
pub(crate) const FAR: &[Block] = &[
    home("VN", 7552, [171, 244, 0, 0], 16),
    home("VN", 45899, [14, 169, 0, 0], 16),
    home("NG", 29465, [197, 210, 0, 0], 16),
    home("TR", 9121, [88, 235, 0, 0], 16),
    home("RU", 8402, [95, 28, 0, 0], 15),
    home("CN", 4134, [113, 88, 0, 0], 15),
    home("ID", 7713, [36, 78, 0, 0], 15),
    home("KR", 4766, [121, 140, 0, 0], 15),
    home("MX", 8151, [189, 146, 0, 0], 16),
    home("UA", 15895, [46, 211, 0, 0], 16),
];

/// Rented servers.
pub(crate) const HOSTING: &[Block] = &[
    host("US", 14061, [167, 99, 0, 0], 16),
    host("NL", 14061, [188, 166, 0, 0], 17),
    host("DE", 24940, [138, 201, 0, 0], 16),
    host("DE", 24940, [144, 76, 0, 0], 16),
    host("FI", 24940, [95, 216, 0, 0], 16),
    host("FR", 16276, [51, 68, 0, 0], 17),
    host("FR", 16276, [54, 36, 0, 0], 16),
    host("FR", 16276, [137, 74, 0, 0], 16),
    host("US", 16509, [54, 160, 0, 0], 14),
    host("GB", 16509, [35, 176, 0, 0], 15),
    host("DE", 16509, [18, 184, 0, 0], 15),
    host("IE", 16509, [52, 16, 0, 0], 15),
    host("IN", 16509, [13, 232, 0, 0], 15),
    host("JP", 16509, [13, 112, 0, 0], 15),
    host("US", 20473, [108, 61, 0, 0], 16),
    host("US", 63949, [45, 33, 0, 0], 17),
    host("SG", 63949, [139, 162, 0, 0], 18),
];

/// Azure by region.
pub(crate) const AZURE: &[Block] = &[
    azure("NL", "West Europe", [13, 80, 0, 0], 15),
    azure("NL", "West Europe", [52, 174, 0, 0], 16),
    azure("IE", "North Europe", [52, 164, 0, 0], 16),
    azure("IE", "North Europe", [13, 74, 0, 0], 16),
    azure("US", "East US", [52, 168, 0, 0], 16),
    azure("US", "East US", [40, 71, 0, 0], 16),
    azure("US", "East US 2", [52, 177, 0, 0], 16),
    azure("US", "Central US", [52, 173, 0, 0], 16),
    azure("US", "West US 2", [52, 183, 0, 0], 17),
    azure("GB", "UK South", [51, 140, 0, 0], 17),
    azure("FR", "France Central", [40, 89, 128, 0], 18),
    azure("IN", "Central India", [52, 172, 128, 0], 17),
    azure("IN", "South India", [52, 172, 0, 0], 17),
    azure("SG", "Southeast Asia", [13, 76, 0, 0], 16),
    azure("JP", "Japan East", [13, 78, 0, 0], 17),
    azure("BR", "Brazil South", [104, 41, 0, 0], 18),
];

/// Blocks of well-known Tor exit operators (their addresses have been exits for years).
const TOR: &[[u8; 3]] = &[
    [185, 220, 101],
    [185, 220, 102],
    [171, 25, 193],
    [199, 249, 230],
    [23, 129, 64],
    [192, 42, 116],
    [109, 70, 100],
];

/// An address of a Tor exit operator.
pub(crate) fn tor(draw: &mut Draw) -> Ipv4Addr {
    let [a, b, c] = *draw.pick(TOR);
    Ipv4Addr::new(a, b, c, 4 + draw.below(247) as u8)
}

/// Any block of `blocks` in `country`, else any.
pub(crate) fn in_country(blocks: &'static [Block], country: &str, draw: &mut Draw) -> Block {
    let fitting: Vec<&Block> = blocks.iter().filter(|b| b.country == country).collect();
    if fitting.is_empty() { *draw.pick(blocks) } else { **draw.pick(&fitting) }
}

/// Any Azure block of `region`, else any.
pub(crate) fn in_region(region: &str, draw: &mut Draw) -> Block {
    let fitting: Vec<&Block> = AZURE.iter().filter(|b| b.region == region).collect();
    if fitting.is_empty() { *draw.pick(AZURE) } else { **draw.pick(&fitting) }
}

/// An address of a private subnet `10.x.y.0/24`.
pub(crate) fn private(subnet: u16, draw: &mut Draw) -> Ipv4Addr {
    let [high, low] = subnet.to_be_bytes();
    Ipv4Addr::new(10, high, low, 4 + draw.below(247) as u8)
}

/// Operator and country of an address drawn here (`AS14061 NL`), for labels.
pub(crate) fn describe(ip: Ipv4Addr) -> String {
    let block = [HOMES, FAR, HOSTING, AZURE].into_iter().flatten().find(|b| b.holds(ip));
    match block {
        Some(b) => format!("AS{} {}", b.asn, b.country),
        None if ip.is_private() => "private".to_owned(),
        None => "Tor".to_owned(),
    }
}

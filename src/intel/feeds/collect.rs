//! What every parser fills: entries, and counts of what was left out.
use std::net::IpAddr;

use ipnet::IpNet;

use crate::intel::view::{ListEntry, Special, special};
use crate::limits;
use crate::time::Timestamp;

/// Narrowest prefix that a feed may list: a wider one is a mistake, or the whole internet.
const V4_PREFIX_MIN: u8 = 8;
/// The same for IPv6.
const V6_PREFIX_MIN: u8 = 16;

/// Entries that a sound feed holds but that are not used, by reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dropped {
    /// Inside a private, loopback, link-local or shared-provider range, or holding one.
    pub private: u64,
    /// Unspecified, multicast or reserved.
    pub reserved: u64,
    /// Wider than /8 (IPv4) or /16 (IPv6).
    pub too_wide: u64,
    /// Revoked by the feed itself, or superseded by a newer version of the same indicator.
    pub revoked: u64,
    /// Of another kind than addresses, or of a form that an address alone cannot answer.
    pub unsupported: u64,
}

impl Dropped {
    /// All of them.
    pub fn total(&self) -> u64 {
        [self.private, self.reserved, self.too_wide, self.revoked, self.unsupported]
            .iter()
            .fold(0, |sum, n| sum.saturating_add(*n))
    }
}

/// What one feed holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parsed {
    /// Entries, sorted; windows of one network that touch are joined.
    pub entries: Vec<ListEntry>,
    /// What was left out.
    pub dropped: Dropped,
    /// The newest moment that the feed itself mentions as past: of an entry, or of the list.
    pub newest: Option<Timestamp>,
}

impl Parsed {
    /// Entries are sorted and distinct, and none lies in a range that no feed may list.
    pub(crate) fn is_sound(&self) -> bool {
        self.entries.windows(2).all(|pair| matches!(pair, [a, b] if a < b))
            && self.entries.iter().all(|entry| unusable(&entry.network).is_none())
    }
}

/// Why a feed is refused, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

impl ParseError {
    pub(crate) fn at(line: usize, reason: impl Into<String>) -> ParseError {
        ParseError { line, reason: reason.into() }
    }
    /// What serde_json says, and where.
    pub(crate) fn json(error: &serde_json::Error) -> ParseError {
        ParseError::at(error.line().max(1), error.to_string())
    }
}

/// When an entry is valid, and how sure the feed is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Validity {
    pub(crate) since: Option<Timestamp>,
    pub(crate) until: Option<Timestamp>,
    pub(crate) confidence: Option<u8>,
}

/// Gathers entries, checks each, and ends in a [`Parsed`].
#[derive(Debug, Default)]
pub(crate) struct Collector {
    parsed: Parsed,
}

impl Collector {
    /// Adds one network as listed at `line`.
    pub(crate) fn add(
        &mut self,
        line: usize,
        network: IpNet,
        validity: Validity,
    ) -> Result<(), ParseError> {
        let network = unmapped(network).trunc();
        match unusable(&network) {
            Some(Unusable::Private) => self.parsed.dropped.private += 1,
            Some(Unusable::Reserved) => self.parsed.dropped.reserved += 1,
            Some(Unusable::TooWide) => self.parsed.dropped.too_wide += 1,
            None if self.parsed.entries.len() >= limits::FEED_ENTRIES_MAX => {
                let most = limits::FEED_ENTRIES_MAX;
                return Err(ParseError::at(line, format!("more than {most} entries; split it")));
            }
            None => self.parsed.entries.push(ListEntry {
                network,
                since: validity.since,
                until: validity.until,
                confidence: validity.confidence,
            }),
        }
        Ok(())
    }

    /// The feed mentions a past moment.
    pub(crate) fn saw(&mut self, moment: Option<Timestamp>) {
        self.parsed.newest = self.parsed.newest.max(moment);
    }

    /// Counts an item that the feed itself takes back.
    pub(crate) fn revoked(&mut self) {
        self.parsed.dropped.revoked += 1;
    }

    /// Counts an item that is not about addresses alone.
    pub(crate) fn unsupported(&mut self) {
        self.parsed.dropped.unsupported += 1;
    }

    /// Sorts, joins and ends.
    pub(crate) fn finish(mut self) -> Parsed {
        self.parsed.entries = joined(std::mem::take(&mut self.parsed.entries));
        self.parsed
    }
}

/// Joins entries of the same network and confidence whose windows overlap or touch: one Tor exit
/// address is listed once for every relay that uses it.
fn joined(mut entries: Vec<ListEntry>) -> Vec<ListEntry> {
    entries.sort_unstable_by_key(|e| (e.network, e.confidence, e.since, e.until));
    let mut out: Vec<ListEntry> = Vec::with_capacity(entries.len());
    for entry in entries {
        let open = out.last_mut().filter(|open| {
            let same = (open.network, open.confidence) == (entry.network, entry.confidence);
            same && open.until.is_none_or(|until| entry.since.is_none_or(|since| since <= until))
        });
        match open {
            Some(open) => {
                open.until = match (open.until, entry.until) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                }
            }
            None => out.push(entry),
        }
    }
    out.sort_unstable();
    // A window that ends before it begins joins with nothing, not even with its own copy.
    out.dedup();
    out
}

/// `::ffff:a.b.c.d/n` as the IPv4 network that it is.
fn unmapped(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else { return network };
    let length = six.prefix_len().checked_sub(96);
    match (six.addr().to_ipv4_mapped(), length) {
        (Some(four), Some(length)) => IpNet::new(IpAddr::V4(four), length).unwrap_or(network),
        _ => network,
    }
}

enum Unusable {
    Private,
    Reserved,
    TooWide,
}

fn unusable(network: &IpNet) -> Option<Unusable> {
    let least = if matches!(network, IpNet::V4(_)) { V4_PREFIX_MIN } else { V6_PREFIX_MIN };
    // An IPv6 network that holds the mapped range would list all of IPv4.
    let mapped = IpAddr::from([0u16, 0, 0, 0, 0, 0xffff, 0, 0]);
    if network.prefix_len() < least || network.contains(&mapped) {
        return Some(Unusable::TooWide);
    }
    let inside = special(network.network()).or_else(|| special(network.broadcast()));
    match inside.or_else(|| holds_special(network))? {
        Special::Private | Special::Loopback | Special::LinkLocal | Special::SharedProvider => {
            Some(Unusable::Private)
        }
        Special::Unspecified | Special::Multicast | Special::Reserved => Some(Unusable::Reserved),
    }
}

/// A special range that lies strictly inside `network`: `172.0.0.0/8` holds 172.16.0.0/12.
fn holds_special(network: &IpNet) -> Option<Special> {
    const INNER: [[u8; 4]; 4] =
        [[172, 16, 0, 0], [192, 168, 0, 0], [169, 254, 0, 0], [100, 64, 0, 0]];
    let inner = INNER.into_iter().map(IpAddr::from).find(|first| network.contains(first))?;
    special(inner)
}

/// An address or a CIDR.
pub(crate) fn parse_network(text: &str) -> Option<IpNet> {
    match text.parse::<IpNet>() {
        Ok(network) => Some(network),
        Err(_) => text.parse::<IpAddr>().ok().map(IpNet::from),
    }
}

/// Text of a feed in UTF-8, without a byte-order mark.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, ParseError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let good = bytes.get(..e.valid_up_to()).unwrap_or_default();
        let line = good.iter().filter(|b| **b == b'\n').count() + 1;
        ParseError::at(line, "not text in UTF-8")
    })?;
    if text.trim().is_empty() {
        return Err(ParseError::at(1, "the feed is empty"));
    }
    Ok(text)
}

/// A few characters of `text` for a message, without control characters.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(40).flat_map(char::escape_debug).collect()
}

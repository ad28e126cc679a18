//! Immutable lookups: country, ASN, class, Tor and threat lists, valid in event time.
use std::net::IpAddr;

use crate::ids::Text;
use crate::time::Timestamp;

/// What an address is, in the order in which `DETECTION.md` §1 asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressClass {
    /// No address, private, loopback or otherwise not routable: private or service endpoint.
    Private,
    /// Inside Azure (AS 8075 and, where given, service tags).
    Azure,
    /// Another cloud or hosting provider.
    Hosting,
    /// A network or ASN the operator trusts.
    Trusted,
    /// None of these.
    Residential,
}

impl AddressClass {
    /// Lower-case word for output.
    pub fn as_str(self) -> &'static str {
        match self {
            AddressClass::Private => "private",
            AddressClass::Azure => "azure",
            AddressClass::Hosting => "hosting",
            AddressClass::Trusted => "trusted",
            AddressClass::Residential => "residential",
        }
    }
}

/// Country code, two upper-case ASCII letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Country(pub [u8; 2]);

impl Country {
    /// `"nl"` or `"NL"` → NL.
    pub fn parse(text: &str) -> Option<Country> {
        match text.as_bytes() {
            [a, b] if a.is_ascii_alphabetic() && b.is_ascii_alphabetic() => {
                Some(Country([a.to_ascii_uppercase(), b.to_ascii_uppercase()]))
            }
            _ => None,
        }
    }
    /// The two letters.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or("??")
    }
}
impl std::fmt::Debug for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
impl std::fmt::Display for Country {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is known of an address regardless of time. Cheap to clone.
#[derive(Clone, Debug, PartialEq)]
pub struct AddressInfo {
    /// Class, first match.
    pub class: AddressClass,
    /// Country; for Azure the region's country.
    pub country: Option<Country>,
    /// Autonomous system number.
    pub asn: Option<u32>,
    /// Organisation of the AS; empty if unknown.
    pub organisation: Text,
    /// City, when the database has it.
    pub city: Option<Text>,
    /// Azure region (`westeurope`) when service tags are loaded and match.
    pub azure_region: Option<Text>,
    /// The address stands in some list at some time: [`IntelView::hits`] is worth asking.
    pub listed_ever: bool,
}

/// Tor exit or threat list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ListKind {
    /// A Tor exit node.
    TorExit,
    /// A threat list.
    Threat,
}

/// One entry that covers an address at a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct ListHit {
    /// Which kind of list.
    pub kind: ListKind,
    /// The feed's name (file stem or configured name).
    pub feed: Text,
    /// The entry as listed (address or CIDR).
    pub entry: Text,
    /// When the entry became valid, if the feed says so.
    pub since: Option<Timestamp>,
    /// Until when it is valid, if the feed says so.
    pub until: Option<Timestamp>,
    /// The feed's confidence 0–100, if it has one.
    pub confidence: Option<u8>,
}

/// All lookups, immutable; swapped whole when a feed changes.
#[derive(Debug, Default)]
pub struct IntelView {}

impl IntelView {
    /// What is known of `address` regardless of time. Pure, allocation only for text that is
    /// shared. Callers cache it per address.
    pub fn describe(&self, _address: Option<IpAddr>) -> AddressInfo {
        AddressInfo {
            class: AddressClass::Private,
            country: None,
            asn: None,
            organisation: Text::from(""),
            city: None,
            azure_region: None,
            listed_ever: false,
        }
    }
    /// Entries that cover `address` at `at`, Tor first, then by feed name and entry.
    pub fn hits(&self, _address: IpAddr, _at: Timestamp) -> Vec<ListHit> {
        Vec::new()
    }
}

//! Immutable lookups: country, ASN, class, Tor and threat lists, valid in event time.
//!
//! No file, no lock, no clock: a view is built once from bytes and swapped whole when something
//! changes. Documentation ranges (192.0.2.0/24, 2001:db8::/32 …) are treated like any public
//! address without an owner: residential, no country. Nothing in the wild comes from them, and
//! drills and examples do.
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use crate::ids::Text;
use crate::time::Timestamp;

mod azure;
mod builder;
mod database;
mod ranges;
mod special;
mod tables;

pub use builder::{IntelError, IntelViewBuilder};
pub use special::{Special, special};
pub use tables::{BaseManifest, BaseSource, HostingKind, base_manifest};

use azure::{AzureRanges, Region};
use database::Database;
use ranges::{PrefixTable, RangeSet, key};

/// What an address is. The first of these that fits: private, trusted, Azure, hosting,
/// residential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum AddressClass {
    /// No address, private, loopback or otherwise not routable: private or service endpoint.
    Private,
    /// Inside Azure (its AS numbers, service tags where given, the portal's middleware).
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

impl ListKind {
    /// Word for output.
    pub fn as_str(self) -> &'static str {
        match self {
            ListKind::TorExit => "tor exits",
            ListKind::Threat => "threats",
        }
    }
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

/// One entry of a list: who, and from when to when.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListEntry {
    /// Address or CIDR.
    pub network: IpNet,
    /// Valid from this moment on (inclusive); `None`: always was.
    pub since: Option<Timestamp>,
    /// Valid until this moment (exclusive); `None`: still is.
    pub until: Option<Timestamp>,
    /// The feed's confidence 0–100, if it has one.
    pub confidence: Option<u8>,
}

impl ListEntry {
    /// Whether the entry is valid at `at`: since ≤ at < until.
    pub fn valid_at(&self, at: Timestamp) -> bool {
        self.since.is_none_or(|since| since <= at) && self.until.is_none_or(|until| at < until)
    }
}

/// A Tor or threat list, parsed.
#[derive(Clone, Debug, PartialEq)]
pub struct List {
    /// The feed's name.
    pub name: Text,
    /// What being listed means.
    pub kind: ListKind,
    /// Its entries.
    pub entries: Vec<ListEntry>,
}

/// A list inside the view: its entries lie in one common vector.
#[derive(Clone, Debug)]
struct ListMeta {
    name: Text,
    kind: ListKind,
}

/// All lookups, immutable; swapped whole when a feed changes.
#[derive(Debug, Default)]
pub struct IntelView {
    /// In order of precedence: a field comes from the first database that has it.
    databases: Vec<Arc<Database>>,
    azure: AzureRanges,
    azure_asns: Vec<u32>,
    portal: RangeSet,
    hosting: std::collections::BTreeMap<u32, HostingKind>,
    trusted: RangeSet,
    trusted_asns: std::collections::BTreeSet<u32>,
    /// Sorted by kind and name: the order in which hits are told.
    lists: Vec<ListMeta>,
    /// (list, entry), sorted.
    entries: Vec<(u32, ListEntry)>,
    entry_table: PrefixTable,
    listed: RangeSet,
    no_organisation: Option<Text>,
}

/// What the databases say of an address, the first that knows wins.
#[derive(Default)]
struct Known<'a> {
    country: Option<Country>,
    asn: Option<u32>,
    organisation: Option<&'a str>,
    city: Option<&'a str>,
    coordinates: Option<(f64, f64)>,
}

impl IntelView {
    /// Knows private ranges and nothing else. Costs nothing to make.
    pub fn empty() -> IntelView {
        IntelView::default()
    }

    /// The shipped database and tables, no lists.
    pub fn embedded() -> Result<IntelView, IntelError> {
        IntelView::builder().build()
    }

    /// A view of the shipped database and tables and what is added to them.
    pub fn builder() -> IntelViewBuilder {
        IntelViewBuilder::default()
    }

    /// What is known of `address` regardless of time. Pure, allocation only for text that is
    /// shared. Callers cache it per address.
    pub fn describe(&self, address: Option<IpAddr>) -> AddressInfo {
        let Some(address) = address.map(|a| a.to_canonical()) else {
            return self.private();
        };
        if special(address).is_some() {
            return self.private();
        }
        let key = key(address);
        let known = self.known(address);
        let azure = self.azure_of(key, known.asn);
        let class = self.class_of(key, known.asn, azure.is_some());
        let region = azure.flatten();
        AddressInfo {
            class,
            country: region.and_then(|r| r.country).or(known.country),
            asn: known.asn,
            organisation: known.organisation.map_or_else(|| self.nothing(), Text::from),
            city: known.city.map(Text::from),
            azure_region: region.map(|r| r.name.clone()),
            listed_ever: self.listed.contains(key),
        }
    }

    /// Latitude and longitude in degrees, when a database has them.
    pub fn coordinates(&self, address: IpAddr) -> Option<(f64, f64)> {
        self.known(address.to_canonical()).coordinates
    }

    /// What kind of hosting an AS does, when it does.
    pub fn hosting_kind(&self, asn: u32) -> Option<HostingKind> {
        self.hosting.get(&asn).copied()
    }

    /// Entries that cover `address` at `at`, Tor first, then by feed name and entry.
    pub fn hits(&self, address: IpAddr, at: Timestamp) -> Vec<ListHit> {
        let key = key(address.to_canonical());
        if !self.listed.contains(key) {
            return Vec::new();
        }
        let mut places: Vec<u32> = self.entry_table.covering(key).collect();
        // Entries lie sorted by list and network, and lists by kind and name.
        places.sort_unstable();
        places
            .into_iter()
            .filter_map(|place| self.entries.get(place as usize))
            .filter(|(_, entry)| entry.valid_at(at))
            .filter_map(|(list, entry)| Some(hit(self.lists.get(*list as usize)?, entry)))
            .collect()
    }

    fn private(&self) -> AddressInfo {
        AddressInfo {
            class: AddressClass::Private,
            country: None,
            asn: None,
            organisation: self.nothing(),
            city: None,
            azure_region: None,
            listed_ever: false,
        }
    }

    fn nothing(&self) -> Text {
        self.no_organisation.clone().unwrap_or_else(|| Text::from(""))
    }

    fn known(&self, address: IpAddr) -> Known<'_> {
        let mut known = Known::default();
        for database in &self.databases {
            let Some(record) = database.lookup(address) else { continue };
            let country = record.country.or(record.registered_country);
            // A city of one database under the country of another could contradict it.
            if known.country.is_none() {
                known.city = known.city.or(record.city);
                known.coordinates = known.coordinates.or(record.coordinates);
            }
            known.country = known.country.or(country);
            // Number and name of an AS belong together.
            if known.asn.is_none() && record.asn.is_some_and(|asn| asn != 0) {
                known.asn = record.asn;
                known.organisation = record.organisation;
            }
        }
        known
    }

    /// `Some` if the address is Azure's, with the region where service tags give one.
    fn azure_of(&self, key: u128, asn: Option<u32>) -> Option<Option<&Region>> {
        let by_tag = self.azure.find(key);
        let by_asn = asn.is_some_and(|asn| self.azure_asns.binary_search(&asn).is_ok());
        by_tag.or_else(|| (by_asn || self.portal.contains(key)).then_some(None))
    }

    fn class_of(&self, key: u128, asn: Option<u32>, azure: bool) -> AddressClass {
        if self.trusted.contains(key) || asn.is_some_and(|a| self.trusted_asns.contains(&a)) {
            AddressClass::Trusted
        } else if azure {
            AddressClass::Azure
        } else if asn.is_some_and(|a| self.hosting.contains_key(&a)) {
            AddressClass::Hosting
        } else {
            AddressClass::Residential
        }
    }
}

fn hit(list: &ListMeta, entry: &ListEntry) -> ListHit {
    ListHit {
        kind: list.kind,
        feed: list.name.clone(),
        entry: Text::from(entry_text(&entry.network)),
        since: entry.since,
        until: entry.until,
        confidence: entry.confidence,
    }
}

/// An address without its full-length prefix, a network with it.
fn entry_text(network: &IpNet) -> String {
    if network.prefix_len() == network.max_prefix_len() {
        network.addr().to_string()
    } else {
        network.to_string()
    }
}

#[cfg(test)]
mod tests;

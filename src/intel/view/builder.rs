//! Building a view: everything that can fail happens here, so that lookups cannot.
use std::collections::BTreeSet;
use std::sync::Arc;

use ipnet::IpNet;

use super::azure::AzureRanges;
use super::database::Database;
use super::ranges::{PrefixTable, RangeSet};
use super::{IntelView, List, ListEntry, ListMeta, tables};
use crate::ids::Text;

/// Why a view cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntelError {
    /// A database is not in MaxMind's format, or damaged.
    #[error("address database `{name}` cannot be read: {reason}")]
    Database {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// The service tags are not what Azure publishes.
    #[error("service tags cannot be read: {reason}; give the file that Azure publishes, unchanged")]
    ServiceTags {
        /// Why.
        reason: String,
    },
    /// A shipped table is damaged.
    #[error("shipped table `{table}` cannot be read: {reason}")]
    Table {
        /// Which.
        table: String,
        /// Why.
        reason: String,
    },
    /// More list entries than can be numbered.
    #[error("the lists hold more than {} entries together; give fewer lists", u32::MAX)]
    TooManyEntries,
}

/// Collects what a view is made of. The shipped database answers where no given one does.
#[derive(Debug, Default)]
pub struct IntelViewBuilder {
    databases: Vec<(String, Vec<u8>)>,
    service_tags: Vec<Vec<u8>>,
    lists: Vec<List>,
    trusted: Vec<IpNet>,
    trusted_asns: BTreeSet<u32>,
}

impl IntelViewBuilder {
    /// Adds a database in MaxMind's format; it answers before later ones and before the shipped
    /// one. `name` is for messages.
    #[must_use]
    pub fn database(mut self, name: &str, bytes: Vec<u8>) -> Self {
        self.databases.push((name.to_owned(), bytes));
        self
    }

    /// Adds the JSON of Azure's service tags.
    #[must_use]
    pub fn service_tags(mut self, bytes: Vec<u8>) -> Self {
        self.service_tags.push(bytes);
        self
    }

    /// Adds a Tor or threat list.
    #[must_use]
    pub fn list(mut self, list: List) -> Self {
        self.lists.push(list);
        self
    }

    /// Adds a network that the operator trusts.
    #[must_use]
    pub fn trust_network(mut self, network: IpNet) -> Self {
        self.trusted.push(network);
        self
    }

    /// Adds an AS that the operator trusts.
    #[must_use]
    pub fn trust_asn(mut self, asn: u32) -> Self {
        self.trusted_asns.insert(asn);
        self
    }

    /// Opens, verifies and indexes everything.
    pub fn build(self) -> Result<IntelView, IntelError> {
        let mut databases = Vec::with_capacity(self.databases.len() + 1);
        for (name, bytes) in self.databases {
            databases.push(Arc::new(Database::open(&name, bytes)?));
        }
        databases.push(tables::base()?);
        let (lists, entries) = number_entries(self.lists)?;
        let networks = || entries.iter().map(|(_, entry)| &entry.network);
        Ok(IntelView {
            databases,
            azure: AzureRanges::new(&self.service_tags)?,
            azure_asns: tables::azure_asns()?,
            portal: RangeSet::new(&tables::portal_networks()?),
            hosting: tables::hosting_asns()?,
            trusted: RangeSet::new(&self.trusted),
            trusted_asns: self.trusted_asns,
            entry_table: PrefixTable::new(networks().zip(0u32..)),
            listed: RangeSet::new(networks()),
            lists,
            entries,
            no_organisation: Some(Text::from("")),
        })
    }
}

type Entries = Vec<(u32, ListEntry)>;

/// Lists by kind and name, and all their entries sorted by (list, entry): the order of hits does
/// not depend on the order in which lists were given.
fn number_entries(mut lists: Vec<List>) -> Result<(Vec<ListMeta>, Entries), IntelError> {
    lists.sort_by(|a, b| (a.kind, &a.name, &a.entries).cmp(&(b.kind, &b.name, &b.entries)));
    let total: usize = lists.iter().map(|list| list.entries.len()).sum();
    if u32::try_from(total).is_err() {
        return Err(IntelError::TooManyEntries);
    }
    let mut metas: Vec<ListMeta> = Vec::new();
    let mut entries = Vec::with_capacity(total);
    for (number, list) in (0u32..).zip(lists) {
        metas.push(ListMeta { name: list.name, kind: list.kind });
        entries.extend(list.entries.into_iter().map(|entry| (number, entry)));
    }
    entries.sort_unstable();
    Ok((metas, entries))
}

//! What a time's malformed requests were like, whoever sent them.
use std::net::IpAddr;

use crate::baseline::cell::{Cell, QueryCell, SmallestSet};
use crate::limits;
use crate::time::Timestamp;

/// Hours that a slow campaign is looked back over.
pub const DAY_HOURS: i64 = 24;

/// Malformed requests of some time. Sums, minima and smallest sets: merged in any order they are
/// the same.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused {
    /// How many.
    pub count: u64,
    /// Texts that did not parse.
    pub texts: u64,
    /// The first.
    pub first: Timestamp,
    /// Signs of the texts, as a set.
    pub signs: u32,
    /// Hashes of where and why texts did not parse.
    pub error_places: SmallestSet<u64, { limits::ERROR_PLACES_MAX }>,
    /// Lengths of requests, bytes.
    pub lengths: SmallestSet<u64, { limits::FAILURE_LENGTHS_MAX }>,
    /// Who sent them.
    pub addresses: SmallestSet<IpAddr, { limits::FAILURE_ADDRESSES_MAX }>,
}

/// Malformed requests of one clock hour.
#[derive(Clone, Debug, PartialEq)]
pub struct HourRefused {
    /// Hours since the epoch.
    pub hour: i64,
    /// The requests.
    pub refused: Refused,
}

impl Refused {
    /// Of a cell.
    pub fn of(cell: &Cell, queries: &QueryCell) -> Refused {
        let mut refused = Refused {
            count: queries.malformed,
            texts: 0,
            first: Timestamp::MAX,
            signs: 0,
            error_places: SmallestSet::new(),
            lengths: SmallestSet::new(),
            addresses: SmallestSet::new(),
        };
        for failure in queries.failures() {
            refused.first = refused.first.min(failure.first.0);
            refused.lengths.merge(&failure.lengths);
            if let Some(ip) = cell.caller_of(failure.caller).and_then(|(key, _)| key.ip) {
                refused.addresses.insert(&ip);
            }
        }
        for texts in &queries.failed_texts {
            refused.texts = refused.texts.saturating_add(texts.count);
            refused.signs |= texts.signs;
            refused.error_places.merge(&texts.error_places);
        }
        refused
    }

    /// Adds those of another time.
    pub fn merge(&mut self, other: &Refused) {
        self.count = self.count.saturating_add(other.count);
        self.texts = self.texts.saturating_add(other.texts);
        self.first = self.first.min(other.first);
        self.signs |= other.signs;
        self.error_places.merge(&other.error_places);
        self.lengths.merge(&other.lengths);
        self.addresses.merge(&other.addresses);
    }

    /// Heap bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(self.error_places.as_slice())
            + size_of_val(self.lengths.as_slice())
            + size_of_val(self.addresses.as_slice())
    }

    /// Most heap bytes.
    pub(super) const HEAP_MAX: usize = limits::ERROR_PLACES_MAX * size_of::<u64>()
        + limits::FAILURE_LENGTHS_MAX * size_of::<u64>()
        + limits::FAILURE_ADDRESSES_MAX * size_of::<IpAddr>();
}

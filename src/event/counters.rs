//! What a decoder counts.
use std::collections::BTreeMap;

use crate::event::{Category, RefusalReason};
use crate::ids::Text;

/// Unknown categories counted by name; further names fall into [`DecodeCounters::OTHER_NAMES`].
const UNKNOWN_CATEGORIES_MAX: usize = 64;

/// Counts over all records that one decoder has seen. Decoders of several threads are summed
/// with [`DecodeCounters::add`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecodeCounters {
    /// Records looked at.
    pub records: u64,
    /// Records that became events.
    pub events: u64,
    /// Events by category, in the order of [`Category::ALL`].
    pub by_category: [u64; Category::ALL.len()],
    /// Refused records by reason.
    pub refused: BTreeMap<RefusalReason, u64>,
    /// Well-formed records of categories that this version does not know, by name.
    pub unknown_categories: BTreeMap<Text, u64>,
    /// Well-formed records of resources that are no Cosmos DB account.
    pub other_resources: u64,
    /// Keys that no documented record has: tolerated, but a sign of a changed format.
    pub unknown_keys: u64,
    /// Query texts whose inner JSON was broken and that were kept raw.
    pub raw_query_texts: u64,
    /// Caller addresses that could not be read.
    pub bad_addresses: u64,
    /// Optional numbers that could not be read.
    pub bad_numbers: u64,
}

impl DecodeCounters {
    /// The name under which unknown categories are counted once there are too many.
    pub const OTHER_NAMES: &str = "(other)";

    /// Adds what another decoder counted.
    pub fn add(&mut self, other: &DecodeCounters) {
        self.records += other.records;
        self.events += other.events;
        for (sum, n) in self.by_category.iter_mut().zip(other.by_category) {
            *sum += n;
        }
        for (reason, n) in &other.refused {
            *self.refused.entry(*reason).or_default() += n;
        }
        for (name, n) in &other.unknown_categories {
            self.count_unknown_category(name, *n);
        }
        self.other_resources += other.other_resources;
        self.unknown_keys += other.unknown_keys;
        self.raw_query_texts += other.raw_query_texts;
        self.bad_addresses += other.bad_addresses;
        self.bad_numbers += other.bad_numbers;
    }

    /// All refused records.
    pub fn refused_total(&self) -> u64 {
        self.refused.values().sum()
    }

    pub(super) fn count_unknown_category(&mut self, name: &Text, n: u64) {
        let known = self.unknown_categories.contains_key(name);
        let others = usize::from(self.unknown_categories.contains_key(Self::OTHER_NAMES));
        let full = self.unknown_categories.len() - others >= UNKNOWN_CATEGORIES_MAX;
        let name = if full && !known { Text::from(Self::OTHER_NAMES) } else { name.clone() };
        *self.unknown_categories.entry(name).or_default() += n;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_unknown_categories_are_bounded_and_sums_agree() {
        let mut one = DecodeCounters::default();
        for i in 0..1000 {
            one.count_unknown_category(&Text::from(format!("c{i}")), 1);
        }
        assert_eq!(one.unknown_categories.len(), UNKNOWN_CATEGORIES_MAX + 1);
        assert_eq!(one.unknown_categories.values().sum::<u64>(), 1000);
        one.records = 5;
        one.by_category[2] = 7;
        one.refused.insert(RefusalReason::BadTime, 3);
        let mut sum = DecodeCounters::default();
        sum.add(&one);
        assert_eq!(sum, one);
        assert_eq!(sum.refused_total(), 3);
    }
}

//! Bounded sets of known categories with decayed day counts.
use crate::stats::decay::Decayed;
use crate::time::Timestamp;

/// One known category.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen<K> {
    /// Which.
    pub(crate) key: K,
    /// Days on which it was seen, decayed.
    pub(crate) days: Decayed,
    /// First and last day, since the epoch.
    pub(crate) first_day: i64,
    pub(crate) last_day: i64,
}

/// Known categories, ascending by key; at most `MAX`. When one more arrives, the one with the
/// smallest decayed count goes (then the longest unseen, then the smallest key), never the
/// newcomer: many newcomers in a row displace each other and not what is used every day.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenSet<K, const MAX: usize> {
    pub(crate) entries: Vec<Seen<K>>,
}

impl<K, const MAX: usize> Default for SeenSet<K, MAX> {
    fn default() -> Self {
        SeenSet { entries: Vec::new() }
    }
}

impl<K: Ord + Clone, const MAX: usize> SeenSet<K, MAX> {
    /// Most heap bytes.
    pub(super) const HEAP_MAX: usize = MAX * size_of::<Seen<K>>();

    /// The entry of `key`.
    pub fn get(&self, key: &K) -> Option<&Seen<K>> {
        let at = self.entries.binary_search_by(|e| e.key.cmp(key)).ok()?;
        self.entries.get(at)
    }

    /// Known.
    pub fn contains(&self, key: &K) -> bool {
        self.get(key).is_some()
    }

    /// Known since before `day`.
    pub fn contained(&self, key: &K, day: i64) -> bool {
        self.get(key).is_some_and(|seen| seen.first_day < day)
    }

    /// Counts `key` on `day`, once a day. A day before the first one (a late record) moves the
    /// first one back.
    pub fn teach(&mut self, key: &K, day: i64, weight: f64, half_life_days: f64) {
        let at = Timestamp::of_day(day);
        match self.entries.binary_search_by(|e| e.key.cmp(key)) {
            Ok(i) => {
                let entry = &mut self.entries[i];
                if day > entry.last_day || day < entry.first_day {
                    entry.days.add(at, weight, half_life_days);
                }
                entry.first_day = entry.first_day.min(day);
                entry.last_day = entry.last_day.max(day);
            }
            Err(_) => {
                let mut days = Decayed::default();
                days.add(at, weight, half_life_days);
                let entry = Seen { key: key.clone(), days, first_day: day, last_day: day };
                if self.entries.len() >= MAX {
                    self.evict(at, half_life_days);
                }
                let i = self.entries.partition_point(|e| e.key < *key);
                self.entries.reserve_exact(1);
                self.entries.insert(i, entry);
            }
        }
    }

    fn evict(&mut self, now: Timestamp, half_life_days: f64) {
        let weakest = (0..self.entries.len()).min_by(|a, b| {
            let (a, b) = (&self.entries[*a], &self.entries[*b]);
            a.days
                .value(now, half_life_days)
                .total_cmp(&b.days.value(now, half_life_days))
                .then(a.last_day.cmp(&b.last_day))
        });
        if let Some(weakest) = weakest {
            self.entries.remove(weakest);
        }
    }

    /// Removes what decayed below `floor` days.
    pub fn forget_below(&mut self, floor: f64, now: Timestamp, half_life_days: f64) {
        self.entries.retain(|e| e.days.value(now, half_life_days) >= floor);
    }

    /// Σ of all decayed counts.
    pub fn total(&self, now: Timestamp, half_life_days: f64) -> f64 {
        self.entries.iter().map(|e| e.days.value(now, half_life_days)).sum()
    }

    /// Known categories with their share, largest first, at most `most`.
    pub fn shares(&self, now: Timestamp, half_life_days: f64, most: usize) -> Vec<(&K, f64)> {
        let total = self.total(now, half_life_days).max(f64::MIN_POSITIVE);
        let mut shares: Vec<(&K, f64)> = self
            .entries
            .iter()
            .map(|e| (&e.key, e.days.value(now, half_life_days) / total))
            .collect();
        shares.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(b.0)));
        shares.truncate(most);
        shares
    }

    /// Entries.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Nothing is known.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Heap bytes.
    pub fn heap_bytes(&self) -> usize {
        self.entries.capacity() * size_of::<Seen<K>>()
    }

    /// Sorted without duplicates, within bounds, with finite counts: what a restored set must be.
    pub fn is_valid(&self) -> bool {
        self.entries.len() <= MAX
            && self.entries.is_sorted_by(|a, b| a.key < b.key)
            && self
                .entries
                .iter()
                .all(|e| e.days.sum.is_finite() && e.days.sum >= 0.0 && e.first_day <= e.last_day)
    }
}

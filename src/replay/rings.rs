//! Closed hours on their way to the display rings.
use std::collections::BTreeMap;

use crate::account::message::HourRecord;
use crate::ids::AccountId;
use crate::store::{StateStore, StoreError, WriteBatch, display_ring, keys};

/// Account-days held between checkpoints: 8 MB of a large fleet's hours.
const DAYS_HELD_MAX: usize = 4096;

/// Collects closed hours between checkpoints.
#[derive(Debug, Default)]
pub struct RingWriter {
    days: BTreeMap<(AccountId, i64), Vec<HourRecord>>,
}

impl RingWriter {
    /// Takes closed hours.
    pub fn take(&mut self, hours: Vec<(AccountId, HourRecord)>) {
        for (account, hour) in hours {
            self.days.entry((account, hour.hour.div_euclid(24))).or_default().push(hour);
        }
    }
    /// Writes what was taken if it is much. Nothing needs the rings to be of one piece with the
    /// run's checkpoint: an hour that is closed again is written again.
    ///
    /// # Errors
    /// The store failed.
    pub fn spill(&mut self, store: &dyn StateStore) -> Result<(), StoreError> {
        if self.days.len() < DAYS_HELD_MAX {
            return Ok(());
        }
        let mut batch = WriteBatch::default();
        self.save(store, &mut batch)?;
        store.write(batch)
    }
    /// Puts what was taken into a checkpoint, merged with the day as it is stored, and drops days
    /// that are older than the ring.
    ///
    /// # Errors
    /// The store failed.
    pub fn save(
        &mut self,
        store: &dyn StateStore,
        batch: &mut WriteBatch,
    ) -> Result<(), StoreError> {
        let mut newest: BTreeMap<AccountId, i64> = BTreeMap::new();
        for (account, day) in self.days.keys() {
            newest.insert(account.clone(), *day);
        }
        for (account, newest) in &newest {
            let prefix = keys::rings(account);
            store.scan(&prefix, &mut |key, _| {
                let day = key[prefix.len()..].try_into().map_or(i64::MAX, i64::from_be_bytes);
                let old = day <= newest - display_ring::DAYS_KEPT;
                if old {
                    batch.delete(key.to_vec());
                }
                old
            })?;
        }
        for ((account, day), hours) in std::mem::take(&mut self.days) {
            if newest.get(&account).is_some_and(|newest| day <= newest - display_ring::DAYS_KEPT) {
                continue;
            }
            let key = keys::ring(&account, day);
            let mut bytes = store.get(&key)?.unwrap_or_default();
            for hour in &hours {
                display_ring::put(&mut bytes, hour);
            }
            batch.put(key, bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::message::SURPRISE_LANES;
    use crate::baseline::tempo::HourStatus;
    use crate::ids::Cloud;
    use crate::store::memory::MemoryStore;

    fn checkpoint(writer: &mut RingWriter, store: &dyn StateStore) {
        let mut batch = WriteBatch::default();
        writer.save(store, &mut batch).unwrap();
        store.write(batch).unwrap();
    }

    #[test]
    fn a_ring_is_28_days_in_about_8_kb() {
        let (store, mut writer) = (MemoryStore::default(), RingWriter::default());
        let id = AccountId::new("shop", Cloud::Public);
        let mut surprise = [1; SURPRISE_LANES];
        for hour in 0..40 * 24 {
            // One test in three hours is odd: more than in life.
            surprise[4] = if hour % 3 == 0 { 40 } else { 1 };
            let record = HourRecord {
                hour,
                status: HourStatus::Logged,
                observed: 1e6,
                quantiles: [1e5, 1e6, 1e7],
                low_from: 1e8,
                surprise,
                nearest: Default::default(),
                queries: Default::default(),
            };
            writer.take(vec![(id.clone(), record)]);
            if hour % 7 == 0 {
                checkpoint(&mut writer, &store);
            }
        }
        checkpoint(&mut writer, &store);
        let (mut days, mut hours, mut bytes) = (0, Vec::new(), 0);
        let mut take = |key: &[u8], value: &[u8]| {
            let day = i64::from_be_bytes(*key.last_chunk().unwrap());
            hours.extend(display_ring::read(day, value).iter().map(|record| record.hour));
            (days, bytes) = (days + 1, bytes + value.len());
            true
        };
        store.scan(&keys::rings(&id), &mut take).unwrap();
        assert_eq!(days, display_ring::DAYS_KEPT);
        assert!(hours.into_iter().eq(12 * 24..40 * 24));
        assert!((8000..9500).contains(&bytes), "{bytes}");
    }
}

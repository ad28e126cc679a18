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

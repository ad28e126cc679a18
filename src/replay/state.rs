//! What a run carries from one process to the next, besides the accounts.
use std::collections::BTreeMap;

use crate::account::message::HourRecord;
use crate::alert::dedup::DeskState;
use crate::baseline::principals::PrincipalDirectory;
use crate::baseline::prior::Priors;
use crate::baseline::published::ByDay;
use crate::fleet::model::FleetModel;
use crate::ids::AccountId;
use crate::router::watermark::Watermark;
use crate::store::schema::run;
use crate::store::{StateStore, StoreError, WriteBatch, display_ring, keys};
use crate::tenant::model::TenantModel;

/// How far each file is applied, by its identity.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Positions {
    /// First offset that is not applied yet, by file identity.
    pub(crate) applied: BTreeMap<u128, u64>,
    /// Identity of each file of this run, by index.
    identities: Vec<Option<u128>>,
}

impl Positions {
    /// Says who file `index` of this run is.
    pub fn identify(&mut self, index: u32, identity: u128) {
        let index = index as usize;
        if self.identities.len() <= index {
            self.identities.resize(index + 1, None);
        }
        self.identities[index] = Some(identity);
    }
    /// Notes the record at `offset` of file `index` as applied; false if an earlier run had applied
    /// it. Files without identity (standard input) are always new.
    pub fn advance(&mut self, index: u32, offset: u64) -> bool {
        let Some(Some(identity)) = self.identities.get(index as usize) else { return true };
        let next = self.applied.entry(*identity).or_default();
        if offset < *next {
            return false;
        }
        *next = offset + 1;
        true
    }
}

/// Everything that is not an account.
pub struct RunState {
    /// The tenant model.
    pub tenant: TenantModel,
    /// The population.
    pub fleet: FleetModel,
    /// The desk.
    pub desk: DeskState,
    /// Published priors.
    pub priors: ByDay<Priors>,
    /// Published directories.
    pub directory: ByDay<PrincipalDirectory>,
    /// The stream's watermark.
    pub watermark: Watermark,
    /// Last tick held.
    pub last_tick: Option<i64>,
    /// Day of the last tick.
    pub last_midnight: Option<i64>,
    /// How far the files are applied.
    pub positions: Positions,
}

impl RunState {
    /// Reads what an earlier run left; a fresh state if it left nothing.
    ///
    /// # Errors
    /// The store failed or a value is damaged.
    pub fn load(store: &dyn StateStore, lateness_ms: i64) -> Result<RunState, StoreError> {
        run::load(store, lateness_ms)
    }
}

/// Closed hours on their way to the display rings.
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
    /// Puts what was taken into a checkpoint, merged with the day as it is stored, and drops days
    /// that are older than the ring.
    ///
    /// # Errors
    /// The store failed.
    pub fn save(&mut self, store: &dyn StateStore, batch: &mut WriteBatch) -> Result<(), StoreError> {
        for ((account, day), hours) in std::mem::take(&mut self.days) {
            let key = keys::ring(&account, day);
            let mut bytes = store.get(&key)?.unwrap_or_default();
            for hour in &hours {
                display_ring::put(&mut bytes, hour);
            }
            batch.put(key, bytes);
            batch.delete(keys::ring(&account, day - display_ring::DAYS_KEPT));
        }
        Ok(())
    }
}

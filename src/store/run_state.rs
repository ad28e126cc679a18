//! What a run carries from one process to the next, besides the accounts.
use std::collections::BTreeMap;

use crate::alert::dedup::DeskState;
use crate::baseline::principals::PrincipalDirectory;
use crate::baseline::prior::Priors;
use crate::baseline::published::ByDay;
use crate::fleet::model::FleetModel;
use crate::router::watermark::Watermark;
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
    /// Goes on from what an earlier run applied.
    pub fn resume(applied: BTreeMap<u128, u64>) -> Positions {
        Positions { applied, identities: Vec::new() }
    }
    /// Says who file `index` of this run is.
    pub fn identify(&mut self, index: u32, identity: u128) {
        let index = index as usize;
        if self.identities.len() <= index {
            self.identities.resize(index + 1, None);
        }
        self.identities[index] = Some(identity);
    }
    /// The record at `offset` of file `index` is applied already. Files without identity (standard
    /// input) are always new.
    pub fn is_applied(&self, index: u32, offset: u64) -> bool {
        let identity = self.identities.get(index as usize).copied().flatten();
        identity.and_then(|id| self.applied.get(&id)).is_some_and(|next| offset < *next)
    }
    /// Notes the record at `offset` of file `index` as applied.
    pub fn advance(&mut self, index: u32, offset: u64) {
        if let Some(Some(identity)) = self.identities.get(index as usize) {
            let next = self.applied.entry(*identity).or_default();
            *next = (*next).max(offset.saturating_add(1));
        }
    }
}

/// Everything that is not an account.
#[derive(Clone, Debug)]
pub struct RunState {
    /// The tenant model.
    pub tenant: TenantModel,
    /// Last sequence number the tenant gave out.
    pub tenant_sequence: u64,
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
    /// Last tick held, and the day it lay in.
    pub last_tick: Option<(i64, i64)>,
    /// How far the files are applied.
    pub positions: Positions,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_earlier_run_applied_is_recognised_by_file_and_offset() {
        let mut first = Positions::default();
        first.identify(0, 77);
        assert!(!first.is_applied(0, 0));
        first.advance(0, 0);
        first.advance(0, 100);
        let mut second = Positions::resume(first.applied.clone());
        second.identify(3, 77);
        assert!(second.is_applied(3, 0));
        assert!(second.is_applied(3, 100));
        assert!(!second.is_applied(3, 200));
        second.advance(9, 0);
        assert!(!second.is_applied(9, 0), "a file without identity is new");
    }
}

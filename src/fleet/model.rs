//! The population: each account's last contribution, and the priors made of them.
use std::collections::BTreeMap;

use crate::baseline::prior::{Contribution, Priors};
use crate::ids::AccountId;

/// The model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FleetModel {
    /// Last contribution of each account, sleepers included.
    pub(crate) contributions: BTreeMap<AccountId, (i64, Contribution)>,
    /// Day of the newest priors.
    pub(crate) published: i64,
}

impl FleetModel {
    /// Takes in an account's contribution for `day`; an older one than is known is ignored.
    pub fn contribute(&mut self, day: i64, account: AccountId, contribution: Contribution) {
        match self.contributions.get(&account) {
            Some((known, _)) if *known > day => {}
            _ => {
                self.contributions.insert(account, (day, contribution));
            }
        }
    }
    /// The priors of the midnight that begins `day`, once: in account order, so that equal
    /// contributions give equal bits.
    pub fn publish(&mut self, day: i64) -> Option<Priors> {
        if day <= self.published || self.contributions.is_empty() {
            return None;
        }
        self.published = day;
        Some(Priors::from_contributions(day, self.contributions.values().map(|(_, c)| c)))
    }
    /// Accounts that contributed.
    pub fn accounts(&self) -> usize {
        self.contributions.len()
    }
}

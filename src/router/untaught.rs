//! Notes what accounts were given and did not keep.
use std::collections::BTreeMap;

use super::registry::Delivery;
use crate::ids::AccountId;
use crate::store::untaught::{self, Span, Untaught, both};
use crate::store::{StateStore, StoreError, WriteBatch};

/// Since the run began or since the last checkpoint; few accounts, mostly none.
#[derive(Default)]
pub(super) struct Losses {
    /// Set aside and not in a checkpoint yet.
    set_aside: BTreeMap<AccountId, Option<Span>>,
    /// What was unsealed before this run, of accounts that cannot be sealed in it.
    unsealed_before: BTreeMap<AccountId, Option<Span>>,
}

fn span<'a>(deliveries: impl Iterator<Item = &'a Delivery>) -> Option<Span> {
    Span::of(deliveries.flat_map(|d| &d.batch.events).map(|routed| routed.event.time))
}

impl Losses {
    /// A delivery is set aside.
    pub fn set_aside(&mut self, account: &AccountId, delivery: &Delivery) {
        let known = self.set_aside.entry(account.clone()).or_default();
        *known = both(*known, span(std::iter::once(delivery)));
    }

    /// Puts all of it into the run's checkpoint. `unsealed`: accounts that could not be sealed for
    /// it, with what they were given since they last could. `sealed`: those that could.
    pub fn save(
        &mut self,
        store: &dyn StateStore,
        unsealed: &[(AccountId, Vec<Delivery>)],
        sealed: &[AccountId],
        batch: &mut WriteBatch,
    ) -> Result<(), StoreError> {
        let mut changed: BTreeMap<AccountId, Untaught> = BTreeMap::new();
        for (account, since) in unsealed {
            let mut known = untaught::load(store, account)?;
            let before = self.unsealed_before.entry(account.clone()).or_insert(known.unsealed);
            known.unsealed = both(*before, span(since.iter()));
            changed.insert(account.clone(), known);
        }
        for account in sealed {
            if let Some(before) = self.unsealed_before.remove(account) {
                let known = untaught::load(store, account)?;
                changed.insert(account.clone(), Untaught { unsealed: before, ..known });
            }
        }
        for (account, span) in std::mem::take(&mut self.set_aside) {
            let known = match changed.get(&account) {
                Some(known) => *known,
                None => untaught::load(store, &account)?,
            };
            let set_aside = both(known.set_aside, span);
            changed.insert(account, Untaught { set_aside, ..known });
        }
        changed.iter().try_for_each(|(account, known)| untaught::save(account, known, batch))
    }
}

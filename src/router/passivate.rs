//! Sleep and waking: an account that is idle is checkpointed and its actor stopped; its next event
//! builds it again.
use std::collections::VecDeque;
use std::sync::Arc;

use super::Router;
use super::day_ends::DayEnds;
use super::registry::{Awake, Delivery, Journal, Registry, Slot};
use crate::account::actor::Retire;
use crate::account::message::Pending;
use crate::ids::AccountId;
use crate::limits;
use crate::store::schema::due;
use crate::store::{StoreError, WriteBatch};
use crate::time::{HOUR_MS, Timestamp};

impl Router {
    /// Makes the accounts that the store knows known here, asleep, with what they still have to do.
    /// If that is not known, each is looked at once at the next tick.
    ///
    /// # Errors
    /// The store failed.
    pub fn restore(&mut self) -> Result<usize, StoreError> {
        let Registry { known, day_ends, .. } = &mut self.registry;
        let mut unknown = DayEnds::default();
        let due = self.sleepers.restore(|account| {
            *known += 1;
            unknown.insert(Timestamp::MIN, &account);
        })?;
        match due {
            None => *day_ends = unknown,
            Some(due) => {
                for (at, accounts) in due {
                    accounts.iter().for_each(|account| day_ends.insert(at, account));
                }
            }
        }
        Ok(self.registry.known)
    }

    /// Puts the checkpoints of all changed accounts into `batch`; once it is written,
    /// [`Router::checkpointed`] is to be called.
    ///
    /// # Errors
    /// The store failed.
    pub async fn checkpoint(&mut self, batch: &mut WriteBatch) -> Result<usize, StoreError> {
        self.drain().await?;
        let dirty = self.registry.sorted(|awake| awake.dirty);
        let (mut kept, mut unsealed) = (Vec::new(), Vec::new());
        for account in &dirty {
            if let Some(sealed) = self.take_checkpoint(account).await? {
                self.sleepers.put(account, &sealed, batch);
                kept.push(account.clone());
            } else if let Some(awake) = self.registry.awake_mut(account) {
                unsealed.push((account.clone(), awake.journal.all()));
            }
        }
        self.losses.save(self.sleepers.store(), &unsealed, &kept, batch)?;
        self.sleepers.seal(batch);
        due::save(&self.registry.due(), batch)?;
        Ok(dirty.len())
    }

    /// The batch of [`Router::checkpoint`] is in the store.
    ///
    /// # Errors
    /// The store failed.
    pub fn checkpointed(&mut self) -> Result<(), StoreError> {
        self.sleepers.sealed()
    }

    /// Seals an account that has nothing in flight. A panic at it is answered like any other;
    /// `None` if the account cannot be sealed, or is set aside for its panics.
    async fn take_checkpoint(
        &mut self,
        account: &AccountId,
    ) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
        while self.registry.awake_mut(account).is_some() {
            let Some(reply) = self.deliver(account, &Delivery::nothing(), true).await else {
                self.recover(account, VecDeque::new()).await?;
                continue;
            };
            let Some(sealed) = reply.checkpoint.map(Arc::new) else { return Ok(None) };
            if let Some(awake) = self.registry.awake_mut(account) {
                awake.checkpointed(Arc::clone(&sealed), u64::MAX);
                awake.dirty = false;
            }
            return Ok(Some(sealed));
        }
        Ok(None)
    }

    /// The account, started if it sleeps; `None` in quarantine.
    pub(super) fn wake(&mut self, account: &AccountId) -> Result<Option<&mut Awake>, StoreError> {
        if !self.registry.slots.contains_key(account) {
            let sealed = self.sleepers.load(account)?;
            if sealed.is_some() {
                self.counters.wakes += 1;
            } else {
                self.registry.known += 1;
            }
            let awake = Awake {
                address: self.start(account, sealed.as_ref().map(|s| s.as_slice())),
                last_good: sealed,
                journal: Journal::default(),
                dirty: false,
                last_event: Timestamp::MIN,
                pending: Pending::Nothing,
            };
            self.registry.slots.insert(account.clone(), Slot::Awake(Box::new(awake)));
        }
        Ok(self.registry.awake_mut(account))
    }

    /// Puts accounts to sleep that have been idle long enough, and the least recently active ones
    /// beyond the bound; never one with open cells, whose findings must not wait for its waking.
    pub(super) async fn passivate(&mut self, watermark: Timestamp) -> Result<(), StoreError> {
        let mut sealed = Vec::new();
        let mut asleep = Vec::new();
        for account in self.idle(watermark) {
            let Some(awake) = self.registry.awake_mut(&account) else { continue };
            let (dirty, pending) = (awake.dirty, awake.pending);
            if dirty {
                let Some(checkpoint) = self.take_checkpoint(&account).await? else { continue };
                sealed.push((account.clone(), checkpoint));
            }
            asleep.push((account, pending));
        }
        if asleep.is_empty() {
            return Ok(());
        }
        self.sleepers.stage(sealed)?;
        for (account, pending) in asleep {
            if let Pending::DayEnd(at) = pending {
                self.registry.day_ends.insert(at, &account);
            }
            if let Some(Slot::Awake(awake)) = self.registry.slots.remove(&account) {
                // A full mailbox is impossible here: everything was awaited. If the actor is gone
                // already, that is what we want.
                let _ = awake.address.try_send(Retire);
            }
            self.counters.passivations += 1;
        }
        Ok(())
    }

    /// Who may sleep, least recently active first.
    fn idle(&self, watermark: Timestamp) -> Vec<AccountId> {
        let idle_since = watermark.plus_ms(-limits::IDLE_HOURS * HOUR_MS);
        let mut quiet: Vec<(Timestamp, &AccountId)> = self
            .registry
            .slots
            .iter()
            .filter_map(|(id, slot)| match slot {
                Slot::Awake(a) if a.pending != Pending::Cells => Some((a.last_event, id)),
                _ => None,
            })
            .collect();
        quiet.sort_unstable();
        let excess = self.registry.awake().saturating_sub(self.awake_max);
        let sleepy = quiet
            .into_iter()
            .enumerate()
            .filter(|(rank, (last_event, _))| *rank < excess || *last_event <= idle_since);
        sleepy.map(|(_, (_, id))| id.clone()).collect()
    }
}

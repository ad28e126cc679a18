//! What happens after a panic. The model may be half changed, so it is thrown away; a new one is
//! built from the last checkpoint and given what came since, once more. What panics twice is a dead
//! letter, and an account that panics three times in ten minutes is set aside.
use std::collections::VecDeque;
use std::sync::Arc;

use actix::Addr;

use super::Router;
use super::registry::{Delivery, Slot};
use crate::account::actor::{AccountActor, Reply, Work};
use crate::ids::AccountId;
use crate::limits;
use crate::store::StoreError;
use crate::telemetry::{AccountPanicked, AccountQuarantined, BatchDeadLettered};

/// Times that one delivery is tried.
const TRIES: u32 = 2;

impl Router {
    /// Starts an actor for an account.
    pub(super) fn start(
        &mut self,
        account: &AccountId,
        sealed: Option<&[u8]>,
    ) -> Addr<AccountActor> {
        let logic = (self.factory)(account, sealed);
        self.next_arbiter = (self.next_arbiter + 1) % self.arbiters.len();
        AccountActor::start_on(&self.arbiters[self.next_arbiter], logic)
    }

    /// After a panic at the first of `unanswered` (at none of them: between deliveries): a new actor
    /// is given everything since the checkpoint. Answers that were taken in already are dropped,
    /// those to `unanswered` are taken in, in order.
    pub(super) async fn recover(
        &mut self,
        account: &AccountId,
        mut unanswered: VecDeque<Delivery>,
    ) -> Result<(), StoreError> {
        let mut tries = 1;
        if self.strike(account) {
            return self.quarantine(account, unanswered).await;
        }
        loop {
            if !self.rebuild(account, &unanswered).await {
                if self.strike(account) {
                    break;
                }
                continue;
            }
            let Some(delivery) = self.deliver_all(account, &mut unanswered, &mut tries).await
            else {
                return Ok(());
            };
            tries += 1;
            if self.strike(account) {
                break;
            }
            if tries >= TRIES {
                self.dead_letter(account, &delivery);
                if let Some(awake) = self.registry.awake_mut(account) {
                    awake.journal.remove(delivery.number);
                }
                unanswered.pop_front();
                tries = 0;
            }
        }
        self.quarantine(account, unanswered).await
    }

    /// Delivers `unanswered` until all is answered, or returns the one that panics.
    async fn deliver_all(
        &mut self,
        account: &AccountId,
        unanswered: &mut VecDeque<Delivery>,
        tries: &mut u32,
    ) -> Option<Delivery> {
        while let Some(delivery) = unanswered.front() {
            let Some(reply) = self.deliver(account, delivery, false).await else {
                return Some(delivery.clone());
            };
            self.accept(account, delivery.number, reply);
            unanswered.pop_front();
            *tries = 0;
        }
        None
    }

    /// Builds an actor from the last checkpoint and what was answered since; false if that panics.
    async fn rebuild(&mut self, account: &AccountId, unanswered: &VecDeque<Delivery>) -> bool {
        let Some(awake) = self.registry.awake_mut(account) else { return false };
        let sealed = awake.last_good.clone();
        let answered = awake.journal.before(unanswered.front().map_or(u64::MAX, |d| d.number));
        let address = self.start(account, sealed.as_ref().map(|s| s.as_slice()));
        if let Some(awake) = self.registry.awake_mut(account) {
            awake.address = address;
        }
        for delivery in &answered {
            let Some(reply) = self.deliver(account, delivery, false).await else { return false };
            self.note(account, &reply);
        }
        true
    }

    /// Delivers and waits; `None` if the actor panics.
    pub(super) async fn deliver(
        &mut self,
        account: &AccountId,
        delivery: &Delivery,
        checkpoint: bool,
    ) -> Option<Reply> {
        let context = Arc::clone(&self.context);
        let awake = self.registry.awake_mut(account)?;
        let batch = Arc::clone(&delivery.batch);
        let work = Work { batch, tick: delivery.tick, context, checkpoint };
        awake.address.send(work).await.ok()?.ok()
    }

    /// Sets an account aside. What it learned from good deliveries is kept.
    async fn quarantine(
        &mut self,
        account: &AccountId,
        unanswered: VecDeque<Delivery>,
    ) -> Result<(), StoreError> {
        let mut sealed = None;
        if self.rebuild(account, &unanswered).await {
            let reply = self.deliver(account, &Delivery::nothing(), true).await;
            sealed = reply.and_then(|reply| reply.checkpoint).map(Arc::new);
        }
        let slot = self.registry.slots.insert(account.clone(), Slot::Quarantined);
        if let Some(Slot::Awake(awake)) = slot {
            if sealed.is_none() {
                let first = unanswered.front().map_or(u64::MAX, |d| d.number);
                awake.journal.before(first).iter().for_each(|d| self.dead_letter(account, d));
            }
            if let Some(sealed) = sealed.or(awake.last_good) {
                self.sleepers.stage(vec![(account.clone(), sealed)])?;
            }
        }
        unanswered.iter().for_each(|delivery| self.dead_letter(account, delivery));
        self.counters.quarantined += 1;
        AccountQuarantined { account, panics: limits::PANICS_BEFORE_QUARANTINE }.emit();
        Ok(())
    }

    /// Counts events that are set aside unapplied.
    pub(super) fn dead_letter(&mut self, account: &AccountId, delivery: &Delivery) {
        let events = delivery.batch.events.len();
        if events > 0 {
            self.counters.dead_letters += events as u64;
            self.losses.set_aside(account, delivery);
            BatchDeadLettered { account, events }.emit();
        }
    }

    /// Counts a panic; true if it is one too many.
    fn strike(&mut self, account: &AccountId) -> bool {
        self.counters.panics += 1;
        AccountPanicked { account }.emit();
        self.registry.strike(account, self.clock.monotonic_ms())
    }
}

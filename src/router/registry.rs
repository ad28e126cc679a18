//! Who is awake: one entry an account, small while it sleeps.
use std::collections::HashMap;
use std::sync::Arc;

use actix::Addr;

use super::day_ends::DayEnds;
use crate::account::actor::AccountActor;
use crate::account::message::{EventBatch, Pending};
use crate::ids::AccountId;
use crate::limits;
use crate::store::schema::due::Due;
use crate::time::Timestamp;

/// Something an account was given to do.
#[derive(Clone, Debug)]
pub(super) struct Delivery {
    /// Rises with every delivery of the router.
    pub number: u64,
    /// Events to apply; may be none.
    pub batch: Arc<EventBatch>,
    /// The watermark to move to afterwards.
    pub tick: Option<Timestamp>,
}

impl Delivery {
    /// Nothing to do: only asks for the state.
    pub fn nothing() -> Delivery {
        Delivery { number: 0, batch: Arc::default(), tick: None }
    }
    /// What it counts for against the journal's bound.
    fn weight(&self) -> usize {
        self.batch.events.len() + usize::from(self.tick.is_some())
    }
}

/// What an account was given since its last checkpoint, oldest first. Ticks are in it too: what a
/// model says at a tick it must say at that tick again when it is rebuilt, and not with the next
/// batch, whose answer counts.
#[derive(Debug, Default)]
pub(super) struct Journal {
    deliveries: Vec<Delivery>,
    weight: usize,
}

impl Journal {
    pub fn push(&mut self, delivery: Delivery) {
        self.weight += delivery.weight();
        self.deliveries.push(delivery);
    }
    /// It is time for a checkpoint.
    pub fn is_long(&self) -> bool {
        self.weight >= limits::JOURNAL_EVENTS_MAX
    }
    /// Forgets what came up to `number`: a checkpoint covers it.
    pub fn covered(&mut self, number: u64) {
        self.keep(|delivery| delivery.number > number);
    }
    /// Forgets one delivery: it is set aside.
    pub fn remove(&mut self, number: u64) {
        self.keep(|delivery| delivery.number != number);
    }
    /// All of it.
    pub fn all(&self) -> Vec<Delivery> {
        self.deliveries.clone()
    }
    /// What came before `number`.
    pub fn before(&self, number: u64) -> Vec<Delivery> {
        self.deliveries.iter().take_while(|d| d.number < number).cloned().collect()
    }
    fn keep(&mut self, wanted: impl FnMut(&Delivery) -> bool) {
        self.deliveries.retain(wanted);
        self.weight = self.deliveries.iter().map(Delivery::weight).sum();
    }
}

/// An account that has an actor.
pub(super) struct Awake {
    /// Its actor.
    pub address: Addr<AccountActor>,
    /// Its last sealed checkpoint; `None`: a fresh model.
    pub last_good: Option<Arc<Vec<u8>>>,
    /// Applied or under way since `last_good`: delivered again after a panic.
    pub journal: Journal,
    /// Changed since the store last saw it.
    pub dirty: bool,
    /// Watermark of its last event.
    pub last_event: Timestamp,
    /// What it still has to do.
    pub pending: Pending,
}

impl Awake {
    /// The actor sealed itself after `number`: what came up to it need not be kept; what is still
    /// under way must.
    pub fn checkpointed(&mut self, sealed: Arc<Vec<u8>>, number: u64) {
        self.last_good = Some(sealed);
        self.journal.covered(number);
    }
}

/// State of one account as the router knows it.
pub(super) enum Slot {
    /// Has an actor.
    Awake(Box<Awake>),
    /// Panicked too often: its events are dead letters.
    Quarantined,
}

/// All accounts that are awake or set aside. The others are in the store, and counted.
#[derive(Default)]
pub(super) struct Registry {
    /// By account. Never iterated into output without sorting.
    pub slots: HashMap<AccountId, Slot>,
    /// Sleepers whose hours or day have still to be closed.
    pub day_ends: DayEnds,
    /// Accounts known, sleepers included.
    pub known: usize,
    /// Panics of the accounts that had any: milliseconds of the monotonic clock, newest last.
    strikes: HashMap<AccountId, Vec<u64>>,
}

impl Registry {
    /// Accounts awake for which `wanted` holds, ascending.
    pub fn sorted(&self, mut wanted: impl FnMut(&Awake) -> bool) -> Vec<AccountId> {
        let wanted = self.slots.iter().filter_map(|(id, slot)| match slot {
            Slot::Awake(awake) if wanted(awake) => Some(id.clone()),
            _ => None,
        });
        let mut ids: Vec<AccountId> = wanted.collect();
        ids.sort_unstable();
        ids
    }
    /// Accounts that have something to do when the watermark comes to `watermark`, ascending;
    /// sleepers are taken off their list.
    pub fn take_due(&mut self, watermark: Timestamp) -> Vec<AccountId> {
        let mut due = self.sorted(|awake| awake.pending.is_due(watermark));
        let sleepers = self.day_ends.take(watermark);
        due.extend(sleepers.into_iter().filter(|id| !self.slots.contains_key(id)));
        due.sort_unstable();
        due
    }
    /// What everybody has still to do. Names are in order and appear once a moment, so that equal
    /// states give equal bytes.
    pub fn due(&self) -> Due {
        let mut due = Due::new();
        for (id, slot) in &self.slots {
            let at = match slot {
                Slot::Awake(awake) => match awake.pending {
                    Pending::Cells => Timestamp::MIN,
                    Pending::DayEnd(at) => at,
                    Pending::Nothing => continue,
                },
                // A later run gives it another chance, and looks what is open.
                Slot::Quarantined => Timestamp::MIN,
            };
            due.entry(at).or_default().push(id.clone());
        }
        for (at, id) in self.day_ends.iter().filter(|(_, id)| !self.slots.contains_key(id)) {
            due.entry(at).or_default().push(id);
        }
        for ids in due.values_mut() {
            ids.sort_unstable();
            ids.dedup();
        }
        due
    }
    /// Sleepers that may have cells open since an earlier run, taken off their list.
    pub fn take_unsettled(&mut self) -> Vec<AccountId> {
        let mut unsettled = self.day_ends.take(Timestamp::MIN);
        unsettled.retain(|id| !self.slots.contains_key(id));
        unsettled
    }
    /// Notes a panic at `now_ms`; true if the account is to be quarantined.
    pub fn strike(&mut self, account: &AccountId, now_ms: u64) -> bool {
        let strikes = self.strikes.entry(account.clone()).or_default();
        strikes.retain(|at| now_ms.saturating_sub(*at) <= limits::QUARANTINE_WINDOW_MS as u64);
        strikes.push(now_ms);
        strikes.len() >= limits::PANICS_BEFORE_QUARANTINE
    }
    /// The account's entry while it is awake.
    pub fn awake_mut(&mut self, account: &AccountId) -> Option<&mut Awake> {
        match self.slots.get_mut(account) {
            Some(Slot::Awake(awake)) => Some(awake),
            _ => None,
        }
    }
    /// Accounts awake.
    pub fn awake(&self) -> usize {
        self.slots.values().filter(|s| matches!(s, Slot::Awake(_))).count()
    }
}

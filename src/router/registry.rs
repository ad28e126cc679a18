//! Who is awake: one entry an account, small while it sleeps.
use std::collections::HashMap;
use std::sync::Arc;

use actix::Addr;

use crate::account::actor::AccountActor;
use crate::account::message::{EventBatch, Pending};
use crate::ids::AccountId;
use crate::limits;
use crate::time::Timestamp;

/// An account that has an actor.
pub struct Awake {
    /// Its actor.
    pub address: Addr<AccountActor>,
    /// Its last sealed checkpoint; `None`: the store's, or a fresh model.
    pub last_good: Option<Arc<Vec<u8>>>,
    /// Batches applied or under way since `last_good`, oldest first: delivered again after a panic.
    pub journal: Vec<Arc<EventBatch>>,
    /// Events in the journal.
    pub journal_events: usize,
    /// Rises with every respawn.
    pub generation: u32,
    /// Changed since the store last saw it.
    pub dirty: bool,
    /// Watermark of its last event.
    pub last_event: Timestamp,
    /// What it still has to do.
    pub pending: Pending,
}

impl Awake {
    /// The actor answered `batch` with a checkpoint: what came up to it need not be kept; what is
    /// still under way must.
    pub fn checkpointed(&mut self, sealed: Arc<Vec<u8>>, batch: &Arc<EventBatch>) {
        self.last_good = Some(sealed);
        let applied =
            self.journal.iter().position(|b| Arc::ptr_eq(b, batch)).map_or(0, |at| at + 1);
        self.journal.drain(..applied);
        self.journal_events = self.journal.iter().map(|b| b.events.len()).sum();
    }
}

/// State of one account as the router knows it.
pub enum Slot {
    /// Has an actor.
    Awake(Box<Awake>),
    /// Checkpointed; its hours or day may still have to be closed at this moment.
    Asleep(Option<Timestamp>),
    /// Panicked too often: its events are dead letters.
    Quarantined,
}

/// Panics of one account: wall-clock milliseconds, newest last.
pub type Strikes = Vec<u64>;

/// All accounts.
#[derive(Default)]
pub struct Registry {
    /// By account. Never iterated into output without sorting.
    pub slots: HashMap<AccountId, Slot>,
    /// Accounts that panicked.
    pub strikes: HashMap<AccountId, Strikes>,
}

impl Registry {
    /// Accounts for which `wanted` holds, ascending.
    pub fn sorted(&self, mut wanted: impl FnMut(&Slot) -> bool) -> Vec<AccountId> {
        let mut ids: Vec<AccountId> =
            self.slots.iter().filter(|(_, slot)| wanted(slot)).map(|(id, _)| id.clone()).collect();
        ids.sort_unstable();
        ids
    }
    /// Notes a panic at `now_ms`; true if the account is to be quarantined.
    pub fn strike(&mut self, account: &AccountId, now_ms: u64) -> bool {
        let strikes = self.strikes.entry(account.clone()).or_default();
        strikes.retain(|at| now_ms.saturating_sub(*at) <= limits::QUARANTINE_WINDOW_MS as u64);
        strikes.push(now_ms);
        strikes.len() >= limits::PANICS_BEFORE_QUARANTINE
    }
    /// Accounts awake.
    pub fn awake(&self) -> usize {
        self.slots.values().filter(|s| matches!(s, Slot::Awake(_))).count()
    }
}

//! account → actor: registry, batching, backpressure, passivation, respawn after a panic,
//! quarantine.
//!
//! One message an account and chunk; the answers of a chunk are awaited before the next but one is
//! sent, so at most two chunks of events are in flight whatever an actor does. `actix` does not
//! bring an actor back after a panic, so the router does: it throws the half-changed model away,
//! builds a new one from the last checkpoint and delivers what came since once more.
use std::collections::HashMap;
use std::sync::Arc;

use actix::dev::Request;
use actix::{Addr, ArbiterHandle};

use crate::account::actor::{AccountActor, JudgeOpen, Panicked, Reply, Retire, Work};
use crate::account::logic::{AccountLogic, AccountState};
use crate::account::message::{Context, EventBatch, Graded, HourRecord, Outcome, Pending, Routed};
use crate::baseline::prior::Contribution;
use crate::ids::AccountId;
use crate::limits;
use crate::store::{StateStore, StoreError, WriteBatch, keys};
use crate::telemetry::{AccountPanicked, AccountQuarantined, BatchDeadLettered};
use crate::time::{Clock, HOUR_MS, Timestamp};

pub mod digests;
pub mod registry;
pub mod watermark;

use registry::{Awake, Registry, Slot};

/// Builds an account's logic from its id and its sealed checkpoint, if it has one.
pub type Factory = Arc<dyn Fn(&AccountId, Option<&[u8]>) -> Box<dyn AccountLogic> + Send + Sync>;

/// What the accounts said since the last tick, in the order in which everything downstream takes
/// it.
#[derive(Debug, Default)]
pub struct TickHarvest {
    /// Graded findings by (decided, account, kind, sequence).
    pub findings: Vec<(AccountId, Graded)>,
    /// Contributions by (day, account).
    pub contributions: Vec<(i64, AccountId, Contribution)>,
    /// Closed hours by account.
    pub hours: Vec<(AccountId, HourRecord)>,
}

/// Counters of the router, for the summary and status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RouterCounters {
    /// Panics of account models.
    pub panics: u64,
    /// Events that were set aside after a second panic or in quarantine.
    pub dead_letters: u64,
    /// Accounts in quarantine.
    pub quarantined: u64,
    /// Times an account was put to sleep.
    pub passivations: u64,
    /// Times one was woken.
    pub wakes: u64,
    /// Largest model seen, bytes.
    pub bytes_max: usize,
}

struct InFlight {
    account: AccountId,
    /// Generation of the actor it was sent to: an answer from an earlier one is no new panic.
    generation: u32,
    batch: Arc<EventBatch>,
    tick: Option<Timestamp>,
    request: Request<AccountActor, Work>,
}

/// The router.
pub struct Router {
    registry: Registry,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: usize,
    factory: Factory,
    store: Arc<dyn StateStore>,
    clock: Arc<dyn Clock>,
    context: Arc<Context>,
    in_flight: Vec<InFlight>,
    harvest: TickHarvest,
    counters: RouterCounters,
    awake_max: usize,
}

impl Router {
    /// A router over `arbiters`.
    pub fn new(
        arbiters: Vec<ArbiterHandle>,
        factory: Factory,
        store: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
        context: Arc<Context>,
    ) -> Router {
        Router {
            registry: Registry::default(),
            arbiters,
            next_arbiter: 0,
            factory,
            store,
            clock,
            context,
            in_flight: Vec::new(),
            harvest: TickHarvest::default(),
            counters: RouterCounters::default(),
            awake_max: limits::AWAKE_ACCOUNTS_MAX,
        }
    }

    /// Sets how many accounts stay awake.
    pub fn set_awake_max(&mut self, awake_max: usize) {
        self.awake_max = awake_max;
    }

    /// Makes the accounts that the store knows known here, asleep. Their days may be unfinished, so
    /// each is looked at once at the next tick.
    ///
    /// # Errors
    /// The store failed.
    pub fn restore(&mut self) -> Result<usize, StoreError> {
        let registry = &mut self.registry;
        self.store.scan(keys::ACCOUNT, &mut |key, _| {
            if let Ok(name) = std::str::from_utf8(&key[keys::ACCOUNT.len()..]) {
                registry.slots.insert(AccountId::parse(name), Slot::Asleep(Some(Timestamp::MIN)));
            }
            true
        })?;
        Ok(registry.slots.len())
    }

    /// Replaces what accounts work with, from the next message on.
    pub fn set_context(&mut self, context: Arc<Context>) {
        self.context = context;
    }

    /// What accounts work with now.
    pub fn context(&self) -> &Arc<Context> {
        &self.context
    }

    /// Counters.
    pub fn counters(&self) -> RouterCounters {
        self.counters
    }

    /// Accounts known, and of these awake.
    pub fn population(&self) -> (usize, usize) {
        (self.registry.slots.len(), self.registry.awake())
    }

    /// All accounts known, ascending.
    pub fn accounts(&self) -> Vec<AccountId> {
        self.registry.sorted(|_| true)
    }

    /// Sends a chunk's events to their accounts and collects the answers of the chunk before.
    ///
    /// # Errors
    /// The store failed while an account was woken or rebuilt.
    pub async fn route(&mut self, events: Vec<Routed>) -> Result<(), StoreError> {
        let before = std::mem::take(&mut self.in_flight);
        for (account, events) in group(events) {
            self.send(account, Arc::new(EventBatch { events }), None)?;
        }
        self.collect(before).await
    }

    /// Moves every account that has something to do to `watermark` and returns all that was said
    /// since the last tick, sorted.
    ///
    /// # Errors
    /// The store failed.
    pub async fn tick(&mut self, watermark: Timestamp) -> Result<TickHarvest, StoreError> {
        self.drain().await?;
        let due = self.registry.sorted(|slot| match slot {
            Slot::Awake(awake) => match awake.pending {
                Pending::Cells => true,
                Pending::DayEnd(at) => at <= watermark,
                Pending::Nothing => false,
            },
            Slot::Asleep(day_end) => day_end.is_some_and(|at| at <= watermark),
            Slot::Quarantined => false,
        });
        let empty = Arc::new(EventBatch::default());
        // In groups, so that 100,000 sleepers whose day ends are not all awake at once.
        for group in due.chunks(1024) {
            for account in group {
                self.send(account.clone(), Arc::clone(&empty), Some(watermark))?;
            }
            self.drain().await?;
            self.passivate(watermark).await?;
        }
        self.passivate(watermark).await?;
        Ok(self.take_harvest())
    }

    /// Awaits everything in flight.
    ///
    /// # Errors
    /// The store failed.
    pub async fn drain(&mut self) -> Result<(), StoreError> {
        while !self.in_flight.is_empty() {
            let pending = std::mem::take(&mut self.in_flight);
            self.collect(pending).await?;
        }
        Ok(())
    }

    /// What was said since the last tick, sorted, without one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn harvest(&mut self) -> Result<TickHarvest, StoreError> {
        self.drain().await?;
        Ok(self.take_harvest())
    }

    /// Findings from open cells, judged on copies; nothing changes.
    ///
    /// # Errors
    /// The store failed.
    pub async fn judge_open(&mut self) -> Result<Vec<(AccountId, Graded)>, StoreError> {
        self.drain().await?;
        let mut findings = Vec::new();
        for account in self.registry.sorted(|slot| matches!(slot, Slot::Awake(_))) {
            let Some(Slot::Awake(awake)) = self.registry.slots.get(&account) else { continue };
            if let Ok(Ok(graded)) = awake.address.send(JudgeOpen(Arc::clone(&self.context))).await {
                findings.extend(graded.into_iter().map(|g| (account.clone(), g)));
            }
        }
        sort_findings(&mut findings);
        Ok(findings)
    }

    /// Puts the checkpoints of all changed accounts into `batch`.
    ///
    /// # Errors
    /// The store failed.
    pub async fn checkpoint(&mut self, batch: &mut WriteBatch) -> Result<usize, StoreError> {
        self.drain().await?;
        let dirty = self.registry.sorted(|slot| matches!(slot, Slot::Awake(a) if a.dirty));
        for account in &dirty {
            if let Some(sealed) = self.take_checkpoint(account).await? {
                batch.put(keys::account(account), sealed.to_vec());
            }
        }
        Ok(dirty.len())
    }

    async fn take_checkpoint(
        &mut self,
        account: &AccountId,
    ) -> Result<Option<Arc<Vec<u8>>>, StoreError> {
        let work = Work {
            batch: Arc::default(),
            tick: None,
            context: Arc::clone(&self.context),
            checkpoint: true,
        };
        let Some(Slot::Awake(awake)) = self.registry.slots.get_mut(account) else {
            return Ok(None);
        };
        let Ok(Ok(reply)) = awake.address.send(work).await else { return Ok(None) };
        let Some(sealed) = reply.checkpoint.map(Arc::new) else { return Ok(None) };
        awake.journal.clear();
        awake.journal_events = 0;
        awake.last_good = Some(Arc::clone(&sealed));
        awake.dirty = false;
        Ok(Some(sealed))
    }

    fn send(
        &mut self,
        account: AccountId,
        batch: Arc<EventBatch>,
        tick: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let Some(awake) = self.wake(&account)? else {
            self.dead_letter(&account, &batch);
            return Ok(());
        };
        if let Some(last) = batch.events.last() {
            awake.last_event = awake.last_event.max(last.watermark);
        }
        awake.dirty = true;
        if !batch.events.is_empty() {
            awake.journal.push(Arc::clone(&batch));
            awake.journal_events += batch.events.len();
        }
        let checkpoint = awake.journal_events >= limits::JOURNAL_EVENTS_MAX;
        let (address, generation) = (awake.address.clone(), awake.generation);
        let context = Arc::clone(&self.context);
        let request = address.send(Work { batch: Arc::clone(&batch), tick, context, checkpoint });
        self.in_flight.push(InFlight { account, generation, batch, tick, request });
        Ok(())
    }

    /// The account's actor, started if it sleeps; `None` in quarantine.
    fn wake(&mut self, account: &AccountId) -> Result<Option<&mut Awake>, StoreError> {
        let asleep = match self.registry.slots.get(account) {
            Some(Slot::Quarantined) => return Ok(None),
            Some(Slot::Awake(_)) => false,
            Some(Slot::Asleep(_)) | None => true,
        };
        if asleep {
            let sealed = self.store.get(&keys::account(account))?.map(Arc::new);
            if sealed.is_some() {
                self.counters.wakes += 1;
            }
            let address = self.start(account, sealed.as_ref().map(|s| s.as_slice()));
            let awake = Awake {
                address,
                last_good: sealed,
                journal: Vec::new(),
                journal_events: 0,
                generation: 0,
                dirty: false,
                last_event: Timestamp::MIN,
                pending: Pending::Nothing,
            };
            self.registry.slots.insert(account.clone(), Slot::Awake(Box::new(awake)));
        }
        match self.registry.slots.get_mut(account) {
            Some(Slot::Awake(awake)) => Ok(Some(awake)),
            _ => Ok(None),
        }
    }

    fn start(&mut self, account: &AccountId, sealed: Option<&[u8]>) -> Addr<AccountActor> {
        let logic = (self.factory)(account, sealed);
        self.next_arbiter = (self.next_arbiter + 1) % self.arbiters.len();
        AccountActor::start_on(&self.arbiters[self.next_arbiter], logic)
    }

    async fn collect(&mut self, pending: Vec<InFlight>) -> Result<(), StoreError> {
        for work in pending {
            let InFlight { account, generation, batch, tick, request } = work;
            match request.await {
                Ok(Ok(reply)) => self.accept(&account, &batch, reply),
                Ok(Err(Panicked)) | Err(_) if self.generation(&account) == Some(generation) => {
                    self.recover(&account, &batch, tick).await?;
                }
                _ => self.send_again(&account, &batch, tick).await?,
            }
        }
        Ok(())
    }

    fn generation(&self, account: &AccountId) -> Option<u32> {
        match self.registry.slots.get(account) {
            Some(Slot::Awake(awake)) => Some(awake.generation),
            _ => None,
        }
    }

    /// A batch that was queued behind a panic goes to the actor's successor.
    async fn send_again(
        &mut self,
        account: &AccountId,
        batch: &Arc<EventBatch>,
        tick: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let Some(Slot::Awake(awake)) = self.registry.slots.get(account) else {
            self.dead_letter(account, batch);
            return Ok(());
        };
        let address = awake.address.clone();
        let work = self.work(batch, tick);
        match address.send(work).await {
            Ok(Ok(reply)) => self.accept(account, batch, reply),
            _ => self.recover(account, batch, tick).await?,
        }
        Ok(())
    }

    fn work(&self, batch: &Arc<EventBatch>, tick: Option<Timestamp>) -> Work {
        Work {
            batch: Arc::clone(batch),
            tick,
            context: Arc::clone(&self.context),
            checkpoint: false,
        }
    }

    fn accept(&mut self, account: &AccountId, batch: &Arc<EventBatch>, reply: Reply) {
        self.note_state(&reply.state);
        if let Some(Slot::Awake(awake)) = self.registry.slots.get_mut(account) {
            awake.pending = reply.outcome.pending;
            if let Some(sealed) = reply.checkpoint {
                awake.checkpointed(Arc::new(sealed), batch);
            }
        }
        self.gather(account, reply.outcome);
    }

    fn note_state(&mut self, state: &AccountState) {
        self.counters.bytes_max = self.counters.bytes_max.max(state.bytes);
    }

    fn gather(&mut self, account: &AccountId, outcome: Outcome) {
        let h = &mut self.harvest;
        h.findings.extend(outcome.findings.into_iter().map(|g| (account.clone(), g)));
        h.contributions
            .extend(outcome.contributions.into_iter().map(|(d, c)| (d, account.clone(), c)));
        h.hours.extend(outcome.hours.into_iter().map(|r| (account.clone(), r)));
    }

    fn take_harvest(&mut self) -> TickHarvest {
        let mut harvest = std::mem::take(&mut self.harvest);
        sort_findings(&mut harvest.findings);
        harvest.contributions.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        harvest.hours.sort_by(|a, b| (&a.0, a.1.hour).cmp(&(&b.0, b.1.hour)));
        harvest
    }

    /// Puts accounts to sleep that have been idle long enough, and the least recently active ones
    /// beyond the bound; never one with open cells, whose findings must not wait for its waking.
    async fn passivate(&mut self, watermark: Timestamp) -> Result<(), StoreError> {
        let idle_since = watermark.plus_ms(-limits::IDLE_HOURS * HOUR_MS);
        let mut quiet: Vec<(Timestamp, AccountId)> = self
            .registry
            .slots
            .iter()
            .filter_map(|(id, slot)| match slot {
                Slot::Awake(a) if a.pending != Pending::Cells => Some((a.last_event, id.clone())),
                _ => None,
            })
            .collect();
        quiet.sort_unstable();
        let excess = self.registry.awake().saturating_sub(self.awake_max);
        let mut batch = WriteBatch::default();
        let mut asleep = Vec::new();
        for (rank, (last_event, account)) in quiet.into_iter().enumerate() {
            if rank >= excess && last_event > idle_since {
                continue;
            }
            let Some(Slot::Awake(awake)) = self.registry.slots.get(&account) else { continue };
            let (dirty, pending) = (awake.dirty, awake.pending);
            if dirty {
                let Some(sealed) = self.take_checkpoint(&account).await? else { continue };
                batch.put(keys::account(&account), sealed.to_vec());
            }
            asleep.push((account, pending));
        }
        self.store.write(batch)?;
        for (account, pending) in asleep {
            let day_end = if let Pending::DayEnd(at) = pending { Some(at) } else { None };
            let slot = self.registry.slots.insert(account, Slot::Asleep(day_end));
            if let Some(Slot::Awake(awake)) = slot {
                // A full mailbox is impossible here: everything was awaited. If the actor is gone
                // already, that is what we want.
                let _ = awake.address.try_send(Retire);
            }
            self.counters.passivations += 1;
        }
        Ok(())
    }

    /// After a panic: a new actor from the last checkpoint, everything since once more; a batch that
    /// panics again is a dead letter.
    async fn recover(
        &mut self,
        account: &AccountId,
        culprit: &Arc<EventBatch>,
        tick: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let now = self.clock.monotonic_ms();
        self.counters.panics += 1;
        AccountPanicked { account }.emit();
        if self.registry.strike(account, now) {
            self.quarantine(account);
            return Ok(());
        }
        if self.redeliver(account, culprit, tick).await?.is_ok() {
            return Ok(());
        }
        self.counters.panics += 1;
        AccountPanicked { account }.emit();
        self.dead_letter(account, culprit);
        if self.registry.strike(account, now) {
            self.quarantine(account);
            return Ok(());
        }
        if let Some(Slot::Awake(awake)) = self.registry.slots.get_mut(account) {
            awake.journal.retain(|b| !Arc::ptr_eq(b, culprit));
        }
        if self.redeliver(account, culprit, None).await?.is_err() {
            self.quarantine(account);
        }
        Ok(())
    }

    /// Rebuilds the actor and delivers the journal again up to `culprit`. Answers to batches before
    /// it were taken in already and are dropped; later ones were queued at the dead actor and come
    /// back by themselves.
    async fn redeliver(
        &mut self,
        account: &AccountId,
        culprit: &Arc<EventBatch>,
        tick: Option<Timestamp>,
    ) -> Result<Result<(), Panicked>, StoreError> {
        let (last_good, journal) = match self.registry.slots.get(account) {
            Some(Slot::Awake(awake)) => (awake.last_good.clone(), awake.journal.clone()),
            _ => return Ok(Ok(())),
        };
        let sealed = match last_good {
            Some(sealed) => Some(sealed),
            None => self.store.get(&keys::account(account))?.map(Arc::new),
        };
        let address = self.start(account, sealed.as_ref().map(|s| s.as_slice()));
        if let Some(Slot::Awake(awake)) = self.registry.slots.get_mut(account) {
            awake.address = address.clone();
            awake.generation += 1;
        }
        let mut delivered = false;
        for batch in &journal {
            delivered = Arc::ptr_eq(batch, culprit);
            if delivered {
                break;
            }
            if !matches!(address.send(self.work(batch, None)).await, Ok(Ok(_))) {
                return Ok(Err(Panicked));
            }
        }
        if delivered || tick.is_some() {
            match address.send(self.work(culprit, tick)).await {
                Ok(Ok(reply)) => self.accept(account, culprit, reply),
                _ => return Ok(Err(Panicked)),
            }
        }
        Ok(Ok(()))
    }

    fn quarantine(&mut self, account: &AccountId) {
        if let Some(Slot::Awake(awake)) =
            self.registry.slots.insert(account.clone(), Slot::Quarantined)
        {
            for batch in &awake.journal {
                self.dead_letter(account, batch);
            }
        }
        self.counters.quarantined += 1;
        AccountQuarantined { account, panics: limits::PANICS_BEFORE_QUARANTINE }.emit();
    }

    fn dead_letter(&mut self, account: &AccountId, batch: &EventBatch) {
        if batch.events.is_empty() {
            return;
        }
        self.counters.dead_letters += batch.events.len() as u64;
        BatchDeadLettered { account, events: batch.events.len() }.emit();
    }
}

fn sort_findings(findings: &mut [(AccountId, Graded)]) {
    findings.sort_by(|(a, x), (b, y)| {
        (x.finding.decided, a, x.finding.kind, x.sequence).cmp(&(
            y.finding.decided,
            b,
            y.finding.kind,
            y.sequence,
        ))
    });
}

/// Groups a chunk by account; stream order inside an account, accounts ascending.
fn group(events: Vec<Routed>) -> Vec<(AccountId, Vec<Routed>)> {
    let mut index: HashMap<AccountId, usize> = HashMap::new();
    let mut groups: Vec<(AccountId, Vec<Routed>)> = Vec::new();
    for routed in events {
        let Some(account) = &routed.event.account else { continue };
        let at = match index.get(account) {
            Some(at) => *at,
            None => {
                index.insert(account.clone(), groups.len());
                groups.push((account.clone(), Vec::new()));
                groups.len() - 1
            }
        };
        groups[at].1.push(routed);
    }
    groups.sort_by(|a, b| a.0.cmp(&b.0));
    groups
}

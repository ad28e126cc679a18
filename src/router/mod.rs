//! account → actor: registry, batching, backpressure, passivation, respawn after a panic,
//! quarantine.
//!
//! One message an account and chunk; the answers of a chunk are awaited before the next but one is
//! sent, so at most two chunks of events are in flight whatever an actor does. `actix` does not
//! bring an actor back after a panic, so the router does: it throws the half-changed model away,
//! builds a new one from the last checkpoint and delivers what came since once more.
use std::collections::VecDeque;
use std::sync::Arc;

use actix::ArbiterHandle;
use actix::dev::Request;

use crate::account::actor::{AccountActor, JudgeOpen, Reply, Work};
use crate::account::logic::AccountLogic;
use crate::account::message::{Context, EventBatch, Graded, Routed};
use crate::ids::AccountId;
use crate::limits;
use crate::store::{StateStore, StoreError};
use crate::telemetry::AccountPanicked;
use crate::time::{Clock, Timestamp};

mod day_ends;
pub mod digests;
mod harvest;
mod passivate;
mod registry;
mod sleepers;
mod supervise;
mod untaught;
pub mod watermark;

pub use harvest::TickHarvest;

use registry::{Delivery, Registry};
use sleepers::Sleepers;

/// Accounts ticked at a time, so that 100,000 sleepers whose day ends are not all awake at once.
const TICKED_AT_ONCE: usize = 1024;

/// Builds an account's logic from its id and its sealed checkpoint, if it has one.
pub type Factory = Arc<dyn Fn(&AccountId, Option<&[u8]>) -> Box<dyn AccountLogic> + Send + Sync>;

/// Counters of the router, for the summary and status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
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
    /// How many answers came with a model of so many KiB, one slot a KiB.
    sizes: Vec<u64>,
}

impl RouterCounters {
    /// Model size that 95 in 100 answers of awake accounts did not pass, bytes, to a KiB upwards.
    pub fn bytes_p95(&self) -> usize {
        let wanted = self.sizes.iter().sum::<u64>().saturating_mul(95).div_ceil(100);
        let mut seen = 0;
        let reached = self.sizes.iter().position(|answers| {
            seen += answers;
            seen >= wanted
        });
        reached.map_or(0, |kib| (kib + 1) << 10)
    }

    fn note_size(&mut self, bytes: usize) {
        self.bytes_max = self.bytes_max.max(bytes);
        let kib = (bytes >> 10).min((4 * limits::ACCOUNT_BYTES_MAX) >> 10);
        if self.sizes.len() <= kib {
            self.sizes.resize(kib + 1, 0);
        }
        self.sizes[kib] += 1;
    }
}

struct InFlight {
    account: AccountId,
    delivery: Delivery,
    request: Request<AccountActor, Work>,
}

/// The router. Its futures are not to be dropped half-way: answers that they wait for would be
/// lost.
pub struct Router {
    registry: Registry,
    arbiters: Vec<ArbiterHandle>,
    next_arbiter: usize,
    factory: Factory,
    sleepers: Sleepers,
    clock: Arc<dyn Clock>,
    context: Arc<Context>,
    in_flight: Vec<InFlight>,
    deliveries: u64,
    harvest: TickHarvest,
    counters: RouterCounters,
    losses: untaught::Losses,
    awake_max: usize,
}

impl Router {
    /// A router over `arbiters`, of which there must be one at least.
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
            sleepers: Sleepers::new(store),
            clock,
            context,
            in_flight: Vec::new(),
            deliveries: 0,
            harvest: TickHarvest::default(),
            counters: RouterCounters::default(),
            losses: untaught::Losses::default(),
            awake_max: limits::AWAKE_ACCOUNTS_MAX,
        }
    }

    /// Sets how many accounts stay awake.
    pub fn set_awake_max(&mut self, awake_max: usize) {
        self.awake_max = awake_max;
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
        self.counters.clone()
    }

    /// Accounts known, and of these awake.
    pub fn population(&self) -> (usize, usize) {
        (self.registry.known, self.registry.awake())
    }

    /// Sends a chunk's events to their accounts and collects the answers of the chunk before.
    ///
    /// # Errors
    /// The store failed while an account was woken or rebuilt.
    pub async fn route(&mut self, events: Vec<Routed>) -> Result<(), StoreError> {
        let before = std::mem::take(&mut self.in_flight);
        for (account, events) in harvest::group(events) {
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
        let due = self.registry.take_due(watermark);
        let empty = Arc::new(EventBatch::default());
        for group in due.chunks(TICKED_AT_ONCE) {
            for account in group {
                self.send(account.clone(), Arc::clone(&empty), Some(watermark))?;
            }
            self.drain().await?;
            self.passivate(watermark).await?;
        }
        if due.is_empty() {
            self.passivate(watermark).await?;
        }
        Ok(std::mem::take(&mut self.harvest).sorted())
    }

    /// Awaits everything in flight.
    ///
    /// # Errors
    /// The store failed.
    pub async fn drain(&mut self) -> Result<(), StoreError> {
        let pending = std::mem::take(&mut self.in_flight);
        self.collect(pending).await
    }

    /// Nothing is in flight, and nothing was said since the last tick.
    ///
    /// # Errors
    /// The store failed.
    pub async fn has_nothing_to_say(&mut self) -> Result<bool, StoreError> {
        self.drain().await?;
        Ok(self.harvest.is_empty())
    }

    /// What was said since the last tick, sorted, without one.
    ///
    /// # Errors
    /// The store failed.
    pub async fn harvest(&mut self) -> Result<TickHarvest, StoreError> {
        self.drain().await?;
        Ok(std::mem::take(&mut self.harvest).sorted())
    }

    /// The findings since the last tick, sorted; what else was said waits for the tick.
    ///
    /// # Errors
    /// The store failed.
    pub async fn findings(&mut self) -> Result<Vec<(AccountId, Graded)>, StoreError> {
        self.drain().await?;
        let mut findings = std::mem::take(&mut self.harvest.findings);
        harvest::sort_findings(&mut findings);
        Ok(findings)
    }

    /// Findings from open cells, judged on copies; nothing changes. An account whose model panics
    /// at it says nothing: it is judged for good when its cells close.
    ///
    /// # Errors
    /// The store failed.
    pub async fn judge_open(&mut self) -> Result<Vec<(AccountId, Graded)>, StoreError> {
        self.wake_unsettled().await?;
        let all = self.registry.sorted(|_| true);
        Ok(self.judge_open_of(all).await)
    }

    /// The same of some accounts, as far as they are awake.
    pub async fn judge_open_of(
        &mut self,
        accounts: impl IntoIterator<Item = AccountId>,
    ) -> Vec<(AccountId, Graded)> {
        let mut findings = Vec::new();
        for account in accounts {
            let Some(awake) = self.registry.awake_mut(&account) else { continue };
            match awake.address.send(JudgeOpen(Arc::clone(&self.context))).await {
                Ok(Ok(graded)) => findings.extend(graded.into_iter().map(|g| (account.clone(), g))),
                _ => {
                    self.counters.panics += 1;
                    AccountPanicked { account: &account }.emit();
                }
            }
        }
        harvest::sort_findings(&mut findings);
        findings
    }

    /// An account's model as it is now, sealed; `None`: it has none.
    ///
    /// # Errors
    /// The store failed.
    pub async fn sealed(&mut self, account: &AccountId) -> Result<Option<Vec<u8>>, StoreError> {
        self.drain().await?;
        if self.registry.awake_mut(account).is_some()
            && let Some(reply) = self.deliver(account, &Delivery::nothing(), true).await
            && let Some(sealed) = reply.checkpoint
        {
            return Ok(Some(sealed));
        }
        Ok(self.sleepers.load(account)?.map(|sealed| sealed.to_vec()))
    }

    /// Messages that were sent and are not answered.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Wakes accounts that an earlier run left with open cells and that had nothing to do since;
    /// those whose cells turn out to be closed sleep again.
    async fn wake_unsettled(&mut self) -> Result<(), StoreError> {
        self.drain().await?;
        for group in self.registry.take_unsettled().chunks(TICKED_AT_ONCE) {
            for account in group {
                self.send(account.clone(), Arc::default(), None)?;
            }
            self.drain().await?;
            self.passivate(Timestamp::MIN).await?;
        }
        Ok(())
    }

    fn send(
        &mut self,
        account: AccountId,
        batch: Arc<EventBatch>,
        tick: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.deliveries += 1;
        let delivery = Delivery { number: self.deliveries, batch, tick };
        let context = Arc::clone(&self.context);
        let Some(awake) = self.wake(&account)? else {
            self.dead_letter(&account, &delivery);
            return Ok(());
        };
        if let Some(last) = delivery.batch.events.last() {
            awake.last_event = awake.last_event.max(last.watermark);
        }
        awake.journal.push(delivery.clone());
        let checkpoint = awake.journal.is_long();
        let work = Work { batch: Arc::clone(&delivery.batch), tick, context, checkpoint };
        let request = awake.address.send(work);
        self.in_flight.push(InFlight { account, delivery, request });
        Ok(())
    }

    /// Awaits answers, oldest first. What waited behind a panic is answered by the account's next
    /// actor, in order and before anything newer is sent to it.
    async fn collect(&mut self, pending: Vec<InFlight>) -> Result<(), StoreError> {
        let mut pending = VecDeque::from(pending);
        while let Some(InFlight { account, delivery, request }) = pending.pop_front() {
            if let Ok(Ok(reply)) = request.await {
                self.accept(&account, delivery.number, reply);
                continue;
            }
            let mut unanswered = VecDeque::from([delivery]);
            pending.retain(|work| keep_others(work, &account, &mut unanswered));
            self.in_flight.retain(|work| keep_others(work, &account, &mut unanswered));
            self.recover(&account, unanswered).await?;
        }
        Ok(())
    }

    /// Takes in the answer to delivery `number`.
    fn accept(&mut self, account: &AccountId, number: u64, reply: Reply) {
        self.note(account, &reply);
        if let (Some(sealed), Some(awake)) = (reply.checkpoint, self.registry.awake_mut(account)) {
            awake.checkpointed(Arc::new(sealed), number);
        }
        self.harvest.gather(account, reply.outcome);
    }

    /// Notes the state that came with an answer, whether what it says is new or not.
    fn note(&mut self, account: &AccountId, reply: &Reply) {
        self.counters.note_size(reply.state.bytes);
        if let Some(awake) = self.registry.awake_mut(account) {
            awake.pending = reply.outcome.pending;
            awake.dirty |= !reply.outcome.idle;
        }
    }
}

/// Keeps what is not for `account`; the rest is unanswered.
fn keep_others(work: &InFlight, account: &AccountId, unanswered: &mut VecDeque<Delivery>) -> bool {
    if work.account != *account {
        return true;
    }
    unanswered.push_back(work.delivery.clone());
    false
}

//! The engine itself.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use actix::{Actor, Addr, Arbiter, ArbiterHandle};

use super::pipeline::{DecodedChunk, Located, Lookups, Pipeline, Producer};
use super::rings::RingWriter;
use super::scheduled::AfterCheckpoint;
use super::summary::Counts;
use super::ticks::{self, LastTick, Tick};
use super::writer::AlertWriter;
use crate::account::message::{Context, Graded, Published, Routed};
use crate::alert::Alert;
use crate::alert::dedup::Lane;
use crate::alert::desk::{DeskActor, DeskTick};
use crate::alert::told::Ledger;
use crate::event::Place;
use crate::fleet::actor::{FleetActor, FleetTick};
use crate::ids::AccountId;
use crate::limits;
use crate::router::digests::Digests;
use crate::router::watermark::Watermark;
use crate::router::{Factory, Router, TickHarvest};
use crate::source::{Progress, RefusedRecord};
use crate::store::schema::{run, told};
use crate::store::sources::{FileKey, Sources};
use crate::store::{StateStore, decisions};
use crate::tenant::actor::{JudgeOpenTenant, Operations, TenantActor, TenantTick};
use crate::tenant::operation::TenantOperation;
use crate::time::{Clock, MINUTE_MS, Timestamp};

mod checkpoint;
pub(super) mod decided;
mod live;

use decided::Decided;
pub use live::Look;

/// A record is late when its cell is closed.
const CELL_MS: i64 = limits::CELL_MINUTES * MINUTE_MS;

/// What a run is asked to do.
#[derive(Clone, Debug)]
pub struct RunOptions {
    /// Records before this are skipped.
    pub from: Timestamp,
    /// Records at or after this are skipped.
    pub until: Timestamp,
    /// Records at or after this have a broken clock and are refused.
    pub not_after: Timestamp,
    /// Findings decided before this teach but raise nothing.
    pub alerts_from: Timestamp,
    /// Decoding threads and arbiters.
    pub threads: usize,
    /// Accounts kept awake.
    pub awake_max: usize,
    /// Records between two checkpoints of everything.
    pub checkpoint_records: u64,
    /// Longest time between two checkpoints while records come, milliseconds of the monotonic
    /// clock.
    pub checkpoint_ms: u64,
    /// What is done right after each of them.
    pub after_checkpoint: Option<AfterCheckpoint>,
}

impl Default for RunOptions {
    fn default() -> Self {
        RunOptions {
            from: Timestamp::MIN,
            until: Timestamp::MAX,
            not_after: Timestamp::MAX,
            alerts_from: Timestamp::MIN,
            threads: 2,
            awake_max: limits::AWAKE_ACCOUNTS_MAX,
            checkpoint_records: 4_000_000,
            checkpoint_ms: 60_000,
            after_checkpoint: None,
        }
    }
}

/// Watches a run: progress bars, log lines.
pub trait Observer {
    /// Called after each chunk.
    fn progress(&mut self, counts: &Counts, progress: &Progress, event_time: Timestamp);
    /// Called for each refused record, with the name of its file.
    fn refused(&mut self, file: &str, record: &RefusedRecord);
    /// A single file could not be read as it should; the run goes on.
    fn warning(&mut self, warning: &str);
    /// Asked after each chunk: end the run here.
    fn stop(&self) -> bool;
}

/// Everything that a run works on.
pub struct Engine {
    router: Router,
    tenant: Addr<TenantActor>,
    fleet: Addr<FleetActor>,
    desk: Addr<DeskActor>,
    decided: Decided,
    store: Arc<dyn StateStore>,
    options: RunOptions,
    watermark: Watermark,
    /// Last tick, and the day it lay in.
    last_tick: LastTick,
    digests: Digests,
    sources: Sources,
    names: BTreeMap<u32, String>,
    pending: Vec<Routed>,
    operations: Vec<(TenantOperation, Timestamp)>,
    rings: RingWriter,
    lookups: Arc<Lookups>,
    ledger: Ledger,
    /// Somebody looks at what is open.
    live: bool,
    /// Accounts with records since the last look, and whether the tenant had some.
    fresh: BTreeSet<AccountId>,
    tenant_fresh: bool,
    /// Alerts are those of history.
    warm_up: bool,
    counts: Counts,
    since_checkpoint: u64,
    clock: Arc<dyn Clock>,
    checkpointed_ms: u64,
    arbiters: Vec<Arbiter>,
}

impl Engine {
    /// An engine that goes on from what `store` holds.
    ///
    /// # Errors
    /// The store failed or holds damaged state.
    pub fn start(
        context: Context,
        factory: Factory,
        store: Arc<dyn StateStore>,
        clock: Arc<dyn Clock>,
        options: RunOptions,
    ) -> anyhow::Result<Engine> {
        let lateness_ms = context.profile.time.lateness_minutes * MINUTE_MS;
        let mut state = run::load(store.as_ref(), lateness_ms)?;
        let decided = decisions::load(store.as_ref())?;
        let context = Context {
            published: Published {
                priors: std::mem::take(&mut state.priors),
                directory: std::mem::take(&mut state.directory),
                lessons: decisions::lessons(&decided),
            },
            ..context
        };
        let rules = context.profile.time.clone();
        let lookups = Lookups::new(&context.intel, options.not_after);
        let arbiters: Vec<Arbiter> = (0..options.threads.max(1)).map(|_| Arbiter::new()).collect();
        let handles: Vec<ArbiterHandle> = arbiters.iter().map(Arbiter::handle).collect();
        let mut router = Router::new(
            handles,
            factory,
            Arc::clone(&store),
            Arc::clone(&clock),
            Arc::new(context),
        );
        router.set_awake_max(options.awake_max);
        router.restore()?;
        Ok(Engine {
            router,
            tenant: TenantActor::new(state.tenant, state.tenant_sequence).start(),
            fleet: FleetActor::new(state.fleet).start(),
            desk: DeskActor::new(state.desk, rules, decided.clone()).start(),
            decided: Decided::of(decided),
            watermark: state.watermark,
            last_tick: state.last_tick,
            digests: state.digests,
            sources: state.sources,
            names: BTreeMap::new(),
            pending: Vec::new(),
            operations: Vec::new(),
            rings: RingWriter::default(),
            lookups,
            ledger: told::load(store.as_ref())?,
            live: false,
            fresh: BTreeSet::new(),
            tenant_fresh: false,
            warm_up: false,
            counts: Counts::default(),
            since_checkpoint: 0,
            checkpointed_ms: clock.monotonic_ms(),
            clock,
            options,
            store,
            arbiters,
        })
    }

    /// Runs a producer's chunks through everything.
    ///
    /// # Errors
    /// Source, store or writer failed.
    pub async fn run(
        &mut self,
        producer: Producer,
        writer: &mut AlertWriter,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()> {
        let mut pipeline = self.pipeline(producer);
        while let Some(chunk) = pipeline.next().await? {
            let progress = chunk.progress;
            self.chunk(chunk, writer, observer).await?;
            // Inside a long hour too, but only where nothing waits for the tick at its end: that
            // would have to be kept as well.
            if self.checkpoint_is_due() && self.router.has_nothing_to_say().await? {
                self.checkpoint(writer).await?;
            }
            observer.progress(&self.counts, &progress, self.watermark.newest());
            if observer.stop() {
                break;
            }
        }
        self.flush().await
    }

    /// Starts to read and decode what `producer` gives.
    pub fn pipeline(&self, producer: Producer) -> Pipeline {
        Pipeline::start(producer, &self.lookups, self.options.threads)
    }

    /// Takes in one chunk.
    ///
    /// # Errors
    /// Store or writer failed.
    pub async fn chunk(
        &mut self,
        chunk: DecodedChunk,
        writer: &mut AlertWriter,
        observer: &mut dyn Observer,
    ) -> anyhow::Result<()> {
        self.watermark.set_frontier(chunk.frontier);
        self.counts.note_chunk(&chunk);
        for note in chunk.files {
            let (key, grown) = note.identity.unwrap_or((FileKey::STDIN, None));
            self.sources.identify(note.index, key, grown, &note.name);
            self.names.insert(note.index, note.name);
        }
        for warning in &chunk.warnings {
            observer.warning(warning);
        }
        for refused in &chunk.refused {
            self.refuse(refused, observer);
        }
        let refused = chunk.refused;
        for located in chunk.events {
            self.take(located, writer).await?;
        }
        // Only now: records of the chunk may lie in front of them.
        for refused in refused {
            self.sources.advance(refused.file, refused.offset);
        }
        for (file, offset) in chunk.skipped {
            self.sources.skip(file, offset);
        }
        self.flush().await
    }

    /// Counts and keeps a refused record, unless an earlier run did.
    fn refuse(&mut self, refused: &RefusedRecord, observer: &mut dyn Observer) {
        if self.sources.is_applied(refused.file, refused.offset) {
            self.counts.applied_before += 1;
            return;
        }
        self.counts.note_refused(refused);
        observer.refused(self.name(refused.file), refused);
    }

    fn name(&self, file: u32) -> &str {
        self.names.get(&file).map_or("-", String::as_str)
    }

    async fn take(&mut self, located: Located, writer: &mut AlertWriter) -> anyhow::Result<()> {
        let Located { event, address, file, offset, len, query } = located;
        if event.time < self.options.from || event.time >= self.options.until {
            self.sources.pass(file, offset);
            self.counts.outside_span += 1;
            return Ok(());
        }
        if self.sources.is_applied(file, offset) {
            self.counts.applied_before += 1;
            return Ok(());
        }
        let digest = event.digest;
        if self.digests.knows(digest, self.watermark.current()) {
            self.sources.advance(file, offset);
            self.counts.duplicates += 1;
            return Ok(());
        }
        let address = self.decided.describe(&event, address);
        self.since_checkpoint += 1;
        let mut observed = self.watermark.clone();
        let watermark = observed.observe(event.time);
        self.tick_if_due(watermark, writer).await?;
        // Only now: a checkpoint at the tick does not hold this record yet, and the run that goes
        // on from it observes the record's time itself.
        self.watermark = observed;
        self.digests.remember(digest);
        self.sources.advance(file, offset);
        let cell = event.time.millis().div_euclid(CELL_MS) * CELL_MS;
        self.counts.late += u64::from(Timestamp(cell + CELL_MS) <= watermark);
        self.counts.note_event(&event);
        let source = self.sources.number(file);
        let place = source.map_or(Place::NOWHERE, |s| Place::new(s, offset, len));
        if let Some(operation) = TenantOperation::of(&event, &address, place) {
            self.operations.push((operation, watermark));
            self.tenant_fresh = true;
        }
        if let Some(account) = &event.account {
            if self.live && !self.fresh.contains(account) {
                self.fresh.insert(account.clone());
            }
            self.pending.push(Routed { event, address, watermark, place, query });
        }
        Ok(())
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        if !self.operations.is_empty() {
            let operations = std::mem::take(&mut self.operations);
            self.tenant.send(Operations { operations }).await?;
        }
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.router.route(pending).await?;
        }
        Ok(())
    }

    async fn tick_if_due(
        &mut self,
        watermark: Timestamp,
        writer: &mut AlertWriter,
    ) -> anyhow::Result<()> {
        match ticks::due(&mut self.last_tick, watermark) {
            Some(Tick { at, midnight }) => self.tick(at, midnight, writer).await,
            None => Ok(()),
        }
    }

    /// One tick: accounts, then tenant and fleet, then the desk; what is published takes effect from
    /// the next message on.
    async fn tick(
        &mut self,
        at: Timestamp,
        midnight: Option<i64>,
        writer: &mut AlertWriter,
    ) -> anyhow::Result<()> {
        self.flush().await?;
        let TickHarvest { findings, contributions, hours } = self.router.tick(at).await?;
        self.counts.account_days += contributions.len() as u64;
        self.rings.take(hours);
        self.rings.spill(self.store.as_ref())?;
        let context = Arc::clone(self.router.context());
        let said =
            self.tenant.send(TenantTick { watermark: at, context: Arc::clone(&context) }).await?;
        let priors = self.fleet.send(FleetTick { contributions, midnight }).await?;
        if priors.is_some() || !said.directories.is_empty() {
            let mut published = context.published.clone();
            if let Some(priors) = priors {
                published.priors.publish(priors.day, Arc::new(priors));
            }
            for directory in said.directories {
                published.directory.publish(directory.day, directory);
            }
            self.router.set_context(Arc::new(Context { published, ..(*context).clone() }));
        }
        let findings = merge(findings, said.findings);
        self.desk(findings, at, false, writer).await?;
        // Right after a tick nothing is in flight between actors, so the cut is consistent.
        if self.checkpoint_is_due() {
            self.checkpoint(writer).await?;
        }
        Ok(())
    }

    async fn desk(
        &mut self,
        mut findings: Vec<(Lane, Graded)>,
        watermark: Timestamp,
        early: bool,
        writer: &mut AlertWriter,
    ) -> anyhow::Result<()> {
        findings.retain(|(_, g)| g.finding.decided >= self.options.alerts_from);
        let alerts = self.desk.send(DeskTick { findings, watermark, early }).await?;
        for alert in alerts {
            if let Some(alert) = self.ledger.definitive(alert) {
                self.tell(alert, writer)?;
            }
        }
        Ok(())
    }

    fn tell(&mut self, alert: Alert, writer: &mut AlertWriter) -> anyhow::Result<()> {
        let alert = Alert { warm_up: self.warm_up, ..alert };
        self.counts.note_alert(&alert);
        Ok(writer.write(&alert)?)
    }

    /// Ends the run: what is open is judged on copies and alerts, but stays open.
    ///
    /// # Errors
    /// Store or writer failed.
    pub async fn finish(&mut self, writer: &mut AlertWriter) -> anyhow::Result<()> {
        self.settle(writer).await?;
        let watermark = self.watermark.current();
        let open = self.router.judge_open().await?;
        let context = Arc::clone(self.router.context());
        let sweeps = self.tenant.send(JudgeOpenTenant(context)).await?;
        self.desk(merge(open, sweeps), watermark, true, writer).await?;
        self.checkpoint(writer).await
    }

    /// Counts so far.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// The router, for its counters and population.
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// The stream's watermark.
    pub fn watermark(&self) -> Timestamp {
        self.watermark.current()
    }

    /// Stops the actors' threads.
    pub fn stop(self) {
        for arbiter in self.arbiters {
            arbiter.stop();
            // An arbiter's thread ends with its loop; a panic there was reported already.
            let _ = arbiter.join();
        }
    }
}

/// Findings of accounts and tenant in one order.
fn merge(accounts: Vec<(AccountId, Graded)>, tenant: Vec<Graded>) -> Vec<(Lane, Graded)> {
    let mut all: Vec<(Lane, Graded)> =
        accounts.into_iter().map(|(_, g)| (Lane::Account, g)).collect();
    all.extend(tenant.into_iter().map(|g| (Lane::Tenant, g)));
    all.sort_by(|(la, a), (lb, b)| {
        let key = |l: &Lane, g: &Graded| {
            (g.finding.decided, g.finding.account.clone(), g.finding.kind, *l, g.sequence)
        };
        key(la, a).cmp(&key(lb, b))
    });
    all
}

//! What makes a run durable.
use std::collections::BTreeMap;

use super::Engine;
use crate::alert::desk::{CopyDesk, TakeTouched};
use crate::evidence::take::{self, Register};
use crate::fleet::actor::{CopyFleet, FleetTick};
use crate::replay::writer::AlertWriter;
use crate::router::digests::Digests;
use crate::store::WriteBatch;
use crate::store::run_state::RunState;
use crate::store::schema::{run, told};
use crate::tenant::actor::CopyTenant;

impl Engine {
    /// Takes in what accounts said since the last tick, so that a checkpoint holds it.
    pub(super) async fn settle(&mut self, writer: &mut AlertWriter) -> anyhow::Result<()> {
        self.flush().await?;
        let waiting = self.router.harvest().await?;
        self.counts.account_days += waiting.contributions.len() as u64;
        self.rings.take(waiting.hours);
        let contributions = waiting.contributions;
        self.fleet.send(FleetTick { contributions, midnight: None }).await?;
        let watermark = self.watermark.current();
        self.desk(super::merge(waiting.findings, Vec::new()), watermark, false, writer).await
    }

    /// By count or by age, never per event.
    pub(super) fn checkpoint_is_due(&self) -> bool {
        let age = self.clock.monotonic_ms().saturating_sub(self.checkpointed_ms);
        self.since_checkpoint >= self.options.checkpoint_records
            || (self.since_checkpoint > 0 && age >= self.options.checkpoint_ms)
    }

    /// Writes everything in one atomic batch and makes alerts and state durable, alerts first.
    pub(super) async fn checkpoint(&mut self, writer: &mut AlertWriter) -> anyhow::Result<()> {
        self.flush().await?;
        let mut batch = WriteBatch::default();
        self.router.checkpoint(&mut batch).await?;
        let (tenant, tenant_sequence) = self.tenant.send(CopyTenant).await?;
        let published = self.router.context().published.clone();
        let mut state = RunState {
            tenant,
            tenant_sequence,
            fleet: self.fleet.send(CopyFleet).await?,
            desk: self.desk.send(CopyDesk).await?,
            priors: published.priors,
            directory: published.directory,
            watermark: self.watermark.clone(),
            last_tick: self.last_tick,
            sources: std::mem::take(&mut self.sources),
            digests: std::mem::replace(&mut self.digests, Digests::new(0)),
        };
        let saved = run::save(&mut state, self.store.as_ref(), &mut batch);
        (self.sources, self.digests) = (state.sources, state.digests);
        saved?;
        self.keep_records(&mut batch).await?;
        self.rings.save(self.store.as_ref(), &mut batch)?;
        self.ledger.forget(self.watermark.current());
        told::save(&mut self.ledger, &mut batch)?;
        writer.save(&mut batch);
        writer.sync()?;
        self.store.write(batch)?;
        self.router.checkpointed()?;
        self.store.flush()?;
        writer.saved();
        if let Some(then) = &self.options.after_checkpoint {
            then.act(self.store.as_ref());
        }
        self.since_checkpoint = 0;
        self.checkpointed_ms = self.clock.monotonic_ms();
        Ok(())
    }

    /// Records of the stories that took findings since the last checkpoint.
    async fn keep_records(&self, batch: &mut WriteBatch) -> anyhow::Result<()> {
        let touched = self.desk.send(TakeTouched).await?;
        if touched.is_empty() {
            return Ok(());
        }
        let mut paths = BTreeMap::new();
        for (index, name) in &self.names {
            if let Some(number) = self.sources.number(*index) {
                paths.insert(number, name.as_str());
            }
        }
        let store = self.store.as_ref();
        let register = Register { sources: &self.sources, paths: &paths, store };
        Ok(take::keep(&touched, &register, batch)?)
    }
}

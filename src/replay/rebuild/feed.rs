//! The records of the fleet's stream as one account sees them.
use std::collections::BTreeSet;

use super::super::engine::decided::Decided;
use super::super::pipeline::{DecodedChunk, Located, Pipeline};
use super::super::rings::RingWriter;
use super::super::ticks::{self, LastTick};
use super::{Base, PRINCIPALS_MAX, Present, RebuildError, Watch};
use crate::account::left_out::{self, LeftOut};
use crate::account::message::{Context, HourRecord, Outcome, Published, Routed};
use crate::account::model::AccountModel;
use crate::baseline::prior::Contribution;
use crate::event::{Event, Place};
use crate::fleet::model::FleetModel;
use crate::ids::AccountId;
use crate::router::digests::Digests;
use crate::router::watermark::Watermark;
use crate::snapshot::archive::Values;
use crate::store::memory::MemoryStore;
use crate::store::sources::{FileKey, Sources};
use crate::store::{StateStore, StoreError, WriteBatch, decisions};
use crate::time::Timestamp;

/// One account's way through the stream.
pub(super) struct Feed {
    pub(super) account: AccountId,
    pub(super) model: AccountModel,
    pub(super) context: Context,
    decided: Decided,
    /// What was left out before, and what is to be left out.
    kept_out: LeftOut,
    pub(super) keep_out: LeftOut,
    /// What the run has applied, what the base had, and what is applied again by now.
    applied: Sources,
    begun: Sources,
    done: Sources,
    watermark: Watermark,
    digests: Digests,
    last_tick: LastTick,
    pending: Vec<Routed>,
    hours: Vec<HourRecord>,
    contributions: Vec<(i64, Contribution)>,
    pub(super) fleet: FleetModel,
    rings: Values,
    pub(super) fed: u64,
    pub(super) left_out: u64,
    pub(super) left_out_now: u64,
    pub(super) principals: BTreeSet<String>,
    /// The logs were read to their end.
    pub(super) ended: bool,
}

impl Feed {
    pub(super) fn new(
        account: &AccountId,
        context: Context,
        base: Base,
        present: &Present,
        [kept_out, keep_out]: [LeftOut; 2],
    ) -> anyhow::Result<Feed> {
        let Base { snapshot, model, run, rings, .. } = base;
        let applied = present.run.sources.clone();
        let Some(done) = applied.rewound_to(&run.sources) else {
            return Err(RebuildError::NotEarlier(snapshot.unwrap_or_default()).into());
        };
        let published = Published {
            priors: present.run.priors.clone(),
            directory: present.run.directory.clone(),
            lessons: decisions::lessons(&present.decided),
        };
        Ok(Feed {
            account: account.clone(),
            model: model.unwrap_or_else(|| AccountModel::new(account.clone())),
            context: Context { published, ..context },
            decided: Decided::of(present.decided.clone()),
            kept_out,
            keep_out,
            applied,
            begun: run.sources,
            done,
            watermark: run.watermark,
            digests: run.digests,
            last_tick: run.last_tick,
            pending: Vec::new(),
            hours: Vec::new(),
            contributions: Vec::new(),
            fleet: run.fleet,
            rings,
            fed: 0,
            left_out: 0,
            left_out_now: 0,
            principals: BTreeSet::new(),
            ended: false,
        })
    }

    pub(super) async fn run(
        &mut self,
        mut pipeline: Pipeline,
        watch: Watch<'_>,
    ) -> anyhow::Result<()> {
        while let Some(chunk) = pipeline.next().await? {
            let progress = chunk.progress;
            self.chunk(chunk);
            watch(&progress, self.fed, self.watermark.newest());
        }
        Ok(())
    }

    fn chunk(&mut self, chunk: DecodedChunk) {
        self.watermark.set_frontier(chunk.frontier);
        for note in chunk.files {
            let (key, grown) = note.identity.unwrap_or((FileKey::STDIN, None));
            for register in [&mut self.applied, &mut self.done] {
                register.identify(note.index, key, grown, &note.name);
            }
        }
        for located in chunk.events {
            self.take(located);
        }
        self.flush();
    }

    /// As the engine takes a record, as far as one account sees it.
    fn take(&mut self, located: Located) {
        let Located { event, address, file, offset, len, query } = located;
        if !self.applied.is_applied(file, offset) || self.done.is_applied(file, offset) {
            return;
        }
        let digest = event.digest;
        let copy = self.digests.knows(digest, self.watermark.current());
        self.done.advance(file, offset);
        if copy {
            return;
        }
        let is_ours = event.account.as_ref() == Some(&self.account);
        if is_ours {
            self.name_principals(&event);
        }
        if is_ours && self.keep_out.covers(&event) {
            // As if it had never come: it does not move the watermark either. A copy of it is one.
            self.digests.remember(digest);
            self.left_out += 1;
            self.left_out_now += u64::from(!self.kept_out.covers(&event));
            return;
        }
        let watermark = self.watermark.observe(event.time);
        if let Some(tick) = ticks::due(&mut self.last_tick, watermark) {
            self.tick(tick.at);
        }
        self.digests.remember(digest);
        if !is_ours {
            return;
        }
        let number = self.applied.number(file);
        let place = number.map_or(Place::NOWHERE, |source| Place::new(source, offset, len));
        let address = self.decided.describe(&event, address);
        self.pending.push(Routed { event, address, watermark, place, query });
    }

    fn name_principals(&mut self, event: &Event) {
        for name in left_out::names(event) {
            if !name.is_empty()
                && self.principals.len() < PRINCIPALS_MAX
                && !self.principals.contains(name)
            {
                self.principals.insert(name.to_owned());
            }
        }
    }

    fn flush(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        if !pending.is_empty() {
            self.fed += pending.len() as u64;
            let outcome = self.model.apply(&pending, &self.context);
            self.hear(outcome);
        }
    }

    fn tick(&mut self, at: Timestamp) {
        self.flush();
        let outcome = self.model.tick(at, &self.context);
        self.hear(outcome);
    }

    /// Its findings were said, or are not to be.
    fn hear(&mut self, outcome: Outcome) {
        self.hours.extend(outcome.hours);
        self.contributions.extend(outcome.contributions);
    }

    /// Comes to where the fleet is, also if the logs end earlier.
    pub(super) fn end(&mut self, last_tick: LastTick) {
        self.ended = true;
        if let Some((number, _)) = last_tick {
            self.tick(ticks::time_of(number));
        }
    }

    pub(super) fn files_missing(&self) -> Vec<u32> {
        self.applied.unmet_since(&self.begun)
    }

    /// The hours for people, as they would stand in the store.
    pub(super) fn hours(&mut self) -> Result<MemoryStore, StoreError> {
        let rings = MemoryStore::default();
        let mut batch = WriteBatch::default();
        std::mem::take(&mut self.rings).into_iter().for_each(|(key, value)| batch.put(key, value));
        rings.write(batch)?;
        let hours = std::mem::take(&mut self.hours);
        let mut writer = RingWriter::default();
        writer.take(hours.into_iter().map(|hour| (self.account.clone(), hour)).collect());
        let mut batch = WriteBatch::default();
        writer.save(&rings, &mut batch)?;
        rings.write(batch)?;
        Ok(rings)
    }

    /// What the population is to know of the account.
    pub(super) fn last_contribution(&mut self) -> Option<(i64, Contribution)> {
        let said = std::mem::take(&mut self.contributions).into_iter();
        let said = said.map(|(day, contribution)| (day, self.account.clone(), contribution));
        self.fleet.contribute(said.collect());
        self.fleet.last_of(&self.account)
    }
}

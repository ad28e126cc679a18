//! One account's model built again: from a snapshot or from nothing, and then from those records of
//! the logs that the run has applied since, less what is left out.
//!
//! There is no second path. Records come through the pipeline, the watermark is observed over the
//! whole fleet's stream as the run observed it, copies are recognised as it recognised them, ticks
//! are held at the same moments, and the model's own `apply` and `tick` do the rest, with the priors
//! and directories that were published then. Findings are dropped: they were said. So the account
//! ends where the fleet is, and with nothing left out as the model that was there, to the byte.
use std::collections::BTreeSet;
use std::sync::Arc;

use super::pipeline::{Lookups, Pipeline, Producer};
use crate::account::left_out::{LeftOut, Part, Why};
use crate::account::message::Context;
use crate::account::model::AccountModel;
use crate::fleet::model::FleetModel;
use crate::ids::AccountId;
use crate::source::Progress;
use crate::store::memory::MemoryStore;
use crate::store::schema::{account, left_out, run};
use crate::store::untaught::{self, Untaught};
use crate::store::{StateStore, StoreError, WriteBatch, keys};
use crate::time::Timestamp;

mod base;
mod feed;

pub use base::{Base, Present};
use feed::Feed;

/// Names of principals that are remembered while logs are read.
pub const PRINCIPALS_MAX: usize = 4096;

/// What to rebuild.
pub struct Order {
    /// Whose model.
    pub account: AccountId,
    /// Settings and lookups, as the run had them.
    pub context: Context,
    /// From where.
    pub base: Base,
    /// To leave out besides what was left out before.
    pub leave_out: Option<Part>,
    /// Logs to feed; `None`: the base is what is wanted, and nothing of what came since.
    pub logs: Option<Producer>,
    /// Decoding threads.
    pub threads: usize,
    /// Records at or after this have a broken clock.
    pub not_after: Timestamp,
}

/// What came of it. Nothing is written yet.
#[derive(Debug)]
pub struct Rebuilt {
    /// The account.
    pub account: AccountId,
    /// The model as it was.
    pub before: Option<AccountModel>,
    /// The model as it is to be.
    pub model: AccountModel,
    /// Records that were fed.
    pub fed: u64,
    /// Records that were left out.
    pub left_out: u64,
    /// Of these, those that nothing had left out before.
    pub left_out_now: u64,
    /// Parts that were left out before and that the base may know.
    pub known_again: usize,
    /// Records that came to the account and were not in the logs.
    pub missing: u64,
    /// Register numbers of files that were read since and were not given.
    pub files_missing: Vec<u32>,
    /// Who did something to the account in the logs, by object id and by name; at most
    /// [`PRINCIPALS_MAX`].
    pub principals: BTreeSet<String>,
    /// Event time that the model does not know any more; `None` if it knows all but what is left out.
    pub unknown: Option<(Timestamp, Timestamp)>,
    keep_out: LeftOut,
    untaught: Untaught,
    rings: MemoryStore,
    fleet: FleetModel,
}

/// Called as the reading goes on: how far, records fed, event time.
pub type Watch<'a> = &'a mut dyn FnMut(&Progress, u64, Timestamp);

/// Why a model cannot be rebuilt.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// It is the state of another stream, or of a later moment.
    #[error(
        "`{0}` is no earlier state of this data directory: it has read files that this one has not, or has read them further; choose a snapshot made of it, or restore that one whole with `cosmoguard snapshot restore`"
    )]
    NotEarlier(String),
    /// Too many parts.
    #[error(
        "{0} parts are left out of this account already, and there is no room for more: restore a snapshot from before them, or forget one long span"
    )]
    TooManyParts(usize),
}

/// Builds the model. Reads only.
///
/// # Errors
/// The base is not an earlier state, or the logs cannot be read.
pub fn rebuild(order: Order, present: Present, watch: Watch<'_>) -> anyhow::Result<Rebuilt> {
    let Order { account, context, base, leave_out, logs, threads, not_after } = order;
    if !present.follows(&base) {
        return Err(RebuildError::NotEarlier(base.snapshot.unwrap_or_default()).into());
    }
    let since = base.newest();
    let came = present.records().map(|all| all.saturating_sub(base.records()));
    let mut keep_out = present.left_out.clone();
    let unknown = (logs.is_none() && came != Some(0)).then(|| (since, present.newest()));
    if logs.is_some() && leave_out.is_none() {
        let parts = &base.left_out.parts;
        keep_out.parts.retain(|part| part.why == Why::Forgotten || parts.contains(part));
    }
    let known_again = base.knows_of(&keep_out);
    let untaught = base.untaught;
    let before = keep_out.clone();
    let part = leave_out.or_else(|| unknown.map(reverted_part));
    if part.is_some_and(|part| !keep_out.add(part)) {
        return Err(RebuildError::TooManyParts(keep_out.parts.len()).into());
    }
    let mut feed = Feed::new(&account, context, base, &present, [before, keep_out])?;
    if let Some(logs) = logs {
        let intel = Arc::clone(&feed.context.intel);
        actix::System::new().block_on(async {
            let lookups = Lookups::new(&intel, not_after);
            feed.run(Pipeline::start(logs, &lookups, threads), watch).await
        })?;
        feed.end(present.run.last_tick);
    }
    let mut rebuilt = finish(feed, present, came, untaught)?;
    (rebuilt.unknown, rebuilt.known_again) = (unknown, known_again);
    Ok(rebuilt)
}

/// What came of it. `came`: records that came to the account since, as far as that is known.
/// `untaught`: what the base had not learnt; what came since is learnt now.
fn finish(
    mut feed: Feed,
    mut present: Present,
    came: Option<u64>,
    untaught: Untaught,
) -> anyhow::Result<Rebuilt> {
    let found = feed.fed + feed.left_out;
    let rings = feed.hours()?;
    let said = feed.last_contribution();
    present.run.fleet.replace(&feed.account, said);
    let files_missing = if feed.ended { feed.files_missing() } else { Vec::new() };
    let missing = if feed.ended { came.unwrap_or(found).saturating_sub(found) } else { 0 };
    let Feed { account, mut model, mut keep_out, fed, left_out, left_out_now, principals, .. } =
        feed;
    // What the desk has seen must not come again under its number.
    model.sequence = model.sequence.max(present.sequence(&account));
    keep_out.records = present.records().map_or(left_out, |all| all.saturating_sub(model.records));
    Ok(Rebuilt {
        account,
        before: present.model,
        model,
        fed,
        left_out,
        left_out_now,
        known_again: 0,
        missing,
        files_missing,
        principals,
        unknown: None,
        keep_out,
        untaught,
        rings,
        fleet: present.run.fleet,
    })
}

impl Rebuilt {
    /// The model is what it was.
    pub fn is_same(&self) -> bool {
        self.before.as_ref() == Some(&self.model)
    }

    /// Puts the model, its hours, what is left out and the account's word to the population in
    /// place, all or nothing, and makes it durable.
    ///
    /// # Errors
    /// The store failed; nothing is changed then.
    pub fn save(&self, store: &dyn StateStore) -> Result<(), StoreError> {
        let key = keys::account(&self.account);
        let too_large = |cause| {
            let key = String::from_utf8_lossy(&key).into_owned();
            StoreError::Damaged { key, cause }
        };
        let sealed = account::seal(&self.model).map_err(too_large)?;
        let mut batch = WriteBatch::default();
        batch.put(key.clone(), sealed);
        batch.delete(keys::staged(&self.account));
        // Without it the next run looks at every account, and at this one.
        batch.delete(keys::due());
        let hours = keys::rings(&self.account);
        store.scan(&hours, &mut |key, _| {
            batch.delete(key.to_vec());
            true
        })?;
        self.rings.scan(&hours, &mut |key, value| {
            batch.put(key.to_vec(), value.to_vec());
            true
        })?;
        left_out::save(&self.keep_out, &self.account, &mut batch)?;
        untaught::save(&self.account, &self.untaught, &mut batch)?;
        run::put_fleet(&mut batch, &self.fleet)?;
        store.write(batch)?;
        store.flush()
    }
}

fn reverted_part((since, newest): (Timestamp, Timestamp)) -> Part {
    Part { from: since, until: newest.plus_ms(1), principal: None, why: Why::Reverted }
}

//! What a shell needs of an account's model, so that tests can bring slow and panicking ones.
use serde::Serialize;

use super::message::{Context as AccountContext, EventBatch, Graded, Outcome};
use crate::time::Timestamp;

/// What the shell needs of a model. The production one is [`super::model::AccountModel`]; tests
/// bring slow and panicking ones.
pub trait AccountLogic: Send {
    /// Applies a batch.
    fn apply(&mut self, batch: &EventBatch, context: &AccountContext) -> Outcome;
    /// Moves on to `watermark`.
    fn tick(&mut self, watermark: Timestamp, context: &AccountContext) -> Outcome;
    /// Judges what is open, on a copy.
    fn judge_open(&self, context: &AccountContext) -> Vec<Graded>;
    /// The sealed checkpoint; `None` if the model cannot be sealed, which is logged.
    fn checkpoint(&self) -> Option<Vec<u8>>;
    /// A small picture of the state.
    fn state(&self) -> AccountState;
}

/// The observable state of an account actor.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct AccountState {
    /// Records applied.
    pub records: u64,
    /// Of these, late ones.
    pub late_records: u64,
    /// Open minute cells.
    pub open_cells: usize,
    /// Bytes the model takes, heap included.
    pub bytes: usize,
    /// Last sequence number given out.
    pub sequence: u64,
}

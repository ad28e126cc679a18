//! What the service shows of itself. The engine's thread writes it after each chunk and each
//! checkpoint; anybody reads it, without waiting for the engine.
use std::sync::{PoisonError, RwLock};

use crate::fleet::silence::Alarm;
use crate::replay::summary::Counts;
use crate::router::RouterCounters;
use crate::source::inbox;
use crate::time::Timestamp;

/// What the service is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// The store is opened, repaired if it must be.
    #[default]
    Opening,
    /// History is replayed before live records are taken.
    Warming,
    /// It takes records and raises alerts.
    Running,
    /// It was told to stop: what was accepted is applied and made durable.
    Draining,
}

impl Phase {
    /// One word for status and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Phase::Opening => "opening",
            Phase::Warming => "warming",
            Phase::Running => "running",
            Phase::Draining => "draining",
        }
    }
}

/// One source of records.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SourceStatus {
    /// A folder as it was given, or `inbox`, or `demo`.
    pub name: String,
    /// `folder`, `inbox`, `demo`.
    pub kind: &'static str,
    /// Files seen.
    pub files: u64,
    /// Bytes read, as they lie on the disk.
    pub bytes_read: u64,
    /// Bytes known to be there that are not read yet.
    pub bytes_behind: u64,
    /// Records taken in.
    pub records: u64,
    /// Records refused.
    pub refused: u64,
    /// Event time of the newest record.
    pub newest: Option<Timestamp>,
    /// Wall clock when the last record came.
    pub last_record: Option<Timestamp>,
    /// What went wrong last, and when by the wall clock.
    pub last_error: Option<(Timestamp, String)>,
}

/// What is on the board.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// What it is doing.
    pub phase: Phase,
    /// Share of the history that is replayed, 0 to 1, and seconds it may still take, while warming.
    pub warming: Option<(f64, u64)>,
    /// Everything before this event time is judged for good.
    pub watermark: Option<Timestamp>,
    /// Newest event time seen.
    pub newest: Option<Timestamp>,
    /// What was counted since the start.
    pub counts: Counts,
    /// The router's counters since the start.
    pub router: RouterCounters,
    /// Accounts known, and how many of them are awake.
    pub accounts: (usize, usize),
    /// Messages that wait in the fullest mailbox.
    pub mailbox_depth: usize,
    /// Wall clock of the last checkpoint.
    pub checkpointed: Option<Timestamp>,
    /// Bytes of the store's files.
    pub store_bytes: u64,
    /// The sources.
    pub sources: Vec<SourceStatus>,
    /// The inbox.
    pub inbox: inbox::Status,
    /// What had to be repaired at the opening: the rung and the reasons.
    pub recovery: Option<(String, Vec<String>)>,
    /// Logs that used to come and come no more; the first of them.
    pub silences: Vec<Alarm>,
    /// Why the engine ended, if it did although nobody told it to.
    pub failed: Option<String>,
}

/// The board.
#[derive(Debug, Default)]
pub struct Board(RwLock<Status>);

impl Board {
    /// A copy of what is on it.
    pub fn read(&self) -> Status {
        // Nobody leaves it half written.
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
    /// What it is doing.
    pub fn phase(&self) -> Phase {
        self.0.read().unwrap_or_else(PoisonError::into_inner).phase
    }
    /// Changes it.
    pub fn write(&self, change: impl FnOnce(&mut Status)) {
        change(&mut self.0.write().unwrap_or_else(PoisonError::into_inner));
    }
}

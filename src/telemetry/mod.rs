//! What the program says of itself: one struct an occurrence, whose `emit` logs it. Levels: error =
//! lost data or needs a person, warn = unexpected but recovered, info = confirms an act. Never
//! keys, tokens or query text.
use crate::ids::AccountId;

/// An account's model panicked; it is rebuilt from its last checkpoint.
pub struct AccountPanicked<'a> {
    /// Which.
    pub account: &'a AccountId,
}

impl AccountPanicked<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::warn!(account_id = %self.account, "account model panicked, rebuilding it from its last checkpoint");
    }
}

/// An account panicked too often and is set aside.
pub struct AccountQuarantined<'a> {
    /// Which.
    pub account: &'a AccountId,
    /// How many panics.
    pub panics: usize,
}

impl AccountQuarantined<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::error!(account_id = %self.account, panics = self.panics, "account quarantined, its events are set aside");
    }
}

/// Events were set aside unapplied.
pub struct BatchDeadLettered<'a> {
    /// Whose.
    pub account: &'a AccountId,
    /// How many.
    pub events: usize,
}

impl BatchDeadLettered<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::error!(account_id = %self.account, events = self.events, "events set aside unapplied");
    }
}

/// Logs that used to come come no more, or come again.
pub struct LogSilence<'a> {
    /// `source`, `together`, `account`, `category`.
    pub scope: &'static str,
    /// The account, or the first of several.
    pub account: &'a str,
    /// How many.
    pub accounts: usize,
    /// Category, or empty.
    pub category: &'static str,
    /// Since when.
    pub since: &'a str,
    /// They are back.
    pub is_over: bool,
}

impl LogSilence<'_> {
    /// Logs it.
    pub fn emit(&self) {
        let LogSilence { scope, account, accounts, category, since, is_over } = *self;
        if is_over {
            tracing::info!(scope, account, accounts, category, since, "logs are back");
        } else {
            tracing::warn!(scope, account, accounts, category, since, "logs fell silent");
        }
    }
}

/// A file could not be read to its end; the run goes on.
pub struct SourceWarned<'a> {
    /// What and where.
    pub message: &'a str,
}

impl SourceWarned<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::warn!(detail = self.message, "source");
    }
}

/// A model could not be sealed; its last checkpoint stays.
pub struct CheckpointRefused<'a> {
    /// Whose.
    pub account: &'a AccountId,
    /// Why.
    pub cause: &'a dyn std::error::Error,
}

impl CheckpointRefused<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::error!(account_id = %self.account, cause = %self.cause, "checkpoint refused, the last one stays");
    }
}

/// A stored model does not open; the account starts afresh.
pub struct CheckpointDamaged<'a> {
    /// Whose.
    pub account: &'a AccountId,
    /// What is wrong with it.
    pub cause: &'a dyn std::error::Error,
}

impl CheckpointDamaged<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::error!(account_id = %self.account, cause = %self.cause, "stored model does not open, the account learns afresh");
    }
}

/// A run is over.
pub struct ModelsMeasured {
    /// Bytes that 95 in 100 answers of awake models did not pass.
    pub p95: usize,
    /// Bytes of the largest one.
    pub most: usize,
}

impl ModelsMeasured {
    /// Logs it.
    pub fn emit(&self) {
        tracing::info!(p95 = self.p95, most = self.most, "bytes of awake models");
    }
}

/// A damaged store was opened; what was done is in `recovery.jsonl`.
pub struct StateRecovered<'a> {
    /// How far down the ladder.
    pub rung: &'a str,
    /// What was wrong.
    pub why: &'a str,
    /// Accounts whose model is not what it was.
    pub accounts: usize,
}

impl StateRecovered<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::warn!(
            rung = self.rung,
            why = self.why,
            accounts = self.accounts,
            "damaged state recovered"
        );
    }
}

/// A store was rewritten because its files had grown.
pub struct StateCompacted {
    /// Bytes on disk before.
    pub before: u64,
    /// Bytes on disk after.
    pub after: u64,
}

impl StateCompacted {
    /// Logs it.
    pub fn emit(&self) {
        tracing::info!(before = self.before, after = self.after, "state compacted");
    }
}

/// The service made everything durable.
pub struct ServiceCheckpointed {
    /// Events applied since it started.
    pub events: u64,
    /// Bytes of the inbox given back.
    pub released: u64,
}

impl ServiceCheckpointed {
    /// Logs it.
    pub fn emit(&self) {
        tracing::debug!(events = self.events, released = self.released, "checkpoint");
    }
}

/// The service was told to stop, and is done.
pub struct ServiceDrained {
    /// Events applied since it started.
    pub events: u64,
    /// How long its last verdicts and its last checkpoint took, milliseconds.
    pub took_ms: u64,
}

impl ServiceDrained {
    /// Logs it.
    pub fn emit(&self) {
        tracing::info!(events = self.events, took_ms = self.took_ms, "service drained");
    }
}

/// The service ended although nobody told it to.
pub struct ServiceFailed<'a> {
    /// Why.
    pub cause: &'a str,
}

impl ServiceFailed<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::error!(
            cause = self.cause,
            "service ended by itself, state is at its last checkpoint"
        );
    }
}

/// The configuration was read once more.
pub struct ConfigReloaded<'a> {
    /// Why it is not in use; `None`: it is.
    pub refused: Option<&'a str>,
}

impl ConfigReloaded<'_> {
    /// Logs it.
    pub fn emit(&self) {
        match self.refused {
            Some(cause) => tracing::error!(cause, "configuration refused, the one before stays"),
            None => tracing::info!("configuration reloaded"),
        }
    }
}

/// A list of addresses was not refreshed; the last good one stays in use.
pub struct FeedRefused<'a> {
    /// Its name.
    pub feed: &'a str,
    /// Why.
    pub cause: &'a str,
}

impl FeedRefused<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::warn!(feed = self.feed, cause = self.cause, "feed not refreshed");
    }
}

/// An inbox was not left in good order.
pub struct InboxRecovered {
    /// Bytes of a batch that was never accepted, cut off.
    pub cut_bytes: u64,
    /// Damaged places, whose batches are lost.
    pub damaged: u64,
}

impl InboxRecovered {
    /// Logs it.
    pub fn emit(&self) {
        let (cut_bytes, damaged) = (self.cut_bytes, self.damaged);
        if damaged > 0 {
            tracing::error!(cut_bytes, damaged, "inbox is damaged, what is whole is read");
        } else {
            tracing::warn!(cut_bytes, "inbox ended inside of a batch, which was never accepted");
        }
    }
}

/// The disk under an inbox failed; senders were told.
pub struct InboxRefused<'a> {
    /// How many batches.
    pub batches: usize,
    /// Why.
    pub cause: &'a dyn std::error::Error,
}

impl InboxRefused<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::error!(batches = self.batches, cause = %self.cause, "batches refused");
    }
}

/// A request was refused for a reason that is not the asker's.
pub struct RequestFailed<'a> {
    /// Why.
    pub cause: &'a str,
}

impl RequestFailed<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::error!(cause = self.cause, "a request could not be answered");
    }
}

/// The audit log is not what was written; what can be read of it counts.
pub struct AuditBroken<'a> {
    /// Where and how.
    pub cause: &'a str,
}

impl AuditBroken<'_> {
    /// Logs it.
    pub fn emit(&self) {
        tracing::error!(cause = self.cause, "the audit log was changed");
    }
}

//! Decisions on alerts: kept in the audit log, read from there at the start, and taken back within
//! ten minutes by whoever holds the word for it.
use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;

use super::Shared;
use super::problem::Problem;
use super::tokens::random_hex;
use crate::alert::AlertId;
use crate::alert::book::{Decision, Status, Verdict};
use crate::alert::rules::Ruling;
use crate::inquiry::status::{self, ACTION};
use crate::store::audit::{self, AuditError};
use crate::store::keys;
use crate::store::layout::DataDir;
use crate::time::{MINUTE_MS, Timestamp};
use actix_web::http::StatusCode;

/// How long a decision can be taken back, milliseconds.
pub const UNDO_MS: i64 = 10 * MINUTE_MS;
/// Words that are remembered at a time.
const UNDO_MAX: usize = 10_000;

/// One entry at a time: it follows the one before.
static WRITING: Mutex<()> = Mutex::new(());

/// Reads what was decided into the book.
pub(super) fn load(shared: &Shared) -> Result<(), AuditError> {
    let dir = DataDir::new(&shared.data_dir);
    for (id, decision) in status::all(&dir)? {
        shared.book.decide(id, decision);
    }
    Ok(())
}

/// What is decided.
pub(super) struct Wish {
    pub(super) id: AlertId,
    pub(super) by: String,
    pub(super) role: &'static str,
    pub(super) status: Status,
    pub(super) reason: String,
    pub(super) verdict: Option<Verdict>,
    /// It takes this one back; it must be the newest.
    pub(super) undoes: Option<u64>,
}

/// Writes a decision down and puts it into the book. Blocks for the disk.
///
/// # Errors
/// 409 where another decision came between; 503 where it cannot be written down.
pub(super) fn decide(shared: &Shared, wish: Wish) -> Result<Decision, Problem> {
    let _one_at_a_time = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    let (was, newest) = {
        let book = shared.book.read();
        let entry = book.get(wish.id);
        let newest = entry.and_then(|entry| entry.decisions.last().map(|d| d.number));
        (entry.map_or(Status::Active, |entry| entry.status()), newest)
    };
    if wish.undoes.is_some() && wish.undoes != newest {
        let detail = "somebody decided on the alert since; look at it again";
        return Err(Problem::new(StatusCode::CONFLICT, detail));
    }
    let details = json!({
        "alert": wish.id.to_string(),
        "by": wish.by,
        "role": wish.role,
        "was": was.as_str(),
        "status": wish.status.as_str(),
        "reason": wish.reason,
        "verdict": wish.verdict.map(Verdict::as_str),
        "undoes": wish.undoes,
    });
    let dir = DataDir::new(&shared.data_dir);
    let now = shared.clock.now();
    let entry = audit::append(&dir, now, ACTION, details).map_err(|error| {
        crate::telemetry::RequestFailed { cause: &error.to_string() }.emit();
        Problem::unavailable("the decision cannot be written down, so it was not taken")
    })?;
    let decision = Decision {
        number: entry.number,
        // As it is read at the next start.
        at: Timestamp::parse(&entry.time).unwrap_or(now),
        by: wish.by,
        status: wish.status,
        reason: wish.reason,
        verdict: wish.verdict,
        undoes: wish.undoes,
    };
    shared.book.decide(wish.id, decision.clone());
    tell(shared, wish.id, &decision);
    Ok(decision)
}

/// Those who were told of the alert are told how it was decided.
fn tell(shared: &Shared, id: AlertId, decision: &Decision) {
    let Some(sinks) = &shared.sinks else { return };
    let number = shared.book.read().get(id).map(|entry| entry.newest().number);
    // A line that cannot be read now is no reason to refuse a decision that is written down.
    let line = number.and_then(|number| shared.store.get(&keys::alert(number)).ok().flatten());
    if let Some(line) = line {
        sinks.status_changed(&line, decision.status.as_str(), &decision.reason);
    }
}

/// What a verdict decided in the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ruled {
    /// Number of the decision.
    pub(super) number: u64,
    /// What was said before.
    pub(super) before: Option<Ruling>,
}

/// Where an alert stood before a decision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Before {
    /// Its status.
    pub(super) was: Status,
    /// What it was said to be.
    pub(super) verdict: Option<Verdict>,
    /// What the decision ruled.
    pub(super) ruled: Option<Ruled>,
}

/// What a word takes back.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Undoable {
    pub(super) id: AlertId,
    /// The decision.
    pub(super) number: u64,
    /// Where the alert stood before.
    pub(super) before: Before,
    ends: Timestamp,
}

/// Words that take decisions back. They live as long as the process.
#[derive(Default)]
pub(super) struct Undo(Mutex<BTreeMap<String, Undoable>>);

impl Undo {
    /// A word for a decision made `now`.
    pub(super) fn word(
        &self,
        (id, number): (AlertId, u64),
        before: Before,
        now: Timestamp,
    ) -> Result<String, Problem> {
        let word = random_hex().map_err(|e| Problem::unavailable(e.to_string()))?;
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        words.retain(|_, undoable| undoable.ends > now);
        if words.len() >= UNDO_MAX {
            words.pop_first();
        }
        let ends = now.plus_ms(UNDO_MS);
        words.insert(word.clone(), Undoable { id, number, before, ends });
        Ok(word)
    }

    /// What the word takes back; it is good for one use.
    pub(super) fn take(&self, word: &str, id: AlertId, now: Timestamp) -> Option<Undoable> {
        let mut words = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let good = words.get(word).is_some_and(|u| u.id == id && u.ends > now);
        if good { words.remove(word) } else { None }
    }
}

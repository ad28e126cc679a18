//! What people said of alerts to the service, as the audit log keeps it.
use serde_json::Value;

use crate::alert::AlertId;
use crate::alert::book::{Decision, Status, Verdict};
use crate::store::audit::{self, AuditError, Entry};
use crate::store::layout::DataDir;
use crate::time::Timestamp;

/// The action of such an entry.
pub const ACTION: &str = "alert status";

/// Everything that was said, oldest first. A log that was altered is said to be, and read as far as
/// it can be: a decision that is lost would be worse.
///
/// # Errors
/// The log cannot be read.
pub fn all(dir: &DataDir) -> Result<Vec<(AlertId, Decision)>, AuditError> {
    let entries = match audit::read(dir) {
        Ok(entries) => entries,
        Err(broken @ AuditError::Broken { .. }) => {
            crate::telemetry::AuditBroken { cause: &broken.to_string() }.emit();
            audit::read_unchecked(dir)?
        }
        Err(error) => return Err(error),
    };
    Ok(entries.iter().filter(|entry| entry.action == ACTION).filter_map(decision).collect())
}

fn decision(entry: &Entry) -> Option<(AlertId, Decision)> {
    let text = |name: &str| entry.details.get(name).and_then(Value::as_str);
    let decision = Decision {
        number: entry.number,
        at: Timestamp::parse(&entry.time)?,
        by: text("by").unwrap_or_default().to_owned(),
        status: Status::parse(text("status")?)?,
        reason: text("reason").unwrap_or_default().to_owned(),
        verdict: text("verdict").and_then(Verdict::parse),
        undoes: entry.details.get("undoes").and_then(Value::as_u64),
    };
    Some((AlertId::parse(text("alert")?)?, decision))
}

//! What people change by hand is noted before it is done and after, so that a process that is killed
//! in between leaves a trace, and whoever opens the directory next says what came of it.
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::style::{say, visible};
use crate::account::model::AccountModel;
use crate::ids::AccountId;
use crate::snapshot::Found;
use crate::store::audit::{self, AuditError, Entry, Stage};
use crate::store::layout::DataDir;
use crate::store::schema::account;
use crate::store::{StateStore, StoreError, decisions, keys};
use crate::time::Timestamp;

/// Notes what is about to be done; returns the number of the entry.
///
/// # Errors
/// The log cannot be read or written: then it must not be done.
pub fn begin(
    dir: &DataDir,
    now: Timestamp,
    action: &str,
    details: Value,
) -> Result<u64, AuditError> {
    Ok(audit::append_stage(dir, now, action, Stage::Begun, details)?.number)
}

/// Notes that what entry `begun` began is done.
///
/// # Errors
/// The log cannot be read or written; the next command to open the directory notes it.
pub fn done(
    dir: &DataDir,
    now: Timestamp,
    action: &str,
    begun: u64,
    mut details: Value,
) -> Result<Entry, AuditError> {
    if let Some(details) = details.as_object_mut() {
        details.insert("begun".to_owned(), json!(begun));
    }
    audit::append_stage(dir, now, action, Stage::Done, details)
}

/// What tells a model that is in place from one that is not.
pub fn digest(model: Option<&AccountModel>) -> Option<String> {
    model.and_then(|model| account::seal(model).ok()).map(|sealed| sum(&sealed))
}

fn sum(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Ends an entry that was begun by a process that did not live to end it, and says so. `found` is
/// what a restore left. A log that cannot be written is said to be so, and is tried again by the
/// next command.
pub fn settle(dir: &DataDir, found: &Found, store: &dyn StateStore, now: Timestamp) {
    let ended = audit::unfinished(dir).map_err(|e| e.to_string()).and_then(|begun| {
        let Some(begun) = begun else { return Ok(()) };
        end(dir, &begun, found, store, now)
    });
    if let Err(cause) = ended {
        say(&format!("warning: {}", visible(&cause)));
    }
}

fn end(
    dir: &DataDir,
    begun: &Entry,
    found: &Found,
    store: &dyn StateStore,
    now: Timestamp,
) -> Result<(), String> {
    let decision = begun.details.get("decision").and_then(Value::as_u64);
    let took_effect = if let Some(number) = decision {
        Some(decisions::is_recorded(store, number).map_err(|e| e.to_string())?)
    } else if begun.details.get("model_after_sha256").is_some() {
        model_is_there(begun, store).map_err(|e| e.to_string())?
    } else {
        Some(!matches!(found, Found::Remains(_)))
    };
    let mut details = begun.details.clone();
    if let Some(details) = details.as_object_mut() {
        details.insert("begun".to_owned(), json!(begun.number));
        details.insert("took_effect".to_owned(), json!(took_effect));
    }
    let entry = audit::append_stage(dir, now, &begun.action, Stage::Interrupted, details)
        .map_err(|e| e.to_string())?;
    let came = match took_effect {
        Some(true) => "it had taken effect",
        Some(false) => "it had changed nothing",
        None => "the model has changed since, so whether it took effect cannot be told",
    };
    let of = ["account", "snapshot"].iter().find_map(|name| begun.details.get(name)?.as_str());
    let of = of.map_or_else(String::new, |of| format!(" of {}", visible(of)));
    say(&format!(
        "the {}{of} of {} was killed before it was noted as done: {came}; audit.jsonl has that as entry {}",
        visible(&begun.action),
        visible(&begun.time),
        entry.number
    ));
    Ok(())
}

/// The model that was to be put in place is there; `None`: neither that nor the one before.
fn model_is_there(begun: &Entry, store: &dyn StateStore) -> Result<Option<bool>, StoreError> {
    let said = |name: &str| begun.details.get(name).and_then(Value::as_str);
    let Some(account) = said("account") else { return Ok(None) };
    let there = store.get(&keys::account(&AccountId::parse(account)))?.map(|sealed| sum(&sealed));
    Ok(if there.as_deref() == said("model_after_sha256") {
        Some(true)
    } else if there.as_deref() == said("model_before_sha256") {
        Some(false)
    } else {
        None
    })
}

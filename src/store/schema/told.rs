//! Persisted form of what was told of alerts.
use serde::{Deserialize, Serialize};

use crate::alert::AlertId;
use crate::alert::told::{Ledger, Told};
use crate::detect::Severity;
use crate::store::envelope::EnvelopeError;
use crate::store::{StateStore, StoreError, WriteBatch, codec, keys};
use crate::time::Timestamp;

/// Longest value, bytes: it is of fixed shape.
const TOLD_BYTES_MAX: usize = 256;

/// What was told of one alert.
#[derive(Debug, Serialize, Deserialize)]
pub struct ToldV1 {
    /// Last revision of the desk.
    pub definitive: u32,
    /// Last revision told.
    pub revision: u32,
    /// 0 Low, 1 Medium, 2 High.
    pub severity: u8,
    /// When it was decided, milliseconds.
    pub decided: i64,
}

const SEVERITIES: [Severity; 3] = [Severity::Low, Severity::Medium, Severity::High];

fn damaged(key: &[u8], cause: EnvelopeError) -> StoreError {
    StoreError::Damaged { key: String::from_utf8_lossy(key).into_owned(), cause }
}

/// Puts what changed into a batch.
///
/// # Errors
/// Never for what a ledger holds.
pub fn save(ledger: &mut Ledger, batch: &mut WriteBatch) -> Result<(), StoreError> {
    for (id, told) in ledger.take_changes() {
        let key = keys::told(id);
        let Some(told) = told else {
            batch.delete(key);
            continue;
        };
        let severity = SEVERITIES.iter().position(|s| *s == told.severity).unwrap_or_default();
        let value = ToldV1 {
            definitive: told.definitive,
            revision: told.revision,
            severity: severity as u8,
            decided: told.decided.0,
        };
        let sealed = codec::encode(&value, TOLD_BYTES_MAX).map_err(|e| damaged(&key, e))?;
        batch.put(key, sealed);
    }
    Ok(())
}

/// Reads the ledger.
///
/// # Errors
/// The store failed or holds damaged state.
pub fn load(store: &dyn StateStore) -> Result<Ledger, StoreError> {
    let (mut all, mut failed) = (Vec::new(), None);
    store.scan(keys::TOLD, &mut |key, bytes| {
        let id = key[keys::TOLD.len()..].try_into().map(u128::from_be_bytes);
        match (id, codec::decode::<ToldV1>(bytes, TOLD_BYTES_MAX)) {
            (Ok(id), Ok(v)) => match SEVERITIES.get(usize::from(v.severity)) {
                Some(severity) => {
                    let told = Told {
                        definitive: v.definitive,
                        revision: v.revision,
                        severity: *severity,
                        decided: Timestamp(v.decided),
                    };
                    all.push((AlertId(id), told));
                }
                None => {
                    let cause = EnvelopeError::Payload("no such severity".to_owned());
                    failed = Some(damaged(key, cause));
                }
            },
            (Err(_), _) => {
                let cause = EnvelopeError::Payload("its key is torn".to_owned());
                failed = Some(damaged(key, cause));
            }
            (_, Err(cause)) => failed = Some(damaged(key, cause)),
        }
        failed.is_none()
    })?;
    failed.map_or(Ok(Ledger::restore(all)), Err)
}

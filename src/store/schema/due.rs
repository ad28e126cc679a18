//! What each account still has to do, as it is stored: a run that goes on looks at these accounts
//! and lets all others sleep.
use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ids::AccountId;
use crate::store::envelope::EnvelopeError;
use crate::store::{StateStore, StoreError, WriteBatch, codec, keys};
use crate::time::Timestamp;

/// Longest list, bytes: 100,000 accounts with names ten times as long as Azure allows.
const BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct DueV1 {
    /// Account keys by moment, milliseconds.
    moments: Vec<(i64, Vec<String>)>,
}

/// When which account has something to do; [`Timestamp::MIN`]: findings may come of it.
pub type Due = BTreeMap<Timestamp, Vec<AccountId>>;

fn damaged(cause: EnvelopeError) -> StoreError {
    StoreError::Damaged { key: String::from_utf8_lossy(&keys::due()).into_owned(), cause }
}

/// What the last checkpoint knew; `None` if it is not known, and every account is to be looked at.
///
/// # Errors
/// The store failed or the list is damaged.
pub fn load(store: &dyn StateStore) -> Result<Option<Due>, StoreError> {
    let Some(bytes) = store.get(&keys::due())? else { return Ok(None) };
    let stored: DueV1 = codec::decode(&bytes, BYTES_MAX).map_err(damaged)?;
    let parse = |(at, names): (i64, Vec<String>)| {
        (Timestamp(at), names.iter().map(|name| AccountId::parse(name)).collect())
    };
    Ok(Some(stored.moments.into_iter().map(parse).collect()))
}

/// Puts the list into a checkpoint.
///
/// # Errors
/// It is longer than its bound.
pub fn save(due: &Due, batch: &mut WriteBatch) -> Result<(), StoreError> {
    let name = |(at, accounts): (&Timestamp, &Vec<AccountId>)| {
        (at.0, accounts.iter().map(AccountId::key).collect())
    };
    let stored = DueV1 { moments: due.iter().map(name).collect() };
    batch.put(keys::due(), codec::encode(&stored, BYTES_MAX).map_err(damaged)?);
    Ok(())
}

//! Persisted form of what was left out of an account's model by hand.
use serde::{Deserialize, Serialize};

use crate::account::left_out::{LeftOut, Part, Why};
use crate::ids::{AccountId, PrincipalId};
use crate::store::envelope::EnvelopeError;
use crate::store::{StateStore, StoreError, WriteBatch, codec, keys};
use crate::time::Timestamp;

/// Longest list, bytes: all parts, each with a principal as long as a record may give.
const BYTES_MAX: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
struct LeftOutV1 {
    records: u64,
    parts: Vec<PartV1>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PartV1 {
    from: i64,
    until: i64,
    principal: Option<String>,
    reverted: bool,
}

fn damaged(account: &AccountId, cause: EnvelopeError) -> StoreError {
    let key = String::from_utf8_lossy(&keys::left_out(account)).into_owned();
    StoreError::Damaged { key, cause }
}

/// What was left out of `account`.
///
/// # Errors
/// The store failed or the value is damaged.
pub fn load(store: &dyn StateStore, account: &AccountId) -> Result<LeftOut, StoreError> {
    let Some(bytes) = store.get(&keys::left_out(account))? else { return Ok(LeftOut::default()) };
    let stored: LeftOutV1 =
        codec::decode(&bytes, BYTES_MAX).map_err(|cause| damaged(account, cause))?;
    let parts = stored.parts.into_iter().map(|part| Part {
        from: Timestamp(part.from),
        until: Timestamp(part.until),
        principal: part.principal.as_deref().map(PrincipalId::new),
        why: if part.reverted { Why::Reverted } else { Why::Forgotten },
    });
    Ok(LeftOut { records: stored.records, parts: parts.collect() })
}

/// Puts it into a batch; nothing left out is no entry.
///
/// # Errors
/// It is longer than its bound.
pub fn save(
    left_out: &LeftOut,
    account: &AccountId,
    batch: &mut WriteBatch,
) -> Result<(), StoreError> {
    let key = keys::left_out(account);
    if *left_out == LeftOut::default() {
        batch.delete(key);
        return Ok(());
    }
    let parts = left_out.parts.iter().map(|part| PartV1 {
        from: part.from.0,
        until: part.until.0,
        principal: part.principal.as_ref().map(ToString::to_string),
        reverted: part.why == Why::Reverted,
    });
    let stored = LeftOutV1 { records: left_out.records, parts: parts.collect() };
    batch.put(key, codec::encode(&stored, BYTES_MAX).map_err(|cause| damaged(account, cause))?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    #[test]
    fn what_is_saved_is_loaded_and_nothing_leaves_no_entry() {
        let (store, account) = (MemoryStore::default(), AccountId::parse("china/a"));
        let part = |principal: Option<&str>, why| Part {
            from: Timestamp(-5),
            until: Timestamp::MAX,
            principal: principal.map(PrincipalId::new),
            why,
        };
        let parts = vec![part(None, Why::Reverted), part(Some("ann"), Why::Forgotten)];
        for left_out in [LeftOut { records: 7, parts }, LeftOut::default()] {
            let mut batch = WriteBatch::default();
            save(&left_out, &account, &mut batch).unwrap();
            store.write(batch).unwrap();
            assert_eq!(load(&store, &account).unwrap(), left_out);
        }
        assert_eq!(store.get(&keys::left_out(&account)).unwrap(), None);
    }
}

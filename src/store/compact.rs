//! Giving disk space back. The database keeps superseded pages and never shrinks; a store that is
//! written anew is as small as it gets.
use std::path::Path;
use std::sync::Arc;

use super::ladder::Opened;
use super::sled_store::SledStore;
use super::swap::{self, Old};
use super::{StateStore, StoreError, WriteBatch};
use crate::limits;

/// Sizes before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compacted {
    /// Bytes that the store holds.
    pub live: u64,
    /// Bytes on disk before.
    pub before: u64,
    /// Bytes on disk after.
    pub after: u64,
}

/// Whether files of `disk` bytes that hold `live` bytes are worth writing anew.
pub fn is_worth_it(disk: u64, live: u64) -> bool {
    disk >= limits::COMPACT_BYTES_MIN && disk > live.saturating_mul(limits::COMPACT_DISK_PER_LIVE)
}

/// Closes a data directory, and writes its store anew if that is worth it. A process killed
/// meanwhile leaves the old store or the new one, which hold the same.
///
/// # Errors
/// The file system or the engine failed; the old store is still there.
pub fn close(dir: &Path, opened: Opened) -> Result<Option<Compacted>, StoreError> {
    let Opened { store, lock, .. } = opened;
    // Someone still holds the store: it cannot be replaced under them.
    let Ok(store) = Arc::try_unwrap(store) else { return Ok(None) };
    let failed = |e: std::io::Error| StoreError::at(dir, "compacted", &e);
    let before = swap::disk_bytes(store.dir()).map_err(failed)?;
    let live = store.census().bytes();
    if !is_worth_it(before, live) {
        return Ok(None);
    }
    let new = swap::fresh(dir).map_err(failed)?;
    let copied = rewrite(&store, &new);
    drop(store);
    // No room, or anything else: what was begun is removed with the next opening, or now.
    copied.inspect_err(|_| drop(swap::settle(dir)))?;
    swap::commit(dir, Old::Removed).map_err(failed)?;
    let after = swap::disk_bytes(&swap::state(dir)).map_err(failed)?;
    crate::telemetry::StateCompacted { before, after }.emit();
    drop(lock);
    Ok(Some(Compacted { live, before, after }))
}

/// Writes everything in `store` into a new one in `dir`, a little at a time, and compares.
fn rewrite(store: &SledStore, dir: &Path) -> Result<(), StoreError> {
    let new = SledStore::open(dir)?;
    let (mut batch, mut bytes) = (WriteBatch::default(), 0);
    let mut failed = None;
    store.scan(b"", &mut |key, value| {
        bytes += key.len() + value.len();
        batch.put(key.to_vec(), value.to_vec());
        if bytes >= limits::COMPACT_BATCH_BYTES {
            bytes = 0;
            failed = new.fill(std::mem::take(&mut batch)).err();
        }
        failed.is_none()
    })?;
    if let Some(failed) = failed {
        return Err(failed);
    }
    new.write(batch)?;
    new.flush()?;
    if new.census().same_entries(&store.census()) {
        Ok(())
    } else {
        let cause = "what was read for rewriting it is not what was written".to_owned();
        Err(StoreError::DamagedFiles { place: store.dir().display().to_string(), cause })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_dense_files_are_left_alone() {
        let mib = 1 << 20;
        assert!(!is_worth_it(2 * mib, 10));
        assert!(!is_worth_it(100 * mib, 60 * mib));
        assert!(is_worth_it(100 * mib, 40 * mib));
    }
}

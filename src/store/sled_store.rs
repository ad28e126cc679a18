//! The store on disk: sled 0.34, one tree. The only file that knows sled.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::{StateStore, StoreError, Visit, WriteBatch};

/// Page cache, bytes. Working sets are models of awake accounts, which live in the actors; the
/// cache only serves wake-ups.
const CACHE_BYTES: u64 = 32 << 20;

/// A sled database in a directory.
pub struct SledStore {
    db: sled::Db,
    place: String,
}

impl std::fmt::Debug for SledStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SledStore({})", self.place)
    }
}

impl SledStore {
    /// Opens or creates the database in `dir`.
    ///
    /// # Errors
    /// The directory cannot be used, is held by another process, or is damaged (sled panics on
    /// some damage; the panic is caught and reported).
    pub fn open(dir: &Path) -> Result<SledStore, StoreError> {
        let place = dir.display().to_string();
        let config = sled::Config::default()
            .path(dir)
            .cache_capacity(CACHE_BYTES)
            .flush_every_ms(None)
            .mode(sled::Mode::LowSpace);
        let opened = catch_unwind(AssertUnwindSafe(|| config.open()));
        let failed =
            |cause: String| StoreError::Engine { place: place.clone(), action: "opened", cause };
        match opened {
            Ok(Ok(db)) => Ok(SledStore { db, place }),
            Ok(Err(sled::Error::Io(e))) if lock_is_held(&e) => Err(StoreError::InUse { place }),
            Ok(Err(e)) => Err(failed(e.to_string())),
            Err(_) => Err(failed(
                "the engine stopped on damaged files; move the directory aside and replay"
                    .to_owned(),
            )),
        }
    }

    fn engine(&self, action: &'static str) -> impl Fn(sled::Error) -> StoreError + '_ {
        move |e| StoreError::Engine { place: self.place.clone(), action, cause: e.to_string() }
    }
}

/// A database directory that no other process may open while this is kept.
#[derive(Debug)]
pub struct Held {
    _lock: Option<std::fs::File>,
}

/// Holds the database in `dir`, damaged or not, so that it can be moved; one that is not there is
/// held as well.
///
/// # Errors
/// Another process has it open, or the file system refused.
pub fn hold(dir: &Path) -> Result<Held, StoreError> {
    let place = dir.display().to_string();
    let engine = |cause: std::io::Error| StoreError::Engine {
        place: place.clone(),
        action: "opened",
        cause: cause.to_string(),
    };
    // The engine's own lock lies on this file.
    let file = match std::fs::OpenOptions::new().read(true).write(true).open(dir.join("db")) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Held { _lock: None }),
        Err(e) => return Err(engine(e)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Held { _lock: Some(file) }),
        Err(std::fs::TryLockError::WouldBlock) => Err(StoreError::InUse { place }),
        Err(std::fs::TryLockError::Error(e)) => Err(engine(e)),
    }
}

/// sled wraps a held lock as an I/O error of kind `Other` whose text says so.
fn lock_is_held(e: &std::io::Error) -> bool {
    e.kind() == std::io::ErrorKind::WouldBlock || e.to_string().contains("could not acquire lock")
}

impl StateStore for SledStore {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.db.get(key).map_err(self.engine("read"))?.map(|v| v.to_vec()))
    }
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        let mut inner = sled::Batch::default();
        for (key, value) in batch.entries {
            match value {
                Some(value) => inner.insert(key, value),
                None => inner.remove(key),
            }
        }
        self.db.apply_batch(inner).map_err(self.engine("written"))
    }
    fn scan(&self, prefix: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        for entry in self.db.scan_prefix(prefix) {
            let (key, value) = entry.map_err(self.engine("read"))?;
            if !visit(&key, &value) {
                break;
            }
        }
        Ok(())
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.db.flush().map(|_| ()).map_err(self.engine("flushed"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::MemoryStore;
    use super::*;

    fn twin(store: &dyn StateStore) {
        let mut batch = WriteBatch::default();
        batch.put(b"a/2".to_vec(), b"two".to_vec());
        batch.put(b"a/1".to_vec(), b"one".to_vec());
        batch.put(b"b/1".to_vec(), b"other".to_vec());
        batch.put(b"a/3".to_vec(), b"gone".to_vec());
        batch.delete(b"a/3".to_vec());
        store.write(batch).unwrap();
        store.flush().unwrap();
        let mut seen = Vec::new();
        store
            .scan(b"a/", &mut |k, v| {
                seen.push((k.to_vec(), v.to_vec()));
                true
            })
            .unwrap();
        assert_eq!(seen, [(b"a/1".to_vec(), b"one".to_vec()), (b"a/2".to_vec(), b"two".to_vec())]);
        assert_eq!(store.get(b"a/3").unwrap(), None);
        let mut visits = 0;
        store
            .scan(b"", &mut |_, _| {
                visits += 1;
                false
            })
            .unwrap();
        assert_eq!(visits, 1);
    }

    #[test]
    fn memory_and_sled_behave_alike() {
        let dir = tempfile::tempdir().unwrap();
        twin(&MemoryStore::default());
        twin(&SledStore::open(dir.path()).unwrap());
    }

    #[test]
    fn what_was_flushed_is_there_after_reopening() {
        let dir = tempfile::tempdir().unwrap();
        {
            let store = SledStore::open(dir.path()).unwrap();
            let mut batch = WriteBatch::default();
            batch.put(b"k".to_vec(), b"v".to_vec());
            store.write(batch).unwrap();
            store.flush().unwrap();
        }
        assert_eq!(SledStore::open(dir.path()).unwrap().get(b"k").unwrap(), Some(b"v".to_vec()));
    }

    #[test]
    fn a_second_opener_is_told_that_the_directory_is_in_use() {
        let dir = tempfile::tempdir().unwrap();
        let _held = SledStore::open(dir.path()).unwrap();
        let second = SledStore::open(dir.path());
        assert!(matches!(second, Err(StoreError::InUse { .. })), "{second:?}");
        assert!(matches!(hold(dir.path()), Err(StoreError::InUse { .. })));
    }

    #[test]
    fn what_is_held_is_not_opened_by_others() {
        let dir = tempfile::tempdir().unwrap();
        drop(SledStore::open(dir.path()).unwrap());
        let held = hold(dir.path()).unwrap();
        assert!(matches!(SledStore::open(dir.path()), Err(StoreError::InUse { .. })));
        drop(held);
        SledStore::open(dir.path()).unwrap();
        hold(&dir.path().join("nothing")).unwrap();
    }
}

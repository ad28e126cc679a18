//! A store of which one call fails, and the power cut that may follow.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

use cosmoguard::store::{StateStore, StoreError, Visit, WriteBatch};

/// What a key held before a write.
type Before = Vec<(Vec<u8>, Option<Vec<u8>>)>;

/// Over a store of which only what was flushed is safe.
pub struct Faulty {
    inner: Arc<dyn StateStore>,
    calls: AtomicU64,
    /// The call that fails, counted from 0 over reads, scans, writes and flushes alike.
    fails: u64,
    /// What each write since the last flush replaced.
    unflushed: Mutex<Vec<Before>>,
}

impl Faulty {
    /// Call `fails` fails and does nothing; those before and after it work.
    pub fn new(inner: Arc<dyn StateStore>, fails: u64) -> Faulty {
        Faulty { inner, calls: 0.into(), fails, unflushed: Mutex::default() }
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::SeqCst)
    }

    /// The power fails: a share, in 65,536ths, of the writes that were not flushed is lost, the
    /// last ones.
    pub fn cut_power(&self, share: u16) {
        let mut unflushed = self.unflushed();
        let lost = (unflushed.len() * usize::from(share)).div_ceil(usize::from(u16::MAX));
        for before in unflushed.drain(..).rev().take(lost) {
            self.inner.write(WriteBatch { entries: before }).unwrap();
        }
    }

    fn unflushed(&self) -> MutexGuard<'_, Vec<Before>> {
        self.unflushed.lock().unwrap()
    }

    fn call(&self, action: &'static str) -> Result<(), StoreError> {
        if self.calls.fetch_add(1, Ordering::SeqCst) != self.fails {
            return Ok(());
        }
        let cause = "an error that was injected".to_owned();
        Err(StoreError::Engine { place: "memory".to_owned(), action, cause })
    }
}

impl StateStore for Faulty {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.call("read")?;
        self.inner.get(key)
    }
    fn write(&self, batch: WriteBatch) -> Result<(), StoreError> {
        self.call("written")?;
        let mut unflushed = self.unflushed();
        let before = |key: &Vec<u8>| (key.clone(), self.inner.get(key).unwrap());
        unflushed.push(batch.entries.iter().map(|(key, _)| before(key)).collect());
        self.inner.write(batch)
    }
    fn scan(&self, prefix: &[u8], visit: Visit<'_>) -> Result<(), StoreError> {
        self.call("read")?;
        self.inner.scan(prefix, visit)
    }
    fn flush(&self) -> Result<(), StoreError> {
        self.call("flushed")?;
        self.unflushed().clear();
        self.inner.flush()
    }
}
